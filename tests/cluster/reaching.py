"""How tests reach the cluster of $KUBECONFIG, and what they say where there is none, or one that lacks what they use."""

from __future__ import annotations

import os
from typing import Any

import pytest
from kubernetes import client, config
from urllib3.exceptions import HTTPError
from yaml import YAMLError

AN_API_SERVER = """these tests need an API server; set
  KUBECONFIG   a cluster that you may change as a whole (namespaces, kinds, admission policies), for instance of
               `kind create cluster`. No pod runs: a control plane is enough"""
A_CLUSTER = """these tests need a cluster that runs pods; set
  KUBECONFIG   a cluster that you may create namespaces in, for instance of `kind create cluster`
  LOAD_IMAGE   a command that gives the cluster an OCI archive and prints NAME@sha256:DIGEST, for instance a script around
               `kind load image-archive`
and, where they differ from these defaults, GATEWAY_CLASS=traefik, GATEWAY_PORT=8000 (of the listener),
GATEWAY_NAMESPACE=traefik and GATEWAY_POD_LABEL=app=traefik (of its pods), GATEWAY_URL=http://127.0.0.1:30000,
CONTROLLERS="gateway nginx traefik" (which of them the same pods and address serve), INGRESS_CLASS=nginx,
PROMETHEUS_URL=http://127.0.0.1:30090, PROMETHEUS_NAMESPACE=monitoring and PROMETHEUS_POD_LABEL=prometheus=prometheus (what
takes every ServiceMonitor and PrometheusRule), NETWORK_POLICY=enforced if the cluster enforces network policies, and
ARGOCD_NAMESPACE=argocd (its repository server has to be able to read file:// of the folder of pytest's --basetemp)"""


def reached(needed: str) -> client.ApiClient:
    """The cluster of $KUBECONFIG, asked once. Without one the test fails with the reason, and with what is `needed`."""
    file = os.environ.get("KUBECONFIG")
    if not file:
        pytest.fail(f"KUBECONFIG is not set: {needed}", pytrace=False)
    wrong = _wrong(file)
    if wrong:
        pytest.fail(f"{wrong}: {needed}", pytrace=False)
    config.load_kube_config(file)
    return client.ApiClient()


def _wrong(file: str) -> str:
    """Why the cluster of a kubeconfig cannot be used; empty where it answers."""
    settings = client.Configuration()
    settings.retries = 0  # what does not listen does so at once
    try:
        config.load_kube_config(file, client_configuration=settings)
        client.VersionApi(client.ApiClient(settings)).get_code(_request_timeout=20)
    except (config.ConfigException, OSError, YAMLError) as error:
        return f"KUBECONFIG={file} cannot be read ({error})"
    except HTTPError as error:
        return f"the API server of KUBECONFIG={file} does not answer ({error})"
    except client.ApiException as error:
        return f"the API server of KUBECONFIG={file} refuses ({error.status} {error.reason})"
    return ""


def has_nodes(api: client.ApiClient) -> None:
    """Fails where no pod can run."""
    nodes: Any = client.CoreV1Api(api).list_node(limit=1)
    if not nodes.items:
        where = os.environ["KUBECONFIG"]
        pytest.fail(f"the cluster of KUBECONFIG={where} has no node, so no pod runs there: {A_CLUSTER}", pytrace=False)


def has(api: client.ApiClient, path: str, what: str, get_one: str) -> None:
    """Fails where the cluster has nothing under a path of its API; says what it is, and how to get one."""
    address = f"{api.configuration.host}{path}"
    headers: dict[str, str] = {"Accept": "application/json"}
    api.update_params_for_auth(headers, [], ["BearerToken"], path, "GET", None)
    answer = api.call_api("GET", address, headers)
    answer.read()
    if answer.status == 404:
        where = os.environ["KUBECONFIG"]
        pytest.fail(f"the cluster of KUBECONFIG={where} has no {what}: {get_one}", pytrace=False)
    assert answer.status == 200, f"GET {path}: {answer.status} {answer.data!r}"
