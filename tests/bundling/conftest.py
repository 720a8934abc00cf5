"""Fixtures of the bundle tests: a command runner, an inspection of a real Bento, and a small Bento built without the network."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bento_python as bento_python_  # a fixture has the name
import pytest
from bento_gitops.cli import context
from bento_gitops.cli.main import main
from forked_python import BEFORE
from forking import forked
from running import Ran, Run
from small_bento import Built, build

HERE = Path(__file__).parent
NEEDS_BENTOML = "test_inspecting_a_bento.py"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    bento_python_.leave_out(config, items, [NEEDS_BENTOML])


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Runs bento-gitops in this process, on a repository in a temporary folder."""

    def command(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["bento-gitops", "-C", str(tmp_path), *map(str, arguments)])
        monkeypatch.setattr(context, "root", Path())
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return command


@pytest.fixture
def inspected() -> dict[str, Any]:
    """The inspection of a real Bento, for a test to change."""
    return json.loads((HERE / "inspections" / "support_ticket_intelligence.json").read_bytes())


@pytest.fixture(scope="session")
def bento_python() -> Path:
    """The Python with BentoML."""
    return bento_python_.found()


@pytest.fixture(scope="session")
def quick_python(bento_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same with BentoML imported: for tests of what is found in a Bento, not of how its processes start and end."""
    home = str(tmp_path_factory.mktemp("home"))
    environment = {"PATH": os.environ["PATH"], "HOME": home, "BENTOML_HOME": home, "BENTOML_DO_NOT_TRACK": "True"}
    before = BEFORE.format(python=bento_python)
    with forked(bento_python, HERE / "forked_python.py", name="python", before=before, environment=environment) as program:
        yield program


@pytest.fixture(scope="session")
def built(bento_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A small Bento of two services and a model, built for real."""
    return build(tmp_path_factory.mktemp("bento"), bento_python)


@pytest.fixture
def variant(built: Built, tmp_path: Path) -> Callable[..., Path]:
    """The built Bento with other code in it, as a folder of its own."""

    def changed(before: str = "", after: str = "", *, top: str = "", more: dict[str, str] | None = None) -> Path:
        folder = tmp_path / "variant"
        shutil.copytree(built.folder, folder)
        text = built.source
        if before:
            assert text.count(before) == 1, f"{before!r} stands {text.count(before)} times in the source"
            text = text.replace(before, after)
        for path, content in {"service.py": top + text, **(more or {})}.items():
            (folder / "src" / path).write_text(content)
        return folder

    return changed
