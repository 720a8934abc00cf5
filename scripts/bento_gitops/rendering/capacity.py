"""How many pods each track has: stable in full, others ready for their weight, a standby as the release says."""

from __future__ import annotations

import math

from bento_gitops.layers.marked import MarkedMap, place_of
from bento_gitops.layers.merging import ABSENT, Leaf, ResolvedMap, Said, leaf_at
from bento_gitops.model.problem import Place, Problem
from bento_gitops.model.release import Release

MIN_REPLICAS = ("scaling", "min_replicas")


def with_capacity(
    component: ResolvedMap,
    name: str,
    track: str,
    release: Release,
    tree: MarkedMap,
    live_min: tuple[int, Place] | None,
    notes: list[str],
    problems: list[Problem],
) -> ResolvedMap:
    """The component with the `min_replicas` that its track's part in the release asks for.

    `tree` is release.yaml with its lines; `live_min` the environment's minimum of a candidate, in pods. A track without all its
    pods has max(live_min, its floor, ceil(ready_for percent of the configured minimum)); a warm standby one; all others what is
    configured, or their floor where that is more. A floor counts as far as max_replicas; what it loses goes into `notes`.
    """
    configured = leaf_at(component, MIN_REPLICAS)
    if configured is None or configured.value is ABSENT:
        return component
    if release.standby and track == release.standby.track and release.standby.capacity == "warm":
        return _with_minimum(
            component, 1, Said("environment", place_of(tree, "standby", "capacity"), 1, "warm standby: one pod", True)
        )
    state = release.tracks[track]
    minimum = int(str(configured.value))
    small = not has_all_pods(release, track)
    ready = (state.ready_for or 0) if small else 100
    share = math.ceil(ready * minimum / 100)
    word = "candidate" if track == release.candidate else "track"
    choices = [(share, configured.source)]
    if small:
        at = place_of(tree, "tracks", track, "ready_for")
        choices = [(share, Said("environment", at, share, f"{word}: ready for {ready} % of {minimum}", True))]
    most = leaf_at(component, ("scaling", "max_replicas"))
    bound = None if most is None or most.value is ABSENT else (int(str(most.value)), most.source.place)
    if state.floor and name in state.floor:
        floor, at = state.floor[name], place_of(tree, "tracks", track, "floor", name)
        # It was seen in the cluster under the maximum of that time: a lower one of today must not keep a release from its next
        # step, or an override from ending.
        if bound and floor > bound[0]:
            counted = f"{floor} pods were needed when it was counted; max_replicas is {bound[0]} now ({bound[1]})"
            notes.append(f"{at}: tracks.{track}.floor.{name}: {counted}, and counts")
            floor = bound[0]
        choices.append((floor, Said("environment", at, floor, f"{word}: floor", True)))
    if small and live_min is not None:
        least, place = live_min
        choices.append((least, Said("environment", place, least, f"{word}: at least live_min_replicas", True)))
    pods, said = max(choices, key=lambda choice: choice[0])
    pods = max(pods, 1)
    if bound and pods > bound[0]:
        problems.append(
            Problem(
                said.place,
                f"tracks.{track}",
                f"{name} needs {pods} pods ({said.note}), above max_replicas, which is {bound[0]} ({bound[1]})",
                str(pods),
                "raise max_replicas",
            )
        )
    return _with_minimum(component, pods, Said(said.layer, said.place, pods, said.note, True))


def has_all_pods(release: Release, track: str) -> bool:
    """Whether a track (no warm or cold standby) has its full capacity; otherwise it is ready for a part of the requests.

    Rollback's own candidate, once it is ready for everything, is as large as the stable track that it becomes: the commit that
    sends it all requests must not touch its pods.
    """
    state = release.tracks[track]
    if track == release.candidate:
        return release.rollback is not None and state.ready_for == 100
    return state.ready_for is None


def _with_minimum(component: ResolvedMap, pods: int, said: Said) -> ResolvedMap:
    scaling = component["scaling"]
    assert isinstance(scaling, dict)
    configured = scaling["min_replicas"]
    assert isinstance(configured, Leaf)
    if configured.value == pods:
        return component
    return {**component, "scaling": {**scaling, "min_replicas": Leaf(pods, (said, *configured.said))}}
