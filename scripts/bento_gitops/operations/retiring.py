"""`retire`: takes an application away, its routes first and its files when the last request is over."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bento_gitops.model.base import duration, moment
from bento_gitops.model.evidence import Observation
from bento_gitops.model.files import Environment
from bento_gitops.model.gate import Gate
from bento_gitops.model.layout import environment_file
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused
from bento_gitops.model.release import Release
from bento_gitops.operations.deciding import Decision, Planned, Request, decided, observed, opened
from bento_gitops.operations.render import render_one
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
    folder = situation.target.folder
    paths = sorted(path for depth in ("/*", "/*/*") for path in tree.glob(f"{folder}{depth}"))
    if release is None or release.retiring is None:
        if release is not None:
            _require_no_heirs(situation, paths)  # before an outage that would have been for nothing
        reason = request.reason or "retired"
        move = transitions.retire(situation.current, request.now, by=request.by, reason=reason)
        return decided(situation, root, request, Planned(move))
    _require_no_heirs(situation, paths)
    gates = _quiet(situation, release, request)
    if gating.failing(gates) and not request.break_glass:
        raise gating.refusal(gates, situation.file)
    # The release last: while it is there, the folder still is an application, and the command can be called again.
    paths.sort(key=lambda path: path == situation.file)
    changes = tuple(change(tree, path, None) for path in paths)
    says = f"2 of 2: {folder} is removed; its objects stay until somebody deletes its Application (docs/argocd.md)"
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


def _require_no_heirs(situation: Situation, paths: Sequence[str]) -> None:
    """Raises Refused with every application that would run with other values without these files: those of environments that
    extend this one."""
    fleet, own = situation.fleet, situation.target
    without = fleet.over(dict.fromkeys(paths))
    problems: list[Problem] = []
    for target in fleet.targets():
        there = fleet.file(environment_file(target.environment), Environment, needed=False)
        if target.application != own.application or there is None or there.value.extends != own.environment:
            continue
        now = render_one(fleet, target)[0].text
        try:
            same = render_one(without, target)[0].text == now
        except InvalidInput:
            same = False
        if not same:
            todo = f"say them in environments/{target}/config.yaml first, and render"
            place = Place(f"{own.folder}/config.yaml")
            problems.append(Problem(place, "retire", f"{target} takes settings from it", f"extends: {own.environment}", todo))
    if problems:
        raise Refused(problems)


def _quiet(situation: Situation, release: Release, request: Request) -> list[Gate]:
    """Whether an application whose routes are closed may go."""
    assert release.retiring is not None
    closed = moment(release.retiring.at)
    passed = request.now - closed
    waits = f"routes closed for {duration(passed)} of {duration(DRAIN)}"
    drained = Gate("drained", "passed" if passed >= DRAIN else "failed", waits, "wait until the last requests are over")
    seen, why = observed(situation, request)
    if seen is not None and moment(seen.at) < closed:
        seen, why = None, "the observation is from before the routes were closed"
    return [drained, _seen_closed(seen, why), _nobody_asks(seen, why, release)]


def _seen_closed(seen: Observation | None, why: str) -> Gate:
    """No track has a part of the live requests."""
    if seen is None or seen.weights is None:
        return Gate("closed", "not looked", why or "nobody looked at the live route", "look at it in the cluster")
    live = ", ".join(f"{name} has {weight} % live" for name, weight in sorted(seen.weights.items()) if weight)
    return Gate("closed", "failed" if live else "passed", live or "no track is live", "wait until Git's state is live")


def _nobody_asks(seen: Observation | None, why: str, release: Release) -> Gate:
    """No track gets requests; a track that nobody counted may get them all."""
    tracks = seen.tracks if seen else {}
    rates = {name: track.requests_per_minute for name, track in tracks.items()}
    busy = ", ".join(f"{name} {rate:g} a minute" for name, rate in sorted(rates.items()) if rate)
    if busy:
        return Gate("requests", "failed", busy, "find who still asks it: they go round the routes")
    uncounted = sorted(name for name in release.tracks if rates.get(name) is None)
    if uncounted:
        evidence = why or f"nobody counted those to {' and '.join(uncounted)}"
        return Gate("requests", "not looked", evidence, "look at the application's dashboard")
    return Gate("requests", "passed", "none arrive")
