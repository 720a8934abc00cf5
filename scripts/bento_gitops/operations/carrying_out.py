"""From a decision to what people see of it: files, a commit, a push or a pull request with its body; or nothing, to try."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bento_gitops.model.problem import ToolFailed
from bento_gitops.operations.deciding import Decision, Request, Several
from bento_gitops.releasing.message import one_line
from bento_gitops.repository.changes import Proposal
from bento_gitops.repository.delivery import Commit, Delivered, Files, How, NotTaken, PullRequest, Push, Text, base_of, deliver
from bento_gitops.repository.files import Tree
from bento_gitops.tools.git import branch_name

Decide = Callable[[Tree], Decision]
To = Literal["files", "commit", "push", "pr"]


@dataclass(frozen=True, slots=True)
class Where:
    """Where a change goes: to files, a commit, a remote's branch, a pull request into that."""

    to: To = "files"
    branch: str | None = None
    """The remote's branch; without it the one that the checked-out branch follows."""
    remote: str | None = None
    else_pr: bool = False
    """Where the remote takes no push, a pull request instead."""


@dataclass(frozen=True, slots=True)
class Carried:
    """A decision, and what became of it."""

    decision: Decision
    delivered: Delivered
    body: str
    """The text of its pull request; empty where nobody asked for it."""


def carry_out(
    root: Path, request: Request, decide: Decide, where: Where, *, dry_run: bool = False, wants_body: bool = False
) -> Carried:
    """Decides and delivers. With `dry_run` the decision is made on the tree that it would be made on, and nothing is written.

    Raises what `decide` and `deliver` raise.
    """
    made: list[Decision] = []
    bodies: list[str] = []

    def propose(tree: Tree) -> Proposal | None:
        made.append(decide(tree))
        if wants_body or isinstance(how, PullRequest):
            # Now: once files are written, the working tree before the change is no more.
            bodies.append(body_of(made[-1], request))
        return made[-1].proposal

    def meant(to: To) -> How:
        wanted = replace(where, to=to)
        return how_of(wanted, lambda _tree, _proposal: branch_of(made[-1]), lambda _tree, _proposal: bodies[-1])

    how = meant(where.to)
    if dry_run:
        propose(base_of(root, how))
        return Carried(made[-1], Delivered(), bodies[-1] if bodies else "")
    try:
        delivered = deliver(root, propose, how)
    except NotTaken as refused:
        if not where.else_pr:
            raise
        how = meant("pr")
        delivered = _instead(root, propose, how, refused)
    return Carried(made[-1], delivered, bodies[-1] if bodies else "")


def _instead(root: Path, propose: Callable[[Tree], Proposal | None], how: How, refused: NotTaken) -> Delivered:
    """A pull request of what the remote did not take as a push. Raises ToolFailed with both refusals."""
    try:
        delivered = deliver(root, propose, how)
    except ToolFailed as error:
        raise ToolFailed(f"{refused}\nnor a pull request instead: {error}") from error
    return replace(delivered, notes=(f"the push was refused ({one_line(refused.said)})", *delivered.notes))


def tree_of(root: Path, where: Where) -> Tree:
    """The tree that a decision would be made on. Raises what `deliver` raises before it decides."""
    return base_of(root, how_of(where, "", ""))


def how_of(where: Where, branch: Text, body: Text) -> How:
    """The delivery that is meant; branch and body are those of a pull request, if it is one."""
    match where.to:
        case "files":
            return Files()
        case "commit":
            return Commit()
        case "push":
            return Push(where.branch, where.remote)
        case "pr":
            return PullRequest(
                branch=branch,
                title=lambda _tree, proposal: proposal.message.partition("\n")[0],
                body=body,
                base=where.branch,
                remote=where.remote,
            )


def branch_of(decision: Decision) -> str:
    """The branch of a decision's pull request: the same for the same change, so that a second run replaces the first."""
    release = decision.after
    track = release.candidate or release.stable if release else ""
    end = decision.branch or f"{decision.transition}-{release.tracks[track].bundle if release else 'application'}"
    if isinstance(decision.target, Several):
        # Git has no branch below another: prod/render would leave no place for those of an application `render`.
        return branch_name(f"bento-gitops/{decision.target.environment or 'all'}.{end}")
    return branch_name(f"bento-gitops/{decision.target}/{end}")


def body_of(decision: Decision, request: Request) -> str:
    """The text of the pull request that would make the decision."""
    from bento_gitops.operations.diff import compare
    from bento_gitops.reviewing.body import body

    if decision.trees is None:
        return decision.body
    before, after = decision.trees
    wanted = decision.target.environment if isinstance(decision.target, Several) else str(decision.target)
    review = compare(before, after, wanted, base="what is there now")
    title = f"{decision.target}: {decision.transition}. {decision.says[:1].upper()}{decision.says[1:]}."
    return body(
        review,
        title=title,
        gates=decision.gates,
        reason=one_line(request.reason),
        by=one_line(request.by),
        next_steps=decision.next,
    )
