"""Who may ask, on a real cluster: nobody without a token, by no way in; nobody at all without the service that is asked."""

from __future__ import annotations

import http.client
import json
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from asking import TEXTS
from conftest import ROOT, Settings, make_gateway, run
from kubernetes import client, utils

APPLICATION = "support-ticket-intelligence"
ENVIRONMENT = "guarded"
CONTROLLERS = ("gateway", "nginx", "traefik")
REPOSITORY = f"registry.example.com/ml/{APPLICATION}"
TOKEN = {"authorization": "Bearer good"}

CONFIG = """\
apiVersion: bento-gitops/v1
kind: Config
mode: single
services:
  SupportTicketIntelligence: {resources: {cpu: 100m, memory: 1Gi}, scaling: {min_replicas: 1, max_replicas: 1}}
"""
RELEASE = """\
apiVersion: bento-gitops/v1
kind: Release
since: 2026-01-01T00:00:00Z
stable: blue
candidate: green
tracks: {blue: {bundle: "1.0.0", weight: 50}, green: {bundle: "1.1.0", weight: 50, ready_for: 50}}
"""
ASKED = """\
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Asked(BaseHTTPRequestHandler):
    def do_GET(self):
        good = self.path == "/verify" and self.headers.get("authorization") == "Bearer good"
        self.send_response(200 if good else 401)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_): pass
ThreadingHTTPServer(("", 8080), Asked).serve_forever()
"""
"""The service that is asked: one token, one path."""


@dataclass
class Guarded:
    """The application behind one controller after the other, and the service that says who may ask it."""

    settings: Settings
    fleet: Path
    namespace: str
    asked: str
    """The namespace of that service."""
    hostname: str = ""

    def route(self, controller: str) -> None:
        """Puts it behind a controller, and waits until both tracks answer who has a token."""
        self.hostname = f"{APPLICATION}.{controller}.guarded.example.com"
        key, value = self.settings.gateway_pod_label
        proxy = {"namespace": self.settings.gateway_namespace, "pod_labels": {key: value}}
        address = {"external": {"address": f"http://asked.{self.asked}.svc.cluster.local/verify"}}
        filter_ = {"external": {"filter": {"group": "traefik.io", "kind": "Middleware", "name": "forward-auth"}}}
        facts = {
            "gateway": {"gateway": {"name": "guarded", **proxy}, "auth": filter_},
            "nginx": {"ingress_class": self.settings.ingress_class, "proxy": proxy, "auth": address},
            "traefik": {"proxy": proxy, "auth": address},
        }[controller]
        said: dict[str, object] = {"auth": {"require": "external"}}
        if controller != "gateway":
            said["max_body"] = "4k"
        if controller != "nginx":
            said["rules"] = {"acme-stays": {"match": {"tenant": ["acme"]}, "track": "stable"}}
        environment = {
            "apiVersion": "bento-gitops/v1",
            "kind": "Environment",
            "namespace": self.namespace,
            "cluster": "tests",
            "live_min_replicas": 1,
            "routing": {"controller": controller, "hostname": self.hostname, "headers": {"tenant": "x-tenant"}, **facts},
            "monitoring": {"operator": False},
            "defaults": {"routing": said},
        }
        (self.fleet / f"environments/{ENVIRONMENT}/environment.yaml").write_text(yaml.safe_dump(environment))
        run("bento-gitops", "render", f"{ENVIRONMENT}/{APPLICATION}", cwd=self.fleet)
        self.helm("upgrade", "--install", "--wait", "--timeout", "3m")
        for track in ("blue", "green"):
            let_in = {**TOKEN, "x-bento-track": track}
            wait_until(lambda let_in=let_in: self.ask(let_in) == 200, f"{track} answers who has a token")
        wait_until(lambda: self.ask() == 401, "who has no token is refused")

    def helm(self, *arguments: str) -> None:
        values = self.fleet / f"environments/{ENVIRONMENT}/{APPLICATION}/values.yaml"
        run("helm", *arguments, APPLICATION, self.fleet / "charts/bento-serving", "-n", self.namespace, "-f", values)

    def ask(self, headers: Mapping[str, str] | None = None, path: str = "/classify_ticket", text: str = TEXTS[0]) -> int:
        """The status of the answer."""
        url = urlsplit(self.settings.gateway_url)
        assert url.hostname
        connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=40)
        try:
            sent = {"host": self.hostname, "content-type": "application/json", **(headers or {})}
            connection.request("POST", path, json.dumps({"tickets": [{"text": text}]}), sent)
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()

    @contextmanager
    def nobody_to_ask(self) -> Iterator[None]:
        """While the service that is asked has no pod."""
        self._scale(0)
        wait_until(lambda: self.ask(TOKEN) != 200, "nobody is let in")
        yield
        self._scale(1)
        wait_until(lambda: self.ask(TOKEN) == 200, "who has a token is let in again")

    def _scale(self, pods: int) -> None:
        run("kubectl", "scale", "deployment/asked", f"--replicas={pods}", "-n", self.asked)
        run("kubectl", "rollout", "status", "deployment/asked", "-n", self.asked, "--timeout=60s")


