"""Text from files is read as text: no table, markup, mention, link or comment comes of it."""

from __future__ import annotations

import html
import re

import pytest
from bento_gitops.model.printable import visible
from bento_gitops.reviewing.markdown import clipped, code, details, fenced, prose, sentence, table
from hypothesis import given
from hypothesis import strategies as st

HARMFUL = [
    "a | b",
    "a \\| b",
    "`code`",
    "``",
    "two\nlines\r\nand a third",
    "<script>alert(1)</script>",
    "<!-- bento-gitops:diff -->",
    "</details>",
    "@everyone look",
    "fixes #12 and org/repo#3",
    "[link](https://example.com) ![image](x)",
    "**bold** _word_ ~~gone~~",
    "```\nfence",
    "\u202egnitirw\u202c and \x1b[31mred",
    "a\u200bb",
    "  spaces  ",
    "",
]
NUMBERED = re.compile(r"&#(\d+);")


def read_back(cell: str) -> str:
    """What a reader sees of a value in the type of code."""
    if cell.startswith("<code>"):
        return html.unescape(cell.removeprefix("<code>").removesuffix("</code>"))
    return cell.strip("`") if cell != "*empty*" else ""


def cells(line: str) -> list[str]:
    """As GitHub splits a row: a pipe ends a cell unless a backslash, itself not escaped, stands before it."""
    return [part.strip() for part in re.findall(r"(?:\\.|[^|\\])*", line.strip().strip("|")) if part.strip()]


@pytest.mark.parametrize("text", HARMFUL)
def test_a_value_in_a_table_stays_one_cell_in_one_line(text: str) -> None:
    rendered = table(["a", "b", "c"], [["x", code(text), "y"], ["x", prose(text) or "-", "y"]])
    rows = rendered.splitlines()
    assert len(rows) == 4
    for row in rows[2:]:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", row)) == 4, row


@given(st.text(max_size=60) | st.sampled_from(HARMFUL))
def test_a_value_in_the_type_of_code_reads_as_it_is(text: str) -> None:
    assert read_back(code(text)) == visible(text)
    assert "\n" not in code(text)


@given(st.text(max_size=60) | st.sampled_from(HARMFUL))
def test_typed_text_has_no_markup(text: str) -> None:
    shown = prose(text)
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*<\[\]|~]", shown)
    assert not re.search(r"(?<!&)[@#]\w", shown)
    assert not re.search(r"&(?!amp;|#8203;)", shown)
    assert all(character.isprintable() for character in shown)


@given(st.text(max_size=60) | st.sampled_from(HARMFUL))
def test_in_a_sentence_nothing_but_a_command_in_backticks_is_markup(text: str) -> None:
    shown = sentence(f"{text} run `bento-gitops render prod/app` {text}")
    assert shown.count("`bento-gitops render prod/app`") == 1
    rest = re.sub(r"(?<![`\\])`[a-z][A-Za-z0-9:./_ -]*`(?!`)", "", shown)
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*<\[\]|~]", rest)
    assert not re.search(r"(?<!&)[@#]\w", shown)


@given(st.lists(st.text(max_size=60) | st.sampled_from(HARMFUL), min_size=1, max_size=3))
def test_commands_to_copy_stay_one_line_each_and_within_their_block(commands: list[str]) -> None:
    lines = fenced(commands).splitlines()
    assert lines[0] == "```sh"
    assert lines[-1] == "```"
    assert len(lines) == len(commands) + 2
    assert not [line for line in lines[1:-1] if "`" in line]


def test_whoever_is_named_is_not_called() -> None:
    assert prose("thanks @someone, fixes #12") == "thanks @&#8203;someone, fixes #&#8203;12"


def test_a_summary_is_plain_text() -> None:
    assert details("<b>&", "inner") == "<details><summary>&lt;b&gt;&amp;</summary>\n\ninner\n\n</details>"


@given(st.text(max_size=300), st.integers(30, 100))
def test_what_is_cut_says_how_much_is_missing(text: str, longest: int) -> None:
    shown = clipped(text, longest)
    if len(text) <= longest:
        assert shown == text
    else:
        kept = longest - 20
        assert shown == f"{text[:kept]}... ({len(text) - kept} more characters)"
        assert len(shown) <= longest + 16
