"""Who may ask, as values: what an application requires, what its environment says, and what is refused at which line."""

from __future__ import annotations

from typing import Any

import pytest
from bento_gitops.layers.merging import leaf_at

from tests.rendering.test_routing import APPLICATION, CONFIG, ENVIRONMENT, TARGET, errors, notes, routing, say, steady, use

ADDRESS = "http://auth.auth.svc.cluster.local/verify"
SERVICE = f"""  auth:
    external:
      address: {ADDRESS}
      headers: [x-user]
      filter: {{group: traefik.io, kind: Middleware, name: forward-auth}}
      provider: tickets-auth
    jwt: {{issuer: https://issuer.example.com}}
"""
EXTERNAL = "{auth: {require: external}}"
TOKENS = "{auth: {require: jwt, audiences: [tickets]}}"


def put(fleet, controller: str, said: str, more: str = SERVICE) -> None:
    """A steady release behind a controller, with facts of the environment and what config.yaml says in its line 16."""
    use(fleet, controller, more)
    steady(fleet)
    say(fleet, said)


@pytest.mark.parametrize(
    ("controller", "taken"),
    [
        ("gateway", {"filter": {"group": "traefik.io", "kind": "Middleware", "name": "forward-auth"}}),
        ("nginx", {"address": ADDRESS, "headers": ["x-user"]}),
        ("traefik", {"address": ADDRESS, "headers": ["x-user"]}),
        ("istio", {"provider": "tickets-auth"}),
    ],
)
def test_each_controller_gets_what_it_asks_the_service_with(fleet, controller: str, taken: dict[str, Any]) -> None:
    put(fleet, controller, EXTERNAL)
    assert routing(fleet)["auth"] == {"require": "external", "external": taken}
    assert notes(fleet) == []


def test_a_token_is_of_the_environment_s_issuer_and_for_the_application_s_audience(fleet) -> None:
    put(fleet, "istio", TOKENS)
    assert routing(fleet)["auth"] == {"require": "jwt", "jwt": {"issuer": "https://issuer.example.com", "audiences": ["tickets"]}}
    values = fleet.values(TARGET)
    places = {
        key: str(leaf.source.place)
        for key in ("issuer", "audiences")
        if (leaf := leaf_at(values, ("routing", "auth", "jwt", key)))
    }
    assert places == {"issuer": f"{ENVIRONMENT}:15", "audiences": f"{CONFIG}:16"}


REFUSED = {
    (
        "gateway",
        "jwt",
    ): "the Gateway API knows no tokens; have an external service check them, or a policy of the Gateway's own kind",
    ("nginx", "jwt"): "it checks no tokens; have an external service check them",
    ("traefik", "jwt"): "its commercial edition alone checks tokens; have an external service check them",
    ("none", "jwt"): "there is no route, only a Service, which everybody in the cluster may ask",
    ("none", "external"): "there is no route, only a Service, which everybody in the cluster may ask",
}


@pytest.mark.parametrize(("controller", "kind"), REFUSED)
def test_what_a_controller_cannot_check_is_refused_where_it_is_required(fleet, controller: str, kind: str) -> None:
    put(fleet, controller, TOKENS if kind == "jwt" else EXTERNAL)
    assert errors(fleet) == [
        f"{CONFIG}:16: routing.auth.require: cannot be had in prod: the controller is {controller} ({ENVIRONMENT}:6);"
        f" {REFUSED[controller, kind]} (found {kind}); use another controller, or say none if anybody may ask"
    ]


