"""comment: the review of a change as the one comment of its pull request."""

from __future__ import annotations

from pathlib import Path

from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.reviewing.body import MARKER
from bento_gitops.tools import github


def comment(root: Path, number: int, text: bytes, name: str) -> tuple[str, bool]:
    """Writes what `diff --markdown` printed, in place of an earlier comment of the same kind; its address, and whether it is new.

    Raises InvalidInput for what is no such text, ToolFailed with gh's words.
    """
    body = text.decode("utf-8", errors="replace")
    problems: list[Problem] = []
    if not body.startswith(MARKER):
        todo = "give what `bento-gitops diff --markdown` prints"
        problems.append(Problem(Place(name, 1), "", "is no review of a change", body[:40].partition("\n")[0], todo))
    if len(body) > github.LONGEST_BODY:
        todo = "print it without --full"
        problems.append(Problem(Place(name), "", f"is longer than the {github.LONGEST_BODY} characters of a comment", "", todo))
    if problems:
        raise InvalidInput(problems)
    there = github.own_comment(root, number, MARKER)
    if there:
        return github.edit_comment(root, there, body), False
    return github.create_comment(root, number, body), True
