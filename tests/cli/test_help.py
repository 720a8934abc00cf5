"""Every command can say what it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer
from bento_gitops.cli.main import app
from click.testing import CliRunner


def commands(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    """The command and, of a group, those in it."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *path, name)


WHOLE: Any = typer.main.get_command(app)
ALL = sorted(commands(WHOLE))


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_a_command_says_what_it_does(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(WHOLE, [*path, "--help"])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    assert done.exit_code == 0
    assert "Usage:" in done.stdout


def test_the_groups_are_walked() -> None:
    assert {("override", "end"), ("canary", "step"), ("chart", "pin")} <= set(ALL)
