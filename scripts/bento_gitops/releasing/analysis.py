"""Whether a candidate is good enough for more requests: its measurements against limits and against the stable track."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bento_gitops.model.evidence import Measured, ObservedAnalysis
from bento_gitops.releasing.plan import Limits

Verdict = Literal["good", "bad", "unclear"]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found, and why."""

    verdict: Verdict
    reasons: tuple[str, ...]


def judge(observed: ObservedAnalysis | None, candidate: str, stable: str, limits: Limits) -> Judgement:
    """`unclear` where there is too little to judge: no data is not success."""
    if observed is None:
        return Judgement("unclear", ("nobody measured",))
    own = observed.tracks.get(candidate)
    if own is None or own.requests < limits.min_requests:
        requests = own.requests if own else 0
        if own and own.errors > limits.max_error_ratio * limits.min_requests:
            bad = f"{own.errors} of {requests} requests to {candidate} fail: too many, even if all others up to"
            return Judgement("bad", (f"{bad} {limits.min_requests} do not",))
        few = f"{requests} requests to {candidate} in {observed.window}, of {limits.min_requests} that it takes to judge"
        return Judgement("unclear", (few,))
    other = observed.tracks.get(stable)
    compared = other if other is not None and other.requests >= limits.min_requests else None
    bad = [*_errors(own, compared, stable, limits), *_latency(own, compared, stable, limits)]
    unknown: list[str] = []
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
    if own.p95 is None:
        unknown.append(f"there is no p95 of {candidate}")
    if unknown:
        return Judgement("unclear", tuple(unknown))
    seen = f"{own.requests} requests in {observed.window}: {_share(own):.2%} errors, p95 {own.p95:g} s"
    beside = "" if compared else f"; {stable} had too few to compare with"
    return Judgement("good", (seen + beside,))


def _errors(own: Measured, other: Measured | None, stable: str, limits: Limits) -> list[str]:
    share = _share(own)
    if share > limits.max_error_ratio:
        return [f"{share:.2%} of its requests fail, above {limits.max_error_ratio:.2%}"]
    if other is not None and share > _share(other) + limits.error_ratio_over_stable:
        return [
            f"{share:.2%} of its requests fail, more than {limits.error_ratio_over_stable:.2%} above {stable}, "
            f"where {_share(other):.2%} do"
        ]
    return []


def _latency(own: Measured, other: Measured | None, stable: str, limits: Limits) -> list[str]:
    if own.p95 is None:
        return []
    if limits.max_p95 is not None and own.p95 > limits.max_p95:
        return [f"p95 is {own.p95:g} s, above {limits.max_p95:g} s"]
    if other is not None and other.p95 is not None and own.p95 > other.p95 * limits.p95_over_stable:
        return [f"p95 is {own.p95:g} s, more than {limits.p95_over_stable:g} times that of {stable} ({other.p95:g} s)"]
    return []


def _share(measured: Measured) -> float:
    return measured.errors / measured.requests if measured.requests else 0.0
