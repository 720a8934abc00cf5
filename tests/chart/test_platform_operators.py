"""What the platform chart gives operators: a Role for the routes of their controller, and the policy that limits it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from bento_gitops.model.layout import PLATFORM
from serving_chart import ROOT, Map, Refused, said

ROUTES = {
    "gateway": ("gateway.networking.k8s.io", "httproutes"),
    "nginx": ("networking.k8s.io", "ingresses"),
    "traefik": ("traefik.io", "traefikservices"),
    "istio": ("networking.istio.io", "virtualservices"),
    "none": ("", "services"),
}


def rendered(helm: Path, **above: Any) -> list[Map]:
    environments = {name: {"namespace": f"tickets-{name}", "routing": {"controller": name}} for name in ROUTES}
    argocd = {"enabled": True, "repository": "https://git.example.com/ml/fleet.git"}
    argocd["destinations"] = {"here": {"server": "https://kubernetes.default.svc"}}
    values = {"environments": environments, "operators": {"groups": ["ml-oncall"]}, "argocd": argocd, **above}
    text = said(helm, ROOT / PLATFORM, json.dumps(values))
    return [one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one]


def named(objects: list[Map], kind: str, name: str) -> list[Map]:
    return [one for one in objects if one["kind"] == kind and one["metadata"]["name"].startswith(name)]


def test_operators_patch_the_routes_of_their_controller_and_nothing_else(helm: Path) -> None:
    objects = rendered(helm)
    roles = {one["metadata"]["namespace"]: one["rules"] for one in named(objects, "Role", "bento-operators")}
    patched = {
        namespace: [(rule["apiGroups"], rule["resources"]) for rule in rules if "patch" in rule["verbs"]]
        for namespace, rules in roles.items()
    }
    expected = {f"tickets-{controller}": [([group], [plural])] for controller, (group, plural) in ROUTES.items()}
    assert patched == {**expected, "argocd": [(["argoproj.io"], ["applications"])]}
    verbs = {verb for rules in roles.values() for rule in rules for verb in rule["verbs"]}
    assert verbs == {"get", "list", "patch", "create"}
    created = {tuple(rule["resources"]) for rules in roles.values() for rule in rules if "create" in rule["verbs"]}
    assert created == {("events",)}
    subjects = [one["subjects"] for one in named(objects, "RoleBinding", "bento-operators")]
    assert len(subjects) == len(roles)
    assert all([subject["name"] for subject in found] == ["ml-oncall"] for found in subjects)


def test_what_limits_operators_refuses_in_every_environment_and_where_argo_cd_is(helm: Path) -> None:
    objects = rendered(helm)
    bindings = named(objects, "ValidatingAdmissionPolicyBinding", "bento-operators-shift-weights-only")
    reached = {
        one["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for one in bindings
    }
    assert reached == {*(f"tickets-{name}" for name in ROUTES), "argocd"}
    assert all(one["spec"]["validationActions"] == ["Deny", "Audit"] for one in bindings)
    parameters = {one["spec"]["paramRef"]["name"] for one in bindings}
    groups = {
        one["metadata"]["name"]: one["data"]["operatorGroups"]
        for one in objects
        if one["kind"] == "ConfigMap"
        if "operatorGroups" in one["data"]
    }
    assert {groups[name] for name in parameters} == {"ml-oncall"}


def test_a_hub_without_environments_limits_what_it_grants_on_argo_cd_s_applications(helm: Path) -> None:
    destinations = {"prod-eu": {"server": "https://eu.example.com", "namespaces": ["tickets-prod"]}}
    argocd = {"enabled": True, "repository": "https://git.example.com/ml/fleet.git", "destinations": destinations}
    objects = rendered(helm, environments={}, argocd=argocd)
    assert [one["metadata"]["namespace"] for one in named(objects, "Role", "bento-operators")] == ["argocd"]
    (policy,) = (one for one in objects if one["kind"] == "ValidatingAdmissionPolicy")
    (binding,) = (one for one in objects if one["kind"] == "ValidatingAdmissionPolicyBinding")
    assert binding["spec"]["policyName"] == policy["metadata"]["name"] == "bento-operators-shift-weights-only"
    assert binding["spec"]["validationActions"] == ["Deny", "Audit"]
    assert binding["spec"]["matchResources"]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "argocd"}
    (parameters,) = named(objects, "ConfigMap", binding["spec"]["paramRef"]["name"])
    assert parameters["metadata"]["namespace"] == binding["spec"]["paramRef"]["namespace"]
    assert parameters["data"]["operatorGroups"] == "ml-oncall"


def test_wherever_operators_get_a_role_a_binding_of_the_policy_reaches(helm: Path) -> None:
    """Whatever else values say: each namespace with the Role is one where the policy denies."""
    argocd = {"enabled": True, "repository": "https://git.example.com/ml/fleet.git", "namespace": "cd"}
    argocd["destinations"] = {"here": {"server": "https://kubernetes.default.svc", "namespaces": ["tickets-prod"]}}
    environment = {"prod": {"namespace": "tickets-prod", "routing": {"controller": "traefik"}}}
    for environments in ({}, environment):
        for enabled in (True, False):
            objects = rendered(helm, environments=environments, argocd={**argocd, "enabled": enabled})
            reached = {
                one["spec"]["matchResources"]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
                for one in named(objects, "ValidatingAdmissionPolicyBinding", "bento-operators-shift-weights-only")
            }
            granted = {one["metadata"]["namespace"] for one in named(objects, "Role", "bento-operators")}
            assert granted == reached == {*(["tickets-prod"] if environments else []), *(["cd"] if enabled else [])}
            policies = named(objects, "ValidatingAdmissionPolicy", "bento-operators-shift-weights-only")
            assert [one for one in policies if one["kind"] == "ValidatingAdmissionPolicy"] or not granted


def test_without_operators_nobody_gets_a_right(helm: Path) -> None:
    assert not named(rendered(helm, operators={"groups": []}), "Role", "bento-operators")


def test_without_policies_operators_are_refused(helm: Path) -> None:
    with pytest.raises(Refused, match=r"operators\.groups: a Role lets them patch whole routes"):
        rendered(helm, policies={"enabled": False})
