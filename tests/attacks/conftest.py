"""The fleet that attacks are made on, and a gh that knows of no pull request."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from git_repositories import SETTINGS, Repository, git_settings
from github_stand_in import GitHub
from hostile import SECRET, new_fleet

__all__ = ["git_settings"]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("attacked")
    settings = folder / "settings"
    settings.write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(settings))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        return new_fleet(folder / "fleet").root


@pytest.fixture
def clone(made_once: Path, git_settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A clone of its own for one attack."""
    shutil.copytree(made_once, tmp_path / "fleet")
    found = Repository(tmp_path / "fleet")
    found.git("status")  # the copies have times of their own: Git looks at each file once
    monkeypatch.setenv("PATH", str(GitHub(tmp_path / "gh").folder), prepend=":")
    return found


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the repository: a file of ours, and an environment to lead astray with."""
    folder = tmp_path / "outside"
    shutil.copytree(Path(__file__).parents[1] / "fleet" / "environments" / "dev", folder / "dev")
    (folder / "secret.yaml").write_text(f"{SECRET}: {SECRET}\n", "utf-8")
    return folder
