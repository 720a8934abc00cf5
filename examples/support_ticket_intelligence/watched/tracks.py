"""Two tracks of the example on loopback, as the chart runs them, a real Prometheus that watches them, and requests to both."""

from __future__ import annotations

import json
import math
import random
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from bento_gitops.bundling.manifest import read_manifest
from bento_gitops.checking.rendered import Document, read
from bento_gitops.observing.answers import Answered, Asked
from bento_gitops.operations.chart_processes import of_track
from bento_gitops.tools import binaries, http
from bento_gitops.tools.bento import opened
from bento_gitops.tools.serving import Bento, served
from cluster_exporter import exporter, pod_of
from prometheus_server import Server, prometheus, scraped

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / "build/example/bentoml"
PYTHON = ROOT / ".venv-example/bin/python"

APPLICATION = "support-ticket-intelligence"
ENVIRONMENT = "prod"
NAMESPACE = "tickets-prod"
STABLE, CANDIDATE = "blue", "green"
BUNDLES = {STABLE: "1.0.0", CANDIDATE: "1.1.0"}
API = "SupportTicketIntelligence"
MOST_AT_ONCE = 8
"""max_concurrency of the api: low, so that a few clients are too many."""

OBJECTIVE = 0.01
"""Of the error ratio."""

SPEED = 30.0
"""Times faster than in a cluster: a rule is evaluated every second, and a window of a minute is two seconds."""

ROUTE = "/classify_ticket"
# One word of each language and of none: no class is near.
STRANGE = ("lorem ipsum dolor", "zzz qqq xxx", "42", "the the the", "ja nein vielleicht")
INVALID = ({"tickets": []}, {"tickets": [{"text": ""}]}, {"ticket": "no such key"})

Map = dict[str, Any]


@dataclass(frozen=True)
class Watched:
    """What runs."""

    prometheus: Server
    apis: Mapping[str, str]
    """The address of each track's api."""

    def asked(self, track: str, seed: int, strange: float, invalid: float) -> list[Asked]:
        """Requests to a track: tickets of the data set, and the shares of strange and of invalid ones."""
        chance = random.Random(seed)
        known = _texts()
        found: list[Asked] = []
        for _ in range(200):
            if chance.random() < invalid:
                body: Any = chance.choice(INVALID)
            else:
                number = chance.choice((1, 1, 1, 2, 4))
                texts = [chance.choice(STRANGE if chance.random() < strange else known) for _ in range(number)]
                body = {"tickets": [{"text": text} for text in texts]}
            found.append(Asked.of("POST", self.apis[track], ROUTE, body))
        return found


@dataclass(frozen=True)
class Phase:
    """Requests to both tracks for a time."""

    seconds: float
    rates: Mapping[str, float]
    """Requests a second, by track."""
    strange: float = 0.1
    """The share of tickets that are like no class, on the candidate."""
    invalid: float = 0.4
    """The share of requests that are refused: many, so that to count them as errors would show."""
    at_once: int = 0
    """More than MOST_AT_ONCE: that many more to each track, together, once a second, some of which are turned away."""


def run(watched: Watched, phases: Sequence[Phase]) -> list[tuple[str, Answered]]:
    """Sends the requests of the phases, one phase after the other; what came of them, each with the track that was asked."""
    answers: list[tuple[str, Answered]] = []
    with ThreadPoolExecutor(8) as pool:
        for number, phase in enumerate(phases):
            running: list[tuple[str, Future[list[Answered]]]] = []
            for track, rate in phase.rates.items():
                strange = phase.strange if track == CANDIDATE else 0.1
                asked = watched.asked(track, number, strange, phase.invalid)
                running.append((track, pool.submit(partial(http.load, asked, seconds=phase.seconds, rate=rate))))
                if phase.at_once:
                    running.append((track, pool.submit(_together, asked, phase)))
            for track, one in running:
                answers += [(track, answer) for answer in one.result()]
    return answers


