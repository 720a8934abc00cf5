"""A built Bento whose Python is a stand-in: a server with the arguments and metrics of BentoML's, as fast as a test says.

It starts a worker in a session of its own, as BentoML does, and writes down what it was started with for the test to read.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("bento_stand_in_server.py")

MANIFEST = """\
name: support_tickets
version: {version}
bentoml_version: 1.4.39
entry_service: SupportTickets
models: [{{tag: "encoder:1"}}]
envs: [{{name: IN_THE_IMAGE, value: "yes"}}]
"""


@dataclass(frozen=True)
class StandIn:
    """A Bento that runs nothing of BentoML."""

    folder: Path
    python: Path
    home: Path
    _started: Path

    def started(self) -> list[dict[str, Any]]:
        """What each process was started with."""
        return [json.loads(file.read_text()) for file in sorted(self._started.iterdir())]

    def left(self) -> list[int]:
        """Processes that still run, workers too."""
        return [number for one in self.started() for number in (one["pid"], one["worker"]) if _runs(number)]


def stand_in(folder: Path, version: str, **behaviour: dict[str, Any]) -> StandIn:
    """`behaviour` by service: ends (exit code at the start), ready (status of /readyz), seconds and status of answers,
    shed_below (ms: earlier deadlines answer 503 under load), deaf (SIGTERM does nothing)."""
    bento, home, started = folder / "bento", folder / "home", folder / "started"
    for one in (bento, started, home / "models/encoder/1"):
        one.mkdir(parents=True)
    (home / "models/encoder/1/model.yaml").write_text("name: encoder\n")
    (bento / "bento.yaml").write_text(MANIFEST.format(version=version))
    (folder / "behaviour.json").write_text(json.dumps(behaviour))
    python = folder / "python"
    # Asked whether bentoml is there (-I -c ...) it says yes. It needs nothing that is installed: -S starts sooner.
    serve = shlex.join([sys.executable, "-S", str(SERVER), str(folder)])
    python.write_text(f'#!/bin/sh\n[ "$1" = -I ] && exit 0\nexec {serve} "$@"\n')
    python.chmod(0o755)
    return StandIn(bento, python, home, started)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # One that ended and that nobody has asked about yet runs no more.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
