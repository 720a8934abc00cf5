"""What a review says of guards that a change takes away."""

from __future__ import annotations

from typing import Any

import pytest
from bento_gitops.model.files import Guardrails
from bento_gitops.reviewing.guardrails import Sides, loosened, of_files

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
        ("clusters/prod-eu/values.yaml", PLATFORM, {**PLATFORM, "gateway": {"enabled": True}}, ""),
        ("clusters/prod-eu/values.yaml", PLATFORM, None, "high"),
        ("charts/bento-platform/templates/policies/binding.yaml", "a", "b", "high"),
        (".github/workflows/check.yml", {}, {"on": "pull_request_target"}, "high"),
        (".github/CODEOWNERS", "* @a", "", "high"),
        ("environments/dev/app/evidence/1.1.0.yaml", None, {"seen": []}, "medium"),
        ("environments/dev/app/evidence/1.1.0.yaml", {"seen": []}, None, ""),
        ("environments/dev/app/config.yaml", {}, {"labels": {}}, ""),
    ],
)
def test_a_file_that_guards_stand_in_is_a_risk_when_it_may_let_more_pass(path: str, before: Any, after: Any, level: str) -> None:
    assert [risk.level for risk in of_files({path: Sides(before, after)})] == ([level] if level else [])
