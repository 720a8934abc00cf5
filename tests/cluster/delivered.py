"""A fleet that Argo CD delivers: a bare repository, the project and the set of bento-platform, and who looks at them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Settings, make_gateway, run
from git_repositories import SETTINGS, Origin, Repository, new_origin
from kubernetes import client
from reaching import has

ARGOCD = "argoproj.io", "v1alpha1"
ROUTES = "gateway.networking.k8s.io", "v1"
HERE = "https://kubernetes.default.svc"
BUNDLE = ROOT / "bundles/support-ticket-intelligence/1.0.0.yaml"
NEVER_THERE = f"sha256:{'0' * 64}"
"""Of an image that no registry has: its pods never start."""
REFRESH, REGENERATE = "argocd.argoproj.io/refresh", "argocd.argoproj.io/application-set-refresh"
"""Annotations by which a webhook makes Argo CD look at Git at once."""

APPLICATION_FILE = "apiVersion: bento-gitops/v1\nkind: Application\n"
ENVIRONMENT = """\
apiVersion: bento-gitops/v1
kind: Environment
namespace: {namespace}
cluster: {cluster}
routing:
  controller: gateway
  gateway: {{name: {gateway}, namespace: {gateway_namespace}, pod_labels: {{{label}: {value}}}}}
  hostname: "{{application}}.{namespace}.example.com"
registries: [registry.example.com/ml]
live_min_replicas: 1
promotion: {{direct: {direct}}}
defaults:
  rollout: {{strategy: {strategy}, standby: {{keep: 1h, capacity: full}}}}
  roles:
    api: {{scaling: {{min_replicas: 1, max_replicas: 2}}, resources: {{cpu: 50m}}}}
    runner: {{scaling: {{min_replicas: 1, max_replicas: 2}}, resources: {{cpu: 50m}}}}
