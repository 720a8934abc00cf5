"""Knows what a client meets over HTTP: answers in order, and refusals that say what is wrong without repeating what was sent."""

from __future__ import annotations

import json

import pytest
from conftest import Server
from request_gate import MAX_BODY
from ticket_contract import MAX_TEXT, MAX_TICKETS

SECRET = "Mrs Example of 12 Secret Street"
CUT_OFF = '{"tickets": [{"text": "' + SECRET + '"}'


def test_each_ticket_is_classified_in_the_order_of_the_request(server: Server) -> None:
    answer = server.classify(
        "I was charged 99 dollars twice", "The dashboard crashes all the time", "Please add dark mode", "How do I export a file?"
    )

    assert answer.status == 200
    assert answer.json["model_version"] == "ticket_classifier:1.1.0"
    assert [found["label"] for found in answer.json["classifications"]] == ["billing", "bug", "feature", "howto"]
    assert all(0.5 < found["confidence"] <= 1 for found in answer.json["classifications"])


def test_a_full_request_of_the_longest_tickets_is_answered(server: Server) -> None:
    answer = server.classify(*["\U0001f600 the invoice is wrong ".ljust(MAX_TEXT, "x")] * MAX_TICKETS)

    assert answer.status == 200
    assert len(answer.json["classifications"]) == MAX_TICKETS


def test_the_models_own_preprocessing_is_applied(server: Server) -> None:
    greeted, plain = server.classify("Hello, the invoice is wrong", "the invoice is wrong").json["classifications"]

    assert greeted == plain


def test_the_version_names_bento_models_and_labels(server: Server) -> None:
    assert server.post("/version", "{}").json == {
        "bento": "source",
        "classifier": "ticket_classifier:1.1.0",
        "embedder": "minilm_l6_v2_int8:1.0.0",
        "labels": ["account", "billing", "bug", "feature", "howto"],
    }


REFUSED = {
    "unknown key in the request": ({"tickets": [{"text": SECRET}], "x": SECRET}, ["x"], "extra_forbidden"),
    "unknown key in a ticket": ({"tickets": [{"text": SECRET, "x": 1}]}, ["tickets", 0, "x"], "extra_forbidden"),
    "text of another type": ({"tickets": [{"text": [SECRET]}]}, ["tickets", 0, "text"], "string_type"),
    "number for a text": ({"tickets": [{"text": 12345}]}, ["tickets", 0, "text"], "string_type"),
    "text too long": ({"tickets": [{"text": SECRET * 200}]}, ["tickets", 0, "text"], "string_too_long"),
    "text too short": ({"tickets": [{"text": "ab"}]}, ["tickets", 0, "text"], "string_too_short"),
    "text of blanks": ({"tickets": [{"text": " " * 20}]}, ["tickets", 0, "text"], "string_too_short"),
    "no text": ({"tickets": [{}]}, ["tickets", 0, "text"], "missing"),
    "no tickets": ({"tickets": []}, ["tickets"], "too_short"),
    "too many tickets": ({"tickets": [{"text": SECRET}] * (MAX_TICKETS + 1)}, ["tickets"], "too_long"),
    "tickets of another type": ({"tickets": SECRET}, ["tickets"], "list_type"),
    "an array": ([SECRET], [], "model_type"),
    "a string": (SECRET, [], "model_type"),
}


@pytest.mark.parametrize("wrong", REFUSED)
def test_a_refusal_names_the_place_and_never_the_text(server: Server, wrong: str) -> None:
    body, place, kind = REFUSED[wrong]

    answer = server.post("/classify_ticket", json.dumps(body))

    assert answer.status == 400
    assert [(detail["loc"], detail["type"]) for detail in answer.json["detail"]] == [(place, kind)]
    assert answer.json["error"] == "1 validation error for ClassifyTicketRequest"
    assert SECRET not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        CUT_OFF,
        CUT_OFF[:-2] + ' \\ud800"}]}',
        SECRET,
        CUT_OFF[:-2].encode() + b' \xff"}]}',
        "[" * 10_000,
        "",
    ],
    ids=["cut off", "half a surrogate pair", "no JSON", "no UTF-8", "nested without end", "empty"],
)
def test_a_malformed_body_is_refused_without_repeating_it(server: Server, body: str | bytes) -> None:
    answer = server.post("/classify_ticket", body)

    assert answer.status == 400
    assert answer.json["detail"][0]["type"] in ("json_invalid", "missing")
    assert SECRET not in answer.text


def test_the_log_tells_a_refusal_without_the_text(server: Server) -> None:
    server.post("/classify_ticket", json.dumps({"tickets": [{"text": SECRET, "key": SECRET}]}))
    server.post("/classify_ticket", CUT_OFF)
    server.classify(SECRET)

    assert "Exception on /classify_ticket" in server.log()
    assert SECRET not in server.log()


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data", "application/vnd.bentoml+pickle"])
def test_a_body_that_is_not_json_is_refused_before_it_is_read(server: Server, content_type: str) -> None:
    answer = server.post("/classify_ticket", SECRET, content_type)

    assert answer.status == 415
    assert answer.json["error"] == "the body must be JSON: send it with 'content-type: application/json'"
    assert SECRET not in answer.text


def test_a_body_larger_than_any_valid_request_is_refused(server: Server) -> None:
    answer = server.post("/classify_ticket", json.dumps({"tickets": [{"text": "x" * MAX_BODY}]}))

    assert answer.status == 413
    assert answer.json["error"] == f"the body is larger than {MAX_BODY} bytes: send fewer tickets at a time"
