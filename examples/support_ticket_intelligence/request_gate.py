"""Knows which requests are refused before their body is read as JSON (not JSON at all, or larger than any valid request), and why
an input was refused, by the gate or by BentoML behind it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from enum import Enum
from typing import Any

from pydantic_core import from_json
from ticket_contract import MAX_TEXT, MAX_TICKETS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# A character outside the basic plane is 12 bytes when JSON escapes it (two \\uXXXX); half as much again for keys and white space.
MAX_BODY = MAX_TICKETS * MAX_TEXT * 12 * 3 // 2


class Rejection(Enum):
    """Why an input was refused; the values are those of a metric's label, so there are few and they stay."""

    NOT_JSON = "not_json"
    TOO_LARGE = "too_large"
    INVALID = "invalid"


class RequestGate:
    """ASGI middleware of the API service.

    BentoML itself reads a body of any size into memory, and answers a broken form upload with 500. `rejected` is told of each
    input that is refused; an input is what is posted to `input_route` (the rest was never meant for the model).
    """

    def __init__(self, app: App, input_route: str, rejected: Callable[[Rejection], None]) -> None:
        self.app = app
        self.input_route = input_route
        self.rejected = rejected

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        rejected = self.rejected if scope["path"] == self.input_route else _nobody
        headers: dict[bytes, bytes] = dict(scope["headers"])
        media_type = headers.get(b"content-type", b"application/json").split(b";")[0].strip().lower()
        if media_type != b"application/json":
            rejected(Rejection.NOT_JSON)
            await _refuse(send, 415, "the body must be JSON: send it with 'content-type: application/json'")
            return
        body, whole = await _body(receive)
        if len(body) > MAX_BODY:
            rejected(Rejection.TOO_LARGE)
            await _refuse(send, 413, f"the body is larger than {MAX_BODY} bytes: send fewer tickets at a time")
            return
        # A client that went away in the middle of its request has sent no input that could be refused.
        await self.app(scope, _replay(body, receive), _telling_a_refusal(send, body, rejected) if whole else send)


def _nobody(_reason: Rejection) -> None:
    """Is told of what was no input."""


def _telling_a_refusal(send: Send, body: bytes, rejected: Callable[[Rejection], None]) -> Send:
    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 400:
            rejected(Rejection.INVALID if _is_json(body) else Rejection.NOT_JSON)
        await send(message)

    return telling


def _is_json(body: bytes) -> bool:
    # Read again only once it was refused, with the parser that refused it: json.loads differs on half a surrogate pair.
    try:
        from_json(body)
    except ValueError:
        return False
    return True


async def _body(receive: Receive) -> tuple[bytes, bool]:
    """What arrived, as far as MAX_BODY and the piece that went beyond it; and whether the client sent all it had to send."""
    # Counted as it arrives: content-length is the client's word, and absent from a chunked request.
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(chunks), False  # the client went away; the app finds a body that is not valid, and nobody to tell
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        chunks.append(chunk)
        if size > MAX_BODY or not message.get("more_body", False):
            return b"".join(chunks), True


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replayed() -> Message:
        nonlocal sent
        if sent:
            return await receive()  # what comes now is the disconnect
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed


async def _refuse(send: Send, status: int, error: str) -> None:
    # The shape of BentoML's own refusals, so that a client reads one kind of error.
    body = json.dumps({"error": error, "detail": []}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
