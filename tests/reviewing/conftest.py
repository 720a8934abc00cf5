"""Two sides of a change, for every test of a review."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bento_gitops.model.layout import CHART
from bento_gitops.repository.files import WorkingTree

from tests.reviewing.sides import ROOT, Sides


@pytest.fixture(scope="session")
def charts(tmp_path_factory: pytest.TempPathFactory) -> WorkingTree:
    """The chart as it is, and nothing else; nobody writes here."""
    root = tmp_path_factory.mktemp("charts")
    shutil.copytree(ROOT / CHART, root / CHART)
    return WorkingTree(root)


@pytest.fixture
def sides(tmp_path: Path, charts: WorkingTree) -> Sides:
    return Sides(tmp_path, charts)