"""


@dataclass
class Delivered:
    """Somebody at a clone, and the objects of Argo CD that follow what is pushed."""

    api: client.ApiClient
    settings: Settings
    origin: Origin
    clone: Repository
    project: str
    namespace: str
    """Of Argo CD."""
    environments: dict[str, str]
    """By name their namespaces."""
    values: dict[str, Any]
    """Of bento-platform."""
    desk: Path

    # Git

    def push(self, message: str, files: Mapping[str, str | None]) -> str:
        """What a merged pull request is: files as they shall be, None for one that goes."""
        self.clone.git("pull", "--quiet", "--ff-only")
        for path, text in files.items():
            if text is None:
                self.clone.git("rm", "--quiet", "-r", path)
        commit = self.clone.commit(message, {path: text for path, text in files.items() if text is not None})
        self.clone.git("push", "--quiet", "origin", "HEAD:main")
        return commit

    def change(self, *arguments: str) -> dict[str, Any]:
        """A changing command, pushed."""
        told: dict[str, Any] = json.loads(run("bento-gitops", "-C", self.clone.root, *arguments, "--push", "--json"))
        return told

    def new_application(self, environment: str, application: str, tag: str = "1.0.0", digest: str = NEVER_THERE) -> str:
        """An application of a bundle of its own, put into an environment; the name of its Application."""
        files: dict[str, str | None] = {
            f"applications/{application}.yaml": APPLICATION_FILE,
            f"environments/{environment}/{application}/config.yaml": "apiVersion: bento-gitops/v1\nkind: Config\n",
        }
        self.push(f"{application}: new", files | self.bundle(application, tag, digest))
        self.change("promote", f"{environment}/{application}", tag)
        return f"{environment}.{application}"

    def bundle(self, application: str, tag: str, digest: str = NEVER_THERE) -> dict[str, str]:
        """The example's bundle under another name."""
        found = yaml.safe_load(BUNDLE.read_text())
        found |= {"application": application, "tag": tag, "bento": f"support_ticket_intelligence:{tag}"}
        found["image"] = {"repository": "registry.example.com/ml/support-ticket-intelligence", "digest": digest}
        return {f"bundles/{application}/{tag}.yaml": yaml.safe_dump(found, sort_keys=False)}

    @property
    def head(self) -> str:
        return self.origin.git("rev-parse", "main")

    # Argo CD

    def install(self) -> None:
        """Puts project and set there, as its values say them now."""
        file = self.desk / "values.json"
        file.write_text(json.dumps(self.values))
        chart = ROOT / "charts/bento-platform"
        run("helm", "upgrade", "--install", self.project, chart, "-n", self.namespace, "-f", file)

    def uninstall(self) -> None:
        run("helm", "uninstall", self.project, "-n", self.namespace, "--ignore-not-found")

    def regenerate(self, *, fails: bool = False) -> None:
        """Makes the set look at Git, and waits until it has, or has said that it cannot."""
        self._patch("applicationsets", self.project, {"metadata": {"annotations": {REGENERATE: "true"}}})
        if fails:
            self.until(lambda: bool(self.error()), "the set says that it cannot read")
            return
        self.until(lambda: REGENERATE not in self.set()["metadata"].get("annotations", {}), "the set has looked at Git")

    def refresh(self, name: str) -> None:
        self._patch("applications", name, {"metadata": {"annotations": {REFRESH: "normal"}}})

    def patch(self, name: str, body: Mapping[str, Any]) -> None:
        """Changes an Application, as a merge patch."""
        self._patch("applications", name, body)

    def application(self, name: str) -> dict[str, Any] | None:
        return self.found(*ARGOCD, self.namespace, "applications", name)

    def remove_application(self, name: str) -> None:
        """The Application only: its objects stay."""
        try:
            client.CustomObjectsApi(self.api).delete_namespaced_custom_object(*ARGOCD, self.namespace, "applications", name)
        except client.ApiException as error:
            assert error.status == 404, error  # the set's owner reference was faster

    def error(self) -> str:
        """What the set says that is wrong with it; empty where nothing is."""
        conditions = self.set().get("status", {}).get("conditions", [])
        return next((one["message"] for one in conditions if (one["type"], one["status"]) == ("ErrorOccurred", "True")), "")

    def annotations(self, name: str) -> dict[str, str]:
        return (self.application(name) or {}).get("metadata", {}).get("annotations", {})

    def looked_again(self, name: str) -> None:
        """Makes Argo CD compare everything anew, and waits until it has."""
        before = self.status(name)["reconciledAt"]
        self._patch("applications", name, {"metadata": {"annotations": {REFRESH: "hard"}}})
        self.until(
            lambda: REFRESH not in self.annotations(name) and self.status(name)["reconciledAt"] > before, f"{name} is compared"
        )

    def set(self) -> dict[str, Any]:
        found = self.found(*ARGOCD, self.namespace, "applicationsets", self.project)
        assert found, "the set of applications is gone"
        return found

    def applications(self) -> list[str]:
        """The names of those of the project, sorted."""
        custom: Any = client.CustomObjectsApi(self.api)
        found = custom.list_namespaced_custom_object(*ARGOCD, self.namespace, "applications")["items"]
        return sorted(one["metadata"]["name"] for one in found if one["spec"]["project"] == self.project)

    def synced(self, name: str, seconds: float = 90) -> float:
        """Waits until the cluster is as the newest commit says; how long that took, in seconds."""
        head, began = self.head, time.monotonic()
        self.until(lambda: self.application(name) is not None, f"{name} is there")
        self.refresh(name)
        self.until(lambda: self.is_synced(name, head), lambda: f"{name} is synced: {self.state(name)}", seconds)
        return time.monotonic() - began

    def is_synced(self, name: str, head: str) -> bool:
        sync = self.status(name).get("sync", {})
        return (sync.get("status"), sync.get("revision")) == ("Synced", head)

    def touched(self, name: str) -> list[str]:
        """The objects of a sync of the newest commit that has ended well; none before that, nor while the next one begins."""
        operation = self.status(name).get("operationState", {})
        result = operation.get("syncResult", {})
        if (operation.get("phase"), result.get("revision")) != ("Succeeded", self.head):
            return []
        return [each["name"] for each in result.get("resources", [])]

    def status(self, name: str) -> dict[str, Any]:
        found = self.application(name)
        return (found or {}).get("status", {})

    def state(self, name: str) -> dict[str, Any]:
        """What a person would look at."""
        status = self.status(name)
        operation = status.get("operationState", {})
        differing = [one for one in status.get("resources", []) if one.get("status") != "Synced"]
        return {
            "sync": status.get("sync", {}).get("status"),
            "revision": status.get("sync", {}).get("revision"),
            "health": status.get("health", {}).get("status"),
            "phase": operation.get("phase"),
            "message": operation.get("message"),
            "conditions": [f"{one['type']}: {one['message']}" for one in status.get("conditions", [])],
            "differ": [f"{one['kind']} {one['name']}" for one in differing],
        }

    # The cluster

    def weights(self, environment: str, application: str) -> dict[str, int] | None:
        """By track, as the live route has them; None where there is no route."""
        found = self.found(*ROUTES, self.environments[environment], "httproutes", application)
        if found is None:
            return None
        rule = found["spec"]["rules"][-1]
        names = {one["name"]: one.get("weight", 1) for one in rule["backendRefs"]}
        return {name.removeprefix(f"{application}-").partition("-")[0]: weight for name, weight in names.items()}

    def ready(self, environment: str, track: str) -> bool:
        """Whether each component of the track has a pod that is ready."""
        selector = f"bento-gitops/track={track}"
        apps: Any = client.AppsV1Api(self.api)
        found = apps.list_namespaced_deployment(self.environments[environment], label_selector=selector)
        return bool(found.items) and all(one.status.ready_replicas for one in found.items)

    def found(self, group: str, version: str, namespace: str, plural: str, name: str) -> dict[str, Any] | None:
        """A custom object; None where it is not there."""
        custom: Any = client.CustomObjectsApi(self.api)
        try:
            return custom.get_namespaced_custom_object(group, version, namespace, plural, name)
        except client.ApiException as error:
            assert error.status == 404, error
            return None

    def objects(self, name: str) -> set[tuple[str, str]]:
        """Kind and name of all that an Application follows."""
        return {(one["kind"], one["name"]) for one in self.status(name).get("resources", [])}

    def until(self, reached: Callable[[], bool], what: str | Callable[[], str], seconds: float = 60) -> float:
        """Waits; the seconds that it took."""
        began = time.monotonic()
        while not reached():
            if time.monotonic() - began > seconds:
                raise AssertionError(f"not within {seconds} s: {what if isinstance(what, str) else what()}")
            time.sleep(0.1)
        return time.monotonic() - began

    def _patch(self, plural: str, name: str, body: Mapping[str, Any]) -> None:
        custom: Any = client.CustomObjectsApi(self.api)
        custom.patch_namespaced_custom_object(*ARGOCD, self.namespace, plural, name, body)


