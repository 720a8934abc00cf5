"""Who may connect to whom: the policies as a network reads them, against the graph of dependencies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from routers import routed
from serving_chart import CI, Rendered, component, tickets, two_tracks

Render = Callable[..., Rendered]
MONITORED = {"prometheus": {"namespace": "monitoring", "podLabels": {"app": "prometheus"}}}
PROMETHEUS = ("monitoring", {"app": "prometheus"})
GATEWAY = ("gateways", {"app": "gateway"})
HOME = "applications"


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= labels.items()


def admits(peer: dict[str, Any], namespace: str, labels: dict[str, str]) -> bool:
    if "ipBlock" in peer:
        return False
    here = {"kubernetes.io/metadata.name": namespace}
    where = selects(peer["namespaceSelector"], here) if "namespaceSelector" in peer else namespace == HOME
    return where and selects(peer["podSelector"], labels)


def allows(found: Rendered, side: str, own: dict[str, str], other: tuple[str, dict[str, str]], port: int) -> bool:
    """Whether the policies of `own` allow connections from (Ingress) or to (Egress) another pod."""
    chosen = [each["spec"] for each in found.all("NetworkPolicy") if selects(each["spec"]["podSelector"], own)]
    assert any(side in spec["policyTypes"] for spec in chosen), "no policy: everything is allowed"
    ends = "from" if side == "Ingress" else "to"
    return any(
        ("ports" not in rule or port in {each["port"] for each in rule["ports"]})
        and (ends not in rule or any(admits(peer, *other) for peer in rule[ends]))
        for spec in chosen
        for rule in spec.get(side.lower(), [])
    )


def pods(found: Rendered) -> dict[str, dict[str, str]]:
    return {each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"] for each in found.all("Deployment")}


def connected(found: Rendered) -> set[tuple[str, str]]:
    """(caller, called) for all pods of the application between which both sides allow a connection."""
    every = pods(found)
    return {
        (caller, called)
        for caller, caller_labels in every.items()
        for called, called_labels in every.items()
        if allows(found, "Egress", caller_labels, (HOME, called_labels), 3000)
        and allows(found, "Ingress", called_labels, (HOME, caller_labels), 3000)
    }


def test_a_runner_is_reachable_only_from_components_of_its_track_that_depend_on_it(render: Render) -> None:
    assert connected(render(two_tracks())) == {
        (f"tickets-{track}-{caller}", f"tickets-{track}-{called}")
        for track in ("blue", "green")
        for caller, called in (("tickets", "embedder"), ("embedder", "tokenizer"))
    }


def test_a_pod_of_another_bundle_on_the_same_track_is_a_stranger(render: Render) -> None:
    found = render(tickets())
    api, runner = pods(found)["tickets-blue-tickets"], pods(found)["tickets-blue-embedder"]
    assert allows(found, "Ingress", runner, (HOME, api), 3000)
    assert not allows(found, "Ingress", runner, (HOME, {**api, "bento-gitops/bundle": "0.9.0"}), 3000)
    assert not allows(found, "Ingress", {**runner, "bento-gitops/bundle": "0.9.0"}, (HOME, api), 3000), "only denied is left"


@pytest.mark.parametrize("stranger", [(HOME, {"app": "other"}), ("other", {"app": "gateway"}), ("gateways", {"app": "other"})])
def test_strangers_reach_nothing_behind_a_gateway(render: Render, stranger: tuple[str, dict[str, str]]) -> None:
    found = render(two_tracks(monitoring=MONITORED))
    assert not [name for name, labels in pods(found).items() if allows(found, "Ingress", labels, stranger, 3000)]


def test_the_gateway_s_pods_may_run_in_another_namespace_than_the_gateway(render: Render) -> None:
    found = render(two_tracks(routing={"gateway": {"podNamespace": "proxies"}}))
    api = pods(found)["tickets-blue-tickets"]
    assert allows(found, "Ingress", api, ("proxies", {"app": "gateway"}), 3000)
    assert not allows(found, "Ingress", api, GATEWAY, 3000)


def test_the_gateway_s_pods_reach_the_apis_alone(render: Render) -> None:
    found = render(two_tracks(monitoring=MONITORED))
    reached = {name for name, labels in pods(found).items() if allows(found, "Ingress", labels, GATEWAY, 3000)}
    assert reached == {"tickets-blue-tickets", "tickets-green-tickets"}


@pytest.mark.parametrize("controller", ["gateway", "istio", "nginx", "traefik"])
def test_behind_any_controller_its_pods_alone_reach_the_apis(render: Render, controller: str) -> None:
    found = render(two_tracks(routing=routed(controller)))
    for other, reached in (
        (("proxies", {"app": "proxy"}), {"tickets-blue-tickets", "tickets-green-tickets"}),
        (("proxies", {"app": "other"}), set()),
        (("gateways", {"app": "proxy"}), set()),
    ):
        assert {name for name, labels in pods(found).items() if allows(found, "Ingress", labels, other, 3000)} == reached


def test_prometheus_reaches_every_pod_and_without_monitoring_none(render: Render) -> None:
    with_it, without = render(two_tracks(monitoring=MONITORED)), render(two_tracks())
    assert all(allows(with_it, "Ingress", labels, PROMETHEUS, 3000) for labels in pods(with_it).values())
    assert not any(allows(without, "Ingress", labels, PROMETHEUS, 3000) for labels in pods(without).values())


def test_without_a_router_anyone_may_ask_the_api_but_no_runner(render: Render) -> None:
    found = render(tickets())
    anyone = ("other", {"app": "other"})
    reached = {name for name, labels in pods(found).items() if allows(found, "Ingress", labels, anyone, 3000)}
    assert reached == {"tickets-blue-tickets"}
    assert not allows(found, "Ingress", pods(found)["tickets-blue-tickets"], anyone, 3001)


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_every_pod_asks_dns_by_label_and_by_the_node_s_address_and_nobody_else_unasked(render: Render, file: object) -> None:
    found = render(file)
    for name, labels in pods(found).items():
        dns = ("kube-system", {"k8s-app": "kube-dns"})
        assert allows(found, "Egress", labels, dns, 53)
        assert not allows(found, "Egress", labels, dns, 443)
        assert not allows(found, "Egress", labels, ("other", {"app": "other"}), 443)
        rule = found.one("NetworkPolicy", name)["spec"]["egress"][0]
        assert {"ipBlock": {"cidr": "169.254.20.10/32"}} in rule["to"]
        assert rule["ports"] == [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]


def test_egress_opens_addresses_and_pods_on_the_ports_that_are_named(render: Render) -> None:
    places = {
        "cache": {"namespace": "caches", "podLabels": {"app": "redis"}, "ports": [6379]},
        "store": {"cidr": "192.0.2.0/24", "ports": [443]},
        "wide": {"namespace": "open"},
    }
    found = render(tickets(tracks=component("Embedder", egress=places)))
    runner = pods(found)["tickets-blue-embedder"]
    assert allows(found, "Egress", runner, ("caches", {"app": "redis"}), 6379)
    assert not allows(found, "Egress", runner, ("caches", {"app": "redis"}), 22)
    assert not allows(found, "Egress", runner, ("caches", {"app": "other"}), 6379)
    assert allows(found, "Egress", runner, ("open", {}), 1)
    assert not allows(found, "Egress", pods(found)["tickets-blue-tickets"], ("caches", {"app": "redis"}), 6379)
    rules = found.one("NetworkPolicy", "tickets-blue-embedder")["spec"]["egress"]
    assert {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}], "ports": [{"port": 443, "protocol": "TCP"}]} in rules


def test_a_single_process_may_go_wherever_one_of_its_components_may(render: Render) -> None:
    both = {
        "blue": {
            "components": {
                "Tickets": {"egress": {"store": {"cidr": "192.0.2.0/24"}}},
                "Embedder": {"egress": {"store": {"cidr": "198.51.100.0/24"}}},
            }
        }
    }
    rules = render(tickets(mode="single", tracks=both)).one("NetworkPolicy", "tickets-blue-tickets")["spec"]["egress"]
    blocks = [peer["ipBlock"]["cidr"] for rule in rules for peer in rule["to"] if "ipBlock" in peer]
    assert blocks == ["169.254.20.10/32", "198.51.100.0/24", "192.0.2.0/24"]


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_pods_have_no_way_to_the_api_server_s_token(render: Render, file: object) -> None:
    found = render(file)
    (account,) = found.all("ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    for each in found.all("Deployment"):
        assert each["spec"]["template"]["spec"]["serviceAccountName"] == account["metadata"]["name"]
