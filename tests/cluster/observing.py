"""What a cluster shows of an application, by the code that `--live` looks with; measured by the clients of the test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asking import Asked, percentile
from bento_gitops.model.base import timestamp
from bento_gitops.observing.live import COMPONENT, TRACK, Seen, observed_tracks, observed_weights
from bento_gitops.tools import cluster
from kubernetes import client


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
        return observed_weights(self._seen(), "gateway", self.application)

    def tracks(self) -> dict[str, dict[str, Any]]:
        """By track its bundle, and by component the pods that are ready and of the current revision."""
        seen = self._seen()
        deployments: list[Any] = [*seen.deployments]
        names = {one["metadata"]["labels"][COMPONENT]: _service(one) for one in deployments}
        return {name: track.model_dump(exclude_none=True) for name, track in observed_tracks(seen, names).items()}

    def pods(self, track: str | None = None) -> Iterator[Any]:
        """All, or those of a track."""
        selector = f"bento-gitops/application={self.application}" + (f",{TRACK}={track}" if track else "")
        yield from client.CoreV1Api(self.api).list_namespaced_pod(self.namespace, label_selector=selector).items

    def _seen(self) -> Seen:
        return cluster.Cluster(self.api, self.name).seen(self.namespace, self.application, "gateway")


def _service(deployment: Any) -> str:
    """The component's name in the code."""
    arguments: list[str] = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    return arguments[arguments.index("--service-name") + 1]
