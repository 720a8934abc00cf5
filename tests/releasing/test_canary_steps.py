"""`canary step`: what comes next, in each state, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bento_gitops.model.base import timestamp
from bento_gitops.model.evidence import Evidence, Measured, Observation, ObservedTrack
from bento_gitops.model.release import Release
from bento_gitops.releasing.evidence import recorded
from bento_gitops.releasing.plan import Limits, Plan
from bento_gitops.releasing.stepping import Step, next_step
from release_world import BAD, FEW, GOOD, HERE, START, Sizes, observation, release_of

PLAN = Plan(limits=Limits(patience=timedelta(minutes=30)))


def _canary(weight: int, ready_for: int | None = None, more: str = "") -> Release:
    ready = weight if ready_for is None else ready_for
    when = f"shifted: {timestamp(START)}"
    return release_of(
        f'stable: blue\ncandidate: green\ntracks:\n  blue: {{bundle: "1.0.0", weight: {100 - weight}, {when}}}\n'
        f'  green: {{bundle: "1.1.0", weight: {weight}, ready_for: {ready}, {when}}}\n{more}'
    )


def _live(release: Release) -> Evidence:
    """The candidate was seen live a minute after START."""
    needed = Sizes().of_track(release, "green")
    seen = observation(release, Sizes(), START + timedelta(minutes=1))
    return recorded(None, seen, release, "green", "app", needed, HERE)[0]


def _step(
    release: Release,
    minutes: float,
    measured: Measured | None = GOOD,
    *,
    live: bool = True,
    plan: Plan = PLAN,
    seen: Observation | None = None,
    **changes: Any,
) -> Step:
    now = START + timedelta(minutes=minutes)
    seen = seen or observation(release, Sizes(), now, measured, **changes)
    needed = Sizes().of_track(release, release.candidate or release.stable)
    return next_step(release, plan, seen, _live(release) if live and release.candidate else None, HERE, needed, now)


@pytest.mark.parametrize(
    ("release", "minutes", "deed", "weight", "reason"),
    [
        (_canary(0), 1, "prepare", 1, "pods for the next weight, 1 %"),
        (_canary(0, 1), 1, "shift", 1, "the pods of green are ready"),
        (_canary(5), 10.9, "hold", None, "5 % for 9m54s of 10m; 1000 requests in 10m: 0.1 % errors, p95 0.2 s"),
        (_canary(5), 11, "prepare", 25, "pods for the next weight, 25 %"),
        (_canary(5, 25), 11, "shift", 25, "1000 requests in 10m: 0.1 % errors, p95 0.2 s"),
        (_canary(7, 60), 11, "shift", 25, "1000 requests in 10m: 0.1 % errors, p95 0.2 s"),
        (_canary(50), 11, "prepare", 100, "pods for the next weight, 100 %"),
        (_canary(100), 11, "finish", None, "1000 requests in 10m: 0.1 % errors, p95 0.2 s; blue had too few to compare with"),
    ],
)
def test_a_good_candidate_goes_on_by_one_thing_at_a_time(release, minutes, deed, weight, reason) -> None:
    assert _step(release, minutes) == Step(deed, reason, weight)


def test_the_interval_begins_when_the_weight_was_seen_live() -> None:
    assert _step(_canary(5), 600, live=False) == Step("record", "green is live with 5 %: the interval begins", 5)


def test_what_was_seen_with_other_values_does_not_count() -> None:
    release = _canary(5, 25)
    elsewhere = replace(HERE, fingerprint=f"sha256:{'b' * 64}")
    now = START + timedelta(minutes=30)
    found = next_step(
        release, PLAN, observation(release, Sizes(), now), _live(release), elsewhere, Sizes().of_track(release, "green"), now
    )
    assert found.deed == "record"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cluster": "prod-us"}, "the observation is of cluster prod-us, and this is prod-eu: no data is not success"),
        (
            {"weights": {"blue": 100}},
            "Git is not live yet: blue has 100 % live and 95 % in Git; green has 0 % live and 5 % in Git",
        ),
        ({"weights": None}, "Git is not live yet: nobody looked at the live route"),
        ({"analysis": None}, "nobody measured"),
    ],
)
def test_without_knowing_that_all_is_well_nothing_is_done(changes: dict[str, Any], reason: str) -> None:
    seen = observation(_canary(5, 25), Sizes(), START + timedelta(minutes=20)).model_copy(update=changes)
    assert _step(_canary(5, 25), 20, seen=seen) == Step("hold", reason)


def test_an_observation_from_before_the_weight_was_set_decides_nothing() -> None:
    seen = observation(_canary(5), Sizes(), START - timedelta(seconds=1))
    assert _step(_canary(5), 1, seen=seen, live=False) == Step(
        "hold", "the observation is of 2026-11-02T09:59:59Z, before what Git says now: no data is not success"
    )


@pytest.mark.parametrize("weight", [0, 5, 100])
def test_no_request_goes_to_pods_that_are_not_ready_and_the_way_back_stays(weight: int) -> None:
    release = _canary(weight, max(weight, 50))
    seen = observation(release, Sizes(), START + timedelta(minutes=20))
    green = seen.tracks["green"]
    for ready, reason in (
        ({"Api": 2, "Runner": 1}, f"waiting for pods of green: Runner 1 of {4 if weight == 100 else 2}"),
        (None, "nobody looked at the pods of green"),
    ):
        tracks = {**seen.tracks, "green": green.model_copy(update={"ready": ready})}
        assert _step(release, 20, seen=seen.model_copy(update={"tracks": tracks})) == Step("hold", reason)


@pytest.mark.parametrize("weight", [1, 50, 100])
@pytest.mark.parametrize("more", ["", "paused: {by: anna, reason: looking}\n"])
@pytest.mark.parametrize("live", [True, False])
def test_a_bad_candidate_is_aborted_at_once(weight: int, more: str, live: bool) -> None:
    found = _step(_canary(weight, more=more), 2, BAD, live=live)
    assert found == Step("abort", "50 % of 1000 requests fail (at least 43.2 %), above 2 %")


def test_what_another_bundle_did_under_the_same_name_is_not_the_candidates_fault() -> None:
    seen = observation(_canary(5), Sizes(), START + timedelta(minutes=2), BAD)
    tracks = {**seen.tracks, "green": seen.tracks["green"].model_copy(update={"bundle": "1.0.9"})}
    assert _step(_canary(5), 2, seen=seen.model_copy(update={"tracks": tracks})) == Step(
        "hold", "Git is not live yet: green runs 1.0.9 and is 1.1.0 in Git"
    )


@pytest.mark.parametrize("measured", [FEW, None])
def test_a_candidate_that_nobody_can_judge_is_taken_back_after_interval_and_patience(measured: Measured | None) -> None:
    assert _step(_canary(5), 40.9, measured).deed == "hold"
    found = _step(_canary(5), 41, measured)
    assert found.deed == "abort"
    assert found.reason.startswith("no judgement after 40m at 5 %: ")
    assert not found.to_blame, "nobody found anything wrong with the bundle"


def test_a_paused_candidate_stays_where_it_is() -> None:
    paused = "paused: {by: anna, reason: looking}\n"
    for release in (_canary(0, 1, paused), _canary(5, 25, paused), _canary(100, more=paused)):
        assert _step(release, 60) == Step("hold", "paused by anna: looking")


@pytest.mark.parametrize("capacity", ["warm", "cold"])
def test_finish_waits_for_the_last_requests_where_it_takes_pods(capacity) -> None:
    plan = replace(PLAN, interval=timedelta(), standby=capacity)
    assert _step(_canary(100), 4.9, plan=plan) == Step(
        "hold", "the last requests to blue may be on their way, and finish takes its pods"
    )
    assert _step(_canary(100), 5, plan=plan).deed == "finish"
    assert _step(_canary(100), 1, plan=replace(plan, standby="full")).deed == "finish"


# rollback in two parts


def _restoring(ready_for: int = 100, weight: int = 0, more: str = "") -> Release:
    return release_of(
        'stable: blue\ncandidate: green\nprevious: {bundle: "0.9.3"}\ntracks:\n'
        f'  blue: {{bundle: "1.0.0", weight: {100 - weight}}}\n'
        f'  green: {{bundle: "0.9.3", weight: {weight}, ready_for: {ready_for}}}\n'
        f"rollback: {{by: anna, reason: slow, hold: true}}\n{more}"
    )


def test_a_rollback_goes_on_when_its_pods_are_ready() -> None:
    release = _restoring()
    assert _step(release, 1) == Step("rollback", "the pods of green are ready for all requests")
    seen = observation(release, Sizes(), START + timedelta(minutes=1))
    for ready, reason in (({"Api": 2, "Runner": 3}, "Runner 3 of 4"), (None, "nobody looked")):
        tracks = {**seen.tracks, "green": seen.tracks["green"].model_copy(update={"ready": ready})}
        found = _step(release, 1, seen=seen.model_copy(update={"tracks": tracks}))
        assert found == Step("hold", f"waiting for pods of green: {reason}")


def test_a_rollback_is_not_on_trial() -> None:
    assert _step(_restoring(weight=50), 1, BAD).deed == "rollback"


def test_a_rollback_without_pods_for_everything_asks_for_them_again() -> None:
    assert _step(_restoring(ready_for=50), 1) == Step("rollback", "green needs pods for all requests")


def test_a_paused_rollback_waits() -> None:
    assert _step(_restoring(more="paused: {by: anna, reason: looking}\n"), 1).deed == "hold"


# without a candidate

STANDBY = release_of(
    'stable: green\ntracks:\n  blue: {bundle: "1.0.0", weight: 0}\n  green: {bundle: "1.1.0", weight: 100}\n'
    f"standby: {{track: blue, until: {timestamp(START + timedelta(hours=1))}, capacity: full}}\n"
)


def test_a_standby_stays_until_its_end_and_then_goes() -> None:
    assert _step(STANDBY, 59) == Step("hold", "no candidate; blue stays until 2026-11-02T11:00:00Z")
    assert _step(STANDBY, 60) == Step("retire-standby", "blue drained and past its end")


def test_a_standby_goes_only_when_somebody_saw_that_no_request_reaches_it() -> None:
    now = START + timedelta(hours=1)
    found = next_step(STANDBY, PLAN, None, None, HERE, {}, now)
    assert (found.deed, found.over) == ("hold", False)
    assert found.reason == "no candidate; blue may go when somebody saw that no request reaches it: nobody looked at the cluster"
    assert _step(STANDBY, 60, weights=None).deed == "hold"
    assert _step(STANDBY, 60).deed == "retire-standby"


def test_a_release_of_the_future_is_the_reason_to_wait() -> None:
    ahead = _canary(5).model_copy(update={"since": timestamp(START + timedelta(days=1))})
    found = _step(ahead, 11)
    assert found.deed == "hold" and "future" in found.reason, found


def test_a_candidate_with_requests_and_no_ready_pod_is_taken_back_when_a_node_would_be_gone_by_now() -> None:
    tracks = {
        "blue": ObservedTrack(bundle="1.0.0", ready={"Api": 9, "Runner": 9}),
        "green": ObservedTrack(bundle="1.1.0", ready={"Api": 0, "Runner": 9}),
    }
    assert _step(_canary(5), 1.9, tracks=tracks, live=False).deed == "hold"
    found = _step(_canary(5), 2, tracks=tracks, live=False)
    assert (found.deed, found.reason) == ("abort", "green has 5 % of the requests and no ready pod of Api")
    assert _step(_canary(0, 5), 600, tracks=tracks).deed == "hold", "without requests nobody is hurt"


def test_a_track_that_is_live_though_git_says_otherwise_stays() -> None:
    found = _step(STANDBY, 60, weights={"blue": 40, "green": 60})
    assert found == Step("hold", "no candidate; blue still has 40 % live")


def test_there_is_something_to_wait_for_until_the_last_track_drained() -> None:
    leftover = STANDBY.model_copy(update={"standby": None})
    assert _step(leftover, 4) == Step("hold", "no candidate; blue stays until it drained")
    assert _step(leftover, 5).deed == "retire-standby"
    alone = leftover.model_copy(update={"tracks": {"green": leftover.tracks["green"]}})
    assert _step(alone, 5) == Step("hold", "no candidate", over=True)
