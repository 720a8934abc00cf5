"""Knows which requests are refused before their body is read as JSON: not JSON at all, or larger than any valid request."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ticket_contract import MAX_TEXT, MAX_TICKETS

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

# A character outside the basic plane is 12 bytes when JSON escapes it (two \\uXXXX); half as much again for keys and white space.
MAX_BODY = MAX_TICKETS * MAX_TEXT * 12 * 3 // 2


class RequestGate:
    """ASGI middleware of the API service.

    BentoML itself reads a body of any size into memory, and answers a broken form upload with 500.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self.app(scope, receive, send)
            return
        headers: dict[bytes, bytes] = dict(scope["headers"])
        media_type = headers.get(b"content-type", b"application/json").split(b";")[0].strip().lower()
        if media_type != b"application/json":
            await _refuse(send, 415, "the body must be JSON: send it with 'content-type: application/json'")
            return
        body = await _body(receive)
        if body is None:
            await _refuse(send, 413, f"the body is larger than {MAX_BODY} bytes: send fewer tickets at a time")
            return
        await self.app(scope, _replay(body, receive), send)


async def _body(receive: Receive) -> bytes | None:
    # Counted as it arrives: content-length is the client's word, and absent from a chunked request.
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(chunks)  # the client went away; the app finds a body that is not valid, and nobody to tell
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            return None
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


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
