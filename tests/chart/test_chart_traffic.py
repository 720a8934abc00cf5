"""Which requests reach which track, from outside and by default."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from serving_chart import CI, Rendered, tickets, two_tracks

Render = Callable[..., Rendered]


def route(found: Rendered) -> dict[str, Any]:
    (only,) = found.all("HTTPRoute")
    return only["spec"]


def weights(found: Rendered) -> dict[str, int]:
    return {each["name"]: each["weight"] for each in route(found)["rules"][-1]["backendRefs"]}


@pytest.mark.parametrize(("blue", "green"), [(75, 25), (99, 1), (100, 0), (0, 100)])
def test_the_last_rule_splits_live_requests_by_weight_and_writes_zero(render: Render, blue: int, green: int) -> None:
    found = render(two_tracks(tracks={"blue": {"weight": blue}, "green": {"weight": green}}))
    assert weights(found) == {"tickets-blue-tickets": blue, "tickets-green-tickets": green}
    assert route(found)["rules"][-1]["matches"] == [{"path": {"type": "PathPrefix", "value": "/classify"}}]


def test_the_header_asks_one_track_also_at_weight_zero(render: Render) -> None:
    found = render(two_tracks(tracks={"blue": {"weight": 100}, "green": {"weight": 0}}))
    asked = {}
    for rule in route(found)["rules"][:-1]:
        (match,), (backend,) = rule["matches"], rule["backendRefs"]
        (header,) = match["headers"]
        assert (header["type"], header["name"], match["path"]["value"]) == ("Exact", "x-bento-track", "/classify")
        assert backend["weight"] > 0
        asked[header["value"]] = backend["name"]
    assert asked == {"blue": "tickets-blue-tickets", "green": "tickets-green-tickets"}


def test_every_answer_names_its_bundle_and_track(render: Render) -> None:
    named = set()
    for rule in route(render(two_tracks()))["rules"]:
        for backend in rule["backendRefs"]:
            (only,) = backend["filters"]
            headers = {each["name"]: each["value"] for each in only["responseHeaderModifier"]["set"]}
            named.add((backend["name"], headers["x-bento-bundle"], headers["x-bento-track"]))
    assert named == {("tickets-blue-tickets", "1.0.0", "blue"), ("tickets-green-tickets", "1.1.0", "green")}


def test_only_declared_routes_are_reachable_and_all_paths_only_if_none_is_declared(render: Render) -> None:
    def paths(apis: dict[str, Any]) -> list[tuple[str, str]]:
        values = two_tracks()
        values["tracks"]["green"]["components"]["Tickets"]["apis"] = apis
        values["tracks"]["blue"]["components"]["Tickets"]["apis"] = {}
        matches = route(render(values))["rules"][-1]["matches"]
        return [(match["path"]["type"], match["path"]["value"]) for match in matches]

    assert paths({"b": {"route": "/b"}, "a": {"route": "/a"}}) == [("PathPrefix", "/a"), ("PathPrefix", "/b")]
    assert paths({"page": {"route": "/"}}) == [("Exact", "/")], "the prefix / would be /metrics too"
    assert paths({}) == [("PathPrefix", "/")]


def test_a_runner_s_routes_are_not_routed(render: Render) -> None:
    values = two_tracks()
    values["tracks"]["blue"]["components"]["Embedder"]["apis"] = {"encode": {"route": "/encode"}}
    assert "/encode" not in str(route(render(values)))


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_no_runner_is_in_a_route_or_a_public_service(render: Render, file: object) -> None:
    found = render(file)
    runners = {
        each["metadata"]["name"]
        for each in found.all("Service")
        if each["metadata"]["labels"].get("bento-gitops/role") == "runner"
    }
    for each in found.all("HTTPRoute"):
        assert not runners & {backend["name"] for rule in each["spec"]["rules"] for backend in rule["backendRefs"]}
    for each in found.all("Service"):
        if "bento-gitops/role" not in each["metadata"]["labels"]:
            apis = {
                api["spec"]["selector"]["matchLabels"]["bento-gitops/component"]
                for api in found.all("Deployment")
                if api["metadata"]["labels"]["bento-gitops/role"] == "api"
            }
            assert each["spec"]["selector"]["bento-gitops/component"] in apis


def test_what_a_server_would_add_to_the_route_is_written(render: Render) -> None:
    spec = route(render(two_tracks()))
    assert spec["parentRefs"] == [
        {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "public", "namespace": "gateways"}
    ]
    for rule in spec["rules"]:
        assert all({"type", "value"} == set(match["path"]) for match in rule["matches"])
        for backend in rule["backendRefs"]:
            assert (backend["group"], backend["kind"], backend["port"]) == ("", "Service", 3000)
            assert "weight" in backend


def test_listener_host_names_and_timeout_are_the_route_s(render: Render) -> None:
    routing = {"hostnames": ["tickets.example.com"], "timeout": "30s", "gateway": {"listener": "https"}}
    spec = route(render(two_tracks(routing=routing)))
    assert spec["parentRefs"][0]["sectionName"] == "https"
    assert spec["hostnames"] == ["tickets.example.com"]
    assert {rule["timeouts"]["request"] for rule in spec["rules"]} == {"30s"}


@pytest.mark.parametrize(("blue", "green", "selected"), [(100, 0, "blue"), (0, 100, "green")])
def test_without_a_router_the_public_service_selects_the_track_that_has_all_requests(
    render: Render, blue: int, green: int, selected: str
) -> None:
    weighted = {"blue": {"weight": blue}, "green": {"weight": green}}
    found = render(two_tracks(routing={"controller": "none"}, tracks=weighted))
    assert not list(found.all("HTTPRoute"))
    assert found.one("Service", "tickets")["spec"]["selector"] == {
        "bento-gitops/application": "tickets",
        "bento-gitops/track": selected,
        "bento-gitops/component": "tickets",
    }


def test_behind_a_router_there_is_no_service_that_goes_round_its_weights(render: Render) -> None:
    assert "tickets" not in {each["metadata"]["name"] for each in render(two_tracks()).all("Service")}
    assert "tickets" in {each["metadata"]["name"] for each in render(tickets()).all("Service")}
