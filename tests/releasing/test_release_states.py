"""The state of a release, derived from its file, and the plan by which it goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bento_gitops.model.base import timestamp
from bento_gitops.model.release import Release
from bento_gitops.model.rollout import Analysis, Query, Rollout, StandbyPlan
from bento_gitops.releasing.plan import Limits, Plan, plan_of
from bento_gitops.releasing.states import drained, free_name, leftovers, removable, runs_already, state_of, swaps_back, weights
from release_world import START, release_of


def _with_candidate(weight: int) -> Release:
    return release_of(
        f'stable: blue\ncandidate: green\ntracks:\n  blue: {{bundle: "1.0.0", weight: {100 - weight}}}\n'
        f'  green: {{bundle: "1.1.0", weight: {weight}, ready_for: 100}}\n'
    )


MANY = release_of(
    'stable: green\nprevious: {bundle: "1.0.0"}\ntracks:\n'
    '  teal: {bundle: "1.0.0", weight: 0}\n  blue: {bundle: "1.0.0", weight: 0}\n  green: {bundle: "1.1.0", weight: 100}\n'
    f"standby: {{track: blue, until: {timestamp(START + timedelta(hours=1))}, capacity: full}}\n"
)


@pytest.mark.parametrize(("weight", "state"), [(0, "staged"), (1, "shifting"), (99, "shifting"), (100, "full")])
def test_the_state_is_the_candidates_weight(weight: int, state: str) -> None:
    assert state_of(_with_candidate(weight)) == state


def test_without_a_candidate_a_release_is_steady_and_without_a_file_absent() -> None:
    assert state_of(MANY) == "steady"
    assert state_of(None) == "absent"
    assert weights(None) == {}


def test_a_track_without_a_part_is_on_its_way_out() -> None:
    assert [name for name, _ in leftovers(MANY)] == ["teal"]
    assert list(leftovers(_with_candidate(5))) == []


@pytest.mark.parametrize(("minutes", "gone"), [(4, []), (5, ["teal"]), (59, ["teal"]), (60, ["blue", "teal"])])
def test_tracks_go_when_they_drained_and_a_standby_at_its_end(minutes: int, gone: list[str]) -> None:
    assert removable(MANY, START + timedelta(minutes=minutes)) == gone


def test_a_track_with_requests_never_drained() -> None:
    assert not drained(_with_candidate(1), "green", START + timedelta(days=9))


def test_a_track_drains_from_when_its_own_weight_became_none() -> None:
    track = MANY.tracks["teal"].model_copy(update={"shifted": timestamp(START - timedelta(minutes=5))})
    assert drained(MANY.model_copy(update={"tracks": {**MANY.tracks, "teal": track}}), "teal", START)


def test_a_free_name_is_the_first_colour_that_no_track_has() -> None:
    assert free_name(MANY) == "amber"


def test_of_tracks_that_run_a_bundle_the_standby_comes_first() -> None:
    assert runs_already(MANY, "1.0.0") == "blue"
    assert runs_already(MANY.model_copy(update={"standby": None}), "1.0.0") == "teal"
    assert runs_already(MANY, "1.1.0") is None, "stable is what one goes back from"


def test_only_a_full_standby_of_the_previous_bundle_makes_rollback_one_commit() -> None:
    assert MANY.standby
    assert MANY.previous
    small = MANY.tracks["blue"].model_copy(update={"ready_for": 5})
    for changes in (
        {"standby": None},
        {"previous": None},
        {"previous": MANY.previous.model_copy(update={"bundle": "0.9.0"})},
        {"standby": MANY.standby.model_copy(update={"capacity": "warm"})},
        {"standby": MANY.standby.model_copy(update={"capacity": "cold"})},
        {"tracks": {**MANY.tracks, "blue": small}},
        {"candidate": "teal"},
    ):
        assert not swaps_back(MANY.model_copy(update=changes)), changes
    assert swaps_back(MANY)


@pytest.mark.parametrize(("weight", "following"), [(0, 1), (1, 5), (3, 5), (49, 50), (50, 100), (100, 100)])
def test_the_next_weight_is_the_next_step_above(weight: int, following: int) -> None:
    assert Plan().after(weight) == following


def test_what_the_layers_do_not_say_of_a_rollout_is_the_plan_of_everybody() -> None:
    assert plan_of(None) == plan_of(Rollout()) == Plan()


def test_what_the_layers_say_of_a_rollout_holds() -> None:
    query = Query(query="conversion", min=0.2)
    said = Rollout(
        steps=[10, 100],
        interval="0s",
        standby=StandbyPlan(keep="0s", capacity="cold"),
        analysis=Analysis(
            min_requests=1,
            max_error_ratio=0.0,
            error_ratio_over_stable=0.0,
            p95_over_stable=1.0,
            patience="0s",
            max_p95=0.5,
            queries={"conversion": query, "taken-back": None},
        ),
    )
    limits = Limits(1, 0.0, 0.0, 0.5, 1.0, timedelta(), {"conversion": query})
    assert plan_of(said) == Plan("canary", (10, 100), timedelta(), timedelta(), "cold", limits)


def test_blue_green_is_one_step_whatever_steps_a_canary_has() -> None:
    assert plan_of(Rollout(strategy="blue-green", steps=[5, 100])).steps == (100,)
