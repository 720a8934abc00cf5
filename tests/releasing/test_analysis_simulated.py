"""How often canary analysis is wrong, in small; and that the simulation decides as the commands do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from bento_gitops.model.evidence import Measured, ObservedAnalysis
from bento_gitops.releasing.analysis import judge
from bento_gitops.releasing.evidence import recorded
from bento_gitops.releasing.plan import Limits, Plan
from bento_gitops.releasing.stepping import next_step
from release_world import HERE, START, Sizes, observation, release_of

from benchmarks.canary_analysis import (
    BLAMED,
    BORDERLINE,
    DEFAULT,
    GIVEN_UP,
    GOOD,
    PASSED,
    PLAN,
    Candidate,
    Counts,
    Simulated,
    rollout,
    step,
    verdicts,
)

TWICE_AS_SLOW = Candidate("slow", slower=2.0)
FAILING = Candidate("failing", errors=0.2)
ONE_STEP = replace(PLAN, steps=(5,))


def _measured(counts: Counts, run: int, look: int) -> Measured:
    bounds = [f"{bound:.12g}" if np.isfinite(bound) else "+Inf" for bound in counts.durations.bounds]
    durations = {bound: int(count) for bound, count in zip(bounds, counts.durations.counts[run, look], strict=True)}
    return Measured(requests=int(counts.requests[run, look]), errors=int(counts.errors[run, look]), durations=durations)


@pytest.mark.parametrize("bounds", [None, DEFAULT])
@pytest.mark.parametrize(
    ("candidate", "per_minute", "beside"),
    [
        (Candidate("near its limits", 0.045, 1.4, stable_errors=0.005), 60, 300),
        (Candidate("near its limits, few requests to stable", 0.05, 1.6, stable_errors=0.005), 60, 30),
        (Candidate("alone", 0.04, 1.0), 40, 0),
        (Candidate("slow", 0.001, 1.8), 30, 400),
    ],
)
def test_the_simulation_judges_as_commands_do(candidate: Candidate, per_minute: float, beside: float, bounds) -> None:
    runs, looks, limits = 6, 40, Limits(min_requests=100)
    tracks = Simulated.of(runs, 5, bounds or DEFAULT) if bounds else Simulated.of(runs, 5)
    own = tracks.asked(per_minute, candidate.errors, candidate.slower, np.arange(runs), looks)
    other = tracks.asked(beside, candidate.stable_errors, 1.0, np.arange(runs), looks) if beside else None
    absolute = tracks.p95[:, None] * 1.3
    bad, good = verdicts(own, other, limits, absolute)
    told: set[str] = set()
    for run in range(runs):
        for look in range(0, looks, 4):
            measured = {"green": _measured(own, run, look)}
            if other:
                measured["blue"] = _measured(other, run, look)
            seen = ObservedAnalysis(window="10m", tracks=measured)
            found = judge(seen, "green", "blue", replace(limits, max_p95=float(absolute[run, 0])))
            expected = "bad" if bad[run, look] else "good" if good[run, look] else "unclear"
            assert found.verdict == expected, (run, look, found)
            told.add(found.verdict)
    assert len(told) > 1, told


@pytest.mark.parametrize(
    ("candidate", "ends"), [(GOOD, PASSED), (FAILING, BLAMED), (Candidate("borderline", errors=0.03, slower=1.3), None)]
)
def test_a_simulated_step_ends_when_canary_step_ends_it(candidate: Candidate, ends: int | None) -> None:
    plan = Plan(interval=timedelta(minutes=5), limits=Limits(patience=timedelta()))
    runs = np.arange(5)
    found = step(Simulated.of(5, 2), candidate, 60, 1140, plan, runs)
    tracks = Simulated.of(5, 2)  # the same requests once more
    own = tracks.asked(60, candidate.errors, candidate.slower, runs, 20)
    other = tracks.asked(1140, candidate.stable_errors, 1.0, runs, 20)
    release = release_of(
        'stable: blue\ncandidate: green\ntracks:\n  blue: {bundle: "1.0.0", weight: 95}\n'
        '  green: {bundle: "1.1.0", weight: 5, ready_for: 25}\n'
    )
    needed = Sizes().of_track(release, "green")
    evidence, _ = recorded(None, observation(release, Sizes(), START), release, "green", "app", needed, HERE)
    for run in range(5):
        done, look = None, -1
        while (done is None or done.deed == "hold") and look < 19:
            look += 1
            now = START + timedelta(seconds=15 * (look + 1))
            measured = {"green": _measured(own, run, look), "blue": _measured(other, run, look)}
            seen = observation(release, Sizes(), now, analysis=ObservedAnalysis(window="5m", tracks=measured))
            done = next_step(release, plan, seen, evidence, HERE, needed, now)
        assert done is not None
        how = {"shift": PASSED, "abort": BLAMED if done.to_blame else GIVEN_UP}[done.deed]
        assert (how, (look + 1) / 4) == (found.how[run], found.minutes[run]), (run, done)
        assert ends in (None, how)


def test_candidates_that_are_not_bad_are_hardly_ever_called_so() -> None:
    """One in a hundred rollouts is what is promised; it is far fewer."""
    for candidate, requests, runs in ((GOOD, 600, 300), (BORDERLINE, 600, 300), (BORDERLINE, 6000, 150)):
        found = rollout(candidate, requests, PLAN, runs, seed=3)
        assert found.share(BLAMED) <= 0.01, (candidate.name, requests)
    assert rollout(GOOD, 600, PLAN, 300, seed=4).share(PASSED) > 0.97


def test_bad_candidates_do_not_get_through_and_go_soon() -> None:
    for candidate, minutes in ((FAILING, 2), (TWICE_AS_SLOW, 5)):
        found = rollout(candidate, 1000, ONE_STEP, 100, seed=3)
        assert found.share(BLAMED) == 1, candidate.name
        assert found.median(found.minutes, BLAMED) <= minutes


def test_wide_buckets_prove_little_and_let_nothing_through_that_is_twice_as_slow() -> None:
    found = rollout(TWICE_AS_SLOW, 1000, ONE_STEP, 60, seed=3, bounds=DEFAULT)
    assert found.share(GIVEN_UP) >= 0.95
