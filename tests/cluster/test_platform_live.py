"""Both charts with every policy in force, on an API server: what it takes, what it refuses, how it is mended.

Needs $KUBECONFIG alone, of a cluster that may be changed as a whole: policies are the cluster's, their bindings this run's.
Pods need not run. Kinds that the cluster lacks (routes, monitors) are made for the run, without a schema.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from bento_gitops.tools import binaries
from bento_gitops.tools.cluster import Cluster
from conftest import ROOT
from kinds import Kinds
from kubernetes import client
from reaching import AN_API_SERVER, reached

Map = dict[str, Any]
PLATFORM = ROOT / "charts/bento-platform"
SERVING = ROOT / "charts/bento-serving"
POLICIES = {path.stem: yaml.safe_load(path.read_text()) for path in PLATFORM.glob("policies/*.yaml")}
IN_FORCE = [name for name, policy in POLICIES.items() if policy["metadata"]["annotations"]["bento-gitops/holds"] != "offline"]
DIGEST = f"sha256:{'1' * 64}"
BREAK_GLASS = "c-break-glass"
PATIENCE = 30
"""Seconds in which an API server has noticed a policy, a binding or a parameter that is new."""
KINDS = (
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("monitoring.coreos.com/v1", "ServiceMonitor"),
    ("monitoring.coreos.com/v1", "PrometheusRule"),
)
COMPONENTS = {
    "Tickets": {"role": "api", "dependencies": ["Embedder"], "apis": {"classify": {"route": "/classify"}}},
    "Embedder": {"role": "runner", "apis": {"encode": {"route": "/encode"}}},
}
IMAGE = {"repository": "registry.example.com/ml/tickets", "digest": DIGEST}
APPLICATION = {
    "application": "tickets",
    "environment": "prod",
    "labels": {"owner": "ml", "cost-center": "4711"},
    "stable": "blue",
    "routing": {
        "controller": "gateway",
        "gateway": {"name": "public", "namespace": "gateways", "podLabels": {"app": "gateway"}},
        "hostnames": ["tickets.example.com"],
    },
    "monitoring": {"prometheus": {"namespace": "monitoring", "podLabels": {"app": "prometheus"}}},
    "tracks": {
        "blue": {"bundle": "1.0.0", "weight": 75, "image": IMAGE, "components": COMPONENTS},
        "green": {"bundle": "1.1.0", "weight": 25, "image": IMAGE, "components": COMPONENTS},
    },
    "defaults": {"roles": {role: {"scaling": {"minReplicas": 2, "maxReplicas": 4}} for role in ("api", "runner")}},
}


@dataclass(frozen=True)
class Place:
    """The names of this run, and the tools to work in it."""

    home: str
    namespace: str
    folder: Path

    def kubectl(self, *words: str, given: Any = None, check: bool = True) -> str:
        """What kubectl says."""
        return run([str(binaries.find("kubectl")), *words], given, check=check)

    def helm(self, *words: str, values: Mapping[str, Any] | None = None, check: bool = True) -> str:
        """What Helm says; the release is kept where the platform is."""
        options = ["--values", "-"] if values is not None else []
        return run([str(binaries.find("helm")), *words, *options], values, check=check)

    def platform(self, verb: str, values: Mapping[str, Any], chart: Path = PLATFORM) -> str:
        return self.helm(verb, "platform", str(chart), "--namespace", self.home, values=values)

    def values(self, **policies: Any) -> Map:
        """Every policy refuses in prod, and so do those of the fork's own that are given."""
        prod = {
            "namespace": self.namespace,
            "parameters": {
                "registries": "registry.example.com/ml",
                "maxCpu": "4",
                "maxMemory": "16Gi",
                "maxGpu": "1",
                "minReplicas": "2",
                "maxReplicas": "20",
                "requiredLabels": "owner\ncost-center",
            },
            "deny": [*POLICIES, *policies],
            "pod": {"cpu": "4", "memory": "16Gi", "gpu": 1},
            "quota": {"cpu": "64", "memory": "256Gi", "gpu": 4, "pods": 100},
            "routing": {"controller": "gateway"},
        }
        return {
            "environments": {"prod": prod},
            "policies": {"breakGlassGroups": [BREAK_GLASS], "local": policies},
            "operators": {"groups": ["c-operators"]},
            "stepping": {
                "enabled": True,
                "suspend": True,
                "image": IMAGE,
                "repository": "git@git.example.com:ml/fleet.git",
                "knownHosts": "git.example.com ssh-ed25519 AAAA",
            },
            "dashboards": {"boards": dict.fromkeys(("application", "batching", "comparison", "model", "cost"), False)},
        }

    def said_of(self, given: Map, *words: str) -> str:
        """What the API server says of an object that it would make in prod."""
        return self.kubectl(
            "create", "--namespace", self.namespace, "--dry-run=server", "-f", "-", *words, given=given, check=False
        )


