"""Releases on a real cluster while clients ask all the time: whatever comes and goes, every request is answered."""

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
STARTS_NEVER = "1.2.0"
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
    origin = new_origin(tmp_path, _files(settings, digests, namespace, cluster.name))
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


def test_no_request_is_lost_while_releases_come_and_go(live: Live) -> None:
    live.change("promote", TARGET, "1.0.0")
    live.until(lambda: live.clients.ask("hello").good, "1.0.0 answers", 180)
    live.clients.start()
    began = time.time()
    try:
        _a_canary_goes_all_the_way(live)
        _a_full_standby_takes_over_at_once(live)
        live.remove_standby()
        _a_candidate_that_never_starts_gets_no_request(live)
        live.remove_standby()
        _a_rollback_waits_for_pods(live, "none")
        live.remove_standby()
        _a_rollback_waits_for_pods(live, "cold")
        live.remove_standby()
        _bad_numbers_take_a_candidate_back(live)
        live.remove_standby()
    finally:
        live.clients.stop()
        _tell(live, live.clients.since(began), time.time() - began)
    asked = live.clients.since(began)
    assert [one for one in asked if not one.good] == []
    mixed = [one for one in asked if one.model != f"ticket_classifier:{one.bundle}"]
    assert mixed == [], "an answer names one bundle, and is another's"
    live.observation()
    assert not any(live.restarts.values()), live.restarts


def _a_canary_goes_all_the_way(live: Live) -> None:
    live.change("promote", TARGET, "1.1.0")
    for weight in (10, 50):
        assert live.steps_until("shift")["release"]["tracks"]["green"]["weight"] == weight
        live.split_is(blue=100 - weight, green=weight)
    assert live.steps_until("shift")["release"]["tracks"]["green"]["weight"] == 100
    live.split_is(green=100)
    live.steps_until("finish")
    release = live.release()
    assert (release["stable"], release["standby"]["track"], release["previous"]) == ("green", "blue", {"bundle": "1.0.0"})


def _a_full_standby_takes_over_at_once(live: Live) -> None:
    back = live.change("rollback", TARGET, "--reason", "wrong queues")
    assert back["release"]["stable"] == "blue", "one commit"
    live.quiet("green", live.seen_at(), "rollback to a full standby")
    live.split_is(blue=100)
    assert "1.1.0" in live.release()["held"]


def _a_candidate_that_never_starts_gets_no_request(live: Live) -> None:
    text = (live.clone.root / BUNDLES / "1.1.0.yaml").read_text().replace("1.1.0", STARTS_NEVER)
    _push(live, f"Bundle {STARTS_NEVER}", {f"{BUNDLES}/{STARTS_NEVER}.yaml": _with_digest(text, f"sha256:{'0' * 64}")})
    candidate = live.change("promote", TARGET, STARTS_NEVER)["release"]["candidate"]
    live.steps_until("prepare")
    live.until(lambda: _waits_for_its_image(live, candidate), "its pods wait for their image")
    for hours in (0, 1, 24):  # nothing but the pods decides, however long it takes
        live.ahead += timedelta(hours=hours)
        told: dict[str, Any] = {}
        for _ in range(3):
            told = live.step()
            assert (told["transition"], told["changed"]) == ("hold", False), told
            assert told["says"].startswith(f"waiting for pods of {candidate}: "), told
        live.say(f"hold, {hours} hours later: {told['says']}")
    began = time.time()
    live.change("canary", "abort", TARGET, "--reason", "it does not start")
    live.say(f"abort of a candidate that never started: applied {time.time() - began:.1f} s after the command began")
    assert STARTS_NEVER in live.release()["held"]
    live.split_is(blue=100)


def _a_rollback_waits_for_pods(live: Live, standby: str) -> None:
    """With the strategy blue-green: all requests at once, to pods that are ready. `standby`: "cold", or "none" any more."""
    plan = "rollout: {strategy: blue-green, standby: {keep: 1h, capacity: %s}}\n" % ("cold" if standby == "cold" else "full")
    _push(live, "Blue/green", {f"{FOLDER}/config.yaml": CONFIG + plan})
    live.change("unhold", TARGET, "1.1.0")
    old = live.release()["stable"]
    bad = live.change("promote", TARGET, "1.1.0")["release"]["candidate"]
    live.steps_until("shift")
    live.split_is(**{bad: 100})
    if standby == "cold":
        live.steps_until("record")
        live.ahead += timedelta(minutes=6)  # its pods go only when the last request to them is long past
    live.steps_until("finish")
    if standby == "cold":
        live.until(lambda: list(live.cluster.pods(old)) == [], f"{old} has no pods", 120)
    else:
        live.remove_standby()
    first = live.change("rollback", TARGET, "--reason", "wrong queues again")
    asked_at = live.seen_at()
    assert first["says"].startswith("1 of 2"), first
    live.steps_until("rollback")
    live.say(f"standby {standby}: the second part of the rollback was pushed {live.seen_at() - asked_at:.1f} s after the first")
    live.quiet(bad, live.seen_at(), f"rollback in two parts, standby {standby}")
    release = live.release()
    stable = release["stable"]
    assert (release["tracks"][stable]["bundle"], release["tracks"][stable]["weight"]) == ("1.0.0", 100)
    live.split_is(**{stable: 100})


