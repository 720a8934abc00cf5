"""The chart with the generated prod values on a real cluster: every controller there splits 90/10, and what else it can do."""

from __future__ import annotations

import http.client
import json
import re
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from asking import TEXTS
from conftest import Settings, make_gateway, run
from kubernetes import client
from pytest_helm_charts.clusters import Cluster
from pytest_helm_charts.k8s.deployment import wait_for_deployments_to_run

APPLICATION = "support-ticket-intelligence"
ENVIRONMENT = "prod"
REQUESTS = 200
TRACKS = {"ticket_classifier:1.0.0": ("blue", "1.0.0"), "ticket_classifier:1.1.0": ("green", "1.1.0")}

TURNED_DOWN = """\
apiVersion: bento-gitops/v1
kind: Overrides
overrides:
  - config:
      services:
        SupportTicketIntelligence: {scaling: {min_replicas: 1, max_replicas: 2}, resources: {cpu: 100m}}
        EmbeddingRunner: {scaling: {min_replicas: 1, max_replicas: 2}, resources: {cpu: 100m}}
        ClassifierRunner: {scaling: {min_replicas: 1, max_replicas: 2}, resources: {cpu: 50m}}
    reason: a cluster of one small node
    owner: tests
    expires: 2099-01-01T00:00:00Z
"""
RULES = {
    "acme-stays": {"match": {"tenant": ["acme", "hooli"]}, "track": "stable", "precedence": 1},
    "swiss-batches-first": {"match": {"country": ["CH"], "request_type": ["batch"]}, "track": "candidate"},
}
SWISS_BATCH = {"x-country": "CH", "x-request-type": "batch"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: Mapping[str, object]
    seconds: float

    @property
    def track(self) -> str:
        """By the model that answered; empty where none did."""
        return TRACKS.get(str(self.body.get("model_version")), ("", ""))[0]

    @property
    def named(self) -> tuple[str, str]:
        """The track and the bundle as the answer's headers have them."""
        return self.headers.get("x-bento-track", ""), self.headers.get("x-bento-bundle", "")


@dataclass
class Installed:
    """The application as it runs, behind one controller after the other."""

    settings: Settings
    fleet: Path
    namespace: str
    hostname: str = ""

    def route(self, controller: str, **said: object) -> None:
        """Puts the application behind a controller, and waits until it answers there by both tracks."""
        self.hostname = f"{APPLICATION}.{controller}.example.com"
        path = self.fleet / f"environments/{ENVIRONMENT}/environment.yaml"
        environment = yaml.safe_load(path.read_text())
        key, value = self.settings.gateway_pod_label
        proxy = {"namespace": self.settings.gateway_namespace, "pod_labels": {key: value}}
        facts = {
            "gateway": {"gateway": {"name": "smoke", **proxy}},
            "nginx": {"ingress_class": self.settings.ingress_class, "proxy": proxy},
            "traefik": {"proxy": proxy},
        }[controller]
        headers = {word: f"x-{word.replace('_', '-')}" for word in ("tenant", "country", "request_type")}
        hostname = self.hostname.replace(APPLICATION, "{application}")
        environment["routing"] = {"controller": controller, "hostname": hostname, "headers": headers, **facts}
        path.write_text(yaml.safe_dump(environment))
        config = self.fleet / f"environments/{ENVIRONMENT}/{APPLICATION}/config.yaml"
        known = yaml.safe_load(config.read_text())
        config.write_text(yaml.safe_dump({**known, "routing": {"timeout": "12s", **said}}))
        run("bento-gitops", "render", f"{ENVIRONMENT}/{APPLICATION}", cwd=self.fleet)
        self.helm("upgrade", "--install")
        wait_until(
            lambda: self.ask({"x-bento-track": "green"}).track == "green" and self.ask().status == 200, "both tracks answer"
        )

    def helm(self, *arguments: str) -> None:
        values = self.fleet / f"environments/{ENVIRONMENT}/{APPLICATION}/values.yaml"
        run("helm", *arguments, APPLICATION, self.fleet / "charts/bento-serving", "-n", self.namespace, "-f", values)

    def ask(self, headers: Mapping[str, str] | None = None, text: str = TEXTS[0], path: str = "/classify_ticket") -> Answer:
        url = urlsplit(self.settings.gateway_url)
        assert url.hostname
        connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=15)
        began = time.perf_counter()
        sent = {"Host": self.hostname, "Content-Type": "application/json", **(headers or {})}
        connection.request("POST", path, json.dumps({"tickets": [{"text": text}]}), sent)
        response = connection.getresponse()
        data = response.read()
        seconds = time.perf_counter() - began
        connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, found, json.loads(data) if response.status == 200 else {}, seconds)

    def ask_often(self, number: int = REQUESTS, headers: Mapping[str, str] | None = None) -> list[Answer]:
        return [self.ask(headers, TEXTS[each % len(TEXTS)]) for each in range(number)]


