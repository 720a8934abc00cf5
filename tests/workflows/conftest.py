"""A team's repository on a server, and a runner for its workflows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bento_gitops.tools import helm
from forking import forked
from git_repositories import Origin, Repository, copied, git_settings, new_origin, own_settings
from github_stand_in import GitHub
from helm_renders import Remembered
from live_stand_in import Live, live, measuring
from runner import Runner, fleet_files

__all__ = ["git_settings"]


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Origin:
    """The repository on the server, to be copied."""
    folder = tmp_path_factory.mktemp("team")
    with own_settings(folder / "settings"):
        made = new_origin(folder, fleet_files(folder / "fleet"))
        made.git("repack", "-a", "-d", "--quiet")
    return made


@pytest.fixture
def origin(tmp_path: Path, git_settings: Path, made_once: Origin) -> Origin:
    copied(made_once.root, tmp_path / "origin.git")
    return Origin(tmp_path / "origin.git")


@pytest.fixture(scope="session")
def command(remembered_renders: None) -> Iterator[Path]:
    """The program of this project, which starts in no time."""
    remembering = helm._run
    assert isinstance(remembering, Remembered)
    here = Path(__file__).parent
    prepared = (str(here.parent), str(remembering.folder))
    with forked(Path(sys.executable), here / "forked_command.py", *prepared, name="bento-gitops") as program:
        yield program


@pytest.fixture
def github(tmp_path: Path) -> GitHub:
    return GitHub(tmp_path / "github")


@pytest.fixture
def runner(origin: Origin, github: GitHub, tmp_path: Path, command: Path) -> Runner:
    return Runner(origin, github, tmp_path / "jobs", command)


@pytest.fixture
def olivia(origin: Origin) -> Repository:
    """Somebody's clone."""
    return origin.clone("olivia")


@pytest.fixture
def cluster(olivia: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Live]:
    """What the runner reaches: a cluster in which prod runs as Git says, and its Prometheus, named in environment.yaml."""
    with live() as state:
        monkeypatch.setenv("KUBECONFIG", str(state.kubeconfig(tmp_path)))
        state.measured = measuring({"blue": (9000, 9), "green": (1000, 1)})
        environment = olivia.text("environments/prod/environment.yaml") or ""
        address = f"pod_labels: {{app: prometheus}}, address: '{state.prometheus}'"
        olivia.put("environments/prod/environment.yaml", environment.replace("pod_labels: {app: prometheus}", address))
        olivia.commit("Where commands ask")
        olivia.git("push", "--quiet")
        state.run(olivia.root, "prod/support-tickets", {"blue": 90, "green": 10})
        yield state