def run(command: list[str], given: Any = None, *, check: bool) -> str:
    done = subprocess.run(
        command,
        input=None if given is None else json.dumps(given),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"not in {PATIENCE} s: {what}"
        time.sleep(0.2)


BY_TAG = "registry.example.com/ml/tickets:1.0.0"
TOLD = f"an image is named by digest, as registry/repository@sha256:... (found {BY_TAG})"


@functools.cache
def by_tag() -> Map:
    """A Deployment as the chart makes it, with an image by tag: one policy has something against it, and no other."""
    objects = run([str(binaries.find("helm")), "template", "tickets", str(SERVING), "--values", "-"], APPLICATION, check=True)
    found = next(each for each in yaml.safe_load_all(objects) if each and each["kind"] == "Deployment")
    found["metadata"]["name"] = "by-tag"
    found["spec"]["template"]["spec"]["containers"][0]["image"] = BY_TAG
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A cluster without the platform's chart, and with the kinds of an application; left as it was."""
    kinds = Kinds(reached(AN_API_SERVER))
    mark = os.urandom(3).hex()
    here = Place(f"c-platform-{mark}", f"c-prod-{mark}", tmp_path_factory.mktemp("platform"))
    there = here.kubectl("get", "validatingadmissionpolicies", "-o", "name")
    if "/bento-" in there:
        pytest.fail(
            f"bento-platform is installed on this cluster; its policies would be changed under it:\n{there}", pytrace=False
        )
    try:
        for version, kind in KINDS:
            kinds.need(version, kind)
        here.kubectl("create", "namespace", here.home)
        yield here
    finally:
        here.helm("uninstall", "platform", "--namespace", here.home, check=False)
        here.kubectl("delete", "namespace", here.namespace, here.home, "--ignore-not-found", "--wait=false", check=False)
        until(lambda: here.namespace not in here.kubectl("get", "namespaces", "-o", "name"), "the namespaces are gone")
        kinds.close()


@pytest.fixture(scope="module")
def installed(place: Place) -> Place:
    """Both charts, every policy in force."""
    place.platform("install", place.values())
    until(lambda: "denied request" in place.said_of(by_tag()), "policies are in force")
    place.helm("install", "tickets", str(SERVING), "--namespace", place.namespace, values=APPLICATION)
    return place


def test_every_policy_is_bound_and_refuses(installed: Place) -> None:
    listed = json.loads(installed.kubectl("get", "validatingadmissionpolicybindings", "-o", "json"))["items"]
    found = {each["metadata"]["name"]: each["spec"]["validationActions"] for each in listed}
    elsewhere = {"Ingress", "TraefikService", "VirtualService"}  # where other controllers keep their weights
    bound = [name for name in IN_FORCE if POLICIES[name]["spec"].get("paramKind", {}).get("kind") not in elsewhere]
    assert len(bound) >= len(IN_FORCE) - len(elsewhere)
    assert {name: actions for name, actions in found.items() if name.endswith(".prod")} == {
        f"bento-{name}.prod": ["Deny", "Audit"] for name in bound
    }


def test_no_expression_of_a_policy_has_a_warning_of_the_api_server(installed: Place) -> None:
    listed = json.loads(installed.kubectl("get", "validatingadmissionpolicies", "-o", "json"))["items"]
    ours = {each["metadata"]["name"]: each.get("status", {}) for each in listed if each["metadata"]["name"].startswith("bento-")}
    assert sorted(ours) == sorted(f"bento-{name}" for name in IN_FORCE)
    assert {
        name: status["typeChecking"]["expressionWarnings"] for name, status in ours.items() if status.get("typeChecking")
    } == {}


def test_an_application_installs_and_its_pods_are_made_under_every_policy(installed: Place) -> None:
    """Pods that nobody may make show only here: a Deployment says nothing of it."""

    def pods() -> list[Map]:
        return json.loads(installed.kubectl("get", "pods", "--namespace", installed.namespace, "-o", "json"))["items"]

    until(lambda: len(pods()) >= 8, "each of four workloads has its two pods")
    assert {pod["metadata"]["labels"]["bento-gitops/track"] for pod in pods()} == {"blue", "green"}
    for pod in pods():
        (container,) = pod["spec"]["containers"]
        assert container["resources"]["limits"]["cpu"] == "4", "of the LimitRange"
    used = json.loads(
        installed.kubectl("get", "resourcequota", "bento-platform", "--namespace", installed.namespace, "-o", "json")
    )
    assert int(used["status"]["used"]["pods"]) >= 8


def test_what_breaks_a_policy_is_refused_in_the_policys_words(installed: Place) -> None:
    said = installed.said_of(by_tag())
    assert f"'bento-image-by-digest' with binding 'bento-image-by-digest.prod' denied request: {TOLD}" in said


def test_a_pod_that_pod_security_refuses_is_refused_by_the_namespace_too(installed: Place) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"}, "spec": {"containers": [{"name": "a", "image": "a"}]}}
    said = installed.said_of(pod, *AS_ADMIN, f"--as-group={BREAK_GLASS}")
    assert 'violates PodSecurity "restricted:latest"' in said


AS_ADMIN = ("--as=olivia", "--as-group=system:masters", "--as-group=system:authenticated")
"""May do all, as far as Roles go."""


def test_only_the_break_glass_group_passes(installed: Place) -> None:
    assert "denied request" in installed.said_of(by_tag(), *AS_ADMIN)
    assert "created (server dry run)" in installed.said_of(by_tag(), *AS_ADMIN, f"--as-group={BREAK_GLASS}")
    assert "denied request" in installed.said_of(by_tag(), *AS_ADMIN, f"--as-group={BREAK_GLASS}er")


def test_a_track_with_weight_cannot_be_deleted(installed: Place) -> None:
    words = ("delete", "deployment", "tickets-blue-tickets", "--namespace", installed.namespace, "--dry-run=server")
    said = installed.kubectl(*words, check=False)
    assert "track blue gets live requests by HTTPRoute tickets" in said, said


def test_another_namespace_is_nobodys_business(installed: Place) -> None:
    said = installed.kubectl("create", "--namespace", installed.home, "--dry-run=server", "-f", "-", given=by_tag())
    assert "created (server dry run)" in said


def test_a_step_may_look_at_its_environment_and_do_nothing_else(installed: Place) -> None:
    account = reached(AN_API_SERVER)
    account.set_default_header("Impersonate-User", f"system:serviceaccount:{installed.home}:bento-step")
    seen = Cluster(account, "of a step").seen(installed.namespace, "tickets", "gateway")
    assert (len(seen.deployments), len(seen.routes["HTTPRoute"])) == (4, 1)
    core = client.CoreV1Api(account)
    for asked in (
        lambda: core.list_namespaced_secret(installed.namespace),
        lambda: core.list_namespaced_secret(installed.home),
        lambda: core.list_namespaced_service("default"),
        lambda: client.AppsV1Api(account).delete_namespaced_deployment(
            "tickets-blue-tickets", installed.namespace, dry_run="All"
        ),
    ):
        with pytest.raises(client.ApiException) as refused:
            asked()
        assert refused.value.status == 403


def test_the_job_of_a_step_is_one_that_the_strictest_namespace_takes(installed: Place) -> None:
    job = json.loads(installed.kubectl("get", "cronjob", "bento-step-prod", "--namespace", installed.home, "-o", "json"))
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "step"},
        "spec": job["spec"]["jobTemplate"]["spec"]["template"]["spec"],
    }
    for own in ("serviceAccountName", "serviceAccount"):  # of the platform's namespace
        pod["spec"].pop(own)
    said = installed.said_of(pod, *AS_ADMIN, f"--as-group={BREAK_GLASS}")
    assert "created (server dry run)" in said and "PodSecurity" not in said


