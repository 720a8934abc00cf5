"""A track of the fleet's application as servers on loopback that imitate BentoML's: probes, metrics, an api and its runners."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientSession, web
from http_servers import serving

API = "SupportTickets"
RUNNERS = {"EmbeddingRunner": "/encode", "ClassifierRunner": "/predict_proba"}
ROUTE = "/classify_ticket"


@dataclass
class Component:
    """What one component does; a test may change it while it runs."""

    service: str
    bento: str
    ready: int = 200
    metrics: int = 200
    status: int = 200
    seconds: float = 0.0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    answer: Any = None
    asked: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    """By endpoint and status."""
    tracks: set[str | None] = field(default_factory=set[str | None])
    """That requests asked for by header."""
    at: list[float] = field(default_factory=list[float])
    """When each request arrived, probes aside."""
    key: str | None = None
    """Who does not send it as x-api-key is not answered, probes aside."""
    calls: dict[str, str] = field(default_factory=dict[str, str])
    """By runner, the address that is asked; a runner that is not here runs in this process."""

    def exported(self) -> str:
        name, _, version = self.bento.partition(":")
        labels = f'runner_name="{self.service}",service_name="{name}",service_version="{version}"'
        lines = [f'bentoml_service_request_in_progress{{endpoint="/readyz",{labels}}} 1.0']
        for (endpoint, status), number in self.asked.items():
            lines.append(
                f'bentoml_service_request_total{{endpoint="{endpoint}",http_response_code="{status}",{labels}}} {float(number)}'
            )
        return "\n".join(lines) + "\n"

    async def handle(self, request: web.Request) -> web.Response:
        if request.path == "/metrics":
            return web.Response(status=self.metrics, text=self.exported())
        if request.path == "/readyz":
            self.asked[request.path, self.ready] += 1
            return web.Response(status=self.ready)
        if self.key is not None and request.headers.get("x-api-key") != self.key:
            self.asked[request.path, 401] += 1
            return web.json_response({"error": "no key"}, status=401)
        self.at.append(time.monotonic())
        self.tracks.add(request.headers.get("x-bento-track"))
        await asyncio.sleep(self.seconds)
        status, said = self.status, self.answer
        if not (await request.read()):
            status, said = 400, {"error": "no body"}
        elif status == 200:
            for runner, address in self.calls.items():
                try:
                    async with ClientSession() as session, session.post(address + RUNNERS[runner], json=[]) as response:
                        status = 500 if response.status >= 500 else status
                except ClientError:
                    status = 500
                if status == 500:
                    break
        self.asked[request.path, status] += 1
        return web.json_response(said, status=status, headers=self.headers)


@dataclass
class Track:
    """The components of a track, and where they answer."""

    components: dict[str, Component]
    addresses: dict[str, str]

    def __getitem__(self, service: str) -> Component:
        return self.components[service]

    @property
    def urls(self) -> list[str]:
        """The options with which `verify` reaches them."""
        words = [self.addresses[API], *(f"{runner}={self.addresses[runner]}" for runner in RUNNERS)]
        return [word for address in words for word in ("--url", address)]

    @property
    def as_stable(self) -> list[str]:
        return ["--stable-url", self.addresses[API]]

    def requests(self) -> int:
        """That the api got, probes aside."""
        return sum(number for (endpoint, _), number in self[API].asked.items() if endpoint == ROUTE)


@contextmanager
def running(version: str, **answer: Any) -> Iterator[Track]:
    """A track in which everything is right; the api answers with `answer`."""
    bento = f"support_tickets:{version}"
    components = {service: Component(service, bento, answer=[]) for service in RUNNERS}
    components[API] = Component(API, bento, answer={"label": "billing", "confidence": 0.9, "version": version} | answer)
    with ExitStack() as stack:
        addresses = {service: stack.enter_context(serving(one.handle)) for service, one in components.items()}
        components[API].calls = {runner: addresses[runner] for runner in RUNNERS}
        yield Track(components, addresses)
