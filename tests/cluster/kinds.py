"""Kinds that a cluster may lack: made for one run with a definition that takes every field, and taken away with it."""

from __future__ import annotations

import json
import time
from typing import Any

from bento_gitops.checking.policies import resource_of
from kubernetes import client

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATIENCE = 60.0
"""Seconds in which a definition is served, or gone with all objects of its kind."""


class Kinds:
    """The kinds that this run added. What the cluster has by itself stays as it is."""

    def __init__(self, api: client.ApiClient) -> None:
        self._api = api
        self._made: list[str] = []

    def need(self, version: str, kind: str) -> str:
        """The plural of a namespaced kind of a `group/version`; it is served from now on."""
        group, _, number = version.partition("/")
        plural = resource_of(kind)
        name = f"{plural}.{group}"
        # One that goes is served until its last object has gone: an earlier run may just have ended.
        self._until(lambda: "deletionTimestamp" not in (self._definition(name) or {}).get("metadata", {}), f"{name} is gone")
        if self._definition(name) is None:
            status, told = self._ask("POST", DEFINITIONS, _taking_everything(group, number, kind, plural))
            assert status < 300, f"CustomResourceDefinition {name}: {told}"
            self._made.append(name)
        self._until(lambda: self._ask("GET", f"/apis/{version}/{plural}")[0] == 200, f"{name} is served")
        return plural

    def close(self) -> None:
        """Takes away what was made, and waits: the next run would else find kinds that are about to go."""
        for name in self._made:
            status, told = self._ask("DELETE", f"{DEFINITIONS}/{name}")
            assert status < 300 or status == 404, f"CustomResourceDefinition {name}: {told}"
        for name in self._made:
            self._until(lambda name=name: self._definition(name) is None, f"{name} is gone")
        self._made.clear()

    def _definition(self, name: str) -> dict[str, Any] | None:
        status, found = self._ask("GET", f"{DEFINITIONS}/{name}")
        assert status in (200, 404), f"CustomResourceDefinition {name}: {found}"
        return found if status == 200 else None

    def _ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        try:
            answer = self._api.call_api(method, f"{self._api.configuration.host}{path}", headers, body)
            data, status = answer.read(), int(answer.status)
        except client.ApiException as error:
            data, status = error.body or b"{}", int(error.status or 0)
        try:
            return status, json.loads(data)
        except ValueError:  # a path that the server does not have: a line of text
            return status, {"message": str(data)}

    @staticmethod
    def _until(holds: Any, what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, f"not within {PATIENCE:.0f} s: {what}"
            time.sleep(0.1)


def _taking_everything(group: str, version: str, kind: str, plural: str) -> dict[str, Any]:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    shape = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": anything}}
    # Groups of Kubernetes' own domain are for those who were told; here nobody keeps it.
    told = {"api-approved.kubernetes.io": "unapproved, for a test"} if group.endswith(".k8s.io") else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}", "annotations": told},
        "spec": {"group": group, "scope": "Namespaced", "names": {"kind": kind, "plural": plural}, "versions": [shape]},
    }
