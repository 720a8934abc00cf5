"""Knows that the image holds what BentoML needs to send spans, and that no span holds a ticket."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import running_server
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TOLD = "Mrs-Zyx-of-4711-Secret-Street"


class Collector(http.server.ThreadingHTTPServer):
    """Takes spans as an OpenTelemetry collector does: OTLP in protobuf, by POST."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiving)
        self.received: list[bytes] = []

    def spans(self) -> list[str]:
        exports = [ExportTraceServiceRequest.FromString(body) for body in self.received]
        return [
            span.name for export in exports for of in export.resource_spans for scope in of.scope_spans for span in scope.spans
        ]


class Receiving(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        self.server.received.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_spans_of_answered_and_refused_requests_arrive_without_a_ticket(
    collector: Collector, model_store: Path, tmp_path: Path
) -> None:
    otlp = {"protocol": "http", "endpoint": f"http://127.0.0.1:{collector.server_port}/v1/traces"}
    tracing = {"exporter_type": "otlp", "sample_rate": 1.0, "otlp": otlp}
    # Said of the service: BentoML takes a `tracing` that stands beside `services` without a word, and without any effect.
    overrides = {"services": {"SupportTicketIntelligence": {"tracing": tracing}}}
    environment = {"BENTOML_CONFIG_OVERRIDES": json.dumps(overrides), "OTEL_BSP_SCHEDULE_DELAY": "100"}

    with running_server(model_store, tmp_path / "log", environment=environment) as server:
        assert server.classify(f"{TOLD} was charged twice").status == 200
        assert server.post("/classify_ticket", json.dumps({"tickets": [{"text": [TOLD]}]})).status == 400
        end = time.monotonic() + 120
        while collector.spans().count("POST /classify_ticket") < 2:
            assert time.monotonic() < end, f"{collector.spans()}\n{server.log()}"
            time.sleep(0.05)

    assert not [body for body in collector.received if TOLD.encode() in body]
