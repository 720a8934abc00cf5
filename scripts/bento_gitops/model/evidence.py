"""What was seen of a bundle in an environment, at a moment and over time, and by whom."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from bento_gitops.model.base import (
    ApplicationName,
    Digest,
    DnsLabel,
    Duration,
    Model,
    ServiceName,
    Tag,
    Timestamp,
    Weight,
    moment,
)
from bento_gitops.model.release import TrackName

Count = Annotated[int, Field(ge=0)]


class ObservedTrack(Model):
    """What runs on a track."""

    bundle: Tag
    ready: dict[ServiceName, Count] | None = None
    """Ready pods by component, of the current revision. Absent: nobody looked."""
    apart: list[ServiceName] | None = None
    """Components whose pods are made of other values, or by another chart, than those that Git had. Absent: nobody compared."""
    fingerprint: Digest | None = None
    """Of the bundle and the values that its pods were found to be made of: those that Git had then."""
    requests_per_minute: Annotated[float, Field(ge=0)] | None = None


class Measured(Model):
    """What a track did in the window, in whole requests."""

    requests: Count
    errors: Count
    durations: dict[str, Count] | None = None
    """Requests answered within so many seconds, by that bound as Prometheus writes it ("0.25"); "+Inf" counts all of them."""
    p95: Annotated[float, Field(ge=0)] | None = None
    """Seconds: for those who have no durations. It is compared as it stands, and nobody knows how far chance moved it."""

    @model_validator(mode="after")
    def _fails_no_more_than_it_gets(self) -> Measured:
        if self.errors > self.requests:
            raise ValueError("has more errors than requests; count both in the same window")
        return self

    @field_validator("durations")
    @classmethod
    def _rises_to_all(cls, durations: dict[str, int] | None) -> dict[str, int] | None:
        if durations is None:
            return None
        pairs: list[tuple[float, int]] = []
        for bound, count in durations.items():
            try:
                seconds = float(bound)
            except ValueError:
                seconds = math.nan
            if not seconds > 0:
                raise ValueError(f'has the bound {bound!r}, which is no time; write seconds, like "0.25", or "+Inf"')
            pairs.append((seconds, count))
        pairs.sort()
        if not pairs or not math.isinf(pairs[-1][0]):
            raise ValueError('counts not all requests; "+Inf" does')
        for (lower, few), (upper, more) in pairwise(pairs):
            if lower == upper:
                raise ValueError(f"has the bound {lower:g} twice; write each once")
            if few > more:
                raise ValueError(
                    f"falls from {few} at {lower:g} s to {more} at {upper:g} s; each count has all requests up to its bound"
                )
        return durations


class ObservedAnalysis(Model):
    """Measurements of the tracks with requests in one window, and of the business queries."""

    window: Duration
    tracks: dict[TrackName, Measured]
    queries: dict[DnsLabel, float | None] = Field(default_factory=dict[str, "float | None"])
    """None: the query gave no number."""


class _Checks(Model):
    passed: bool
    checks: Annotated[int, Field(ge=1)]
    failed: list[str] = Field(default_factory=list[str])
    """Names of the checks that did not pass."""

    @model_validator(mode="after")
    def _says_one_thing(self) -> _Checks:
        if self.passed == bool(self.failed):
            raise ValueError(
                "says two things; `passed: true` with nothing in `failed`, or `passed: false` and the names of those"
            )
        return self


class Verification(_Checks):
    """What checks of a track's answers found."""

    track: TrackName


class Observation(Model):
    """What somebody saw of an application in an environment at one moment: cluster, metrics, answers."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Observation"]
    target: Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]
    """ENV/APP: whose it is."""
    at: Timestamp
    cluster: str
    run: Annotated[str, Field(min_length=1)]
    """Who looked: the address of a CI run, or a name."""
    weights: dict[TrackName, Weight] | None = None
    """As the live route has them; empty where somebody looked and none is in force. Absent: nobody looked."""
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

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> Seen:
        if moment(self.last) < moment(self.first):
            raise ValueError("ends before it begins; evidence is written by commands, not by hand")
        return self


class Verified(Bound, _Checks):
    """Its answers were checked."""

    at: Timestamp


class Evidence(Model):
    """`environments/<env>/<application>/evidence/<tag>.yaml`: written by commands, read by gates."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Evidence"]
    application: ApplicationName
    bundle: Tag
    seen: list[Seen] = Field(default_factory=list[Seen])
    verified: list[Verified] = Field(default_factory=list[Verified])
