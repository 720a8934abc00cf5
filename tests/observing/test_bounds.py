"""Bounds of shares, of their difference and of quantiles: known values, other formulas, and how often they are wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
from bento_gitops.observing.durations import Durations
from bento_gitops.observing.statistics import highest_rank, highest_share, lowest_difference, lowest_share
from scipy import stats


def test_the_bounds_of_extreme_counts_are_those_that_can_be_worked_out_by_hand() -> None:
    assert lowest_share(0, 50, 0.01) == 0
    assert lowest_share(3, 3, 1e-5) == pytest.approx(1e-5 ** (1 / 3))
    assert lowest_share(1, 400, 0.01) == pytest.approx(1 - 0.99 ** (1 / 400))
    assert highest_share(0, 100, 0.05) == pytest.approx(1 - 0.05**0.01)
    assert highest_share(50, 50, 0.01) == 1


@pytest.mark.parametrize(("hits", "of"), [(1, 7), (25, 612), (199, 200), (3000, 100_000)])
def test_at_the_lowest_share_as_many_hits_are_just_as_rare_as_said(hits: int, of: int) -> None:
    """The binomial tail, which is where the bound comes from, and the interval that scipy itself makes of it."""
    least = float(lowest_share(hits, of, 1e-5))
    assert stats.binom.sf(hits - 1, of, least) == pytest.approx(1e-5)
    assert stats.binomtest(hits, of, alternative="greater").proportion_ci(1 - 1e-5).low == pytest.approx(least)
    most = float(highest_share(hits, of, 1e-5))
    assert stats.binom.cdf(hits, of, most) == pytest.approx(1e-5)


def test_many_are_computed_at_once_as_one_by_one() -> None:
    hits, of = np.array([[0, 3], [5, 40]]), np.array([[10, 3], [100, 41]])
    expected = [[float(lowest_share(hits[i, j], of[i, j], 1e-3)) for j in range(2)] for i in range(2)]
    assert lowest_share(hits, of, 1e-3) == pytest.approx(np.array(expected))
    assert highest_rank(of, 0.5, 0.1) == pytest.approx(
        np.array([[float(highest_rank(of[i, j], 0.5, 0.1)) for j in range(2)] for i in range(2)])
    )


def test_a_difference_from_what_is_surely_nothing_is_the_share_itself() -> None:
    alone = float(lowest_share(60, 2000, 1e-5))
    assert lowest_difference(60, 2000, 0, 10**9, 1e-5) == pytest.approx(alone, abs=1e-6)
    assert lowest_difference(60, 2000, 0, 300, 1e-5) < alone


def test_of_many_hits_the_difference_is_bounded_as_the_normal_distribution_does_it() -> None:
    own, other, of = 0.30, 0.25, 10**6
    wide = stats.norm.isf(1e-3) * math.sqrt(own * (1 - own) / of + other * (1 - other) / of)
    assert lowest_difference(own * of, of, other * of, of, 1e-3) == pytest.approx(own - other - wide, abs=1e-5)


@pytest.mark.parametrize("chance", [1e-3, 1e-5])
@pytest.mark.parametrize(
    ("own", "other", "size", "beside"),
    [(0.015, 0.005, 100, 1900), (0.011, 0.001, 500, 9500), (0.015, 0.005, 2000, 2000), (0.3, 0.2, 50, 50)],
)
def test_the_difference_is_below_its_bound_no_more_often_than_said(
    own: float, other: float, size: int, beside: int, chance: float
) -> None:
    """Every pair of counts with its probability, no sampling. With Wilson's bounds the first is forty times as often at 1e-5."""
    hits, counts = (np.arange(float(stats.binom.ppf(1 - 1e-9, of, share)) + 1) for of, share in ((size, own), (beside, other)))
    weight = np.outer(stats.binom.pmf(hits, size, own), stats.binom.pmf(counts, beside, other))
    wrong = lowest_difference(hits[:, None], size, counts[None, :], beside, chance) > own - other
    assert 0 < weight[wrong].sum() <= chance


