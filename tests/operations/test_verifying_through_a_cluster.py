"""`verify` without addresses: which pods it reaches through kubectl, when it refuses, and that no process outlives it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.model.problem import ToolFailed
from bento_gitops.operations import reaching
from bento_gitops.tools import kubectl as tool
from commands import called
from kubectl_stand_in import Kubectl, pod, service, stand_in
from track_stand_in import API, RUNNERS, Track, running

APP, PROD = "support-tickets", "prod/support-tickets"
CHECKS = """\
apiVersion: bento-gitops/v1
kind: Verification
checks:
  refund:
    request: {method: POST, path: /classify_ticket, body: {text: refund}}
    expect: {status: 200, json: {/label: {equals: billing}}}
    compare: {/label: {}}
"""


class World:
    """The fleet's application on a cluster: stable blue and candidate green, a pod of each component."""

    def __init__(self, fleet: Any, kubectl: Kubectl, green: Track, blue: Track) -> None:
        self.fleet, self.kubectl, self.green, self.blue = fleet, kubectl, green, blue
        self.environment = "prod"
        self.pods: dict[str, list[dict[str, Any]]] = {}
        self.ports: dict[str, int] = {}
        for track in ("green", "blue"):
            for name in (API, *RUNNERS):
                self.add_pod(track, name)

    def service(self, track: str, name: str) -> dict[str, Any]:
        bundle = {"green": "1.1.0", "blue": "1.0.0"}[track]
        return service(APP, track, name, bundle=bundle, environment=self.environment)

    def add_pod(self, track: str, name: str, *, port: int | None = None, **status: Any) -> None:
        key = f"{track}-{name}"
        own = f"{key.lower()}-{len(self.pods.get(key, []))}"
        self.pods.setdefault(key, []).append(pod(own, self.service(track, name), **status))
        address = {"green": self.green, "blue": self.blue}[track].addresses[name]
        self.ports[own] = port if port is not None else int(address.rpartition(":")[2])

    def verify(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        services = [self.service(track, name) for track in ("green", "blue") for name in (API, *RUNNERS)]
        self.kubectl.knows(services=services, pods=[one for pods in self.pods.values() for one in pods], ports=self.ports)
        ran = called(self.fleet.root, "verify", PROD, "--times", "2", *arguments)
        assert ran.returncode == code, ran.stdout + ran.stderr
        assert self.kubectl.left() == []
        return ran

    def outcomes(self, *arguments: str, code: int = 0) -> dict[str, tuple[str, str]]:
        found = json.loads(self.verify(*arguments, "--json", code=code).stdout)["verification"]["checks"]
        return {one["name"]: (one["outcome"], one["found"]) for one in found}

    def forwarded(self) -> list[str]:
        """The pods to which ways were opened, in order."""
        words = [arguments for arguments in self.kubectl.asked() if arguments[0] == "port-forward"]
        return sorted(word for arguments in words for word in arguments if word.startswith("pod/"))


@pytest.fixture
def world(fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    file = "applications/support-tickets.yaml"
    fleet.put(file, fleet.text(file) + "verification: checks\n")
    fleet.put("checks/tickets.yaml", CHECKS)
    kubectl = stand_in(tmp_path / "kubectl")
    monkeypatch.setattr(reaching.binaries, "find", lambda name: kubectl.program)
    with ExitStack() as stack:
        green, blue = (stack.enter_context(running(version)) for version in ("1.1.0", "1.0.0"))
        yield World(fleet, kubectl, green, blue)


def test_the_pods_of_the_track_and_the_stable_api_are_reached(world: World) -> None:
    found = world.outcomes()
    assert {outcome for outcome, _ in found.values()} == {"passed"}, found
    assert found["same/refund"] == ("passed", "as stable answers")
    assert world.forwarded() == [
        "pod/blue-supporttickets-0",
        "pod/green-classifierrunner-0",
        "pod/green-embeddingrunner-0",
        "pod/green-supporttickets-0",
    ]
    assert all("--namespace=tickets-prod" in arguments for arguments in world.kubectl.asked())
    assert not any(word.startswith("--context") for arguments in world.kubectl.asked() for word in arguments)


def test_without_a_name_it_is_the_context_that_is_called_as_the_environment_s_cluster(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts = [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("laptop", "prod-cluster")]
    file = tmp_path / "kubeconfig"
    clusters = [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}]
    users = [{"name": "u", "user": {}}]
    file.write_text(json.dumps({"current-context": "laptop", "contexts": contexts, "clusters": clusters, "users": users}))
    monkeypatch.setenv("KUBECONFIG", str(file))
    world.verify()
    assert all("--context=prod-cluster" in arguments for arguments in world.kubectl.asked())


def test_the_context_is_the_one_that_was_named(world: World) -> None:
    world.verify("--context", "prod-eu")
    assert all("--context=prod-eu" in arguments for arguments in world.kubectl.asked())


def test_every_ready_pod_is_looked_at_and_those_that_come_or_go_are_not(world: World) -> None:
    world.add_pod("green", "EmbeddingRunner")
    world.add_pod("green", "EmbeddingRunner", port=1, ready=False)
    world.add_pod("green", "EmbeddingRunner", port=1, gone=True)
    world.add_pod("green", "EmbeddingRunner", port=1, phase="Pending")
    assert world.outcomes()["ready/EmbeddingRunner"] == ("passed", "2 of its pods")


def test_where_no_pod_is_ready_the_one_that_runs_tells_why(world: World) -> None:
    world.pods["green-EmbeddingRunner"] = []
    world.add_pod("green", "EmbeddingRunner", ready=False)
    world.green["EmbeddingRunner"].ready = 503
    found = world.outcomes(code=4)
    assert found["ready/EmbeddingRunner"][1].startswith("/readyz answers 503")


def test_a_component_without_pods_fails(world: World) -> None:
    world.pods["green-EmbeddingRunner"] = []
    assert world.outcomes(code=4)["ready/EmbeddingRunner"] == ("failed", "it has no running pod")


def test_of_many_pods_some_are_looked_at_and_it_is_said(world: World) -> None:
    for _ in range(reaching.MOST + 1):
        world.add_pod("green", "EmbeddingRunner")
    assert world.outcomes()["ready/EmbeddingRunner"] == ("passed", f"{reaching.MOST} of {reaching.MOST + 2} of its pods")


def test_a_cluster_of_another_environment_is_refused(world: World) -> None:
    world.environment = "staging"
    told = world.verify("--context", "staging", code=4).stderr
    assert (
        "SupportTickets: Service support-tickets-green-support-tickets in namespace tickets-prod of context staging is of another"
        " environment (found staging); name the context of the right cluster: --context"
    ) in told
    assert world.forwarded() == []


def test_a_cluster_without_the_services_is_refused(world: World) -> None:
    world.kubectl.knows(services=[], pods=[])
    ran = called(world.fleet.root, "verify", PROD)
    assert ran.returncode == 4
    assert (
        "there is no Service support-tickets-green-embedding-runner in namespace tickets-prod of the current context"
        in ran.stderr
    )


def test_a_cluster_that_does_not_answer_is_an_error_with_kubectl_s_words(world: World) -> None:
    world.kubectl.knows(says={"get": "Unable to connect to the server: EOF"})
    assert "the current kubeconfig does not answer: Unable to connect to the server: EOF" in world.verify(code=5).stderr


def test_without_a_kubeconfig_it_is_said_what_to_set(world: World) -> None:
    refused = "The connection to the server localhost:8080 was refused - did you specify the right host or port?"
    world.kubectl.knows(says={"get": refused})
    assert (
        "there is no cluster to look at: kubectl finds none in the current kubeconfig; "
        "set KUBECONFIG, or name a context of it with --context; or say where it answers: --url"
    ) in world.verify(code=5).stderr


def test_a_way_that_does_not_open_is_an_error_and_the_others_end(world: World) -> None:
    del world.ports["green-embeddingrunner-0"]
    told = world.verify(code=5).stderr
    assert (
        'port-forward pod/green-embeddingrunner-0: Error from server (NotFound): pods "green-embeddingrunner-0" not found' in told
    )


def test_a_way_that_ends_while_it_is_used_is_no_evidence_against_the_pod(tmp_path: Path) -> None:
    kubectl = stand_in(tmp_path / "kubectl")
    kubectl.knows(ports={"one": 1, "two": 2}, losing=["two"])
    wrong = r"the way to pod/two ended while it was asked \(error: lost connection to pod\); nothing is known of its answers"
    with pytest.raises(ToolFailed, match=wrong), tool.forwarded(kubectl.program, "space", [("one", 1), ("two", 2)], None):
        end = time.monotonic() + 60
        while len(kubectl.left()) > 1 and time.monotonic() < end:
            time.sleep(0.02)
    assert kubectl.left() == []


def test_ways_end_with_a_cancelled_job(tmp_path: Path) -> None:
    kubectl = stand_in(tmp_path / "kubectl")
    kubectl.knows(ports={"one": 1})
    code = (
        "import sys, time; from pathlib import Path; from bento_gitops.tools import kubectl\n"
        "with kubectl.forwarded(Path(sys.argv[1]), 'space', [('one', 3000)], None) as ports:\n"
        "    print(*ports, flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, kubectl.program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as ran:
        assert ran.stdout
        assert ran.stdout.readline() == b"1\n"
        assert len(kubectl.left()) == 1
        os.kill(ran.pid, signal.SIGTERM)
        assert ran.wait(60) != 0
    assert kubectl.left() == []
