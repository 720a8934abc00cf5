"""What a review says of guards that a change takes away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bento_gitops.model.files import Guardrails
from bento_gitops.repository.files import WorkingTree
from bento_gitops.reviewing.guardrails import FILES, Sides, loosened, of_files

POLICY = {
    "metadata": {"name": "probes", "annotations": {"bento-gitops/why": "x"}},
    "spec": {"validations": [{"expression": "a"}]},
}
WEAKER = {**POLICY, "spec": {"validations": [{"expression": "true"}]}}
REWORDED = {**POLICY, "metadata": {"name": "probes", "annotations": {"bento-gitops/why": "y"}}}
PLATFORM = {"policies": {"enabled": True}, "gateway": {"enabled": False}}


def said(environment: Guardrails | None, after: Guardrails | None) -> list[str]:
    return [f"{risk.level}: {risk.reason}" for risk in loosened("prod", environment, after, "environments/prod/environment.yaml")]


def rules(**keys: Any) -> Guardrails:
    return Guardrails.model_validate(keys)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"deny": ["probes"]}, {"deny": []}, "high: probes refuses nothing in prod any more: it only warns"),
        ({"pod": {"cpu": "4"}}, {"pod": {"cpu": "4500m"}}, "high: guardrails.pod.cpu in prod goes from 4 to 4500m"),
        ({"pod": {"memory": "16Gi"}}, {}, "high: guardrails.pod.memory in prod goes from 16Gi to no bound"),
        ({"pod": {"gpu": 0}}, {"pod": {"gpu": 1}}, "high: guardrails.pod.gpu in prod goes from 0 to 1"),
        ({"quota": {"pods": 10}}, {"quota": {"pods": 11}}, "high: guardrails.quota.pods in prod goes from 10 to 11"),
        ({"replicas": {"min": 2}}, {"replicas": {"min": 1}}, "high: guardrails.replicas.min in prod goes from 2 to 1"),
        ({"replicas": {"max": 20}}, {"replicas": {"max": 30}}, "high: guardrails.replicas.max in prod goes from 20 to 30"),
        ({"labels": ["owner"]}, {"labels": []}, "medium: objects in prod need no label owner any more"),
    ],
)
def test_a_guardrail_that_lets_more_pass_is_a_risk_and_its_opposite_is_none(
    before: dict[str, Any], after: dict[str, Any], expected: str
) -> None:
    assert said(rules(**before), rules(**after)) == [expected]
    assert said(rules(**after), rules(**before)) == []
    assert said(rules(**before), rules(**before)) == []


def test_the_same_bound_in_another_unit_is_none() -> None:
    assert said(rules(pod={"cpu": "4", "memory": "1Gi"}), rules(pod={"cpu": "4000m", "memory": "1024Mi"})) == []


def test_all_guardrails_gone_at_once_are_all_told() -> None:
    assert len(said(rules(deny=["a", "b"], pod={"cpu": "1"}), None)) == 3


@pytest.mark.parametrize(
    ("path", "before", "after", "level"),
    [
        ("policies/probes/policy.yaml", POLICY, WEAKER, "high"),
        ("policies/local/probes/policy.yaml", POLICY, None, "high"),
        ("policies/probes/policy.yaml", POLICY, REWORDED, ""),
        ("policies/probes/policy.yaml", None, POLICY, ""),
        ("policies/probes/bad/none.yaml", {}, {"a": "b"}, ""),
        ("clusters/prod-eu/values.yaml", PLATFORM, {**PLATFORM, "policies": {"enabled": False}}, "high"),
        ("clusters/prod-eu/values.yaml", PLATFORM, {**PLATFORM, "gateway": {"enabled": True}}, "high"),
        ("clusters/prod-eu/values.yaml", PLATFORM, {**PLATFORM, "stepping": {"enabled": True}}, "high"),
        ("clusters/prod-eu/values.yaml", PLATFORM, {**PLATFORM, "secretStores": {"vault": {}}}, "high"),
        (
            "clusters/prod-eu/values.yaml",
            PLATFORM,
            {"policies": {"breakGlassGroups": ["x"]}, "gateway": {"enabled": False}},
            "high",
        ),
        ("clusters/prod-eu/values.yaml", PLATFORM, {**PLATFORM, "alerts": {"enabled": True}}, ""),
        ("clusters/prod-eu/values.yaml", PLATFORM, "policies: &x {", "high"),
        ("clusters/prod-eu/values.yaml", None, PLATFORM, ""),
        ("clusters/prod-eu/values.yaml", PLATFORM, None, "high"),
        ("charts/bento-platform/templates/policies/binding.yaml", "a", "b", "high"),
        (".github/workflows/check.yml", {}, {"on": "pull_request_target"}, "high"),
        (".github/actions/check/run.sh", "a", "b", "high"),
        (".github/CODEOWNERS", "* @a", "", "high"),
        ("charts/bento-platform/values.yaml", {}, {"policies": {"enabled": False}}, "high"),
        ("charts/bento-platform/stepping/step.sh", "a", "b", "high"),
        ("charts/bento-platform/stepping/Dockerfile", "a", None, "high"),
        ("charts/bento-platform/policies/probes.yaml", "a", "b", "high"),
        ("charts/bento-platform/README.md", "a", "b", ""),
        ("charts/bento-platform/ci/all.yaml", "a", "b", ""),
        ("scripts/bento_gitops/releasing/gates.py", "a", "b", "high"),
        ("scripts/new", None, "a", "high"),
        ("Makefile", "a", "b", "high"),
        ("requirements.lock", "a", "b", "high"),
        ("scripts/bento_gitops/__pycache__/gates.cpython-311.pyc", None, "a", ""),
        ("scripts/bento_gitops.egg-info/PKG-INFO", None, "a", ""),
        ("environments/dev/app/evidence/1.1.0.yaml", None, {"seen": []}, "medium"),
        ("environments/dev/app/evidence/1.1.0.yaml", {"seen": []}, None, ""),
        ("environments/dev/app/config.yaml", {}, {"labels": {}}, ""),
    ],
)
def test_a_file_that_guards_stand_in_is_a_risk_when_it_may_let_more_pass(path: str, before: Any, after: Any, level: str) -> None:
    assert [risk.level for risk in of_files({path: Sides(before, after)})] == ([level] if level else [])


def test_many_files_of_one_guard_are_one_risk_that_counts_them() -> None:
    files = {f"scripts/bento_gitops/{name}.py": Sides("a", "b") for name in ("one", "other")}
    (risk,) = of_files(files)
    assert risk.reason.startswith("files of what checks changes differ (2): ") and risk.where == "scripts/bento_gitops/one.py"


def test_a_policy_and_its_copy_in_the_chart_are_one_risk() -> None:
    files = {"policies/probes/policy.yaml": Sides(POLICY, WEAKER), "charts/bento-platform/policies/probes.yaml": Sides("a", "b")}
    assert [risk.where for risk in of_files(files)] == ["policies/probes/policy.yaml"]


def test_every_file_that_is_told_of_is_looked_at(tmp_path: Path) -> None:
    told = (
        "scripts/x",
        "scripts/a/b.py",
        "Makefile",
        "requirements.lock",
        "pyproject.toml",
        ".github/workflows/a.yml",
        ".github/actions/a/b.sh",
        "charts/bento-platform/values.yaml",
        "charts/bento-platform/stepping/step.sh",
        "charts/bento-platform/templates/a/b.yaml",
        "clusters/a/values.yaml",
        "CODEOWNERS",
    )
    for path in told:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    tree = WorkingTree(tmp_path)
    listed = {path for pattern in FILES for path in tree.glob(pattern)}
    assert listed == set(told)
    for path in told:
        before: Any = PLATFORM if path.startswith("clusters/") else "a"
        assert list(of_files({path: Sides(before, None)})), path
