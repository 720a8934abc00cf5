"""Traces of the example, served as the chart configures it, through a real OpenTelemetry Collector."""

from __future__ import annotations

import http.client
import json
import secrets
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from bento_gitops.tools.serving import Served
from conftest import Serve, Sink, Span

API = "SupportTicketIntelligence"
COMPONENTS = {API: "support-ticket-intelligence", "EmbeddingRunner": "embedding-runner", "ClassifierRunner": "classifier-runner"}
ROUTES = {API: "/classify_ticket", "EmbeddingRunner": "/encode", "ClassifierRunner": "/predict_proba"}
TOLD = "Mrs-Zyx-of-4711-Secret-Street"
PROBES = ("/livez", "/readyz", "/healthz", "/metrics")


def ask(address: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
    """The status of the answer, and the trace that it names."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
    try:
        method = "GET" if body is None else "POST"
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"content-type": "application/json", **headers})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("x-bentoml-trace-id", "")
    finally:
        connection.close()


def classify(served: Served, text: object = f"{TOLD} was charged twice", **headers: str) -> tuple[int, str]:
    return ask(served.addresses[API], "/classify_ticket", {"tickets": [{"text": text}]}, **headers)


def by_component(spans: list[Span]) -> dict[str, list[Span]]:
    return {service: [span for span in spans if span.name == f"POST {route}"] for service, route in ROUTES.items()}


def test_one_request_is_one_trace_through_the_api_and_both_runners(serve: Serve, collector: str, sink: Sink) -> None:
    with serve(collector, rate=1) as served:
        status, trace = classify(served)
        assert status == 200
        spans = by_component(sink.await_servers(trace, 3))
        assert {service: len(found) for service, found in spans.items()} == dict.fromkeys(ROUTES, 1)
        (api,) = spans[API]
        assert not api.parent
        for service, component in COMPONENTS.items():
            (span,) = spans[service]
            assert service == API or span.parent == api.own
            said = {key: span.resource.get(key) for key in ("service.name", "bento.component", "bento.track", "bento.bundle")}
            assert said == {
                "service.name": f"support-ticket-intelligence-{component}",
                "bento.component": component,
                "bento.track": "blue",
                "bento.bundle": span.resource["service.version"],
            }
            assert span.resource["deployment.environment.name"] == "test"

        for address in served.addresses.values():
            for probe in PROBES:
                assert ask(address, probe)[0] == 200
        assert classify(served, [TOLD])[0] == 400
        # The later spans of every process have come, so those of its probes would have come too.
        trace = classify(served)[1]
        sink.await_servers(trace, 3)
        names = [span.name for span in sink.spans()]
        assert not [name for name in names if any(probe in name for probe in PROBES)], names
        assert [body for body in sink.received if b"/classify_ticket" in body]
        assert not [body for body in sink.received if TOLD.encode() in body]


def test_at_rate_0_a_request_is_traced_only_if_it_comes_with_a_trace(serve: Serve, collector: str, sink: Sink) -> None:
    with serve(collector, rate=0) as served:
        status, untraced = classify(served)
        assert (status, len(untraced)) == (200, 32), "an answer names its trace also where it was not kept"
        given = secrets.token_hex(16)
        status, traced = classify(served, traceparent=f"00-{given}-{secrets.token_hex(8)}-01")
        assert (status, traced) == (200, given)
        sink.await_servers(given, 3)
        assert {span.trace for span in sink.spans()} == {given}


@contextmanager
def silent() -> Iterator[str]:
    """The endpoint of a collector that takes connections and never answers, as behind a network that drops packets."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(100)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1/traces"


@contextmanager
def refusing() -> Iterator[str]:
    """The endpoint of a collector that is not there. The port stays taken, so that nobody else listens there."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1/traces"


@pytest.mark.parametrize("collector_of", [silent, refusing])
def test_a_collector_that_is_down_neither_breaks_nor_delays_an_answer(serve: Serve, collector_of: Any) -> None:
    with collector_of() as endpoint, serve(endpoint, rate=1) as served:
        took: list[float] = []
        end = time.monotonic() + 60
        log = served.running[API].log
        while "Failed to export" not in log.read_text():
            assert time.monotonic() < end, f"no export was given up in {len(took)} requests:\n{served.running[API].tail()}"
            start = time.monotonic()
            assert classify(served)[0] == 200
            took.append(time.monotonic() - start)
        served.check()
        # An export is given up after 5 s; an answer that waited for one would have taken as long.
        assert statistics.median(took) < 2.5, sorted(took)
