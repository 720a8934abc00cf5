"""`python -m benchmarks.canary_analysis`: how often canary analysis is wrong, and how long it takes, by simulated rollouts.

Requests come at random (Poisson) and independently of each other, durations are lognormal, and somebody looks every 15 s at all
requests since the step began, as `canary run` does. The decisions are those of `releasing.analysis.judge` and of `canary step`,
with the same bounds, for many rollouts at once.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from bento_gitops.cli.console import line, table
from bento_gitops.observing.durations import Durations
from bento_gitops.observing.statistics import lowest_difference, lowest_share
from bento_gitops.releasing.analysis import CHANCE, SLOW
from bento_gitops.releasing.plan import Limits, Plan
from numpy.typing import NDArray
from scipy import special

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

LOOK = 0.25
"""Minutes from one look to the next."""
CHART = (*(0.002 * 1.25**power for power in range(50)), 120.5, np.inf)
"""Bounds of the chart's histogram."""
DEFAULT = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 180.0, np.inf)
"""BentoML's own."""
SPREAD = 0.5
"""Of the logarithm of a duration: the p95 is 2.3 times the median, the p99 3.2 times."""
P95 = (0.1, 1.0)
"""Between these seconds lies the stable track's p95, anywhere: where in a bucket it lies must not matter."""
PASSED, BLAMED, GIVEN_UP = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Candidate:
    """What it does, beside a stable track that answers all but `stable_errors`."""

    name: str
    errors: float = 0.001
    slower: float = 1.0
    """Its p95 in that of stable."""
    stable_errors: float = 0.001
    at_the_limit: bool = False
    """Whether `max_p95` is set, to just its p95."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one track, since the step began: by run and look."""

    requests: Numbers
    errors: Numbers
    durations: Durations

    def of(self, runs: NDArray[np.int_]) -> Counts:
        counts = self.durations.counts[runs]
        return Counts(self.requests[runs], self.errors[runs], Durations(self.durations.bounds, counts))


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How runs ended."""

    how: NDArray[np.int_]
    minutes: Numbers
    requests: Numbers
    """To the candidate until then."""

    def share(self, how: int) -> float:
        return float((self.how == how).mean())

    def median(self, values: Numbers, how: int) -> float:
        chosen = values[self.how == how]
        return float(np.median(chosen)) if len(chosen) else float("nan")


def verdicts(own: Counts, other: Counts | None, limits: Limits, max_p95: Numbers | None) -> tuple[Flags, Flags]:
    """Where `judge` says bad, and where it says good. `max_p95` takes the place of the one in `limits`, by run."""
    requests = np.maximum(own.requests, 1)
    share = own.errors / requests
    over = share > limits.max_error_ratio
    bad = _where(over, lambda at: lowest_share(own.errors[at], own.requests[at], CHANCE) > limits.max_error_ratio)
    p95 = own.durations.quantile(1 - SLOW)
    if max_p95 is not None:
        bounds = np.broadcast_to(max_p95, p95.shape)
        slow = p95 > bounds
        bad |= _where(slow, lambda at: _surely_slower(own, at, bounds[at]))
        over |= slow
    if other is not None:
        compared = other.requests >= limits.min_requests
        more = compared & (share > other.errors / np.maximum(other.requests, 1) + limits.error_ratio_over_stable)
        bad |= _where(more, lambda at: _surely_more(own, other, at) > limits.error_ratio_over_stable)
        theirs = other.durations.quantile(1 - SLOW)
        slow = compared & np.isfinite(theirs) & (p95 > theirs * limits.p95_over_stable)

        def slower(at: Flags) -> Flags:
            stable = Durations(other.durations.bounds, other.durations.counts[at])
            return _surely_slower(own, at, stable.highest_quantile(1 - SLOW, CHANCE) * limits.p95_over_stable)

        bad |= _where(slow, slower)
        over |= more | slow | (compared & np.isinf(theirs) & np.isinf(p95))
    return bad, (own.requests >= limits.min_requests) & ~over


def _where(flags: Flags, decide: Callable[[Flags], Flags]) -> Flags:
    """Bounds are computed only where they can decide anything."""
    found = np.zeros(flags.shape, bool)
    if flags.any():
        found[flags] = decide(flags)
    return found


def _surely_slower(own: Counts, at: Flags, limit: Numbers) -> Flags:
    durations = Durations(own.durations.bounds, own.durations.counts[at])
    return lowest_share(durations.slower(limit), durations.total, CHANCE) > SLOW


def _surely_more(own: Counts, other: Counts, at: Flags) -> Numbers:
    return lowest_difference(own.errors[at], own.requests[at], other.errors[at], other.requests[at], CHANCE)


@dataclass(frozen=True, slots=True)
class Simulated:
    """Tracks that are asked at random, in many runs at once."""

    random: np.random.Generator
    bounds: Numbers
    p95: Numbers
    """Of the stable track, by run."""

    @classmethod
    def of(cls, runs: int, seed: int, bounds: Sequence[float] = CHART) -> Simulated:
        random = np.random.default_rng(seed)
        p95 = np.exp(random.uniform(math.log(P95[0]), math.log(P95[1]), runs))
        # Buckets far below and above every p95 are joined: nothing reads them.
        useful = [bound for bound in bounds if P95[0] / 2 < bound < 10 * P95[1] or np.isinf(bound)]
        return cls(random, np.array(useful), p95)

    def asked(self, per_minute: float, errors: float, slower: float, runs: NDArray[np.int_], looks: int) -> Counts:
        """What comes in so many looks."""
        median = self.p95[runs] * slower / np.exp(SPREAD * special.ndtri(1 - SLOW))
        upto = special.ndtr(np.log(self.bounds / median[:, None]) / SPREAD)
        expected = per_minute * LOOK * np.diff(upto, prepend=0.0)
        came = self.random.poisson(expected[:, None, :], (len(runs), looks, len(self.bounds)))
        requests = came.sum(-1)
        failed = self.random.binomial(requests, errors)
        counts = came.cumsum(1).cumsum(2).astype(float)
        return Counts(requests.cumsum(1).astype(float), failed.cumsum(1).astype(float), Durations(self.bounds, counts))


def _beside(before: Counts, more: Counts) -> Counts:
    """The looks that follow the last one of `before`."""
    counts = before.durations.counts[:, -1:] + more.durations.counts
    return Counts(
        before.requests[:, -1:] + more.requests,
        before.errors[:, -1:] + more.errors,
        Durations(more.durations.bounds, counts),
    )


def step(
    tracks: Simulated, candidate: Candidate, per_minute: float, stable_per_minute: float, plan: Plan, runs: NDArray[np.int_]
) -> Outcomes:
    """One step of each run: looks until it is bad, until it was watched long enough and is good, or until patience ends."""
    interval = round(plan.interval.total_seconds() / 60 / LOOK)
    patience = interval + round(plan.limits.patience.total_seconds() / 60 / LOOK)
    how, minutes, requests = np.full(len(runs), GIVEN_UP), np.full(len(runs), patience * LOOK), np.zeros(len(runs))
    waiting = np.arange(len(runs))
    own: Counts | None = None
    other: Counts | None = None
    for first in range(0, patience, interval):
        looks = min(interval, patience - first)
        came = tracks.asked(per_minute, candidate.errors, candidate.slower, runs[waiting], looks)
        own = _beside(own, came) if own else came
        if stable_per_minute:
            came = tracks.asked(stable_per_minute, candidate.stable_errors, 1.0, runs[waiting], looks)
            other = _beside(other, came) if other else came
        max_p95 = tracks.p95[runs[waiting], None] * candidate.slower if candidate.at_the_limit else None
        bad, good = verdicts(own, other, plan.limits, max_p95)
        good[:, : max(0, interval - 1 - first)] = False  # watched for less than the interval
        decided = bad | good
        ended = decided.any(1)
        look = decided.argmax(1)
        how[waiting[ended]] = np.where(bad[ended, look[ended]], BLAMED, PASSED)
        minutes[waiting[ended]] = (first + look[ended] + 1) * LOOK
        requests[waiting] = np.where(ended, own.requests[np.arange(len(waiting)), look], own.requests[:, -1])
        left = np.flatnonzero(~ended)
        waiting = waiting[left]
        own, other = own.of(left), other.of(left) if other else None
        if not len(waiting):
            break
    return Outcomes(how, minutes, requests)


def rollout(
    candidate: Candidate, per_minute: float, plan: Plan, runs: int, seed: int, bounds: Sequence[float] = CHART
) -> Outcomes:
    """All steps of an application with so many requests. PASSED: it finished."""
    tracks = Simulated.of(runs, seed, bounds)
    how, minutes, requests = np.full(runs, PASSED), np.zeros(runs), np.zeros(runs)
    going = np.arange(runs)
    for weight in plan.steps:
        own = per_minute * weight / 100
        found = step(tracks, candidate, own, per_minute - own, plan, going)
        minutes[going] += found.minutes
        requests[going] += found.requests
        how[going] = found.how
        going = going[found.how == PASSED]
    return Outcomes(how, minutes, requests)


PLAN = Plan()
GOOD = Candidate("as stable: 0.1 % errors, same p95")
BORDERLINE = Candidate(
    "at every limit: 2 % errors beside 1 %, p95 x 1.25 and at max_p95", 0.02, 1.25, stable_errors=0.01, at_the_limit=True
)
WITHIN = Candidate("within the limits: 1 % errors beside 0.3 %, p95 x 1.1", 0.01, 1.1, stable_errors=0.003)
FAILING = tuple(Candidate(f"errors {100 * share:g} %", errors=share) for share in (0.001, 0.01, 0.04, 0.05, 0.2))
SLOWER = tuple(Candidate(f"p95 x {factor:g}", slower=factor) for factor in (1.0, 1.1, 1.25, 1.5, 2.0))
RARE = (GOOD, WITHIN, BORDERLINE)
"""None of them is bad: how seldom they are called so takes more runs to tell."""
SIZES = (2, 10, 50, 250)
"""Requests to the candidate in a minute."""
APPLICATIONS = (60, 600, 6000)
"""Requests to an application in a minute."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canary_analysis", description="Simulates canary analysis.")
    parser.add_argument(
        "--runs", type=int, default=1000, help="runs of each row; five times as many of candidates that are not bad"
    )
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    started = time.perf_counter()
    _rollouts(options.runs, options.seed)
    for name, bounds in (("the chart's buckets", CHART), ("BentoML's default buckets", DEFAULT)):
        _steps(options.runs, options.seed, name, bounds)
    line(f"{options.runs} runs a row, seed {options.seed}, {time.perf_counter() - started:.0f} s")


