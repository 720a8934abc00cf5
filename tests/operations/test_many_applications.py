"""A fleet that is rendered in several processes comes out as in one: the same bytes, and every error in its order."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bento_gitops.operations.render import PER_PROCESS

from benchmarks import made_up_fleet

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = Path(sys.executable).with_name("bento-gitops")
APPLICATIONS = 2 * PER_PROCESS // len(made_up_fleet.ENVIRONMENTS) + 1


def _render(root: Path, *, prepare: Callable[[], None] | None = None) -> tuple[int, str, str]:
    """Its exit code, output and errors. As a command of its own: a test's process has threads, which a fork does not bear."""
    command = [str(COMMAND), "-C", str(root), "render", "--json", "--now", "2026-12-01"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=prepare)
    return ran.returncode, ran.stdout, ran.stderr


def _on_one_processor() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made_up_fleet.write(tmp_path, APPLICATIONS, REPOSITORY)
    return tmp_path


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system cannot give a command one processor alone")
def test_many_processes_say_and_write_what_one_does(root: Path) -> None:
    many = _render(root)
    files = {path: path.read_bytes() for path in root.glob("environments/*/*/values.yaml")}
    for path in files:
        path.unlink()
    assert _render(root, prepare=_on_one_processor) == many
    assert many[0] == 0
    assert {path: path.read_bytes() for path in root.glob("environments/*/*/values.yaml")} == files
    assert len(files) == APPLICATIONS * len(made_up_fleet.ENVIRONMENTS)


def test_errors_of_all_processes_are_told_at_once_in_the_order_of_files(root: Path) -> None:
    applications = sorted(path.stem for path in root.glob("applications/*.yaml"))
    wrong = [f"environments/staging/{name}/config.yaml" for name in applications[:4]]
    for path in wrong:
        (root / path).write_text(
            "apiVersion: bento-gitops/v1\nkind: Config\nservices: {Nobody: {workers: 1}}\n", encoding="utf-8"
        )
    code, output, errors = _render(root)
    assert (code, output) == (1, "")
    assert [line.partition(":")[0] for line in errors.splitlines()] == wrong
    assert not list(root.glob("environments/*/*/values.yaml"))
