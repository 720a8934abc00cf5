"""The memory of renders that tests share answers only what Helm would say again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.model.problem import ToolFailed
from bento_gitops.tools import binaries, helm
from helm_renders import RUN, Remembered

CHART = Path(__file__).parent / "chart"


class Counted:
    """How often Helm was started."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls += 1
        return RUN(*arguments, **named)


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted()
    monkeypatch.setattr(helm, "_run", Remembered(tmp_path / "renders", counted))
    return counted


def text(chart: Path, values: str = "application: one\n", *, release: str = "one", kube: str = "1.34", by: str = "helm") -> str:
    found = helm.template(chart, values, release, helm=binaries.find(by), kube_version=kube)
    return "".join(document.text for document in found)


def test_the_same_chart_elsewhere_is_not_rendered_again(started: Counted, tmp_path: Path) -> None:
    shutil.copytree(CHART, tmp_path / "copy")
    assert text(CHART) == text(tmp_path / "copy") != ""
    assert started.calls == 1


def test_whatever_helm_reads_makes_another_render(started: Counted, tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    text(chart)
    text(chart, "application: two\n")
    text(chart, release="two")
    text(chart, kube="1.35")
    text(chart, by="helm-3.19")
    assert started.calls == 5
    defaults = chart / "values.yaml"
    defaults.write_text(defaults.read_text() + "# another byte\n")
    text(chart)
    (chart / "templates" / "more.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n")
    assert "name: more" in text(chart)
    assert started.calls == 7


def test_a_refusal_is_remembered_as_one(started: Counted) -> None:
    for _ in range(2):
        with pytest.raises(helm.ChartRefused):
            text(CHART, "application: {a: b}\ntracks: 3\n")
    assert started.calls == 1


def test_another_program_and_a_failure_of_it_are_never_remembered(started: Counted, tmp_path: Path) -> None:
    program = tmp_path / "helm"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    for _ in range(2):
        with pytest.raises(ToolFailed, match="helm ended with 3"):
            helm.template(CHART, "{}", "one", helm=program, kube_version="1.34")
    assert started.calls == 2
