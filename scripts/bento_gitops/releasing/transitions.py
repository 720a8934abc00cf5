"""Every transition of a release: what it needs to find, and what it leaves behind. Each becomes one commit.

A commit raises a weight or changes pods, never both, so that no request meets a pod that is not there; the first bundle of an
application, and the strategy `direct`, are the exceptions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bento_gitops.model.base import moment, timestamp
from bento_gitops.model.problem import Place, Problem, Refused
from bento_gitops.model.release import (
    BrokenGlass,
    Held,
    Paused,
    Previous,
    Release,
    ReleasedTrack,
    Restoring,
    Retiring,
    Standby,
)
from bento_gitops.releasing.plan import DRAIN, Plan
from bento_gitops.releasing.states import (
    COLOURS,
    Current,
    drained,
    free_name,
    fully_ready,
    leftovers,
    removable,
    runs_already,
    state_of,
    swaps_back,
)


@dataclass(frozen=True, slots=True)
class Move:
    """A transition that can be made."""

    transition: str
    before: Release | None
    after: Release
    says: str
    """What it does, in a line."""
    bundle: str = ""
    """What it is about, where that is neither the candidate nor what gets the requests."""

    @property
    def changes(self) -> bool:
        return self.before != self.after

    def breaking(self, gates: list[str], by: str, reason: str) -> Move:
        """The same, with the gates that it goes against on record. What changes nothing has none to go against."""
        if not self.changes:
            return self
        glass = BrokenGlass(by=by, reason=reason, gates=gates)
        return Move(self.transition, self.before, _with(self.after, break_glass=glass), self.says, self.bundle)


def install(current: Current, bundle: str, now: datetime) -> Move:
    """The first bundle, with all requests."""
    if current.release is not None:
        raise _refused(current, "promote", "runs already", state_of(current.release), _command("promote", current, bundle))
    track = ReleasedTrack(bundle=bundle, weight=100, shifted=timestamp(now))
    release = Release(
        apiVersion="bento-gitops/v1", kind="Release", stable=COLOURS[0], tracks={COLOURS[0]: track}, since=timestamp(now)
    )
    return Move("install", None, release, f"{bundle} is the first bundle, on track {COLOURS[0]} with all requests")


def promote(current: Current, bundle: str, plan: Plan, now: datetime) -> Move:
    """A new candidate at weight 0, on a track name that is free. With strategy `direct`: at 100 at once."""
    release = _steady(current, "promote")
    problems = [*_held(current, "promote", release, bundle)]
    if release.tracks[release.stable].bundle == bundle:
        problems.append(_problem(current, "promote", "this bundle is the stable one already", bundle, "name another bundle"))
    if problems:
        raise Refused(problems)
    name = free_name(release)
    gone = removable(release, now)
    kept = {track: said for track, said in release.tracks.items() if track not in gone}
    standby = None if release.standby and release.standby.track in gone else release.standby
    if plan.strategy == "direct":
        track = ReleasedTrack(bundle=bundle, weight=100, shifted=timestamp(_after(release, now)))
        old = release.tracks[release.stable].bundle
        after = _next(release, now, stable=name, tracks={name: track}, standby=None, previous=Previous(bundle=old), paused=None)
        return Move("direct", release, after, f"{bundle} takes all requests at once on track {name}; {old} is gone")
    track = ReleasedTrack(bundle=bundle, weight=0, ready_for=0)
    after = _next(release, now, candidate=name, tracks={**kept, name: track}, standby=standby)
    return Move("promote", release, after, f"{bundle} is the candidate on track {name}, without live requests yet")


def prepare(
    current: Current, weight: int, floor: Mapping[str, int], now: datetime, *, kept: Mapping[str, int] | None = None
) -> Move:
    """Pods for a weight that comes next. `floor`: pods by component that the live tracks show to be needed for it.

    For a higher weight than before no component gets fewer pods than it was given for the lower one: it may need them by now.
    `kept`: pods by component that the stable track shows to be needed for all requests. It keeps them while the candidate takes
    its requests: `abort`, and `rollback` to the standby that it becomes, give them back all at once.
    """
    release, name, track = _candidate(current, "canary prepare")
    problems = [*_no_percent(current, "canary prepare", weight), *_not_paused(current, release, "canary prepare")]
    if release.rollback is not None and weight < 100:
        wrong = "this candidate is rollback's, which gets all requests at once"
        problems.append(_problem(current, "canary prepare", wrong, str(weight), _on_with_rollback(current)))
    if weight < track.weight:
        wrong = f"the candidate gets {track.weight} % already, and needs the pods for it"
        problems.append(_problem(current, "canary prepare", wrong, str(weight), f"prepare {track.weight} or more"))
    if problems:
        raise Refused(problems)
    known = track.floor if track.floor and weight >= (track.ready_for or 0) else {}
    prepared = _with(track, ready_for=weight, floor=_highest(known, floor))
    stable = release.tracks[release.stable]
    keeping = _with(stable, floor=_highest(stable.floor or {}, kept or {}))
    if (prepared, keeping) == (track, stable):
        return Move("prepare", release, release, f"{name} ({track.bundle}) is prepared for {weight} % already")
    after = _next(release, now, tracks={**release.tracks, release.stable: keeping, name: prepared})
    return Move("prepare", release, after, f"{name} ({track.bundle}) gets pods for {weight} % of the requests")


def shift(current: Current, weight: int, now: datetime) -> Move:
    """The candidate's weight, up or down; the stable track has the rest."""
    release, name, track = _candidate(current, "canary shift")
    problems = [*_no_percent(current, "canary shift", weight)]
    problems += _not_paused(current, release, "canary shift") if weight > track.weight else []
    if (track.ready_for or 0) < weight <= 100:
        problems.append(
            _problem(
                current,
                "canary shift",
                f"the candidate's pods are for {track.ready_for or 0} % only",
                str(weight),
                f"first {_command('canary prepare', current, str(weight))}, and shift when they are ready",
            )
        )
    if problems:
        raise Refused(problems)
    if weight == track.weight:
        return Move("shift", release, release, f"{name} ({track.bundle}) has {weight} % already")
    after = _next(release, now, tracks=_split(release, name, weight, now))
    return Move("shift", release, after, f"{name} ({track.bundle}) from {track.weight} % to {weight} % of the requests")


