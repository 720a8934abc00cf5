"""What the chart of a cluster puts around its environments: policies and whom they bind, namespaces, limits, stores."""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from bento_gitops.model.layout import PLATFORM
from serving_chart import ROOT, Map, Rendered, laid_over, said

CHART = ROOT / PLATFORM
COPIES = {path.stem: yaml.safe_load(path.read_text()) for path in CHART.glob("policies/*.yaml")}
HOLDS = {name: policy["metadata"]["annotations"]["bento-gitops/holds"] for name, policy in COPIES.items()}
OWN: Map = {
    "failurePolicy": "Fail",
    "matchConstraints": {
        "resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}]
    },
    "validations": [{"expression": "object.spec.replicas < 3", "message": "two are enough"}],
}
Render = Callable[..., Rendered]


@functools.cache
def _objects(helm: Path, values: str) -> tuple[Map, ...]:
    text = said(helm, CHART, values, "--namespace", "bento-platform")
    return tuple(found for found in yaml.load_all(text, Loader=yaml.CSafeLoader) if found)


@pytest.fixture(scope="session")
def render(helm: Path) -> Render:
    """The objects of a cluster with a prod behind a Gateway and a dev without routes, with values laid over."""

    def rendered(**above: Any) -> Rendered:
        environments = {
            "prod": {"namespace": "tickets-prod", "parameters": {"maxCpu": "4"}, "routing": {"controller": "gateway"}},
            "dev": {"namespace": "tickets-dev", "routing": {"controller": "none"}},
        }
        return Rendered(copy.deepcopy(_objects(helm, json.dumps(laid_over({"environments": environments}, above)))))

    return rendered


def bindings(objects: Rendered) -> dict[str, Map]:
    return {found["metadata"]["name"]: found["spec"] for found in objects.all("ValidatingAdmissionPolicyBinding")}


def test_every_policy_that_holds_in_a_cluster_is_installed_as_its_folder_says_it(render: Render) -> None:
    installed = {found["metadata"]["name"]: found for found in render().all("ValidatingAdmissionPolicy")}
    assert sorted(installed) == sorted(f"bento-{name}" for name, holds in HOLDS.items() if holds != "offline")
    for name, policy in COPIES.items():
        if HOLDS[name] != "offline":
            found = installed[f"bento-{name}"]
            assert found["spec"] == policy["spec"]
            assert found["metadata"]["annotations"] == policy["metadata"]["annotations"]


def test_without_environments_and_where_values_say_so_there_is_no_policy(render: Render, helm: Path) -> None:
    for objects in (Rendered(_objects(helm, "{}")), render(policies={"enabled": False})):
        kinds = {found["kind"] for found in objects.objects}
        assert not {kind for kind in kinds if kind.startswith("Validating")}
        assert not [found for found in objects.all("ConfigMap") if "policy" in found["metadata"]["name"]]


def test_a_policy_warns_in_each_environment_until_that_environment_denies_it(render: Render) -> None:
    found = bindings(render(environments={"prod": {"deny": ["image-by-digest"]}}))
    assert found["bento-image-by-digest.prod"]["validationActions"] == ["Deny", "Audit"]
    assert found["bento-image-by-digest.dev"]["validationActions"] == ["Warn", "Audit"]
    operators = "bento-operators-shift-weights-only."
    others = {
        name: each["validationActions"]
        for name, each in found.items()
        if "image-by-digest" not in name and not name.startswith(operators)
    }
    assert others and all(actions == ["Warn", "Audit"] for actions in others.values())


def test_what_takes_back_a_part_of_the_operators_role_never_only_warns(render: Render) -> None:
    found = {name: each for name, each in bindings(render()).items() if "operators-shift-weights-only" in name}
    assert [each["validationActions"] for each in found.values()] == [["Deny", "Audit"]] * 2


