"""Repositories and operators for the stories about releases."""

from __future__ import annotations

from pathlib import Path

import pytest
from git_repositories import Repository, copied, git_settings, own_settings
from stories import Operator, team

__all__ = ["git_settings"]


@pytest.fixture(scope="session")
def told_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the team's remote and a clone of it, to be copied."""
    folder = tmp_path_factory.mktemp("team")
    with own_settings(folder / "settings"):
        origin = team(folder)
        origin.git("repack", "-a", "-d", "--quiet")  # a few files to copy, instead of one for each object
        origin.clone("olivia")
    return folder


@pytest.fixture
def olivia(
    git_settings: Path,
    told_once: Path,
    tmp_path: Path,
) -> Operator:
    """An operator with a clone of the team's repository."""
    for name in ("origin.git", "olivia"):
        copied(told_once / name, tmp_path / name)
    desk = tmp_path / "desk"
    desk.mkdir()
    clone = Repository(tmp_path / "olivia")
    clone.git("status")  # the copies have times of their own: Git looks at each file once
    return Operator(clone, desk)
