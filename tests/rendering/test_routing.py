"""What environment.yaml and the layers say of routes, as values: what controllers take, which rules hold, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from bento_gitops.layers.merging import leaf_at
from bento_gitops.model.problem import InvalidInput
from bento_gitops.model.values import Values

TARGET = "prod/support-tickets"
FOLDER = "environments/prod/support-tickets"
ENVIRONMENT = "environments/prod/environment.yaml"
CONFIG = f"{FOLDER}/config.yaml"
APPLICATION = "applications/support-tickets.yaml"
GATEWAY = "  gateway: {name: public, namespace: gateways, listener: web, pod_labels: {app: gateway}}\n"
PROXY = "  proxy: {namespace: proxies, pod_labels: {app: proxy}}\n"
HEADERS = "  headers: {tenant: x-tenant, country: x-country, request_type: x-request-type}\n"
FACTS = {
    "gateway": GATEWAY,
    "nginx": f"  ingress_class: nginx\n{PROXY}",
    "traefik": PROXY,
    "istio": f"  gateways: [istio-ingress/public]\n{PROXY}",
    "none": "",
}


def use(fleet, controller: str, more: str = HEADERS) -> None:
    """Gives prod a controller with what it needs, and more."""
    fleet.change(ENVIRONMENT, f"  controller: gateway\n{GATEWAY}", f"  controller: {controller}\n{FACTS[controller]}{more}")


def say(fleet, routing: str) -> None:
    """Replaces what prod's config.yaml says of routes, in its last line, which is line 16."""
    fleet.change(CONFIG, "routing: {timeout: 20s}\n", f"routing: {routing}\n" if routing else "")


def release(fleet, text: str) -> None:
    fleet.put(
        f"{FOLDER}/release.yaml",
        f"apiVersion: bento-gitops/v1\nkind: Release\nsince: 2026-11-01T10:20:00Z\nstable: blue\n{text}\n",
    )


def steady(fleet, more: str = "") -> None:
    release(fleet, f'tracks: {{blue: {{bundle: "1.0.0", weight: 100}}}}{more}')


def candidate(fleet, weight: int, ready_for: int) -> None:
    blue, green = f'{{bundle: "1.0.0", weight: {100 - weight}}}', f'{{bundle: "1.1.0", weight: {weight}, ready_for: {ready_for}}}'
    release(fleet, f"candidate: green\ntracks: {{blue: {blue}, green: {green}}}")


def routing(fleet) -> dict[str, Any]:
    """The `routing` of the values as the chart gets it, which the model of the values knows."""
    values = yaml.safe_load(fleet.render(TARGET)[TARGET].text)
    Values.model_validate(values, by_alias=True, by_name=False)
    return values["routing"]


def notes(fleet) -> list[str]:
    return [note for note in fleet.render(TARGET)[TARGET].notes if "routing" in note]


def errors(fleet) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        fleet.render(TARGET)
    return [str(problem) for problem in caught.value.problems]


# Facts of the environment.


@pytest.mark.parametrize(
    ("controller", "more", "expected"),
    [
        (
            "gateway",
            "",
            {"gateway": {"name": "public", "namespace": "gateways", "listener": "web", "podLabels": {"app": "gateway"}}},
        ),
        (
            "nginx",
            "  tls: {secret: '{application}-tls'}\n",
            {
                "ingressClass": "nginx",
                "proxy": {"namespace": "proxies", "podLabels": {"app": "proxy"}},
                "tls": {"secret": "support-tickets-tls"},
                "canary": "green",
            },
        ),
        (
            "traefik",
            "  entry_points: [websecure]\n  tls: {secret: '{environment}-{application}'}\n",
            {
                "entryPoints": ["websecure"],
                "proxy": {"namespace": "proxies", "podLabels": {"app": "proxy"}},
                "tls": {"secret": "prod-support-tickets"},
            },
        ),
        (
            "istio",
            "",
            {"gateways": ["istio-ingress/public"], "proxy": {"namespace": "proxies", "podLabels": {"app": "proxy"}}},
        ),
    ],
)
def test_each_controller_gets_its_facts(fleet, controller: str, more: str, expected: dict[str, Any]) -> None:
    use(fleet, controller, more)
    found = routing(fleet)
    assert found == {
        "controller": controller,
        **expected,
        "hostnames": ["support-tickets.prod.example.com"],
        "timeout": "20s",
    }
    assert notes(fleet) == []