# Whatever policies refuse, the chart can be upgraded. In this order.


def test_an_upgrade_changes_policies_and_parameters_that_are_in_force(installed: Place) -> None:
    chart = installed.folder / "bento-platform"
    shutil.copytree(PLATFORM, chart)
    (chart / "policies/probes.yaml").unlink()
    file = chart / "policies/image-by-digest.yaml"
    file.write_text(file.read_text().replace("an image is named by digest", "an image has a digest"))
    values = installed.values()
    values["environments"]["prod"]["deny"].remove("probes")
    values["environments"]["prod"]["parameters"]["registries"] = "registry.example.com/other"
    installed.platform("upgrade", values, chart)
    until(lambda: "an image has a digest" in installed.said_of(by_tag()), "the changed policy is in force")
    other = {"image": {**IMAGE, "repository": "registry.example.com/ml/new"}}
    tracks = {name: {**track, **other} for name, track in APPLICATION["tracks"].items()}  # type: ignore[attr-defined]
    words = ("upgrade", "tickets", str(SERVING), "--namespace", installed.namespace)

    def said() -> str:
        return installed.helm(*words, values={**APPLICATION, "tracks": tracks}, check=False)

    until(lambda: "images come from registry.example.com/other here" in said(), "the changed parameters are in force")
    assert "bento-probes" not in installed.kubectl("get", "validatingadmissionpolicies", "-o", "name")
    installed.platform("upgrade", installed.values())
    until(lambda: TOLD in installed.said_of(by_tag()), "as it was")


