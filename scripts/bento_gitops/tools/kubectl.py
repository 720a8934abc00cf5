"""kubectl: what the cluster of a kubeconfig has, as objects, and ways to the ports of its pods."""

from __future__ import annotations

import json
import queue
import re
import subprocess
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from bento_gitops.checking.objects import Json, Map, maps
from bento_gitops.model.problem import ToolFailed
from bento_gitops.tools.ending import ended_by_signals

_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ->")
_NOWHERE = b"localhost:8080 was refused"
"""kubectl's default: what it asks where no kubeconfig says anything else."""
_PATIENCE = 20.0
"""Seconds until a way to a pod must be open."""


class NoCluster(ToolFailed):
    """No kubeconfig names a cluster."""


def custom_resource_definitions(kubectl: Path) -> list[Map]:
    """The cluster's CustomResourceDefinitions.

    Raises ToolFailed with what kubectl said.
    """
    return _listed(kubectl, ["customresourcedefinitions.apiextensions.k8s.io"], None)


def objects(kubectl: Path, kind: str, namespace: str, selector: str, context: str | None) -> list[Map]:
    """The objects of a kind (services, pods) in a namespace that have certain labels.

    Raises ToolFailed with what kubectl said.
    """
    return _listed(kubectl, [kind, f"--namespace={namespace}", f"--selector={selector}"], context)


def _listed(kubectl: Path, what: Sequence[str], context: str | None) -> list[Map]:
    command = [str(kubectl), "get", *what, *_in(context), "--output=json", "--request-timeout=30s"]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolFailed(f"kubectl does not answer: {error}") from None
    if ran.returncode != 0 and _NOWHERE in ran.stderr:
        todo = "set KUBECONFIG, or name a context of it with --context"
        raise NoCluster(f"there is no cluster to look at: kubectl finds none in {_called(context)}; {todo}")
    if ran.returncode != 0:
        raise ToolFailed(f"the cluster of {_called(context)} does not answer: {_last(ran.stderr)}")
    answer = cast(Json, json.loads(ran.stdout))
    return maps(answer.get("items")) if isinstance(answer, dict) else []


def _in(context: str | None) -> list[str]:
    return [f"--context={context}"] if context else []


def _called(context: str | None) -> str:
    return f"context {context}" if context else "the current kubeconfig"


def _last(said: bytes) -> str:
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "kubectl said nothing"


@contextmanager
def forwarded(kubectl: Path, namespace: str, pods: Sequence[tuple[str, int]], context: str | None) -> Generator[tuple[int, ...]]:
    """Loopback ports, chosen by the system, that lead to these pods' ports (name, port), in the same order, while it lasts.

    A way goes through the API server and the pod's own node, so no network policy stands in it. Each is a process, which ends
    with this in every case. Raises ToolFailed where a way cannot be opened, or ended by itself, with what kubectl said: what was
    asked through it then says nothing of the pod.
    """
    started: list[_Way] = []
    end = time.monotonic() + _PATIENCE
    with ended_by_signals():
        try:
            for pod, port in pods:
                command = [str(kubectl), "port-forward", "--address=127.0.0.1", f"--namespace={namespace}", *_in(context)]
                started.append(_Way(pod, [*command, f"pod/{pod}", f":{port}"]))
            yield tuple(way.port(end) for way in started)
            for way in started:
                way.require_open()
        finally:
            for way in started:
                way.process.terminate()
            for way in started:
                way.ended()


class _Way:
    """A process that forwards a loopback port to a pod's."""

    def __init__(self, pod: str, command: Sequence[str]) -> None:
        self.pod = pod
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
            )
        except OSError as error:
            raise ToolFailed(f"kubectl does not run: {error}") from None
        self._told: queue.SimpleQueue[int | str] = queue.SimpleQueue()
        # It says a line for each connection, and would stop at a full pipe: somebody must read them all.
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        last = ""
        for line in self.process.stdout:
            found = _FORWARDING.match(line)
            if found:
                self._told.put(int(found[1]))
            last = line.strip() or last
        self._told.put(last or "kubectl said nothing")

    def port(self, end: float) -> int:
        """The loopback port, which kubectl tells once it listens on it. Raises ToolFailed."""
        try:
            told = self._told.get(timeout=max(0.0, end - time.monotonic()))
        except queue.Empty:
            told = f"not open after {_PATIENCE:.0f} s"
        if isinstance(told, str):
            raise ToolFailed(f"kubectl port-forward pod/{self.pod}: {told}")
        return told

    def require_open(self) -> None:
        """Raises ToolFailed where the way ended by itself."""
        if self.process.poll() is None:
            return
        self._reader.join(5)
        said = [told for told in iter(lambda: None if self._told.empty() else self._told.get(), None) if isinstance(told, str)]
        why = said[-1] if said else "kubectl said nothing"
        raise ToolFailed(
            f"the way to pod/{self.pod} ended while it was asked ({why}); nothing is known of its answers, ask again"
        )

    def ended(self) -> None:
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._reader.join(5)
        if self.process.stdout:
            self.process.stdout.close()
