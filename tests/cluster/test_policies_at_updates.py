"""What only an API server is asked: updates, debugging, and what controllers make, under the repository's policies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_server import ApiServer, until

POLICIES = Path(__file__).resolve().parents[2] / "policies"
CANARY = "nginx.ingress.kubernetes.io/canary"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    one = ApiServer()
    try:
        yield one
    finally:
        one.close()


def _resource(path: str) -> Any:
    return yaml.safe_load((POLICIES / path).read_text())


def _enforced(server: ApiServer, policy: str, namespace: str) -> None:
    """In force, and asked: a bad resource of the policy is refused."""
    folder = POLICIES / policy
    said = _resource(f"{policy}/parameters.yaml") if (folder / "parameters.yaml").exists() else {}
    name = server.enforce(policy, _resource(f"{policy}/policy.yaml")["spec"], namespace, said)
    bad = yaml.safe_load(min(folder.glob("bad/*.yaml")).read_text())
    until(lambda: name in server.judge("POST", bad, namespace).refused, f"{policy} is asked in {namespace}")


def _changed(server: ApiServer, path: str, **fields: Any) -> str:
    """What the server says when the object there gets other fields of its metadata or spec; empty if it lets it."""
    found = server.ask("GET", path).body
    for part, more in fields.items():
        found[part] = {**found[part], **more}
    return server.ask("PUT", f"{path}?dryRun=All", found).refused


def _pods(server: ApiServer, namespace: str) -> list[Any]:
    return server.ask("GET", f"/api/v1/namespaces/{namespace}/pods").body["items"]


def test_what_was_let_in_before_a_policy_denied_may_be_synced_as_it_is_but_not_changed(server: ApiServer) -> None:
    namespace = server.namespace("before")
    deployment = _resource("image-by-digest/bad/by-tag.yaml")
    path = f"{server.path(deployment, namespace)}/{deployment['metadata']['name']}"
    server.make(path.rpartition("/")[0], deployment)
    _enforced(server, "image-by-digest", namespace)
    assert not _changed(server, path, metadata={"annotations": {"touched": "yes"}})
    assert "an image is named by digest" in _changed(server, path, spec={"minReadySeconds": 7})


def test_a_pod_that_a_controller_makes_again_is_not_judged_again_and_nobody_else_passes_for_one(server: ApiServer) -> None:
    """Else a node that is drained after a policy got stricter would end an application that nobody touched."""
    namespace = server.namespace("controllers")
    deployment = _resource("image-by-digest/bad/by-tag.yaml")
    server.make(server.path(deployment, namespace), deployment)
    until(lambda: len(_pods(server, namespace)) == 1, "the Deployment has a pod")
    (first,) = _pods(server, namespace)
    _enforced(server, "image-by-digest", namespace)
    server.ask("DELETE", f"/api/v1/namespaces/{namespace}/pods/{first['metadata']['name']}?gracePeriodSeconds=0")
    until(
        lambda: [pod for pod in _pods(server, namespace) if pod["metadata"]["uid"] != first["metadata"]["uid"]] != [],
        "its controller made another pod",
    )
    owner = first["metadata"]["ownerReferences"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "by-hand", "ownerReferences": owner},
        "spec": deployment["spec"]["template"]["spec"],
    }
    assert "an image is named by digest" in server.judge("POST", pod, namespace).refused


def test_a_container_for_debugging_is_judged_and_the_pod_that_it_joins_is_not(server: ApiServer) -> None:
    namespace = server.namespace("debugging")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "served"},
        "spec": _resource("image-by-digest/bad/by-tag.yaml")["spec"]["template"]["spec"],
    }
    server.make(f"/api/v1/namespaces/{namespace}/pods", pod)
    _enforced(server, "image-by-digest", namespace)
    path = f"/api/v1/namespaces/{namespace}/pods/served"

    def debugged(image: str) -> str:
        found = server.ask("GET", path).body
        found["spec"]["ephemeralContainers"] = [{"name": "debugger", "image": image, "terminationMessagePolicy": "File"}]
        return server.ask("PUT", f"{path}/ephemeralcontainers?dryRun=All", found).refused

    assert "an image is named by digest" in (said := debugged("busybox"))
    assert "found busybox)" in said, "the pod's own image is not what was asked about"
    assert not debugged("registry.example.com/ml/debug@sha256:" + "1" * 64)


def test_our_label_cannot_be_taken_off_to_get_out_of_sight(server: ApiServer) -> None:
    namespace = server.namespace("labels")
    service = _resource("required-labels/good/service.yaml")
    server.make(server.path(service, namespace), service)
    _enforced(server, "required-labels", namespace)
    path = f"{server.path(service, namespace)}/{service['metadata']['name']}"
    kept = {key: value for key, value in service["metadata"]["labels"].items() if key != "bento-gitops/application"}
    assert "missing: bento-gitops/application" in _changed(server, path, metadata={"labels": kept})


def test_a_route_or_service_that_was_let_in_before_is_judged_again_with_its_next_change(server: ApiServer) -> None:
    """Of these what labels and annotations say counts as well: nginx reads its weights there."""
    namespace = server.namespace("routes")
    for policy, file, change, said in (
        (
            "route-weights",
            "ingress-canary-fraction",
            {"annotations": {CANARY: "true", f"{CANARY}-weight": "7.5"}},
            "whole percent",
        ),
        ("runners-stay-inside", "node-port", {"annotations": {"team": "support"}}, "is a ClusterIP"),
        ("runners-stay-inside", "node-port", {"labels": {"bento-gitops/application": "tickets"}}, "is a ClusterIP"),
    ):
        found = _resource(f"{policy}/bad/{file}.yaml")
        path = f"{server.path(found, namespace)}/{found['metadata']['name']}"
        if server.ask("GET", path).status == 404:
            server.make(path.rpartition("/")[0], found)
            _enforced(server, policy, namespace)
        assert not _changed(server, path)
        assert said in _changed(server, path, metadata=change)


def test_parameters_that_are_empty_limit_nothing_and_parameters_that_are_gone_refuse(server: ApiServer) -> None:
    namespace = server.namespace("parameters")
    _enforced(server, "autoscaler-bounds", namespace)
    one_pod = _resource("autoscaler-bounds/bad/one-pod.yaml")
    path = f"/api/v1/namespaces/{namespace}/configmaps/policy-parameters"
    assert not server.ask("PUT", path, {"kind": "ConfigMap", "metadata": {"name": "policy-parameters"}}).refused
    until(lambda: not server.judge("POST", one_pod, namespace).refused, "a ConfigMap without data sets no bounds")
    server.ask("DELETE", path)
    until(
        lambda: "no params found" in server.judge("POST", one_pod, namespace).refused,
        "without its parameters a policy refuses",
    )


def test_a_pod_that_is_resized_in_place_is_judged(server: ApiServer) -> None:
    namespace = server.namespace("resized")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "served"},
        "spec": _resource("pod-resources/good/asked-and-bound.yaml")["spec"]["template"]["spec"],
    }
    server.make(f"/api/v1/namespaces/{namespace}/pods", pod)
    _enforced(server, "pod-resources", namespace)
    path = f"/api/v1/namespaces/{namespace}/pods/served"

    def resized(cpu: str) -> str:
        found = server.ask("GET", path).body
        found["spec"]["containers"][0]["resources"]["requests"]["cpu"] = cpu
        return server.ask("PUT", f"{path}/resize?dryRun=All", found).refused

    assert "at most 4 cpu" in resized("64")
    assert not resized("2")