def test_the_value_at_the_highest_rank_is_below_the_quantile_no_more_often_than_said() -> None:
    """The value with rank r is below the quantile where r or more values are: by the binomial distribution."""
    for size, share, chance in ((1000, 0.95, 1e-5), (300, 0.5, 0.01)):
        rank = float(highest_rank(size, share, chance))
        assert stats.binom.sf(rank - 1, size, share) <= chance < stats.binom.sf(rank - 2, size, share)
    # With n values all are below the 0.95 quantile in 0.95^n of cases: 225 are the first of which that is rarer than 1e-5.
    assert [float(highest_rank(size, 0.95, 1e-5)) <= size for size in (224, 225)] == [False, True]


FINE = Durations.of({"0.1": 50, "0.125": 90, "0.25": 95, "+Inf": 100})


def test_a_quantile_is_interpolated_as_prometheus_does_and_unknown_beyond_the_last_bound() -> None:
    assert FINE.quantile(0.25) == pytest.approx(0.05)
    assert FINE.quantile(0.70) == pytest.approx(0.1125)
    assert FINE.quantile(0.95) == pytest.approx(0.25)
    assert FINE.quantile(0.951) == math.inf


@pytest.mark.parametrize(
    ("limit", "slower"),
    [
        (0.125, 10),
        (0.125 * (1 - 1e-12), 10),  # the same bound, computed another way
        (0.125 / 1.25**0.5, 50 * 0.2**0.5),  # half of a narrow bucket, as ratios go
        (0.126, 5),  # a wide one: those five may all have taken 0.1251 s
        (0.25, 5),
        (0.3, 0),  # nobody knows how slow the last ones are
        (0.05, 50),  # the first bucket is as wide as they come
    ],
)
def test_those_that_are_slower_are_counted_only_where_the_histogram_tells(limit: float, slower: float) -> None:
    assert FINE.slower(limit) == pytest.approx(slower)


def test_of_a_light_tail_never_too_many_are_counted_as_slower() -> None:
    """The survival function of a lognormal, which nobody with only the counts at two bounds knows."""
    for low in (1.5, 2.0, 3.0):
        spread = stats.lognorm(0.5)
        counts = [float(10**6 * spread.cdf(bound)) for bound in (low, low * 1.25)]
        durations = Durations(np.array([low, low * 1.25, np.inf]), np.array([*counts, 10.0**6]))
        limits = low * np.linspace(1, 1.25, 20)
        error = durations.slower(limits) / (10**6 * spread.sf(limits)) - 1
        assert error.min() > -0.05 and error.max() < 1e-9
        line = 1 - (counts[0] + np.linspace(0, 1, 20) * (counts[1] - counts[0])) / 10**6
        assert (line / spread.sf(limits) - 1).max() > 0.02, "a straight line"


def test_the_highest_quantile_is_a_value_in_a_narrow_bucket_and_the_bound_of_a_wide_one() -> None:
    rank = float(highest_rank(100, 0.5, 1e-5))
    assert (rank, float(FINE.highest_quantile(0.5, 1e-5))) == (72, pytest.approx(0.1 + 0.025 * 22 / 40))
    assert float(highest_rank(100, 0.85, 1e-2)) == 94
    assert float(FINE.highest_quantile(0.85, 1e-2)) == 0.25
    assert FINE.highest_quantile(0.95, 1e-5) == math.inf, "too few"


def test_many_histograms_are_read_at_once_as_one_by_one() -> None:
    counts = np.array([[50.0, 90, 95, 100], [0, 0, 700, 1000], [1, 1, 1, 1]])
    many = Durations(FINE.bounds, counts)
    ones = [Durations(FINE.bounds, row) for row in counts]
    limits = np.array([0.11, 0.2, 0.01])
    assert many.quantile(0.5) == pytest.approx(np.array([float(one.quantile(0.5)) for one in ones]))
    assert many.slower(limits) == pytest.approx(
        np.array([float(one.slower(limit)) for one, limit in zip(ones, limits, strict=True)])
    )
    assert many.highest_quantile(0.5, 0.01) == pytest.approx(np.array([float(one.highest_quantile(0.5, 0.01)) for one in ones]))
