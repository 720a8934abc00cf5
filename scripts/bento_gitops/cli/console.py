"""How commands print: tables for people, one JSON document for programs, notes beside the output.

Names, reasons and messages come from files, from Git and from servers: nothing in them reaches the terminal that steers it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from bento_gitops.model.printable import visible, visible_lines

# rich is imported by what needs it: where nobody looks at colours, a table of plain words is printed as it stands.
if TYPE_CHECKING:
    from rich.console import Console


def _has_colours(stream: TextIO) -> bool:
    return stream.isatty() or bool(os.environ.get("FORCE_COLOR"))


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    # Lines are as long as what they say: a name that is cut or folded can neither be read nor copied.
    return Console(stderr=stderr, highlight=False, soft_wrap=True, width=10_000)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """A table on standard output; columns named in `right` are aligned to the right."""
    rows = [[visible(cell) for cell in row] for row in rows]
    if not _has_colours(sys.stdout) and all(cell.isascii() and cell.isprintable() for row in rows for cell in row):
        _plain_table([headings, *rows], [heading in right for heading in headings])
        return
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for heading in headings:
        shown.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    _console().print(shown)


def _plain_table(rows: Sequence[Sequence[str]], right: Sequence[bool]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if to_right else cell.ljust(width) for cell, width, to_right in zip(row, widths, right, strict=True)
        )
        print("  ".join(cells))  # noqa: T201


def line(text: str, style: str = "") -> None:
    """A line on standard output."""
    _print(text, style)


def error(text: str) -> None:
    """Why the command ends, on standard error; without colours, as programs read it too."""
    print(visible_lines(text), file=sys.stderr)  # noqa: T201


def note(text: str) -> None:
    """A line on standard error: worth knowing, not part of the result."""
    _print(text, "yellow", stderr=True)


def _print(text: str, style: str, *, stderr: bool = False) -> None:
    stream = sys.stderr if stderr else sys.stdout
    text = visible_lines(text)
    if not _has_colours(stream):
        print(text, file=stream)
        return
    from rich.text import Text

    _console(stderr=stderr).print(Text(text, style=style))


def document(value: Any) -> None:
    """One JSON document on standard output."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    # What is not printable stands in strings alone, where JSON has a way to write it. Line ends are the document's own.
    print("\n".join(line if line.isprintable() else _escaped(line) for line in text.split("\n")))  # noqa: T201


def _escaped(line: str) -> str:
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in line)
