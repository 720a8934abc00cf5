"""The Python with BentoML that some tests need, and what becomes of them in a fork that has none."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "support_ticket_intelligence"


def found() -> Path:
    """The one that BENTO_PYTHON names, else the example's."""
    given = os.environ.get("BENTO_PYTHON")
    python = Path(given) if given else ROOT / ".venv-example" / "bin" / "python"
    if not python.exists():
        pytest.fail(f"{python} is missing: run `make example-env`, or name a Python that has BentoML in BENTO_PYTHON")
    return python


def leave_out(config: pytest.Config, items: list[pytest.Item], files: Collection[str]) -> None:
    """Without the example a fork has no Python with BentoML, and these tests are not its own; with it they run or fail."""
    if os.environ.get("BENTO_PYTHON") or EXAMPLE.is_dir():
        return
    outside = [item for item in items if item.path.name in files]
    if outside:
        items[:] = [item for item in items if item not in outside]
        config.hook.pytest_deselected(items=outside)
        if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":  # each worker collects; one of them says so
            capture: Any = config.pluginmanager.getplugin("capturemanager")
            with capture.global_and_fixture_disabled():
                why = "no example here, and BENTO_PYTHON names no Python with BentoML"
                sys.stderr.write(f"{len(outside)} tests of {', '.join(sorted(files))} left out: {why}\n")
