"""What was asked over HTTP and what came of it, as values: that nothing came is one of the things that can happen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import JsonValue


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it is sent."""

    method: str
    url: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def of(method: str, base: str, path: str, body: JsonValue = None, headers: Mapping[str, str] | None = None) -> Asked:
        """A request for a path below an address, with a JSON body unless the body is None."""
        given = dict(headers or {})
        data = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        if data is not None and not any(name.lower() == "content-type" for name in given):
            given["Content-Type"] = "application/json"
        return Asked(method, base.rstrip("/") + path, data, tuple(given.items()))


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one request."""

    asked: int
    """Which of the requests, by its place among them."""
    status: int
    """The HTTP status; 0 where no whole answer came."""
    seconds: float
    """Until the last byte of the answer, or until it was given up. In a load at a rate: from when the request was due."""
    at: float
    """Seconds from the begin of the run to when it was sent, or due."""
    body: bytes | None = None
    """None where bodies are not kept."""
    trouble: str = ""
    """Why no whole answer came."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """By name in lower case; none where bodies are not kept."""

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def shed(self) -> bool:
        """Refused to keep the others fast: 503, and 429 for more than max_concurrency at once."""
        return self.status in (429, 503)

    @property
    def failed(self) -> bool:
        """An error of the service: 5xx, 429, or no answer. Other 4xx are the client's."""
        return self.status >= 500 or self.status in (0, 429)
