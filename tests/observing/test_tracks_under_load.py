"""From real requests to a verdict: five tracks of a real BentoML service, a real Prometheus by the chart's rules, the analysis.

Time runs ten times as fast: the rules are evaluated every 3 s, over 6 s.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bento_python
import pytest
import yaml
from bento_gitops.checking.objects import Object
from bento_gitops.model.base import timestamp
from bento_gitops.model.evidence import ObservedAnalysis
from bento_gitops.model.release import Release
from bento_gitops.observing import measuring
from bento_gitops.observing.answers import Asked
from bento_gitops.operations.chart_processes import of_track
from bento_gitops.releasing.analysis import Judgement, judge
from bento_gitops.releasing.plan import Limits
from bento_gitops.tools import binaries, http
from bento_gitops.tools.bento import OpenBento
from bento_gitops.tools.prometheus import asked as asked_of_prometheus
from bento_gitops.tools.serving import Bento, Served, served
from prometheus_server import Server, prometheus, scraped

SPEED = 10
SECONDS = 12
"""Of load, two minutes in the rules' time."""
RATE = 20
"""Requests a second to each track."""
SERVICE = """
import asyncio
import os
import random
import bentoml

IMAGE = bentoml.images.Image(base_image="python:3.11-slim", python_version="3.11", lock_python_packages=False, distro="")
chance = random.Random(7)

@bentoml.service(name="Tickets", image=IMAGE, workers=1, traffic={"timeout": 5})
class Tickets:
    @bentoml.api(route="/classify")
    async def classify(self, text: str) -> str:
        await asyncio.sleep(float(os.environ["DELAY"]) * chance.lognormvariate(0, 0.3))
        if chance.random() < float(os.environ["FAILING"]):
            raise RuntimeError("on purpose")
        return text
"""
TRACKS = {
    "blue": {"DELAY": "0.02", "FAILING": "0.002"},
    "good": {"DELAY": "0.02", "FAILING": "0.002"},
    "slow": {"DELAY": "0.2", "FAILING": "0.002"},
    "failing": {"DELAY": "0.02", "FAILING": "0.2"},
    "idle": {"DELAY": "0.02", "FAILING": "0"},
}
BUILD = "import bentoml, sys; bentoml.bentos.build_bentofile('bentofile.yaml', version='1.0.0').export(sys.argv[1])"


@dataclass(frozen=True)
class Watched:
    """A Prometheus that watched all tracks under load, when that began, and how many requests each track answered."""

    server: Server
    began: datetime
    answered: dict[str, int]


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder = tmp_path_factory.mktemp("tracks")
    objects = _rendered(folder)
    bento = _built(folder)
    with ExitStack() as stack:
        servers: dict[str, Served] = {}
        targets = []
        for track in TRACKS:
            processes = of_track([Object(one) for one in objects], track)
            servers[track] = stack.enter_context(served(bento, list(processes.values()), limit=180))
            address = servers[track].addresses["Tickets"].removeprefix("http://")
            deployment = next(
                one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == f"tickets-{track}-tickets"
            )
            targets.append(scraped(deployment, address))
        server = stack.enter_context(prometheus(folder, objects, targets, speed=SPEED))
        server.until("bento:pods_up == 1", lambda found: len(found) == len(TRACKS))
        began = datetime.now(UTC)
        with ThreadPoolExecutor(len(TRACKS)) as pool:
            loads = {track: pool.submit(_load, servers[track].addresses["Tickets"]) for track in TRACKS if track != "idle"}
            answered = {track: load.result() for track, load in loads.items()}
        assert min(answered.values()) > SECONDS * RATE * 0.7, f"the machine did not keep up with the load: {answered}"
        until = time.time() + 60 / SPEED
        server.until("sum(bento:requests:rate1m)", lambda _: time.time() > until)
        yield Watched(server, began, answered)


def _load(address: str) -> int:
    """The requests that were answered."""
    request = Asked.of("POST", address, "/classify", {"text": "hello"})
    return sum(one.status > 0 for one in http.load([request], seconds=SECONDS, rate=RATE, limit=10))


