"""Whether a candidate is judged good, bad, or not at all."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
from bento_gitops.model.evidence import Measured, ObservedAnalysis
from bento_gitops.model.rollout import Query
from bento_gitops.releasing.analysis import judge
from bento_gitops.releasing.plan import Limits
from release_world import GOOD

STABLE = Measured(requests=10_000, errors=50, p95=0.2)


def _judged(own: Measured | None, other: Measured | None = STABLE, limits: Limits | None = None, **queries: float | None):
    tracks = {name: measured for name, measured in (("green", own), ("blue", other)) if measured}
    return judge(ObservedAnalysis(window="10m", tracks=tracks, queries=queries), "green", "blue", limits or Limits())


def _own(requests: int = 1000, errors: int = 0, p95: float | None = 0.2) -> Measured:
    return Measured(requests=requests, errors=errors, p95=p95)


@pytest.mark.parametrize(
    ("own", "verdict", "reason"),
    [
        (_own(), "good", "1000 requests in 10m: 0 % errors, p95 0.2 s"),
        (None, "unclear", "0 requests to green in 10m, of 200 that it takes to judge"),
        (_own(199), "unclear", "199 requests to green in 10m, of 200 that it takes to judge"),
        (_own(200), "good", "200 requests in 10m: 0 % errors, p95 0.2 s"),
        (_own(199, 4), "unclear", "199 requests to green in 10m, of 200 that it takes to judge"),
        (_own(errors=15), "good", "1000 requests in 10m: 1.5 % errors, p95 0.2 s"),
        (_own(errors=21), "unclear", "2.1 % of 1000 requests fail, above 2 %; that may be chance"),
        (_own(errors=44), "bad", "4.4 % of 1000 requests fail (at least 2.14 %), above 2 %"),
        (
            _own(errors=16),
            "unclear",
            "1.6 % of 1000 requests fail, more than 1 % above blue, where 0.5 % do; that may be chance",
        ),
        (
            _own(10_000, errors=230),
            "bad",
            "2.3 % of 10000 requests fail (at least 1.11 % above), more than 1 % above blue, where 0.5 % do",
        ),
        (_own(p95=None), "unclear", "there is no p95 of green"),
        (_own(errors=44, p95=None), "bad", "4.4 % of 1000 requests fail (at least 2.14 %), above 2 %"),
    ],
)
def test_a_candidate_is_judged_by_limits_and_by_the_stable_track(own: Measured | None, verdict: str, reason: str) -> None:
    found = _judged(own)
    assert (found.verdict, found.reasons) == (verdict, (reason,))


@pytest.mark.parametrize(("requests", "verdict"), [(2, "unclear"), (3, "bad"), (199, "bad")])
def test_a_candidate_that_fails_at_everything_is_bad_before_there_are_enough_requests(requests: int, verdict: str) -> None:
    """Of a candidate that keeps the limit of 2 %, three of three fail eight times in a million."""
    assert _judged(_own(requests, requests)).verdict == verdict


def test_what_is_proven_is_told_and_what_is_not_is_left_out() -> None:
    """3 % of these are above both limits, and only the one beside stable is proven."""
    stable = Measured(requests=100_000, errors=0, p95=0.2)
    found = _judged(_own(2000, 60), stable)
    assert found.reasons == ("3 % of 2000 requests fail (at least 1.64 % above), more than 1 % above blue, where 0 % do",)


@pytest.mark.parametrize(
    ("p95", "verdict", "reason"),
    [
        (0.25, "good", "1000 requests in 10m: 0 % errors, p95 0.25 s"),
        (
            0.26,
            "bad",
            "p95 is 0.26 s, more than 1.25 times that of blue (0.2 s) (compared as it stands: there are no durations)",
        ),
    ],
)
def test_a_bare_p95_is_compared_as_it_stands_and_the_reason_says_so(p95: float, verdict: str, reason: str) -> None:
    found = _judged(_own(p95=p95))
    assert (found.verdict, found.reasons) == (verdict, (reason,))
    assert _judged(_own(199, p95=p95)).verdict == "unclear"


def _timed(*slower: tuple[float, int], requests: int = 1000) -> Measured:
    """Requests of which so many took longer than each of these seconds, by a quarter at most; the others took 0.1 s at most."""
    counts = {"0.1": requests - sum(more for _, more in slower)}
    for bound, more in slower:
        before = max(counts.values())
        counts |= {f"{bound:g}": before, f"{bound * 1.25:g}": before + more}
    return Measured(requests=requests, errors=0, durations={**counts, "+Inf": requests})


FAST = _timed((0.1, 1000), (0.125, 400), requests=10_000)
"""4 % take longer than 0.125 s: the p95 lies in the bucket before."""


@pytest.mark.parametrize(
    ("own", "verdict", "reason"),
    [
        (FAST, "good", "10000 requests in 10m: 0 % errors, p95 0.122 s"),
        (
            _timed((0.16, 60)),
            "unclear",
            "p95 is 0.167 s, more than 1.25 times that of blue (0.122 s); that may be chance",
        ),
        (
            _timed((0.16, 120)),
            "bad",
            "p95 is 0.183 s, more than 1.25 times that of blue (0.122 s): "
            "12 % of 1000 requests are slower than 0.156 s (at least 8.05 %), and 5 % may be",
        ),
        (_timed((0.16, 12), requests=199), "unclear", "199 requests to green in 10m, of 200 that it takes to judge"),
        (
            _timed((0.16, 100), requests=100),
            "bad",
            "p95 is 0.198 s, more than 1.25 times that of blue (0.122 s): "
            "100 % of 100 requests are slower than 0.156 s (at least 89.1 %), and 5 % may be",
        ),
    ],
)
def test_a_candidate_is_slow_when_too_many_requests_surely_are(own: Measured, verdict: str, reason: str) -> None:
    found = _judged(own, FAST)
    assert (found.verdict, found.reasons) == (verdict, (reason,))


def test_what_is_slow_by_its_own_limit_is_bad_however_slow_stable_is() -> None:
    slow = _timed((0.8, 200))
    found = _judged(slow, slow, Limits(max_p95=0.5))
    assert found.reasons == (
        "p95 is 0.95 s, above 0.5 s: 20 % of 1000 requests are slower than 0.5 s (at least 15 %), and 5 % may be",
    )
    assert _judged(slow, slow).verdict == "good"


def test_a_p95_is_no_proof_where_a_bucket_is_too_wide_to_tell() -> None:
    """All of the slow ones may have taken 0.26 s: Prometheus would say 0.49 s."""
    wide = Measured(requests=100_000, errors=0, durations={"0.25": 10_000, "0.5": 100_000, "+Inf": 100_000})
    found = _judged(wide, None, Limits(max_p95=0.3))
    assert (found.verdict, found.reasons) == ("unclear", ("p95 is 0.486 s, above 0.3 s; that may be chance",))


@pytest.mark.parametrize(
    ("own", "limits", "verdict", "reason"),
    [
        ({"1": 50, "+Inf": 1000}, Limits(max_p95=0.5), "bad", "p95 is beyond the last bucket, above 0.5 s: 95 % of 1000 "),
        ({"1": 50, "+Inf": 1000}, Limits(max_p95=2), "unclear", "p95 is beyond the last bucket, above 2 s; that may be chance"),
        ({"1": 50, "+Inf": 1000}, Limits(), "unclear", "the p95 of blue is beyond the last bucket of its durations, and so is"),
        ({"1": 990, "+Inf": 1000}, Limits(), "good", "1000 requests in 10m: 0 % errors, p95 0.96 s"),
        ({"1": 99, "+Inf": 100}, Limits(), "unclear", "100 durations of green, of 200 that it takes to judge"),
        ({"1": 0, "+Inf": 0}, Limits(), "unclear", "there is no p95 of green"),
    ],
)
def test_what_a_histogram_does_not_tell_is_not_taken_for_good(
    own: dict[str, int], limits: Limits, verdict: str, reason: str
) -> None:
    beyond = Measured(requests=1000, errors=0, durations={"1": 0, "+Inf": 1000})
    found = _judged(Measured(requests=1000, errors=0, durations=own), beyond, limits)
    assert (found.verdict, found.reasons[0][: len(reason)]) == (verdict, reason)


def test_too_few_requests_to_stable_prove_nothing_of_its_p95() -> None:
    """Of fewer than 225 nobody can say within what time 95 % of all are: chance may have left out every slow one."""
    slow, quick = _timed((0.8, 1000)), {"0.1": 1000, "+Inf": 1000}
    for requests, verdict in ((224, "unclear"), (225, "bad")):
        counts = dict.fromkeys(quick, requests)
        assert _judged(slow, Measured(requests=requests, errors=0, durations=counts)).verdict == verdict


def test_without_measurements_nothing_is_judged() -> None:
    assert judge(None, "green", "blue", Limits()).verdict == "unclear"


@pytest.mark.parametrize("other", [None, _own(199, 199)])
def test_a_stable_track_with_few_requests_is_nothing_to_compare_with(other: Measured | None) -> None:
    found = _judged(_own(errors=19, p95=5.0), other)
    assert found.verdict == "good"
    assert found.reasons[0].endswith("; blue had too few to compare with")


def test_a_bad_stable_track_makes_no_candidate_good() -> None:
    assert _judged(_own(errors=50), _own(errors=500)).verdict == "bad"


QUERIES = replace(Limits(), queries={"conversion": Query(query="x", min=0.2), "refunds": Query(query="y", max=3)})


@pytest.mark.parametrize(
    ("conversion", "refunds", "verdict", "reasons"),
    [
        (0.2, 3.0, "good", None),
        (0.1, 4.0, "bad", ("query conversion gives 0.1, below 0.2", "query refunds gives 4, above 3")),
        (0.2, None, "unclear", ("query refunds gave no number",)),
        (0.1, None, "bad", ("query conversion gives 0.1, below 0.2",)),
    ],
)
def test_business_queries_judge_too(conversion: float, refunds: float | None, verdict: str, reasons) -> None:
    found = _judged(GOOD, limits=QUERIES, conversion=conversion, refunds=refunds)
    assert found.verdict == verdict
    assert reasons is None or found.reasons == reasons


def test_every_reason_is_told_at_once() -> None:
    found = _judged(_own(errors=500, p95=3.0), limits=replace(QUERIES, max_p95=1.0), conversion=0.1, refunds=9.0)
    assert len(found.reasons) == 4


def test_statistics_are_loaded_only_for_what_is_above_a_limit() -> None:
    """They take longer to load than a rollback takes."""
    code = """
import sys
from bento_gitops.model.evidence import Measured, ObservedAnalysis
from bento_gitops.operations import canary_step, releases
from bento_gitops.releasing.analysis import judge
from bento_gitops.releasing.plan import Limits
assert {"numpy", "scipy"}.isdisjoint(sys.modules), "imports"
for errors, verdict in ((0, "good"), (900, "bad")):
    own = Measured(requests=1000, errors=errors, durations={"0.1": 1000, "+Inf": 1000})
    assert judge(ObservedAnalysis(window="10m", tracks={"green": own}), "green", "blue", Limits()).verdict == verdict
    assert ("scipy" in sys.modules) == bool(errors), verdict
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
