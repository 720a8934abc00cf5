"""The built Bento as three processes on loopback, with the arguments, environment and configuration that the chart renders.

Only what a cluster would resolve is replaced: the name of a Service and the address to listen on become a loopback address,
and the folders of the pod become folders of the test.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import home_of_its_own
from request_gate import MAX_BODY
from ticket_contract import MAX_TEXT, MAX_TICKETS

ROOT = Path(__file__).resolve().parents[3]
HOME = ROOT / "build/example/bentoml"
BENTO = HOME / "bentos/support_ticket_intelligence/1.1.0"
APPLICATION = "support-ticket-intelligence"
PORT = 3000

ENVIRONMENT = """\
apiVersion: bento-gitops/v1
kind: Environment
namespace: test
cluster: loopback
routing: {controller: none}
"""
CONFIG = """\
apiVersion: bento-gitops/v1
kind: Config
services:
  EmbeddingRunner:
    apis: {encode: {batching: {max_batch_size: 16}}}
"""
RELEASE = """\
apiVersion: bento-gitops/v1
kind: Release
stable: blue
tracks: {blue: {bundle: "1.1.0", weight: 100}}
since: 2026-11-01T00:00:00Z
"""


@dataclass(frozen=True)
class Served:
    """A component as the chart runs it."""

    service: str
    address: str
    args: list[str]
    env: dict[str, str]
    log: Path


def command(*words: str | Path, cwd: Path) -> str:
    done = subprocess.run([str(word) for word in words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the built Bento: whoever runs that one may leave caches in it, and with them it would be no record."""
    return Path(shutil.copytree(BENTO, tmp_path_factory.mktemp("bento") / "1.1.0", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture(scope="module")
def rendered(bento: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The objects that the chart makes of the built Bento: inspected, recorded as a bundle, released, rendered."""
    fleet = tmp_path_factory.mktemp("fleet")
    shutil.copytree(ROOT / "charts/bento-serving", fleet / "charts/bento-serving")
    gitops = ROOT / ".venv/bin/bento-gitops"
    inspection = fleet / "inspection.json"
    inspection.write_text(
        command(gitops, "bundle", "inspect", bento, "--python", sys.executable, "--bentoml-home", HOME, cwd=fleet)
    )
    image = f"registry.example.com/ml/{APPLICATION}@sha256:{'0' * 64}"
    command(gitops, "bundle", "create", "--application", APPLICATION, "--inspection", inspection, "--image", image, cwd=fleet)
    folder = fleet / "environments/test" / APPLICATION
    folder.mkdir(parents=True)
    (folder.parent / "environment.yaml").write_text(ENVIRONMENT)
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "release.yaml").write_text(RELEASE)
    command(gitops, "render", cwd=fleet)
    values = folder / "values.yaml"
    text = command(ROOT / ".tools/bin/helm", "template", "x", fleet / "charts/bento-serving", "-f", values, cwd=fleet)
    return [document for document in yaml.safe_load_all(text) if document]


def components(objects: list[dict[str, Any]], folder: Path) -> list[Served]:
    deployments = [thing for thing in objects if thing["kind"] == "Deployment"]
    # A loopback network of this process's own: the port is the chart's, and another run may listen on it at the same time.
    network = f"127.{os.getpid() % 250 + 2}.{os.getpid() // 250 % 250 + 2}"
    addresses = {thing["metadata"]["name"]: f"{network}.{number}" for number, thing in enumerate(deployments, 1)}
    configurations = {thing["metadata"]["name"]: thing["data"] for thing in objects if thing["kind"] == "ConfigMap"}
    result: list[Served] = []
    for deployment in deployments:
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        name = deployment["metadata"]["name"]
        here = folder / name
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        for volume in mounts.values():
            (here / volume).mkdir(parents=True)
        for volume in pod["volumes"]:
            if "configMap" in volume:
                for file, text in configurations[volume["configMap"]["name"]].items():
                    (here / volume["name"] / file).write_text(text)
        env = {variable["name"]: str(variable["value"]) for variable in container["env"]}
        for variable, value in env.items():
            for path, volume in mounts.items():
                if value == path or value.startswith(f"{path}/"):
                    env[variable] = str(here / volume) + value.removeprefix(path)
        args = [addresses[name] if word == "0.0.0.0" else word for word in container["args"]]
        for service, address in addresses.items():
            args = [word.replace(f"://{service}:", f"://{address}:") for word in args]
        result.append(Served(args[args.index("--service-name") + 1], addresses[name], args, env, here / "log"))
    return result


@pytest.fixture(scope="module")
def running(bento: Path, rendered: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Served]]:
    """Three processes, ready; by service. They end with the module."""
    folder = tmp_path_factory.mktemp("pods")
    served = components(rendered, folder)
    processes: list[tuple[Served, subprocess.Popen[bytes]]] = []
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    try:
        for one in served:
            # Outside of its image the Bento finds its models in the store; and the Bento stays as it was built.
            home_of_its_own(Path(one.env["BENTOML_HOME"]), HOME)
            env = {**keep, **one.env, "PYTHONDONTWRITEBYTECODE": "1"}
            start = [sys.executable, "-m", "bentoml_cli._internal.start", *one.args, str(bento)]
            with one.log.open("wb") as stream:
                processes.append((one, subprocess.Popen(start, env=env, stdout=stream, stderr=subprocess.STDOUT)))
        end = time.monotonic() + 90
        for one, process in processes:
            while not ready(one):
                assert process.poll() is None, f"{one.service} ended:\n{one.log.read_text()}"
                assert time.monotonic() < end, f"{one.service} is not ready:\n{one.log.read_text()}"
                time.sleep(0.1)
        yield {one.service: one for one in served}
    finally:
        for _, process in processes:
            process.terminate()
        for _, process in processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def ready(one: Served) -> bool:
    try:
        return request(one, "GET", "/readyz")[0] == 200
    except OSError:
        return False


def request(one: Served, method: str, path: str, body: object = None, media_type: str = "application/json") -> tuple[int, bytes]:
    """What was answered. Bytes are sent as they are, anything else as JSON."""
    connection = http.client.HTTPConnection(one.address, PORT, timeout=30)
    try:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, data, {} if data is None else {"Content-Type": media_type})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_a_ticket_is_classified_through_both_runners(running: dict[str, Served]) -> None:
    api = running["SupportTicketIntelligence"]
    status, data = request(
        api, "POST", "/classify_ticket", {"tickets": [{"text": "I was charged twice for last month's invoice"}]}
    )
    assert status == 200, data
    answer = json.loads(data)
    assert answer["model_version"] == "ticket_classifier:1.1.0"
    assert answer["classifications"][0]["label"] == "billing"
    for runner, route in (("EmbeddingRunner", "/encode"), ("ClassifierRunner", "/predict_proba")):
        metrics = request(running[runner], "GET", "/metrics")[1].decode()
        assert f'endpoint="{route}"' in metrics, f"the request did not pass through the process of {runner}"


def test_the_api_alone_tells_what_the_model_answered(running: dict[str, Served]) -> None:
    answered = re.compile(r'^bento_model_predictions_total\{class="howto",model="ticket_classifier"\} (\S+)$', re.MULTILINE)

    def told(one: Served) -> list[float]:
        return [float(value) for value in answered.findall(request(one, "GET", "/metrics")[1].decode())]

    api = running["SupportTicketIntelligence"]
    (before,) = told(api)
    assert request(api, "POST", "/classify_ticket", {"tickets": [{"text": "How do I export a report?"}] * 2})[0] == 200

    assert told(api) == [before + 2]
    assert told(running["EmbeddingRunner"]) == told(running["ClassifierRunner"]) == []


def test_every_component_counts_durations_in_the_buckets_of_its_configuration(running: dict[str, Served]) -> None:
    for one in running.values():
        metrics = request(one, "GET", "/metrics")[1].decode()
        counted = re.findall(r'_duration_seconds_bucket\{endpoint="/readyz",http_response_code="200",le="([^"]+)"', metrics)
        bounds = [float(bound) for bound in counted]
        assert (bounds[0], bounds[-2], bounds[-1]) == (0.002, 120.5, float("inf")), one.service
        assert all(1 < above / below <= 1.2501 for below, above in pairwise(bounds[:-1])), one.service


def test_400_requests_at_8_in_parallel_give_no_server_error(running: dict[str, Served]) -> None:
    api = running["SupportTicketIntelligence"]
    failures: list[bytes] = []
    texts = [
        "The dashboard crashes every time",
        "How do I export a report?",
        "Please refund the yearly fee",
        "Add dark mode, please",
    ]

    def classify(number: int) -> int:
        status, answer = request(api, "POST", "/classify_ticket", {"tickets": [{"text": texts[number % len(texts)]}]})
        if status != 200:
            failures.append(answer)
        return status

    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(pool.map(classify, range(400)))
    assert statuses == {200: 400}, f"{failures}\n{api.log.read_text()[-4000:]}"


def test_the_batching_limit_of_the_environment_reaches_the_runner(rendered: list[dict[str, Any]]) -> None:
    (runner,) = [thing for thing in rendered if thing["kind"] == "Deployment" and "embedding" in thing["metadata"]["name"]]
    (container,) = runner["spec"]["template"]["spec"]["containers"]
    assert {"name": "EMBEDDING_MAX_BATCH_SIZE", "value": "16"} in container["env"]


# What a customer wrote, as far as a search of the logs is concerned.
TOLD = "Mrs-Zyx-of-4711-Secret-Street"


def ticket(text: str) -> dict[str, object]:
    return {"tickets": [{"text": text}]}


# (path, body, media type, status): everything that a client can do with a text that the service then reads, parses or refuses.
SENT_TO_THE_API: tuple[tuple[str, object, str, int], ...] = (
    ("/classify_ticket", ticket(f"{TOLD} was charged twice"), "application/json", 200),
    ("/classify_ticket", {"tickets": [{"text": f"{TOLD} {number}"} for number in range(MAX_TICKETS)]}, "application/json", 200),
    ("/classify_ticket", ticket(f"{TOLD} ".ljust(MAX_TEXT, "x")), "application/json", 200),
    ("/classify_ticket", ticket(TOLD * 200), "application/json", 400),
    ("/classify_ticket", {"tickets": TOLD}, "application/json", 400),
    ("/classify_ticket", {"tickets": [TOLD]}, "application/json", 400),
    ("/classify_ticket", {"tickets": [{"text": [TOLD]}]}, "application/json", 400),
    ("/classify_ticket", {"tickets": [{"text": "it broke", TOLD: TOLD}], TOLD: TOLD}, "application/json", 400),
    ("/classify_ticket", TOLD, "application/json", 400),
    ("/classify_ticket", f'{{"tickets": [{{"text": "{TOLD}'.encode(), "application/json", 400),
    ("/classify_ticket", TOLD.encode() + b"\xff", "application/json", 400),
    ("/classify_ticket", ticket(TOLD * (MAX_BODY // len(TOLD))), "application/json", 413),
    ("/classify_ticket", TOLD.encode(), "text/plain", 415),
    ("/classify_ticket", TOLD.encode(), "application/vnd.bentoml+pickle", 415),
    ("/version", {TOLD: TOLD}, "application/json", 200),
    ("/version", TOLD.encode(), "application/json", 400),
    ("/nowhere", ticket(TOLD), "application/json", 404),
    (f"/classify_ticket?text={TOLD}", {"tickets": []}, "application/json", 400),
)
# A runner trusts its caller, but its log is read by the same people.
SENT_TO_A_RUNNER: tuple[tuple[str, str, object, str, int], ...] = (
    ("EmbeddingRunner", "/encode", {"texts": {TOLD: TOLD}}, "application/json", 400),
    ("EmbeddingRunner", "/encode", {"texts": [[TOLD]]}, "application/json", 400),
    ("EmbeddingRunner", "/encode", TOLD.encode(), "application/json", 400),
    ("EmbeddingRunner", "/encode", TOLD.encode(), "application/vnd.bentoml+pickle", 500),
    ("ClassifierRunner", "/predict_proba", {"vectors": [[TOLD]]}, "application/json", 500),
)


def test_no_log_of_any_process_repeats_what_was_sent(running: dict[str, Served]) -> None:
    api = running["SupportTicketIntelligence"]
    refused = sum(status in (400, 500) for *_, status in SENT_TO_THE_API)
    for path, body, media_type, status in SENT_TO_THE_API:
        answered, _ = request(api, "POST", path, body, media_type)
        assert answered == status, f"{path} {str(body)[:60]}"
    for service, path, body, media_type, status in SENT_TO_A_RUNNER:
        answered, _ = request(running[service], "POST", path, body, media_type)
        assert answered == status, f"{service} {path} {body}"
    for one in running.values():
        with socket.create_connection((one.address, PORT), timeout=10) as connection:  # what is no HTTP at all
            connection.sendall(f"{TOLD}\r\n\r\n".encode())
            connection.recv(1000)

    until(lambda: api.log.read_text().count("Exception on ") >= refused, "the api logs each refusal")
    for one in running.values():
        until(lambda one=one: "Invalid HTTP request" in one.log.read_text(), f"{one.service} logs what is no HTTP")
    until(lambda: "Exception on /predict_proba" in running["ClassifierRunner"].log.read_text(), "a failure in a runner is logged")
    repeating = [
        f"{one.service}: {line}" for one in running.values() for line in one.log.read_text().splitlines() if TOLD in line
    ]
    assert not repeating
    for one in running.values():
        assert TOLD not in request(one, "GET", "/metrics")[1].decode(), one.service


def until(seen: Callable[[], bool], what: str) -> None:
    """An access log is written after its answer was sent."""
    end = time.monotonic() + 10
    while not seen():
        assert time.monotonic() < end, f"not within 10 s: {what}"
        time.sleep(0.02)