def test_a_fact_of_another_controller_has_no_effect_and_is_noted(fleet) -> None:
    use(fleet, "istio", "  ingress_class: nginx\n")
    assert notes(fleet) == [f"{ENVIRONMENT}:9: routing.ingress_class: has no effect: the controller is istio ({ENVIRONMENT}:6)"]
    assert "ingressClass" not in routing(fleet)


@pytest.mark.parametrize(
    ("controller", "missing"),
    [
        ("gateway", ["gateway: is missing, and {}; name the Gateway, or use controller: none"]),
        (
            "nginx",
            [
                "ingress_class: is missing, and {}; name the IngressClass",
                "proxy: is missing, and {}; name the controller's pods: they alone may reach the api",
            ],
        ),
        ("traefik", ["proxy: is missing, and {}; name Traefik's pods: they alone may reach the api"]),
        (
            "istio",
            [
                "gateways: is missing, and {}; name Istio's Gateways, like istio-ingress/public",
                "proxy: is missing, and {}; name the pods of Istio's gateway: they alone may reach the api",
            ],
        ),
    ],
)
def test_what_a_controller_needs_is_asked_for(fleet, controller: str, missing: list[str]) -> None:
    fleet.change(ENVIRONMENT, f"  controller: gateway\n{GATEWAY}", f"  controller: {controller}\n")
    chosen = f"the controller is {controller} ({ENVIRONMENT}:6)"
    assert errors(fleet) == [f"{ENVIRONMENT}:5: routing.{text.format(chosen)}" for text in missing]


@pytest.mark.parametrize(
    ("pattern", "error"),
    [
        ("{app}.example.com", "knows no such placeholder (found {app}.example.com); use {application} and {environment}"),
        (
            "{application}..example.com",
            "becomes support-tickets..example.com for support-tickets, which is no name: 63 letters, digits and hyphens a part"
            " (found {application}..example.com); change the pattern",
        ),
        (
            f"{{application}}-{'x' * 48}.example.com",
            f"becomes support-tickets-{'x' * 48}.example.com for support-tickets, which is no name: 63 letters, digits and"
            f" hyphens a part (found {{application}}-{'x' * 48}.example.com); change the pattern",
        ),
    ],
)
def test_a_host_name_is_one_after_its_placeholders_are_filled(fleet, pattern: str, error: str) -> None:
    fleet.change(ENVIRONMENT, "{application}.prod.example.com", pattern)
    assert errors(fleet) == [f"{ENVIRONMENT}:8: routing.hostname: {error}"]


# What a controller cannot do.


@pytest.mark.parametrize(
    ("controller", "said", "why"),
    [
        (
            "gateway",
            "max_body: 10Mi",
            "the Gateway API knows no limit of bodies; set one for the Gateway, in a policy of its own kind",
        ),
        ("gateway", "sticky: {cookie: track}", "the Gateway API has it in its experimental channel alone"),
        ("nginx", "mirror: {track: candidate, percent: 5}", "it mirrors by a snippet alone, which is off for good reason"),
        (
            "nginx",
            "sticky: {cookie: track}",
            "its cookie holds clients on a track of weight 0 too, so an abort would not reach them",
        ),
        ("istio", "max_body: 10Mi", "a VirtualService knows no limit of bodies; set one in an EnvoyFilter of the gateway"),
        ("istio", "sticky: {cookie: track}", "its cookies choose a pod within a track, not the track"),
        ("none", "timeout: 20s", "there is no route, only a Service; BentoML's own limit is traffic.timeout of the component"),
        ("none", "max_body: 10Mi", "there is no route, only a Service"),
        ("none", "mirror: {track: candidate, percent: 5}", "there is no route, only a Service, which selects one track"),
    ],
)
def test_what_a_controller_cannot_do_is_refused_where_it_is_asked_for(fleet, controller: str, said: str, why: str) -> None:
    use(fleet, controller)
    steady(fleet)
    say(fleet, f"{{{said}}}")
    key = said.partition(":")[0]
    assert errors(fleet) == [
        f"{CONFIG}:16: routing.{key}: cannot be had in prod: the controller is {controller} ({ENVIRONMENT}:6); {why};"
        " use another controller, or take it back in this environment with null"
    ]


