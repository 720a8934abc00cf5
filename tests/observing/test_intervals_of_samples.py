"""Intervals of quantiles of two samples: known values, and how often the truth lies in them."""

from __future__ import annotations

import math
import random

import pytest
from bento_gitops.observing.statistics import difference_of_quantiles, ratio_of_quantiles
from scipy import stats


def test_a_quantile_beside_a_constant_has_the_interval_that_order_statistics_give_it() -> None:
    """Another formula for the same: the ranks between which the 0.95 quantile of 1000 values lies are binomial."""
    ranks = [float(rank) for rank in range(1, 1001)]
    low, high = stats.binom.ppf((0.025, 0.975), 1000, 0.95)
    found = difference_of_quantiles(ranks, [0.0, 0.0], 0.95, seed=7)
    assert math.isclose(found.estimate, 950.05)
    assert (found.low, found.high) == pytest.approx((low, high), abs=2)
    divided = ratio_of_quantiles(ranks, [10.0, 10.0], 0.95, seed=7)
    assert (10 * divided.estimate, 10 * divided.low, 10 * divided.high) == pytest.approx((found.estimate, found.low, found.high))


def test_the_truth_lies_in_most_intervals_and_not_in_all() -> None:
    chance = random.Random(11)
    inside = 0
    for seed in range(60):
        own = [1.3 * chance.lognormvariate(0, 0.5) for _ in range(150)]
        other = [chance.lognormvariate(0, 0.5) for _ in range(300)]
        found = ratio_of_quantiles(own, other, 0.9, seed=seed)
        assert found.low < found.estimate < found.high
        inside += found.low <= 1.3 <= found.high
    assert 52 <= inside < 60, "95 in a hundred are 57"


def test_the_same_seed_gives_the_same_interval_and_another_seed_nearly() -> None:
    own, other = [0.1, 0.2, 0.25, 0.4, 0.8] * 20, [0.1, 0.15, 0.2, 0.3] * 20
    first, again, third = (difference_of_quantiles(own, other, 0.5, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert (third.low, third.high) == pytest.approx((first.low, first.high), abs=0.05)


def test_one_value_has_no_interval_and_nothing_is_divided_by_zero() -> None:
    with pytest.raises(ValueError, match="two values of each, and there are 1 and 3"):
        difference_of_quantiles([1.0], [1.0, 2.0, 3.0], 0.5, seed=1)
    with pytest.raises(ValueError, match="values above 0"):
        ratio_of_quantiles([1.0, 2.0], [0.0, 2.0], 0.5, seed=1)
