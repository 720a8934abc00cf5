"""The release commands: for each the transition, the gates that it asks, and what it has to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bento_gitops.model.gate import Gate
from bento_gitops.model.problem import Place, Problem, Refused
from bento_gitops.operations.deciding import Planned, Request, observed
from bento_gitops.operations.earlier import other_than_then
from bento_gitops.operations.situation import Situation
from bento_gitops.releasing import gates as gating
from bento_gitops.releasing import transitions
from bento_gitops.releasing.states import swaps_back


def promote(situation: Situation, request: Request, bundle: str) -> Planned:
    """`promote`: the bundle becomes the candidate; the first one is installed; with strategy direct it takes all requests."""
    situation.bundle(bundle)
    if situation.release is None:
        move = transitions.install(situation.current, bundle, request.now)
    else:
        plan = situation.plan
        promotion = situation.promotion
        if plan.strategy == "direct" and not (promotion and promotion.direct):
            allowed = f"environments/{situation.target.environment}/environment.yaml"
            wrong = "rollout.strategy is direct, which this environment does not allow"
            todo = "use canary or blue-green, or say promotion.direct: true in environment.yaml"
            raise Refused([Problem(Place(allowed), "promotion.direct", wrong, "", todo)])
        move = transitions.promote(situation.current, bundle, plan, request.now)
    return Planned(move, gating.before_promotion, bundle)


def prepare(situation: Situation, request: Request, weight: int | None) -> Planned:
    """`canary prepare`: pods for the next weight, or for the one that is named."""
    release = situation.release
    if release is None or release.candidate is None:
        return Planned(transitions.prepare(situation.current, weight or 0, {}, request.now))
    track = release.tracks[release.candidate]
    wanted = situation.plan.after(track.weight) if weight is None else weight
    seen, why = observed(situation, request)
    floor = situation.floor(track.bundle, wanted, seen)
    kept = {} if release.rollback else situation.kept(seen)  # nobody goes back to what is being rolled back
    notes = () if seen else (f"{why}: pods are counted by what is configured, not by what is ready now",)
    return Planned(transitions.prepare(situation.current, wanted, floor, request.now, kept=kept), notes=notes)


def shift(situation: Situation, request: Request, weight: int | None) -> Planned:
    """`canary shift`: the candidate's weight, to the next step or to what is named."""
    release = situation.release
    if release is None or release.candidate is None:
        return Planned(transitions.shift(situation.current, weight or 0, request.now))
    track = release.tracks[release.candidate]
    wanted = situation.plan.after(track.weight) if weight is None else weight
    move = transitions.shift(situation.current, wanted, request.now)
    if wanted <= track.weight:
        up_again = "a scheduled `canary step` would raise it again; to keep it there: bento-gitops canary pause"
        return Planned(move, notes=(f"{up_again} {situation.target}",) if wanted < track.weight else ())
    return Planned(move, gating.before_raising, track.bundle, needed=situation.pods(release.candidate))


def finish(situation: Situation, request: Request) -> Planned:
    release = situation.release
    move = transitions.finish(situation.current, situation.plan, request.now)
    assert release and release.candidate, "else the transition refused"
    return Planned(move, gating.before_finish, release.tracks[release.candidate].bundle)


def abort(situation: Situation, request: Request, hold: bool) -> Planned:
    reason = request.reason or "aborted"
    move = transitions.abort(situation.current, situation.plan, request.now, by=request.by, reason=reason, hold=hold)
    return Planned(move, urgent=True)


def rollback(situation: Situation, request: Request, hold: bool, root: Path) -> Planned:
    """`rollback`: back to what ran before; in one commit where pods for it are there."""
    release = situation.release
    reason = request.reason or "rolled back"
    seen, _ = observed(situation, request)
    floor: dict[str, int] = {}
    if release and release.candidate is None and release.previous and not swaps_back(release):
        floor = situation.floor(release.previous.bundle, 100, seen)
    move = transitions.rollback(situation.current, situation.plan, floor, request.now, by=request.by, reason=reason, hold=hold)
    gates: Callable[[gating.Facts], list[Gate]] | None = None
    needed: dict[str, int] = {}
    if release and release.candidate is not None and release.rollback is not None and move.after.candidate is None:
        # Its pods were asked for a commit ago, maybe by somebody else and seconds ago.
        gates, needed = gating.ready_for_all, situation.pods(release.candidate)
    elif release and release.standby is not None and swaps_back(release):
        gates, needed = gating.ready_alone, situation.pods(release.standby.track)
    bundle = move.after.tracks[move.after.candidate or move.after.stable].bundle
    back = release is not None and release.candidate is None

    def remarks(values: str) -> list[str]:
        return other_than_then(situation.tree, root, situation.target, values, bundle) if back else []

    return Planned(move, gates, bundle, urgent=True, remarks=remarks, needed=needed)


def pause(situation: Situation, request: Request) -> Planned:
    return Planned(transitions.pause(situation.current, request.now, by=request.by, reason=request.reason or "paused"))


def resume(situation: Situation, request: Request) -> Planned:
    return Planned(transitions.resume(situation.current, request.now))


def hold(situation: Situation, request: Request, bundle: str) -> Planned:
    situation.bundle(bundle)
    return Planned(transitions.hold(situation.current, bundle, request.now, by=request.by, reason=request.reason))


def unhold(situation: Situation, request: Request, bundle: str) -> Planned:
    return Planned(transitions.unhold(situation.current, bundle, request.now))


def unretire(situation: Situation, request: Request) -> Planned:
    return Planned(transitions.unretire(situation.current, request.now))