@pytest.mark.parametrize("controller", ["nginx", "none"])
@pytest.mark.parametrize("rule", ["{match: {tenant: [acme]}, track: stable}", "{precedence: 1}"])
def test_a_rule_that_a_controller_cannot_keep_is_named_with_the_controller(fleet, controller: str, rule: str) -> None:
    use(fleet, controller)
    steady(fleet)
    say(fleet, f"{{rules: {{acme-stays: {rule}}}}}")
    (error,) = errors(fleet)
    assert error.startswith(
        f"{CONFIG}:16: routing.rules.acme-stays: cannot be had in prod: the controller is {controller} ({ENVIRONMENT}:6); "
    )


@pytest.mark.parametrize("controller", ["gateway", "istio", "none"])
def test_a_certificate_that_belongs_elsewhere_is_refused(fleet, controller: str) -> None:
    use(fleet, controller, "  tls: {secret: tickets}\n")
    steady(fleet)
    say(fleet, "")
    (error,) = errors(fleet)
    line = {"gateway": 8, "istio": 9, "none": 7}[controller]
    assert error.startswith(
        f"{ENVIRONMENT}:{line}: routing.tls: cannot be had: the controller is {controller} ({ENVIRONMENT}:6); "
    )
    assert error.endswith("; remove it")


def test_what_another_file_says_for_other_controllers_is_taken_back_by_null(fleet) -> None:
    use(fleet, "none")
    steady(fleet)
    fleet.put(
        APPLICATION, fleet.text(APPLICATION) + "routing: {timeout: 20s, rules: {acme: {match: {tenant: [a]}, track: stable}}}\n"
    )
    say(fleet, "{timeout: null, rules: null}")
    assert routing(fleet) == {"controller": "none"}


# Rules.

ACME = "acme-stays: {match: {tenant: [acme, hooli]}, track: stable, precedence: 10}"
RULES = f"{{rules: {{{ACME}, swiss-first: {{match: {{country: [CH]}}, track: candidate}}}}}}"


def test_rules_name_the_tracks_and_headers_of_this_release_and_environment(fleet) -> None:
    use(fleet, "gateway")
    say(fleet, RULES)
    assert routing(fleet)["rules"] == {
        "acme-stays": {"track": "blue", "precedence": 10, "headers": {"x-tenant": ["acme", "hooli"]}},
        "swiss-first": {"track": "green", "headers": {"x-country": ["CH"]}},
    }
    assert notes(fleet) == []


def test_a_rule_s_track_says_where_it_comes_from(fleet) -> None:
    use(fleet, "gateway")
    say(fleet, RULES)
    fleet.render(TARGET)
    track = leaf_at(fleet.values(TARGET), ("routing", "rules", "swiss-first", "track"))
    assert track is not None
    assert [(str(said.place), said.value, said.note) for said in track.said] == [
        (f"{FOLDER}/release.yaml:4", "green", "candidate"),
        (f"{CONFIG}:16", "candidate", ""),
    ]


@pytest.mark.parametrize("weight", [0, None])
def test_a_rule_for_the_candidate_waits_for_one_with_weight(fleet, weight: int | None) -> None:
    use(fleet, "gateway")
    say(fleet, RULES)
    steady(fleet) if weight is None else candidate(fleet, weight, 50)
    assert list(routing(fleet)["rules"]) == ["acme-stays"]
    why = "there is none" if weight is None else "green has weight 0"
    assert notes(fleet) == [f"{CONFIG}:16: routing.rules.swiss-first: holds once a candidate has weight; {why}"]