def test_without_parameters_everything_is_refused_and_an_upgrade_brings_them_back(installed: Place) -> None:
    installed.kubectl("delete", "configmap", "bento-policy-parameters-prod", "--namespace", installed.home)
    until(lambda: "no params found" in installed.said_of(by_tag()), "policies miss their parameters")
    said = installed.helm("upgrade", "tickets", str(SERVING), "--namespace", installed.namespace, values=CHANGED, check=False)
    assert "no params found" in said
    installed.platform("upgrade", installed.values())
    until(lambda: TOLD in installed.said_of(by_tag()), "policies have their parameters again")
    installed.helm("upgrade", "tickets", str(SERVING), "--namespace", installed.namespace, values=CHANGED)


CHANGED = {**APPLICATION, "labels": {"owner": "ml", "cost-center": "4712"}}


def test_a_policy_that_refuses_all_keeps_nobody_from_mending_the_chart(installed: Place) -> None:
    all_of_it = {"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}
    refusing = {
        "failurePolicy": "Fail",
        "matchConstraints": {"resourceRules": [all_of_it]},
        "validations": [{"expression": "false", "message": "nothing at all"}],
    }
    values = installed.values(nothing={"holds": "cluster", "spec": refusing})
    installed.platform("upgrade", values)
    quiet = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "quiet"}}
    until(lambda: "nothing at all" in installed.said_of(quiet), "the policy is in force")
    # What the chart keeps in the namespace goes and comes back, is changed, and the namespace itself is not judged.
    installed.kubectl("delete", "networkpolicy,limitrange", "bento-platform", "--namespace", installed.namespace)
    values["environments"]["prod"]["quota"]["pods"] = 50
    values["namespaces"] = {"labels": {"note": "changed"}}
    installed.platform("upgrade", values)
    words = ("get", "networkpolicy,limitrange,resourcequota", "--namespace", installed.namespace, "-o", "json")
    found = {
        each["kind"]: each
        for each in json.loads(installed.kubectl(*words))["items"]
        if each["metadata"]["name"] == "bento-platform"
    }
    assert sorted(found) == ["LimitRange", "NetworkPolicy", "ResourceQuota"]
    assert found["ResourceQuota"]["spec"]["hard"]["pods"] == "50"
    assert "nothing at all" in installed.said_of(quiet)
    installed.platform("upgrade", installed.values())
    until(lambda: "created" in installed.said_of(quiet), "the policy is gone")


def test_the_chart_goes_and_comes_back_and_applications_stay(installed: Place) -> None:
    installed.helm("uninstall", "platform", "--namespace", installed.home)
    left = installed.kubectl("get", "validatingadmissionpolicies,validatingadmissionpolicybindings", "-o", "name")
    assert "bento-" not in left
    deployments = installed.kubectl("get", "deployments", "--namespace", installed.namespace, "-o", "name")
    assert deployments.count("deployment.apps/tickets-") == 4
    until(lambda: "created" in installed.said_of(by_tag()), "nothing is refused")
    installed.platform("install", installed.values())
    until(lambda: TOLD in installed.said_of(by_tag()), "policies are in force again")
