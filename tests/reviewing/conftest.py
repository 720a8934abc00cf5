"""Two sides of a change, for every test of a review."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reviewing.sides import Sides


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)
