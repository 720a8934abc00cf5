"""How the live route of each controller gets other weights: the patch of the one object that has them; rules stay as they are.

Lists of a route are atomic to the API server, so a patch carries the whole list, with nothing changed in it but the weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bento_gitops.checking.objects import Json, Map, as_map, as_text, get, labels_of, maps
from bento_gitops.checking.routes import CANARY
from bento_gitops.model.files import Controller
from bento_gitops.observing.held import LIVE
from bento_gitops.observing.live import COMPONENT, ROUTES, TRACK, Seen

BESIDE: tuple[str, str, str, str] = ("traefik.io", "v1alpha1", "ingressroutes", "IngressRoute")
"""Where Traefik's backends of all tracks stand: its weights name only those that get requests."""
SERVICE: tuple[str, str, str, str] = ("", "v1", "services", "Service")
HAND = "bento-gitops-live"
"""As what live commands write: the field manager."""


class NoRoute(Exception):
    """The live route has no place for these weights."""

    def __init__(self, wrong: str, todo: str) -> None:
        super().__init__(wrong)
        self.wrong, self.todo = wrong, todo


@dataclass(frozen=True, slots=True)
class Reroute:
    """A change of one object."""

    of: tuple[str, str, str, str]
    """Group, version, plural, kind."""
    route: Map
    """The object as it was."""
    patch: Map
    """A merge patch with the weights."""

    @property
    def name(self) -> str:
        return as_text(get(self.route, "metadata", "name"))

    @property
    def identity(self) -> str:
        return f"{self.of[3]}/{self.name}"

    def annotated(self, said: str | None) -> Map:
        """The patch with the annotation of a live shift (None: without any), for the object as it was and for no other."""
        return _with_annotation(self.route, self.patch, said)


def rerouted(seen: Seen, controller: Controller, application: str, weights: Mapping[str, int]) -> Reroute:
    """The change after which the route has these weights, by track; tracks that are not named get none.

    For Traefik `seen` has IngressRoutes too. Raises NoRoute.
    """
    match controller:
        case "gateway":
            return _of_gateway(seen, application, weights)
        case "nginx":
            return _of_ingresses(seen, application, weights)
        case "traefik":
            return _of_traefik(seen, application, weights)
        case "istio":
            return _of_istio(seen, application, weights)
        case "none":
            return _of_service(seen, application, weights)


def routes_of(seen: Seen, controller: Controller, application: str) -> list[tuple[tuple[str, str, str, str], Map]]:
    """The objects that may carry a live shift's annotation, with their kinds."""
    if controller == "none":
        return [(SERVICE, one) for one in seen.services if get(one, "metadata", "name") == application]
    return [(of, one) for of in ROUTES[controller] for one in seen.routes.get(of[3], ())]


def handed_back(route: Map) -> Map:
    """The patch that takes the annotation of live shifts away, and with it what makes another manager's apply a conflict."""
    managers: Json = [one for one in maps(get(route, "metadata", "managedFields")) if one.get("manager") != HAND]
    patch = _with_annotation(route, {}, None)
    # An empty list would give all fields up, also those of others.
    return {**patch, "metadata": {**as_map(patch["metadata"]), **({"managedFields": managers} if managers else {})}}


def last_writer(route: Map) -> str:
    """Who wrote last to a route, other than live commands; empty where the object does not say."""
    others = [
        (as_text(one.get("time")), as_text(one.get("manager")))
        for one in maps(get(route, "metadata", "managedFields"))
        if one.get("manager") != HAND and one.get("subresource") != "status"
    ]
    return max(others)[1] if others else ""


def _with_annotation(route: Map, patch: Map, said: str | None) -> Map:
    metadata = as_map(patch.get("metadata"))
    annotations: Map = {**as_map(metadata.get("annotations")), LIVE: said}
    version = get(route, "metadata", "resourceVersion")
    return {**patch, "metadata": {**metadata, "resourceVersion": version, "annotations": annotations}}


def _of_gateway(seen: Seen, application: str, weights: Mapping[str, int]) -> Reroute:
    route = _named(seen, "HTTPRoute", application)
    rules = maps(get(route, "spec", "rules"))
    undecided = [rule for rule in rules if not any(match.get("headers") for match in maps(rule.get("matches")))]
    if len(undecided) != 1:
        raise NoRoute(f"HTTPRoute/{application} has {len(undecided)} rules without headers, and one is wanted", _SYNC)
    split = _weighted(undecided[0].get("backendRefs"), ("name",), seen, weights, f"HTTPRoute/{application}")
    whole: Json = [{**rule, "backendRefs": split} if rule is undecided[0] else rule for rule in rules]
    return Reroute(ROUTES["gateway"][0], route, {"spec": {"rules": whole}})


def _of_istio(seen: Seen, application: str, weights: Mapping[str, int]) -> Reroute:
    route = _named(seen, "VirtualService", application)
    rules = maps(get(route, "spec", "http"))
    if [rule.get("name") for rule in rules].count("split") != 1:
        raise NoRoute(f"VirtualService/{application} has no one rule with the name split", _SYNC)
    whole: Json = [
        {**rule, "route": _weighted(rule.get("route"), ("destination", "host"), seen, weights, f"VirtualService/{application}")}
        if rule.get("name") == "split"
        else rule
        for rule in rules
    ]
    return Reroute(ROUTES["istio"][0], route, {"spec": {"http": whole}})


