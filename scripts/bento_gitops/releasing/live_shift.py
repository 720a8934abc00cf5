"""Which weights a live shift means, what stands against them, and which transition writes them down afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from bento_gitops.model.evidence import Observation
from bento_gitops.model.problem import Place, Problem, Refused, did_you_mean
from bento_gitops.model.release import Release
from bento_gitops.releasing import transitions
from bento_gitops.releasing.plan import Plan
from bento_gitops.releasing.states import Current, fully_ready, swaps_back, weights
from bento_gitops.releasing.transitions import Move

_VERB = "live shift"


@dataclass(frozen=True, slots=True)
class Meant:
    """What somebody asks for."""

    weights: Mapping[str, int]
    """By track, of those that get requests; they add up to 100."""
    stable: str
    """The track that is relied on, as the checkout says it."""


def meant(current: Current, weight: int, to: str | None) -> Meant:
    """The weight of the track that is named, else of the candidate, else of the standby; stable has the rest.

    Raises Refused for a track that the release does not know, and where there is none beside stable.
    """
    release = current.release
    assert release, "who looked at the cluster has a release"
    other = release.candidate or (release.standby.track if release.standby else None)
    if release.retiring is not None:
        wrong, todo = "the application is being retired: its routes are closed", f"bento-gitops retire {current.target} --undo"
        raise Refused([_problem(current, wrong, release.retiring.reason, todo)])
    if to is not None and to not in release.tracks:
        behind = "if somebody promoted it meanwhile, bring your checkout along first"
        todo = f"{did_you_mean(to, release.tracks)}; {behind}"
        raise Refused([_problem(current, "there is no such track", f"'{to}'", todo)])
    if to is None and other is None and weight == 0:
        return Meant({release.stable: 100}, release.stable)
    chosen = to or other
    rest = other if chosen == release.stable else release.stable
    if chosen is None or (rest is None and weight < 100):
        wrong = "stable is alone: there is no candidate and no standby to give requests to"
        raise Refused([_problem(current, wrong, f"{weight} %", "name a track that has pods with --to, or use 0")])
    shares = {chosen: weight, **({rest: 100 - weight} if rest else {})}
    return Meant({track: share for track, share in shares.items() if share}, release.stable)


def against(current: Current, asked: Meant, seen: Observation, needed: Mapping[str, Mapping[str, int]]) -> list[Problem]:
    """What would send requests where they are not answered: another bundle than the checkout says, too few ready pods.

    `needed`: by track the ready pods of each component. Whoever goes back to stable needs one of each: it has its whole
    capacity in every state, and a bad candidate is worse than few pods.
    """
    release = current.release
    assert release, "who looked at the cluster has a release"
    before = seen.weights or {}
    problems: list[Problem] = []
    todo = "wait for the pods, name another weight, or --break-glass REASON"
    for track, weight in asked.weights.items():
        running = seen.tracks.get(track)
        bundle = release.tracks[track].bundle
        if running is None:
            problems.append(_problem(current, f"{track} ({bundle}) runs nowhere in the cluster", "", todo))
        elif running.bundle != bundle:
            wrong = f"{track} runs another bundle than your checkout says, which is {bundle}"
            problems.append(_problem(current, wrong, running.bundle, "bring the checkout along, or --break-glass REASON"))
        elif weight > before.get(track, 0):
            ready = running.ready or {}
            least = dict.fromkeys(needed[track], 1) if track == asked.stable else needed[track]
            lacking = [f"{name} {ready.get(name, 0)} of {pods}" for name, pods in least.items() if ready.get(name, 0) < pods]
            if lacking:
                wrong = f"{track} ({bundle}) has too few ready pods for {weight} % of the requests"
                problems.append(_problem(current, wrong, ", ".join(lacking), todo))
    return problems


def few_pods(asked: Meant, seen: Observation, needed: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Notes about a stable track that gets more requests than it has pods for: autoscalers take their time."""
    running = seen.tracks.get(asked.stable)
    if asked.weights.get(asked.stable, 0) <= (seen.weights or {}).get(asked.stable, 0) or running is None:
        return []
    ready = running.ready or {}
    few = [f"{name} {ready.get(name, 0)} of {pods}" for name, pods in needed[asked.stable].items() if ready.get(name, 0) < pods]
    return [f"{asked.stable} has fewer ready pods than these requests take: {', '.join(few)}"] if few else []


def adopted(
    current: Current, plan: Plan, live: Mapping[str, int], now: datetime, *, by: str, reason: str, hold: bool = True
) -> Move:
    """The transition after which Git says what is live. Raises Refused with the reason where none leads there."""
    release = current.release
    assert release, "who looked at the cluster has a release"
    wanted = _positive(live)
    if wanted == _positive(weights(release)):
        return Move("adopt", release, release, f"Git says what is live: {_told(wanted)}")
    move = _leading_to(current, release, plan, wanted, now, by=by, reason=reason, hold=hold)
    if move is None or _positive(weights(move.after)) != wanted:
        wrong = "no transition of a release leads from what Git says to what is live"
        found = f"{_told(_positive(weights(release)))} in Git, {_told(wanted)} live"
        todo = f"shift to weights that have one, or give it up: bento-gitops live discard {current.target}"
        raise Refused([Problem(Place(current.file), "live adopt", wrong, found, todo)])
    return move


def _leading_to(
    current: Current, release: Release, plan: Plan, wanted: Mapping[str, int], now: datetime, *, by: str, reason: str, hold: bool
) -> Move | None:
    if release.candidate is None:
        standby = release.standby
        if standby is None or wanted != {standby.track: 100} or not swaps_back(release):
            return None
        return transitions.rollback(current, plan, {}, now, by=by, reason=reason, hold=hold)
    if not wanted.keys() <= {release.stable, release.candidate}:
        return None
    share = wanted.get(release.candidate, 0)
    if share == 0:
        # Not a shift to 0: a scheduled `canary step` would raise that again.
        return transitions.abort(current, plan, now, by=by, reason=reason, hold=hold)
    if release.rollback is not None and share == 100 and fully_ready(release):
        return transitions.rollback(current, plan, {}, now, by=by, reason=reason, hold=hold)
    return transitions.shift(current, share, now)


def _positive(of: Mapping[str, int]) -> dict[str, int]:
    return {track: weight for track, weight in of.items() if weight}


def _told(of: Mapping[str, int]) -> str:
    return ", ".join(f"{track} {weight} %" for track, weight in sorted(of.items())) or "no requests anywhere"


def _problem(current: Current, wrong: str, found: str, todo: str) -> Problem:
    return Problem(Place(current.file), _VERB, wrong, found, todo)
