"""How sure one can be of a number from few measurements: bounds of shares, of their difference, of quantiles.

scipy is imported where it computes: it takes longer to load than most commands take to run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import ArrayLike, NDArray

    Numbers = NDArray[float64]

RESAMPLES = 2000
"""Of a bootstrap: the ends of its interval then vary by about a twentieth of its width from seed to seed."""
_AT_ONCE = 2_000_000
"""Numbers that a bootstrap holds in memory, for each sample."""


def lowest_share(hits: ArrayLike, of: ArrayLike, chance: float) -> Numbers:
    """What the share behind `hits` of `of` is at least; wrong with no more than `chance`. Clopper-Pearson, so exact.

    Takes numbers or arrays of them. `hits` may be interpolated and need not be whole.
    """
    numpy, stats = _libraries()
    found, among = numpy.asarray(hits, float), numpy.asarray(of, float)
    none = found <= 0
    return numpy.where(none, 0.0, stats.beta.ppf(chance, numpy.where(none, 1.0, found), among - found + 1))


def highest_share(hits: ArrayLike, of: ArrayLike, chance: float) -> Numbers:
    """What the share behind `hits` of `of` is at most; else as `lowest_share`."""
    numpy, _ = _libraries()
    return 1 - lowest_share(numpy.subtract(of, hits), of, chance)


def lowest_difference(hits: ArrayLike, of: ArrayLike, other_hits: ArrayLike, other_of: ArrayLike, chance: float) -> Numbers:
    """How much the share behind `hits` of `of` is above the one behind `other_hits` of `other_of`, at least.

    Newcombe's construction (the distances of both shares from their bounds, squared, summed), with exact bounds in place of
    Wilson's: those are far too narrow for the rare errors and the small chances that many looks take. Neither sample is empty.
    """
    numpy, _ = _libraries()
    share, other = numpy.divide(hits, of), numpy.divide(other_hits, other_of)
    below, above = share - lowest_share(hits, of, chance), highest_share(other_hits, other_of, chance) - other
    return share - other - numpy.hypot(below, above)


def highest_rank(of: ArrayLike, share: float, chance: float) -> Numbers:
    """The rank among `of` values, counted from 1, whose value is surely no less than the quantile; above `of`: none is.

    Of the values below the quantile there are as many as a binomial variable says; the next one is at or above it.
    """
    numpy, stats = _libraries()
    sizes, places = numpy.unique(numpy.asarray(of, float), return_inverse=True)  # many looks have the same few
    return (stats.binom.ppf(1 - chance, sizes, share) + 1)[places].reshape(numpy.shape(of))


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
    numpy, stats = _libraries()

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


def _libraries() -> tuple[Any, Any]:
    """numpy and scipy.stats, of which the latter says nothing of its types."""
    from importlib import import_module

    return import_module("numpy"), import_module("scipy.stats")
