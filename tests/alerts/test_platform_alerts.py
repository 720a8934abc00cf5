"""The alerts of the platform's chart fire when they should and are silent on the rest; promtool tells."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from bento_gitops.model.platform import PlatformAlertName
from bento_gitops.tools import binaries

STORIES = Path(__file__).parent / "platform"
CHART = Path(__file__).parents[2] / "charts/bento-platform"
ALERTS: tuple[str, ...] = get_args(PlatformAlertName)


def rule(*settings: str) -> dict[str, Any]:
    """The PrometheusRule that the chart renders."""
    given = ["alerts.enabled=true", "dashboards.runbooks=https://git.example.com/fleet/docs/runbooks", *settings]
    command = [str(binaries.find("helm")), "template", "platform", str(CHART), "--set", ",".join(given)]
    command += ["--show-only", "templates/monitoring/prometheusrule.yaml"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert not ran.returncode, ran.stderr
    return yaml.safe_load(ran.stdout)


def alert(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = (each for group in found["spec"]["groups"] for each in group["rules"] if each["alert"] == name)
    return one


def failures(folder: Path, stories: dict[str, Any], groups: list[dict[str, Any]]) -> str:
    """What promtool says where it fails."""
    (folder / "rules.yaml").write_text(json.dumps({"groups": groups}))
    (folder / "test.yaml").write_text(json.dumps({"rule_files": ["rules.yaml"], **stories}))
    command = [str(binaries.find("promtool")), "test", "rules", "test.yaml"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    return "" if ran.returncode == 0 else ran.stdout + ran.stderr


def test_every_alert_has_its_file_and_its_stories() -> None:
    assert sorted(path.stem for path in CHART.glob("alerts/*")) == sorted(ALERTS)
    assert sorted(path.stem for path in STORIES.glob("*")) == sorted(ALERTS)


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_fires_and_is_silent_as_its_stories_say(name: str, tmp_path: Path) -> None:
    stories = yaml.safe_load((STORIES / f"{name}.yaml").read_text())
    moments = [moment for story in stories["tests"] for moment in story["alert_rule_test"]]
    assert {moment["alertname"] for moment in moments} == {name}
    assert {bool(moment["exp_alerts"]) for moment in moments} == {True, False}
    wrong = failures(tmp_path, stories, rule()["spec"]["groups"])
    assert not wrong, wrong


@pytest.mark.parametrize("name", ALERTS)
def test_stories_that_tell_something_wrong_fail(name: str, tmp_path: Path) -> None:
    stories = yaml.safe_load((STORIES / f"{name}.yaml").read_text())
    for story in stories["tests"]:
        for moment in story["alert_rule_test"]:
            moment["exp_alerts"] = []
    assert "FAILED" in failures(tmp_path, stories, rule()["spec"]["groups"])


def test_values_change_one_alert_and_switch_it_off() -> None:
    changed = alert(rule("alerts.rules.BentoLiveShiftHeld.for=1h,alerts.rules.BentoLiveShiftHeld.severity=critical"), ALERTS[0])
    assert (changed["for"], changed["labels"]) == ("1h", {"severity": "critical"})
    assert rule("alerts.rules.BentoLiveShiftHeld.enabled=false")["spec"]["groups"][0]["rules"] == []


def test_an_alert_asks_for_the_applications_of_the_values_project() -> None:
    assert 'project="serving"' in alert(rule("argocd.project=serving"), "BentoLiveShiftHeld")["expr"]