def _rollouts(runs: int, seed: int) -> None:
    weights = ", ".join(str(weight) for weight in PLAN.steps)
    line(f"Whole rollouts: {weights} %, each for 10 minutes and up to 30 more, a look every 15 s")
    rows: list[Sequence[str]] = []
    for candidate in (*RARE, *FAILING[2:], *SLOWER[3:]):
        for size in APPLICATIONS:
            found = rollout(candidate, size, PLAN, runs * (5 if candidate in RARE else 1), seed)
            rows.append([candidate.name, str(size), *_row(found)])
    headings = ["CANDIDATE", "REQUESTS/MIN", "FINISHED", "BAD", "GIVEN UP", "MINUTES TO BAD", "ITS REQUESTS BY THEN"]
    table(headings, rows, right=headings[1:])
    line("")


def _steps(runs: int, seed: int, name: str, bounds: Sequence[float]) -> None:
    line(f"One step at 5 %, {name}")
    plan = replace(PLAN, steps=(5,))
    rows = [
        [candidate.name, str(size), *_row(rollout(candidate, size * 20, plan, runs, seed, bounds))]
        for candidate in (*(FAILING if bounds is CHART else ()), *SLOWER)
        for size in SIZES
    ]
    headings = ["CANDIDATE", "ITS REQUESTS/MIN", "PASSED", "BAD", "GIVEN UP", "MINUTES TO BAD", "ITS REQUESTS BY THEN"]
    table(headings, rows, right=headings[1:])
    line("")


def _row(found: Outcomes) -> list[str]:
    shares = [f"{100 * found.share(how):.4g} %" for how in (PASSED, BLAMED, GIVEN_UP)]
    if not (found.how == BLAMED).any():
        return [*shares, "-", "-"]
    return [*shares, f"{found.median(found.minutes, BLAMED):.3g}", f"{found.median(found.requests, BLAMED):.0f}"]


if __name__ == "__main__":
    main()
