"""Knows that verification/ asks a running service what its clients may send, and what they may not where it expects a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from conftest import EXAMPLE
from make_replay import REQUESTS, as_lines
from make_tickets import TEMPLATES
from pydantic import ValidationError
from ticket_contract import MAX_TICKETS, ClassifyTicketRequest

CHECKS: dict[str, Any] = {
    name: check
    for file in sorted((EXAMPLE / "verification").glob("*.yaml"))
    for name, check in yaml.safe_load(file.read_text())["checks"].items()
}
REPLAYED = [json.loads(line) for line in (EXAMPLE / "verification/replay.jsonl").read_text().splitlines()]


def request_of(body: object) -> ClassifyTicketRequest:
    return ClassifyTicketRequest.model_validate_json(json.dumps(body))


@pytest.mark.parametrize("name", [name for name, check in CHECKS.items() if check["request"]["path"] == "/classify_ticket"])
def test_what_a_check_sends_is_a_valid_request_exactly_where_it_expects_an_answer(name: str) -> None:
    body = CHECKS[name]["request"]["body"]

    if CHECKS[name]["expect"]["status"] == 200:
        request_of(body)
    else:
        assert CHECKS[name]["expect"]["status"] == 400
        with pytest.raises(ValidationError):
            request_of(body)


def test_every_route_and_the_largest_request_are_checked_and_a_refusal_is() -> None:
    routes = set(json.loads((EXAMPLE / "contract.json").read_text()))

    assert {check["request"]["path"] for check in CHECKS.values()} == routes
    assert max(len(check["request"]["body"].get("tickets", [])) for check in CHECKS.values()) == MAX_TICKETS
    assert {check["expect"]["status"] for check in CHECKS.values()} == {200, 400}


def test_each_label_that_tickets_have_is_expected_of_one() -> None:
    expected = {
        said["equals"]
        for check in CHECKS.values()
        for pointer, said in check["expect"]["json"].items()
        if pointer.endswith("/label")
    }

    assert expected == set(TEMPLATES)


def test_the_recorded_requests_are_what_the_generator_makes_byte_for_byte() -> None:
    assert (EXAMPLE / "verification/replay.jsonl").read_bytes() == as_lines(), (
        "run 'python make_replay.py > verification/replay.jsonl'"
    )


def test_the_recorded_requests_are_valid_and_of_all_sizes() -> None:
    assert len(REPLAYED) == REQUESTS
    assert {len(request_of(request["body"]).tickets) for request in REPLAYED} == {1, 2, 4, MAX_TICKETS}
    assert {(request["method"], request["path"]) for request in REPLAYED} == {("POST", "/classify_ticket")}