def _weighted(found: Json, name: tuple[str, ...], seen: Seen, weights: Mapping[str, int], identity: str) -> Json:
    """The backends of a rule with these weights."""
    backends = maps(found)
    tracks = _tracks(seen)
    there = [tracks.get(as_text(get(one, *name)), "") for one in backends]
    _require_places(weights, there, identity)
    return [{**one, "weight": weights.get(track, 0)} for one, track in zip(backends, there, strict=True)]


def _of_ingresses(seen: Seen, application: str, weights: Mapping[str, int]) -> Reroute:
    own = _named(seen, "Ingress", application)
    canaries = [one for one in seen.routes.get("Ingress", ()) if one is not own and _annotations(one).get(CANARY) == "true"]
    if len(canaries) > 1:
        raise NoRoute(f"{application} has {len(canaries)} canary Ingresses, and one is wanted", _SYNC)
    tracks = _tracks(seen)
    there = [tracks.get(name, "") for one in (own, *canaries) for name in _backends(one)]
    _require_places(weights, there, f"Ingress/{application}")
    if len(there) != 1 + len(canaries):
        raise NoRoute(f"Ingress/{application} leads to more than one Service", _SYNC)
    if not canaries:
        return Reroute(ROUTES["nginx"][0], own, {})  # all requests go to the one that there is
    said = {f"{CANARY}-weight": str(weights.get(there[1], 0))}
    return Reroute(ROUTES["nginx"][0], canaries[0], {"metadata": {"annotations": {**said}}})


def _of_traefik(seen: Seen, application: str, weights: Mapping[str, int]) -> Reroute:
    """Only tracks that get requests are named; the others' backends are those of their preview rules."""
    route = _named(seen, "TraefikService", application)
    tracks = _tracks(seen)
    known: dict[str, Map] = {}
    beside = next((one for one in seen.routes.get(BESIDE[3], ()) if get(one, "metadata", "name") == application), None)
    for rule in maps(get(beside, "spec", "routes")):
        for one in maps(rule.get("services")):
            if track := tracks.get(as_text(one.get("name"))):
                known[track] = one
    for one in maps(get(route, "spec", "weighted", "services")):
        if track := tracks.get(as_text(one.get("name"))):
            known[track] = one
    _require_places(weights, known, f"IngressRoute/{application}")
    services: Json = [{**known[track], "weight": weight} for track, weight in sorted(weights.items()) if weight]
    return Reroute(ROUTES["traefik"][0], route, {"spec": {"weighted": {"services": services}}})


def _of_service(seen: Seen, application: str, weights: Mapping[str, int]) -> Reroute:
    """All or nothing: a Service selects one track."""
    public = next((one for one in seen.services if get(one, "metadata", "name") == application), None)
    if public is None:
        raise NoRoute(f"there is no Service/{application}", _SYNC)
    chosen = [track for track, weight in weights.items() if weight == 100]
    if len(chosen) != 1:
        raise NoRoute("the controller is none: its Service selects one track, all or nothing", "use 0 or 100")
    apis = [one for one in seen.services if _labels(one).get(TRACK) == chosen[0] and _labels(one).get(_ROLE) == "api"]
    if len(apis) != 1:
        raise NoRoute(f"track {chosen[0]} has no Service of its api", _SYNC)
    labels = _labels(apis[0])
    return Reroute(SERVICE, public, {"spec": {"selector": {key: labels.get(key, "") for key in (TRACK, COMPONENT)}}})


_ROLE = "bento-gitops/role"
_SYNC = "sync what Git says first, or look what changed the route: bento-gitops status --live"


def _require_places(weights: Mapping[str, int], there: Iterable[str], identity: str) -> None:
    """Raises NoRoute where a track that is to get requests is none of these."""
    known = sorted({track for track in there if track})
    for track, weight in weights.items():
        if weight and track not in known:
            todo = f"it leads to {', '.join(known) or 'nothing'}; a track without pods, like a cold standby, has no place in it"
            raise NoRoute(f"{identity} has no backend of track {track}", todo)


def _tracks(seen: Seen) -> dict[str, str]:
    """By Service of an api: its track."""
    return {
        as_text(get(one, "metadata", "name")): _labels(one)[TRACK]
        for one in seen.services
        if _labels(one).get(TRACK) and _labels(one).get(_ROLE, "api") == "api"
    }


def _backends(ingress: Map) -> list[str]:
    return sorted(
        {
            as_text(get(path, "backend", "service", "name"))
            for rule in maps(get(ingress, "spec", "rules"))
            for path in maps(get(rule, "http", "paths"))
        }
    )


def _named(seen: Seen, kind: str, name: str) -> Map:
    found = next((one for one in seen.routes.get(kind, ()) if get(one, "metadata", "name") == name), None)
    if found is None:
        raise NoRoute(f"there is no {kind}/{name}", _SYNC)
    return found


def _labels(one: Map) -> dict[str, str]:
    return labels_of(get(one, "metadata", "labels"))


def _annotations(one: Map) -> dict[str, str]:
    return labels_of(get(one, "metadata", "annotations"))
