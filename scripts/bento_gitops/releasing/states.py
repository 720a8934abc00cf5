"""The state that a release is in, derived from what its file says and never stored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bento_gitops.model.base import moment
from bento_gitops.model.release import Release, ReleasedTrack
from bento_gitops.releasing.plan import DRAIN
from bento_gitops.rendering.capacity import has_all_pods

State = Literal["absent", "steady", "staged", "shifting", "full"]
COLOURS = ("blue", "green", "amber", "violet", "teal", "coral")
"""Names of tracks, in the order in which they are taken."""


@dataclass(frozen=True, slots=True)
class Current:
    """A release as it stands."""

    target: str
    """ENV/APP."""
    file: str
    """Its path."""
    release: Release | None
    """None: nothing runs yet."""


def state_of(release: Release | None) -> State:
    """absent; steady (no candidate); staged (candidate at 0), shifting (1 to 99), full (100, and stable not yet changed)."""
    if release is None:
        return "absent"
    if release.candidate is None:
        return "steady"
    weight = release.tracks[release.candidate].weight
    return "staged" if weight == 0 else "full" if weight == 100 else "shifting"


def free_name(release: Release) -> str:
    """A track name that no track has."""
    numbered = (f"track{number}" for number in range(1, len(release.tracks) + 2))
    return next(name for name in (*COLOURS, *numbered) if name not in release.tracks)


def weights(release: Release | None) -> dict[str, int]:
    """Percent of live requests by track."""
    return {name: track.weight for name, track in release.tracks.items()} if release else {}


def leftovers(release: Release) -> Iterator[tuple[str, ReleasedTrack]]:
    """Tracks that are neither stable nor candidate nor standby: on their way out."""
    named = {release.stable, release.candidate, release.standby.track if release.standby else None}
    return ((name, track) for name, track in release.tracks.items() if name not in named)


def drained(release: Release, track: str, now: datetime) -> bool:
    """Whether the last request to the track is long enough ago."""
    said = release.tracks[track]
    return said.weight == 0 and now >= moment(said.shifted or release.since) + DRAIN


def removable(release: Release, now: datetime) -> list[str]:
    """The tracks that nobody needs any more: a standby past its end, and leftovers; drained, all of them."""
    standby = release.standby
    past = [standby.track] if standby and now >= moment(standby.until) else []
    return [name for name in (*past, *(name for name, _ in leftovers(release))) if drained(release, name, now)]


def swaps_back(release: Release) -> bool:
    """Whether rollback is one commit: the standby runs what `previous` names, with all its pods."""
    standby, previous = release.standby, release.previous
    if release.candidate or standby is None or previous is None or standby.capacity != "full":
        return False
    return release.tracks[standby.track].bundle == previous.bundle and has_all_pods(release, standby.track)


def runs_already(release: Release, bundle: str) -> str | None:
    """A track other than stable that runs the bundle: the standby rather than one on its way out."""
    standby = [release.standby.track] if release.standby else []
    others = [*standby, *(name for name, _ in leftovers(release))]
    return next((name for name in others if release.tracks[name].bundle == bundle), None)


def restoring(release: Release) -> bool:
    """Whether the candidate is rollback's own: what ran before, made ready for all requests."""
    return release.candidate is not None and release.rollback is not None


def fully_ready(release: Release) -> bool:
    """Whether the candidate is rollback's own and has all the pods that it will have as stable."""
    return release.candidate is not None and has_all_pods(release, release.candidate)


def live_way_back(release: Release) -> int | None:
    """The weight with which `live shift` does what `rollback` would; None where that moves nothing, or the pods are not there."""
    if release.candidate is None:
        return 100 if swaps_back(release) else None
    if restoring(release):
        return 100 if fully_ready(release) else None
    return 0 if release.tracks[release.candidate].weight else None
