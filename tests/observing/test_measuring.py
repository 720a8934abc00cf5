"""What is asked of Prometheus, and what its answers come to."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from bento_gitops.model.base import moment
from bento_gitops.model.release import Release
from bento_gitops.model.rollout import Query
from bento_gitops.observing.measuring import (
    Sample,
    analysis,
    business_questions,
    measured,
    questions,
    requests_per_minute,
    window_of,
)

SHIFTED = "2026-11-10T09:00:00Z"
NAN = float("nan")


def release(shifted: str = SHIFTED) -> Release:
    return Release.model_validate(
        {
            "apiVersion": "bento-gitops/v1",
            "kind": "Release",
            "stable": "blue",
            "candidate": "green",
            "tracks": {
                "blue": {"bundle": "1.0.0", "weight": 95},
                "green": {"bundle": "1.1.0", "weight": 5, "ready_for": 5, "shifted": shifted},
            },
            "since": "2026-11-10T08:00:00Z",
        }
    )


def at(**later: float) -> datetime:
    return moment(SHIFTED) + timedelta(**later)


def test_the_window_begins_when_no_request_of_the_weight_before_is_in_a_rate_and_is_an_hour_at_most() -> None:
    assert window_of(release(), at(minutes=1)) is None
    assert window_of(release(), at(minutes=1, seconds=29)) is None
    assert window_of(release(), at(minutes=11, seconds=0.7)) == timedelta(minutes=10)
    assert window_of(release(), at(days=2)) == timedelta(hours=1)


def test_without_a_window_only_the_requests_of_now_are_asked_for() -> None:
    assert list(questions("tickets", "prod", None)) == ["now"]
    asked = questions("tickets", "prod", timedelta(minutes=10))
    errors = 'bento:errors:rate1m{application="tickets",environment="prod",role="api"}'
    assert asked["errors"] == f"sum by (track, bundle) (sum_over_time({errors}[600s])) * 30"


def test_a_query_of_one_s_own_gets_the_tracks_the_application_and_the_window() -> None:
    text = 'sum(increase(solved{app="$application",env="$environment",bundle="$bundle",track=~"$track|$stable"}[$window]))'
    asked = business_questions({"solved": Query(query=text, min=1)}, release(), "tickets", "prod", timedelta(minutes=10))
    assert asked == {"solved": 'sum(increase(solved{app="tickets",env="prod",bundle="1.1.0",track=~"green|blue"}[600s]))'}


def test_a_word_in_a_query_that_nothing_fills_in_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"the query has \$tracks, which nothing fills in; use one of \$application, \$bundle"):
        Query(query='sum(solved{track="$tracks"})', min=1)
    assert Query(query='sum(label_replace(solved, "x", "$1", "y", "(.*)"))', min=1), "a group of an expression is none"


def test_counts_are_whole_never_negative_and_cumulative() -> None:
    found = measured(99.6, 100.2, {"0.1": 50.2, "0.05": 50.9, "+Inf": 99.6})
    assert (found.requests, found.errors) == (100, 100)
    assert found.durations == {"0.05": 51, "0.1": 51, "+Inf": 100}
    assert measured(-0.1, 0, {}).durations is None
    assert measured(10, 0, {"0.1": 5}).durations is None, "not all requests are counted"


def test_what_another_bundle_did_under_a_track_s_name_does_not_count() -> None:
    old, new = ({"track": "green", "bundle": bundle} for bundle in ("1.0.9", "1.1.0"))
    answers = {
        "now": [Sample(old, 70), Sample(new, 7)],
        "requests": [Sample(old, 700), Sample(new, 70)],
        "errors": [Sample(old, 9), Sample(new, 0)],
    }
    found = analysis(answers, {}, release(), timedelta(minutes=10))
    assert {name: (one.requests, one.errors) for name, one in found.tracks.items()} == {"green": (70, 0)}
    assert requests_per_minute(answers, release()) == {"green": 7}


@pytest.mark.parametrize(
    ("samples", "number"),
    [
        ([], None),
        ([Sample({}, 0.9)], 0.9),
        ([Sample({}, NAN)], None),
        ([Sample({}, float("inf"))], None),
        ([Sample({"pod": "a"}, 1), Sample({"pod": "b"}, 2)], None),
    ],
)
def test_a_query_gives_a_number_only_where_there_is_exactly_one(samples: list[Sample], number: float | None) -> None:
    found = analysis({}, {"solved": samples}, release(), timedelta(minutes=10))
    assert found.queries == {"solved": number}
    assert found.window == "10m"


@pytest.mark.parametrize("missing", ["requests", "errors"])
def test_a_track_of_which_only_a_part_is_known_is_not_measured(missing: str) -> None:
    label = {"track": "green", "bundle": "1.1.0"}
    answers = {name: [Sample(label, 100)] for name in ("requests", "errors") if name != missing}
    assert analysis(answers, {}, release(), timedelta(minutes=10)).tracks == {}


def test_a_count_without_end_is_no_count() -> None:
    label = {"track": "green", "bundle": "1.1.0"}
    answers = {"requests": [Sample(label, float("inf"))], "errors": [Sample(label, 0)], "now": [Sample(label, float("inf"))]}
    assert analysis(answers, {}, release(), timedelta(minutes=10)).tracks == {}
    assert requests_per_minute(answers, release()) == {}
