"""Knows what a Prometheus finds of the model: every series from the start, and labels that no request can add to."""

from __future__ import annotations

import math
import re

import pytest
from conftest import Server
from model_metrics import CONFIDENCE_BUCKETS, count_rejection, model_metrics
from prometheus_client import REGISTRY
from request_gate import MAX_BODY, Rejection

LABELS = ("account", "billing", "bug", "feature", "howto")
SAMPLE = re.compile(r"^(bento_model_\w+)\{(.*)\} (\S+)$", re.MULTILINE)


def samples(server: Server) -> dict[tuple[str, str], float]:
    """By name and labels as they are written, e.g. ("bento_model_rejected_inputs_total", 'reason="invalid"')."""
    return {(name, labels): float(value) for name, labels, value in SAMPLE.findall(server.get("/metrics").text)}


def counted(server: Server, *bodies: str | bytes, path: str = "/classify_ticket") -> dict[tuple[str, str], float]:
    """By how much the requests moved each series; what they left alone is not in it."""
    before = samples(server)
    for body in bodies:
        server.post(path, body)
    after = samples(server)
    assert set(after) == set(before), "a request brought a new series"
    return {key: moved for key in after if (moved := after[key] - before[key])}


def predictions(label: str) -> tuple[str, str]:
    return ("bento_model_predictions_total", f'class="{label}",model="ticket_classifier"')


def rejected(reason: str) -> tuple[str, str]:
    return ("bento_model_rejected_inputs_total", f'reason="{reason}"')


def confidence(suffix: str, more: str = "") -> tuple[str, str]:
    return (f"bento_model_confidence_{suffix}", f'{more}model="ticket_classifier"')


def test_every_series_is_there_before_its_first_event() -> None:
    model_metrics().begin("never_asked", LABELS)

    for label in LABELS:
        assert REGISTRY.get_sample_value("bento_model_predictions_total", {"model": "never_asked", "class": label}) == 0
    assert REGISTRY.get_sample_value("bento_model_confidence_count", {"model": "never_asked"}) == 0
    for reason in Rejection:
        assert REGISTRY.get_sample_value("bento_model_rejected_inputs_total", {"reason": reason.value}) is not None


def test_a_rejection_is_counted_under_its_reason() -> None:
    model_metrics().begin("rejecting", ())
    before = REGISTRY.get_sample_value("bento_model_rejected_inputs_total", {"reason": "too_large"})

    count_rejection(Rejection.TOO_LARGE)

    assert before is not None
    assert REGISTRY.get_sample_value("bento_model_rejected_inputs_total", {"reason": "too_large"}) == before + 1


def test_buckets_are_narrower_above_one_half_than_below() -> None:
    widths = [round(upper - lower, 6) for lower, upper in zip((0.0, *CONFIDENCE_BUCKETS), CONFIDENCE_BUCKETS, strict=False)]
    below = [width for width, upper in zip(widths, CONFIDENCE_BUCKETS, strict=True) if upper <= 0.5]
    above = [width for width, upper in zip(widths, CONFIDENCE_BUCKETS, strict=True) if upper > 0.5]

    assert max(above) < min(below)
    assert CONFIDENCE_BUCKETS[-1] == 1


def test_the_running_service_shows_every_series(server: Server) -> None:
    found = samples(server)

    assert {predictions(label) for label in LABELS} == {key for key in found if key[0] == "bento_model_predictions_total"}
    assert {rejected(reason.value) for reason in Rejection} == {
        key for key in found if key[0] == "bento_model_rejected_inputs_total"
    }
    assert len([key for key in found if key[0] == "bento_model_confidence_bucket"]) == len(CONFIDENCE_BUCKETS) + 1


def test_each_ticket_of_a_request_counts_once_with_its_class_and_confidence(server: Server) -> None:
    before = samples(server)
    answer = server.classify("I was charged 99 dollars twice", "The invoice is wrong", "How do I export a file?")
    after = samples(server)

    moved = {key: value for key in after if (value := after[key] - before[key])}
    assert {key: value for key, value in moved.items() if "predictions" in key[0]} == {
        predictions("billing"): 2,
        predictions("howto"): 1,
    }
    assert moved[confidence("count")] == 3
    answered = [found["confidence"] for found in answer.json["classifications"]]
    assert math.isclose(moved[confidence("sum")], sum(answered), abs_tol=1e-9)
    for bound in (0.95, 0.99):
        below = sum(value <= bound for value in answered)
        assert moved.get(confidence("bucket", f'le="{bound}",'), 0) == below


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "no ticket": ('{"tickets": []}', "invalid"),
    "unknown key": ('{"tickets": [{"text": "it broke"}], "more": 1}', "invalid"),
    "an array": ("[]", "invalid"),
    "cut off": ('{"tickets": [{"text": "it br', "not_json"),
    "empty": ("", "not_json"),
    "no UTF-8": (b'{"tickets": [{"text": "\xff"}]}', "not_json"),
    "too large": ("x" * (MAX_BODY + 1), "too_large"),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_a_refused_input_counts_under_its_reason_and_as_nothing_else(server: Server, wrong: str) -> None:
    body, reason = REFUSED[wrong]

    assert counted(server, body) == {rejected(reason): 1}


def test_another_media_type_counts_as_no_json(server: Server) -> None:
    before = samples(server)
    server.post("/classify_ticket", "I was charged twice", "text/plain")

    assert samples(server)[rejected("not_json")] == before[rejected("not_json")] + 1


def test_what_is_no_input_for_the_model_moves_nothing(server: Server) -> None:
    assert counted(server, "{}", "{", path="/version") == {}
    assert counted(server, "{}", "{", path="/somewhere") == {}
