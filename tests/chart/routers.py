"""What each controller makes of its objects: which requests it takes, which track answers, and between which it splits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from serving_chart import Map, Rendered

Split = dict[str, int]
"""Percent by track; zero where a track is named without a weight."""
Headers = Mapping[str, str]
Answer = str | None
"""A track, `split`, or None where the controller answers 404 by itself."""

PREVIEW = "x-bento-track"


def track_of(service: str) -> str:
    """Services are called tickets-<track>-tickets."""
    application, track, component = service.split("-")
    assert application == component == "tickets", service
    return track


def below(path: str, prefix: str) -> bool:
    """Whether a path is the prefix, or below it: by its elements."""
    return path == prefix or path.startswith(f"{prefix.rstrip('/')}/")


# Gateway API: of the matches that fit the longest path decides, then the most headers, then the first.


def gateway_split(found: Rendered) -> Split:
    (route,) = found.all("HTTPRoute")
    return {track_of(each["name"]): each["weight"] for each in route["spec"]["rules"][-1]["backendRefs"]}


def gateway_answer(found: Rendered, path: str, headers: Headers) -> Answer:
    (route,) = found.all("HTTPRoute")
    fitting = [
        ((match["path"]["type"] == "Exact", len(match["path"]["value"]), len(match.get("headers", []))), -number, rule)
        for number, rule in enumerate(route["spec"]["rules"])
        for match in rule["matches"]
        if (path == match["path"]["value"] if match["path"]["type"] == "Exact" else below(path, match["path"]["value"]))
        and all(headers.get(header["name"]) == header["value"] for header in match.get("headers", []))
    ]
    if not fitting:
        return None
    _, _, rule = max(fitting, key=lambda each: each[:2])
    backends = rule["backendRefs"]
    return "split" if rule is route["spec"]["rules"][-1] else track_of(backends[0]["name"])


# ingress-nginx: the Ingress, and one canary of it by header and weight.


def _ingresses(found: Rendered) -> tuple[Map, Map | None]:
    by_kind = {
        "nginx.ingress.kubernetes.io/canary" in each["metadata"].get("annotations", {}): each for each in found.all("Ingress")
    }
    assert len(by_kind) == len(list(found.all("Ingress")))
    return by_kind[False], by_kind.get(True)


def _ingress_track(ingress: Map) -> str:
    (track,) = {
        track_of(path["backend"]["service"]["name"]) for rule in ingress["spec"]["rules"] for path in rule["http"]["paths"]
    }
    return track


def nginx_split(found: Rendered) -> Split:
    main, canary = _ingresses(found)
    weight = int(canary["metadata"]["annotations"]["nginx.ingress.kubernetes.io/canary-weight"]) if canary else 0
    return {_ingress_track(main): 100 - weight, **({_ingress_track(canary): weight} if canary else {})}


def nginx_answer(found: Rendered, path: str, headers: Headers) -> Answer:
    main, canary = _ingresses(found)
    for rule in main["spec"]["rules"]:
        for each in rule["http"]["paths"]:
            if path == each["path"] if each["pathType"] == "Exact" else below(path, each["path"]):
                if canary:
                    said = canary["metadata"]["annotations"]
                    asked = headers.get(said["nginx.ingress.kubernetes.io/canary-by-header"])
                    if asked == said["nginx.ingress.kubernetes.io/canary-by-header-value"]:
                        return _ingress_track(canary)
                return "split"
    return None


# Traefik: the rule with the highest priority.

_TERM = re.compile(r"(?P<word>Host|PathPrefix|Path|Header)\((?P<arguments>`[^`]*`(?:, `[^`]*`)*)\)")


def _holds(rule: str, path: str, headers: Headers) -> bool:
    def truth(term: re.Match[str]) -> str:
        arguments = re.findall(r"`([^`]*)`", term["arguments"])
        holds: Mapping[str, Callable[[], bool]] = {
            "Host": lambda: True,
            "Path": lambda: path == arguments[0],
            "PathPrefix": lambda: path.startswith(arguments[0]),
            "Header": lambda: headers.get(arguments[0]) == arguments[1],
        }
        return str(holds[term["word"]]())

    said = _TERM.sub(truth, rule).replace("&&", "and").replace("||", "or")
    assert re.fullmatch(r"(True|False|and|or|[() ])+", said), rule
    return bool(eval(said))


def _route(found: Rendered) -> Map:
    (route,) = found.all("IngressRoute")
    return route


def traefik_split(found: Rendered) -> Split:
    (last,) = _route(found)["spec"]["routes"][-1]["services"]
    assert last["kind"] == "TraefikService"
    spec = found.one("TraefikService", last["name"])["spec"]
    if "mirroring" in spec:
        assert spec["mirroring"]["kind"] == "TraefikService"
        spec = found.one("TraefikService", spec["mirroring"]["name"])["spec"]
    return {track_of(each["name"]): each["weight"] for each in spec["weighted"]["services"]}


def traefik_answer(found: Rendered, path: str, headers: Headers) -> Answer:
    fitting = [each for each in _route(found)["spec"]["routes"] if _holds(each["match"], path, headers)]
    if not fitting:
        return None
    highest = max(each["priority"] for each in fitting)
    (chosen,) = [each for each in fitting if each["priority"] == highest]
    (service,) = chosen["services"]
    return "split" if service["kind"] == "TraefikService" else track_of(service["name"])


# Istio: the first route that fits.


def _http(found: Rendered) -> list[Map]:
    (service,) = found.all("VirtualService")
    return service["spec"]["http"]


def istio_split(found: Rendered) -> Split:
    return {track_of(each["destination"]["host"]): each["weight"] for each in _http(found)[-1]["route"]}


def istio_answer(found: Rendered, path: str, headers: Headers) -> Answer:
    for rule in _http(found):
        for match in rule["match"]:
            uri = match["uri"]
            assert len(uri) == 1
            fits = path == uri["exact"] if "exact" in uri else path.startswith(uri["prefix"])
            if fits and all(headers.get(name) == said["exact"] for name, said in match.get("headers", {}).items()):
                return "split" if rule["name"] == "split" else track_of(rule["route"][0]["destination"]["host"])
    return None


# Without a router: the Service that selects a track.


def none_split(found: Rendered) -> Split:
    return {found.one("Service", "tickets")["spec"]["selector"]["bento-gitops/track"]: 100}


SPLITS: Mapping[str, Callable[[Rendered], Split]] = {
    "gateway": gateway_split,
    "nginx": nginx_split,
    "traefik": traefik_split,
    "istio": istio_split,
    "none": none_split,
}
ANSWERS: Mapping[str, Callable[[Rendered, str, Headers], Answer]] = {
    "gateway": gateway_answer,
    "nginx": nginx_answer,
    "traefik": traefik_answer,
    "istio": istio_answer,
}
FACTS: Mapping[str, dict[str, Any]] = {
    "gateway": {"gateway": {"name": "public", "namespace": "proxies", "podLabels": {"app": "proxy"}, "mirror": True}},
    "nginx": {"ingressClass": "nginx", "proxy": {"namespace": "proxies", "podLabels": {"app": "proxy"}}},
    "traefik": {"proxy": {"namespace": "proxies", "podLabels": {"app": "proxy"}}},
    "istio": {"gateways": ["istio-ingress/public"], "proxy": {"namespace": "proxies", "podLabels": {"app": "proxy"}}},
    "none": {},
}
"""What each controller needs."""


def routed(controller: str, **above: Any) -> Map:
    """`routing` of a controller, with maps laid over it."""
    return {"controller": controller, **FACTS[controller], **above}
