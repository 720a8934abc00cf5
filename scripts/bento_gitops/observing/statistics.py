"""How sure one can be of a number from few measurements: bounds of shares, of their difference, of quantiles.

scipy is imported where it computes: it takes longer to load than most commands take to run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

RESAMPLES = 2000
"""Of a bootstrap: the ends of its interval then vary by about a twentieth of its width from seed to seed."""
_AT_ONCE = 2_000_000
"""Numbers that a bootstrap holds in memory, for each sample."""


@dataclass(frozen=True, slots=True)
class Interval:
    """What was measured, and between what the truth lies 95 times in a hundred."""

    estimate: float
    low: float
    high: float


def difference_of_quantiles(own: Sequence[float], other: Sequence[float], quantile: float, *, seed: int) -> Interval:
    """`own`'s quantile (0.95) less `other`'s, in their unit; the samples are independent, not pairs.

    Percentile bootstrap. It cannot see beyond the largest value measured: for the 0.99 quantile of fewer than some hundred
    values it is too narrow. Raises ValueError where one of them has fewer than two values.
    """
    return _bootstrap(own, other, quantile, seed, lambda one, two: one - two)


def ratio_of_quantiles(own: Sequence[float], other: Sequence[float], quantile: float, *, seed: int) -> Interval:
    """`own`'s quantile divided by `other`'s, else as `difference_of_quantiles`. ValueError unless all values are above 0."""
    if min(*own, *other, 1.0) <= 0:
        raise ValueError("a ratio takes values above 0")
    return _bootstrap(own, other, quantile, seed, lambda one, two: one / two)


def _bootstrap(
    own: Sequence[float], other: Sequence[float], quantile: float, seed: int, compare: Callable[[Any, Any], Any]
) -> Interval:
    if min(len(own), len(other)) < 2:
        raise ValueError(f"an interval takes two values of each, and there are {len(own)} and {len(other)}")
    from importlib import import_module

    numpy: Any = import_module("numpy")
    stats: Any = import_module("scipy.stats")

    def compared(one: Any, two: Any, axis: int = -1) -> Any:
        return compare(numpy.quantile(one, quantile, axis=axis), numpy.quantile(two, quantile, axis=axis))

    samples = (numpy.asarray(own, float), numpy.asarray(other, float))
    found: Any = stats.bootstrap(
        samples,
        compared,
        n_resamples=RESAMPLES,
        batch=max(1, _AT_ONCE // max(len(own), len(other))),
        vectorized=True,
        method="percentile",
        rng=numpy.random.default_rng(seed),
    )
    ends = found.confidence_interval
    return Interval(float(compared(*samples)), float(ends.low), float(ends.high))
