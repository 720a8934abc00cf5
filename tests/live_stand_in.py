"""An API server and a Prometheus that answer with given data: what commands that look are tested with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

Series = list[tuple[dict[str, str], float]]


@dataclass
class Live:
    """What runs, to be changed by tests; and what was asked."""

    url: str = ""
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    """By the last part of the path: deployments, replicasets, services, httproutes."""
    refused: set[str] = field(default_factory=set[str])
    """Lists that the API server does not show."""
    measured: Callable[[str], Series | str] = lambda _: []
    """The answer to a query, or an error."""
    queries: list[str] = field(default_factory=list[str])

    @property
    def prometheus(self) -> str:
        return f"{self.url}/prometheus"

    def kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig with this API server."""
        file = folder / "kubeconfig"
        file.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "stand-in",
                    "clusters": [{"name": "stand-in", "cluster": {"server": self.url}}],
                    "contexts": [{"name": "stand-in", "context": {"cluster": "stand-in", "user": "stand-in"}}],
                    "users": [{"name": "stand-in", "user": {}}],
                }
            )
        )
        return file


@contextmanager
def live() -> Iterator[Live]:
    """Answers on a port of 127.0.0.1 until the block ends."""
    state = Live()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            last = path.rpartition("/")[2]
            if last in state.refused:
                self._send(403, {"kind": "Status", "message": f"{last} is forbidden: no rule allows it"})
            elif path.startswith(("/api/", "/apis/")) and last in state.lists:
                self._send(200, {"metadata": {}, "items": state.lists[last]})
            else:
                self._send(404, {"kind": "Status", "message": "the server could not find the requested resource"})

        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            query = asked["query"][0]
            state.queries.append(query)
            answer = state.measured(query)
            if isinstance(answer, str):
                self._send(400, {"status": "error", "errorType": "bad_data", "error": answer})
                return
            at = float(asked["time"][0])
            result = [{"metric": labels, "value": [at, str(value)]} for labels, value in answer]
            self._send(200, {"status": "success", "data": {"resultType": "vector", "result": result}})

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (its name there)
            """Tests read what commands print."""

        def _send(self, status: int, body: Mapping[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