def test_a_binding_reaches_its_environments_namespace_alone_and_none_of_the_platforms_objects(render: Render) -> None:
    objects = render(
        environments={"prod": {"pod": {"cpu": "4"}, "quota": {"pods": 9}}},
        secretStores={"vault": {"provider": {"vault": {"server": "https://vault.example.com"}}}},
        stepping=STEPPING,
        operators={"groups": ["ops"]},
    )
    found = bindings(objects)
    assert {name.rpartition(".")[2] for name in found} == {"prod", "dev"}
    plurals = {"LimitRange": "limitranges", "ResourceQuota": "resourcequotas", "NetworkPolicy": "networkpolicies"}
    plurals |= {"Role": "roles", "RoleBinding": "rolebindings", "SecretStore": "secretstores"}
    for name, binding in found.items():
        namespace = f"tickets-{name.rpartition('.')[2]}"
        match = binding["matchResources"]
        assert match["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        assert [rule["scope"] for rule in match["resourceRules"]] == ["Namespaced"]
        left_out = {
            (plural, each)
            for rule in match["excludeResourceRules"]
            for plural in rule["resources"]
            for each in rule["resourceNames"]
        }
        ours = [each for each in objects.objects if each["metadata"].get("namespace") == namespace]
        assert len(ours) >= 4
        assert {(plurals[each["kind"]], each["metadata"]["name"]) for each in ours} <= left_out


def test_what_policies_compare_with_is_each_environments_own_in_the_platforms_namespace(render: Render) -> None:
    parameters = {"registries": "registry.example.com/ml\nghcr.io/x", "minReplicas": ""}
    objects = render(environments={"dev": {"parameters": parameters}}, operators={"groups": ["ops", "oidc:on-call"]})
    for name, data in {"prod": {"maxCpu": "4"}, "dev": parameters}.items():
        found = objects.one("ConfigMap", f"bento-policy-parameters-{name}")
        assert found["metadata"]["namespace"] == "bento-platform"
        assert found["data"] == {**data, "operatorGroups": "ops\noidc:on-call"}
    reference = bindings(objects)["bento-image-by-digest.dev"]["paramRef"]
    name = "bento-policy-parameters-dev"
    assert reference == {"name": name, "namespace": "bento-platform", "parameterNotFoundAction": "Deny"}


def test_a_policy_without_parameters_is_bound_without(render: Render) -> None:
    found = bindings(render(policies={"local": {"few": {"holds": "both", "spec": OWN}}}))
    assert "paramRef" not in found["bento-local-few.prod"]


@pytest.mark.parametrize(
    ("controller", "kind"),
    [("gateway", "HTTPRoute"), ("nginx", "Ingress"), ("traefik", "TraefikService"), ("istio", "VirtualService"), ("none", None)],
)
def test_a_policy_that_reads_routes_is_bound_where_routes_are_of_that_kind(
    controller: str, kind: str | None, render: Render
) -> None:
    kinds = {"HTTPRoute", "Ingress", "TraefikService", "VirtualService"}
    local = {
        each.lower(): {"holds": "cluster", "spec": {**OWN, "paramKind": {"apiVersion": "v1", "kind": each}}} for each in kinds
    }
    objects = render(environments={"prod": {"routing": {"controller": controller}}}, policies={"local": local})
    found = {name: each for name, each in bindings(objects).items() if name.startswith("bento-local-") and name.endswith(".prod")}
    assert set(found) == ({f"bento-local-{kind.lower()}.prod"} if kind else set())
    for each in found.values():
        chosen = {"matchExpressions": [{"key": "bento-gitops/application", "operator": "Exists"}]}
        assert each["paramRef"] == {"selector": chosen, "parameterNotFoundAction": "Allow"}


def test_a_policy_that_reads_other_objects_gets_those_that_its_annotation_chooses(render: Render) -> None:
    chosen = COPIES["runners-out-of-routes"]["metadata"]["annotations"]["bento-gitops/parameters"]
    label, value = chosen.split("=")
    reference = bindings(render())["bento-runners-out-of-routes.prod"]["paramRef"]
    assert reference == {"selector": {"matchLabels": {label: value}}, "parameterNotFoundAction": "Allow"}


def test_policies_of_the_forks_own_are_installed_beside_unless_they_hold_offline_alone(render: Render) -> None:
    local = {name: {"holds": holds, "spec": OWN} for name, holds in (("few", "both"), ("in-ci", "offline"))}
    objects = render(policies={"local": local}, environments={"prod": {"deny": ["few", "in-ci"]}})
    names = [found["metadata"]["name"] for found in objects.all("ValidatingAdmissionPolicy")]
    assert [name for name in names if "local" in name] == ["bento-local-few"]
    assert objects.one("ValidatingAdmissionPolicy", "bento-local-few")["spec"] == OWN
    assert bindings(objects)["bento-local-few.prod"]["validationActions"] == ["Deny", "Audit"]


def test_break_glass_groups_come_before_every_other_condition_of_every_policy(render: Render) -> None:
    own = {**OWN, "matchConditions": [{"name": "ours", "expression": "true"}]}
    objects = render(
        policies={"breakGlassGroups": ["on-call", "Platform Team"], "local": {"few": {"holds": "both", "spec": own}}}
    )
    found = list(objects.all("ValidatingAdmissionPolicy"))
    for policy in found:
        first, *_ = policy["spec"]["matchConditions"]
        assert first["name"] == "no-break-glass"
        assert "group in ['on-call', 'Platform Team']" in first["expression"]
    few = objects.one("ValidatingAdmissionPolicy", "bento-local-few")["spec"]["matchConditions"]
    assert [each["name"] for each in few] == ["no-break-glass", "ours"]


def test_namespaces_enforce_pod_security_and_stay_when_the_chart_goes(render: Render) -> None:
    found = render(namespaces={"podSecurity": "baseline", "labels": {"owner": "ml"}}).one("Namespace", "tickets-prod")
    assert found["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    labels = found["metadata"]["labels"]
    assert {key.rpartition("/")[2]: value for key, value in labels.items() if key.startswith("pod-security")} == {
        "enforce": "baseline",
        "audit": "restricted",
        "warn": "restricted",
    }
    assert (labels["owner"], labels["bento-gitops/environment"]) == ("ml", "prod")
    assert not list(render(namespaces={"create": False}).all("Namespace"))


def test_network_policies_deny_what_no_other_allows(render: Render) -> None:
    found = list(render().all("NetworkPolicy"))
    assert [each["metadata"]["namespace"] for each in found] == ["tickets-dev", "tickets-prod"]
    assert all(each["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} for each in found)
    assert not list(render(namespaces={"defaultDeny": False}).all("NetworkPolicy"))


def test_under_a_default_deny_every_pod_of_an_application_has_its_own_policy_and_dns(helm: Path) -> None:
    """A policy that denies all takes nothing from what another one allows."""
    for file in sorted((ROOT / "charts/bento-serving/ci").glob("*-values.yaml")):
        text = said(helm, ROOT / "charts/bento-serving", file.read_text())
        objects = Rendered(tuple(each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each))
        allowing = [each["spec"] for each in objects.all("NetworkPolicy") if "egress" in each["spec"]]
        for workload in objects.all("Deployment"):
            labels = workload["spec"]["template"]["metadata"]["labels"].items()
            own = [each for each in allowing if each["podSelector"]["matchLabels"].items() <= labels]
            ports = [port for each in own for rule in each["egress"] for port in rule.get("ports", ())]
            assert {"port": 53, "protocol": "UDP"} in ports, (file.name, workload["metadata"]["name"])


def test_quota_and_limits_are_what_the_environment_says(render: Render) -> None:
    objects = render(
        environments={
            "prod": {
                "pod": {"cpu": "4", "memory": "16Gi", "gpu": 1},
                "quota": {"cpu": "64", "memory": "256Gi", "gpu": 8, "pods": 200},
            },
            "dev": {"pod": {"gpu": 0}, "quota": {"gpu": 0}},
        }
    )
    quotas = {each["metadata"]["namespace"]: each["spec"]["hard"] for each in objects.all("ResourceQuota")}
    assert quotas == {
        "tickets-prod": {
            "requests.cpu": "64",
            "requests.memory": "256Gi",
            "requests.nvidia.com/gpu": "8",
            "pods": "200",
        },
        "tickets-dev": {"requests.nvidia.com/gpu": "0"},
    }
    # A LimitRange with a GPU in it would give one to each container that says nothing of it.
    limits = {each["metadata"]["namespace"]: each["spec"]["limits"] for each in objects.all("LimitRange")}
    assert limits == {"tickets-prod": [{"type": "Container", "max": {"cpu": "4", "memory": "16Gi"}}]}
    assert not [each for each in render().objects if each["kind"] in ("LimitRange", "ResourceQuota")]


def test_a_store_is_in_each_environment_or_in_those_that_it_names(render: Render) -> None:
    provider = {"vault": {"server": "https://vault.example.com"}}
    objects = render(secretStores={"all": {"provider": provider}, "one": {"provider": provider, "environments": ["prod"]}})
    found = [(each["metadata"]["name"], each["metadata"]["namespace"]) for each in objects.all("SecretStore")]
    assert sorted(found) == [("all", "tickets-dev"), ("all", "tickets-prod"), ("one", "tickets-prod")]
    assert {json.dumps(each["spec"]["provider"]) for each in objects.all("SecretStore")} == {json.dumps(provider)}


def test_the_gateway_takes_routes_of_the_environments_and_of_no_other_namespace(render: Render) -> None:
    listeners = {
        "http": {"port": 80, "protocol": "HTTP"},
        "https": {"port": 443, "protocol": "HTTPS", "hostname": "*.example.com", "certificate": "wildcard"},
    }
    objects = render(gateway={"enabled": True, "namespace": "gateways", "className": "traefik", "listeners": listeners})
    gateway = objects.one("Gateway", "public")
    assert gateway["metadata"]["namespace"] == "gateways"
    assert gateway["spec"]["gatewayClassName"] == "traefik"
    for listener in gateway["spec"]["listeners"]:
        allowed = listener["allowedRoutes"]["namespaces"]
        (expression,) = allowed["selector"]["matchExpressions"]
        assert allowed["from"] == "Selector"
        # The API server itself sets this label: nobody can take it for a namespace of another name.
        assert expression == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["tickets-dev", "tickets-prod"]}
    assert gateway["spec"]["listeners"][1]["tls"]["certificateRefs"][0]["name"] == "wildcard"
    assert gateway["spec"]["listeners"][1]["hostname"] == "*.example.com"


STEPPING: Map = {
    "enabled": True,
    "image": {"repository": "registry.example.com/ml/bento-gitops", "digest": "sha256:" + "1" * 64},
    "repository": "git@git.example.com:ml/fleet.git",
    "knownHosts": "git.example.com ssh-ed25519 AAAA",
}


def test_the_notes_say_what_refuses_what_warns_and_whom_nothing_stops(helm: Path) -> None:
    def notes(name: str) -> str:
        values = (CHART / "ci" / f"{name}-values.yaml").read_text()
        install = said(helm, CHART, values, "--namespace", "bento-platform", verb=("install", "--dry-run=client", "platform"))
        return install[install.index("NOTES:") :]

    full = notes("full")
    prod = full[full.index("prod, in the namespace tickets-prod") :]
    refused, warned = (re.search(rf"{word}: +(.+)", prod) for word in ("refuse", "warn only"))
    assert refused and refused[1] == "image-by-digest, operators-shift-weights-only, team-label"
    assert warned and "probes" in warned[1] and "weighted-track-stays" in warned[1]
    dev = full[full.index("dev, in the namespace tickets-dev") : full.index("mesh, in the namespace")]
    assert "weighted-track-stays" not in dev, "no route there has weights"
    assert "Whom no policy looks at: oidc:on-call, Platform Team." in full
    assert "Whom no policy looks at: nobody." in notes("bare")
    assert "kubectl -n bento-platform create job --from=cronjob/bento-step-prod step-now" in full
    assert "there are no environments (-f clusters/<cluster>/environments.yaml)" in notes("defaults")
