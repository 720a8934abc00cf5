"""What the pods of a render request together, and whether the namespace's quota has room for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from bento_gitops.checking.objects import Object, as_text, get, maps
from bento_gitops.checking.quantities import canonical, parse

_GPU = "nvidia.com/gpu"
_COUNTED = {"cpu": "cpu", "memory": "memory", _GPU: "gpu"}


@dataclass(frozen=True, slots=True)
class Workload:
    """A Deployment's pods."""

    name: str
    pod: Mapping[str, Decimal]
    """What one requests, in cores, bytes and pieces: by cpu, memory, gpu, and pods (1)."""
    fewest: int
    most: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """A quota that the pods of a namespace do not fit into."""

    resource: str
    requested: str
    """A quantity."""
    quota: str
    certain: bool
    """Already with the fewest pods; else only when all autoscalers are at their maximum."""


def workloads(objects: Sequence[Object]) -> Iterator[Workload]:
    """The Deployments of one application, each between its autoscaler's bounds."""
    bounds: dict[str, tuple[int, int]] = {}
    for item in objects:
        if item.kind == "HorizontalPodAutoscaler":
            low, high = item.get("spec", "minReplicas"), item.get("spec", "maxReplicas")
            scaled = as_text(item.get("spec", "scaleTargetRef", "name"))
            bounds[scaled] = (low if isinstance(low, int) else 1, high if isinstance(high, int) else 1)
    for item in objects:
        if item.kind == "Deployment":
            fixed = item.get("spec", "replicas")
            alone = fixed if isinstance(fixed, int) else 1
            fewest, most = bounds.get(item.name, (alone, alone))
            yield Workload(item.name, _requested(item), fewest, most)


def _requested(deployment: Object) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {"pods": Decimal(1)}
    for container in maps(deployment.get("spec", "template", "spec", "containers")):
        for key, name in _COUNTED.items():
            said = get(container, "resources", "requests", key)
            if said is None:
                said = get(container, "resources", "limits", key)
            parsed = parse(str(said)) if isinstance(said, str | int) else None
            if parsed:
                sums[name] = sums.get(name, Decimal(0)) + parsed[0]
    return sums


def shortages(pods: Iterable[Workload], quota: Mapping[str, str]) -> Iterator[Shortage]:
    """Where all pods of a namespace together are more than its quota (quantities by cpu, memory, gpu, pods) lets be.

    A rolling update needs room for a pod more of each Deployment; here it is not counted.
    """
    found = list(pods)
    for resource, allowed in quota.items():
        limit = parse(allowed)
        if limit is None:
            continue  # its own file's form is checked where it is read
        for certain in (True, False):
            total = sum((one.pod.get(resource, Decimal(0)) * (one.fewest if certain else one.most) for one in found), Decimal(0))
            if total > limit[0]:
                yield Shortage(resource, _quantity(resource, total), allowed, certain)
                break


def _quantity(resource: str, number: Decimal) -> str:
    """As people write it: memory in powers of 1024."""
    if resource == "memory" and number == number.to_integral_value():
        return canonical(f"{int(number) // 1024}Ki")
    return f"{number.normalize():f}"