def finish(current: Current, plan: Plan, now: datetime) -> Move:
    """The candidate becomes stable; the old stable track stays as standby."""
    release, name, track = _candidate(current, "canary finish")
    old = release.stable
    problems = [*_not_paused(current, release, "canary finish")]
    if track.weight != 100:
        wrong = "the candidate does not have all requests yet"
        problems.append(_problem(current, "canary finish", wrong, f"{track.weight} %", f"go on with {_step(current, release)}"))
    elif shrinks(plan) and not drained(release, old, now):
        wrong = f"the pods of {old} would go ({plan.standby} standby) while its last requests may be on their way"
        end = moment(release.tracks[old].shifted or release.since) + DRAIN
        problems.append(_problem(current, "canary finish", wrong, "", f"wait until {timestamp(end)}"))
    if problems:
        raise Refused(problems)
    tracks = _without_standby(release, now)
    tracks[name] = _with(track, ready_for=None)
    standby = Standby(track=old, until=timestamp(now + plan.keep), capacity=plan.standby) if plan.keep else None
    held, back = release.held, release.rollback
    if back is not None and back.hold:
        held = _holding(release, release.tracks[old].bundle, back.by, back.reason, now)
    after = _next(
        release,
        now,
        stable=name,
        candidate=None,
        tracks=tracks,
        standby=standby,
        previous=Previous(bundle=release.tracks[old].bundle),
        held=held,
        paused=None,
        rollback=None,
    )
    stays = f"{old} ({release.tracks[old].bundle}) is kept until {standby.until}" if standby else f"{old} leaves"
    return Move("finish", release, after, f"{name} ({track.bundle}) is stable; {stays}")


def shrinks(plan: Plan) -> bool:
    """Whether `finish` takes pods from the old stable track."""
    return bool(plan.keep) and plan.standby != "full"


