"""What the objects of a cluster say of a running application: its weights, the bundle of each track, the pods that are ready."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bento_gitops.checking.objects import Json, Map, as_map, as_text, get, labels_of, maps
from bento_gitops.checking.routes import CANARY
from bento_gitops.model.evidence import ObservedTrack
from bento_gitops.model.files import Controller

APPLICATION, ENVIRONMENT = "bento-gitops/application", "bento-gitops/environment"
TRACK, BUNDLE, COMPONENT = "bento-gitops/track", "bento-gitops/bundle", "bento-gitops/component"
PODS = "bento-gitops/pods"
"""The annotation of a Deployment that holds the checksum of its pods as the chart wrote them."""
_REVISION = "deployment.kubernetes.io/revision"
_WEIGHT = f"{CANARY}-weight"
_PERCENT = re.compile(r"[0-9]{1,3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Seen:
    """The objects of one application in its namespace, as the API server gave them."""

    deployments: Sequence[Map]
    replica_sets: Sequence[Map]
    services: Sequence[Map]
    routes: Mapping[str, Sequence[Map]]
    """By kind: those in which the environment's controller keeps weights."""

    @property
    def environments(self) -> set[str]:
        """Whose the Deployments say they are."""
        return {_labels(one).get(ENVIRONMENT, "") for one in self.deployments}


ROUTES: Mapping[Controller, tuple[tuple[str, str, str, str], ...]] = {
    "gateway": (("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute"),),
    "nginx": (("networking.k8s.io", "v1", "ingresses", "Ingress"),),
    "traefik": (("traefik.io", "v1alpha1", "traefikservices", "TraefikService"),),
    "istio": (("networking.istio.io", "v1", "virtualservices", "VirtualService"),),
    "none": (),
}
"""Group, version, plural and kind of the objects in which a controller keeps weights."""


def observed_tracks(seen: Seen, names: Mapping[str, str]) -> dict[str, ObservedTrack]:
    """By track its bundle, and by component the ready pods of the current revision. `names`: services by their component's label.

    A track's bundle is its api's; a component that still has another one has no pod that counts. Components that no bundle of
    the release knows are left out.
    """
    tracks: dict[str, dict[str, tuple[str, int]]] = {}
    entry: dict[str, str] = {}
    for deployment in seen.deployments:
        labels = labels_of(get(deployment, "spec", "template", "metadata", "labels"))
        track, bundle, component = (labels.get(key, "") for key in (TRACK, BUNDLE, COMPONENT))
        if not track:
            continue
        tracks.setdefault(track, {})[component] = (bundle, _ready(deployment, seen.replica_sets))
        if labels.get("bento-gitops/role") == "api":
            entry[track] = bundle
    return {
        track: ObservedTrack(
            bundle=entry[track],
            ready={
                names[component]: pods if bundle == entry[track] else 0
                for component, (bundle, pods) in components.items()
                if component in names
            },
        )
        for track, components in tracks.items()
        if entry.get(track)
    }


def apart(seen: Sequence[Map], wanted: Sequence[Map], names: Mapping[str, str]) -> dict[str, list[str]]:
    """By track the components whose pods the chart did not make as it makes them of what Git says. `names`: as above.

    `seen` and `wanted` are Deployments: those of the cluster, and those that the chart makes now. A track is left out where a
    Deployment that is wanted has no checksum: an older chart writes none, so nobody can tell.
    """
    live = {_place(one): _annotations(one).get(PODS, "") for one in seen}
    made: dict[str, dict[str, str]] = {}
    for one in wanted:
        track, component = _place(one)
        made.setdefault(track, {})[component] = _annotations(one).get(PODS, "")
    return {
        track: sorted(
            names[component] for component, pods in sums.items() if component in names and live.get((track, component)) != pods
        )
        for track, sums in made.items()
        if all(sums.values())
    }


