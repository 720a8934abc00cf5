"""What somebody measured of a track: a histogram that counts what it says."""

from __future__ import annotations

import pytest
from bento_gitops.layers.reading import read
from bento_gitops.model.evidence import ObservedAnalysis
from bento_gitops.model.problem import InvalidInput


def _read(durations: str) -> None:
    text = f"window: 10m\ntracks:\n  green:\n    requests: 9\n    errors: 0\n    durations: {durations}\n"
    read(text, "seen.yaml", ObservedAnalysis)


def test_bounds_may_come_in_any_order_and_counts_may_stay_the_same() -> None:
    _read('{"+Inf": 9, "10": 9, "2.5": 4, "1e-05": 0}')


@pytest.mark.parametrize(
    ("durations", "wrong"),
    [
        ('{"0.1": 5, "0.25": 4, "+Inf": 9}', "falls from 5 at 0.1 s to 4 at 0.25 s"),
        ('{"0.1": 5, "+Inf": 4}', "falls from 5 at 0.1 s to 4 at inf s"),
        ('{"0.1": 5}', '"+Inf" does'),
        ("{}", '"+Inf" does'),
        ('{"fast": 5, "+Inf": 9}', "has the bound 'fast', which is no time"),
        ('{"NaN": 5, "+Inf": 9}', "has the bound 'NaN', which is no time"),
        ('{"0": 5, "+Inf": 9}', "has the bound '0', which is no time"),
        ('{"0.5": 5, "0.50": 5, "+Inf": 9}', "has the bound 0.5 twice"),
        ('{"+Inf": 8.5}', "8.5"),
        ('{"+Inf": -1}', "-1"),
    ],
)
def test_a_histogram_that_cannot_be_one_is_told_with_its_place(durations: str, wrong: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        _read(durations)
    (problem,) = raised.value.problems
    assert str(problem).startswith("seen.yaml:6: tracks.green.durations"), problem
    assert wrong in str(problem)