def wait_until(reached: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def guarded(settings: Settings, api: client.ApiClient, digests: Mapping[str, str], fleet: Path) -> Iterator[Guarded]:
    core = client.CoreV1Api(api)
    mark = os.urandom(3).hex()
    namespace, asked = f"g-{mark}", f"g-{mark}-asked"
    for name in (namespace, asked):
        core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
    try:
        _make_service(api, asked, f"{REPOSITORY}@{digests['1.1.0']}")
        _make_filter(api, namespace, f"http://asked.{asked}.svc.cluster.local/verify")
        make_gateway(api, settings, namespace, "guarded")
        for version, digest in digests.items():
            bundle = fleet / f"bundles/{APPLICATION}/{version}.yaml"
            bundle.write_text(re.sub(r"digest: sha256:[0-9a-f]{64}", f"digest: {digest}", bundle.read_text(), count=1))
        folder = fleet / f"environments/{ENVIRONMENT}/{APPLICATION}"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(CONFIG)
        (folder / "release.yaml").write_text(RELEASE)
        run("kubectl", "rollout", "status", "deployment/asked", "-n", asked, "--timeout=120s")
        yield Guarded(settings, fleet, namespace, asked)
    finally:
        for name in (namespace, asked):
            core.delete_namespace(name)
        custom = client.CustomObjectsApi(api)
        where = ("gateway.networking.k8s.io", "v1", settings.gateway_namespace, "gateways")
        custom.delete_namespaced_custom_object(*where, "guarded")


def _make_service(api: client.ApiClient, namespace: str, image: str) -> None:
    labels = {"app": "asked"}
    container = {"name": "asked", "image": image, "command": ["python", "-c", ASKED]}
    pod = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    utils.create_from_dict(
        api,
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "asked", "namespace": namespace},
            "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}},
        },
    )
    utils.create_from_dict(
        api,
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "asked", "namespace": namespace},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    )


def _make_filter(api: client.ApiClient, namespace: str, address: str) -> None:
    """The object of docs/authentication.md that a platform team puts beside an HTTPRoute."""
    (text,) = re.findall(
        r"(?m)^    apiVersion: traefik.io/v1alpha1\n(?:    .+\n)+", (ROOT / "docs/authentication.md").read_text()
    )
    body = yaml.safe_load(text)
    body["metadata"]["namespace"] = namespace
    body["spec"]["forwardAuth"]["address"] = address
    client.CustomObjectsApi(api).create_namespaced_custom_object("traefik.io", "v1alpha1", namespace, "middlewares", body)


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_who_has_no_token_gets_in_by_no_way(guarded: Guarded, controller: str) -> None:
    _needs(guarded, controller)
    guarded.route(controller)
    ways: dict[str, dict[str, str]] = {
        "the split": {},
        "the stable track": {"x-bento-track": "blue"},
        "the candidate": {"x-bento-track": "green"},
        "a rule": {"x-tenant": "acme"},
        "another token": {"authorization": "Bearer bad"},
        "a claim of being elsewhere": {"x-forwarded-uri": "/metrics", "x-forwarded-method": "OPTIONS", "x-forwarded-host": "x"},
    }
    for way, headers in ways.items():
        # As many as both tracks need to be met by the split.
        assert Counter(guarded.ask(headers) for _ in range(10)) == {401: 10}, way
    let_in = [guarded.ask({**TOKEN, **headers}) for way, headers in ways.items() if way != "another token" for _ in range(3)]
    assert set(let_in) == {200}
    assert guarded.ask(TOKEN, path="/metrics") == 404


@pytest.mark.parametrize("controller", CONTROLLERS)
def test_without_the_service_that_is_asked_nobody_gets_in(guarded: Guarded, controller: str) -> None:
    _needs(guarded, controller)
    guarded.route(controller)
    with guarded.nobody_to_ask():
        seen = Counter(guarded.ask({**TOKEN, **way}) for way in ({}, {"x-bento-track": "green"}) for _ in range(10))
        print(f"\n{controller}: {dict(seen)}")
        assert all(500 <= status < 600 for status in seen), seen


@pytest.mark.parametrize("controller", ["nginx", "traefik"])
def test_a_large_body_is_refused_whoever_sends_it(guarded: Guarded, controller: str) -> None:
    _needs(guarded, controller)
    guarded.route(controller)
    assert Counter(guarded.ask(TOKEN, text="x" * 5000) for _ in range(10)) == {413: 10}
    assert guarded.ask({**TOKEN, "x-bento-track": "green"}, text="x" * 5000) == 413
    assert guarded.ask(text="x" * 5000) == {"nginx": 413, "traefik": 401}[controller], "the docs say which comes first"


def test_a_filter_that_is_gone_lets_nobody_in(guarded: Guarded) -> None:
    """Last: the object is the platform team's, and nothing here makes it again."""
    _needs(guarded, "gateway")
    guarded.route("gateway")
    run("kubectl", "delete", "middlewares.traefik.io/forward-auth", "-n", guarded.namespace)
    wait_until(lambda: guarded.ask(TOKEN) != 200, "nobody is let in")
    seen = Counter(guarded.ask({**TOKEN, **way}) for way in ({}, {"x-bento-track": "green"}) for _ in range(10))
    print(f"\nwithout the filter: {dict(seen)}")
    assert all(status >= 400 for status in seen), seen


def _needs(guarded: Guarded, controller: str) -> None:
    if controller not in guarded.settings.controllers:
        pytest.skip(f"CONTROLLERS does not name {controller}")
