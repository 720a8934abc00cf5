"""Changes of what watches an application: the risk that they have, and the one setting that is behind each row."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import get_args

import pytest
import yaml
from bento_gitops.model.settings import AlertRule, Alerts
from bento_gitops.reviewing.body import body
from bento_gitops.reviewing.risks import highest
from bento_gitops.reviewing.watching import FIRE_BELOW, SEVERITIES

from tests.reviewing.sides import CONFIG, ENVIRONMENT, PROD, ROOT, Sides

PROMETHEUS = "  prometheus: {namespace: monitoring, pod_labels: {app: prometheus}}\n"
API = "    instance_type: cpu.small\n"
Change = Callable[[Sides], None]


def config(text: str, before: str = "") -> Change:
    """What the application's configuration says at its end, and what it said there."""

    def make(sides: Sides) -> None:
        sides.steady()
        for side, added in ((sides.before, before), (sides.after, text)):
            side.put(CONFIG, side.text(CONFIG) + added)

    return make


def environment(old: str, new: str, before: str = "") -> Change:
    """Another text in the environment's file; with `before`, that one instead of `old` on the first side."""

    def make(sides: Sides) -> None:
        sides.steady()
        if before:
            sides.before.change(ENVIRONMENT, old, before)
        sides.after.change(ENVIRONMENT, old, new)

    return make


def own(text: str) -> Change:
    def make(sides: Sides) -> None:
        config("slo: {p95: 0.5}\n", "slo: {p95: 0.5}\n")(sides)
        sides.after.change(CONFIG, API, f"{API}    slo: {text}\n")

    return make


def rows(text: str, kind: str = "PrometheusRule") -> list[list[str]]:
    """The rows of the table of objects: field, before, after, from."""
    found = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith(f"| `{kind}/")]
    return [row[1:] for row in found]


LESS: dict[str, tuple[Change, str, str]] = {
    "an alert off": (
        config("alerts: {rules: {BentoErrorBudgetBurnFast: {enabled: false}}}\n"),
        "medium",
        "alert BentoErrorBudgetBurnFast (critical) is turned off",
    ),
    "a lower severity": (
        config("alerts: {rules: {BentoComponentDown: {severity: info}}}\n"),
        "medium",
        "alert BentoComponentDown: severity critical -> info",
    ),
    "later": (
        config("alerts: {rules: {BentoComponentDown: {for: 2h}}}\n"),
        "medium",
        "alert BentoComponentDown: somebody is told after 2h, before after 5m",
    ),
    "a higher threshold": (config("alerts: {shed_ratio: 0.5}\n"), "medium", "alerts.shed_ratio 0.01 -> 0.5"),
    "a threshold of what is too little": (config("alerts: {batch_size: 1.1}\n"), "medium", "alerts.batch_size 1.2 -> 1.1"),
    "a higher objective": (
        config("slo: {p95: 500}\n", "slo: {p95: 0.5}\n"),
        "medium",
        "objective p95 0.5 -> 500 for classifier-runner, embedding-runner, support-tickets on blue",
    ),
    "no objective": (
        config("", "slo: {p95: 0.5}\n"),
        "medium",
        "objective p95 0.5 -> none for classifier-runner, embedding-runner, support-tickets on blue",
    ),
    "a component's own objective, above what held for it": (
        own("{p95: 500}"),
        "medium",
        "objective p95 0.5 -> 500 for support-tickets on blue",
    ),
    "another label": (
        environment(PROMETHEUS, f"{PROMETHEUS}  labels: {{release: other}}\n", f"{PROMETHEUS}  labels: {{release: kps}}\n"),
        "medium",
        "label release kps -> other on PrometheusRule, ServiceMonitor: a Prometheus that chooses by it does so no more",
    ),
    "no Prometheus": (
        environment(PROMETHEUS, "  prometheus: null\n"),
        "high",
        "PrometheusRule and ServiceMonitor are removed: 16 alerts, dashboards and canary analysis end",
    ),
}


@pytest.mark.parametrize("case", LESS)
def test_to_watch_less_is_a_risk(case: str, sides: Sides) -> None:
    make, level, reason = LESS[case]
    make(sides)
    one = sides.one()
    (risk,) = [risk for risk in one.risks if risk.kind == "watching"]
    assert (risk.level, one.risk) == (level, highest(one.risks))
    assert risk.reason.startswith(reason), risk.reason
    assert re.fullmatch(r".*environments/prod/\S+\.yaml:[0-9]+", risk.where), risk.where


