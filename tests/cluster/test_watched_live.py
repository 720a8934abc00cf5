"""The whole chain on a real cluster: pods, ServiceMonitor, Prometheus, recording rules, and `canary run` that decides by them."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from bento_gitops.model.settings import AlertName
from conftest import ROOT, Settings
from live_release import APPLICATION, BUNDLES, CONFIG, FOLDER, TARGET, Live, live, push, tell

__all__ = ["live"]

SLOW = "1.1.1"
STARVED = """\
rollout: {steps: [50, 100], interval: 1m, analysis: {min_requests: 60, p95_over_stable: 1.5}}
bundles:
  "%s":
    services:
      EmbeddingRunner: {resources: {cpu: 50m, limits: {cpu: 50m}}, probes: {startup: {failure_threshold: 120}}}
"""
"""A twentieth of a processor: one embedding takes most of a second where it takes some milliseconds else."""


@dataclass(frozen=True)
class Watched:
    """A released application, and the Prometheus that watches it."""

    live: Live
    prometheus: str

    def ask(self, path: str, **query: str) -> Any:
        with urlopen(f"{self.prometheus}/api/v1/{path}?{urlencode(query)}", timeout=20) as answer:
            return json.load(answer)["data"]

    def series(self, query: str) -> list[dict[str, Any]]:
        return self.ask("query", query=query)["result"]


@pytest.fixture
def watched(live: Live, settings: Settings) -> Watched:
    """1.0.0 runs, clients ask, and Prometheus has found it."""
    found = Watched(live, settings.prometheus_url)
    try:
        found.ask("status/buildinfo")
    except OSError as error:
        where = f"there is no Prometheus at {settings.prometheus_url} ({error})"
        pytest.fail(f"{where}; name it in PROMETHEUS_URL", pytrace=False)
    key, value = settings.prometheus_pod_label
    pods = f"{{namespace: {settings.prometheus_namespace}, pod_labels: {{{key}: {value}}}}}"
    environment = (live.clone.root / "environments/prod/environment.yaml").read_text()
    watching = f"monitoring: {{prometheus: {pods}, scrape_interval: 5s}}\n"
    push(live, "Prometheus", {"environments/prod/environment.yaml": environment + watching})
    live.change("promote", TARGET, "1.0.0")
    live.until(lambda: live.clients.ask("hello").good, "1.0.0 answers", 180)
    live.clients.start()
    chosen = f'{{application="{APPLICATION}",environment="prod",namespace="{live.cluster.namespace}"}}'
    rates = f"bento:requests:rate1m{chosen} > 0"
    live.until(lambda: len(found.series(rates)) == 3, "all three components have requests", 180)
    return found


def test_canary_run_brings_a_good_bundle_to_the_end_and_takes_a_slow_one_back(watched: Watched) -> None:
    live = watched.live
    began = time.time()
    try:
        _every_series_says_whose_it_is(watched)
        _every_alert_is_known(watched)
        push(live, "A canary in two steps", {f"{FOLDER}/config.yaml": CONFIG + STARVED % SLOW})
        live.change("promote", TARGET, "1.1.0")
        _run(watched, 0)
        assert live.release()["tracks"][live.release()["stable"]]["bundle"] == "1.1.0"
        text = (live.clone.root / BUNDLES / "1.1.0.yaml").read_text().replace("1.1.0", SLOW)
        push(live, f"Bundle {SLOW}", {f"{BUNDLES}/{SLOW}.yaml": text})
        live.change("promote", TARGET, SLOW)
        _run(watched, 4)
        release = live.release()
        assert release["tracks"][release["stable"]]["bundle"] == "1.1.0"
        live.say(f"{SLOW} is held: {release['held'][SLOW]['reason']}")
        assert "p95" in release["held"][SLOW]["reason"]
    finally:
        live.clients.stop()
        tell(live, live.clients.since(began), time.time() - began)


def _run(watched: Watched, code: int) -> None:
    """`canary run` that looks at the cluster and at Prometheus by itself, until it ends."""
    live = watched.live
    command = [ROOT / ".venv/bin/bento-gitops", "-C", live.clone.root, "canary", "run", TARGET, "--push"]
    command += ["--every", "5", "--for", "12", "--prometheus", watched.prometheus]
    began = time.time()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=780, check=False)
    live.say(f"canary run ended with {done.returncode} after {time.time() - began:.0f} s:\n{done.stdout}{done.stderr}")
    assert done.returncode == code
    live.follower.wait()
    live.clone.git("pull", "--quiet", "--ff-only")


def _every_series_says_whose_it_is(watched: Watched) -> None:
    live, series = watched.live, watched.series
    mine = f'namespace="{live.cluster.namespace}"'
    up = series(f"up{{{mine}}}")
    labels = {"application", "environment", "track", "bundle", "component", "role", "pod", "namespace"}
    assert len(up) == len(list(live.cluster.pods())) and all(labels <= set(one["metric"]) for one in up), up
    probed = series(f"count by (endpoint) (bentoml_service_request_total{{{mine}}})")
    assert {one["metric"].get("endpoint") for one in probed} <= {"/classify_ticket", "/version", "/encode", "/predict_proba"}
    number = float(series(f"count({{{mine}}})")[0]["value"][1])
    live.say(f"{number:.0f} series of {len(up)} pods")


def _every_alert_is_known(watched: Watched) -> None:
    groups: Sequence[dict[str, Any]] = watched.ask("rules")["groups"]
    own = [rule for group in groups if group["name"].startswith(f"{APPLICATION}.") for rule in group["rules"]]
    assert {rule["name"] for rule in own if rule["type"] == "alerting"} == set(AlertName.__args__)
    wrong = [(rule["name"], rule["lastError"]) for rule in own if rule["health"] == "err"]
    assert wrong == []
    firing = [rule["name"] for rule in own if rule.get("state") == "firing"]
    assert firing == [], "nothing is wrong yet"
    watched.live.say(f"{len(own)} rules, none failing")
