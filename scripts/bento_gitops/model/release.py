"""Which bundle runs on which track with which weight: `environments/<env>/<application>/release.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bento_gitops.model.base import Model, ServiceName, Tag, Timestamp, Weight

TrackName = Annotated[str, Field(pattern=r"^[a-z]([a-z0-9]*)$", max_length=20)]
Capacity = Literal["full", "warm", "cold"]


class ReleasedTrack(Model):
    """One track."""

    bundle: Tag
    weight: Weight
    ready_for: Weight | None = None
    """Percent of live requests that the candidate's pods are enough for."""
    floor: dict[ServiceName, Annotated[int, Field(ge=1)]] | None = None
    """Pods per component that `prepare` found necessary; what is ready of the live tracks then."""
    shifted: Timestamp | None = None
    """When the weight was last changed: what was seen before does not count for it."""


class Paused(Model):
    """Who paused the rollout and why."""

    by: str
    reason: str


class Standby(Model):
    """The former stable track, kept for a fast rollback."""

    track: TrackName
    until: Timestamp
    capacity: Capacity
    """`full`: as many pods as it had. `warm`: one. `cold`: none."""


class Previous(Model):
    """What rollback goes back to."""

    bundle: Tag


class Held(Model):
    """Why a bundle must not be promoted."""

    by: str
    at: Timestamp
    reason: str


class BrokenGlass(Model):
    """The transition went ahead although gates failed."""

    by: str
    reason: str
    gates: list[str]
    """The gates that failed."""


class Restoring(Model):
    """A rollback whose pods are not ready yet: the candidate is what ran before."""

    by: str
    reason: str
    hold: bool
    """Whether the bundle that is left will be held."""


class Retiring(Model):
    """The application is being taken away: its routes are closed."""

    by: str
    at: Timestamp
    reason: str


class Release(Model):
    """A release file; what must hold between its parts is in `layers.rules`.

    Its state (steady, staged, shifting, full) is derived, never stored.
    """

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Release"]
    stable: TrackName
    candidate: TrackName | None = None
    tracks: dict[TrackName, ReleasedTrack]
    since: Timestamp
    paused: Paused | None = None
    standby: Standby | None = None
    previous: Previous | None = None
    held: dict[Tag, Held] | None = None
    rollback: Restoring | None = None
    """The candidate is rollback's own; absent: it is on trial."""
    retiring: Retiring | None = None
    break_glass: BrokenGlass | None = None
    """Of the last transition alone; Git's history has the others."""
