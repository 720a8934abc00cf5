"""What was seen of a bundle in an environment, at a moment and over time, and by whom."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bento_gitops.model.base import ApplicationName, Digest, DnsLabel, Model, ServiceName, Tag, Timestamp, Weight
from bento_gitops.model.release import TrackName

Count = Annotated[int, Field(ge=0)]


class ObservedTrack(Model):
    """What runs on a track."""

    bundle: Tag
    ready: dict[ServiceName, Count] | None = None
    """Ready pods by component, of the current revision. Absent: nobody looked."""
    requests_per_minute: Annotated[float, Field(ge=0)] | None = None


class Measured(Model):
    """What a track did in the window."""

    requests: Count
    errors: Count
    p95: Annotated[float, Field(ge=0)] | None = None
    """Seconds."""


class ObservedAnalysis(Model):
    """Measurements of the tracks with requests in one window, and of the business queries."""

    window: str
    tracks: dict[TrackName, Measured]
    queries: dict[DnsLabel, float | None] = Field(default_factory=dict[str, "float | None"])
    """None: the query gave no number."""


class Verification(Model):
    """What checks of a track's answers found."""

    track: TrackName
    passed: bool
    checks: Count
    failed: list[str] = Field(default_factory=list[str])


class Observation(Model):
    """What somebody saw of an application in an environment at one moment: cluster, metrics, answers."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Observation"]
    at: Timestamp
    cluster: str
    run: Annotated[str, Field(min_length=1)]
    """Who looked: the address of a CI run, or a name."""
    weights: dict[TrackName, Weight] | None = None
    """As the live route has them. Absent: nobody looked."""
    tracks: dict[TrackName, ObservedTrack] = Field(default_factory=dict[str, ObservedTrack])
    analysis: ObservedAnalysis | None = None
    verification: Verification | None = None


class Bound(Model):
    """What evidence is bound to: for anything else it is none."""

    fingerprint: Digest
    """Of the bundle and the values that it ran with."""
    chart: str
    """The chart's version."""
    cluster: str
    run: str
    """Of the last look."""


class Seen(Bound):
    """The bundle was live with a weight, from the first to the last time that somebody looked."""

    weight: Weight
    shifted: Timestamp
    """When the weight was set in Git: another rollout at the same weight is another sighting."""
    first: Timestamp
    last: Timestamp


class Verified(Bound):
    """Its answers were checked."""

    at: Timestamp
    passed: bool
    checks: Count
    failed: list[str] = Field(default_factory=list[str])


class Evidence(Model):
    """`environments/<env>/<application>/evidence/<tag>.yaml`: written by commands, read by gates."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Evidence"]
    application: ApplicationName
    bundle: Tag
    seen: list[Seen] = Field(default_factory=list[Seen])
    verified: list[Verified] = Field(default_factory=list[Verified])