def abort(current: Current, plan: Plan, now: datetime, *, by: str, reason: str, hold: bool = True) -> Move:
    """All requests back to the stable track, at once; the candidate's bundle is held.

    Rollback's own candidate is not: that is the bundle which ran well before, and rollback must find its way to it again.
    """
    release, name, track = _candidate(current, "canary abort")
    tracks = _split(release, name, 0, now)
    # As many pods as it had: more, or fewer, would be a change of pods in a commit that raises a weight.
    tracks[name] = _with(tracks[name], ready_for=None if fully_ready(release) else track.ready_for or 0)
    standby = release.standby
    if standby is None and plan.keep:
        standby = Standby(track=name, until=timestamp(now + plan.keep), capacity="full")
    holds = hold and release.rollback is None
    held = _holding(release, track.bundle, by, reason, now) if holds else release.held
    after = _next(release, now, candidate=None, tracks=tracks, standby=standby, held=held, paused=None, rollback=None)
    back = f"all requests go to {release.stable} ({release.tracks[release.stable].bundle})"
    return Move("abort", release, after, f"{back}; {track.bundle} {'is held' if holds else 'is not held'}")


def rollback(
    current: Current, plan: Plan, floor: Mapping[str, int], now: datetime, *, by: str, reason: str, hold: bool = True
) -> Move:
    """Back to what ran before, as fast as the pods that there are allow.

    With a candidate: `abort`. Steady with a full standby of `previous`: one swap. Else two: `previous` is prepared for all
    requests, and called again it gets them. `floor` as for `prepare`. Whether the pods are ready then is the caller's to ask.
    """
    release = _there(current, "rollback")
    if release.candidate is not None and release.rollback is not None:
        asked = release.rollback
        if not fully_ready(release):
            return _make_ready(release, release.candidate, floor, asked, now)
        part = "2 of 2: "
        return _restore(release, release.candidate, plan, now, by=asked.by, reason=asked.reason, hold=asked.hold, part=part)
    if release.candidate is not None:
        return abort(current, plan, now, by=by, reason=reason, hold=hold)
    promoted = f"promote the bundle: {_command('promote', current, 'TAG')}"
    if release.previous is None:
        raise _refused(current, "rollback", "there is nothing to go back to: no `previous`", "", promoted)
    bundle = release.previous.bundle
    problems = [*_held(current, "rollback", release, bundle)]
    if release.tracks[release.stable].bundle == bundle:
        wrong = "there is nothing to go back to: `previous` names the bundle that is stable"
        problems.append(_problem(current, "rollback", wrong, bundle, promoted))
    if release.retiring:
        undo = _command("retire --undo", current)
        problems.append(_problem(current, "rollback", "the application is being retired", release.retiring.reason, undo))
    if problems:
        raise Refused(problems)
    standby = release.standby
    if swaps_back(release):
        assert standby is not None
        return _restore(release, standby.track, plan, now, by=by, reason=reason, hold=hold, part="")
    return _make_ready(release, runs_already(release, bundle), floor, Restoring(by=by, reason=reason, hold=hold), now)


def _make_ready(release: Release, name: str | None, floor: Mapping[str, int], asked: Restoring, now: datetime) -> Move:
    """The first part of a rollback: pods for all requests. `name`: the track that runs the bundle; None: it gets a new one."""
    if name is None:
        assert release.previous is not None
        name, old = free_name(release), ReleasedTrack(bundle=release.previous.bundle, weight=0)
    else:
        old = release.tracks[name]
    track = _with(old, ready_for=100, floor=_highest(old.floor or {}, floor))
    reused = release.standby is None or release.standby.track == name
    # What runs now will be the standby, in a commit that may not touch pods: whatever is in its place goes in this one.
    tracks = dict(release.tracks) if reused else _without_standby(release, now)
    after = _next(release, now, candidate=name, tracks={**tracks, name: track}, standby=None, rollback=asked)
    return Move("rollback", release, after, f"1 of 2: {track.bundle} gets pods for all requests on track {name}")


def _restore(release: Release, name: str, plan: Plan, now: datetime, *, by: str, reason: str, hold: bool, part: str) -> Move:
    """All requests to a track that is ready for them, which becomes stable; what ran is held and stays for a while."""
    old = release.stable
    bad = release.tracks[old].bundle
    tracks = _split(release, name, 100, now)
    tracks[name] = _with(tracks[name], ready_for=None)
    # A standby that people named meanwhile stays where it has other pods than it would without that part.
    other = release.standby is not None and release.standby.track != name and release.standby.capacity != "full"
    standby = release.standby if other else Standby(track=old, until=timestamp(now + plan.keep), capacity="full")
    after = _next(
        release,
        now,
        stable=name,
        candidate=None,
        tracks=tracks,
        standby=standby,
        previous=Previous(bundle=bad),
        held=_holding(release, bad, by, reason, now) if hold else release.held,
        paused=None,
        rollback=None,
    )
    says = f"{part}all requests go to {name} ({tracks[name].bundle}); {bad} {'is held' if hold else 'is not held'}"
    return Move("rollback", release, after, says)