def test_rules_merge_by_name_and_null_takes_one_back(fleet) -> None:
    use(fleet, "gateway")
    steady(fleet)
    below = "routing:\n  rules:\n    one: {match: {tenant: [a]}, track: stable}\n    two: {match: {tenant: [b]}, track: stable}\n"
    fleet.put(APPLICATION, fleet.text(APPLICATION) + below)
    say(fleet, "{rules: {one: null, two: {match: {country: [CH]}}}}")
    assert routing(fleet)["rules"] == {"two": {"track": "blue", "headers": {"x-tenant": ["b"], "x-country": ["CH"]}}}


def test_a_word_without_its_header_is_an_error_that_names_both_files(fleet) -> None:
    use(fleet, "gateway", "  headers: {tenant: x-tenant}\n")
    say(fleet, RULES)
    assert errors(fleet) == [
        f"{CONFIG}:16: routing.rules.swiss-first.match.country: no header of a request says country in prod ({ENVIRONMENT}:8)"
        " (found CH); name it there in routing.headers.country, or take the rule back here with null"
    ]


def test_a_rule_without_a_track_or_a_match_is_an_error(fleet) -> None:
    use(fleet, "gateway")
    say(fleet, "{rules: {one: {match: {tenant: [a]}}, two: {track: stable}}}")
    assert errors(fleet) == [
        f"{CONFIG}:16: routing.rules.one.track: is missing; say stable or candidate; or take the rule back with null",
        f"{CONFIG}:16: routing.rules.two.match: is missing; say which requests, by tenant, country, request_type;"
        " or take the rule back with null",
    ]


def test_two_rules_for_one_request_need_a_precedence_also_before_there_is_a_candidate(fleet) -> None:
    use(fleet, "gateway")
    steady(fleet)
    say(
        fleet,
        "\n  rules:\n    acme:\n      {track: stable, match: {tenant: [acme]}}\n"
        "    swiss: {track: candidate, match: {country: [CH]}}",
    )
    assert errors(fleet) == [
        f"{CONFIG}:20: routing.rules.swiss: one request may match this rule and acme, which sends it to stable ({CONFIG}:19)"
        " (found candidate, both of precedence 0); give one of them a higher precedence"
    ]
    fleet.change(CONFIG, "{country: [CH]}}", "{country: [CH]}, precedence: 1}")
    assert list(routing(fleet)["rules"]) == ["acme"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{match: {tenant: [acme]}, track: stable}", "{match: {tenant: [hooli], country: [CH]}, track: candidate}"),
        ("{match: {tenant: [acme]}, track: stable}", "{match: {country: [CH]}, track: stable}"),
    ],
)
def test_rules_that_no_request_matches_both_or_that_agree_need_none(fleet, one: str, other: str) -> None:
    use(fleet, "gateway")
    say(fleet, f"{{rules: {{one: {one}, other: {other}}}}}")
    assert set(routing(fleet)["rules"]) == {"one", "other"}


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ("{tenant: x-a, country: x-a}", "routing.headers: two words are in the same header; name another one"),
        ("{tenant: x-bento-track}", "routing.headers: x-bento-track asks for a track; name another header"),
    ],
)
def test_a_header_says_one_word(fleet, headers: str, error: str) -> None:
    use(fleet, "gateway", f"  headers: {headers}\n")
    assert errors(fleet) == [f"{ENVIRONMENT}:8: {error}"]


# The mirror.


@pytest.mark.parametrize(("weight", "ready_for"), [(0, 10), (10, 20), (40, 50)])
def test_a_mirror_holds_where_the_candidate_s_pods_are_enough_for_both(fleet, weight: int, ready_for: int) -> None:
    use(fleet, "istio")
    candidate(fleet, weight, ready_for)
    say(fleet, "{mirror: {track: candidate, percent: 10}}")
    assert routing(fleet)["mirror"] == {"track": "green", "percent": 10}
    assert notes(fleet) == []