MORE: dict[str, Change] = {
    "an alert on again": config("", "alerts: {rules: {BentoErrorBudgetBurnFast: {enabled: false}}}\n"),
    "a higher severity": config("alerts: {rules: {BentoLatencyHigh: {severity: critical}}}\n"),
    "sooner": config("alerts: {rules: {BentoComponentDown: {for: 1m}}}\n"),
    "a lower threshold": config("alerts: {shed_ratio: 0.005, batch_size: 2}\n"),
    "an objective": config("slo: {p95: 0.3}\n"),
    "a lower objective": config("slo: {p95: 0.3}\n", "slo: {p95: 0.5}\n"),
    "a component's own objective, below what held for it": own("{p95: 0.1}"),
    "a label more": environment(PROMETHEUS, f"{PROMETHEUS}  labels: {{release: kps}}\n"),
}


@pytest.mark.parametrize("case", MORE)
def test_to_watch_as_much_or_more_is_none(case: str, sides: Sides) -> None:
    MORE[case](sides)
    assert not sides.one().risks


def test_without_prometheus_rules_nothing_is_watched_less(sides: Sides) -> None:
    sides.both(lambda side: side.change(ENVIRONMENT, PROMETHEUS, "  prometheus: null\n"))
    config("alerts: {shed_ratio: 0.5, rules: {BentoComponentDown: {enabled: false}}}\nslo: {error_ratio: 0.5}\n")(sides)
    assert not sides.one().risks


@pytest.mark.parametrize("case", [*LESS, *MORE])
def test_a_file_that_is_behind_a_change_is_not_said_to_have_no_effect(case: str, sides: Sides) -> None:
    make = LESS[case][0] if case in LESS else MORE[case]
    make(sides)
    review = sides.review()
    assert not review.files, [str(found) for found in review.files]


def test_what_of_a_file_no_object_shows_is_told_beside_what_is_shown(sides: Sides) -> None:
    environment(PROMETHEUS, PROMETHEUS.replace("{n", "{address: http://prometheus:9090, n") + "  labels: {release: kps}\n")(sides)
    (found,) = sides.review().files
    assert found.why == "no object shows it: monitoring.prometheus.address not set -> http://prometheus:9090"


def test_what_a_higher_layer_hides_is_still_told(sides: Sides) -> None:
    config("slo: {p95: 0.5}\n", "slo: {p95: 0.5}\n")(sides)
    for side, said in ((sides.before, "0.2"), (sides.after, "0.3")):
        side.put(ENVIRONMENT, side.text(ENVIRONMENT) + f"  slo: {{p95: {said}}}\n")
    review = sides.review()
    assert not review.applications
    assert "defaults.slo.p95 0.2 -> 0.3" in review.files[0].why


EVERYTHING = (
    "alerts:\n  min_requests_per_minute: 30\n  shed_ratio: 0.5\n"
    "  rules: {BentoErrorBudgetBurnFast: {enabled: false}, BentoComponentDown: {severity: info, for: 2h}}\n"
    "slo: {p95: 0.3, error_ratio: 0.3}\n"
)


def test_each_row_of_the_prometheus_rule_names_the_one_setting_behind_it(sides: Sides) -> None:
    config(EVERYTHING)(sides)
    found = {row[0].strip("`"): row[1:] for row in rows(body(sides.review()))}
    origins = {pointer: row[-1].partition(" (")[0] for pointer, row in found.items()}
    components = "on blue of classifier-runner, embedding-runner, support-tickets"
    group = "spec.groups[support-tickets.alerts].rules"
    (shared,) = (pointer for pointer in found if pointer.startswith("expr of "))
    # An alert may compare with a multiple of the threshold: that is another row, with the same setting behind it.
    multiples = {pointer for pointer in found if "BentoCandidateWorse" in pointer} - {shared}
    assert origins == dict.fromkeys(multiples, "alerts.min_requests_per_minute") | {
        f"bento:objective:error_ratio {components}": "slo.error_ratio",
        f"bento:objective:p95 {components}": "slo.p95",
        f"{group}[BentoComponentDown].for": "alerts.rules.BentoComponentDown.for",
        f"{group}[BentoComponentDown].labels.severity": "alerts.rules.BentoComponentDown.severity",
        f"{group}[BentoErrorBudgetBurnFast]": "alerts.rules.BentoErrorBudgetBurnFast.enabled",
        f"{group}[BentoRequestsShed].expr": "alerts.shed_ratio",
        shared: "alerts.min_requests_per_minute",
    }
    assert all(";" not in row[-1] for row in found.values()), "one setting each"
    assert "BentoLatencyHigh" in shared and "BentoRequestsShed" in shared
    assert found[shared][:2] == ["`>= 12`", "`>= 30`"]
    assert found[f"{group}[BentoRequestsShed].expr"][:2] == ["`> 0.01`", "`> 0.5`"]
    assert found[f"bento:objective:error_ratio {components}"][:2] == ["`0.01`", "`0.3`"]
    assert "a list of" not in str(found)


