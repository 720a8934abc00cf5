"""Whether a change that arrives at once sends requests to pods that it brings along: what holds of one transition, of many.

Argo CD sees the end of a merge or of a push, whatever the commits in it were. Transitions that keep pods and weights apart one by
one do not when they arrive together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bento_gitops.model.problem import Place, Problem
from bento_gitops.model.release import BrokenGlass, Release

GATE = "arrival"
"""As `break_glass` in release.yaml names it."""


@dataclass(frozen=True, slots=True)
class Arriving:
    """A track as the values have it that reach the cluster."""

    bundle: str
    weight: int
    pods: Mapping[str, int]
    """At least, by component; 0 for a cold standby."""


@dataclass(frozen=True, slots=True)
class Served:
    """The tracks of an application on one side of a change."""

    stable: str
    tracks: Mapping[str, Arriving]


def clashes(target: str, before: Served, after: Served, places: Mapping[str, Place], *, direct: bool) -> list[Problem]:
    """A problem for each track that gets more requests in a change of pods; none where nothing ran before.

    `places` are the lines of the weights after. With `direct` a new track may take all requests at once: the environment allows
    that, and the application asks for it.
    """
    raised = [name for name in after.tracks if _rise(name, before, after)]
    changed = dict(_changed_pods(before, after))
    new = [name for name in raised if not _ran(name, before, after)]
    if not raised or not changed or (direct and raised == new and all(after.tracks[name].weight == 100 for name in new)):
        return []
    found = "; ".join(changed.values())
    wrong = (
        "of the requests in the same change that changes pods: the cluster sees only the end of it, and they are not ready then"
    )
    return [
        Problem(
            places[name],
            f"tracks.{name}.weight",
            f"gets {after.tracks[name].weight} % instead of {_weight(name, before, after)} % {wrong}",
            found,
            _apart(target, name, before, after),
        )
        for name in raised
    ]


def let_go(target: str, before: Release, after: Release, places: Mapping[str, Place]) -> list[Problem]:
    """A problem for each track whose bundle was held, and is on trial or stable by the very change that lets go of it.

    To hold is somebody's word that it must not come back; who takes that back says so in a change that does nothing else.
    `places` are the lines of the tracks' bundles after.
    """
    held = before.held or {}
    serving = [name for name in (after.stable, after.candidate) if name is not None]
    served = {release.bundle for name, release in before.tracks.items() if name in (before.stable, before.candidate)}
    return [
        Problem(
            places[name],
            f"tracks.{name}.bundle",
            f"was held until this very change by {held[bundle].by}: {held[bundle].reason}",
            f"'{bundle}'",
            f"make two pull requests: `bento-gitops unhold {target} {bundle}` is one of its own, and comes first",
        )
        for name in serving
        if (bundle := after.tracks[name].bundle) in held and bundle not in (after.held or {}) and bundle not in served
    ]


def passed_over(before: BrokenGlass | None, after: BrokenGlass | None) -> BrokenGlass | None:
    """The glass that this very change breaks to arrive all the same; what the base has on record is of an earlier one."""
    return after if after is not None and after != before and GATE in after.gates else None


def _ran(name: str, before: Served, after: Served) -> bool:
    """Whether the track was there with the same bundle: another bundle under the same name has pods of its own."""
    return name in before.tracks and before.tracks[name].bundle == after.tracks[name].bundle


def _weight(name: str, before: Served, after: Served) -> int:
    return before.tracks[name].weight if _ran(name, before, after) else 0


def _rise(name: str, before: Served, after: Served) -> bool:
    return after.tracks[name].weight > _weight(name, before, after)


def _changed_pods(before: Served, after: Served) -> Iterator[tuple[str, str]]:
    """Each track whose pods are not what they were, and how; a track without pods neither comes nor goes."""
    for name in [*after.tracks, *(name for name in before.tracks if name not in after.tracks)]:
        old, new = before.tracks.get(name), after.tracks.get(name)
        had, has = (_pods(track) for track in (old, new))
        if old and new and old.bundle != new.bundle and (had or has):
            yield name, f"{name} ran {old.bundle} and is {new.bundle}"
        elif had != has and not had:
            yield name, f"{name} is new" if old is None else f"{name} had no pods"
        elif had != has and not has:
            yield name, f"{name} is gone" if new is None else f"{name} loses its pods"
        elif had != has:
            counts = [
                f"{component} {had.get(component, 0)} -> {has.get(component, 0)}"
                for component in sorted(had.keys() | has.keys())
                if had.get(component) != has.get(component)
            ]
            yield name, f"pods of {name}: {', '.join(counts)}"


def _pods(track: Arriving | None) -> dict[str, int]:
    return {component: pods for component, pods in track.pods.items() if pods} if track else {}


def _apart(target: str, name: str, before: Served, after: Served) -> str:
    """The commands that make two changes of it."""
    track = after.tracks[name]
    if _ran(name, before, after) and name == after.stable:
        going_back = f"`bento-gitops canary abort {target}` or `bento-gitops rollback {target}`"
        return f"make two pull requests: one of the weights alone ({going_back}), one of what changes pods"
    pods = f"`bento-gitops canary prepare {target} {track.weight}`"
    if not _ran(name, before, after):
        pods = f"`bento-gitops promote {target} {track.bundle}` and {pods}"
    shift = f"`bento-gitops canary shift {target} {track.weight}`"
    return f"make two pull requests, pods first: {pods}; when they are merged and the pods are ready, {shift}"
