"""Who gets in: what a review says of a change of authentication, and which setting it names behind an object that asks."""

from __future__ import annotations

import pytest

from tests.reviewing.sides import CONFIG, ENVIRONMENT, PROD, Sides

FACTS = {
    "gateway": "  gateway: {name: public, namespace: gateways, listener: web, pod_labels: {app: gateway}}\n",
    "traefik": "  proxy: {namespace: proxies, pod_labels: {app: proxy}}\n",
    "nginx": "  ingress_class: nginx\n  proxy: {namespace: proxies, pod_labels: {app: proxy}}\n",
    "istio": "  gateways: [istio-ingress/public]\n  proxy: {namespace: proxies, pod_labels: {app: proxy}}\n",
}
AUTH = """\
  auth:
    external:
      address: http://auth.auth/verify
      headers: [x-user, x-tenant]
      filter: {group: traefik.io, kind: Middleware, name: forward-auth}
      provider: tickets-auth
    jwt: {issuer: https://issuer.example.com}
"""
ROUTING = "routing: {timeout: 20s}"
EXTERNAL = "routing: {timeout: 20s, auth: {require: external}}"
TOKENS = "routing: {timeout: 20s, auth: {require: jwt, audiences: [tickets, batch]}}"


def behind(sides: Sides, controller: str, said: str) -> None:
    """A steady release behind a controller, with the same requirement on both sides."""
    sides.steady()
    sides.both(
        lambda side: side.change(
            ENVIRONMENT, f"  controller: gateway\n{FACTS['gateway']}", f"  controller: {controller}\n{FACTS[controller]}{AUTH}"
        )
    )
    sides.both(lambda side: side.change(CONFIG, ROUTING, said))


def told(sides: Sides) -> list[tuple[str, str]]:
    (one,) = [found for found in sides.review().applications if found.target == PROD]
    return [(risk.level, risk.reason) for risk in one.risks if risk.kind == "authentication"]


@pytest.mark.parametrize("controller", sorted(FACTS))
def test_to_ask_nobody_any_more_is_a_high_risk_and_to_begin_is_none_for_those_inside(sides: Sides, controller: str) -> None:
    behind(sides, controller, EXTERNAL)
    sides.after.change(CONFIG, EXTERNAL, ROUTING)
    gone = "nobody is asked who he is any more (external was required): whoever reaches the routes is answered"
    assert told(sides) == [("high", gone)]
    assert sides.one().risk == "high"
    sides.before, sides.after = sides.after, sides.before
    assert told(sides) == [("medium", "external is required: who asks without it is refused from now on")]


def test_to_say_none_is_to_ask_nobody(sides: Sides) -> None:
    behind(sides, "traefik", EXTERNAL)
    sides.after.change(CONFIG, "require: external", "require: none")
    ((level, reason),) = told(sides)
    assert (level, reason.partition(" (")[0]) == ("high", "nobody is asked who he is any more")
    (risk,) = [risk for risk in sides.one().risks if risk.kind == "authentication"]
    assert risk.where == f"{CONFIG}:16"


@pytest.mark.parametrize(
    ("controller", "path", "old", "new", "level", "words"),
    [
        ("traefik", ENVIRONMENT, "http://auth.auth/verify", "http://other/verify", "high", "another service decides who gets in"),
        ("nginx", ENVIRONMENT, "http://auth.auth/verify", "http://other/verify", "high", "another service decides who gets in"),
        ("gateway", ENVIRONMENT, "name: forward-auth", "name: other", "high", "another service decides who gets in"),
        ("istio", ENVIRONMENT, "provider: tickets-auth", "provider: other", "high", "another service decides who gets in"),
        ("traefik", ENVIRONMENT, "[x-user, x-tenant]", "[x-user]", "high", "the api gets x-tenant as clients write it"),
        ("istio", CONFIG, EXTERNAL, TOKENS, "high", "jwt is required instead of external"),
    ],
)
def test_another_door_is_told(sides: Sides, controller: str, path: str, old: str, new: str, level: str, words: str) -> None:
    behind(sides, controller, EXTERNAL)
    sides.after.change(path, old, new)
    ((found, reason),) = told(sides)
    assert (found, reason.startswith(words)) == (level, True), reason


@pytest.mark.parametrize(
    ("path", "old", "new", "level", "words"),
    [
        (
            ENVIRONMENT,
            "issuer: https://issuer",
            "issuer: https://other",
            "high",
            "tokens of another issuer let in: https://issuer",
        ),
        (CONFIG, "[tickets, batch]", "[tickets, batch, everybody]", "high", "tokens for everybody let in too"),
        (CONFIG, "[tickets, batch]", "[tickets]", "medium", "tokens for batch let in no longer"),
    ],
)
def test_other_tokens_are_told(sides: Sides, path: str, old: str, new: str, level: str, words: str) -> None:
    behind(sides, "istio", TOKENS)
    sides.after.change(path, old, new)
    ((found, reason),) = told(sides)
    assert (found, reason.startswith(words)) == (level, True), reason


def test_a_fact_that_nobody_requires_opens_and_closes_nothing(sides: Sides) -> None:
    behind(sides, "traefik", ROUTING)
    sides.after.change(ENVIRONMENT, "http://auth.auth/verify", "http://other/verify")
    assert [risk for one in sides.review().applications for risk in one.risks if risk.kind == "authentication"] == []


@pytest.mark.parametrize(
    "template", ["traffic/middleware-auth.yaml", "traffic/authorizationpolicy.yaml"], ids=["middleware", "policy"]
)
def test_a_chart_that_no_longer_asks_is_told(sides: Sides, template: str) -> None:
    behind(sides, "traefik" if "middleware" in template else "istio", EXTERNAL)
    sides.after.path(f"charts/bento-serving/templates/{template}").unlink()
    ((level, reason),) = told(sides)
    assert (level, reason.partition("/")[2]) in [
        ("high", "support-tickets.auth goes although external is required"),
        ("high", "prod.support-tickets goes although external is required"),
    ]


@pytest.mark.parametrize(
    ("controller", "kind", "pointer"),
    [
        ("traefik", "Middleware", "spec.forwardAuth.address"),
        ("nginx", "Ingress", "auth-url"),
    ],
)
def test_the_address_is_what_is_behind_an_object_that_asks_there(sides: Sides, controller: str, kind: str, pointer: str) -> None:
    behind(sides, controller, EXTERNAL)
    sides.after.change(ENVIRONMENT, "http://auth.auth/verify", "http://other/verify")
    sides.after.change(CONFIG, "timeout: 20s", "timeout: 25s")
    origins = {
        told.origin for change in sides.one().objects for told in change.fields if change.kind == kind and pointer in told.pointer
    }
    assert len(origins) == 1
    assert origins.pop().startswith("routing.auth.external.address (")


def test_a_larger_body_is_told(sides: Sides) -> None:
    behind(sides, "traefik", "routing: {timeout: 20s, max_body: 1Mi}")
    sides.after.change(CONFIG, "1Mi", "1Gi")
    assert [risk.level for risk in sides.one().risks if "the largest body that is let in" in risk.reason] == ["medium"]