def _bad_numbers_take_a_candidate_back(live: Live) -> None:
    _push(live, "A canary again", {f"{FOLDER}/config.yaml": CONFIG})
    live.change("unhold", TARGET, "1.1.0")
    candidate = live.change("promote", TARGET, "1.1.0")["release"]["candidate"]
    stable = live.release()["stable"]
    live.steps_until("shift")
    live.steps_until("shift")
    live.split_is(**{stable: 50, candidate: 50})
    _all_pods_are_replaced(live)
    since = live.split_is(**{stable: 50, candidate: 50})
    good = json.loads(Path(live.observation(since)).read_text())["analysis"]
    measured = good["tracks"][candidate]
    bad = {**good, "tracks": {**good["tracks"], candidate: {**measured, "errors": measured["requests"] // 2}}}
    told = live.step(since, analysis=bad)
    assert told["transition"] == "abort", told
    live.quiet(candidate, live.seen_at(), "abort for bad numbers")
    live.split_is(**{stable: 100})


def _all_pods_are_replaced(live: Live) -> None:
    """A change of settings in the middle of a canary restarts both tracks, api and runners."""
    before = {pod.metadata.name for pod in live.cluster.pods()}
    live.clone.git("pull", "--quiet", "--ff-only")
    live.clone.put(f"{FOLDER}/config.yaml", CONFIG.replace("LOG_LEVEL: info", "LOG_LEVEL: warning"))
    run("bento-gitops", "-C", live.clone.root, "render", TARGET)
    _push(live, "Quieter logs", {})
    began = time.time()
    live.until(lambda: not before & {pod.metadata.name for pod in live.cluster.pods()}, "all pods are new ones", 240)
    live.say(f"a change of settings replaced {len(before)} pods in {time.time() - began:.0f} s")


def _files(settings: Settings, digests: Mapping[str, str], namespace: str, cluster: str) -> dict[str, str]:
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
        files[path] = _with_digest((ROOT / path).read_text(), digest)
    for folder in ("charts/bento-serving", "schemas/custom-resources"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file():
                files[str(file.relative_to(ROOT))] = file.read_text()
    return files


def _with_digest(bundle: str, digest: str) -> str:
    changed, number = re.subn(r"digest: sha256:[0-9a-f]{64}", f"digest: {digest}", bundle, count=1)
    assert number == 1, bundle
    return changed


def _push(live: Live, message: str, files: Mapping[str, str]) -> None:
    """What a merged pull request is."""
    live.clone.git("pull", "--quiet", "--ff-only")
    live.clone.commit(message, files)
    live.clone.git("push", "--quiet", "origin", "HEAD:main")
    live.follower.wait()


def _waits_for_its_image(live: Live, track: str) -> bool:
    waiting = [
        status.state.waiting.reason
        for pod in live.cluster.pods(track)
        for status in pod.status.container_statuses or []
        if status.state.waiting
    ]
    return any(reason in ("ErrImagePull", "ImagePullBackOff") for reason in waiting)


def _tell(live: Live, asked: Sequence[Asked], seconds: float) -> None:
    print(f"\n{len(asked)} requests in {seconds:.0f} s, {sum(not one.good for one in asked)} without an answer")
    for one in asked:
        if not one.good:
            print(f"  {time.strftime('%H:%M:%S', time.localtime(one.began))} {one}")
    if asked:
        shares = ", ".join(f"{track or 'nobody'} {number}" for track, number in sorted(split(asked).items()))
        p50, p95, most = (percentile(asked, percent) for percent in (50, 95, 100))
        print(f"answers: {shares}; p50 {p50 * 1000:.0f} ms, p95 {p95 * 1000:.0f} ms, slowest {most:.1f} s")
    print(f"pods seen: {len(live.restarts)}, restarts: {sum(live.restarts.values())}")
