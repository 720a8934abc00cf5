"""Stands in for kube-state-metrics and NVIDIA's dcgm-exporter: their series for the objects of a render, one pod a Deployment.

Names and labels are those of kube-state-metrics 2 and dcgm-exporter; what pods request and autoscalers may do was rendered.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from prometheus_server import Scraped

Map = dict[str, Any]

NAME = "kube-state-metrics"
_HASH = "6c9f7d54b8"
_UNITS = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_GPU = 16 * 1024
"""MiB of memory."""
_UNTIL_RESTART = 8.0
"""Seconds."""


def pod_of(deployment: Map) -> str:
    """The name of a Deployment's pod."""
    return f"{_replica_set(deployment)}-x7k2p"


@contextmanager
def exporter(objects: Sequence[Map], namespace: str) -> Iterator[tuple[list[Map], Scraped]]:
    """The objects by which Prometheus finds it, and the target. The labels of the series are those of the pods they are about."""
    deployments = [found for found in objects if found["kind"] == "Deployment"]
    autoscalers = [found for found in objects if found["kind"] == "HorizontalPodAutoscaler"]
    began = time.monotonic()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            lines = [line for found in deployments for line in _pod(found, namespace, time.monotonic() - began)]
            lines += [_highest(found, namespace) for found in autoscalers]
            body = "".join(f"{line}\n" for line in lines).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        target = Scraped(f"127.0.0.1:{server.server_port}", {"app": NAME}, f"{NAME}-0", "monitoring", NAME)
        yield _found_by(), target
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _found_by() -> list[Map]:
    labels = {"app": NAME}
    return [
        {
            "kind": "Service",
            "metadata": {"name": NAME, "labels": labels},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 8080}]},
        },
        {
            "kind": "ServiceMonitor",
            "metadata": {"name": NAME},
            # As kube-prometheus-stack has it: namespace and pod are those of the object, not of the exporter.
            "spec": {
                "selector": {"matchLabels": labels},
                "endpoints": [{"port": "http", "interval": "30s", "honorLabels": True}],
            },
        },
    ]


def _replica_set(deployment: Map) -> str:
    return f"{deployment['metadata']['name']}-{_HASH}"


def _pod(deployment: Map, namespace: str, seconds: float) -> Iterator[str]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    pod = f'namespace="{namespace}",pod="{pod_of(deployment)}"'
    owner = f'owner_kind="ReplicaSet",owner_name="{_replica_set(deployment)}",owner_is_controller="true"'
    yield f"kube_pod_owner{{{pod},{owner}}} 1"
    for phase in ("Pending", "Running", "Succeeded", "Failed", "Unknown"):
        yield f'kube_pod_status_phase{{{pod},phase="{phase}"}} {int(phase == "Running")}'
    inside = f'{pod},container="{container["name"]}"'
    yield f"kube_pod_container_status_restarts_total{{{inside}}} {int(seconds // _UNTIL_RESTART)}"
    for resource, said in container["resources"]["requests"].items():
        name = re.sub(r"[^a-z0-9]", "_", resource)
        yield f'kube_pod_container_resource_requests{{{inside},node="node-1",resource="{name}",unit="core"}} {_amount(str(said))}'
    if "nvidia.com/gpu" in container["resources"].get("limits", {}):
        used = round(_GPU * (0.5 + min(seconds, 60) / 200))
        gpu = f'{pod},container="{container["name"]}",gpu="0",UUID="GPU-0",device="nvidia0",Hostname="node-1"'
        yield f"DCGM_FI_DEV_FB_USED{{{gpu}}} {used}"
        yield f"DCGM_FI_DEV_FB_FREE{{{gpu}}} {_GPU - used}"


def _highest(autoscaler: Map, namespace: str) -> str:
    name = f'namespace="{namespace}",horizontalpodautoscaler="{autoscaler["metadata"]["name"]}"'
    return f"kube_horizontalpodautoscaler_spec_max_replicas{{{name}}} {autoscaler['spec']['maxReplicas']}"


def _amount(text: str) -> float:
    """Of a Kubernetes quantity: 500m is 0.5, 1Ki is 1024."""
    found = re.fullmatch(r"([0-9.]+)(m|Ki|Mi|Gi)?", text)
    assert found, text
    return float(found[1]) / 1000 if found[2] == "m" else float(found[1]) * _UNITS.get(found[2] or "", 1)
