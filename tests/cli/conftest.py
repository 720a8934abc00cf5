"""Runs the command in a copy of the fleet."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest
from commands import called

COMMAND = Path(sys.executable).with_name("bento-gitops")


class Run(Protocol):
    def __call__(self, *arguments: str, code: int = 0, root: Path | None = None) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def run(fleet) -> Run:
    """`bento-gitops` in the fleet; the exit code must be the one given."""

    def command(*arguments: str, code: int = 0, root: Path | None = None) -> subprocess.CompletedProcess[str]:
        done = called(root or fleet.root, *arguments)
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return command
