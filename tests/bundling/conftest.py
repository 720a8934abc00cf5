"""Fixtures of the bundle tests: a command runner, an inspection of a real Bento, and a small Bento built without the network."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.cli import context
from bento_gitops.cli.main import main
from running import Ran, Run
from small_bento import Built, build

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
EXAMPLE = ROOT / "examples" / "support_ticket_intelligence"
NEEDS_BENTOML = "test_inspecting_a_bento.py"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without the example a fork has no Python with BentoML, and these tests are not its own; with it they run or fail."""
    if os.environ.get("BENTO_PYTHON") or EXAMPLE.is_dir():
        return
    outside = [item for item in items if item.path.name == NEEDS_BENTOML]
    if outside:
        items[:] = [item for item in items if item not in outside]
        config.hook.pytest_deselected(items=outside)
        if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":  # each worker collects; one of them says so
            capture: Any = config.pluginmanager.getplugin("capturemanager")
            with capture.global_and_fixture_disabled():
                why = "no example here, and BENTO_PYTHON names no Python with BentoML"
                sys.stderr.write(f"{len(outside)} tests of {NEEDS_BENTOML} left out: {why}\n")


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
    given = os.environ.get("BENTO_PYTHON")
    python = Path(given) if given else ROOT / ".venv-example" / "bin" / "python"
    if not python.exists():
        pytest.fail(f"{python} is missing: run `make example-env`, or name a Python that has BentoML in BENTO_PYTHON")
    return python


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
