"""What the guardrails of an environment are to policies and to the chart of its cluster."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bento_gitops.layers.marked import place_of
from bento_gitops.layers.reading import Read
from bento_gitops.layers.resolving import saying
from bento_gitops.model.base import Model
from bento_gitops.model.files import Environment, Guardrails, PodCeiling, ReplicaBounds
from bento_gitops.model.problem import Problem, did_you_mean


@dataclass(frozen=True, slots=True)
class Guarded:
    """What an environment says, and what the one says that it extends."""

    environments: Sequence[Read[Environment]]

    @property
    def rules(self) -> Guardrails:
        return saying(self.environments, "guardrails").value.guardrails or Guardrails()

    @property
    def parameters(self) -> Mapping[str, str]:
        """The `params.data` of every policy: the data of the cluster's ConfigMap, and what `validate` judges with.

        Every key is there; an empty text is no limit.
        """
        pod = self.rules.pod or PodCeiling()
        replicas = self.rules.replicas or ReplicaBounds()
        registries = saying(self.environments, "registries").value.registries
        return {
            "registries": "\n".join(registries or ()),
            "maxCpu": pod.cpu or "",
            "maxMemory": pod.memory or "",
            "maxGpu": _number(pod.gpu),
            "minReplicas": _number(replicas.min),
            "maxReplicas": _number(replicas.max),
            "requiredLabels": "\n".join(self.rules.labels or ()),
        }

    @property
    def _route(self) -> Mapping[str, str]:
        routing = self.environments[-1].value.routing
        route: dict[str, str] = {"controller": routing.controller}
        if routing.controller == "istio" and routing.auth and routing.proxy:
            route["gatewayNamespace"] = routing.proxy.namespace
        return route

    @property
    def values(self) -> Mapping[str, object]:
        """One of the `environments` of the values of bento-platform."""
        own = self.environments[-1].value
        said: dict[str, object] = {
            "namespace": own.namespace,
            "routing": self._route,
            "parameters": self.parameters,
            "deny": sorted(set(self.rules.deny)),
        }
        for key, part in (("pod", self.rules.pod), ("quota", self.rules.quota)):
            if part is not None and (limits := _said(part)):
                said[key] = limits
        return said


def unknown_policies(guarded: Guarded, known: Collection[str]) -> list[Problem]:
    """Names in `guardrails.deny` that no policy has."""
    tree = saying(guarded.environments, "guardrails").tree
    place = place_of(tree, "guardrails", "deny")
    return [
        Problem(place, "guardrails.deny", "no policy has this name", f"'{name}'", did_you_mean(name, known))
        for name in sorted(set(guarded.rules.deny) - set(known))
    ]


def _said(part: Model) -> dict[str, object]:
    return part.model_dump(exclude_none=True)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)
