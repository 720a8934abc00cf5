"""The PrometheusRule: where it is rendered, what people may change of an alert, and that every query is one."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import promql_parser
import pytest
from bento_gitops.model.settings import AlertName
from serving_chart import CI, Map, Rendered, laid_over, tickets, two_tracks

Render = Callable[..., Rendered]
PROMETHEUS = {"prometheus": {"namespace": "monitoring", "podLabels": {"app": "prometheus"}}}
WATCHED = {"monitoring": PROMETHEUS}


def rules(rendered: Rendered) -> list[Map]:
    (rule,) = rendered.all("PrometheusRule")
    return [each for group in rule["spec"]["groups"] for each in group["rules"]]


def alerts(rendered: Rendered) -> dict[str, Map]:
    return {each["alert"]: each for each in rules(rendered) if "alert" in each}


def facts(rendered: Rendered, name: str) -> list[tuple[dict[str, str], float]]:
    """What the values say: labels and value."""
    found = [each for each in rules(rendered) if each.get("record") == name]
    return [(each["labels"], float(re.fullmatch(r"vector\((.+)\)", each["expr"])[1])) for each in found]  # type: ignore[index]


def test_there_are_rules_only_where_a_prometheus_and_its_operator_are(render: Render) -> None:
    assert len(list(render(tickets(**WATCHED)).all("PrometheusRule"))) == 1
    for without in (tickets(), tickets(monitoring=PROMETHEUS | {"operator": False}), tickets(monitoring=None)):
        assert not list(render(without).all("PrometheusRule"))


def test_prometheus_finds_the_rules_by_the_labels_that_monitoring_has(render: Render) -> None:
    (rule,) = render(tickets(monitoring=PROMETHEUS | {"labels": {"release": "prometheus"}})).all("PrometheusRule")
    assert rule["metadata"]["labels"].items() >= {"release": "prometheus", "bento-gitops/application": "tickets"}.items()


def test_every_alert_of_the_model_is_there_with_its_page_and_a_summary_that_names_whose_it_is(render: Render) -> None:
    found = alerts(render(tickets(alerts={"runbooks": "https://git.example.com/runbooks"}, **WATCHED)))
    assert sorted(found) == sorted(get_args(AlertName))
    for name, alert in found.items():
        assert alert["annotations"]["runbook_url"] == f"https://git.example.com/runbooks/{name}.md"
        summary = alert["annotations"]["summary"]
        assert "$labels.application" in summary
        assert "$value" in summary
        assert "$labels.model" in summary or {"$labels.track", "$labels.component", "$labels.bundle"} <= set(
            re.findall(r"\$labels\.\w+", summary)
        )
        assert alert["labels"]["severity"] in ("critical", "warning", "info")
        assert re.fullmatch(r"\d+[mh]", alert["for"])


@pytest.mark.parametrize("file", [file for file in CI if "monitoring:" in file.read_text()], ids=lambda file: file.stem)
def test_every_query_is_promql_and_no_placeholder_is_left(render: Render, file: Path) -> None:
    found = rules(render(file))
    assert len(found) > 50
    for rule in found:
        promql_parser.parse(rule["expr"])
        # $1 is a group of label_replace.
        assert not re.search(r"\$[A-Za-z]", rule["expr"]), rule["expr"]


def test_an_alert_is_turned_off_and_changed_alone(render: Render) -> None:
    usual = alerts(render(tickets(**WATCHED)))
    own: dict[str, Any] = {"BentoRunnerSlow": {"enabled": False}, "BentoLatencyHigh": {"severity": "critical", "for": "20m"}}
    changed = alerts(render(tickets(alerts={"rules": own}, **WATCHED)))
    assert usual.keys() - changed.keys() == {"BentoRunnerSlow"}
    assert changed["BentoLatencyHigh"] == usual["BentoLatencyHigh"] | {"for": "20m", "labels": {"severity": "critical"}}
    assert all(changed[name] == usual[name] for name in changed if name != "BentoLatencyHigh")


def test_thresholds_reach_the_queries(render: Render) -> None:
    told = {
        "minRequestsPerMinute": 77,
        "shedRatio": 0.071,
        "restartsPerHour": 71,
        "gpuMemoryRatio": 0.771,
        "minPredictions": 1000000,
    }
    found = alerts(render(tickets(alerts=told, **WATCHED)))
    assert "> 0.071" in found["BentoRequestsShed"]["expr"]
    assert ">= 77" in found["BentoRequestsShed"]["expr"]
    assert ">= 71" in found["BentoPodsRestarting"]["expr"]
    assert "> 0.771" in found["BentoGpuMemoryHigh"]["expr"]
    assert ">= 1e+06" in found["BentoModelClassDrift"]["expr"]


def test_people_s_labels_are_on_alerts_unless_they_would_hide_whose_series_it_is(render: Render) -> None:
    labels = {"owner": "support-ml", "cost-center": "4711", "track": "mine", "model": "mine", "example.com/tenant": "acme"}
    for alert in alerts(render(tickets(labels=labels, **WATCHED))).values():
        assert alert["labels"].keys() == {"owner", "cost_center", "example_com_tenant", "severity"}
        assert alert["labels"]["cost_center"] == "4711"


def test_a_label_whose_name_is_a_word_of_yaml_keeps_its_name(render: Render) -> None:
    for alert in alerts(render(tickets(labels={"yes": "a", "on": "b", "null": "c"}, **WATCHED))).values():
        assert alert["labels"].keys() == {"yes", "on", "null", "severity"}


def test_facts_are_the_values_objectives_limits_and_weights(render: Render) -> None:
    embedder = {"slo": {"p95": 0.2}, "traffic": {"timeout": 5, "maxConcurrency": 32}}
    found = render(
        two_tracks(environment="prod", slo={"p95": 0.5}, tracks={"blue": {"components": {"Embedder": embedder}}}, **WATCHED)
    )
    place = {"application": "tickets", "environment": "prod", "track": "blue", "bundle": "1.0.0"}
    runner = place | {"component": "embedder", "role": "runner"}
    assert (runner, 0.2) in facts(found, "bento:objective:p95")
    assert (place | {"component": "tickets", "role": "api"}, 0.5) in facts(found, "bento:objective:p95")
    assert (runner, 0.01) in facts(found, "bento:objective:error_ratio")
    assert facts(found, "bento:limit:max_concurrency") == [(runner, 32)]
    assert (runner, 5) in facts(found, "bento:limit:timeout_seconds")
    assert (runner | {"workload": "tickets-blue-embedder"}, 1) in facts(found, "bento:workload")
    there = render(laid_over(two_tracks(environment="prod", **WATCHED), {"monitoring": {"namespace": "tickets-prod"}}))
    assert {labels["namespace"] for labels, _ in facts(there, "bento:workload")} == {"tickets-prod"}
    assert (place | {"component": "embedder", "caller": "tickets"}, 1) in facts(found, "bento:dependency")
    assert [(labels["track"], value) for labels, value in facts(found, "bento:weight")] == [("blue", 75), ("green", 25)]
    assert [(labels["track"], value) for labels, value in facts(found, "bento:stable")] == [("blue", 1), ("green", 0)]


def test_a_track_is_live_by_weight_or_by_a_rule_and_a_cold_one_has_no_workload(render: Render) -> None:
    idle = {"blue": {"weight": 100}, "green": {"weight": 0}}
    staged = two_tracks(tracks=idle, **WATCHED)
    tenant = {"rules": {"acme": {"track": "green", "headers": {"x-tenant": ["acme"]}}}}
    cold = laid_over(staged, {"tracks": {"green": {"capacity": "cold"}}})
    for values, live, workloads in (
        (staged, {"blue": 1, "green": 0}, {"blue", "green"}),
        (laid_over(staged, {"routing": tenant}), {"blue": 1, "green": 1}, {"blue", "green"}),
        (cold, {"blue": 1, "green": 0}, {"blue"}),
    ):
        found = render(values)
        assert {labels["track"]: value for labels, value in facts(found, "bento:live")} == live
        assert {labels["track"] for labels, _ in facts(found, "bento:workload")} == workloads


def test_every_selector_of_an_application_s_series_names_it(render: Render) -> None:
    """Matching by track, bundle and component alone is enough only if no query sees another application."""
    for rule in rules(render(tickets(environment="prod", **WATCHED))):
        for name, labels in re.findall(r"\b((?:bento:|bentoml_|bento_model_|up\b)[a-z0-9_:]*)(\{[^}]*)?", rule["expr"]):
            assert labels.startswith('{application="tickets",environment="prod"'), f"{name} in {rule['expr']}"