def wait_until(reached: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def installed(
    settings: Settings, kube_cluster: Cluster, api: client.ApiClient, digests: Mapping[str, str], fleet: Path, namespace: str
) -> Iterator[Installed]:
    """The pods of both tracks, ready; gone again when the tests end."""
    _fit_to_cluster(fleet, digests)
    make_gateway(api, settings, namespace, "smoke")
    application = Installed(settings, fleet, namespace)
    try:
        run("bento-gitops", "render", f"{ENVIRONMENT}/{APPLICATION}", cwd=fleet)
        began = time.monotonic()
        application.helm("upgrade", "--install")
        names = _deployments(namespace)
        assert len(names) == 6, names
        assert kube_cluster.kube_client
        wait_for_deployments_to_run(kube_cluster.kube_client, names, namespace, timeout_sec=180, missing_ok=False)
        print(f"\nready after {time.monotonic() - began:.1f} s")
        yield application
        _no_pod_restarted(namespace)
    finally:
        run("helm", "uninstall", APPLICATION, "-n", namespace, "--wait", "--timeout", "2m")
    assert _deployments(namespace) == []


@pytest.mark.parametrize("controller", ["gateway", "nginx", "traefik"])
def test_requests_are_split_by_the_weights_of_the_release(installed: Installed, controller: str) -> None:
    _needs(installed, controller)
    installed.route(controller)
    answers = installed.ask_often()
    split = Counter(answer.track for answer in answers)
    latency = sorted(answer.seconds * 1000 for answer in answers)
    p50, p95 = statistics.median(latency), latency[int(len(latency) * 0.95)]
    print(f"\n{controller}: {REQUESTS} answers: {dict(split)}; p50 {p50:.0f} ms, p95 {p95:.0f} ms")
    assert {answer.status for answer in answers} == {200}
    # A router that draws lots stays within 7 points of 10 % in all but one of a thousand runs.
    assert 0.03 * REQUESTS <= split["green"] <= 0.17 * REQUESTS, split
    assert {answer.track for answer in installed.ask_often(5, {"x-bento-track": "green"})} == {"green"}
    named = {(answer.track, answer.named) for answer in answers}
    if controller == "nginx":
        assert {name for _, name in named} == {("", "")}, "an Ingress cannot name the track: the docs say so"
    else:
        assert named == {(track, (track, bundle)) for track, bundle in TRACKS.values()}
        assert {answer.track for answer in installed.ask_often(5, {"x-bento-track": "blue"})} == {"blue"}


@pytest.mark.parametrize("controller", ["gateway", "traefik"])
def test_rules_decide_before_the_split_and_after_the_header(installed: Installed, controller: str) -> None:
    _needs(installed, controller)
    installed.route(controller, rules=RULES)
    for headers, track in (
        ({"x-tenant": "acme"}, "blue"),
        (SWISS_BATCH, "green"),
        ({**SWISS_BATCH, "x-tenant": "hooli"}, "blue"),
        ({**SWISS_BATCH, "x-tenant": "other"}, "green"),
        ({"x-tenant": "acme", "x-bento-track": "green"}, "green"),
        ({**SWISS_BATCH, "x-bento-track": "blue"}, "blue"),
    ):
        wait_until(lambda headers=headers, track=track: installed.ask(headers).track == track, f"{headers} lead to {track}")
        assert {answer.track for answer in installed.ask_often(20, headers)} == {track}, headers
    undecided = Counter(answer.track for answer in installed.ask_often(40, {"x-country": "CH"}))
    assert undecided["blue"] > undecided["green"] > 0, undecided


@pytest.mark.parametrize("controller", ["gateway", "nginx", "traefik"])
def test_no_stranger_makes_a_pod_keep_metrics_of_paths_that_he_invents(installed: Installed, controller: str) -> None:
    _needs(installed, controller)
    installed.route(controller)
    invented = ("/classify_ticket/any", "/classify_ticket/", "/classify_ticket/submit", "/any", "/metrics")
    assert {path: installed.ask(path=path).status for path in invented} == dict.fromkeys(invented, 404)
    if controller != "nginx":  # ingress-nginx passes on what it was asked for, as the docs say
        for path in ("/any/../classify_ticket", "//classify_ticket"):
            installed.ask(path=path)
    exposed = [_metrics(installed.namespace, track) for track, _ in TRACKS.values()]
    counted = {path for text in exposed for path in re.findall(r'_request_total\{[^}]*endpoint="([^"]*)"', text)}
    assert "/classify_ticket" in counted
    assert not [path for path in counted if re.search(r"any|//|/classify_ticket/", path)], counted


def test_verify_reaches_the_pods_themselves_and_finds_them_as_they_should_be(installed: Installed) -> None:
    path = installed.fleet / f"environments/{ENVIRONMENT}/environment.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "namespace": installed.namespace}))
    for file in (installed.fleet / "examples/support_ticket_intelligence/verification").glob("*.yaml"):
        # How fast this node is, is not asked here.
        file.write_text(re.sub(r"(?m)^ *within: .*\n", "", file.read_text()))
    told = json.loads(
        run("bento-gitops", "verify", f"{ENVIRONMENT}/{APPLICATION}", "--times", "2", "--json", cwd=installed.fleet)
    )
    found = {one["name"]: one["outcome"] for one in told["verification"]["checks"]}
    assert found.pop("latency/p95") == "not looked", "too few answers for it: how fast this node is, is not asked here"
    apart = [str(one) for one in told["verification"]["checks"] if found.get(one["name"], "passed") != "passed"]
    assert not apart, "\n".join(apart)
    assert (told["verification"]["track"], told["verification"]["bundle"]) == ("green", "1.1.0")
    assert {"bundle/EmbeddingRunner", "dependency/EmbeddingRunner", "same/refund-request"} <= found.keys()


@pytest.mark.parametrize("controller", ["nginx", "traefik"])
def test_a_body_above_the_limit_is_refused(installed: Installed, controller: str) -> None:
    _needs(installed, controller)
    installed.route(controller, max_body="4k")
    wait_until(lambda: installed.ask(text="x" * 5000).status == 413, "a large body is refused")
    assert installed.ask().status == 200


def test_traefik_mirrors_a_percent_to_the_candidate_and_answers_none_of_it(installed: Installed) -> None:
    _needs(installed, "traefik")
    installed.route("traefik")
    seen = _requests_seen(installed.namespace, "green")
    installed.route("traefik", mirror={"track": "candidate", "percent": 15})
    wait_until(lambda: _mirrors(installed, seen), "a copy arrives")
    before = _settled(installed.namespace)
    answers = installed.ask_often()
    answered = Counter(answer.track for answer in answers)["green"]
    wait_until(
        lambda: _requests_seen(installed.namespace, "green") - before >= answered + 0.15 * REQUESTS - 1, "all copies arrive"
    )
    copied = _settled(installed.namespace) - before - answered
    print(f"\nmirror: {REQUESTS} requests, {answered} answered by green, {copied} copied to it")
    assert {answer.status for answer in answers} == {200}
    assert abs(copied - 0.15 * REQUESTS) <= 1
    assert 0.03 * REQUESTS <= answered <= 0.17 * REQUESTS


def test_traefik_keeps_a_client_on_its_track(installed: Installed) -> None:
    _needs(installed, "traefik")
    installed.route("traefik", sticky={"cookie": "bento-track", "max_age": "1h"})
    by_track: dict[str, str] = {}

    def both_met() -> bool:
        answer = installed.ask()
        if "set-cookie" in answer.headers:
            by_track[answer.track] = answer.headers["set-cookie"].partition(";")[0]
        return set(by_track) == {"blue", "green"}

    wait_until(both_met, "a client of each track")
    for track, cookie in by_track.items():
        assert {answer.track for answer in installed.ask_often(20, {"Cookie": cookie})} == {track}


@pytest.mark.parametrize("controller", ["gateway", "nginx", "traefik"])
def test_closed_routes_answer_nobody(installed: Installed, controller: str) -> None:
    _needs(installed, controller)
    installed.route(controller)
    values = installed.fleet / f"environments/{ENVIRONMENT}/{APPLICATION}/values.yaml"
    open_again = values.read_text()
    values.write_text(open_again.replace("routing:\n", "routing:\n  closed: true\n"))
    installed.helm("upgrade")
    values.write_text(open_again)
    for headers in ({}, {"x-bento-track": "green"}):
        wait_until(lambda headers=headers: installed.ask(headers).status == 404, f"the route for {headers} is gone")


def test_a_runner_answers_the_components_of_its_own_track_only(installed: Installed) -> None:
    """A runner takes pickle: whoever reaches it runs code in it."""
    if not installed.settings.enforces_network_policies:
        pytest.skip("set NETWORK_POLICY=enforced where the cluster enforces network policies")

    def reaches(source: str, target: str) -> bool:
        connect = f"import socket; socket.create_connection(({target!r}, 3000), 3)"
        try:
            run("kubectl", "exec", "-n", installed.namespace, f"deploy/{APPLICATION}-{source}", "--", "python", "-c", connect)
        except AssertionError as error:
            assert "timed out" in str(error) or "refused" in str(error), error
            return False
        return True

    api, runner = "support-ticket-intelligence", "embedding-runner"
    tried = {
        (source, target): reaches(source, f"{APPLICATION}-{target}")
        for source in (f"blue-{api}", f"green-{api}", "blue-classifier-runner")
        for target in (f"blue-{runner}", f"green-{runner}")
    }
    allowed = {pair for pair, reached in tried.items() if reached}
    assert allowed == {(f"blue-{api}", f"blue-{runner}"), (f"green-{api}", f"green-{runner}")}, tried


def _needs(installed: Installed, controller: str) -> None:
    if controller not in installed.settings.controllers:
        pytest.skip(f"CONTROLLERS does not name {controller}")


def _fit_to_cluster(fleet: Path, digests: Mapping[str, str]) -> None:
    """The digests that the cluster's images have, and few pods."""
    for version, digest in digests.items():
        bundle = fleet / f"bundles/{APPLICATION}/{version}.yaml"
        bundle.write_text(re.sub(r"digest: sha256:[0-9a-f]{64}", f"digest: {digest}", bundle.read_text(), count=1))
    path = fleet / f"environments/{ENVIRONMENT}/environment.yaml"
    environment = yaml.safe_load(path.read_text())
    environment["live_min_replicas"] = 1
    environment["monitoring"]["operator"] = False  # the cluster may know none of its kinds
    path.write_text(yaml.safe_dump(environment))
    release = fleet / f"environments/{ENVIRONMENT}/{APPLICATION}/release.yaml"
    state = yaml.safe_load(release.read_text())
    state["since"] = "2026-01-01T00:00:00Z"
    state["tracks"]["green"].pop("floor", None)
    release.write_text(yaml.safe_dump(state))
    (fleet / f"environments/{ENVIRONMENT}/{APPLICATION}/overrides.yaml").write_text(TURNED_DOWN)


def _mirrors(installed: Installed, seen: int) -> bool:
    """Whether a request that blue answered was seen by green too."""
    answered = sum(answer.track == "green" for answer in installed.ask_often(10))
    return _settled(installed.namespace) - seen > answered


def _settled(namespace: str) -> int:
    """The requests that green has seen, once no more arrive."""
    seen = -1
    while (now := _requests_seen(namespace, "green")) != seen:
        seen = now
        time.sleep(0.5)
    return seen


def _requests_seen(namespace: str, track: str) -> int:
    """How many tickets requests a track's api has counted."""
    lines = _metrics(namespace, track).splitlines()
    counted = [line for line in lines if line.startswith("bentoml_service_request_total{") and "/classify_ticket" in line]
    return sum(int(float(line.rpartition(" ")[2])) for line in counted)


def _metrics(namespace: str, track: str) -> str:
    """What a track's api exposes."""
    get = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:3000/metrics').read().decode())"
    return run("kubectl", "exec", "-n", namespace, f"deploy/{APPLICATION}-{track}-{APPLICATION}", "--", "python", "-c", get)


def _deployments(namespace: str) -> list[str]:
    """By name, what is installed."""
    found = json.loads(run("kubectl", "get", "deployments", "-n", namespace, "-o", "json"))
    return [deployment["metadata"]["name"] for deployment in found["items"]]


def _no_pod_restarted(namespace: str) -> None:
    found = json.loads(run("kubectl", "get", "pods", "-n", namespace, "-o", "json"))
    restarts = {
        pod["metadata"]["name"]: sum(container["restartCount"] for container in pod["status"].get("containerStatuses", []))
        for pod in found["items"]
    }
    assert not any(restarts.values()), restarts