@pytest.mark.parametrize(
    ("controller", "said", "missing"),
    [
        (
            "gateway",
            EXTERNAL,
            {"auth.external.filter": "name an object beside the route that the Gateway's class knows as a filter;"},
        ),
        ("nginx", EXTERNAL, {"auth.external.address": "say where the service is asked"}),
        ("traefik", EXTERNAL, {"auth.external.address": "say where the service is asked"}),
        ("istio", EXTERNAL, {"auth.external.provider": "name the service as `extensionProviders` of the mesh does"}),
        ("istio", TOKENS, {"auth.jwt.issuer": "name who makes the tokens out"}),
    ],
)
@pytest.mark.parametrize("more", ["", "  auth: {external: {headers: [x-user]}}\n"], ids=["nothing", "half"])
def test_what_is_required_and_nowhere_to_be_had_is_asked_for(fleet, controller: str, said: str, missing: Any, more: str) -> None:
    put(fleet, controller, said, more)
    kind = "jwt" if "jwt" in said else "external"
    found = errors(fleet)
    assert len(found) == len(missing)
    for error, (path, todo) in zip(found, missing.items(), strict=True):
        assert error.startswith(
            f"{ENVIRONMENT}:5: routing.{path}: is missing, the controller is {controller} ({ENVIRONMENT}:6),"
            f" and {kind} is required ({CONFIG}:16); {todo}"
        )


@pytest.mark.parametrize("said", [EXTERNAL, TOKENS])
def test_istio_s_gateway_must_know_the_hosts(fleet, said: str) -> None:
    put(fleet, "istio", said)
    fleet.change(ENVIRONMENT, '  hostname: "{application}.prod.example.com"\n', "")
    (error,) = errors(fleet)
    assert ": routing.hostname: is missing, the controller is istio" in error


def test_a_token_for_anybody_is_not_asked_for(fleet) -> None:
    put(fleet, "istio", "{auth: {require: jwt}}")
    assert errors(fleet) == [
        f"{CONFIG}:16: routing.auth.audiences: is missing, and jwt is required; say whom tokens are made out for: without it one"
        " for any other application of the issuer would do"
    ]


def test_audiences_alone_require_nothing_and_are_refused(fleet) -> None:
    put(fleet, "istio", "{auth: {audiences: [tickets]}}")
    assert errors(fleet) == [f"{CONFIG}:16: routing.auth.require: is missing; say jwt, or take the audiences back with null"]


def test_an_environment_that_could_ask_notes_that_nobody_is_asked(fleet) -> None:
    put(fleet, "traefik", "")
    assert notes(fleet) == [
        f"{ENVIRONMENT}:8: routing.auth: anybody may ask: nothing requires it; say routing.auth.require, or none if that is meant"
    ]
    assert "auth" not in routing(fleet)


def test_what_holds_for_all_applications_is_said_once_and_taken_back_in_the_open(fleet) -> None:
    put(fleet, "traefik", "")
    fleet.change(ENVIRONMENT, "defaults:\n", "defaults:\n  routing: {auth: {require: external}}\n")
    assert routing(fleet)["auth"]["require"] == "external"
    fleet.put(APPLICATION, fleet.text(APPLICATION) + "routing: {auth: {require: none}}\n")
    assert routing(fleet)["auth"] == {"require": "none"}
    assert notes(fleet) == []


@pytest.mark.parametrize(
    ("address", "sound"),
    [
        (ADDRESS, True),
        ("https://auth.example.com:8443/oauth2/auth", True),
        ("http://auth/$request_uri", False),
        ("http://auth/x;} evil {", False),
        ("http://user:password@auth/x", False),
        ("auth.auth:80", False),
        ("http://auth/x?a=b", False),
        ("http://auth/%2e%2e", False),
    ],
)
def test_an_address_has_no_sign_that_a_controller_s_configuration_reads_as_its_own(fleet, address: str, sound: bool) -> None:
    put(fleet, "nginx", EXTERNAL, SERVICE.replace(ADDRESS, f"'{address}'"))
    if sound:
        assert routing(fleet)["auth"]["external"]["address"] == address
        return
    (error,) = errors(fleet)
    assert error.startswith(f"{ENVIRONMENT}:")
    assert "routing.auth.external.address" in error