def tidy(current: Current, now: datetime) -> Move:
    """Removes a standby past its end and other tracks that drained (`retire-standby`); the stable track's floor with them."""
    release = _there(current, "canary step")
    gone = removable(release, now)
    if not gone:
        return Move("retire-standby", release, release, "no track has to go")
    tracks = {name: track for name, track in release.tracks.items() if name not in gone}
    if release.candidate is None:
        tracks[release.stable] = _with(tracks[release.stable], floor=None)
    standby = None if release.standby and release.standby.track in gone else release.standby
    after = _next(release, now, tracks=tracks, standby=standby)
    names = ", ".join(f"{name} ({release.tracks[name].bundle})" for name in gone)
    return Move("retire-standby", release, after, f"{names} is removed: no request reaches it any more")


def pause(current: Current, now: datetime, *, by: str, reason: str) -> Move:
    """No weight rises until `resume`."""
    release, name, track = _candidate(current, "canary pause")
    after = _next(release, now, paused=Paused(by=by, reason=reason))
    return Move("pause", release, after, f"{name} ({track.bundle}) stays at {track.weight} % until resumed")


def resume(current: Current, now: datetime) -> Move:
    release = _there(current, "canary resume")
    if release.paused is None:
        return Move("resume", release, release, "is not paused")
    return Move("resume", release, _next(release, now, paused=None), "the rollout goes on")


def hold(current: Current, bundle: str, now: datetime, *, by: str, reason: str) -> Move:
    """The bundle may not become a candidate."""
    release = _there(current, "hold")
    if release.candidate and release.tracks[release.candidate].bundle == bundle:
        aborting = _command("canary abort", current)
        todo = f"end the rollback first: {aborting}" if release.rollback else f"{aborting} takes it back and holds it"
        raise _refused(current, "hold", "this bundle is the candidate", bundle, todo)
    after = _next(release, now, held=_holding(release, bundle, by, reason, now))
    return Move("hold", release, after, f"{bundle} is held: {reason}", bundle)


def unhold(current: Current, bundle: str, now: datetime) -> Move:
    release = _there(current, "unhold")
    held = {tag: said for tag, said in (release.held or {}).items() if tag != bundle}
    if held == (release.held or {}):
        return Move("unhold", release, release, f"{bundle} is not held", bundle)
    return Move("unhold", release, _next(release, now, held=held or None), f"{bundle} is no longer held", bundle)


def retire(current: Current, now: datetime, *, by: str, reason: str) -> Move:
    """Closes the routes: the first of two parts of taking an application away."""
    release = _steady(current, "retire")
    after = _next(release, now, retiring=Retiring(by=by, at=timestamp(now), reason=reason))
    return Move("retire", release, after, "1 of 2: its routes are closed; nothing else changes yet")


def unretire(current: Current, now: datetime) -> Move:
    release = _there(current, "retire")
    if release.retiring is None:
        return Move("unretire", release, release, "is not being retired")
    return Move("unretire", release, _next(release, now, retiring=None), "its routes are open again")


def _there(current: Current, verb: str) -> Release:
    if current.release is None:
        todo = _command("promote", current, "TAG")
        raise _refused(current, verb, "nothing runs here yet", "no release.yaml", f"begin with {todo}")
    return current.release


def _steady(current: Current, verb: str) -> Release:
    release = _there(current, verb)
    problems: list[Problem] = []
    if release.candidate is not None:
        track = release.tracks[release.candidate]
        found = f"{release.candidate} ({track.bundle}) at {track.weight} %"
        finish_or_abort = f"{_command('canary finish', current)}, or {_command('canary abort', current)}"
        todo = f"end it first: {finish_or_abort} (with --no-hold if it is not to blame: a hotfix comes before it)"
        wrong = "a candidate is on trial"
        if release.rollback is not None:
            wrong, todo = "a rollback is under way", _on_with_rollback(current)
        problems.append(_problem(current, verb, wrong, found, todo))
    if release.retiring is not None:
        undo = _command("retire --undo", current)
        problems.append(_problem(current, verb, "the application is being retired", release.retiring.reason, undo))
    if problems:
        raise Refused(problems)
    return release


