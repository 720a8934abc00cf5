"""Text as a person may be shown it: what steers a terminal, hides or turns around what stands beside it is written out."""

from __future__ import annotations


def visible(text: str) -> str:
    """The text in one line with whatever would not be seen, or would change how the rest is seen, written out."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else {"\n": "\\n", "\t": "\\t"}.get(character, f"\\u{ord(character):04x}")
        for character in text
    )


def visible_lines(text: str) -> str:
    """As `visible`, for text of several lines."""
    return text if text.isprintable() else "\n".join(visible(line) for line in text.split("\n"))
