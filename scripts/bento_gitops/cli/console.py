"""How commands print: tables for people, one JSON document for programs, notes beside the output."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def _console(*, stderr: bool = False) -> Console:
    # Where nobody's terminal sets a width (CI, a pipe), lines are as long as what they say: nothing is folded.
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=None if stream.isatty() else 10_000)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """A table on standard output; columns named in `right` are aligned to the right."""
    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        shown.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    _console().print(shown)


def line(text: str, style: str = "") -> None:
    """A line on standard output."""
    _console().print(Text(text, style=style))


def note(text: str) -> None:
    """A line on standard error: worth knowing, not part of the result."""
    _console(stderr=True).print(Text(text, style="yellow"))


def document(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))  # noqa: T201
