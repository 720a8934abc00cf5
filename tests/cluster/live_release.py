"""A released application on a real cluster: an operator at a clone, a cluster that follows every commit, clients that ask."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from asking import Asked, Clients, percentile, split
from bento_gitops.model.base import timestamp
from conftest import ROOT, Settings, make_gateway, run
from following import Follower
from git_repositories import SETTINGS, Repository, new_origin
from kubernetes import client, config
from observing import Cluster

APPLICATION = "support-ticket-intelligence"
TARGET = f"prod/{APPLICATION}"
FOLDER = f"environments/{TARGET}"
BUNDLES = f"bundles/{APPLICATION}"
KEPT = timedelta(hours=1)
ASKED = 60
"""Requests by which a split is judged."""
SLOWEST = 30
"""Seconds from a push until the bad track answers nobody any more: about two of them are needed, but the machine may be busy."""

APPLICATION_FILE = """\
apiVersion: bento-gitops/v1
kind: Application
"""
# The numbers of pods follow the load within a minute, so that pods of live tracks leave and come during all of it. A p95 of a few
# requests on a busy machine says little: only a candidate that is far slower than stable is taken back for it.
ENVIRONMENT = """\
apiVersion: bento-gitops/v1
kind: Environment
namespace: NAMESPACE
cluster: CLUSTER
routing:
  controller: gateway
  gateway: {name: releases, namespace: GATEWAY_NAMESPACE, pod_labels: {LABEL: VALUE}}
  hostname: "{application}.releases.example.com"
registries: [registry.example.com/ml]
live_min_replicas: 1
defaults:
  rollout:
    steps: [10, 50, 100]
    interval: 5s
    standby: {keep: 1h, capacity: full}
    analysis: {min_requests: 5, p95_over_stable: 20}
  roles:
    api: {scaling: {min_replicas: 2, max_replicas: 3, scale_down_stabilization_window: 30}}
    runner: {scaling: {min_replicas: 1, max_replicas: 2, scale_down_stabilization_window: 30}}
"""
CONFIG = """\
apiVersion: bento-gitops/v1
kind: Config
routing: {timeout: 15s}
services:
  SupportTicketIntelligence: {resources: {cpu: 100m}, envs: {LOG_LEVEL: info}}
  EmbeddingRunner: {resources: {cpu: 100m}, envs: {LOG_LEVEL: info}}
  ClassifierRunner: {resources: {cpu: 50m}, envs: {LOG_LEVEL: info}}
"""


@dataclass
class Live:
    """An operator at a clone, the cluster that follows it, and the clients that must not notice."""

    clone: Repository
    follower: Follower
    cluster: Cluster
    clients: Clients
    desk: Path
    ahead: timedelta = timedelta()
    """How far the operator's clock is: waiting for the end of a standby takes no hour here."""
    told: list[str] = field(default_factory=list[str])
    restarts: dict[str, int] = field(default_factory=dict[str, int])
    """By pod."""

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def say(self, words: str) -> None:
        self.told.append(words)
        print(f"{time.strftime('%H:%M:%S')}  {words}", flush=True)

    def change(self, *arguments: str) -> dict[str, Any]:
        """A changing command, pushed and applied; what it tells."""
        began = time.time()
        text = run("bento-gitops", "-C", self.clone.root, *arguments, "--push", "--json", "--now", timestamp(self.now()))
        pushed = time.time()
        told: dict[str, Any] = json.loads(text)
        if told["changed"]:
            applied = self.follower.wait()
            self.say(
                f"{told['transition']}: {told['says']}  (command {pushed - began:.1f} s, applied {applied - pushed:.1f} s later)"
            )
        return told

    def seen_at(self) -> float:
        """When the commit of the last change was in the remote repository."""
        return self.follower.seen[self.follower.remote.git("rev-parse", "main")]

    def observation(self, since: float | None = None, **instead: Any) -> str:
        """A file with what the cluster shows now; the measurements are of requests since that moment."""
        asked = self.clients.since(time.time() - 60 if since is None else since)
        measured = {track: [one for one in asked if one.track == track] for track in sorted(split(asked)) if track}
        window = f"{max(1, round(time.time() - asked[0].began)) if asked else 1}s"
        seen = self.cluster.observe(self.now(), measured, window) | instead
        for pod in self.cluster.pods():
            for container in pod.status.container_statuses or []:
                self.restarts[pod.metadata.name] = container.restart_count
        file = self.desk / "observation.json"
        file.write_text(json.dumps(seen))
        return str(file)

    def step(self, since: float | None = None, **instead: Any) -> dict[str, Any]:
        """`canary step` by what the cluster shows."""
        return self.change("canary", "step", TARGET, "--observation", self.observation(since, **instead))

    def steps_until(self, *transitions: str, since: float | None = None, seconds: float = 180) -> dict[str, Any]:
        """Steps until one of them is one of these; it."""
        end, said = time.monotonic() + seconds, ""
        while time.monotonic() < end:
            told = self.step(since)
            if told["transition"] in transitions:
                return told
            assert told["transition"] != "abort", told["says"]
            if told["transition"] == "hold" and told["says"] != said:
                said = told["says"]
                self.say(f"hold: {said}")
            time.sleep(0.5)
        raise AssertionError(f"no {' or '.join(transitions)} within {seconds} s; it waits: {said}")

    def release(self) -> dict[str, Any]:
        return yaml.safe_load((self.clone.root / FOLDER / "release.yaml").read_text())

    def split_is(self, **percent: int) -> float:
        """Waits for enough requests at these weights, and compares; the moment from which on they are the answers' shares."""
        self.until(
            lambda: self.cluster.weights() == {**dict.fromkeys(self.release()["tracks"], 0), **percent}, "the route is live"
        )
        zero = {track for track, weight in percent.items() if weight == 0}
        began = self.until(lambda: not zero & set(split(self.clients.since(time.time() - 1))), "the route is everywhere")
        began += 1  # a router takes a moment to follow a route that it has accepted
        self.until(lambda: len(self.clients.since(began)) >= ASKED, "enough requests")
        found, number = split(self.clients.since(began)), len(self.clients.since(began))
        self.say(f"split of {number} requests: {dict(found)}, wanted {percent}")
        for track, weight in percent.items():
            # Four times the deviation of a router that draws lots.
            tolerance = 4 * (weight * (100 - weight) / number) ** 0.5
            assert abs(100 * found[track] / number - weight) <= tolerance, (found, percent)
        return began

    def until(self, reached: Callable[[], bool], what: str, seconds: float = 60) -> float:
        end = time.monotonic() + seconds
        while not reached():
            assert time.monotonic() < end, f"not within {seconds} s: {what}"
            time.sleep(0.2)
        return time.time()

    def quiet(self, track: str, since: float, what: str) -> None:
        """The track answers nobody any more; tells how long after a moment its last answer came."""
        self.until(lambda: self._answered(track, time.time() - 5) == [], f"{track} answers nobody", SLOWEST + 10)
        late = self._answered(track, since)
        last = max((asked.ended for asked in late), default=since)
        self.say(f"{what}: the last answer of {track} came {last - since:.1f} s after the push ({len(late)} answers since)")
        assert last - since < SLOWEST

    def remove_standby(self) -> None:
        """An hour later `canary step` removes what is not needed any more, and its pods go."""
        gone = set(self.release()["tracks"]) - {self.release()["stable"]}
        self.ahead += KEPT + timedelta(minutes=6)
        self.steps_until("retire-standby")
        assert set(self.release()["tracks"]) == {self.release()["stable"]}
        for track in sorted(gone):
            self.until(lambda track=track: list(self.cluster.pods(track)) == [], f"the pods of {track} are gone", 120)
        assert set(self.cluster.tracks()) == {self.release()["stable"]}

    def _answered(self, track: str, since: float) -> list[Asked]:
        return [asked for asked in self.clients.since(since - 30) if asked.ended >= since and asked.track == track]


