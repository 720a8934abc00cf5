"""The text in which a component exports its metrics, as series."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SERIES = re.compile(r"^([A-Za-z_:][A-Za-z0-9_:]*)(?:\{(.*)\})? (\S+)", re.MULTILINE)
_LABEL = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPED = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


@dataclass(frozen=True, slots=True)
class Series:
    """One line."""

    name: str
    labels: Mapping[str, str]
    value: float


def series(text: str) -> list[Series]:
    """Every line that is one; what is none (a comment, an error page) is passed over."""
    found: list[Series] = []
    for name, labels, value in _SERIES.findall(text):
        try:
            number = float(value)
        except ValueError:
            continue
        found.append(Series(name, {key: _plain(quoted) for key, quoted in _LABEL.findall(labels)}, number))
    return found


def _plain(quoted: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPED.get(found[0], found[0]), quoted)
