"""Knows how the test of traces gets what it looks at: a collector with the spans that it hands on, and the served example."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.bundling.manifest import read_manifest
from bento_gitops.operations.bundle import create, inspect_bento
from bento_gitops.operations.chart_processes import processes
from bento_gitops.operations.render import render_one
from bento_gitops.repository.files import WorkingTree
from bento_gitops.repository.fleet import Fleet
from bento_gitops.tools import bento, serving

ROOT = Path(__file__).parents[3]
HOME = ROOT / "build/example/bentoml"
PYTHON = ROOT / ".venv-example/bin/python"
COLLECTOR = ROOT / "build/example/collector"
BENTO = os.environ.get("TRACED_BENTO", "support_ticket_intelligence:1.1.0")
APPLICATION = "support-ticket-intelligence"
TARGET = f"test/{APPLICATION}"

# Spans leave after 0.2 s, not 5: only the waiting is shorter.
ENVIRONMENT = """\
apiVersion: bento-gitops/v1
kind: Environment
namespace: test
cluster: loopback
routing: {{controller: none}}
defaults:
  roles:
    api: {{envs: {{OTEL_BSP_SCHEDULE_DELAY: "200"}}}}
    runner: {{envs: {{OTEL_BSP_SCHEDULE_DELAY: "200"}}}}
  tracing:
    endpoint: {endpoint}
    sample_rate: {rate}
    collector: {{cidr: 127.0.0.1/32}}
"""
RELEASE = """\
apiVersion: bento-gitops/v1
kind: Release
stable: blue
tracks: {{blue: {{bundle: {bundle}, weight: 100}}}}
since: 2026-11-01T00:00:00Z
"""
COLLECTING = """\
receivers: {{otlp: {{protocols: {{http: {{endpoint: "127.0.0.1:{port}"}}}}}}}}
exporters:
  otlphttp: {{endpoint: "{sink}", encoding: json, compression: none, sending_queue: {{enabled: false}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlphttp]}}}}
"""

Serve = Callable[..., Any]


@dataclass(frozen=True)
class Span:
    """A span as the collector handed it on."""

    service: str
    """Its resource's service.name."""
    resource: dict[str, str]
    name: str
    trace: str
    own: str
    parent: str
    server: bool
    """It stands for a whole request, not for a part of one."""


class Sink(http.server.ThreadingHTTPServer):
    """What the collector hands its traces to: OTLP as JSON, by POST."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.received: list[bytes] = []

    def spans(self, trace: str = "") -> list[Span]:
        """Of all traces, or of one."""
        found = [
            _span(span, {each["key"]: str(*each["value"].values()) for each in one["resource"]["attributes"]})
            for body in list(self.received)
            for one in json.loads(body)["resourceSpans"]
            for scope in one["scopeSpans"]
            for span in scope["spans"]
        ]
        return [span for span in found if trace in ("", span.trace)]

    def await_servers(self, trace: str, number: int) -> list[Span]:
        """The spans of a trace that stand for requests, once there are so many."""
        end = time.monotonic() + 120
        while len(found := [span for span in self.spans(trace) if span.server]) < number:
            assert time.monotonic() < end, f"{number} requests awaited in {trace}; of all spans: {self.spans()}"
            time.sleep(0.1)
        return found


class _Taking(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Sink)
        self.server.received.append(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


def _span(span: dict[str, Any], resource: dict[str, str]) -> Span:
    server = span["kind"] == 2
    return Span(
        resource["service.name"],
        resource,
        span["name"],
        span["traceId"],
        span["spanId"],
        span.get("parentSpanId", ""),
        server,
    )


@pytest.fixture
def sink() -> Iterator[Sink]:
    server = Sink()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def collector(sink: Sink, tmp_path: Path) -> Iterator[str]:
    """A running OpenTelemetry Collector; the endpoint that it takes traces at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    configuration, log = tmp_path / "collector.yaml", tmp_path / "collector.log"
    configuration.write_text(COLLECTING.format(port=port, sink=f"http://127.0.0.1:{sink.server_port}"))
    with log.open("wb") as output:
        process = subprocess.Popen([COLLECTOR, "--config", configuration], stdout=output, stderr=output)
    try:
        end = time.monotonic() + 120
        while not _listens(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/v1/traces"
    finally:
        process.terminate()
        process.wait(60)


def _listens(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the chart and the built Bento's bundle; every test copies it."""
    root = tmp_path_factory.mktemp("recorded")
    shutil.copytree(ROOT / "charts/bento-serving", root / "charts/bento-serving")
    inspection = root / "inspection.json"
    inspection.write_text(inspect_bento(BENTO, python=PYTHON, home=HOME, timeout=120).model_dump_json())
    create(
        root,
        inspection_file=inspection,
        application=APPLICATION,
        tag=None,
        image=f"registry.example.com/ml/{APPLICATION}@sha256:{'0' * 64}",
        source=(None, None),
        created="2026-11-01T00:00:00Z",
        size_limit=50 << 20,
        dry_run=False,
    )
    return root


@pytest.fixture
def serve(recorded: Path, tmp_path: Path) -> Serve:
    """Serves the example's three components as the chart configures them for an endpoint and a sample rate."""

    @contextmanager
    def served(endpoint: str, rate: float) -> Generator[serving.Served]:
        root = tmp_path / "repository"
        shutil.copytree(recorded, root)
        folder = root / "environments" / TARGET
        folder.mkdir(parents=True)
        (folder.parent / "environment.yaml").write_text(ENVIRONMENT.format(endpoint=endpoint, rate=rate))
        (folder / "config.yaml").write_text("apiVersion: bento-gitops/v1\nkind: Config\n")
        (folder / "release.yaml").write_text(RELEASE.format(bundle=json.dumps(BENTO.partition(":")[2])))
        tree = WorkingTree(root)
        fleet = Fleet(tree)
        rendered, _ = render_one(fleet, fleet.chosen(TARGET)[0])
        assert not [note for note in rendered.notes if "tracing" in note], rendered.notes
        # The store stays as it was built: a cache in a Bento is refused when it is inspected again.
        started = [
            replace(one, environment={**one.environment, "PYTHONDONTWRITEBYTECODE": "1"})
            for one in processes(tree, rendered, "blue", tmp_path).values()
        ]
        with bento.opened(BENTO, HOME) as opened:
            manifest = read_manifest(opened.text("bento.yaml") or b"", "bento.yaml")
            what = serving.Bento(opened, tuple(manifest.tags), manifest.image_envs, PYTHON)
            with serving.served(what, started, limit=180) as found:
                yield found

    return served
