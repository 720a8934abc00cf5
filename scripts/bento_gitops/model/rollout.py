"""How a new bundle is brought to live requests: strategy, steps, what is looked at, and what must hold before it starts."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from bento_gitops.model.base import FACTOR, RATIO, SECONDS, DnsLabel, Duration, Model, Timestamp
from bento_gitops.model.release import Capacity

Strategy = Literal["canary", "blue-green", "direct"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Percent = Annotated[int, Field(ge=1, le=100)]
Ratio = Annotated[float, Field(ge=0, le=1), RATIO]
_CLOCK = re.compile(r"^([01][0-9]|2[0-4]):[0-5][0-9]$")


class StandbyPlan(Model):
    """What becomes of the old stable track."""

    keep: Duration | None = None
    """How long it stays for a fast rollback."""
    capacity: Capacity | None = None
    """`full`: rollback is one commit. `warm`, `cold`: cheaper, and rollback waits for pods."""


WORDS = frozenset({"track", "bundle", "stable", "application", "environment", "window"})
"""What a query may leave to be filled in, each after a $: the candidate's track and bundle, the stable track, whose it is, since
when."""
WORD = re.compile(r"\$([a-z][a-z_]*)")


class Query(Model):
    """A business query: one number for the candidate."""

    query: Annotated[str, Field(min_length=1)]
    """PromQL, in which $track, $bundle, $stable, $application, $environment and $window are filled in."""
    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _has_a_limit(self) -> Query:
        if self.min is None and self.max is None:
            raise ValueError("judges nothing; write `min`, `max` or both")
        unknown = sorted({word for word in WORD.findall(self.query) if word not in WORDS})
        if unknown:
            known = ", ".join(f"${word}" for word in sorted(WORDS))
            raise ValueError(f"the query has ${unknown[0]}, which nothing fills in; use one of {known}")
        return self


class Analysis(Model):
    """When a candidate is good enough for more requests, and when it is not."""

    min_requests: Annotated[int, Field(ge=1)] | None = None
    """Requests to the candidate below which it is not good; surely bad it may be before."""
    max_error_ratio: Ratio | None = None
    """Failed requests of all, at most. Above it, the candidate waits; when chance hardly explains it, it is taken back."""
    error_ratio_over_stable: Ratio | None = None
    """How much above the stable track's ratio in the same window."""
    max_p95: Annotated[float, Field(gt=0), SECONDS] | None = None
    """Seconds."""
    p95_over_stable: Annotated[float, Field(ge=1), FACTOR] | None = None
    """Times the stable track's p95 in the same window."""
    patience: Duration | None = None
    """How long a step may wait for enough requests and for a clear answer; then the candidate is taken back, and not held."""
    queries: dict[DnsLabel, Query | None] | None = None


class Rollout(Model):
    """Steps from nothing to everything."""

    strategy: Strategy | None = None
    """`canary`: step by step. `blue-green`: all at once, to pods that are ready. `direct`: at once and without a way back; only
    where environment.yaml allows it."""
    steps: Annotated[list[Percent], Field(min_length=1)] | None = None
    """Weights of the candidate, rising; 100 comes last."""
    interval: Duration | None = None
    """How long a weight is watched, from when it was seen live."""
    analysis: Analysis | None = None
    standby: StandbyPlan | None = None

    @model_validator(mode="after")
    def _rises(self) -> Rollout:
        steps = self.steps
        if steps and (steps != sorted(set(steps)) or steps[-1] != 100):
            raise ValueError("the steps must rise and end at 100; write them like [1, 5, 25, 50, 100]")
        return self


class Bounds(Model):
    """What an evaluation metric must be."""

    min: float | None = None
    max: float | None = None


class Freeze(Model):
    """A time in which nothing is promoted: once (`start`, `end`) or every week (`days`, `hours`)."""

    reason: Annotated[str, Field(min_length=3)]
    start: Timestamp | None = None
    end: Timestamp | None = None
    days: Annotated[list[Day], Field(min_length=1)] | None = None
    hours: Annotated[list[str], Field(min_length=2, max_length=2)] | None = None
    """From and to, like ["15:00", "24:00"]; without it the whole day."""
    zone: str | None = None
    """An IANA time zone, like Europe/Berlin; without it UTC."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> Freeze:
        once = self.start is not None and self.end is not None
        if once == (self.days is not None) or (self.start is None) != (self.end is None):
            raise ValueError("is either once or weekly; write `start` and `end`, or `days` (and `hours`)")
        if once and (self.hours or self.zone):
            raise ValueError("`hours` and `zone` belong to `days`; put them into `start` and `end`")
        for hour in self.hours or ():
            if not _CLOCK.match(hour) or (hour.startswith("24") and hour != "24:00"):
                raise ValueError(f'{hour!r} is no time of day; write it like "15:00", the end of a day as "24:00"')
        if self.hours and self.hours[0] >= self.hours[1]:
            raise ValueError("`hours` must rise within a day; write a window over midnight as two")
        if self.zone is not None:
            from zoneinfo import ZoneInfo  # few windows name one

            try:
                ZoneInfo(self.zone)
            except (ValueError, OSError):  # ZoneInfoNotFoundError is a KeyError of the table of zones
                raise ValueError(f"{self.zone!r} is no time zone; write it like Europe/Berlin") from None
            except KeyError:
                raise ValueError(f"{self.zone!r} is no time zone that this machine knows; write it like Europe/Berlin") from None
        return self


# `from` is a word of Python's, which no class can name a field.
_SOURCE: Any = {"from": (Annotated[DnsLabel | None, Field()], None)}
_From: type[Model] = create_model("_From", __base__=Model, **_SOURCE)


class Promotion(_From):
    """What must hold before a bundle is promoted to this environment."""

    soak: Duration | None = None
    """How long it was seen running in `from` with all requests."""
    freeze: list[Freeze] | None = None
    direct: bool | None = None
    """Whether an application may use rollout.strategy direct here."""

    @property
    def source(self) -> str | None:
        """`from`: the environment where the bundle is verified and soaks first."""
        return getattr(self, "from")
