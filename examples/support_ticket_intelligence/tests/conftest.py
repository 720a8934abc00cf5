"""Knows how the tests get a service to ask: the real one, in a process of its own on loopback, with the trained models."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from bentoml_homes import home_of_its_own
from chart_served import bento, rendered, running

__all__ = ["bento", "home_of_its_own", "rendered", "running"]

EXAMPLE = Path(__file__).parents[1]
CLASSIFIER = "ticket_classifier/1.1.0"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file run in one process, and share the server that they started; so do files with the same SERVED_FOR."""
    for item in items:
        group = getattr(item.getparent(pytest.Module).obj, "SERVED_FOR", item.path.name)
        item.add_marker(pytest.mark.xdist_group(group))


@dataclass(frozen=True)
class Answer:
    status: int
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass(frozen=True)
class Server:
    port: int
    log_file: Path

    def get(self, path: str) -> Answer:
        return self._answer("GET", path, None, {})

    def post(self, path: str, body: str | bytes, content_type: str = "application/json") -> Answer:
        return self._answer("POST", path, body, {"content-type": content_type})

    def _answer(self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode())
        finally:
            connection.close()

    def classify(self, *texts: str) -> Answer:
        return self.post("/classify_ticket", json.dumps({"tickets": [{"text": text} for text in texts]}))

    def log(self) -> str:
        return self.log_file.read_text()


@pytest.fixture(scope="session")
def model_store() -> Path:
    store = Path(os.environ.get("BENTOML_HOME", ""))
    if not (store / "models" / CLASSIFIER).is_dir():
        pytest.fail(f"no {CLASSIFIER} in BENTOML_HOME (found {str(store)!r}); run 'make example-test'", pytrace=False)
    return store


@pytest.fixture(scope="session")
def server(model_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The API service with both runners in its process: what a request meets is the same, without a port for each."""
    with running_server(model_store, tmp_path_factory.mktemp("server") / "log") as one:
        yield one


@contextmanager
def running_server(
    model_store: Path,
    log_file: Path,
    depends: Mapping[str, str] = MappingProxyType({}),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Server]:
    """The API service, ready; `depends`: where the runners are that are not to run in its process."""
    port = free_port()
    home = home_of_its_own(log_file.with_suffix(".home"), model_store)
    with log_file.open("w") as log:
        process = start("SupportTicketIntelligence", port, {"BENTOML_HOME": str(home), **environment}, log, depends)
    try:
        _await_ready(process, port, log_file)
        yield Server(port, log_file)
    finally:
        process.terminate()
        process.wait(60)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def start(
    service: str, port: int, environment: Mapping[str, str], stdout: Any, depends: Mapping[str, str] = MappingProxyType({})
) -> subprocess.Popen[str]:
    arguments = ["--service-name", service, "--host", "127.0.0.1", "--port", str(port)]
    for name, url in depends.items():
        arguments += ["--depends", f"{name}={url}"]
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "bentoml_cli._internal.start",
            "start-http-server",
            *arguments,
            "service:SupportTicketIntelligence",
        ],
        cwd=EXAMPLE,
        env={**os.environ, **environment},
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _await_ready(process: subprocess.Popen[str], port: int, log_file: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the server ended with {process.returncode}:\n{log_file.read_text()}", pytrace=False)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)  # between two looks, not instead of one
        finally:
            connection.close()
    pytest.fail(f"the server was not ready in three minutes:\n{log_file.read_text()}", pytrace=False)
