"""An API server and a Prometheus that answer with given data: what commands that look, or change routes, are tested with."""

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

import yaml
from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.checking.objects import get, labels_of
from bento_gitops.checking.rendered import read
from bento_gitops.model.layout import CHART, values_file
from bento_gitops.model.names import kebab
from bento_gitops.tools import binaries, helm

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
    changes: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    """Patches that were made: plural/name, and the body."""
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    failing: Callable[[str, str], tuple[int, str] | None] = lambda _verb, _what: None
    """Of a verb (GET, PATCH, POST) and plural/name: the status and message with which the API server refuses."""
    before_patch: Callable[[str], None] = lambda _what: None
    """Called with plural/name before a patch is looked at: what somebody else does meanwhile."""
    takes: bool = True
    """Whether the Gateway takes what a route says, at once."""

    def one(self, plural: str, name: str) -> dict[str, Any]:
        """An object."""
        return next(one for one in self.lists[plural] if one["metadata"]["name"] == name)

    def touched(self, plural: str, name: str) -> None:
        """The object is another than it was: who read it before is too late."""
        metadata = self.one(plural, name)["metadata"]
        metadata["resourceVersion"] = str(int(metadata.get("resourceVersion", "1")) + 1)

    def synced_by_argo(self, environment: str, application: str, **more: Any) -> dict[str, Any]:
        """Gives the cluster Argo CD's Application, which syncs by itself."""
        name = f"{environment}.{application}"
        labels = {"bento-gitops/environment": environment, "bento-gitops/application": application}
        made: dict[str, Any] = {
            "metadata": {"name": name, "namespace": "argocd", "labels": labels, "resourceVersion": "1"},
            "spec": {"syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["ServerSideApply=true"]}},
            "status": {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}},
        }
        self.lists["applications"] = [{**made, **more}]
        return self.lists["applications"][0]

    def patch(self, plural: str, name: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The object after a merge patch; None: it is another than the patch was made for."""
        found = self.one(plural, name)
        version = found["metadata"].setdefault("resourceVersion", "1")
        if body.get("metadata", {}).get("resourceVersion", version) != version:
            return None
        before = json.dumps(found.get("spec"), sort_keys=True)
        after = merged(found, body)
        found.clear()
        found.update(after)
        self.touched(plural, name)
        if json.dumps(found.get("spec"), sort_keys=True) != before:
            found["metadata"]["generation"] = found["metadata"].get("generation", 1) + 1
            for parent in found.get("status", {}).get("parents", []) if self.takes else []:
                for condition in parent["conditions"]:
                    condition["observedGeneration"] = found["metadata"]["generation"]
        return found

    @property
    def prometheus(self) -> str:
        return f"{self.url}/prometheus"

    def run(self, root: Path, target: str, weights: Mapping[str, int], *, environment: str | None = None) -> None:
        """Gives the cluster what the chart of a repository makes of ENV/APP (as far as commands look at it), all its pods, and a
        route with these weights that the Gateway has taken. `environment`: whose its objects say they are, if not its own."""
        text = (root / values_file(target)).read_text("utf-8")
        values = yaml.safe_load(text)
        made = _checksums(root / CHART, text)
        application, track = values["application"], next(iter(values["tracks"]))
        deployments, sets, services = [], [], []
        for name, service, said, component in _workloads(values):
            labels = {
                "bento-gitops/application": application,
                "bento-gitops/environment": environment or values["environment"],
                "bento-gitops/track": name,
                "bento-gitops/bundle": said["bundle"],
                "bento-gitops/component": kebab(service),
                "bento-gitops/role": component["role"],
            }
            own = f"{application}-{name}-{kebab(service)}"
            metadata = {
                "name": own,
                "labels": labels,
                "generation": 2,
                "uid": own,
                "annotations": {REVISION: "7", **made.get(own, {})},
            }
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
            "metadata": {"name": application, "uid": "of-the-route", "generation": 5, "resourceVersion": "1"},
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


def merged(one: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    after: dict[str, Any] = dict(one) if isinstance(one, dict) else {}
    for key, value in patch.items():
        if value is None:
            after.pop(key, None)
        else:
            after[key] = merged(after.get(key), value)
    return after


def _checksums(chart: Path, values: str) -> dict[str, dict[str, str]]:
    """By the Deployment's name, what the chart notes of its pods."""
    documents = helm.template(chart, values, "made", helm=binaries.find("helm"), kube_version=VERSIONS[-1])
    objects = [found for document in documents if (found := read(document)) is not None]
    return {one.name: labels_of(get(one.body, "metadata", "annotations")) for one in objects if one.kind == "Deployment"}


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
            plural, _, name = path.rpartition("/namespaces/")[2].partition("/")[2].partition("/")
            if path.startswith(("/api/", "/apis/")) and (refusal := state.failing("GET", f"{plural}/{name}".strip("/"))):
                self._refuse(*refusal)
            elif name and any(one["metadata"]["name"] == name for one in state.lists.get(plural, [])):
                self._send(200, state.one(plural, name))
            elif last in state.refused and state.refusals != 0:
                state.refusals = None if state.refusals is None else state.refusals - 1
                self._send(403, {"kind": "Status", "message": f"{last} is forbidden: no rule allows it"})
            elif path.startswith(("/api/", "/apis/")) and last in state.lists:
                self._send(200, {"metadata": {}, "items": state.lists[last]})
            else:
                self._send(404, {"kind": "Status", "message": "the server could not find the requested resource"})

        def do_PATCH(self) -> None:
            path = urlsplit(self.path).path
            plural, _, name = path.rpartition("/namespaces/")[2].partition("/")[2].partition("/")
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Content-Type"] == "application/merge-patch+json", self.headers["Content-Type"]
            assert "fieldManager=bento-gitops-live" in self.path, self.path
            state.before_patch(f"{plural}/{name}")
            if refusal := state.failing("PATCH", f"{plural}/{name}"):
                self._refuse(*refusal)
                return
            changed = state.patch(plural, name, body)
            if changed is None:
                wrong = f'Operation cannot be fulfilled on {plural} "{name}": the object has been modified'
                self._refuse(409, wrong)
                return
            state.changes.append((f"{plural}/{name}", body))
            self._send(200, changed)

        def do_POST(self) -> None:
            read = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path.startswith("/api/"):
                if refusal := state.failing("POST", "events"):
                    self._refuse(*refusal)
                    return
                state.events.append(json.loads(read))
                self._send(201, state.events[-1])
                return
            asked = parse_qs(read)
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

        def _refuse(self, status: int, message: str) -> None:
            self._send(status, {"kind": "Status", "message": message})

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
