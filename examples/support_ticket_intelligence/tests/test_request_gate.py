"""Knows that the gate counts what arrives, not what the client says, and hands on what it let through unchanged."""

from __future__ import annotations

import asyncio
from typing import Any

from request_gate import MAX_BODY, Message, Receive, RequestGate, Send


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

    scope: dict[str, Any] = {"type": "http", "method": "POST", "headers": headers}
    asyncio.run(RequestGate(app)(scope, receive, send))
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
