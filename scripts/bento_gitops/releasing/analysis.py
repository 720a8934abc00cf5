"""Whether a candidate is good enough for more requests: its measurements against limits and against the stable track.

Somebody looks every few seconds, so what chance does once in a thousand looks happens in most rollouts. `bad` is therefore what
chance explains only once in a hundred thousand: 200 looks at 5 steps, each with four comparisons of which one takes two bounds,
condemn a candidate that just keeps its limits in at most one rollout of a hundred. docs/analysis.md has the figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bento_gitops.model.evidence import Measured, ObservedAnalysis
from bento_gitops.observing.durations import Durations
from bento_gitops.observing.statistics import lowest_difference, lowest_share
from bento_gitops.releasing.plan import Limits

CHANCE = 1e-5
"""That one bound, at one look, is on the wrong side of the truth."""
SLOW = 0.05
"""The share of requests that may be slower than a limit of the p95."""

_CHANCE = "that may be chance"

Verdict = Literal["good", "bad", "unclear"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found, and why."""

    verdict: Verdict
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Finding:
    """Something above its limit."""

    proven: bool
    """Not by chance."""
    text: str


def judge(observed: ObservedAnalysis | None, candidate: str, stable: str, limits: Limits) -> Judgement:
    """`unclear` where there is too little to judge, and where chance may be why something is above a limit."""
    if observed is None:
        return Judgement("unclear", ("nobody measured",))
    own = observed.tracks.get(candidate) or Measured(requests=0, errors=0)
    other = observed.tracks.get(stable)
    compared = other if other is not None and other.requests >= limits.min_requests else None
    found = [*_errors(own, compared, stable, limits), *_latency(own, compared, stable, limits)]
    bad = [one.text for one in found if one.proven]
    if own.requests < limits.min_requests:
        few = f"{own.requests} requests to {candidate} in {observed.window}, of {limits.min_requests} that it takes to judge"
        return Judgement("bad", tuple(bad)) if bad else Judgement("unclear", (few,))
    unknown = [one.text for one in found if not one.proven]
    for name, query in limits.queries.items():
        value = observed.queries.get(name)
        if value is None:
            unknown.append(f"query {name} gave no number")
        elif query.min is not None and value < query.min:
            bad.append(f"query {name} gives {value:g}, below {query.min:g}")
        elif query.max is not None and value > query.max:
            bad.append(f"query {name} gives {value:g}, above {query.max:g}")
    if bad:
        return Judgement("bad", tuple(bad))
    p95 = _p95(own)
    if p95 is None:
        unknown.append(f"there is no p95 of {candidate}")
    elif own.durations and own.durations["+Inf"] < limits.min_requests:
        unknown.append(f"{own.durations['+Inf']} durations of {candidate}, of {limits.min_requests} that it takes to judge")
    if unknown or p95 is None:
        return Judgement("unclear", tuple(unknown))
    seen = f"{own.requests} requests in {observed.window}: {_percent(_share(own))} errors, p95 {_seconds(p95)}"
    beside = "" if compared else f"; {stable} had too few to compare with"
    return Judgement("good", (seen + beside,))


def _errors(own: Measured, other: Measured | None, stable: str, limits: Limits) -> list[_Finding]:
    """The first that is proven; else the first that is above its limit."""
    found = [*_too_many(own, limits), *(_more_than(own, other, stable, limits) if other else ())]
    return sorted(found, key=lambda one: not one.proven)[:1]


def _too_many(own: Measured, limits: Limits) -> Iterator[_Finding]:
    if _share(own) > limits.max_error_ratio:
        least = float(lowest_share(own.errors, own.requests, CHANCE))
        fail = f"{_percent(_share(own))} of {own.requests} requests fail"
        yield _failing(least > limits.max_error_ratio, fail, _percent(least), f"above {_limit(limits.max_error_ratio)}")


def _more_than(own: Measured, other: Measured, stable: str, limits: Limits) -> Iterator[_Finding]:
    if _share(own) > _share(other) + limits.error_ratio_over_stable:
        least = float(lowest_difference(own.errors, own.requests, other.errors, other.requests, CHANCE))
        fail = f"{_percent(_share(own))} of {own.requests} requests fail"
        above = f"more than {_limit(limits.error_ratio_over_stable)} above {stable}, where {_percent(_share(other))} do"
        yield _failing(least > limits.error_ratio_over_stable, fail, f"{_percent(least)} above", above)


def _failing(proven: bool, fail: str, least: str, above: str) -> _Finding:
    return _Finding(proven, f"{fail} (at least {least}), {above}" if proven else f"{fail}, {above}; {_CHANCE}")


def _latency(own: Measured, other: Measured | None, stable: str, limits: Limits) -> list[_Finding]:
    """As `_errors`."""
    found = [*_too_slow(own, limits), *(_slower_than(own, other, stable, limits) if other else ())]
    return sorted(found, key=lambda one: not one.proven)[:1]


def _too_slow(own: Measured, limits: Limits) -> Iterator[_Finding]:
    p95 = _p95(own)
    if p95 is not None and limits.max_p95 is not None and p95 > limits.max_p95:
        yield from _slow(own, limits, p95, f"above {_seconds(limits.max_p95)}", limits.max_p95)


def _slower_than(own: Measured, other: Measured, stable: str, limits: Limits) -> Iterator[_Finding]:
    p95, theirs = _p95(own), _p95(other)
    if p95 is None or theirs is None:
        return
    if theirs == float("inf"):
        if p95 == theirs:
            yield _Finding(False, f"the p95 of {stable} is beyond the last bucket of its durations, and so is this one's")
        return
    if p95 > theirs * limits.p95_over_stable:
        above = f"more than {limits.p95_over_stable:g} times that of {stable} ({_seconds(theirs)})"
        most = float(Durations.of(other.durations).highest_quantile(1 - SLOW, CHANCE)) if other.durations else None
        yield from _slow(own, limits, p95, above, None if most is None else most * limits.p95_over_stable)


def _slow(own: Measured, limits: Limits, p95: float, above: str, limit: float | None) -> Iterator[_Finding]:
    """`limit`: what the p95 is surely not below if it is to be too slow; None: of one of the tracks only the p95 is known."""
    if own.durations is None or limit is None:
        if own.requests >= limits.min_requests:
            yield _Finding(True, f"p95 is {_seconds(p95)}, {above} (compared as it stands: there are no durations)")
        return
    durations = Durations.of(own.durations)
    slower, total = float(durations.slower(limit)), float(durations.total)
    least = float(lowest_share(slower, total, CHANCE))
    what = f"p95 is {_seconds(p95)}, {above}"
    if least <= SLOW:
        yield _Finding(False, f"{what}; {_CHANCE}")
        return
    many = f"{_percent(slower / total)} of {total:g} requests are slower than {_seconds(limit)} (at least {_percent(least)})"
    yield _Finding(True, f"{what}: {many}, and {_limit(SLOW)} may be")


def _share(measured: Measured) -> float:
    return measured.errors / measured.requests if measured.requests else 0.0


def _p95(measured: Measured) -> float | None:
    """Infinity beyond the last bucket."""
    if measured.durations is None:
        return measured.p95
    return float(Durations.of(measured.durations).quantile(1 - SLOW)) if measured.durations["+Inf"] else None


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _limit(ratio: float) -> str:
    """As somebody wrote it."""
    return f"{100 * ratio:g} %"


def _seconds(seconds: float) -> str:
    return "beyond the last bucket" if seconds == float("inf") else f"{seconds:.3g} s"
