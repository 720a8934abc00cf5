"""Objects against Kubernetes' own schemas: every version that matters, compiled once, fast."""

from __future__ import annotations

import time
from typing import Any

import pytest
from bento_gitops.checking.application import Checker
from bento_gitops.checking.kubernetes_schemas import VERSIONS, KubernetesSchemas
from bento_gitops.checking.objects import Json, Map, Object
from bento_gitops.model.problem import ToolFailed
from bento_gitops.tools import schema_package


def deployment(name: str) -> Object:
    pod: Json = {
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1034, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "api",
                "image": "registry.example.com/ml/app@sha256:0",
                "args": ["start-http-server", "--port", "3000"],
                "env": [{"name": f"NAME_{number}", "value": "value"} for number in range(10)],
                "ports": [{"name": "http", "containerPort": 3000}],
                "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 5},
                "resources": {
                    "requests": {"cpu": "500m", "memory": "512Mi", "nvidia.com/gpu": 1},
                    "limits": {"memory": 536870912},
                },
                "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
            }
        ],
        "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1Gi"}}],
    }
    body: Map = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
        },
    }
    return Object(body)


def test_a_right_object_is_right_in_every_version(checker: Checker) -> None:
    assert checker.kubernetes.versions == VERSIONS == ("1.34", "1.35", "1.36", "1.37")
    assert checker.kubernetes.findings(deployment("app")) == []


def test_a_thousand_objects_are_checked_in_well_under_a_second_once_compiled(checker: Checker) -> None:
    checker.kubernetes.findings(deployment("first"))
    objects = [deployment(f"app-{number}") for number in range(1000)]
    start = time.process_time()
    assert not any(checker.kubernetes.findings(item) for item in objects)
    assert time.process_time() - start < 0.6  # 0.03 s where it was written


def test_definitions_are_read_once_for_each_version_and_a_kind_compiled_when_it_is_met() -> None:
    reads: list[str] = []

    def read(version: str) -> Map:
        reads.append(version)
        return schema_package.definitions(version)

    schemas = KubernetesSchemas(read, ("1.36", "1.37"))
    assert reads == []
    for number in range(3):
        assert schemas.findings(deployment(f"app-{number}")) == []
    assert sorted(reads) == ["1.36", "1.37"]


@pytest.mark.parametrize("quantity", ["500m", "2", "0.5", "512Mi", "1e3", "1E", "128974848", ".5", "2Ei", 2, 0.5])
def test_quantities_that_the_api_server_takes_are_taken(quantity: str | float, checker: Checker) -> None:
    item = deployment("app")
    container: Any = item.get("spec", "template", "spec", "containers")
    container[0]["resources"]["requests"]["cpu"] = quantity
    assert checker.kubernetes.findings(item) == []


def test_custom_groups_are_not_taken_for_kubernetes_own(checker: Checker) -> None:
    def owned(group_version: str) -> bool:
        return checker.kubernetes.owns(Object({"apiVersion": group_version, "kind": "Deployment"}))

    assert [owned(name) for name in ("v1", "apps/v1", "networking.k8s.io/v1", "policy/v1")] == [True] * 4
    assert [owned(name) for name in ("apps.example.com/v1", "gateway.networking.k8s.io/v1", "networking.istio.io/v1")] == [
        False
    ] * 3


def test_a_version_without_schemas_says_so() -> None:
    with pytest.raises(ToolFailed, match=r"no schemas of Kubernetes 1\.99"):
        schema_package.definitions("1.99")
