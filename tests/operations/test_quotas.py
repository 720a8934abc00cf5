"""What pods request together, beside the quota of their namespace."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bento_gitops.checking.objects import Map, Object
from bento_gitops.checking.quotas import shortages, workloads
from bento_gitops.operations.validate import validate

ROOT = Path(__file__).parents[2]
PROD = "environments/prod/environment.yaml"


def deployment(name: str, *requests: Map, replicas: int | None = None) -> Object:
    containers = [{"name": f"c{number}", "resources": one} for number, one in enumerate(requests)]
    spec: Map = {"template": {"spec": {"containers": [*containers]}}}
    return Object(
        {"kind": "Deployment", "metadata": {"name": name}, "spec": spec | ({} if replicas is None else {"replicas": replicas})}
    )


def autoscaler(name: str, low: int, high: int) -> Object:
    spec: Map = {"scaleTargetRef": {"kind": "Deployment", "name": name}, "minReplicas": low, "maxReplicas": high}
    return Object({"kind": "HorizontalPodAutoscaler", "metadata": {"name": f"{name}-scaler"}, "spec": spec})


def found(quota: dict[str, str], *objects: Object) -> list[tuple[str, str, bool]]:
    return [(one.resource, one.requested, one.certain) for one in shortages(workloads(objects), quota)]


OBJECTS = (
    deployment("api", {"requests": {"cpu": "500m", "memory": "512Mi"}}, {"limits": {"cpu": "1"}}),
    autoscaler("api", 2, 4),
    deployment("cold", {"requests": {"cpu": "50", "memory": "1Ti"}}, replicas=0),
    deployment("gpu", {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"nvidia.com/gpu": 1}}, replicas=3),
)


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ({"cpu": "9", "memory": "5Gi", "gpu": "3", "pods": "7"}, []),
        ({"cpu": "8"}, [("cpu", "9", False)]),
        ({"cpu": "5999m"}, [("cpu", "6", True)]),
        ({"memory": "4Gi"}, [("memory", "5Gi", False)]),
        ({"memory": "4095Mi"}, [("memory", "4Gi", True)]),
        ({"gpu": "2"}, [("gpu", "3", True)]),
        ({"pods": "6"}, [("pods", "7", False)]),
        ({"pods": "4", "gpu": "0"}, [("pods", "5", True), ("gpu", "3", True)]),
    ],
)
def test_pods_count_between_their_autoscalers_bounds(quota: dict[str, str], expected: list[tuple[str, str, bool]]) -> None:
    assert found(quota, *OBJECTS) == expected


@pytest.fixture
def root(fleet) -> Path:
    for folder in ("charts/bento-serving", "schemas/custom-resources"):
        shutil.copytree(ROOT / folder, fleet.root / folder, dirs_exist_ok=True)
    return fleet.root


def test_a_quota_that_no_release_fits_into_fails_and_one_without_room_to_grow_is_noted(fleet, root: Path) -> None:
    fleet.change(PROD, "defaults:\n", "guardrails: {quota: {pods: 5, gpu: 4}}\ndefaults:\n")
    problems = [str(one) for one in validate(root, "prod").problems]
    (told,) = [one for one in problems if "quota" in one]
    assert told.startswith(f"{PROD}:13: guardrails.quota.pods: all pods of prod request ")
    assert "none above the quota would start (found 5); raise it, or lower what pods request" in told
    assert not [one for one in validate(root, "prod/support-tickets").problems if "quota" in str(one)], "one is no sum"

    fleet.change(PROD, "pods: 5", "pods: 30")
    report = validate(root, "prod")
    assert not [one for one in report.problems if "quota" in str(one)]
    assert any("no room for all autoscalers of prod at their maximum" in note for one in report.checked for note in one.notes)