def _candidate(current: Current, verb: str) -> tuple[Release, str, ReleasedTrack]:
    release = _there(current, verb)
    if release.candidate is None:
        todo = f"begin with {_command('promote', current, 'TAG')}"
        raise _refused(current, verb, "there is no candidate", state_of(release), todo)
    return release, release.candidate, release.tracks[release.candidate]


def _not_paused(current: Current, release: Release, verb: str) -> list[Problem]:
    if release.paused is None:
        return []
    found = f"by {release.paused.by}: {release.paused.reason}"
    return [_problem(current, verb, "the rollout is paused", found, _command("canary resume", current))]


def _held(current: Current, verb: str, release: Release, bundle: str) -> list[Problem]:
    held = (release.held or {}).get(bundle)
    if held is None:
        return []
    found = f"by {held.by} at {held.at}: {held.reason}"
    another = "take another bundle" if verb == "promote" else _command("promote", current, "TAG")
    todo = f"{another}, or, if the reason is gone, {_command('unhold', current, bundle)}"
    return [_problem(current, verb, f"bundle {bundle} is held here", found, todo)]


def _no_percent(current: Current, verb: str, weight: int) -> list[Problem]:
    if 0 <= weight <= 100:
        return []
    return [_problem(current, verb, "a weight is a whole percent of the requests", str(weight), "name 0 to 100")]


def _step(current: Current, release: Release) -> str:
    """The command that goes on with the candidate."""
    return _command("rollback" if release.rollback else "canary step", current)


def _on_with_rollback(current: Current) -> str:
    return f"go on with {_command('rollback', current)}, or give it up with {_command('canary abort', current)}"


def _highest(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int] | None:
    """Of two floors the higher one for each component; None for no floor at all."""
    floor = {name: max(one.get(name, 0), other.get(name, 0)) for name in (*one, *other)}
    return {name: pods for name, pods in floor.items() if pods > 0} or None


def _without_standby(release: Release, now: datetime) -> dict[str, ReleasedTrack]:
    """The tracks when the standby loses its part: it goes if it may, else it stays as small as it is until it drained."""
    standby = release.standby
    displaced = {standby.track} if standby else set[str]()
    gone = {name for name in (*displaced, *(name for name, _ in leftovers(release))) if drained(release, name, now)}
    if standby and standby.capacity == "cold":
        gone |= displaced  # it has no pods
    tracks = {name: track for name, track in release.tracks.items() if name not in gone}
    if standby and standby.capacity == "warm" and standby.track in tracks:
        tracks[standby.track] = _with(tracks[standby.track], ready_for=0, floor=None)
    return tracks


def _split(release: Release, candidate: str, weight: int, now: datetime) -> dict[str, ReleasedTrack]:
    """All tracks, with this weight for the candidate and the rest for stable."""
    wanted = {candidate: weight, release.stable: 100 - weight}
    shifted = timestamp(_after(release, now))  # as `since`: two shifts in one second are two
    return {
        name: track if wanted.get(name, 0) == track.weight else _with(track, weight=wanted.get(name, 0), shifted=shifted)
        for name, track in release.tracks.items()
    }


def _holding(release: Release, bundle: str, by: str, reason: str, now: datetime) -> dict[str, Held]:
    return {**(release.held or {}), bundle: Held(by=by, at=timestamp(now), reason=reason)}


def _next(release: Release, now: datetime, **changes: Any) -> Release:
    """The release after a transition. `since` always rises, so that of two that race only one fits onto what was there."""
    return _with(release, **{"break_glass": None, **changes, "since": timestamp(_after(release, now))})


def _after(release: Release, now: datetime) -> datetime:
    """Now, or a second after the last transition where a clock is behind."""
    return max(now, moment(release.since) + timedelta(seconds=1))


def _with(model: Any, **changes: Any) -> Any:
    return model.model_copy(update=changes)


def _problem(current: Current, verb: str, wrong: str, found: str, todo: str) -> Problem:
    return Problem(Place(current.file), verb, wrong, found, todo)


def _refused(current: Current, verb: str, wrong: str, found: str, todo: str) -> Refused:
    return Refused([_problem(current, verb, wrong, found, todo)])


def _command(verb: str, current: Current, *more: str) -> str:
    words, _, option = verb.partition(" --")
    return " ".join(["bento-gitops", words, current.target, *more, *([f"--{option}"] if option else [])])
