"""Knows who may ask the API service: whoever sends one of the keys that a Secret puts into its environment."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from hashlib import sha256
from hmac import compare_digest
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

VARIABLE = "API_KEYS"
SHORTEST = 16
# What the kubelet and Prometheus ask, who have no key. No route leads there from outside.
OPEN = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})


def api_keys(environ: Mapping[str, str]) -> tuple[bytes, ...]:
    """The digests of the keys, which are separated by commas or white space; none where nothing is said of keys.

    ValueError where the variable is there without a sound key: a Secret that is empty by mistake must not open the door.
    """
    if VARIABLE not in environ:
        return ()
    keys = re.split(r"[\s,]+", environ[VARIABLE].strip(", \t\r\n"))
    for number, key in enumerate(keys, 1):
        if len(key) < SHORTEST or not key.isascii() or not key.isprintable():
            # Which one, never what it is: this text ends in a log.
            raise ValueError(
                f"environment: {VARIABLE}: key {number} of {len(keys)} is no key (found {len(key)} characters);"
                f" give each {SHORTEST} characters of ASCII or more, or take the variable away if anybody may ask"
            )
    return tuple(_digest(key.encode()) for key in keys)


def told(keys: tuple[bytes, ...]) -> str:
    """What the log says at start."""
    if keys:
        return f"requests need one of {len(keys)} keys" if len(keys) > 1 else "requests need a key"
    return f"ANYBODY WHO REACHES THIS SERVICE MAY ASK: there is no {VARIABLE} in its environment"


class ApiKey:
    """ASGI middleware: 401 for a request without one of the keys, before anything of its body is read. Without keys all pass."""

    def __init__(self, app: App, keys: tuple[bytes, ...]) -> None:
        self.app = app
        self.keys = keys

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if not self.keys or scope["type"] == "lifespan" or _open(scope) or self._knows(_sent(scope["headers"])):
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await _refuse(send)
        else:  # a websocket is a way in too
            await send({"type": "websocket.close", "code": 1008})

    def _knows(self, sent: Iterable[bytes]) -> bool:
        # Digests have one length, and each is compared with each: the time it takes tells neither which key nor how much fits.
        found = [compare_digest(_digest(key), known) for key in sent for known in self.keys]
        return any(found)


def _open(scope: Message) -> bool:
    return scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and scope["path"] in OPEN


def _sent(headers: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
    keys: list[bytes] = []
    for name, value in headers:
        if name == b"x-api-key":
            keys.append(value.strip())
        elif name == b"authorization":
            kind, _, key = value.strip().partition(b" ")
            if kind.lower() == b"bearer":
                keys.append(key.strip())
    return keys


def _digest(key: bytes) -> bytes:
    return sha256(key).digest()


async def _refuse(send: Send) -> None:
    # The shape of BentoML's own refusals. Whether there was no key or a wrong one is not told.
    body = json.dumps({"error": "a key is needed: send it as 'x-api-key'", "detail": []}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"www-authenticate", b"Bearer"),
        (b"connection", b"close"),  # the body that is not read is not taken for the next request
    ]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
