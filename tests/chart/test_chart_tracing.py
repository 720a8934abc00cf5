"""Traces: what each component is told, who it says it is, and that they may leave the pod."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from serving_chart import Map, Rendered, component, tickets, two_tracks

Render = Callable[..., Rendered]
COLLECTOR = {"namespace": "observability", "podLabels": {"app": "collector"}}
TRACING: Map = {"endpoint": "http://collector.observability:4318/v1/traces", "sampleRate": 0.25, "collector": COLLECTOR}
APPLICATION_PODS = ("tickets-blue-tickets", "tickets-blue-embedder", "tickets-blue-tokenizer")


def told(**tracing: Any) -> Map:
    return tickets(tracing=TRACING | tracing)


def test_every_component_is_told_where_its_own_spans_go_and_nothing_of_those_of_others(render: Render) -> None:
    found = render(told())
    for name, service in zip(APPLICATION_PODS, ("Tickets", "Embedder", "Tokenizer"), strict=True):
        services = found.configuration(name)
        assert services[service]["tracing"] == {
            "exporter_type": "otlp",
            "sample_rate": 0.25,
            "excluded_urls": ["^https?://[^/]+/(healthz|livez|metrics|readyz)$"],
            "timeout": 5,
            "otlp": {"protocol": "http", "endpoint": "http://collector.observability:4318/v1/traces"},
        }
        assert services[service]["http"]["response"] == {"trace_id": True}
        assert [each for each in services if "tracing" in services[each]] == [service]
        assert services[service]["runner_probe"] == {"enabled": False}


def test_a_single_process_is_told_for_all_its_components(render: Render) -> None:
    services = render(tickets(mode="single", tracing=TRACING)).configuration("tickets-blue-tickets")
    assert all("tracing" in services[service] for service in ("Tickets", "Embedder", "Tokenizer"))


def test_without_an_endpoint_nothing_is_said_of_traces(render: Render) -> None:
    for values in (tickets(), tickets(tracing={"sampleRate": 1, "collector": COLLECTOR}), tickets(tracing=None)):
        found = render(values)
        for name in APPLICATION_PODS:
            assert "tracing" not in found.one("ConfigMap", name)["data"]["bentoml.yaml"]
            assert "OTEL_RESOURCE_ATTRIBUTES" not in found.environment(name)


@pytest.mark.parametrize(
    ("rate", "written"),
    [(0, "0.0"), (1, "1.0"), (1.0, "1.0"), (0.1, "0.1"), (0.05, "0.05"), (1e-5, "0.00001"), (0.123456789, "0.123456789")],
)
def test_a_sample_rate_is_written_as_a_number_with_a_fraction_which_bentoml_asks_for(
    render: Render, rate: float, written: str
) -> None:
    text = render(told(sampleRate=rate)).one("ConfigMap", "tickets-blue-embedder")["data"]["bentoml.yaml"]
    assert f"sample_rate: {written}\n" in text
    found = yaml.safe_load(text)["services"]["Embedder"]["tracing"]["sample_rate"]
    assert isinstance(found, float)
    assert found == rate


def test_a_span_says_of_which_track_bundle_and_component_it_is(render: Render) -> None:
    found = render(told() | {"environment": "prod"}).environment("tickets-blue-embedder")["OTEL_RESOURCE_ATTRIBUTES"]
    assert dict(pair.split("=") for pair in found.split(",")) == {
        "service.name": "tickets-embedder",
        "bento.application": "tickets",
        "bento.track": "blue",
        "bento.bundle": "1.0.0",
        "bento.component": "embedder",
        "bento.role": "runner",
        "deployment.environment.name": "prod",
    }


@pytest.mark.parametrize(
    ("endpoint", "collector", "to", "port"),
    [
        (
            "http://collector.observability:4318/v1/traces",
            {"namespace": "observability", "podLabels": {"app": "collector"}},
            {
                "podSelector": {"matchLabels": {"app": "collector"}},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "observability"}},
            },
            4318,
        ),
        ("http://collector/v1/traces", {"podLabels": {"app": "c"}}, {"podSelector": {"matchLabels": {"app": "c"}}}, 80),
        ("https://traces.example.com/v1/traces", {"cidr": "192.0.2.0/24"}, {"ipBlock": {"cidr": "192.0.2.0/24"}}, 443),
        ("http://collector:80/v1/traces", {"cidr": "192.0.2.1/32", "port": 14318}, {"ipBlock": {"cidr": "192.0.2.1/32"}}, 14318),
    ],
)
def test_traces_leave_every_pod_for_the_collector_alone(
    render: Render, endpoint: str, collector: Map, to: Map, port: int
) -> None:
    values = tickets(tracing={"endpoint": endpoint, "collector": collector})
    with_it, without = render(values), render(tickets())
    for name in APPLICATION_PODS:
        before = without.one("NetworkPolicy", name)["spec"]["egress"]
        after = with_it.one("NetworkPolicy", name)["spec"]["egress"]
        assert after == [*before, {"to": [to], "ports": [{"port": port, "protocol": "TCP"}]}]


def test_a_track_whose_image_lacks_the_exporter_is_as_without_tracing(render: Render) -> None:
    found = render(two_tracks(tracing=TRACING, tracks={"blue": {"traced": False}}))
    plain = render(two_tracks())
    for kind in ("ConfigMap", "Deployment", "NetworkPolicy"):
        assert found.one(kind, "tickets-blue-tickets") == plain.one(kind, "tickets-blue-tickets")
        assert found.one(kind, "tickets-green-tickets") != plain.one(kind, "tickets-green-tickets")


def test_an_egress_of_the_same_name_is_another_place(render: Render) -> None:
    own = component("Embedder", egress={"tracing": {"cidr": "192.0.2.0/24", "ports": [443]}})
    rules = render(told() | tickets(tracing=TRACING, tracks=own)).one("NetworkPolicy", "tickets-blue-embedder")["spec"]["egress"]
    assert [each["ports"][0]["port"] for each in rules[-2:]] == [4318, 443]
