"""Each way in which a track can be broken, and which checks tell it; and that nobody looked is no success."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from bento_gitops.model.verification import Check
from bento_gitops.observing.answers import Answered
from bento_gitops.observing.verification import (
    Checked,
    Component,
    Looked,
    Seen,
    Stable,
    Subject,
    begin_with,
    is_the_bundle,
    other_bento,
    undeclared,
    verified,
)

API, EMBEDDER, CLASSIFIER = "Tickets", "Embedder", "Classifier"
SUBJECT = Subject(
    track="green",
    bundle="1.1.0",
    bento="tickets:1.1.0",
    components=(
        Component(API, "api", frozenset({"/classify"}), needs=frozenset({EMBEDDER, CLASSIFIER})),
        Component(EMBEDDER, "runner", frozenset({"/encode"}), called=True),
        Component(CLASSIFIER, "runner", frozenset({"/predict"}), called=True),
    ),
    p95=0.5,
    stable=Stable("blue", "1.0.0", "tickets:1.0.0", API),
)
CHECKS = {
    "refund": Check.model_validate(
        {
            "request": {"method": "POST", "path": "/classify", "body": {"text": "refund"}},
            "expect": {"status": 200, "within": 0.5, "json": {"/label": {"equals": "billing"}}},
            "compare": {"/label": {}, "/confidence": {"tolerance": 0.1}},
        }
    ),
    "empty": Check.model_validate({"request": {"method": "POST", "path": "/classify"}, "expect": {"status": 400}}),
}


def answered(status: int = 200, body: object = b"", seconds: float = 0.05, **more: Any) -> Answered:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answered(0, status, seconds, 0.0, None if more.get("trouble") else data, **more)


GONE = answered(0, trouble="no connection to 127.0.0.1:1: Connection refused")
BILLING = {"label": "billing", "confidence": 0.9}


def metrics(*, bento: str = "tickets:1.1.0", **requests: int) -> Answered:
    """As BentoML exports them; requests by endpoint and status: encode_200=3."""
    name, _, version = bento.partition(":")
    labels = f'runner_name="x",service_name="{name}",service_version="{version}"'
    lines = [
        "# TYPE bentoml_service_request_total counter",
        f'bentoml_service_request_in_progress{{endpoint="/readyz",{labels}}} 1.0',
        f'bentoml_service_request_total{{endpoint="/readyz",http_response_code="200",{labels}}} 99.0',
    ]
    for key, number in requests.items():
        endpoint, _, code = key.rpartition("_")
        lines.append(
            f'bentoml_service_request_total{{endpoint="/{endpoint}",http_response_code="{code}",{labels}}} {float(number)}'
        )
    return answered(body="\n".join(lines).encode())


@dataclass
class World:
    """A track in which everything is right, for a test to break."""

    subject: Subject = SUBJECT
    looked: dict[str, Looked | None] = field(
        default_factory=lambda: {
            API: Looked(("http://api",), [answered()], [metrics()], [metrics(classify_200=2, classify_400=2)]),
            EMBEDDER: Looked(("http://embedder",), [answered()], [metrics(encode_200=5)], [metrics(encode_200=7)]),
            CLASSIFIER: Looked(("http://classifier",), [answered()], [metrics()], [metrics(predict_200=2)]),
        }
    )
    answers: Mapping[str, Sequence[Answered]] = field(
        default_factory=lambda: {
            # As many as it takes to say something of 95 in 100, and the first, which warms up.
            "refund": [answered(body=BILLING) for _ in range(11)],
            "empty": [answered(400), answered(400)],
        }
    )
    stable: Mapping[str, Answered] | None = field(
        default_factory=lambda: {"refund": answered(body={"label": "billing", "confidence": 0.85})}
    )

    stable_metrics: Sequence[Answered] = field(default_factory=lambda: [metrics(bento="tickets:1.0.0")])

    def change(self, service: str, **changes: Any) -> None:
        looked = self.looked[service]
        assert looked
        self.looked[service] = replace(looked, **changes)

    def outcomes(self) -> tuple[Checked, ...]:
        looked = {service: one for service, one in self.looked.items() if one is not None}
        return verified(self.subject, CHECKS, Seen(looked, self.answers, self.stable, self.stable_metrics))

    def of(self, outcome: str) -> dict[str, str]:
        return {one.name: one.found for one in self.outcomes() if one.outcome == outcome}

    @property
    def failed(self) -> dict[str, str]:
        return self.of("failed")


@pytest.fixture
def world() -> World:
    return World()


def test_where_everything_is_right_every_check_passes_and_each_has_its_name(world: World) -> None:
    found = world.outcomes()
    assert {one.outcome for one in found} == {"passed"}
    assert [one.name for one in found] == [
        *(f"ready/{name}" for name in (API, EMBEDDER, CLASSIFIER)),
        *(f"bundle/{name}" for name in (API, EMBEDDER, CLASSIFIER)),
        *(f"model/{name}" for name in (API, EMBEDDER, CLASSIFIER)),
        "dependency/Embedder",
        "dependency/Classifier",
        "answer/refund",
        "answer/empty",
        "stable/Tickets",
        "same/refund",
        "latency/refund",
        "latency/p95",
    ]
    assert is_the_bundle(found, API)


def test_a_runner_that_is_down_fails_in_all_that_is_asked_of_it_and_in_the_answers(world: World) -> None:
    world.change(EMBEDDER, ready=[GONE], before=[GONE], after=[GONE])
    world.answers = {"refund": [answered(500, b"Internal Server Error")], "empty": [answered(400)]}
    failed = world.failed
    assert set(failed) == {
        "ready/Embedder",
        "bundle/Embedder",
        "model/Embedder",
        "dependency/Embedder",
        "answer/refund",
        "same/refund",
    }
    assert failed["ready/Embedder"] == "no connection to 127.0.0.1:1: Connection refused (http://embedder)"
    assert failed["answer/refund"] == "answered 500, not 200: Internal Server Error"
    assert failed["same/refund"] == "answered 500, and stable 200"
    assert not other_bento(world.outcomes()), "a failure, not another bundle"


def test_a_runner_that_never_gets_ready_has_not_loaded_its_model(world: World) -> None:
    world.change(EMBEDDER, ready=[answered(503)])
    assert world.failed == {
        "ready/Embedder": "/readyz answers 503 (http://embedder)",
        "model/Embedder": "not ready: it is not loaded",
    }


def test_a_dependency_in_the_caller_s_own_process_is_found_though_everything_answers(world: World) -> None:
    world.change(EMBEDDER, after=[metrics(encode_200=5)])
    assert world.failed == {
        "dependency/Embedder": "no request reached it: its caller runs it in its own process (is --depends missing?), "
        "or no check needs it"
    }


def test_probes_that_rise_meanwhile_are_no_requests(world: World) -> None:
    before, after = metrics(encode_200=5), metrics(encode_200=5)
    assert after.body
    world.change(EMBEDDER, before=[before], after=[replace(after, body=after.body.replace(b"99.0", b"140.0"))])
    assert set(world.failed) == {"dependency/Embedder"}


def test_where_no_route_is_declared_all_but_probes_are_requests(world: World) -> None:
    world.subject = replace(SUBJECT, components=tuple(replace(one, routes=frozenset[str]()) for one in SUBJECT.components))
    assert not world.failed
    world.change(EMBEDDER, before=[metrics(readyz_200=1, encode_200=5)], after=[metrics(readyz_200=8, encode_200=5)])
    assert set(world.failed) == {"dependency/Embedder"}


def test_a_dependency_in_its_own_process_that_nobody_has_asked_yet_is_known_by_its_model_too(world: World) -> None:
    world.change(EMBEDDER, before=[metrics()], after=[metrics()])
    assert set(world.failed) == {"dependency/Embedder"}
    assert world.of("not looked") == {"model/Embedder": "ready; no good answer of it yet"}


def test_requests_that_reached_any_of_its_pods_count(world: World) -> None:
    world.change(
        EMBEDDER,
        addresses=("http://one", "http://two"),
        ready=[answered(), answered()],
        before=[metrics(), metrics(encode_200=5)],
        after=[metrics(), metrics(encode_200=6)],
    )
    found = world.of("passed")
    assert found["dependency/Embedder"] == "it was asked 1 times over the network"
    assert found["ready/Embedder"] == "2 of its pods"


def test_where_not_all_pods_were_looked_at_nothing_is_said_of_requests_that_none_of_them_got(world: World) -> None:
    world.change(EMBEDDER, after=[metrics(encode_200=5)], others=3)
    assert not world.failed
    assert world.of("not looked")["dependency/Embedder"].startswith("no request reached 1 of 4 of its pods")


def test_a_pod_that_restarted_meanwhile_is_not_taken_for_one_that_nobody_asked(world: World) -> None:
    world.change(EMBEDDER, after=[metrics(encode_200=2)])
    assert world.of("not looked") == {"dependency/Embedder": "a pod of it restarted meanwhile; try again"}


def test_another_bento_than_the_bundle_s_is_told_by_every_component_that_runs_it(world: World) -> None:
    world.change(API, after=[metrics(bento="tickets:1.0.0", classify_200=2)])
    world.change(EMBEDDER, after=[metrics(bento="mails:1.1.0", encode_200=7)])
    assert world.failed == {
        "bundle/Tickets": "it runs tickets:1.0.0, not tickets:1.1.0",
        "bundle/Embedder": "it runs mails:1.1.0, not tickets:1.1.0",
    }
    assert len(other_bento(world.outcomes())) == 2
    assert not is_the_bundle(world.outcomes(), API)


def test_one_pod_of_several_with_another_bento_is_enough(world: World) -> None:
    world.change(
        EMBEDDER,
        addresses=("http://one", "http://two"),
        ready=[answered(), answered()],
        before=[metrics(), metrics()],
        after=[metrics(encode_200=1), metrics(bento="tickets:1.0.0")],
    )
    assert world.failed == {"bundle/Embedder": "it runs tickets:1.0.0, not tickets:1.1.0"}


def test_a_router_that_says_another_track_answered_is_believed(world: World) -> None:
    headers = {"x-bento-track": "blue", "x-bento-bundle": "1.0.0"}
    world.answers = {**world.answers, "refund": [answered(body=BILLING, headers=headers)]}
    assert world.failed == {"bundle/Tickets": "the answer is of bundle 1.0.0, not 1.1.0; the answer is of track blue, not green"}


def test_a_component_without_series_is_told_and_is_no_proof_of_the_bundle(world: World) -> None:
    silent = answered(body=b"# HELP nothing yet\n")
    world.change(API, after=[silent])
    assert not world.failed
    assert world.of("not looked") == {"bundle/Tickets": "its metrics have no series yet that names its Bento"}
    assert not is_the_bundle(world.outcomes(), API)


def test_a_wrong_answer_fails_its_own_check_and_the_comparison(world: World) -> None:
    world.answers = {**world.answers, "refund": [answered(body={"label": "bug", "confidence": 0.9})]}
    assert world.failed == {
        "answer/refund": '/label: is "bug", not "billing"',
        "same/refund": '/label: is "bug", stable\'s "billing"',
    }
    assert world.of("not looked") == {
        "latency/refund": "no answer was as expected",
        "latency/p95": "0 good answers whose time counts; it takes 10: more with --times",
    }


def test_an_answer_that_is_wrong_the_second_time_fails(world: World) -> None:
    world.answers = {**world.answers, "refund": [answered(body=BILLING), answered(503, b"process is overloaded")]}
    assert world.failed == {"answer/refund": "answered 503, not 200: process is overloaded (time 2 of 2)"}


def test_an_error_500_is_a_wrong_answer_even_where_nothing_but_the_status_is_expected(world: World) -> None:
    world.answers = {**world.answers, "empty": [answered(500)]}
    assert world.failed == {"answer/empty": "answered 500, not 400"}


def test_too_slow_is_told_by_the_check_and_by_the_objective(world: World) -> None:
    world.answers = {**world.answers, "refund": [answered(body=BILLING, seconds=0.8)] * 11}
    assert world.failed == {
        "latency/refund": "800 ms in the middle, more than 500 ms",
        "latency/p95": "800 ms of 10 good answers, more than slo.p95 500 ms",
    }


def test_the_first_round_warms_up_and_one_hiccup_is_no_slow_service(world: World) -> None:
    times = [9.0, 0.1, 0.1, 3.0]
    world.answers = {**world.answers, "refund": [answered(body=BILLING, seconds=time) for time in times]}
    assert "latency/refund" not in world.failed


def test_without_an_objective_nothing_is_said_of_all_requests_together(world: World) -> None:
    world.subject = replace(SUBJECT, p95=None)
    assert "latency/p95" not in {one.name for one in world.outcomes()}


def test_an_answer_unlike_stable_s_is_told_where_it_is_right_in_itself(world: World) -> None:
    world.stable = {"refund": answered(body={"label": "billing", "confidence": 0.7})}
    assert world.failed == {"same/refund": "/confidence: is 0.9, stable's 0.7 (more than 0.1 apart)"}


def test_a_stable_track_that_does_not_answer_is_not_the_same(world: World) -> None:
    world.stable = {"refund": GONE}
    assert world.failed == {"same/refund": "stable gave no answer: no connection to 127.0.0.1:1: Connection refused"}


def test_without_another_track_nothing_is_compared(world: World) -> None:
    world.stable = None
    assert not any(one.name.startswith("same/") for one in world.outcomes())


def test_metrics_that_cannot_be_read_prove_nothing(world: World) -> None:
    world.change(EMBEDDER, before=[answered(404)], after=[answered(404)])
    why = "its metrics cannot be read: /metrics answers 404 (http://embedder)"
    assert world.failed == {"bundle/Embedder": why, "model/Embedder": why, "dependency/Embedder": why}


def test_a_component_that_nobody_can_reach_is_told_as_not_looked_at(world: World) -> None:
    world.looked[EMBEDDER] = None
    assert not world.failed
    assert set(world.of("not looked")) == {"ready/Embedder", "bundle/Embedder", "model/Embedder", "dependency/Embedder"}


def test_a_component_without_any_pod_fails(world: World) -> None:
    world.looked[EMBEDDER] = Looked((), [], [], [])
    assert set(world.failed) == {"ready/Embedder", "bundle/Embedder", "model/Embedder", "dependency/Embedder"}


def test_where_the_api_answers_nothing_well_no_dependency_is_blamed(world: World) -> None:
    world.answers = {"refund": [answered(500)], "empty": [answered(400)]}
    world.change(EMBEDDER, after=[metrics(encode_200=5)])
    assert set(world.failed) == {"answer/refund", "same/refund"}
    assert world.of("not looked")["dependency/Embedder"] == "the api gave no good answer, for which it would have been asked"


def test_where_some_requests_fail_the_next_runner_in_the_row_is_not_blamed(world: World) -> None:
    world.change(EMBEDDER, ready=[GONE], before=[GONE], after=[GONE])
    world.change(CLASSIFIER, before=[metrics()], after=[metrics()])
    world.answers = {"refund": [answered(503)], "empty": [answered(400)], "version": [answered()]}
    assert not [name for name in world.failed if CLASSIFIER in name]
    assert world.of("not looked")["dependency/Classifier"].startswith("no request reached it, but some failed")


def test_a_model_of_which_every_request_failed_cannot_be_used(world: World) -> None:
    world.change(EMBEDDER, before=[metrics()], after=[metrics(encode_500=4)])
    assert world.failed == {"model/Embedder": "ready, and every one of 4 requests failed"}


def test_an_api_that_waits_for_its_runner_has_not_lost_its_own_model_and_the_runner_is_where_to_begin(world: World) -> None:
    world.change(API, ready=[answered(500)])
    world.change(CLASSIFIER, ready=[GONE], before=[GONE], after=[GONE])
    assert world.failed["model/Tickets"] == "not ready: a runner that it needs is not (Classifier)"
    assert world.failed["model/Classifier"] == "not ready: it does not answer"
    first = begin_with(SUBJECT, world.outcomes())
    assert first
    assert first.name == "ready/Classifier"


def test_an_api_that_waits_for_a_runner_that_nobody_looked_at_may_be_without_its_model(world: World) -> None:
    world.change(API, ready=[answered(500)])
    world.looked[CLASSIFIER] = None
    assert world.failed["model/Tickets"] == "not ready: it is not loaded, or a runner is not ready (Classifier)"


def test_an_api_whose_runners_are_all_ready_is_not_loaded_itself(world: World) -> None:
    world.change(API, ready=[answered(500)])
    assert world.failed["model/Tickets"] == "not ready: it is not loaded"


def test_another_bento_is_where_to_begin_whatever_else_fails(world: World) -> None:
    world.change(EMBEDDER, ready=[answered(503)])
    world.change(CLASSIFIER, after=[metrics(bento="tickets:1.0.0", predict_200=2)])
    first = begin_with(SUBJECT, world.outcomes())
    assert first
    assert first.name == "bundle/Classifier"
    assert begin_with(SUBJECT, ()) is None


def test_a_track_that_is_compared_with_itself_is_told_and_is_not_the_same(world: World) -> None:
    world.stable_metrics = [metrics(bento="tickets:1.1.0")]
    assert world.failed == {"stable/Tickets": "it runs tickets:1.1.0, not tickets:1.0.0"}
    assert world.of("not looked") == {"same/refund": "what answered as blue is something else"}
    assert other_bento(world.outcomes()) == ["stable/Tickets: it runs tickets:1.1.0, not tickets:1.0.0"]


def test_a_router_that_says_that_the_candidate_answered_for_stable_is_believed(world: World) -> None:
    headers = {"x-bento-track": "green", "x-bento-bundle": "1.1.0"}
    world.stable = {"refund": answered(body=BILLING, headers=headers)}
    assert world.failed == {"stable/Tickets": "the answer is of bundle 1.1.0, not 1.0.0; the answer is of track green, not blue"}


def test_a_stable_track_whose_metrics_nobody_can_read_is_compared_and_told(world: World) -> None:
    world.stable_metrics = [answered(404)]
    assert not world.failed
    assert world.of("not looked") == {"stable/Tickets": "its metrics do not tell which Bento it is"}


def test_only_good_answers_are_held_to_the_objective_and_few_of_them_say_nothing(world: World) -> None:
    world.answers = {"refund": [answered(body=BILLING)] * 4, "empty": [answered(400)] * 40}
    assert world.of("not looked") == {
        "latency/p95": "3 good answers whose time counts; it takes 10: more with --times",
    }


def test_a_path_that_no_bundle_declares_is_told_unless_404_is_what_is_expected() -> None:
    def check(path: str, status: int = 200) -> Check:
        return Check.model_validate({"request": {"method": "GET", "path": path}, "expect": {"status": status}})

    checks = {
        "right": check("/version?full=1"),
        "typo": check("/verison"),
        "gone": check("/old", 404),
        "task": check("/train/status?id=1"),
        "below": check("/version/1"),
        "own": check("/readyz"),
    }
    assert undeclared(checks, {"/version": False, "/train": True}) == [
        "check typo asks /verison, which no bundle of the release declares; did you mean '/version'?",
        "check below asks /version/1, which no bundle of the release declares; did you mean '/version'?",
    ]
