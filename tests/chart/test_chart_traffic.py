"""Which requests reach which track, by every controller, from outside and by default."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.rendering import routing
from bento_gitops.tools.helm import template_all
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from routers import ANSWERS, FACTS, PREVIEW, SPLITS, routed
from serving_chart import CHART, CI, Map, Refused, Rendered, laid_over, tickets

Render = Callable[..., Rendered]
ROUTERS = sorted(ANSWERS)
BY_HEADER = ("gateway", "istio", "traefik")
OF_A_TASK = ("submit", "status", "get", "cancel", "retry")
ROUTE_KINDS = ("HTTPRoute", "Ingress", "IngressRoute", "TraefikService", "Middleware", "ServersTransport", "VirtualService")


def four_tracks(controller: str, weight: int = 10, **above: Any) -> Map:
    """Stable, a candidate with a weight, a standby with pods and a cold leftover."""
    values = tickets(routing=routed(controller, **above))
    blue = values["tracks"]["blue"]
    others = {"green": ("1.1.0", weight, "full"), "red": ("0.9.0", 0, "full"), "violet": ("0.8.0", 0, "cold")}
    values["tracks"]["blue"] = {**blue, "weight": 100 - weight}
    for name, (bundle, share, capacity) in others.items():
        values["tracks"][name] = laid_over(blue, {"bundle": bundle, "weight": share, "capacity": capacity})
    return values


@pytest.mark.parametrize("weight", [0, 1, 10, 50, 99, 100])
@pytest.mark.parametrize("controller", sorted(SPLITS))
def test_the_same_release_gives_the_same_split_in_every_controller(render: Render, controller: str, weight: int) -> None:
    values = four_tracks(controller, weight)
    if controller == "none" and 0 < weight < 100:
        with pytest.raises(
            Refused, match=rf"none cannot split requests \(found blue {100 - weight}, green {weight}, red 0, violet 0\)"
        ):
            render(values)
        return
    split = SPLITS[controller](render(values))
    assert {track: share for track, share in split.items() if share} == {
        track: share for track, share in {"blue": 100 - weight, "green": weight}.items() if share
    }
    assert sum(split.values()) == 100
    assert "violet" not in split


@pytest.mark.parametrize(("controller", "kind"), [("traefik", "TraefikService"), ("none", "Service")])
def test_a_route_that_names_only_what_gets_requests_says_which_tracks_it_may_lead_to(
    render: Render, controller: str, kind: str
) -> None:
    """The policy that limits operators believes it, so it names an api for each track with pods, and nothing else."""
    found = render(four_tracks(controller, 0))
    said = found.one(kind, "tickets")["metadata"]["annotations"]["bento-gitops/tracks"]
    assert said == ",".join(f"{track}=tickets-{track}-tickets" for track in ("blue", "green", "red"))
    for pair in said.split(","):
        track, name = pair.split("=")
        labels = found.one("Service", name)["metadata"]["labels"]
        assert (labels["bento-gitops/track"], labels["bento-gitops/role"]) == (track, "api")


@pytest.mark.parametrize("weight", [0, 10, 100])
@pytest.mark.parametrize("controller", BY_HEADER)
def test_the_header_asks_every_track_that_has_pods_also_at_weight_zero(render: Render, controller: str, weight: int) -> None:
    found = render(four_tracks(controller, weight))
    asked = {
        track: ANSWERS[controller](found, "/classify", {PREVIEW: track}) for track in ("blue", "green", "red", "violet", "x")
    }
    assert asked == {"blue": "blue", "green": "green", "red": "red", "violet": "split", "x": "split"}


@pytest.mark.parametrize(("weight", "canary"), [(0, "green"), (100, "green"), (10, None), (0, "red")])
def test_nginx_has_one_canary_which_the_header_asks_also_at_weight_zero(render: Render, weight: int, canary: str | None) -> None:
    found = render(four_tracks("nginx", weight, **({"canary": canary} if canary else {})))
    asked = {track: ANSWERS["nginx"](found, "/classify", {PREVIEW: track}) for track in ("blue", "green", "red")}
    assert asked == {"blue": "split", "green": "split", "red": "split", canary or "green": canary or "green"}


def test_nginx_has_no_canary_where_nothing_is_beside_stable(render: Render) -> None:
    assert len(list(render(four_tracks("nginx", 0)).all("Ingress"))) == 1


def test_nginx_pairs_its_two_ingresses_by_class_hosts_and_paths(render: Render) -> None:
    values = four_tracks("nginx", hostnames=["a.example.com", "b.example.com"], tls={"secret": "s"})

    def without_service(ingress: Map) -> Map:
        text = re.sub(r"tickets-\w+-tickets", "it", yaml.safe_dump(ingress["spec"]))
        return yaml.safe_load(text)

    one, other = (without_service(each) for each in render(values).all("Ingress"))
    assert one == other
    assert one["tls"] == [{"secretName": "s", "hosts": ["a.example.com", "b.example.com"]}]


@pytest.mark.parametrize("controller", ROUTERS)
def test_only_declared_routes_are_reachable_and_nothing_below_or_beside_them(render: Render, controller: str) -> None:
    def reached(apis: dict[str, Any]) -> set[str]:
        values = four_tracks(controller)
        for track in values["tracks"].values():
            track["components"]["Tickets"]["apis"] = {}
            track["components"]["Embedder"]["apis"] = {"encode": {"route": "/encode"}}
        values["tracks"]["green"]["components"]["Tickets"]["apis"] = apis
        found = render(values)
        paths = {"/", "/me", "/me/", "/me/any", *(f"/me/{word}" for word in OF_A_TASK), "/me/status/any"}
        paths |= {"//submit", "/submit", "/metrics", "/readyz", "/docs.json", "/encode", "/other"}
        open_, asked = (
            {path for path in paths if ANSWERS[controller](found, path, headers)} for headers in ({}, {PREVIEW: "green"})
        )
        assert asked == open_, "the header opens no path"
        return open_

    assert reached({"me": {"route": "/me"}, "other": {"route": "/other"}}) == {"/me", "/other"}
    assert reached({"me": {"route": "/me", "task": True}}) == {"/me", *(f"/me/{word}" for word in OF_A_TASK)}
    assert reached({"page": {"route": "/", "task": True}}) == {"/"}, "a route cannot say //submit, where that task answers"
    assert "/metrics" in reached({}), "an api that declares none gets every path"


RULES: dict[str, dict[str, Any]] = {
    "one header each": {
        "a": {"track": "blue", "precedence": 1, "headers": {"x-tenant": ["acme"]}},
        "b": {"track": "green", "headers": {"x-country": ["CH"]}},
    },
    "the later one says more": {
        "a": {"track": "blue", "precedence": 1, "headers": {"x-tenant": ["acme", "hooli"]}},
        "b": {"track": "green", "headers": {"x-country": ["CH"], "x-type": ["batch"]}},
    },
    "three that meet": {
        "a": {"track": "blue", "precedence": 2, "headers": {"x-tenant": ["acme"]}},
        "b": {"track": "green", "precedence": 1, "headers": {"x-country": ["CH"], "x-type": ["batch"]}},
        "c": {"track": "blue", "headers": {"x-country": ["CH", "FR"]}},
    },
    "within each other": {
        "a": {"track": "blue", "precedence": -1, "headers": {"x-tenant": ["acme"]}},
        "b": {"track": "green", "headers": {"x-tenant": ["acme"], "x-type": ["batch"]}},
        "c": {"track": "green", "precedence": 5, "headers": {"x-tenant": ["hooli"]}},
    },
}
VALUES = {"x-tenant": ("acme", "hooli", "other"), "x-country": ("CH", "FR"), "x-type": ("batch",), PREVIEW: ("blue", "red")}


def requests() -> Iterator[dict[str, str]]:
    """Every combination of what the rules ask for, and of what they do not."""
    for chosen in product(*((None, *values) for values in VALUES.values())):
        yield {name: value for name, value in zip(VALUES, chosen, strict=True) if value}


def meant(rules: dict[str, Any], headers: dict[str, str]) -> str:
    """Which track a request is for, as the rules are written."""
    if PREVIEW in headers:
        return headers[PREVIEW]
    for _, rule in sorted(rules.items(), key=lambda item: (-item[1].get("precedence", 0), item[0])):
        if all(headers.get(name) in values for name, values in rule["headers"].items()):
            return rule["track"]
    return "split"


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("controller", BY_HEADER)
def test_rules_decide_by_precedence_after_the_header_and_before_the_split(render: Render, controller: str, name: str) -> None:
    found = render(four_tracks(controller, rules=RULES[name]))
    for headers in requests():
        assert ANSWERS[controller](found, "/classify", headers) == meant(RULES[name], headers), headers


@st.composite
def rule_sets(draw: st.DrawFn) -> dict[str, Any]:
    ranks = draw(st.permutations(range(4)))
    rules: dict[str, Any] = {}
    for number in range(draw(st.integers(1, 4))):
        words = draw(st.sets(st.sampled_from(["x-tenant", "x-country", "x-type"]), min_size=1))
        headers = {word: sorted(draw(st.sets(st.sampled_from(VALUES[word]), min_size=1, max_size=2))) for word in sorted(words)}
        rules[f"r{number}"] = {"track": draw(st.sampled_from(["blue", "green"])), "precedence": ranks[number], "headers": headers}
    return rules


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(sets=st.lists(rule_sets(), min_size=5, max_size=5))
def test_a_gateway_decides_by_precedence_although_it_looks_for_the_most_headers(helm: Path, sets: list[dict[str, Any]]) -> None:
    named = [{"application": "tickets", **four_tracks("gateway", rules=rules)} for rules in sets]
    values = {str(number): json.dumps(each) for number, each in enumerate(named)}
    done = template_all(CHART, values, helm=helm, kube_version=VERSIONS[-1], at_a_time=1)
    for number, rules in enumerate(sets):
        if refusals := done.refusals.get(str(number)):
            assert all("a route holds 64 matches a track" in each.sentence for each in refusals), refusals
            continue
        routes = [each.text for each in done.documents[str(number)] if each.template.endswith("httproute.yaml")]
        found = Rendered(tuple(yaml.load(text, Loader=yaml.CSafeLoader) for text in routes))
        for headers in requests():
            assert ANSWERS["gateway"](found, "/classify", headers) == meant(rules, headers), headers


@pytest.mark.parametrize("controller", BY_HEADER)
def test_every_answer_names_its_bundle_and_track_wherever_it_comes_from(render: Render, controller: str) -> None:
    found = render(four_tracks(controller, rules=RULES["one header each"]))
    expected = {"blue": "1.0.0", "green": "1.1.0", "red": "0.9.0"}
    named: set[tuple[str, str, str]] = set()
    if controller == "gateway":
        backends = [each for route in found.all("HTTPRoute") for rule in route["spec"]["rules"] for each in rule["backendRefs"]]
        for backend in backends:
            (only,) = backend["filters"]
            headers = {each["name"]: each["value"] for each in only["responseHeaderModifier"]["set"]}
            named.add((backend["name"], headers["x-bento-bundle"], headers["x-bento-track"]))
    elif controller == "istio":
        for route in found.all("VirtualService"):
            for each in (each for rule in route["spec"]["http"] for each in rule["route"]):
                headers = each["headers"]["response"]["set"]
                named.add((each["destination"]["host"], headers["x-bento-bundle"], headers["x-bento-track"]))
    else:
        routes = [each for route in found.all("IngressRoute") for rule in route["spec"]["routes"] for each in rule["services"]]
        weighted = [each for service in found.all("TraefikService") for each in service["spec"]["weighted"]["services"]]
        for each in (each for each in [*routes, *weighted] if each["kind"] == "Service"):
            (middleware,) = each["middlewares"]
            headers = found.one("Middleware", middleware["name"])["spec"]["headers"]["customResponseHeaders"]
            named.add((each["name"], headers["x-bento-bundle"], headers["x-bento-track"]))
    assert named == {(f"tickets-{track}-tickets", bundle, track) for track, bundle in expected.items()}


def test_a_timeout_is_said_as_each_controller_says_it(render: Render) -> None:
    found = render(four_tracks("gateway", timeout="1m30s"))
    assert [rule["timeouts"] for route in found.all("HTTPRoute") for rule in route["spec"]["rules"]] == [{"request": "1m30s"}] * 4
    found = render(four_tracks("istio", timeout="1m30s"))
    assert [rule["timeout"] for route in found.all("VirtualService") for rule in route["spec"]["http"]] == ["90s"] * 4
    main, canary = (each["metadata"]["annotations"] for each in render(four_tracks("nginx", timeout="1m30s")).all("Ingress"))
    if "nginx.ingress.kubernetes.io/canary" in main:
        main, canary = canary, main
    assert {key.rpartition("/")[2]: value for key, value in main.items()} == {
        "proxy-read-timeout": "90",
        "proxy-send-timeout": "90",
    }
    found = render(four_tracks("traefik", timeout="1m30s"))
    (transport,) = found.all("ServersTransport")
    assert transport["spec"] == {"forwardingTimeouts": {"responseHeaderTimeout": "90s"}}
    (service,) = found.all("TraefikService")
    assert {each["serversTransport"] for each in service["spec"]["weighted"]["services"]} == {transport["metadata"]["name"]}


@pytest.mark.parametrize(
    ("size", "number"), [("10Mi", 10485760), ("2k", 2000), ("1Ki", 1024), ("3G", 3000000000), ("1Ti", 1099511627776)]
)
def test_a_limit_of_bodies_is_said_in_bytes_for_every_request(render: Render, size: str, number: int) -> None:
    said = [each["metadata"].get("annotations", {}) for each in render(four_tracks("nginx", maxBody=size)).all("Ingress")]
    (main,) = [each for each in said if "nginx.ingress.kubernetes.io/canary" not in each]
    assert {key.rpartition("/")[2]: value for key, value in main.items()} == {
        "proxy-body-size": str(number),
        "proxy-request-buffering": "on",
    }
    found = render(four_tracks("traefik", maxBody=size, rules=RULES["one header each"]))
    assert found.one("Middleware", "tickets")["spec"] == {"buffering": {"maxRequestBodyBytes": number}}
    (route,) = found.all("IngressRoute")
    assert {str(each["middlewares"]) for each in route["spec"]["routes"]} == {"[{'name': 'tickets'}]"}


@pytest.mark.parametrize("controller", BY_HEADER)
def test_a_mirror_copies_a_percent_of_what_is_split_and_nothing_else(render: Render, controller: str) -> None:
    found = render(four_tracks(controller, mirror={"track": "green", "percent": 20}, rules=RULES["one header each"]))
    assert SPLITS[controller](found) == SPLITS[controller](render(four_tracks(controller)))
    if controller == "gateway":
        (route,) = found.all("HTTPRoute")
        *others, last = route["spec"]["rules"]
        (only,) = last["filters"]
        assert only["requestMirror"]["percent"] == 20
        assert only["requestMirror"]["backendRef"]["name"] == "tickets-green-tickets"
        assert not [rule for rule in others if "filters" in rule]
    elif controller == "istio":
        (route,) = found.all("VirtualService")
        *others, last = route["spec"]["http"]
        assert (last["mirror"]["host"], last["mirrorPercentage"]) == ("tickets-green-tickets", {"value": 20})
        assert not [rule for rule in others if "mirror" in rule]
    else:
        (mirror,) = found.one("TraefikService", "tickets.mirror")["spec"]["mirroring"]["mirrors"]
        assert (mirror["name"], mirror["percent"]) == ("tickets-green-tickets", 20)


def test_traefik_keeps_a_client_on_its_track_by_a_cookie(render: Render) -> None:
    found = render(four_tracks("traefik", sticky={"cookie": "bento-track", "maxAge": "1h"}, tls={"secret": "s"}))
    cookie = found.one("TraefikService", "tickets")["spec"]["weighted"]["sticky"]["cookie"]
    assert cookie == {"name": "bento-track", "httpOnly": True, "secure": True, "sameSite": "lax", "maxAge": 3600}
    (route,) = found.all("IngressRoute")
    assert route["spec"]["tls"] == {"secretName": "s"}


def test_traefik_weighs_only_what_has_weight(render: Render) -> None:
    """For one Service without a ready pod Traefik may drop the whole split: a staged candidate must not be in it."""
    assert SPLITS["traefik"](render(four_tracks("traefik", 0))) == {"blue": 100}


@pytest.mark.parametrize("controller", sorted(SPLITS))
def test_closed_leaves_no_way_in(render: Render, controller: str) -> None:
    found = render(four_tracks(controller, 0, closed=True))
    assert not [each for each in found.objects if each["kind"] in ROUTE_KINDS]
    assert "tickets" not in {each["metadata"]["name"] for each in found.all("Service")}
    assert len(list(found.all("Deployment"))) == 12, "what has arrived is still answered"


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_the_chart_s_own_values_pass_every_schema_and_check(render: Render, checks: Any, file: Path) -> None:
    outcome = checks(render(file).objects)
    assert (outcome.findings, outcome.unchecked) == ((), {})


def test_what_a_server_would_add_to_the_route_is_written(render: Render) -> None:
    (route,) = render(four_tracks("gateway")).all("HTTPRoute")
    spec = route["spec"]
    assert spec["parentRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "namespace": "proxies"}
    ]
    for rule in spec["rules"]:
        assert all({"type", "value"} == set(match["path"]) for match in rule["matches"])
        for backend in rule["backendRefs"]:
            assert (backend["group"], backend["kind"], backend["port"]) == ("", "Service", 3000)
            assert "weight" in backend


def test_listener_and_host_names_are_the_route_s(render: Render) -> None:
    gateway = {**FACTS["gateway"]["gateway"], "listener": "https"}
    (route,) = render(four_tracks("gateway", hostnames=["tickets.example.com"], gateway=gateway)).all("HTTPRoute")
    assert route["spec"]["parentRefs"][0]["sectionName"] == "https"
    assert route["spec"]["hostnames"] == ["tickets.example.com"]


def test_behind_a_router_there_is_no_service_that_goes_round_its_weights(render: Render) -> None:
    for controller in ROUTERS:
        assert "tickets" not in {each["metadata"]["name"] for each in render(four_tracks(controller)).all("Service")}
    assert "tickets" in {each["metadata"]["name"] for each in render(tickets()).all("Service")}


@pytest.mark.parametrize("table", ["needed", "refused"])
def test_the_chart_and_the_command_ask_and_refuse_the_same(table: str) -> None:
    text = (CHART / "templates/traffic/_checks.tpl").read_text()
    block = re.search(rf'define "bento-serving.{table}" -}}}}\n(.*?)\n{{{{- end', text, re.DOTALL)
    assert block
    camel = {"max_body": "maxBody", "ingress_class": "ingressClass"}
    python = {"needed": routing.NEEDED, "refused": routing.REFUSED}[table]
    expected = {
        controller: {camel.get(key, key): why for key, why in said.items()} for controller, said in python.items() if said
    }
    said = {
        controller: {
            key.partition(".")[0]: why.replace("set routing.controller to none", "use controller: none")
            for key, why in each.items()
        }
        for controller, each in yaml.safe_load(block[1]).items()
    }
    assert said == expected
