"""Semantic versions: which comes after which."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bento_gitops.model.base import VERSION

Order = tuple[int, int, int, bool, tuple[tuple[bool, int, str], ...]]


def is_version(text: str) -> bool:
    """Whether the text is a semantic version (without build metadata, which orders nothing)."""
    return re.fullmatch(VERSION, text) is not None


def order_of(version: str) -> Order:
    """What versions are sorted by: a pre-release comes before its release, and its numbers count as numbers."""
    numbers, _, pre = version.partition("-")
    major, minor, patch = (int(number) for number in numbers.split("."))
    parts = tuple((not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in pre.split(".")) if pre else ()
    return major, minor, patch, not pre, parts


def in_order(versions: Iterable[str]) -> list[str]:
    """Versions, the oldest first."""
    return sorted(versions, key=order_of)
