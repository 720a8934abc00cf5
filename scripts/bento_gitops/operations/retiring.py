"""`retire`: takes an application away, its routes first and its files when the last request is over."""

from __future__ import annotations

from pathlib import Path

from bento_gitops.model.base import duration, moment
from bento_gitops.model.gate import Gate
from bento_gitops.model.release import Release
from bento_gitops.operations.deciding import Decision, Planned, Request, decided, observed, opened
from bento_gitops.operations.situation import Situation
from bento_gitops.releasing import gates as gating
from bento_gitops.releasing import transitions
from bento_gitops.releasing.message import BREAK_GLASS, BY, REASON, TARGET, TRANSITION, message_of, one_line
from bento_gitops.releasing.plan import DRAIN
from bento_gitops.repository.changes import Proposal, change
from bento_gitops.repository.files import OverlayTree, Tree, contents


def retire(tree: Tree, root: Path, request: Request) -> Decision:
    """`retire`: closes the routes; called again when the last request is over, removes the application's files."""
    situation = opened(tree, request)
    release = situation.release
    if release is None or release.retiring is None:
        reason = request.reason or "retired"
        move = transitions.retire(situation.current, request.now, by=request.by, reason=reason)
        return decided(situation, root, request, Planned(move))
    gates = _quiet(situation, release, request)
    if gating.failing(gates) and not request.break_glass:
        raise gating.refusal(gates, situation.file)
    folder = situation.target.folder
    paths = sorted(path for depth in ("/*", "/*/*") for path in tree.glob(f"{folder}{depth}"))
    # The release last: while it is there, the folder still is an application, and the command can be called again.
    paths.sort(key=lambda path: path == situation.file)
    changes = tuple(change(tree, path, None) for path in paths)
    says = f"2 of 2: {folder} is removed; Argo CD leaves the objects until they are pruned"
    text = message_of(
        f"{situation.target}: retire",
        [f"{len(paths)} files of {folder} are removed.", f"Why: {one_line(release.retiring.reason)}"],
        {
            TRANSITION: "retired",
            TARGET: str(situation.target),
            BY: one_line(request.by),
            REASON: one_line(request.reason or release.retiring.reason),
            BREAK_GLASS: one_line(request.break_glass) if gating.failing(gates) else "",
        },
    )
    after = OverlayTree(tree, dict.fromkeys(paths))
    proposal = Proposal(changes, text, contents(tree, [situation.file]))
    return Decision("retired", situation.target, says, release, None, proposal, tuple(gates), trees=(tree, after))


def _quiet(situation: Situation, release: Release, request: Request) -> list[Gate]:
    """Whether an application whose routes are closed may go."""
    assert release.retiring is not None
    passed = request.now - moment(release.retiring.at)
    waits = f"routes closed for {duration(passed)} of {duration(DRAIN)}"
    drained = Gate("drained", "passed" if passed >= DRAIN else "failed", waits, "wait until the last requests are over")
    seen, why = observed(situation, request)
    rates = {name: track.requests_per_minute for name, track in seen.tracks.items()} if seen else {}
    known = {name: rate for name, rate in rates.items() if rate is not None}
    if not known:
        quiet = Gate("requests", "not looked", why or "nobody counted requests", "look at the application's dashboard")
    else:
        busy = ", ".join(f"{name} {rate:g} a minute" for name, rate in sorted(known.items()) if rate)
        outcome = "failed" if busy else "passed"
        quiet = Gate("requests", outcome, busy or "none arrive", "find who still asks it: they go round the routes")
    return [drained, quiet]
