"""The policies of a fleet: which there are, which of them deny where, and what validate says of what they find."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bento_gitops.model.problem import InvalidInput
from bento_gitops.operations.validate import validate
from bento_gitops.repository.files import WorkingTree
from bento_gitops.repository.fleet import Fleet
from bento_gitops.repository.policies import Guards, policies_of

if TYPE_CHECKING:
    from conftest import FleetCopy

POLICY = """\
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: NAME
  annotations:
    bento-gitops/holds: both
    bento-gitops/why: to be tested
    bento-gitops/mend: mend it
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}
  matchConstraints:
    resourceRules:
      - {apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [serviceaccounts]}
  validations:
    - {expression: "EXPRESSION", message: "too many, above MAX"}
"""
CHART = Path(__file__).resolve().parents[2] / "charts/bento-serving"
ENVIRONMENT = "environments/prod/environment.yaml"


def put(fleet: FleetCopy, name: str, expression: str = "false", folder: str = "policies") -> None:
    text = POLICY.replace("NAME", name).replace("EXPRESSION", expression)
    fleet.put(f"{folder}/{name}/policy.yaml", text)


def charted(fleet: FleetCopy) -> None:
    shutil.copytree(CHART, fleet.path("charts/bento-serving"), dirs_exist_ok=True)
    fleet.render()


def guard(fleet: FleetCopy, deny: str, more: str = "") -> None:
    fleet.put(ENVIRONMENT, f"{fleet.text(ENVIRONMENT).rstrip()}\nguardrails:\n  deny: [{deny}]\n{more}")


def policy_problems(fleet: FleetCopy) -> list[str]:
    return [problem.wrong for problem in validate(fleet.root, "prod").problems if "policy" in problem.wrong]


def wrong(fleet: FleetCopy) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        Guards(Fleet(WorkingTree(fleet.root))).of("prod")
    return [str(problem) for problem in caught.value.problems]


def test_a_denial_is_a_problem_where_the_policy_denies_and_a_warning_elsewhere(fleet: FleetCopy) -> None:
    put(fleet, "no-accounts")
    put(fleet, "own", folder="policies/local")
    guard(fleet, "no-accounts")
    charted(fleet)
    report = validate(fleet.root, "prod")
    applications = {one.application for one in report.checked}
    said = "policy no-accounts: too many, above MAX; mend it; rendered by "
    denied = [problem for problem in map(str, report.problems) if "policy no-accounts" in problem]
    assert all(said in problem for problem in denied)
    assert {problem.partition("/values.yaml: ServiceAccount/")[0] for problem in denied if "/values.yaml" in problem} == {
        f"environments/{name}" for name in applications
    }
    assert set(report.warnings) == {"own"}
    assert {target for target, _ in report.warnings["own"]} == applications
    elsewhere = validate(fleet.root, "staging")
    assert not [problem for problem in elsewhere.problems if "policy" in problem.wrong]
    assert set(elsewhere.warnings) == {"no-accounts", "own"}


def test_policies_are_told_the_limits_of_their_environment(fleet: FleetCopy) -> None:
    put(fleet, "limits", "params.data.maxReplicas == '7' && params.data.minReplicas == ''")
    guard(fleet, "limits", "  replicas: {max: 7}\n")
    charted(fleet)
    assert not policy_problems(fleet)
    fleet.change(ENVIRONMENT, "max: 7", "max: 8")
    assert policy_problems(fleet)


def test_a_name_of_no_policy_is_refused_where_it_stands(fleet: FleetCopy) -> None:
    put(fleet, "image-by-digest")
    guard(fleet, "image-by-digests")
    line = len(fleet.text(ENVIRONMENT).splitlines())
    assert wrong(fleet) == [
        f"{ENVIRONMENT}:{line}: guardrails.deny: no policy has this name (found 'image-by-digests');"
        " did you mean 'image-by-digest'?"
    ]


def test_two_policies_of_one_name_and_every_broken_one_are_refused_at_once(fleet: FleetCopy) -> None:
    put(fleet, "taken")
    put(fleet, "taken", folder="policies/local")
    put(fleet, "broken", "object.nope(")
    found = wrong(fleet)
    assert found[0].startswith("policies/broken/policy.yaml:15: spec.validations[0].expression: Syntax error: ")
    assert found[1:] == [
        "policies/local/taken/policy.yaml: metadata.name: another policy has this name (found policies/taken/policy.yaml);"
        " rename the folder: guardrails.deny names a policy by its folder alone"
    ]


def test_a_fleet_without_policies_has_none(fleet: FleetCopy) -> None:
    assert policies_of(WorkingTree(fleet.root)).policies == []
    guard = Guards(Fleet(WorkingTree(fleet.root))).of("prod")
    assert (guard.policies.policies, guard.deny) == ([], frozenset())
