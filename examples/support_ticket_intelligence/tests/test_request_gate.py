"""Knows that the gate counts what arrives, not what the client says, hands on unchanged what it let through, tells refusals."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from request_gate import MAX_BODY, Message, Receive, Rejection, RequestGate, Send


def passed_through(chunks: list[bytes], headers: list[tuple[bytes, bytes]]) -> tuple[list[bytes], list[Message]]:
    """What the application behind the gate read, and what the client was sent."""
    read: list[bytes] = []
    sent: list[Message] = []
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": place < len(chunks) - 1} for place, chunk in enumerate(chunks)
    ]

    async def app(_scope: Message, receive: Receive, _send: Send) -> None:
        read.append((await receive())["body"])

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/classify", "headers": headers}
    asyncio.run(RequestGate(app, "/classify", rejected=lambda _reason: None)(scope, receive, send))
    return read, sent


def test_a_body_in_pieces_reaches_the_service_whole() -> None:
    assert passed_through([b'{"a"', b":1}"], [(b"content-type", b"application/json; charset=utf-8")]) == ([b'{"a":1}'], [])


def test_a_body_without_a_content_type_counts_as_json() -> None:
    assert passed_through([b"{}"], []) == ([b"{}"], [])


def test_a_body_of_the_largest_size_passes() -> None:
    read, sent = passed_through([b"x" * MAX_BODY], [])

    assert (len(read[0]), sent) == (MAX_BODY, [])


def test_a_body_that_grows_too_large_is_refused_whatever_length_was_announced() -> None:
    read, sent = passed_through([b"x" * MAX_BODY, b"x"], [(b"content-length", b"2")])

    assert read == []
    assert sent[0]["status"] == 413


def reasons(
    messages: list[Message], status: int = 200, path: str = "/classify", media_type: bytes = b"application/json"
) -> list[Rejection]:
    """What the gate told of a request that the application behind it answers with a status."""
    told: list[Rejection] = []

    async def app(_scope: Message, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return messages.pop(0)

    async def send(_message: Message) -> None:
        pass

    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": path, "headers": [(b"content-type", media_type)]}
    asyncio.run(RequestGate(app, "/classify", told.append)(scope, receive, send))
    return told


def sent(body: bytes) -> list[Message]:
    return [{"type": "http.request", "body": body}]


def test_an_answered_input_is_no_refusal() -> None:
    assert reasons(sent(b"{}")) == []


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_what_the_service_could_not_do_is_no_refusal_of_the_input(status: int) -> None:
    assert reasons(sent(b"{}"), status) == []


def test_an_input_that_the_service_refuses_is_told_as_invalid() -> None:
    assert reasons(sent(b'{"tickets": []}'), 400) == [Rejection.INVALID]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[" * 10_000, b'"\\ud800"', b"\xff"], ids=["empty", "cut", "nested", "surrogate", "bytes"]
)
def test_an_input_that_cannot_be_parsed_is_told_as_no_json(body: bytes) -> None:
    assert reasons(sent(body), 400) == [Rejection.NOT_JSON]


def test_an_input_of_another_media_type_is_told_as_no_json() -> None:
    assert reasons(sent(b"{}"), media_type=b"text/plain") == [Rejection.NOT_JSON]


def test_an_input_that_is_too_large_is_told_once() -> None:
    assert reasons(sent(b"x" * (MAX_BODY + 1))) == [Rejection.TOO_LARGE]


def test_what_is_posted_elsewhere_is_no_input() -> None:
    assert reasons(sent(b"{"), 400, path="/version") == []
    assert reasons(sent(b"{}"), path="/wp-login.php", media_type=b"text/plain") == []
    assert reasons(sent(b"x" * (MAX_BODY + 1)), path="/version") == []


def test_a_client_that_went_away_sent_no_input() -> None:
    cut: list[Message] = [{"type": "http.request", "body": b'{"tick', "more_body": True}, {"type": "http.disconnect"}]

    assert reasons(cut, 400) == []
