"""The chart of a cluster: what is generated, what holds of every template, what is refused; its dashboards."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from bento_gitops.checking.application import Outcome
from bento_gitops.checking.chart_files import render_chart_files
from bento_gitops.layers.marked import parse
from bento_gitops.layers.reading import checked
from bento_gitops.model.layout import PLATFORM
from bento_gitops.model.platform import Boards, PlatformValues
from branches import reached
from serving_chart import ROOT, Map, Refused, said, same_bytes

CHART = ROOT / PLATFORM
CI = sorted(CHART.glob("ci/*-values.yaml"))
REFUSED = sorted((Path(__file__).parent / "refused_platform").glob("*.yaml"))
TEMPLATES = sorted(path for path in (CHART / "templates").rglob("*") if path.is_file())
NAMES = sorted(Boards.model_fields)

Render = Callable[[Mapping[str, Any]], dict[str, Map]]


@pytest.fixture(scope="session")
def boards(helm: Path) -> Render:
    """The dashboards for values of `dashboards`, by the name of their ConfigMap."""

    def rendered(values: Mapping[str, Any]) -> dict[str, Map]:
        text = said(helm, CHART, json.dumps({"dashboards": values}))
        maps = [found for found in yaml.load_all(text, Loader=yaml.CSafeLoader) if found]
        return {found["metadata"]["name"]: json.loads(*found["data"].values()) for found in maps}

    return rendered


def variables(board: Map) -> dict[str, str]:
    """What a dashboard's variables are asked or begin with, by name."""
    return {found["name"]: found.get("query", "") for found in board["templating"]["list"]}


def test_what_is_generated_is_current() -> None:
    expected = render_chart_files((CHART / "values.yaml").read_text(), (CHART / "README.md").read_text(), PLATFORM)
    assert not [path for path, text in expected.items() if (ROOT / path).read_text() != text]


def test_the_chart_s_own_values_are_values_of_the_model() -> None:
    values = checked(parse((CHART / "values.yaml").read_text(), "values.yaml"), PlatformValues, camel=True)
    assert all(values.dashboards.boards.model_dump().values())


def test_every_dashboard_of_the_folder_is_one_of_the_values() -> None:
    assert sorted(path.name for path in CHART.glob("dashboards/*")) == [f"bento-{name}.json" for name in NAMES]


def test_each_dashboard_is_a_config_map_of_its_own(boards: Render) -> None:
    found = boards({})
    assert sorted(found) == [f"bento-dashboard-{name}" for name in NAMES]
    assert {name.replace("dashboard-", ""): board["uid"] for name, board in found.items()} == {
        f"bento-{name}": f"bento-{name}" for name in NAMES
    }


def test_a_dashboard_that_is_switched_off_is_not_there(boards: Render) -> None:
    assert "bento-dashboard-cost" not in boards({"boards": {"cost": False}})


def test_a_label_by_which_helm_knows_its_objects_cannot_be_taken(helm: Path) -> None:
    text = said(helm, CHART, json.dumps({"dashboards": {"labels": {"app.kubernetes.io/managed-by": "me", "owner": "ml"}}}))
    found = next(yaml.load_all(text, Loader=yaml.CSafeLoader))
    assert found["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/name": "bento-platform",
        "grafana_dashboard": "1",
        "owner": "ml",
    }


def test_without_an_address_of_runbooks_no_panel_links_to_one(boards: Render) -> None:
    for board in boards({}).values():
        assert "runbooks" not in json.dumps(board)
        assert not [panel["title"] for panel in board["panels"] if panel.get("links")]


def test_with_an_address_of_runbooks_panels_link_to_their_alerts_pages(boards: Render) -> None:
    address = "https://git.example.com/fleet/docs/runbooks"
    board = boards({"runbooks": address})["bento-dashboard-application"]
    assert variables(board)["runbooks"] == address
    links = [link for panel in board["panels"] for link in panel.get("links", ())]
    assert links and all(re.fullmatch(r"\$\{runbooks}/Bento[A-Za-z]+\.md", link["url"]) for link in links)


def test_prices_of_the_values_are_where_the_dashboard_begins(boards: Render) -> None:
    prices = {"currency": "USD", "cpuCoreHour": 0.05, "memoryGibHour": 0.00625, "gpuHour": 3}
    board = boards({"prices": prices})["bento-dashboard-cost"]
    said = {"price_cpu": "0.05", "price_memory": "0.00625", "price_gpu": "3", "currency": "USD"}
    assert variables(board).items() >= said.items()
    current = {found["name"]: found["current"]["value"] for found in board["templating"]["list"] if found["name"] in said}
    assert current == said


