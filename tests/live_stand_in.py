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

from bento_gitops.model.names import kebab

REVISION = "deployment.kubernetes.io/revision"
Series = list[tuple[dict[str, str], float]]


@dataclass
class Live:
    """What runs, to be changed by tests; and what was asked."""

    url: str = ""
    lists: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    """By the last part of the path: deployments, replicasets, services, httproutes."""
    refused: set[str] = field(default_factory=set[str])
    """Lists that the API server does not show."""
    refusals: int | None = None
    """After how many it does show them."""
    measured: Callable[[str], Series | str] = lambda _: []
    """The answer to a query, or an error."""
    warnings: list[str] = field(default_factory=list[str])
    """Of Prometheus's answers."""
    queries: list[str] = field(default_factory=list[str])

    @property
    def prometheus(self) -> str:
        return f"{self.url}/prometheus"

    def run(self, values: Mapping[str, Any], weights: Mapping[str, int]) -> None:
        """Gives the cluster all pods of an application's values, and a route with these weights that the Gateway has taken."""
        application, track = values["application"], next(iter(values["tracks"]))
        deployments, sets, services = [], [], []
        for name, service, said, component in _workloads(values):
            labels = {
                "bento-gitops/application": application,
                "bento-gitops/environment": values["environment"],
                "bento-gitops/track": name,
                "bento-gitops/bundle": said["bundle"],
                "bento-gitops/component": kebab(service),
                "bento-gitops/role": component["role"],
            }
            own = f"{application}-{name}-{kebab(service)}"
            metadata = {"name": own, "labels": labels, "generation": 2, "uid": own, "annotations": {REVISION: "7"}}
            template = {"metadata": {"labels": labels}}
            deployments.append({"metadata": metadata, "spec": {"template": template}, "status": {"observedGeneration": 2}})
            for revision, ready in (("7", component.get("scaling", {}).get("minReplicas", 1)), ("6", 4)):
                of = {"annotations": {REVISION: revision}, "ownerReferences": [{"uid": own}]}
                sets.append({"metadata": {"name": f"{own}-{revision}", **of}, "status": {"readyReplicas": ready}})
            services.append({"metadata": {"name": own, "labels": labels}})
        entry = next(service for name, service, _, one in _workloads(values) if name == track and one["role"] == "api")
        backends = [{"name": f"{application}-{name}-{kebab(entry)}", "weight": weight} for name, weight in weights.items()]
        accepted = {"type": "Accepted", "status": "True", "observedGeneration": 5}
        rules = [{"matches": [{"headers": [{}]}], "backendRefs": []}, {"matches": [{}], "backendRefs": backends}]
        route = {
            "metadata": {"name": application, "generation": 5},
            "spec": {"rules": rules},
            "status": {"parents": [{"conditions": [accepted]}]},
        }
        self.lists = {"deployments": deployments, "replicasets": sets, "services": services, "httproutes": [route]}

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


def _workloads(values: Mapping[str, Any]) -> Iterator[tuple[str, str, Any, Any]]:
    for track, said in values["tracks"].items():
        for service, component in said["components"].items():
            yield track, service, said, component


FAST = {"0.1": 0.5, "0.2": 1.0, "0.8": 1.0, "+Inf": 1.0}


def measuring(counts: dict[str, tuple[float, float]]) -> Callable[[str], Series | str]:
    """Prometheus's answers for requests and errors by track; half of the answers take 0.1 s, all 0.2 s."""
    bundles = {"blue": "1.0.0", "green": "1.1.0"}

    def answer(query: str) -> Series | str:
        found: Series = []
        for track, (requests, errors) in counts.items():
            labels = {"track": track, "bundle": bundles[track]}
            if "duration" in query:
                found += [({**labels, "le": bound}, requests * share) for bound, share in FAST.items()]
            elif "errors" in query:
                found.append((labels, errors))
            elif "sum_over_time" in query:
                found.append((labels, requests))
            else:
                found.append((labels, requests / 20))
        return found

    return answer


@contextmanager
def live() -> Iterator[Live]:
    """Answers on a port of 127.0.0.1 until the block ends."""
    state = Live()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            last = path.rpartition("/")[2]
            if last in state.refused and state.refusals != 0:
                state.refusals = None if state.refusals is None else state.refusals - 1
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
            said = {"warnings": state.warnings} if state.warnings else {}
            self._send(200, {"status": "success", **said, "data": {"resultType": "vector", "result": result}})

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
