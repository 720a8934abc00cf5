"""A team's repository on a server, and a runner for its workflows."""

from __future__ import annotations

from pathlib import Path

import pytest
from git_repositories import Origin, Repository, git_settings, new_origin
from github_stand_in import GitHub
from runner import Runner, fleet_files

__all__ = ["git_settings"]


@pytest.fixture
def origin(tmp_path: Path, git_settings: Path) -> Origin:
    return new_origin(tmp_path, fleet_files(tmp_path / "fleet"))


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    return GitHub(tmp_path / "github")


@pytest.fixture
def runner(origin: Origin, github: GitHub, tmp_path: Path) -> Runner:
    return Runner(origin, github, tmp_path / "jobs")


@pytest.fixture
def olivia(origin: Origin) -> Repository:
    """Somebody's clone."""
    return origin.clone("olivia")