def observed_weights(seen: Seen, controller: Controller, application: str) -> dict[str, int] | None:
    """Percent by track of the requests that no header decides; None where no route is there, or it is not in force yet."""
    tracks = {as_text(get(one, "metadata", "name")): _labels(one).get(TRACK, "") for one in seen.services}
    found: Iterable[tuple[str, int]]
    match controller:
        case "gateway":
            found = _of_gateway(_named(seen.routes.get("HTTPRoute", ()), application))
        case "nginx":
            found = _of_ingresses(seen.routes.get("Ingress", ()), application)
        case "traefik":
            spec = get(_named(seen.routes.get("TraefikService", ()), application), "spec", "weighted", "services")
            found = [(as_text(one.get("name")), _whole(one.get("weight"), 1)) for one in maps(spec)]
        case "istio":
            found = _of_istio(_named(seen.routes.get("VirtualService", ()), application))
        case "none":
            public = _named(seen.services, application)
            track = labels_of(get(public, "spec", "selector")).get(TRACK)
            return {track: 100} if track else None
    weights: dict[str, int] = {}
    for service, weight in found:
        track = tracks.get(service)
        if not track:
            return None  # it leads to a Service that is not the application's: nobody can say where the requests go
        weights[track] = weights.get(track, 0) + weight
    total = sum(weights.values())
    if not total:
        return None
    return {track: round(weight * 100 / total) for track, weight in weights.items()}


def _of_gateway(route: Map) -> list[tuple[str, int]]:
    """Of the rule without headers; nothing before a Gateway has taken what the route says now."""
    generation = get(route, "metadata", "generation")
    taken = [
        condition
        for parent in maps(get(route, "status", "parents"))
        for condition in maps(parent.get("conditions"))
        if condition.get("type") == "Accepted"
        and condition.get("status") == "True"
        and condition.get("observedGeneration") == generation
    ]
    if not taken:
        return []
    undecided = [
        rule for rule in maps(get(route, "spec", "rules")) if not any(match.get("headers") for match in maps(rule.get("matches")))
    ]
    if len(undecided) != 1:
        return []
    return [(as_text(one.get("name")), _whole(one.get("weight"), 1)) for one in maps(undecided[0].get("backendRefs"))]


def _of_ingresses(ingresses: Sequence[Map], application: str) -> list[tuple[str, int]]:
    """Stable's Ingress gets what the canary's annotation leaves."""
    own = _named(ingresses, application)
    backends = _backends(own)
    if len(backends) != 1:
        return []
    canaries = [
        one
        for one in ingresses
        if one is not own and _annotations(one).get(CANARY) == "true" and _labels(one).get(APPLICATION) == application
    ]
    if not canaries:
        return [(backends.pop(), 100)]
    beside = _backends(canaries[0])
    said = _annotations(canaries[0]).get(_WEIGHT, "0")
    if len(canaries) > 1 or len(beside) != 1 or not _PERCENT.fullmatch(said):
        return []
    return [(backends.pop(), 100 - int(said)), (beside.pop(), int(said))]


def _of_istio(route: Map) -> list[tuple[str, int]]:
    split = [rule for rule in maps(get(route, "spec", "http")) if rule.get("name") == "split"]
    if len(split) != 1:
        return []
    named = maps(split[0].get("route"))
    alone = 100 if len(named) == 1 else 0
    return [(as_text(get(one, "destination", "host")), _whole(one.get("weight"), alone)) for one in named]


def _backends(ingress: Map) -> set[str]:
    return {
        as_text(get(path, "backend", "service", "name"))
        for rule in maps(get(ingress, "spec", "rules"))
        for path in maps(get(rule, "http", "paths"))
    }


def _ready(deployment: Map, replica_sets: Sequence[Map]) -> int:
    """None of them before the controller has seen what the Deployment says now: those there are may be of another revision."""
    if get(deployment, "status", "observedGeneration") != get(deployment, "metadata", "generation"):
        return 0
    revision = _annotations(deployment).get(_REVISION)
    uid = get(deployment, "metadata", "uid")
    return sum(
        _whole(get(one, "status", "readyReplicas"), 0)
        for one in replica_sets
        if _annotations(one).get(_REVISION) == revision
        and any(owner.get("uid") == uid for owner in maps(get(one, "metadata", "ownerReferences")))
    )


def _place(deployment: Map) -> tuple[str, str]:
    """Its track and component."""
    labels = labels_of(get(deployment, "spec", "template", "metadata", "labels"))
    return labels.get(TRACK, ""), labels.get(COMPONENT, "")


def _named(objects: Sequence[Map], name: str) -> Map:
    return next((one for one in objects if get(one, "metadata", "name") == name), as_map(None))


def _labels(one: Map) -> dict[str, str]:
    return labels_of(get(one, "metadata", "labels"))


def _annotations(one: Map) -> dict[str, str]:
    return labels_of(get(one, "metadata", "annotations"))


def _whole(value: Json, unsaid: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else unsaid