def _rendered(folder: Path) -> list[dict[str, Any]]:
    """The chart's objects for a service on five tracks."""
    component = {"role": "api", "apis": {"classify": {"route": "/classify"}}, "resources": {"cpu": "100m", "memory": "256Mi"}}
    image = {"repository": "registry.example.com/tickets", "digest": f"sha256:{'1' * 64}"}
    values = {
        "environment": "prod",
        "stable": "blue",
        "monitoring": {"prometheus": {"namespace": "monitoring", "podLabels": {"app": "prometheus"}}},
        "tracks": {
            track: {
                "bundle": f"1.0.{number}",
                "weight": 0 if number else 100,
                "image": image,
                "components": {"Tickets": {**component, "envs": said}},
            }
            for number, (track, said) in enumerate(TRACKS.items())
        },
    }
    file = folder / "values.json"
    file.write_text(json.dumps(values))
    command = [binaries.find("helm"), "template", "tickets", bento_python.ROOT / "charts/bento-serving", "--values", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if one]


def _built(folder: Path) -> Bento:
    source, home = folder / "source", folder / "bentos"
    source.mkdir()
    (source / "service.py").write_text(SERVICE)
    (source / "bentofile.yaml").write_text('service: "service:Tickets"\nname: tickets\ninclude: ["*.py"]\n')
    python = bento_python.found()
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    command = [python, "-B", "-c", BUILD, str(folder / "tickets.bento")]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return Bento(OpenBento(home / "bentos/tickets/1.0.0", (home / "models",)), (), {}, python)


def judged(measured: Watched, candidate: str, monkeypatch: pytest.MonkeyPatch) -> tuple[ObservedAnalysis, Judgement]:
    """What the analysis says of a track beside blue, by the questions that `canary step` asks."""
    monkeypatch.setattr(measuring, "EVALUATED", 30 / SPEED)
    number = list(TRACKS).index(candidate)
    release = Release.model_validate(
        {
            "apiVersion": "bento-gitops/v1",
            "kind": "Release",
            "stable": "blue",
            "candidate": candidate,
            "tracks": {
                "blue": {"bundle": "1.0.0", "weight": 50},
                candidate: {"bundle": f"1.0.{number}", "weight": 50, "ready_for": 50},
            },
            "since": timestamp(measured.began),
        }
    )
    now = datetime.now(UTC)
    window = now - measured.began + timedelta(seconds=1)
    answers = asked_of_prometheus(measured.server.url, measuring.questions("tickets", "prod", window), now)
    found = measuring.analysis(answers, {}, release, timedelta(seconds=round(window.total_seconds())))
    return found, judge(found, candidate, "blue", Limits(min_requests=150, max_error_ratio=0.02))


def test_five_tracks_under_load_are_counted_and_judged_by_what_they_did(
    measured: Watched, subtests: pytest.Subtests, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One test: as five, two processes of the tests would each put a load of its own on the machine."""
    with subtests.test("every request is counted once"):
        found, _ = judged(measured, "good", monkeypatch)
        for track in ("blue", "good"):
            answered = measured.answered[track]
            assert abs(found.tracks[track].requests - answered) <= answered * 0.05, (found, measured.answered)

    with subtests.test("a good candidate is good"):
        found, judgement = judged(measured, "good", monkeypatch)
        assert judgement.verdict == "good", (judgement, found)

    with subtests.test("a slow candidate is bad for its p95"):
        found, judgement = judged(measured, "slow", monkeypatch)
        assert judgement.verdict == "bad" and "p95" in judgement.reasons[0], (judgement, found)

    with subtests.test("a failing candidate is bad for its errors"):
        found, judgement = judged(measured, "failing", monkeypatch)
        assert judgement.verdict == "bad" and "fail" in judgement.reasons[0], (judgement, found)
        assert 0.12 < found.tracks["failing"].errors / found.tracks["failing"].requests < 0.3

    with subtests.test("an idle candidate is not judged"):
        found, judgement = judged(measured, "idle", monkeypatch)
        assert found.tracks["idle"].requests == 0, "it is there, and nobody asks"
        assert judgement.verdict == "unclear", judgement
