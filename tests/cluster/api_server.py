"""An API server as the parity tests use it: policies in force in namespaces of their own, and what it says to an object."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bento_gitops.checking.objects import Map
from bento_gitops.checking.policies import resource_of
from kinds import Kinds
from kubernetes import client
from reaching import AN_API_SERVER, reached

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
LONG = 30.0
"""Seconds in which a policy must be in force."""
_WARNING = re.compile(
    r"299 - \"Validation failed for ValidatingAdmissionPolicy '(?P<policy>[^']*)' with binding '[^']*': (?P<said>.*)\"", re.S
)


@dataclass(frozen=True)
class Answer:
    """To one request."""

    status: int
    body: Any
    warnings: Sequence[tuple[str, str]]
    """By policy, in order."""

    @property
    def refused(self) -> str:
        return "" if self.status < 400 else str(self.body.get("message", self.body))


@dataclass
class ApiServer:
    """The one of $KUBECONFIG. `close` takes away all that was made."""

    name: str = field(default_factory=lambda: f"parity-{os.urandom(3).hex()}")
    made: list[str] = field(default_factory=list[str])
    _resources: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    def __post_init__(self) -> None:
        self.client = reached(AN_API_SERVER)
        self.kinds = Kinds(self.client)

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        self.client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        url = self.client.configuration.host + path
        try:
            response = self.client.rest_client.request(method, url, headers=headers, body=body)
            response.read()
            status, data, said = response.status, response.data, response.getheaders()
        except client.ApiException as error:
            status, data, said = error.status, error.body, error.headers
        told = said.getlist("Warning") if said else []
        found = [match for text in _separate(told) if (match := _WARNING.fullmatch(text))]
        return Answer(status or 0, _json(data or "{}"), [(match["policy"], _plain(match["said"])) for match in found])

    def make(self, path: str, body: Any) -> Any:
        answer = self.ask("POST", path, body)
        assert not answer.refused, f"{body['kind']} {body['metadata']['name']}: {answer.refused}"
        self.made.append(f"{path}/{body['metadata']['name']}")
        return answer.body

    def close(self) -> None:
        for path in reversed(self.made):
            self.ask("DELETE", path)
        self.kinds.close()

    def namespace(self, part: str) -> str:
        """A new one; its name is told."""
        name = f"{self.name}-{part}"[:63].rstrip("-")
        self.make("/api/v1/namespaces", {"kind": "Namespace", "metadata": {"name": name}})
        return name

    def path(self, body: Map, namespace: str) -> str:
        """Where objects of this kind are created; a kind that the server lacks gets a definition that takes all fields."""
        version, kind = str(body["apiVersion"]), str(body["kind"])
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if version not in self._resources:
            listed = self.ask("GET", base).body.get("resources", [])
            self._resources[version] = {one["kind"]: one["name"] for one in listed if "/" not in one["name"]}
        plural = self._resources[version].get(kind)
        if plural is None:
            plural = self._resources[version][kind] = self.kinds.need(version, kind)
        assert plural == resource_of(kind), f"{kind}: the server calls it {plural}, policies are matched with {resource_of(kind)}"
        return f"{base}/namespaces/{namespace}/{plural}"

    def enforce(
        self, name: str, spec: Mapping[str, Any], namespace: str, parameters: Mapping[str, str] | None, selected: str = ""
    ) -> str:
        """A policy in force in a namespace: one binding denies, another tells every message. Its name there is told.

        Parameters other than a ConfigMap are the objects that `selected` (a label, or label=value) selects.
        """
        policy = f"{self.name}-{name}"
        self.make(
            f"{ADMISSION}/validatingadmissionpolicies",
            {"kind": "ValidatingAdmissionPolicy", "metadata": {"name": policy}, "spec": spec},
        )
        kind = (spec.get("paramKind") or {}).get("kind")
        reference: Any = None
        if kind == "ConfigMap":
            made = {"kind": "ConfigMap", "metadata": {"name": "policy-parameters"}, "data": dict(parameters or {})}
            if self.ask("GET", f"/api/v1/namespaces/{namespace}/configmaps/policy-parameters").status == 404:
                self.make(f"/api/v1/namespaces/{namespace}/configmaps", made)
            reference = {"name": "policy-parameters", "namespace": namespace, "parameterNotFoundAction": "Deny"}
        elif kind:
            key, equals, value = selected.partition("=")
            chosen = {"matchLabels": {key: value}} if equals else {"matchExpressions": [{"key": key, "operator": "Exists"}]}
            reference = {"selector": chosen, "parameterNotFoundAction": "Allow"}
        for action in ("Deny", "Warn"):
            binding: dict[str, Any] = {
                "policyName": policy,
                "validationActions": [action],
                "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}},
            }
            if reference:
                binding["paramRef"] = reference
            name = f"{policy}.{namespace}.{action.lower()}"
            body = {"kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": binding}
            self.make(f"{ADMISSION}/validatingadmissionpolicybindings", body)
        return policy

    def judge(self, method: str, body: Map, namespace: str) -> Answer:
        """What it says to the creation (POST), the deletion or the next state (PUT) of an object, of which nothing stays."""
        path = self.path(body, namespace)
        metadata: Any = body["metadata"]
        if method == "PUT":
            there = f"{path}/{metadata['name']}"
            version = self.ask("GET", there).body["metadata"]["resourceVersion"]
            return self.ask("PUT", f"{there}?dryRun=All", {**body, "metadata": {**metadata, "resourceVersion": version}})
        if method == "DELETE":
            return self.ask("DELETE", f"{path}/{metadata['name']}?dryRun=All")
        return self.ask("POST", f"{path}?dryRun=All", body)


def _json(text: str | bytes) -> Any:
    """An answer's body; of a path that the server does not have it is a line of text."""
    try:
        return json.loads(text)
    except ValueError:
        return {"message": str(text)}


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < deadline, f"not within {LONG:.0f} s: {what}"
        time.sleep(0.1)


def _separate(values: Sequence[str]) -> list[str]:
    """Header lines that a client joined with commas, one by one."""
    return [part for value in values for part in re.split(r", (?=299 - \")", value)]


def _plain(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
