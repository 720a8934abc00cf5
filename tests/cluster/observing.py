"""What a cluster shows of an application: the observation that release commands decide by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asking import Asked, percentile
from bento_gitops.model.base import timestamp
from kubernetes import client

TRACK, BUNDLE, REVISION = "bento-gitops/track", "bento-gitops/bundle", "deployment.kubernetes.io/revision"


@dataclass(frozen=True)
class Cluster:
    """Where an application runs."""

    api: client.ApiClient
    name: str
    namespace: str
    application: str

    def observe(self, now: datetime, measured: Mapping[str, Sequence[Asked]], window: str) -> dict[str, Any]:
        """An Observation. `measured`: by track the requests of the window."""
        return {
            "apiVersion": "bento-gitops/v1",
            "kind": "Observation",
            "target": f"prod/{self.application}",
            "at": timestamp(now),
            "cluster": self.name,
            "run": "tests",
            "weights": self.weights(),
            "tracks": self.tracks(),
            "analysis": {
                "window": window,
                "tracks": {
                    track: {
                        "requests": len(asked),
                        "errors": sum(not one.good for one in asked),
                        "p95": round(percentile(asked, 95), 3),
                    }
                    for track, asked in measured.items()
                    if asked
                },
            },
        }

    def weights(self) -> dict[str, int] | None:
        """Percent by track, of the requests that no header decides; None until the gateway has taken what the route says."""
        custom = client.CustomObjectsApi(self.api)
        where = ("gateway.networking.k8s.io", "v1", self.namespace, "httproutes", self.application)
        route: Any = custom.get_namespaced_custom_object(*where)
        accepted = [
            condition
            for parent in route.get("status", {}).get("parents", [])
            for condition in parent["conditions"]
            if condition["type"] == "Accepted" and condition["status"] == "True"
        ]
        if not any(condition["observedGeneration"] == route["metadata"]["generation"] for condition in accepted):
            return None
        services: list[Any] = client.CoreV1Api(self.api).list_namespaced_service(self.namespace).items
        track_of = {
            service.metadata.name: service.metadata.labels[TRACK] for service in services if TRACK in service.metadata.labels
        }
        undecided = [rule for rule in route["spec"]["rules"] if not any("headers" in match for match in rule["matches"])]
        assert len(undecided) == 1, undecided
        return {track_of[backend["name"]]: backend["weight"] for backend in undecided[0]["backendRefs"]}

    def tracks(self) -> dict[str, dict[str, Any]]:
        """By track its bundle, and by component the pods that are ready and of the current revision."""
        apps = client.AppsV1Api(self.api)
        found: dict[str, dict[str, Any]] = {}
        sets = apps.list_namespaced_replica_set(self.namespace).items
        deployments: list[Any] = apps.list_namespaced_deployment(self.namespace).items
        for deployment in deployments:
            labels = deployment.spec.template.metadata.labels
            track = found.setdefault(labels[TRACK], {"bundle": labels[BUNDLE], "ready": {}})
            track["ready"][_service(deployment)] = _ready(deployment, sets)
        return found

    def pods(self, track: str | None = None) -> Iterator[Any]:
        """All, or those of a track."""
        selector = f"bento-gitops/application={self.application}" + (f",{TRACK}={track}" if track else "")
        yield from client.CoreV1Api(self.api).list_namespaced_pod(self.namespace, label_selector=selector).items


def _service(deployment: Any) -> str:
    """The component's name in the code."""
    arguments: list[str] = deployment.spec.template.spec.containers[0].args
    return arguments[arguments.index("--service-name") + 1]


def _ready(deployment: Any, sets: Sequence[Any]) -> int:
    """None of them before the controller has seen what the Deployment says now: those there are may be of another revision."""
    if deployment.status.observed_generation != deployment.metadata.generation:
        return 0
    revision = deployment.metadata.annotations[REVISION]
    return sum(
        one.status.ready_replicas or 0
        for one in sets
        if one.metadata.annotations[REVISION] == revision
        and any(owner.uid == deployment.metadata.uid for owner in one.metadata.owner_references)
    )