@pytest.fixture
def live(
    settings: Settings,
    api: client.ApiClient,
    digests: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Live]:
    """A repository of its own, with nothing released yet, and a cluster that follows it."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "gitconfig").write_text(SETTINGS)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    namespace = f"releases-{os.urandom(3).hex()}"
    core = client.CoreV1Api(api)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=namespace, labels=labels)))
    cluster = Cluster(api, config.list_kube_config_contexts()[1]["context"]["cluster"], namespace, APPLICATION)
    make_gateway(api, settings, namespace, "releases")
    origin = new_origin(tmp_path, files_of(settings, digests, namespace, cluster.name))
    (tmp_path / "applied").mkdir()
    follower = Follower(origin, "prod", APPLICATION, namespace, tmp_path / "applied")
    clients = Clients(settings.gateway_url, f"{APPLICATION}.releases.example.com")
    follower.start()
    try:
        yield Live(origin.clone("olivia"), follower, cluster, clients, tmp_path)
    finally:
        clients.stop()
        follower.stop()
        core.delete_namespace(namespace)


def files_of(settings: Settings, digests: Mapping[str, str], namespace: str, cluster: str) -> dict[str, str]:
    """The repository: the example's bundles with the digests that the cluster has, and one environment."""
    label, value = settings.gateway_pod_label
    environment = ENVIRONMENT
    for word, meant in (
        ("GATEWAY_NAMESPACE", settings.gateway_namespace),
        ("NAMESPACE", namespace),
        ("CLUSTER", cluster),
        ("LABEL", label),
        ("VALUE", value),
    ):
        environment = environment.replace(word, meant)
    files = {
        ".gitignore": (ROOT / ".gitignore").read_text(),
        f"applications/{APPLICATION}.yaml": APPLICATION_FILE,
        "environments/prod/environment.yaml": environment,
        f"{FOLDER}/config.yaml": CONFIG,
    }
    for version, digest in digests.items():
        path = f"{BUNDLES}/{version}.yaml"
        files[path] = with_digest((ROOT / path).read_text(), digest)
    for folder in ("charts/bento-serving", "schemas/custom-resources"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file():
                files[str(file.relative_to(ROOT))] = file.read_text()
    return files


def with_digest(bundle: str, digest: str) -> str:
    changed, number = re.subn(r"digest: sha256:[0-9a-f]{64}", f"digest: {digest}", bundle, count=1)
    assert number == 1, bundle
    return changed


def push(live: Live, message: str, files: Mapping[str, str]) -> None:
    """What a merged pull request is."""
    live.clone.git("pull", "--quiet", "--ff-only")
    live.clone.commit(message, files)
    live.clone.git("push", "--quiet", "origin", "HEAD:main")
    live.follower.wait()


def tell(live: Live, asked: Sequence[Asked], seconds: float) -> None:
    print(f"\n{len(asked)} requests in {seconds:.0f} s, {sum(not one.good for one in asked)} without an answer")
    for one in asked:
        if not one.good:
            print(f"  {time.strftime('%H:%M:%S', time.localtime(one.began))} {one}")
    if asked:
        shares = ", ".join(f"{track or 'nobody'} {number}" for track, number in sorted(split(asked).items()))
        p50, p95, most = (percentile(asked, percent) for percent in (50, 95, 100))
        print(f"answers: {shares}; p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, slowest {most:.1f} s")
    print(f"pods seen: {len(live.restarts)}, restarts: {sum(live.restarts.values())}")
