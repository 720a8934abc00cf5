"""The dashboards: what they ask is PromQL about series that there are, and every panel says what it shows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from dashboard_queries import Panel, boards, filled, metrics, panels, variables
from serving_chart import ROOT, Rendered, two_tracks

BOARDS = boards()
PANELS = [panel for board in BOARDS.values() for panel in panels(board)]
QUERIES = [pytest.param(panel, target, id=f"{panel}: {target.legend}") for panel in PANELS for target in panel.targets]

# Grafana's own, and what a reader chooses. The values only have to make sense where they stand.
CHOSEN = {
    "__rate_interval": "1m",
    "environment": "prod",
    "namespace": "tickets",
    "application": "tickets",
    "component": ".*",
    "track": ".*",
    "price_cpu": "0.03",
    "price_memory": "0.01",
    "price_gpu": "2",
    "currency": "EUR",
    "datasource": "prometheus",
    "runbooks": "docs/runbooks",
}

BENTOML = {
    "bentoml_service_request_total",
    "bentoml_service_adaptive_batch_size_bucket",
}
# Of kube-state-metrics 2 and NVIDIA's dcgm-exporter: series that these dashboards may use, with the labels that they use.
KUBE_STATE_METRICS = {
    "kube_pod_owner",
    "kube_pod_status_phase",
    "kube_pod_container_resource_requests",
    "kube_pod_container_status_restarts_total",
    "kube_horizontalpodautoscaler_spec_max_replicas",
}
DCGM = {"DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_FREE"}


@pytest.fixture(scope="module")
def recorded(render: Callable[..., Rendered]) -> set[str]:
    """The series that the chart's rules make."""
    values = two_tracks(
        slo={"p95": 0.5, "errorRatio": 0.01},
        defaults={"roles": {"api": {"traffic": {"maxConcurrency": 32}}}},
        monitoring={"prometheus": {"namespace": "monitoring", "podLabels": {"app": "prometheus"}}},
    )
    (rule,) = render(values).all("PrometheusRule")
    return {found["record"] for group in rule["spec"]["groups"] for found in group["rules"] if "record" in found}


def test_there_are_five_dashboards_with_an_address_each() -> None:
    assert sorted(BOARDS) == ["bento-application", "bento-batching", "bento-comparison", "bento-cost", "bento-model"]


@pytest.mark.parametrize(("panel", "target"), QUERIES)
def test_a_query_is_about_series_that_there_are(panel: Panel, target: object, recorded: set[str]) -> None:
    found = metrics(target.with_variables(CHOSEN))  # type: ignore[attr-defined]
    assert found
    assert not found - recorded - BENTOML - KUBE_STATE_METRICS - DCGM


def test_no_series_is_named_here_that_no_dashboard_asks_for() -> None:
    asked = {name for panel in PANELS for target in panel.targets for name in metrics(target.with_variables(CHOSEN))}
    assert not (BENTOML | KUBE_STATE_METRICS | DCGM) - asked


@pytest.mark.parametrize("uid", BOARDS)
def test_every_variable_that_is_used_is_one_of_the_dashboard_or_grafana_s(uid: str) -> None:
    board = BOARDS[uid]
    known = {found["name"] for found in board["templating"]["list"]} | {"__rate_interval"}
    queries = [target.expression for panel in panels(board) for target in panel.targets]
    links = [link["url"] for panel in panels(board) for link in panel.json.get("links", ())]
    asked = [found["query"] for found in board["templating"]["list"] if found["type"] == "query"]
    titles = [panel.title for panel in panels(board)]
    used = variables([*queries, *links, *asked, *titles])
    assert used <= known
    # The source is no text of a query; and every dashboard has the address of runbooks, with panels that link there or not.
    assert known - used <= {"__rate_interval", "datasource", "runbooks"}


@pytest.mark.parametrize("uid", BOARDS)
def test_what_a_variable_is_read_from_is_a_series_that_there_is(uid: str, recorded: set[str]) -> None:
    for found in BOARDS[uid]["templating"]["list"]:
        if found["type"] == "query":
            asked = re.fullmatch(r"label_values\((?P<of>.+), \w+\)", filled(found["query"], CHOSEN))
            assert asked and metrics(asked["of"]) <= recorded


@pytest.mark.parametrize("uid", BOARDS)
def test_a_dashboard_is_of_a_form_that_grafana_10_to_12_read(uid: str) -> None:
    board = BOARDS[uid]
    assert board["schemaVersion"] == 39
    assert re.fullmatch(r"bento-[a-z]+", uid) and board["title"].startswith("Bento / ") and board["description"]
    ids = Counter(panel["id"] for panel in board["panels"])
    assert set(ids.values()) == {1}
    titles = Counter((panel.row, panel.title) for panel in panels(board))
    assert set(titles.values()) == {1}


@pytest.mark.parametrize("uid", BOARDS)
def test_panels_neither_overlap_nor_leave_the_grid(uid: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[uid]["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


@pytest.mark.parametrize("panel", PANELS, ids=str)
def test_a_panel_says_what_it_shows_in_which_unit_from_the_chosen_source(panel: Panel) -> None:
    assert panel.description.endswith(".")
    assert panel.unit
    assert panel.json["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
    assert len({target["refId"] for target in panel.json["targets"]}) == len(panel.targets) > 0


@pytest.mark.parametrize("panel", PANELS, ids=str)
def test_the_runbooks_of_a_panel_are_those_of_alerts_that_there_are(panel: Panel) -> None:
    for link in panel.json.get("links", ()):
        name = Path(link["url"]).stem
        assert link["title"] == name
        assert (ROOT / "charts/bento-serving/alerts" / f"{name}.yaml").is_file()


def test_every_alert_has_a_panel_that_leads_to_its_page() -> None:
    linked = {link["title"] for panel in PANELS for link in panel.json.get("links", ())}
    assert linked == {path.stem for path in (ROOT / "charts/bento-serving/alerts").glob("*.yaml")}
