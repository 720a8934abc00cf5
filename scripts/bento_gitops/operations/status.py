"""status: what runs where as Git says it, what waits for somebody, and what to run next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from bento_gitops.model.base import duration, moment
from bento_gitops.model.release import Release
from bento_gitops.operations.deciding import next_commands
from bento_gitops.operations.render import render_one
from bento_gitops.operations.situation import Situation
from bento_gitops.releasing.clocks import of_the_future
from bento_gitops.releasing.states import State, removable, state_of, swaps_back
from bento_gitops.repository.files import Tree
from bento_gitops.repository.fleet import Fleet, Target


@dataclass(frozen=True, slots=True)
class Standing:
    """One application in one environment."""

    target: Target
    state: State
    release: Release
    attention: tuple[str, ...]
    """What somebody should know or do, the most urgent first."""
    rollback: str
    """What `rollback` would do."""
    next: tuple[str, ...]
    stale: bool
    """values.yaml is not what its sources say."""


def status(tree: Tree, wanted: str | None, now: datetime) -> list[Standing]:
    """Every target's standing, in order. Raises InvalidInput."""
    fleet = Fleet(tree)
    return [_standing(fleet, target, now) for target in fleet.chosen(wanted)]


def _standing(fleet: Fleet, target: Target, now: datetime) -> Standing:
    situation = Situation(fleet, target, now)
    fleet.sources(target)  # with every problem of its files, where there is one
    release = situation.release
    assert release, "a target has a release, or its sources are an error"
    stale = render_one(fleet, target)[0].changed
    return Standing(
        target,
        state_of(release),
        release,
        tuple(_attention(situation, release, now, stale=stale)),
        _rollback(release),
        next_commands(situation.current, situation.plan),
        stale,
    )


def _attention(situation: Situation, release: Release, now: datetime, *, stale: bool) -> list[str]:
    found: list[str] = []
    if stale:
        found.append("values.yaml is stale: run `bento-gitops render`, and commit it")
    if ahead := of_the_future(release, now):
        found.append(ahead)
    if release.rollback:
        found.append(f"a rollback waits for its second part ({release.rollback.by}: {release.rollback.reason})")
    if release.break_glass:
        glass = release.break_glass
        found.append(f"gates were passed over ({', '.join(glass.gates)}) by {glass.by}: {glass.reason}")
    if release.paused:
        found.append(f"paused by {release.paused.by}: {release.paused.reason}")
    if release.retiring:
        found.append(f"is being retired by {release.retiring.by}: {release.retiring.reason}")
    for tag, held in sorted((release.held or {}).items()):
        found.append(f"{tag} is held by {held.by}: {held.reason}")
    if release.standby:
        left = moment(release.standby.until) - now
        when = f"for {duration(left)} more" if left.total_seconds() > 0 else "and is past its end"
        found.append(f"standby {release.standby.track}, {release.standby.capacity}, {when}")
    others = [track for track in removable(release, now) if not release.standby or track != release.standby.track]
    if others:
        found.append(f"{', '.join(others)} can be removed: bento-gitops canary step {situation.target}")
    return found + situation.ended()


def _rollback(release: Release) -> str:
    if release.rollback is not None and release.candidate is not None:
        return f"second part: all requests to {release.tracks[release.candidate].bundle}"
    if release.candidate is not None:
        return f"at once, to {release.tracks[release.stable].bundle}"
    if release.previous is None:
        return "nothing to go back to"
    if release.previous.bundle in (release.held or {}):
        return f"none: {release.previous.bundle} is held"
    return f"{'at once' if swaps_back(release) else 'in two parts'}, to {release.previous.bundle}"
