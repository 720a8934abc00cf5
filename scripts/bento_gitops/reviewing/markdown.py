"""Markdown as GitHub reads it, from text of which no character may do anything but be read."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from bento_gitops.model.printable import visible

LONGEST = 160
"""Characters of one value."""
_PLAIN = re.compile(r"[^`|\\]+")
_COMMAND = re.compile(r"(?<!`)`((?:bento-gitops |x-bento-track: |canary )?[a-z][a-z0-9 ./_-]*)`(?!`)")
"""Commands and headers in sentences of the project: nothing in them is markup, whoever wrote them."""
_SPECIAL = str.maketrans({**{mark: f"\\{mark}" for mark in "\\`*[]~|<"}, "&": "&amp;"})
_AT_AN_END = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_CALLS = tuple((re.compile(rf"{mark}(?=\w)"), f"{mark}&#8203;") for mark in "#@")
"""With a space without width behind the mark, whoever is named is not called. What is written for `@` has a `#` itself."""


class _AsNumbers(dict[int, str]):
    """Every mark as its number, for `str.translate`: values of many marks come by the hundred thousand."""

    def __missing__(self, mark: int) -> str:
        character = chr(mark)
        plain = character == " " or (character.isascii() and character.isalnum())
        self[mark] = character if plain else f"&#{mark};"
        return self[mark]


_NUMBERS = _AsNumbers()


def code(text: str, longest: int = LONGEST) -> str:
    """A value in the type of code, in one line; it fits into a table."""
    shown = clipped(visible(text), longest)
    if not shown:
        return "*empty*"
    if _PLAIN.fullmatch(shown) and shown == shown.strip():
        return f"`{shown}`"
    # A code span cannot hold a backtick or a pipe everywhere; an element can, if every mark in it is written as a number.
    return f"<code>{shown.translate(_NUMBERS)}</code>"


def prose(text: str, longest: int = 2000) -> str:
    """Text that people typed, as one line of plain words: no markup, no mention, no link to an issue."""
    return _escaped(_line(text, longest))


def sentence(text: str, longest: int = 2000) -> str:
    """As `prose`, for the project's own sentences with what files say in them: commands in backticks stay commands."""
    parts = _COMMAND.split(_line(text, longest))
    return "".join(f"`{part}`" if index % 2 else _escaped(part) for index, part in enumerate(parts))


def fenced(lines: Sequence[str]) -> str:
    """Commands to copy, one in a line."""
    return "\n".join(("```sh", *(visible(line).replace("`", "'") for line in lines), "```"))


def _line(text: str, longest: int) -> str:
    return clipped(" ".join(visible(text.replace("\n", " ")).split()), longest)


def _escaped(line: str) -> str:
    shown = line.translate(_SPECIAL)
    if "_" in shown:
        shown = _AT_AN_END.sub(r"\\_", shown)
    for mark, apart in _CALLS:
        shown = mark.sub(apart, shown)
    return shown


def clipped(text: str, longest: int) -> str:
    """The beginning of a text that is too long, with how much is missing."""
    if len(text) <= longest:
        return text
    return f"{text[: longest - 20]}... ({len(text) - longest + 20} more characters)"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> str:
    """A table of cells that are Markdown already."""
    rule = ["---:" if heading in right else "---" for heading in headings]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (headings, rule, *rows))


def details(summary: str, inner: str) -> str:
    """What is folded away until somebody asks. The summary is plain text."""
    return f"<details><summary>{html.escape(visible(summary))}</summary>\n\n{inner}\n\n</details>"
