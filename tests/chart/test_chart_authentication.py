"""Who may ask an application: every way in passes the check, and what cannot be checked is not rendered."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from bento_gitops.rendering import authentication
from routers import routed
from serving_chart import CHART, Map, Refused, Rendered, laid_over, tickets

Render = Callable[..., Rendered]
ADDRESS = "http://auth.auth.svc.cluster.local/verify"
FILTER = {"group": "traefik.io", "kind": "Middleware", "name": "forward-auth"}
EXTERNAL: dict[str, Map] = {
    "gateway": {"filter": FILTER},
    "nginx": {"address": ADDRESS, "headers": ["x-user", "x-tenant"]},
    "traefik": {"address": ADDRESS, "headers": ["x-user", "x-tenant"]},
    "istio": {"provider": "tickets-auth"},
}
TOKENS = {"require": "jwt", "jwt": {"issuer": "https://issuer.example.com", "audiences": ["tickets", "batch"]}}
RULES = {"acme": {"track": "blue", "headers": {"x-tenant": ["acme"]}}}
ANNOTATION = "nginx.ingress.kubernetes.io/"


def asked(controller: str, **above: Any) -> Map:
    """Three tracks with everything that makes a route of its own, and a service that is asked about each request."""
    more = {} if controller == "nginx" else {"rules": RULES, "mirror": {"track": "green", "percent": 5}}
    auth = {"require": "external", "external": EXTERNAL[controller]}
    values = tickets(routing=routed(controller, hostnames=["tickets.example.com"], auth=auth, **more, **above))
    blue = values["tracks"]["blue"]
    for name, weight in (("green", 10), ("red", 0)):
        values["tracks"][name] = laid_over(blue, {"weight": weight, "bundle": "1.1.0"})
    blue["weight"] = 90
    return values


def test_behind_a_gateway_every_rule_passes_the_filter_first(render: Render) -> None:
    (route,) = render(asked("gateway")).all("HTTPRoute")
    rules = route["spec"]["rules"]
    assert len(rules) == 4
    assert {str(rule["filters"][0]) for rule in rules} == {str({"extensionRef": FILTER, "type": "ExtensionRef"})}
    assert [filter_["type"] for filter_ in rules[-1]["filters"]] == ["ExtensionRef", "RequestMirror"]


def test_behind_traefik_every_route_asks_before_it_reads_a_body(render: Render) -> None:
    found = render(asked("traefik", maxBody="1Mi"))
    (route,) = found.all("IngressRoute")
    assert len(route["spec"]["routes"]) == 5
    assert {str(each["middlewares"]) for each in route["spec"]["routes"]} == {"[{'name': 'tickets.auth'}, {'name': 'tickets'}]"}
    assert found.one("Middleware", "tickets.auth")["spec"] == {
        "forwardAuth": {"address": ADDRESS, "trustForwardHeader": False, "authResponseHeaders": ["x-user", "x-tenant"]}
    }


def test_nginx_asks_by_annotations_of_the_ingress_from_which_the_canary_takes_them(render: Render) -> None:
    said = [each["metadata"]["annotations"] for each in render(asked("nginx")).all("Ingress")]
    (main,) = [each for each in said if f"{ANNOTATION}canary" not in each]
    assert main == {f"{ANNOTATION}auth-url": ADDRESS, f"{ANNOTATION}auth-response-headers": "x-user,x-tenant"}


def policy(found: Rendered) -> Map:
    (only,) = found.all("AuthorizationPolicy")
    return only


def hosts(rules: list[Map]) -> Iterator[list[str]]:
    for rule in rules:
        (to,) = rule["to"]
        yield to["operation"]["hosts"]


def test_istio_s_policy_holds_at_the_gateway_s_pods_for_the_application_s_hosts_alone(render: Render) -> None:
    values = asked("istio")
    found = policy(render({**values, "environment": "prod"}))
    assert found["metadata"]["name"] == "prod.tickets"
    assert found["metadata"]["namespace"] == values["routing"]["proxy"]["namespace"]
    assert found["spec"]["selector"] == {"matchLabels": values["routing"]["proxy"]["podLabels"]}
    assert (found["spec"]["action"], found["spec"]["provider"]) == ("CUSTOM", {"name": "tickets-auth"})
    assert list(hosts(found["spec"]["rules"])) == [["tickets.example.com", "tickets.example.com:*"]]


def test_istio_denies_who_has_no_token_and_who_has_another_issuer_s_or_another_application_s(render: Render) -> None:
    values = asked("istio")
    values["routing"]["auth"] = TOKENS
    spec = policy(render(values))["spec"]
    assert spec["action"] == "DENY", "an ALLOW at a gateway refuses every other application's hosts"
    assert len(set(map(str, hosts(spec["rules"])))) == 1
    assert spec["rules"][0]["from"] == [{"source": {"notRequestPrincipals": ["*"]}}]
    assert [rule.get("when") for rule in spec["rules"][1:]] == [
        [{"key": "request.auth.claims[iss]", "notValues": ["https://issuer.example.com"]}],
        [{"key": "request.auth.claims[aud]", "notValues": ["tickets", "batch"]}],
    ]


@pytest.mark.parametrize("controller", sorted(EXTERNAL))
def test_where_nothing_is_required_nothing_is_asked(render: Render, controller: str) -> None:
    def texts(auth: Map | None) -> list[str]:
        values = asked(controller)
        if auth is None:
            del values["routing"]["auth"]
        else:
            values["routing"]["auth"] = auth
        return [json.dumps(each) for each in render(values).objects]

    assert texts(None) == texts({"require": "none", "external": EXTERNAL[controller]})
    assert texts(None) != texts({"require": "external", "external": EXTERNAL[controller]})


@pytest.mark.parametrize("controller", sorted(EXTERNAL))
def test_a_closed_application_asks_nobody(render: Render, controller: str) -> None:
    values = asked(controller, closed=True)
    assert not [each for each in render(values).objects if each["kind"] in ("Middleware", "AuthorizationPolicy")]


@pytest.mark.parametrize(
    "auth",
    [
        {"external": {"address": ADDRESS}},
        {"require": "basic"},
        {"require": "external", "external": {"address": 'http://auth/;} location /x {proxy_pass "http://evil"'}},
        {"require": "external", "external": {"address": "http://auth/$request_uri"}},
        {"require": "external", "external": {"address": ADDRESS, "headers": ["x-user;"]}},
        {"require": "jwt", "jwt": {"issuer": "https://issuer.example.com"}},
        {"require": "jwt", "jwt": {"issuer": "https://issuer.example.com", "audiences": []}},
        {"require": "jwt", "jwt": {"issuer": "*", "audiences": ["tickets"]}},
        {"require": "jwt", "jwt": {"issuer": "https://issuer.example.com", "audiences": ["*"]}},
    ],
    ids=lambda auth: re.sub(r"[^a-z]+", "-", str(auth))[-40:],
)
def test_the_schema_takes_no_half_of_it_and_no_sign_that_means_something_else(render: Render, auth: Map) -> None:
    values = asked("nginx")
    values["routing"]["auth"] = auth
    with pytest.raises(Refused, match="/routing/auth"):
        render(values)


@pytest.mark.parametrize("table", ["authNeeded", "authRefused"])
def test_the_chart_and_the_command_ask_and_refuse_the_same(table: str) -> None:
    text = (CHART / "templates/traffic/_auth.tpl").read_text()
    block = re.search(rf'define "bento-serving.{table}" -}}}}\n(.*?)\n{{{{- end', text, re.DOTALL)
    assert block
    python: Any = {"authNeeded": authentication.NEEDED, "authRefused": authentication.REFUSED}[table]
    said = {controller: kinds for controller, kinds in python.items() if kinds}
    assert yaml.safe_load(block[1].replace("hostnames:", "hostname:")) == said