def test_only_what_values_say_differs_from_the_generated_file(boards: Render) -> None:
    """Grafana imports the file by hand as well as it takes the ConfigMap."""

    def bare(board: Map) -> Map:
        panels = [{key: value for key, value in panel.items() if key != "links"} for panel in board["panels"]]
        return {**board, "panels": panels, "templating": {}}

    for name, board in boards({}).items():
        file = CHART / "dashboards" / f"{name.replace('dashboard-', '')}.json"
        assert bare(board) == bare(json.loads(file.read_text()))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"runbooks": "docs/runbooks"}, "/dashboards/runbooks"),
        ({"runbooks": "https://git.example.com/runbooks/"}, "/dashboards/runbooks"),
        ({"boards": {"costs": True}}, "costs"),
        ({"prices": {"cpuCoreHour": -1}}, "cpuCoreHour"),
        ({"prices": {"currency": "€"}}, "currency"),
    ],
    ids=lambda found: json.dumps(found) if isinstance(found, dict) else "",
)
def test_values_that_cannot_be_meant_are_refused(values: Map, told: str, boards: Render) -> None:
    with pytest.raises(Refused, match=re.escape(told)):
        boards(values)


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_objects_keep_to_the_schemas_with_helm_3_too(
    file: Path, helm: Path, helm_3: Path, checks: Callable[[list[Map]], Outcome]
) -> None:
    by_version = [
        [found for found in yaml.load_all(said(using, CHART, file.read_text()), Loader=yaml.CSafeLoader) if found]
        for using in (helm, helm_3)
    ]
    for found in by_version:
        found.sort(key=lambda each: (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"]))
    assert by_version[0] == by_version[1]
    outcome = checks(by_version[0])
    assert not outcome.unchecked
    # These alone may have names of 253 characters, and Kubernetes makes no label or host of one.
    long = ("ConfigMap/bento-policy-parameters-", "ValidatingAdmissionPolicyBinding/")
    assert not [
        each
        for each in outcome.findings
        if not (each.check == "names-are-short-enough" and each.identity.startswith(long) and len(each.identity) < 253)
    ]


def test_the_values_of_ci_reach_every_branch(helm: Path, tmp_path: Path) -> None:
    every, entered = reached(helm, tmp_path, CHART, [file.read_text() for file in CI], refusing=False)
    assert len(every) > 8
    assert sorted(every - entered) == []


def test_the_refusals_of_the_chart_are_all_reached(helm: Path, tmp_path: Path) -> None:
    given = [file.read_text() for file in REFUSED]
    every, entered = reached(helm, tmp_path, CHART, given, refusing=True)
    assert len(every) > 10
    assert sorted(every - entered) == []


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.stem)
def test_what_cannot_work_is_refused_with_exactly_these_sentences(helm: Path, helm_3: Path, file: Path) -> None:
    text = file.read_text()
    policies = ", ".join(sorted(path.stem for path in CHART.glob("policies/*.yaml")))
    expected = [line.replace("{policies}", policies) for line in re.findall(r"^# refused: (.+)$", text, re.MULTILINE)]
    for using in (helm, helm_3):
        with pytest.raises(Refused) as refused:
            said(using, CHART, text, "--namespace", "bento-platform")
        _, _, rest = str(refused.value).partition("are wrong:\n")
        assert [line.strip() for line in rest.splitlines() if line.startswith("  ")] == expected


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_helm_lint_finds_nothing(helm: Path, file: Path) -> None:
    assert "1 chart(s) linted, 0 chart(s) failed" in said(helm, CHART, file.read_text(), verb=("lint", "--strict"))


def test_twenty_five_renders_give_the_same_bytes(helm: Path) -> None:
    assert same_bytes(helm, CHART, (CHART / "ci/full-values.yaml").read_text(), 25)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_is_short_and_leaves_nothing_to_the_release(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 85
    assert not re.search(r"(?m)^\s*#", text), "a comment that ships to the cluster"
    assert ".Capabilities" not in text
    if path.name not in ("NOTES.txt", "_names.tpl"):
        assert ".Release" not in text
