"""Semantic versions: their form, and the order that the standard gives as an example."""

from __future__ import annotations

import random

import pytest
from bento_gitops.model.versions import in_order, is_version

ORDER = [
    "0.9.10",
    "1.0.0-1",
    "1.0.0-2",
    "1.0.0-10",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.2.0",
    "1.10.0",
    "2.0.0",
]


def test_versions_are_ordered_as_the_standard_says() -> None:
    mixed = list(ORDER)
    random.Random(7).shuffle(mixed)
    assert mixed != ORDER
    assert in_order(mixed) == ORDER
    assert all(is_version(version) for version in ORDER)


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.02.3", "1.2.3-", "1.2.3-01", "1.2.3+5", "1.2.3 ", "1.2.3\n"]
)
def test_what_is_no_version_is_told(text: str) -> None:
    assert not is_version(text)
