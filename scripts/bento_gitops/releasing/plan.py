"""A rollout as commands follow it: what the layers say, and what holds where they say nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bento_gitops.model.base import length
from bento_gitops.model.release import Capacity
from bento_gitops.model.rollout import Analysis, Query, Rollout, StandbyPlan, Strategy

DRAIN = timedelta(minutes=5)
"""How long a track stays after its last request may have come: a route's reload, then the longest request."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a candidate is judged, and how."""

    min_requests: int = 200
    max_error_ratio: float = 0.02
    error_ratio_over_stable: float = 0.01
    max_p95: float | None = None
    """Seconds; no absolute limit without it: what is slow differs too much between applications."""
    p95_over_stable: float = 1.25
    patience: timedelta = timedelta(minutes=30)
    queries: Mapping[str, Query] = field(default_factory=dict[str, Query])


@dataclass(frozen=True, slots=True)
class Plan:
    """How this application gets from nothing to everything in this environment."""

    strategy: Strategy = "canary"
    steps: tuple[int, ...] = (1, 5, 25, 50, 100)
    """Weights of the candidate in percent, rising to 100."""
    interval: timedelta = timedelta(minutes=10)
    keep: timedelta = timedelta(hours=1)
    standby: Capacity = "full"
    limits: Limits = field(default_factory=Limits)

    def after(self, weight: int) -> int:
        """The next weight above one; 100 above all."""
        return next((step for step in self.steps if step > weight), 100)


def plan_of(rollout: Rollout | None) -> Plan:
    """What the layers say, completed."""
    if rollout is None:
        return Plan()
    plan = Plan()
    standby = rollout.standby or StandbyPlan()
    blue_green = rollout.strategy == "blue-green"
    return Plan(
        strategy=rollout.strategy or plan.strategy,
        steps=(100,) if blue_green else tuple(rollout.steps or plan.steps),
        interval=plan.interval if rollout.interval is None else length(rollout.interval),
        keep=plan.keep if standby.keep is None else length(standby.keep),
        standby=standby.capacity or plan.standby,
        limits=_limits(rollout.analysis or Analysis()),
    )


def _limits(said: Analysis) -> Limits:
    limits = Limits()
    return Limits(
        min_requests=said.min_requests or limits.min_requests,
        max_error_ratio=limits.max_error_ratio if said.max_error_ratio is None else said.max_error_ratio,
        error_ratio_over_stable=(
            limits.error_ratio_over_stable if said.error_ratio_over_stable is None else said.error_ratio_over_stable
        ),
        max_p95=said.max_p95,
        p95_over_stable=said.p95_over_stable or limits.p95_over_stable,
        patience=limits.patience if said.patience is None else length(said.patience),
        queries={name: query for name, query in (said.queries or {}).items() if query},
    )
