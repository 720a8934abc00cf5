"""The built Bento as processes on loopback, with the arguments, environment and configuration that the chart renders.

Only what a cluster would resolve is replaced: the name of a Service and the address to listen on become a loopback address,
and the folders of the pod become folders of the test.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from bentoml_homes import home_of_its_own

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


@pytest.fixture(scope="session")
def bento(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the built Bento: whoever runs that one may leave caches in it, and with them it would be no record."""
    return Path(shutil.copytree(BENTO, tmp_path_factory.mktemp("bento") / "1.1.0", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def running(bento: Path, rendered: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Served]]:
    """The three processes of the chart, ready; by service."""
    served = {one.service: one for one in components(rendered, tmp_path_factory.mktemp("pods"))}
    with processes(served, bento):
        yield served


@contextmanager
def processes(served: Mapping[str, Served], bento: Path) -> Iterator[None]:
    """Runs them until this ends; all are ready."""
    started: list[tuple[str, Served, subprocess.Popen[bytes]]] = []
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    try:
        for name, one in served.items():
            # Outside of its image the Bento finds its models in the store; and the Bento stays as it was built.
            home_of_its_own(Path(one.env["BENTOML_HOME"]), HOME)
            env = {**keep, **one.env, "PYTHONDONTWRITEBYTECODE": "1"}
            start = [sys.executable, "-m", "bentoml_cli._internal.start", *one.args, str(bento)]
            with one.log.open("wb") as stream:
                started.append((name, one, subprocess.Popen(start, env=env, stdout=stream, stderr=subprocess.STDOUT)))
        end = time.monotonic() + 180
        for name, one, process in started:
            while not ready(one):
                assert process.poll() is None, f"{name} ended:\n{one.log.read_text()}"
                assert time.monotonic() < end, f"{name} is not ready:\n{one.log.read_text()}"
                time.sleep(0.1)  # between two looks, not instead of one
        yield
    finally:
        for _, _, process in started:
            process.terminate()
        for _, _, process in started:
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
    connection = http.client.HTTPConnection(one.address, PORT, timeout=60)
    try:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        connection.request(method, path, data, {} if data is None else {"Content-Type": media_type})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
