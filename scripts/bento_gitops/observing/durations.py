"""How long requests took, as far as a histogram of cumulative counts tells it.

numpy is imported where it computes; release commands that judge nothing start without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bento_gitops.observing.statistics import highest_rank

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import ArrayLike, NDArray

    Numbers = NDArray[float64]

NARROW = 1.3
"""Buckets up to this ratio of their bounds are interpolated. In wider ones only what the counts themselves say is sure: all
requests between 0.25 and 0.5 s may have taken 0.26 s."""
_SAME = 1 - 1e-9
"""A limit that is a bound, but for the last digits of a float, is that bound."""


@dataclass(frozen=True, slots=True)
class Durations:
    """Requests by their duration: one histogram, or many with the same bounds."""

    bounds: Numbers
    """Seconds, rising to infinity."""
    counts: Numbers
    """Requests up to each bound, in the last axis."""

    @classmethod
    def of(cls, counted: Mapping[str, int]) -> Durations:
        """`durations` of a `Measured`."""
        import numpy

        pairs = sorted((float(bound), float(count)) for bound, count in counted.items())
        return cls(numpy.array([bound for bound, _ in pairs]), numpy.array([count for _, count in pairs]))

    @property
    def total(self) -> Numbers:
        return self.counts[..., -1]

    def quantile(self, share: float) -> Numbers:
        """Seconds within which that share of these requests was answered, interpolated as Prometheus does.

        Infinity where that is beyond the last finite bound: Prometheus then names that bound, which may be far below.
        """
        return self._at_rank(share * self.total, everywhere=True)

    def highest_quantile(self, share: float, chance: float) -> Numbers:
        """What the quantile of all requests, of which these are a sample, is at most; wrong with no more than `chance`.

        The duration of the request whose rank is high enough for that: an order statistic. Infinity where they are too few.
        """
        import numpy

        rank = highest_rank(self.total, share, chance)
        return numpy.where(rank > self.total, numpy.inf, self._at_rank(numpy.minimum(rank, self.total)))

    def slower(self, limit: ArrayLike) -> Numbers:
        """How many took longer than `limit` seconds: in a narrow bucket interpolated, in a wide one those that surely did.

        Shares fall by the same factor over the same ratio of durations: as in Pareto's distribution; of one with a lighter tail
        (lognormal, gamma, Weibull) that counts too few rather than too many, where a straight line counts too many.
        """
        import numpy

        limit = numpy.asarray(limit, float)
        place = numpy.searchsorted(self.bounds, limit * _SAME)
        low, high, below, upto = self._bucket(place)
        narrow = high <= NARROW * low
        more, fewer = self.total - below, self.total - upto
        with numpy.errstate(invalid="ignore", divide="ignore"):  # in a bucket that is wide, or after which nothing comes
            part = numpy.clip(numpy.log(limit / low) / numpy.log(high / low), 0, 1)
            return numpy.where(narrow & (more > 0), more * (fewer / more) ** part, fewer)

    def _at_rank(self, rank: Numbers, *, everywhere: bool = False) -> Numbers:
        """The duration of the request with that rank: in a narrow bucket (or `everywhere`) interpolated, else the upper bound."""
        import numpy

        place = (self.counts >= numpy.expand_dims(rank, -1)).argmax(-1)
        low, high, below, upto = self._bucket(place)
        part = (rank - below) / numpy.maximum(upto - below, 1)
        with numpy.errstate(invalid="ignore"):  # nothing times infinity, where infinity is the answer
            return numpy.where(numpy.isfinite(high) & (everywhere | (high <= NARROW * low)), low + part * (high - low), high)

    def _bucket(self, place: NDArray[Any]) -> tuple[Numbers, Numbers, Numbers, Numbers]:
        """Bounds and cumulative counts at both ends of the buckets at `place`, which counts up from 0 s."""
        import numpy

        shape = numpy.broadcast_shapes(self.counts.shape[:-1], place.shape)
        place = numpy.broadcast_to(place, shape)
        counts = numpy.broadcast_to(self.counts, (*shape, len(self.bounds)))

        def count(index: NDArray[Any]) -> Numbers:
            return numpy.take_along_axis(counts, numpy.expand_dims(index, -1), -1)[..., 0]

        first, before = place == 0, numpy.maximum(place - 1, 0)
        return (
            numpy.where(first, 0.0, self.bounds[before]),
            self.bounds[place],
            numpy.where(first, 0.0, count(before)),
            count(place),
        )
