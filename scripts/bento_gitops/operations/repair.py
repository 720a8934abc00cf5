"""render --commit, --push and --pr: every generated file that is not what its sources say, written anew in one commit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bento_gitops.operations.clusters import cluster_files
from bento_gitops.operations.deciding import Decision, Request, Several
from bento_gitops.operations.render import difference, render
from bento_gitops.releasing.message import BY, REASON, TARGET, TRANSITION, message_of, one_line
from bento_gitops.repository.changes import Proposal, change
from bento_gitops.repository.files import Tree
from bento_gitops.repository.fleet import Fleet

RENDER = "render"
_MOST_NAMED = 5
"""Applications that the sentence names; the commit names all."""
_ROOM = 60_000
"""Bytes of the body; GitHub takes 65,536 characters."""


@dataclass(frozen=True, slots=True)
class Stale:
    """A generated file that is not what its sources say."""

    path: str
    text: str
    """What they say."""
    before: str


def repair(tree: Tree, request: Request) -> Decision:
    """What `render --check` calls stale, of ENV/APP, ENV or everything; what clusters get is part of everything alone.

    Raises InvalidInput with what is wrong with the sources.
    """
    rendered = render(tree, request.target or None, now=request.now)
    one = rendered[0].target if "/" in request.target else Several(request.target)
    generated = cluster_files(Fleet(tree)) if not request.target else []
    stale = [Stale(found.target.values, found.text, found.before) for found in rendered if found.changed]
    stale += [Stale(found.path, found.text, found.before) for found in generated if found.changed]
    notes = tuple(note for found in rendered for note in found.notes)
    if not stale:
        return Decision(
            RENDER,
            one,
            f"all {len(rendered) + len(generated)} generated files are what their sources say",
            None,
            None,
            None,
            notes=notes,
        )
    names = [str(found.target) for found in rendered if found.changed]
    words = [*(f"values.yaml of {name}" for name in names), *(found.path for found in generated if found.changed)]
    more = f" and {len(words) - _MOST_NAMED} more" if len(words) > _MOST_NAMED else ""
    says = f"written anew, as not what its sources say: {', '.join(words[:_MOST_NAMED])}{more}"
    subject = f"{names[0]}: render" if len(stale) == len(names) == 1 else f"{one}: render {len(stale)} files"
    text = message_of(
        subject,
        [
            "\n".join(["Not what their sources said:", *(f"  {found.path}" for found in stale)]),
            f"Why: {one_line(request.reason)}"
            if request.reason
            else "Nothing else changes: it follows from files that are there.",
        ],
        {TRANSITION: RENDER, TARGET: " ".join(names), BY: one_line(request.by), REASON: one_line(request.reason)},
    )
    changes = tuple(change(tree, found.path, found.text.encode()) for found in stale)
    # It rests on no decision of anybody's: on other files it is decided anew, and is right again. And there is nothing to review
    # in it but the lines themselves: both sides have the same sources.
    return Decision(RENDER, one, says, None, None, Proposal(changes, text, {}), notes=notes, body=_body(stale), branch=RENDER)


def _body(stale: Sequence[Stale]) -> str:
    """The text of the pull request: what Argo CD will see change, as far as there is room."""
    shown = ["Argo CD reads these files; they were not what their sources say. No source changes."]
    room = _ROOM - len(shown[0])
    for number, one in enumerate(stale):
        lines = difference(one.path, one.before, one.text)
        fence = "`" * (1 + max((len(run) for run in re.findall("`{3,}", "\n".join(lines))), default=2))
        part = "\n".join([f"{fence}diff", *lines, fence])
        room -= len(part.encode()) + 2
        if room < 0:
            shown.append(
                f"{len(stale) - number} more files: `bento-gitops render --check` on the branch before this one shows them."
            )
            break
        shown.append(part)
    return "\n\n".join(shown) + "\n"