@pytest.fixture
def delivered(settings: Settings, api: client.ApiClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Delivered]:
    """Two environments of this cluster and one of another, without applications; `dev` may go straight."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "gitconfig").write_text(SETTINGS)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    project = f"a-{os.urandom(3).hex()}"
    environments = {f"{project}-prod": f"{project}-prod", f"{project}-dev": f"{project}-dev"}
    origin = new_origin(tmp_path, files_of(settings, project, environments))
    (tmp_path / "origin.git").chmod(0o755)
    values = {
        "environments": {
            name: {"namespace": namespace, "routing": {"controller": "gateway"}} for name, namespace in environments.items()
        },
        "namespaces": {"create": False, "defaultDeny": False},
        "policies": {"enabled": False},
        "dashboards": {"boards": dict.fromkeys(("application", "batching", "comparison", "model", "cost"), False)},
        "argocd": {
            "enabled": True,
            "namespace": settings.argocd_namespace,
            "project": project,
            "repository": origin.root.as_uri(),
            "destinations": {"here": {"server": HERE}},
        },
    }
    path = f"/apis/{'/'.join(ARGOCD)}/namespaces/{settings.argocd_namespace}/applicationsets"
    has(api, path, "Argo CD", "install it, with its application set controller")
    core = client.CoreV1Api(api)
    for namespace in environments.values():
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace, labels=labels)))
    make_gateway(api, settings, f"{project}-prod", project)
    clone = origin.clone("olivia")
    found = Delivered(api, settings, origin, clone, project, settings.argocd_namespace, environments, values, tmp_path)
    try:
        found.install()
        yield found
    finally:
        found.uninstall()
        for name in found.applications():
            found.remove_application(name)
        custom = client.CustomObjectsApi(api)
        custom.delete_namespaced_custom_object(*ROUTES, settings.gateway_namespace, "gateways", project)
        for namespace in environments.values():
            core.delete_namespace(namespace)


def files_of(settings: Settings, gateway: str, environments: Mapping[str, str]) -> dict[str, str]:
    """The repository at its start."""
    label, value = settings.gateway_pod_label
    files = {".gitignore": (ROOT / ".gitignore").read_text()}
    named = [(name, namespace, "here") for name, namespace in environments.items()] + [
        (f"{gateway}-far", f"{gateway}-far", "far")
    ]
    for name, namespace, cluster in named:
        direct = name.endswith("-dev")
        files[f"environments/{name}/environment.yaml"] = ENVIRONMENT.format(
            namespace=namespace,
            cluster=cluster,
            gateway=gateway,
            gateway_namespace=settings.gateway_namespace,
            label=label,
            value=value,
            direct=str(direct).lower(),
            strategy="direct" if direct else "canary",
        )
    for folder in ("charts/bento-serving", "schemas/custom-resources"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file():
                files[str(file.relative_to(ROOT))] = file.read_text()
    return files
