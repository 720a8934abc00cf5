"""Where routes of all kinds lead, HTTPRoute, Ingress, Traefik's and VirtualService, read into the same few questions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bento_gitops.checking.objects import Json, Map, Object, as_list, as_map, as_text, get, maps

CANARY = "nginx.ingress.kubernetes.io/canary"
"""The annotation of an Ingress that takes a part of another one's requests."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A Service of the route's own namespace that it leads to, mirrors included."""

    route: Object
    name: str
    name_at: str
    port: Json
    """A number, or a port's name."""
    port_at: str


@dataclass(frozen=True, slots=True)
class Split:
    """The weights between which one rule of a route divides requests."""

    route: Object
    at: str
    weights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """An object of Traefik's that a route needs."""

    route: Object
    at: str
    kind: str
    name: str


def backends(objects: Iterable[Object]) -> Iterator[Backend]:
    """Each place where a route names a Service."""
    for route in objects:
        match route.kind:
            case "HTTPRoute" | "GRPCRoute":
                yield from _of_gateway(route)
            case "Ingress":
                yield from _of_ingress(route)
            case "IngressRoute" | "TraefikService":
                yield from (
                    Backend(route, as_text(service.get("name")), f"{at}.name", service.get("port"), f"{at}.port")
                    for at, service in _of_traefik(route)
                    if service.get("kind", "Service") == "Service" and _is_here(service)
                )
            case "VirtualService":
                yield from _of_istio(route)
            case _:
                pass


def splits(objects: Iterable[Object]) -> Iterator[Split]:
    """The weights of every rule that has some."""
    for route in objects:
        match route.kind:
            case "HTTPRoute":
                for index, rule in enumerate(maps(route.get("spec", "rules"))):
                    yield _split(route, f"spec.rules[{index}].backendRefs", rule.get("backendRefs"), 1)
            case "VirtualService":
                for index, rule in enumerate(maps(route.get("spec", "http"))):
                    yield _split(route, f"spec.http[{index}].route", rule.get("route"), 0)
            case "TraefikService" if route.get("spec", "weighted"):
                yield _split(route, "spec.weighted.services", route.get("spec", "weighted", "services"), 1)
            case _:
                pass


def references(objects: Iterable[Object]) -> Iterator[Reference]:
    """Each place where a route names an object of Traefik's beside it."""
    for route in objects:
        if route.kind not in ("IngressRoute", "TraefikService"):
            continue
        for at, service in _of_traefik(route):
            if service.get("kind") == "TraefikService" and _is_here(service):
                yield Reference(route, f"{at}.name", "TraefikService", as_text(service.get("name")))
            if transport := as_text(service.get("serversTransport")):
                yield Reference(route, f"{at}.serversTransport", "ServersTransport", transport)
            yield from _middlewares(route, at, service)
        for index, rule in enumerate(maps(route.get("spec", "routes"))):
            yield from _middlewares(route, f"spec.routes[{index}]", rule)


def paths(route: Object) -> Iterator[tuple[str, str]]:
    """Each path that an HTTPRoute or an Ingress matches by its letters, with its pointer."""
    for index, rule in enumerate(maps(route.get("spec", "rules"))):
        for number, match in enumerate(maps(rule.get("matches"))):
            value = get(match, "path", "value")
            if isinstance(value, str) and get(match, "path", "type") != "RegularExpression":
                yield f"spec.rules[{index}].matches[{number}].path.value", value
        for number, path in enumerate(maps(get(rule, "http", "paths"))):
            value = path.get("path")
            if isinstance(value, str) and path.get("pathType") != "ImplementationSpecific":
                yield f"spec.rules[{index}].http.paths[{number}].path", value


def places(ingress: Object) -> set[tuple[str, str, str]]:
    """The hosts, paths and path types of an Ingress: by these nginx pairs a canary with what it is the canary of."""
    return {
        (as_text(rule.get("host")), as_text(path.get("path")), as_text(path.get("pathType")))
        for rule in maps(ingress.get("spec", "rules"))
        for path in maps(get(rule, "http", "paths"))
    }


