"""`audit` and `comment`: what workflows ask and tell, as it can be done by hand too."""

from __future__ import annotations

import sys
from datetime import UTC
from pathlib import Path
from typing import Annotated

import typer

from bento_gitops.cli import console, context


def audit(
    base: Annotated[str, typer.Argument(metavar="REF", help="Where the branch was: of a push, what it was before.")],
    head: Annotated[str, typer.Option(metavar="REF", help="Where it is now.")] = "HEAD",
    branch: Annotated[str, typer.Option(help="Its name, which pull requests are merged into.")] = "main",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Says how each commit came to the branch, and ends with 4 for one that no pull request and no command brought (gh), or where
    what came together raises a weight and changes pods."""
    from bento_gitops.model.problem import Refused
    from bento_gitops.operations.audit import audit as operation

    found = operation(context.root, base, head, branch)
    if as_json:
        commits = [
            {
                "commit": one.commit.sha,
                "author": f"{one.commit.author} <{one.commit.email}>",
                "at": one.commit.date.astimezone(UTC).isoformat(),
                "subject": one.commit.subject,
                "by": one.by or None,
                "problems": [str(problem) for problem in one.problems],
            }
            for one in found.commits
        ]
        console.document({"commits": commits, "together": [str(one) for one in found.together], "notes": list(found.notes)})
    elif found.commits:
        rows = [[one.commit.sha[:12], one.by or "NOBODY KNOWS", one.commit.author, one.commit.subject] for one in found.commits]
        console.table(["COMMIT", "BY", "WHO", "WHAT"], rows)
    else:
        console.line(f"nothing new on {branch}")
    for note in found.notes:
        console.note(f"note: {note}")
    if found.problems:
        raise Refused(found.problems)


def comment(
    number: Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="A pull request's.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `diff --markdown` printed; - reads standard input.")],
) -> None:
    """Writes a review as the one comment of a pull request, in place of the one before (gh)."""
    from bento_gitops.model.problem import InvalidInput, Place, Problem
    from bento_gitops.operations.comment import comment as operation

    name = "standard input" if str(file) == "-" else str(file)
    try:
        text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InvalidInput([Problem(Place(name), "", f"cannot be read: {error.strerror}", "", "name a file")]) from None
    url, new = operation(context.root, number, text, name)
    console.line(f"{'new comment' if new else 'comment'}: {url}")
