"""Whether a candidate is judged good, bad, or not at all."""

from __future__ import annotations

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
        (_own(), "good", "1000 requests in 10m: 0.00% errors, p95 0.2 s"),
        (None, "unclear", "0 requests to green in 10m, of 200 that it takes to judge"),
        (_own(199), "unclear", "199 requests to green in 10m, of 200 that it takes to judge"),
        (_own(200), "good", "200 requests in 10m: 0.00% errors, p95 0.2 s"),
        (_own(199, 4), "unclear", "199 requests to green in 10m, of 200 that it takes to judge"),
        (_own(5, 5), "bad", "5 of 5 requests to green fail: too many, even if all others up to 200 do not"),
        (_own(errors=15), "good", "1000 requests in 10m: 1.50% errors, p95 0.2 s"),
        (_own(errors=16), "bad", "1.60% of its requests fail, more than 1.00% above blue, where 0.50% do"),
        (_own(errors=21), "bad", "2.10% of its requests fail, above 2.00%"),
        (_own(p95=0.25), "good", "1000 requests in 10m: 0.00% errors, p95 0.25 s"),
        (_own(p95=0.26), "bad", "p95 is 0.26 s, more than 1.25 times that of blue (0.2 s)"),
        (_own(p95=None), "unclear", "there is no p95 of green"),
        (_own(errors=21, p95=None), "bad", "2.10% of its requests fail, above 2.00%"),
    ],
)
def test_a_candidate_is_judged_by_limits_and_by_the_stable_track(own: Measured | None, verdict: str, reason: str) -> None:
    found = _judged(own)
    assert (found.verdict, found.reasons) == (verdict, (reason,))


def test_without_measurements_nothing_is_judged() -> None:
    assert judge(None, "green", "blue", Limits()).verdict == "unclear"


@pytest.mark.parametrize("other", [None, _own(199, 199)])
def test_a_stable_track_with_few_requests_is_nothing_to_compare_with(other: Measured | None) -> None:
    found = _judged(_own(errors=19, p95=5.0), other)
    assert found.verdict == "good"
    assert found.reasons[0].endswith("; blue had too few to compare with")


def test_a_bad_stable_track_makes_no_candidate_good() -> None:
    assert _judged(_own(errors=30), _own(errors=500)).verdict == "bad"


def test_what_is_slow_by_its_own_limit_is_bad_however_slow_stable_is() -> None:
    found = _judged(_own(p95=0.9), _own(p95=0.9), Limits(max_p95=0.5))
    assert found.reasons == ("p95 is 0.9 s, above 0.5 s",)


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
