"""Which bundle runs on which track with which weight: `environments/<env>/<application>/release.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

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
    """Pods per component that `prepare` found necessary."""


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


class Release(Model):
    """A release file. Its state (steady, staged, shifting, full) is derived, never stored."""

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

    @model_validator(mode="after")
    def _holds_together(self) -> Release:
        wrong: list[str] = []
        for word, track in (("stable", self.stable), ("candidate", self.candidate)):
            if track is not None and track not in self.tracks:
                wrong.append(f"{word} names the track '{track}', which is not among the tracks ({', '.join(self.tracks)})")
        if self.standby and self.standby.track not in self.tracks:
            wrong.append(f"standby names the track '{self.standby.track}', which is not among the tracks")
        if self.candidate == self.stable:
            wrong.append(f"candidate and stable are the same track, '{self.stable}'")
        if self.standby and self.standby.track in (self.stable, self.candidate):
            wrong.append(f"standby names '{self.standby.track}', which is already stable or candidate")
        total = sum(track.weight for track in self.tracks.values())
        if total != 100:
            parts = " + ".join(f"{name} {track.weight}" for name, track in self.tracks.items())
            wrong.append(f"weights add up to {total}, not 100 ({parts})")
        for name, track in self.tracks.items():
            if track.weight and name not in (self.stable, self.candidate):
                wrong.append(f"the track '{name}' has weight {track.weight} but is neither stable nor candidate")
        if self.candidate in self.tracks:
            ready, weight = self.tracks[self.candidate].ready_for or 0, self.tracks[self.candidate].weight
            if weight > ready:
                wrong.append(f"the candidate's weight {weight} is above what its pods are ready_for ({ready})")
            if self.held and self.tracks[self.candidate].bundle in self.held:
                wrong.append(f"the candidate's bundle {self.tracks[self.candidate].bundle} is held")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self
