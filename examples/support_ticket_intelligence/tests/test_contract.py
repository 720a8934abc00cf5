"""Knows that what clients were promised changes only on purpose."""

from __future__ import annotations

import difflib

import pytest
from conftest import EXAMPLE
from make_contract import contract
from pydantic import ValidationError
from ticket_contract import Classification, ClassifyTicketRequest, ClassifyTicketResponse


def test_the_service_keeps_the_committed_contract() -> None:
    committed = (EXAMPLE / "contract.json").read_text()
    now = contract()

    changes = difflib.unified_diff(committed.splitlines(), now.splitlines(), "committed", "this code", lineterm="")
    assert committed == now, (
        "the API changed. Clients depend on it: if that is meant, give the Bento a new minor or major version and run\n"
        "make example-contract\n" + "\n".join(changes)
    )


def test_an_answer_is_written_as_it_is_promised() -> None:
    answer = ClassifyTicketResponse(
        model_version="ticket_classifier:1.1.0", classifications=[Classification(label="bug", confidence=0.9875)]
    )

    text = '{"model_version":"ticket_classifier:1.1.0","classifications":[{"label":"bug","confidence":0.9875}]}'
    assert answer.model_dump_json() == text
    assert ClassifyTicketResponse.model_validate_json(text) == answer


def test_the_text_is_taken_without_blanks_around_it() -> None:
    request = ClassifyTicketRequest.model_validate_json('{"tickets": [{"text": "  it crashed\\n"}]}')

    assert [ticket.text for ticket in request.tickets] == ["it crashed"]


@pytest.mark.parametrize("confidence", [-0.1, 1.1, float("nan"), "0.5"])
def test_a_confidence_that_is_no_probability_is_never_answered(confidence: object) -> None:
    with pytest.raises(ValidationError):
        Classification.model_validate({"label": "bug", "confidence": confidence})
