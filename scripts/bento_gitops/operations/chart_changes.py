"""chart release, pin and unpin as changes: decided, delivered to files, a commit or a pull request, and reviewed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bento_gitops.model.layout import CHART
from bento_gitops.operations.carrying_out import Where, how_of
from bento_gitops.operations.charts import Release, released, write_release
from bento_gitops.operations.diff import compare
from bento_gitops.operations.pins import Pin, PinRequest, pinned
from bento_gitops.releasing.message import one_line
from bento_gitops.repository.changes import Proposal
from bento_gitops.repository.delivery import Delivered, Files, base_of, deliver
from bento_gitops.repository.files import Tree
from bento_gitops.reviewing.body import body
from bento_gitops.reviewing.review import Review
from bento_gitops.tools.git import branch_name


@dataclass(frozen=True, slots=True)
class ReleaseDone:
    """A release, and what became of it."""

    release: Release
    delivered: Delivered


@dataclass(frozen=True, slots=True)
class PinDone:
    """A pin, what became of it, and what it does to the applications of the environment."""

    pin: Pin
    review: Review
    delivered: Delivered
    body: str
    """The text of its pull request; empty where nobody asked for it."""


def carry_out_release(root: Path, version: str, where: Where, *, by: str, reason: str = "", dry_run: bool = False) -> ReleaseDone:
    """Releases the chart as it is; with `dry_run` nothing is written. Raises what `released` and `deliver` raise."""
    made: list[Release] = []

    def decide(tree: Tree) -> Proposal:
        made.append(released(tree, version))
        return made[-1].proposal(tree, by=by, reason=reason)

    def text(_tree: Tree, proposal: Proposal) -> str:
        return f"{proposal.message.partition(chr(10))[2].strip()}\n\nNo environment runs it before it is pinned there.\n"

    how = how_of(where, branch_name(f"bento-gitops/chart-{version}"), text)
    if not dry_run and not isinstance(how, Files):
        delivered = deliver(root, decide, how)
        return ReleaseDone(made[-1], delivered)
    proposal = decide(base_of(root, how))
    if dry_run:
        return ReleaseDone(made[-1], Delivered())
    write_release(root, made[-1])
    return ReleaseDone(made[-1], Delivered(tuple(change.path for change in proposal.effective())))


def carry_out_pin(root: Path, request: PinRequest, where: Where, *, dry_run: bool = False, wants_body: bool = False) -> PinDone:
    """Pins a release, or takes a pin away; with `dry_run` nothing is written. Raises what `pinned` and `deliver` raise."""
    made: list[Pin] = []

    def decide(tree: Tree) -> Proposal | None:
        made.append(pinned(tree, request))
        return made[-1].proposal

    def text(_tree: Tree, _proposal: Proposal) -> str:
        return _body(made[-1], _review(made[-1]), request)

    how = how_of(where, branch_name(f"bento-gitops/{request.environment}/chart-{request.version or 'unpinned'}"), text)
    if dry_run:
        decide(base_of(root, how))
        delivered = Delivered()
    else:
        delivered = deliver(root, decide, how)
    review = _review(made[-1])
    return PinDone(made[-1], review, delivered, _body(made[-1], review, request) if wants_body else "")


def _review(pin: Pin) -> Review:
    before, after = pin.trees
    return compare(before, after, pin.environment, base=f"chart {pin.before or CHART}")


def _body(pin: Pin, review: Review, request: PinRequest) -> str:
    return body(
        review,
        title=f"{pin.says}.",
        gates=pin.gates,
        reason=one_line(request.reason),
        by=one_line(request.by),
        next_steps=pin.next,
    )