def _together(asked: Sequence[Asked], phase: Phase) -> list[Answered]:
    """So many once a second, and not clients who ask anew at once: how often those are turned away depends on the machine."""
    answers: list[Answered] = []
    begin = time.monotonic()
    for second in range(math.ceil(phase.seconds)):
        time.sleep(max(0, begin + second - time.monotonic()))
        first = second * phase.at_once % (len(asked) - phase.at_once)
        answers += http.load(asked[first : first + phase.at_once], clients=phase.at_once)
    return answers


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """Both tracks, ready, with a Prometheus that scrapes and evaluates what the chart rendered. All of it ends with this."""
    text = _rendered()
    objects: list[Map] = [found for found in yaml.load_all(text, Loader=yaml.CSafeLoader) if found]
    deployments = [found for found in objects if found["kind"] == "Deployment"]
    documents = [read(Document("bento-serving", "", json.dumps(found))) for found in objects]
    apis: dict[str, str] = {}
    targets = []
    with ExitStack() as stack:
        for track, bundle in BUNDLES.items():
            bento = stack.enter_context(opened(str(HOME / "bentos/support_ticket_intelligence" / bundle), HOME))
            manifest = read_manifest(bento.text("bento.yaml") or b"", "bento.yaml")
            processes = of_track([found for found in documents if found is not None], track)
            runs = Bento(bento, tuple(manifest.tags), manifest.image_envs, PYTHON)
            up = stack.enter_context(served(runs, list(processes.values()), limit=180))
            apis[track] = up.addresses[API]
            for service, address in up.addresses.items():
                (deployment,) = [found for found in deployments if _runs(found, track, service)]
                targets.append(scraped(deployment, address.removeprefix("http://"), pod_of(deployment), NAMESPACE))
        cluster, target = stack.enter_context(exporter(objects, NAMESPACE))
        server = stack.enter_context(prometheus(folder, [*objects, *cluster], [*targets, target], speed=SPEED))
        yield Watched(server, apis)


def _runs(deployment: Map, track: str, service: str) -> bool:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    args = container["args"]
    own = deployment["spec"]["template"]["metadata"]["labels"]["bento-gitops/track"]
    return own == track and args[args.index("--service-name") + 1] == service


def _texts() -> list[str]:
    lines = (Path(__file__).parents[1] / "verification/replay.jsonl").read_text().splitlines()
    return [ticket["text"] for line in lines for ticket in json.loads(line)["body"].get("tickets", ())]


def _rendered() -> str:
    """What the chart makes of the example on two tracks, before a Gateway, watched."""
    components = {
        API: {
            "role": "api",
            "dependencies": ["EmbeddingRunner", "ClassifierRunner"],
            "apis": {"classify_ticket": {"route": ROUTE}, "version": {"route": "/version"}},
            "traffic": {"timeout": 10, "maxConcurrency": MOST_AT_ONCE},
            "resources": {"cpu": "500m", "memory": "512Mi"},
        },
        "EmbeddingRunner": {
            "role": "runner",
            "apis": {"encode": {"route": "/encode"}},
            "traffic": {"timeout": 10, "maxConcurrency": 64},
            "resources": {"cpu": "2", "memory": "2Gi", "gpu": 1},
            "scaling": {"minReplicas": 1, "maxReplicas": 4},
        },
        "ClassifierRunner": {
            "role": "runner",
            "apis": {"predict_proba": {"route": "/predict_proba"}},
            "resources": {"cpu": "250m", "memory": "384Mi"},
        },
    }
    image = {"repository": "registry.example.com/ml/support-ticket-intelligence", "digest": f"sha256:{'0' * 64}"}
    weights = {STABLE: 75, CANDIDATE: 25}
    values = {
        "application": APPLICATION,
        "environment": ENVIRONMENT,
        "labels": {"owner": "support-ml", "cost-center": "cc-4711", "tenant": "support"},
        "slo": {"errorRatio": OBJECTIVE, "p95": 0.5},
        "stable": STABLE,
        "tracks": {
            track: {"bundle": bundle, "weight": weights[track], "image": image, "components": components}
            for track, bundle in BUNDLES.items()
        },
        "routing": {
            "controller": "gateway",
            "gateway": {"name": "public", "namespace": "gateways", "podLabels": {"app": "gateway"}},
        },
        "monitoring": {"prometheus": {"namespace": "monitoring", "podLabels": {"app": "prometheus"}}},
    }
    command = [binaries.find("helm"), "template", "x", ROOT / "charts/bento-serving", "--values", "-"]
    done = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
