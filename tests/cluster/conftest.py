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
from kubernetes import client
from reaching import A_CLUSTER, has, has_nodes, reached

ROOT = Path(__file__).resolve().parents[2]


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
    missing = [name for name in ("KUBECONFIG", "LOAD_IMAGE") if not os.environ.get(name)]
    if missing:
        pytest.fail(f"{' and '.join(missing)} not set: {A_CLUSTER}", pytrace=False)
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
    """Of a cluster that runs pods and has the gateway that the tests ask."""
    found = reached(A_CLUSTER)
    has_nodes(found)
    get_one = "install a controller that has it, with the CRDs of Gateway API; or name yours in GATEWAY_CLASS"
    path = f"/apis/gateway.networking.k8s.io/v1/gatewayclasses/{settings.gateway_class}"
    has(found, path, f"GatewayClass {settings.gateway_class}", get_one)
    return found


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
    folders = (
        "applications",
        "bundles",
        "charts",
        "environments",
        "policies",
        "examples/support_ticket_intelligence/verification",
    )
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
