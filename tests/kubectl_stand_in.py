"""A kubectl that knows the objects a test gives it, whose ways to pods lead to servers of the test; and what it was asked."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kubectl:
    """The program, and the folder where it keeps what it knows and what it was asked."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "kubectl"

    def knows(self, **what: Any) -> None:
        """services, pods: objects; ports: by pod; says: by verb, the error that it ends with; losing: pods to which a way ends at
        once."""
        file = self.folder / "knows.json"
        before = json.loads(file.read_text()) if file.exists() else {"services": [], "pods": [], "ports": {}, "says": {}}
        file.write_text(json.dumps(before | what))

    def asked(self) -> list[list[str]]:
        """The arguments of each call, in order."""
        return [json.loads(file.read_text())["arguments"] for file in sorted(self.folder.glob("asked-*"))]

    def left(self) -> list[int]:
        """Calls that still run."""
        pids = [json.loads(file.read_text())["pid"] for file in self.folder.glob("asked-*")]
        return [pid for pid in pids if _runs(pid)]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def stand_in(folder: Path) -> Kubectl:
    """Writes the program."""
    folder.mkdir()
    found = Kubectl(folder)
    found.program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{Path(__file__)}" "{folder}" "$@"\n')
    found.program.chmod(0o755)
    found.knows()
    return found


def service(application: str, track: str, name: str, *, bundle: str, environment: str) -> dict[str, Any]:
    """The Service of a component, as the chart has it."""
    from bento_gitops.model.names import component_name, object_name  # the program itself has no packages

    selector = {
        "bento-gitops/application": application,
        "bento-gitops/track": track,
        "bento-gitops/component": component_name(name),
        "bento-gitops/bundle": bundle,
    }
    labels = {**selector, "bento-gitops/environment": environment}
    return {"metadata": {"name": object_name(application, track, name), "labels": labels}, "spec": {"selector": selector}}


def pod(name: str, of: Mapping[str, Any], *, ready: bool = True, **status: Any) -> dict[str, Any]:
    """A pod behind a Service."""
    conditions = [{"type": "Ready", "status": str(ready)}]
    return {
        "metadata": {
            "name": name,
            "labels": of["metadata"]["labels"],
            **({"deletionTimestamp": "now"} if "gone" in status else {}),
        },
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 3000}]}]},
        "status": {"phase": status.get("phase", "Running"), "conditions": conditions},
    }


def _main(folder: Path, arguments: list[str]) -> int:
    number = time.time_ns()
    (folder / f"asked-{number}-{os.getpid()}").write_text(json.dumps({"pid": os.getpid(), "arguments": arguments}))
    knows = json.loads((folder / "knows.json").read_text())
    verb = arguments[0]
    if verb in knows["says"]:
        sys.stderr.write(knows["says"][verb] + "\n")
        return 1
    if verb == "get":
        (selector,) = [word.partition("=")[2] for word in arguments if word.startswith("--selector=")]
        wanted = dict(pair.split("=") for pair in selector.split(","))
        items = [one for one in knows[arguments[1]] if wanted.items() <= one["metadata"]["labels"].items()]
        json.dump({"items": items}, sys.stdout)
        return 0
    (name,) = [word.partition("/")[2] for word in arguments if word.startswith("pod/")]
    if name not in knows["ports"]:
        sys.stderr.write(f'Error from server (NotFound): pods "{name}" not found' + "\n")
        return 1
    sys.stdout.write(f"Forwarding from 127.0.0.1:{knows['ports'][name]} -> 3000\n")
    sys.stdout.flush()
    if name in knows.get("losing", []):
        sys.stderr.write("error: lost connection to pod" + "\n")
        return 1
    while True:
        # More than a pipe holds, if nobody reads it.
        sys.stdout.write("Handling connection for 40000\n" * 4000)
        sys.stdout.flush()
        time.sleep(60)


if __name__ == "__main__":
    sys.exit(_main(Path(sys.argv[1]), sys.argv[2:]))