@pytest.mark.parametrize(("weight", "ready_for"), [(0, 9), (10, 19), (100, 100)])
def test_a_mirror_waits_for_pods(fleet, weight: int, ready_for: int) -> None:
    use(fleet, "istio")
    candidate(fleet, weight, ready_for)
    say(fleet, "{mirror: {track: candidate, percent: 10}}")
    assert "mirror" not in routing(fleet)
    assert notes(fleet) == [
        f"{CONFIG}:16: routing.mirror: waits for more pods: green is ready for {ready_for} % of requests, and 10 % beside a"
        f" weight of {weight} need {weight + 10}"
    ]


def test_a_mirror_waits_for_a_candidate(fleet) -> None:
    use(fleet, "traefik")
    steady(fleet)
    say(fleet, "{mirror: {track: candidate, percent: 10}}")
    assert "mirror" not in routing(fleet)
    assert notes(fleet) == [f"{CONFIG}:16: routing.mirror: waits for a candidate; there is none"]


def test_a_gateway_mirrors_only_if_it_is_said_to(fleet) -> None:
    use(fleet, "gateway")
    candidate(fleet, 0, 10)
    say(fleet, "{mirror: {track: candidate, percent: 10}}")
    (error,) = errors(fleet)
    assert error.startswith(f"{CONFIG}:16: routing.mirror: the Gateway is not said to mirror requests ({ENVIRONMENT}:7); add")
    fleet.change(ENVIRONMENT, "listener: web, ", "listener: web, mirror: true, ")
    found = routing(fleet)
    assert (found["mirror"], found["gateway"]["mirror"]) == ({"track": "green", "percent": 10}, True)


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("{track: candidate}", "percent: is missing; say how many of 100 requests; or take mirror back with null"),
        ("{percent: 10}", "track: is missing; say candidate; or take mirror back with null"),
    ],
)
def test_a_mirror_has_a_track_and_a_percent(fleet, said: str, error: str) -> None:
    use(fleet, "traefik")
    say(fleet, f"{{mirror: {said}}}")
    assert errors(fleet) == [f"{CONFIG}:16: routing.mirror.{error}"]


# What else.


def test_limits_and_the_cookie_reach_the_chart(fleet) -> None:
    use(fleet, "traefik")
    say(fleet, "{timeout: 1m, max_body: 10Mi, sticky: {cookie: bento-track, max_age: 1h}}")
    found = routing(fleet)
    assert (found["timeout"], found["maxBody"], found["sticky"]) == ("1m", "10Mi", {"cookie": "bento-track", "maxAge": "1h"})
    fleet.change(CONFIG, "cookie: bento-track, ", "")
    assert errors(fleet) == [f"{CONFIG}:16: routing.sticky.cookie: is missing; name the cookie, or take sticky back with null"]


@pytest.mark.parametrize(("capacity", "canary"), [("full", "green"), ("warm", "green"), ("cold", None)])
def test_nginx_s_canary_leads_to_a_standby_that_has_pods(fleet, capacity: str, canary: str | None) -> None:
    use(fleet, "nginx")
    tracks = 'tracks: {blue: {bundle: "1.0.0", weight: 100}, green: {bundle: "1.1.0", weight: 0}}'
    release(fleet, f"{tracks}\nstandby: {{track: green, until: 2026-12-01T00:00:00Z, capacity: {capacity}}}")
    assert routing(fleet).get("canary") == canary


def test_an_application_that_is_being_retired_is_closed(fleet) -> None:
    steady(fleet, "\nretiring: {by: me, at: 2026-11-01T10:20:00Z, reason: nobody asks it any more}")
    assert routing(fleet)["closed"] is True
    closed = leaf_at(fleet.values(TARGET), ("routing", "closed"))
    assert closed is not None
    assert str(closed.source.place) == f"{FOLDER}/release.yaml:6"
