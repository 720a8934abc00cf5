"""The chart under test: its files, a render's objects by name, and the values of a small application to vary."""

from __future__ import annotations

import copy
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "bento-serving"
CI = sorted(CHART.glob("ci/*-values.yaml"))
DIGEST = "sha256:" + "1" * 64

Map = dict[str, Any]


class Refused(Exception):
    """What Helm said when it would not render."""


@dataclass(frozen=True)
class Rendered:
    """The objects of one render."""

    objects: tuple[Map, ...]

    def all(self, kind: str) -> Iterator[Map]:
        return (found for found in self.objects if found["kind"] == kind)

    def one(self, kind: str, name: str) -> Map:
        found = [each for each in self.all(kind) if each["metadata"]["name"] == name]
        assert len(found) == 1, f"{kind} {name}: {len(found)} of {[each['metadata']['name'] for each in self.all(kind)]}"
        return found[0]

    def pod(self, name: str) -> Map:
        return self.one("Deployment", name)["spec"]["template"]["spec"]

    def container(self, name: str) -> Map:
        (container,) = self.pod(name)["containers"]
        return container

    def environment(self, name: str) -> dict[str, str]:
        return {entry["name"]: entry["value"] for entry in self.container(name)["env"]}

    def configuration(self, name: str) -> Map:
        return yaml.safe_load(self.one("ConfigMap", name)["data"]["bentoml.yaml"])["services"]

    def checksum(self, name: str) -> str:
        return self.one("Deployment", name)["spec"]["template"]["metadata"]["annotations"]["bento-gitops/configuration"]


def binary(variable: str, name: str) -> Path:
    """Helm as the variable names it, else the one that set-up put into the tree."""
    path = Path(os.environ.get(variable) or ROOT / ".tools" / "bin" / name)
    if not os.access(path, os.X_OK):
        pytest.fail(f"{path} is no program: run `make tools`, or name Helm in {variable}", pytrace=False)
    return path


def said(helm: Path, chart: Path, values: str, *arguments: str, verb: tuple[str, ...] = ("template", "tickets")) -> str:
    """What Helm prints for a chart and values; without a cluster, and without the settings of whoever runs it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HELM_") and name != "KUBECONFIG"}
    ran = subprocess.run(
        [str(helm), *verb, str(chart), "--values", "-", *arguments],
        input=values,
        capture_output=True,
        text=True,
        timeout=60,
        env=kept | {"GOGC": "off"},
        check=False,
    )
    if ran.returncode:
        raise Refused(ran.stderr)
    # Helm throws away a value of the wrong kind with a warning alone.
    assert "warning" not in ran.stderr.lower(), ran.stderr
    return ran.stdout


def tickets(**above: Any) -> Map:
    """Values of a small application, with maps laid over them: an api, a runner that it calls, a runner that the runner calls."""
    values: Map = {
        "tracks": {
            "blue": {
                "bundle": "1.0.0",
                "weight": 100,
                "image": {"repository": "registry.example.com/ml/tickets", "digest": DIGEST},
                "components": {
                    "Tickets": {"role": "api", "dependencies": ["Embedder"], "apis": {"classify": {"route": "/classify"}}},
                    "Embedder": {"role": "runner", "dependencies": ["Tokenizer"]},
                    "Tokenizer": {"role": "runner"},
                },
            }
        }
    }
    return laid_over(values, above)


def two_tracks(**above: Any) -> Map:
    """The same on two tracks behind a Gateway, 75 to 25."""
    values = tickets()
    green = laid_over(values["tracks"]["blue"], {"bundle": "1.1.0", "weight": 25})
    routing = {"controller": "gateway", "gateway": {"name": "public", "namespace": "gateways", "podLabels": {"app": "gateway"}}}
    both = {"tracks": {"blue": {"weight": 75}, "green": green}, "routing": routing}
    return laid_over(laid_over(values, both), above)


def component(service: str, **settings: Any) -> Map:
    """What one component of track blue says, as an argument of `tickets`."""
    return {"blue": {"components": {service: settings}}}


def laid_over(below: Map, above: Mapping[str, Any]) -> Map:
    merged = copy.deepcopy(below)
    for key, value in above.items():
        deeper = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = laid_over(merged[key], value) if deeper else value
    return merged