def _split(route: Object, at: str, found: Json, unsaid: int) -> Split:
    return Split(route, at, tuple(_number(backend.get("weight", unsaid)) for backend in maps(found)))


def _number(weight: Json) -> int:
    return weight if isinstance(weight, int) else 1  # of the wrong type: a schema says so


def _of_gateway(route: Object) -> Iterator[Backend]:
    for index, rule in enumerate(maps(route.get("spec", "rules"))):
        named = [
            (f"spec.rules[{index}].backendRefs[{number}]", item) for number, item in enumerate(maps(rule.get("backendRefs")))
        ]
        mirrors = [
            (f"{at}.filters[{number}].requestMirror.backendRef", backend)
            for at, holder in [*named, (f"spec.rules[{index}]", rule)]
            for number, filtering in enumerate(maps(holder.get("filters")))
            if (backend := as_map(get(filtering, "requestMirror", "backendRef")))
        ]
        for at, backend in [*named, *mirrors]:
            if backend.get("kind", "Service") == "Service" and not backend.get("namespace"):
                yield Backend(route, as_text(backend.get("name")), f"{at}.name", backend.get("port"), f"{at}.port")


def _of_ingress(route: Object) -> Iterator[Backend]:
    named = [("spec.defaultBackend", as_map(route.get("spec", "defaultBackend")))]
    for index, rule in enumerate(maps(route.get("spec", "rules"))):
        for number, path in enumerate(maps(get(rule, "http", "paths"))):
            named.append((f"spec.rules[{index}].http.paths[{number}].backend", as_map(path.get("backend"))))
    for at, backend in named:
        service = as_map(backend.get("service"))
        port = as_map(service.get("port"))
        key = "name" if "name" in port else "number"
        if service:
            name = as_text(service.get("name"))
            yield Backend(route, name, f"{at}.service.name", port.get(key), f"{at}.service.port.{key}")


def _of_traefik(route: Object) -> Iterator[tuple[str, Map]]:
    """Each service of an IngressRoute or a TraefikService with its pointer."""
    spec = route.get("spec")
    for index, rule in enumerate(maps(get(spec, "routes"))):
        for number, service in enumerate(maps(rule.get("services"))):
            yield f"spec.routes[{index}].services[{number}]", service
    for index, service in enumerate(maps(get(spec, "weighted", "services"))):
        yield f"spec.weighted.services[{index}]", service
    if mirroring := as_map(get(spec, "mirroring")):
        yield "spec.mirroring", mirroring
        for index, service in enumerate(maps(mirroring.get("mirrors"))):
            yield f"spec.mirroring.mirrors[{index}]", service


def _middlewares(route: Object, at: str, holder: Map) -> Iterator[Reference]:
    for index, middleware in enumerate(maps(holder.get("middlewares"))):
        if _is_here(middleware):
            yield Reference(route, f"{at}.middlewares[{index}].name", "Middleware", as_text(middleware.get("name")))


def _is_here(named: Map) -> bool:
    """Not another namespace's, nor another provider's (name@provider)."""
    return not named.get("namespace") and "@" not in as_text(named.get("name"))


def _of_istio(route: Object) -> Iterator[Backend]:
    for index, rule in enumerate(maps(route.get("spec", "http"))):
        at = f"spec.http[{index}]"
        named = [
            (f"{at}.route[{number}].destination", each.get("destination")) for number, each in enumerate(maps(rule.get("route")))
        ]
        named.append((f"{at}.mirror", rule.get("mirror")))
        named += [(f"{at}.mirrors[{number}].destination", each.get("destination")) for number, each in enumerate(_mirrors(rule))]
        for pointer, destination in named:
            host = as_text(get(destination, "host"))
            if host and "." not in host:  # with dots it is another namespace's, or a whole name that says which
                yield Backend(route, host, f"{pointer}.host", get(destination, "port", "number"), f"{pointer}.port.number")


def _mirrors(rule: Map) -> list[Map]:
    return [as_map(item) for item in as_list(rule.get("mirrors"))]