def test_an_expr_of_one_alert_shows_its_changed_line(sides: Sides) -> None:
    config("alerts: {confidence_drop: 0.2}\n")(sides)
    ((pointer, before, after, origin),) = rows(body(sides.review()))
    assert pointer.endswith("rules[BentoModelConfidenceDrift].expr`")
    assert before == "`bento:model_confidence:mean_day_before{...} - bento:model_confidence:mean1h{...} > 0.1`"
    assert after == before.replace("0.1`", "0.2`")
    assert origin.startswith("alerts.confidence_drop (")


def test_a_component_s_own_objective_is_told_apart_from_the_application_s(sides: Sides) -> None:
    config("slo: {p95: 0.3}\n", "slo: {p95: 0.5}\n")(sides)
    sides.after.change(CONFIG, API, f"{API}    slo: {{p95: 0.2}}\n    traffic: {{max_concurrency: 40}}\n")
    found = [(row[0].strip("`"), row[1], row[2], re.sub(r" \([^;]*\)", "", row[-1])) for row in rows(body(sides.review()))]
    assert found == [
        ("bento:objective:p95 on blue of classifier-runner, embedding-runner", "`0.5`", "`0.3`", "slo.p95"),
        (
            "bento:limit:max_concurrency on blue of support-tickets",
            "`64`",
            "`40`",
            "services.SupportTickets.traffic.max_concurrency",
        ),
        ("bento:objective:p95 on blue of support-tickets", "`0.5`", "`0.2`", "services.SupportTickets.slo.p95"),
    ]


def test_labels_and_pages_of_all_alerts_are_one_row_each(sides: Sides) -> None:
    config("labels: {owner: tickets}\nalerts: {runbooks: https://wiki.example.com/pages}\n")(sides)
    found = [row for row in rows(body(sides.review())) if " of Bento" in row[0]]
    assert [(row[0].partition(" of ")[0].strip("`"), row[1], row[2], row[3].partition(" (")[0]) for row in found] == [
        ("labels.owner", "`support-ml`", "`tickets`", "labels.owner"),
        (
            "annotations.runbook_url",
            "`docs/runbooks/(its name).md`",
            "`https://wiki.example.com/pages/(its name).md`",
            "alerts.runbooks",
        ),
    ]


def test_a_chart_that_words_an_alert_otherwise_is_behind_it_and_no_threshold_is(sides: Sides) -> None:
    config("alerts: {shed_ratio: 0.5}\n")(sides)
    sides.after.change("charts/bento-serving/alerts/BentoLatencyHigh.yaml", "p95_5m{", "p99_5m{")
    found = {row[0]: row[-1] for row in rows(body(sides.review(PROD)))}
    (origin,) = [origin for pointer, origin in found.items() if "BentoLatencyHigh" in pointer]
    assert origin == "chart"


def test_an_alert_that_the_chart_has_no_more_is_watched_no_more(sides: Sides) -> None:
    sides.steady()
    sides.after.path("charts/bento-serving/alerts/BentoLatencyHigh.yaml").unlink()
    one = next(one for one in sides.review(PROD).applications)
    assert "alert BentoLatencyHigh (warning) is turned off" in [risk.reason for risk in one.risks if risk.kind == "watching"]


def test_the_first_setting_that_is_said_is_the_one_that_matters_most(sides: Sides) -> None:
    config(EVERYTHING)(sides)
    assert sides.one().says[:3] == (
        "alerts.rules.BentoErrorBudgetBurnFast.enabled not set -> false",
        "slo.error_ratio 0.01 -> 0.3",
        "slo.p95 not set -> 0.3",
    )


def test_tracing_is_said_by_its_endpoint(sides: Sides) -> None:
    collector = "collector: {namespace: observability, pod_labels: {app: otel}, port: 4318}"
    config(f"tracing: {{{collector}, endpoint: 'http://otel:4318/v1/traces'}}\n")(sides)
    assert sides.one().headline.startswith("tracing.endpoint not set -> http://otel:4318/v1/traces; ")


def test_every_threshold_has_a_direction_that_its_alerts_have() -> None:
    """What `alerts/` compares with: `<` tells what is too little, everything else what is too much."""
    texts = [yaml.safe_load(path.read_text())["expr"] for path in sorted((ROOT / "charts/bento-serving/alerts").glob("*.yaml"))]
    signs: dict[str, set[str]] = {}
    for text in texts:
        for sign, name in re.findall(r"([<>])=?\s+(?:on \([^)]*\) group_left \(\) )?\$([a-z]\w+)", text):
            signs.setdefault(re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower(), set()).add(sign)
    numbers = set(Alerts.model_fields) - {"runbooks", "rules"}
    assert set(signs) == numbers
    assert {name for name, found in signs.items() if found == {"<"}} == set(FIRE_BELOW)
    assert all(len(found) == 1 for found in signs.values())


def test_every_severity_that_an_alert_may_have_has_its_rank() -> None:
    severity, _ = get_args(AlertRule.model_fields["severity"].annotation)
    assert tuple(reversed(get_args(severity))) == SEVERITIES
