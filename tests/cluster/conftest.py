"""The cluster that these tests run on, and the fleet as it is installed there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from bento_gitops.tools import binaries
from kubernetes import client, config

ROOT = Path(__file__).resolve().parents[2]

HOW_TO_GET_ONE = """these tests need a cluster; set
  KUBECONFIG   a cluster that you may create namespaces in, for instance of `kind create cluster`
  LOAD_IMAGE   a command that gives the cluster an OCI archive and prints NAME@sha256:DIGEST, for instance a script around
               `kind load image-archive`
and, where they differ from these defaults, GATEWAY_CLASS=traefik, GATEWAY_PORT=8000 (of the listener),
GATEWAY_NAMESPACE=traefik and GATEWAY_POD_LABEL=app=traefik (of its pods), GATEWAY_URL=http://127.0.0.1:30000,
CONTROLLERS="gateway nginx traefik" (which of them the same pods and address serve), INGRESS_CLASS=nginx,
PROMETHEUS_URL=http://127.0.0.1:30090, PROMETHEUS_NAMESPACE=monitoring and PROMETHEUS_POD_LABEL=prometheus=prometheus (what
takes every ServiceMonitor and PrometheusRule), NETWORK_POLICY=enforced if the cluster enforces network policies, and
ARGOCD_NAMESPACE=argocd (its repository server has to be able to read file:// of the folder of pytest's --basetemp)"""


@dataclass(frozen=True)
class Settings:
    """What the tests have to know of the cluster."""

    load_image: str
    gateway_class: str
    gateway_port: int
    gateway_namespace: str
    gateway_pod_label: tuple[str, str]
    gateway_url: str
    controllers: tuple[str, ...]
    ingress_class: str
    prometheus_url: str
    prometheus_namespace: str
    prometheus_pod_label: tuple[str, str]
    enforces_network_policies: bool
    argocd_namespace: str


@pytest.fixture(scope="session")
def settings() -> Settings:
    if not os.environ.get("KUBECONFIG") or not os.environ.get("LOAD_IMAGE"):
        pytest.fail(HOW_TO_GET_ONE, pytrace=False)
    key, _, value = os.environ.get("GATEWAY_POD_LABEL", "app=traefik").partition("=")
    its_key, _, its_value = os.environ.get("PROMETHEUS_POD_LABEL", "prometheus=prometheus").partition("=")
    return Settings(
        load_image=os.environ["LOAD_IMAGE"],
        gateway_class=os.environ.get("GATEWAY_CLASS", "traefik"),
        gateway_port=int(os.environ.get("GATEWAY_PORT", "8000")),
        gateway_namespace=os.environ.get("GATEWAY_NAMESPACE", "traefik"),
        gateway_pod_label=(key, value),
        gateway_url=os.environ.get("GATEWAY_URL", "http://127.0.0.1:30000"),
        controllers=tuple(os.environ.get("CONTROLLERS", "gateway nginx traefik").split()),
        ingress_class=os.environ.get("INGRESS_CLASS", "nginx"),
        prometheus_url=os.environ.get("PROMETHEUS_URL", "http://127.0.0.1:30090"),
        prometheus_namespace=os.environ.get("PROMETHEUS_NAMESPACE", "monitoring"),
        prometheus_pod_label=(its_key, its_value),
        enforces_network_policies=os.environ.get("NETWORK_POLICY") == "enforced",
        argocd_namespace=os.environ.get("ARGOCD_NAMESPACE", "argocd"),
    )


@pytest.fixture(scope="session")
def api(settings: Settings) -> client.ApiClient:
    config.load_kube_config(os.environ["KUBECONFIG"])
    return client.ApiClient()


@pytest.fixture(scope="session")
def digests(settings: Settings) -> Mapping[str, str]:
    """The two versions' images, loaded into the cluster; by version their digest there."""
    result: dict[str, str] = {}
    for version in ("1.0.0", "1.1.0"):
        archive = ROOT / f"build/example/images/support-ticket-intelligence-{version}.tar"
        done = subprocess.run([*settings.load_image.split(), str(archive)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{settings.load_image} {archive}: {done.stderr}"
        result[version] = done.stdout.strip().splitlines()[-1].rpartition("@")[2]
    return result


@pytest.fixture(scope="session")
def namespace(api: client.ApiClient) -> Iterator[str]:
    """A namespace that enforces Pod Security "restricted"; it goes with everything in it when the tests end."""
    core = client.CoreV1Api(api)
    name = f"smoke-{os.urandom(3).hex()}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name, labels=labels)))
    yield name
    core.delete_namespace(name)


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of everything that a render reads."""
    root = tmp_path_factory.mktemp("fleet")
    folders = ("applications", "bundles", "charts", "environments", "examples/support_ticket_intelligence/verification")
    for folder in folders:
        shutil.copytree(ROOT / folder, root / folder)
    return root


def run(program: str, *arguments: str | Path, cwd: Path | None = None) -> str:
    """What a program of the checkout printed; an assertion with what it said where it failed."""
    path = ROOT / ".venv/bin/bento-gitops" if program == "bento-gitops" else binaries.find(program)
    done = subprocess.run([str(path), *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{program} {' '.join(map(str, arguments))}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def make_gateway(api: client.ApiClient, settings: Settings, namespace: str, name: str) -> None:
    """A Gateway that takes the routes of one namespace only."""
    listener = {
        "name": "web",
        "port": settings.gateway_port,
        "protocol": "HTTP",
        "allowedRoutes": {
            "namespaces": {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        },
    }
    body = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": name},
        "spec": {"gatewayClassName": settings.gateway_class, "listeners": [listener]},
    }
    custom = client.CustomObjectsApi(api)
    where = ("gateway.networking.k8s.io", "v1", settings.gateway_namespace, "gateways")
    try:
        custom.delete_namespaced_custom_object(*where, name)
    except client.ApiException as error:
        assert error.status == 404, error
    custom.create_namespaced_custom_object(*where, body)
