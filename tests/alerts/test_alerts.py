"""Each alert fires when it should and says what is wrong; none does on what every day brings. promtool tells."""

from __future__ import annotations

import json
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from alert_stories import groups_for, promtool_file, stories_of
from bento_gitops.model.platform import PlatformAlertName
from bento_gitops.model.settings import AlertName
from bento_gitops.tools import binaries

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CHART = ROOT / "charts/bento-serving"
ALERTS: tuple[str, ...] = get_args(AlertName)
SILENT = sorted((HERE / "silent").glob("*.yaml"))


@pytest.fixture(scope="session")
def rule() -> dict[str, Any]:
    """The PrometheusRule that the chart renders for the values here."""
    (found,) = rendered("--show-only", "templates/monitoring/prometheusrule.yaml")
    return found


def rendered(*arguments: str) -> list[dict[str, Any]]:
    """The chart's objects for the values here."""
    command = [str(binaries.find("helm")), "template", "tickets", str(CHART), "--values", str(HERE / "values.yaml"), *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not ran.returncode, ran.stderr
    return list(yaml.safe_load_all(ran.stdout))


def failures(folder: Path, files: dict[str, dict[str, Any]]) -> str:
    """What promtool says of those of the files that fail; two run at a time."""
    promtool = str(binaries.find("promtool"))
    # A third of promtool's time would go into collecting garbage.
    one_core = {**os.environ, "GOMAXPROCS": "1", "GOGC": "off", "GOMEMLIMIT": "200MiB"}

    def run(name: str) -> str:
        (folder / name).write_text(json.dumps(files[name]))
        ran = subprocess.run(
            [promtool, "test", "rules", name],
            cwd=folder,
            env=one_core,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return "" if ran.returncode == 0 else ran.stdout + ran.stderr

    with ThreadPoolExecutor(2) as pool:
        return "".join(pool.map(run, files))


def with_rules(folder: Path, name: str, groups: list[dict[str, Any]]) -> str:
    (folder / name).write_text(json.dumps({"groups": groups}))
    return name


def test_every_alert_has_its_file_its_stories_and_its_page_and_nothing_else_has_one() -> None:
    expected = sorted(ALERTS)
    assert sorted(path.stem for path in CHART.glob("alerts/*.yaml")) == expected
    assert sorted(path.stem for path in HERE.glob("Bento*.yaml")) == expected
    assert sorted(path.stem for path in (ROOT / "docs/runbooks").glob("*.md")) == sorted({*ALERTS, *get_args(PlatformAlertName)})


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_moment_in_which_it_fires_and_one_in_which_it_is_silent(alert: str) -> None:
    moments = [fires for story in stories_of(HERE / f"{alert}.yaml") for fires in story["at"].values()]
    assert any(moments)
    assert not all(moments)


def test_alerts_fire_and_stay_silent_as_their_stories_say(rule: dict[str, Any], tmp_path: Path) -> None:
    files = {
        f"{alert}.yaml": promtool_file(
            HERE / f"{alert}.yaml",
            with_rules(tmp_path, f"{alert}.rules.yaml", groups_for(rule, alert, HERE / f"{alert}.yaml")),
            [alert],
        )
        for alert in ALERTS
    }
    wrong = failures(tmp_path, files)
    assert not wrong, wrong


def test_no_alert_fires_on_what_every_day_brings(rule: dict[str, Any], tmp_path: Path) -> None:
    rules = with_rules(tmp_path, "rules.yaml", rule["spec"]["groups"])
    stories = {f"{path.stem}.yaml": promtool_file(path, rules, ALERTS) for path in SILENT}
    assert len(stories) >= 5
    for name, file in stories.items():
        moments = [each for test in file["tests"] for each in test["alert_rule_test"]]
        assert moments, name
        assert not [each for each in moments if each["exp_alerts"]], name
    wrong = failures(tmp_path, stories)
    assert not wrong, wrong


@pytest.mark.parametrize("length", [7, 52, 53, 54, 58, 60, 63])
def test_alerts_on_objects_see_those_of_an_application_whose_name_is_cut(length: int) -> None:
    name = ("support-" * 8)[: length - 1] + "x"
    objects = rendered("--set", f"application={name}")
    workloads = [each["metadata"]["name"] for each in objects if each["kind"] == "Deployment"]
    assert len(workloads) == 8
    # As Kubernetes makes a pod's name: 58 characters of its ReplicaSet's, and five more.
    pods = [f"{workload}-6d5f7c9b8-"[:58] + "abcde" for workload in workloads]
    (rule,) = (each for each in objects if each["kind"] == "PrometheusRule")
    expressions = {each["alert"]: each["expr"] for group in rule["spec"]["groups"] for each in group["rules"] if "alert" in each}
    for alert in ("BentoAutoscalerAtMaximum", "BentoPodsRestarting", "BentoGpuMemoryHigh"):
        patterns = re.findall(r'(pod|exported_pod|horizontalpodautoscaler)=~"(.+?)"', expressions[alert])
        assert patterns
        for label, pattern in patterns:
            for each in workloads if label == "horizontalpodautoscaler" else pods:
                assert re.fullmatch(pattern, each), (alert, pattern, each)
            assert not re.fullmatch(pattern, "other-blue-tickets-6d5f7c9b8-abcde")


def test_a_story_that_tells_something_wrong_fails(rule: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    fires = "{1m: [{of: blue tickets, severity: x, summary: y}]}"
    path.write_text(f'tests: [{{name: wrong, interval: 30s, series: {{"up{{<blue tickets>}}": 1x9}}, at: {fires}}}]')
    rules = with_rules(tmp_path, "rules.yaml", groups_for(rule, "BentoLatencyHigh", path))
    found = failures(tmp_path, {"test.yaml": promtool_file(path, rules, ["BentoLatencyHigh"])})
    assert "FAILED" in found
