"""The chart under test: its files, a render's objects by name, and the values of a small application to vary."""

from __future__ import annotations

import copy
import functools
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.tools.helm import template, template_all
from helm_renders import content, remembered, told_by

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
    """What Helm prints for a chart and values; without a cluster, and without the settings of whoever runs it.

    Of the repository's own charts each call is made once in a run of the tests, whichever process asks first.
    """
    if CALLS is None or chart.parent != CHART.parent:
        found = _called(helm, chart, values, arguments, verb)
    else:
        key = told_by(helm, (values, *arguments, *verb), _content(chart))
        found = remembered(CALLS, key, lambda: _called(helm, chart, values, arguments, verb), chart)
    if found["code"]:
        raise Refused(found["errors"])
    # Helm throws away a value of the wrong kind with a warning alone.
    assert "warning" not in found["errors"].lower(), found["errors"]
    return found["output"]


CALLS: Path | None = None
"""Where what Helm said is remembered in this run of the tests."""


_content = functools.cache(content)
"""Once a process: tests do not change the repository's charts."""


def _called(helm: Path, chart: Path, values: str, arguments: tuple[str, ...], verb: tuple[str, ...]) -> dict[str, Any]:
    ran = subprocess.run(
        [str(helm), *verb, str(chart), "--values", "-", *arguments],
        input=values,
        capture_output=True,
        text=True,
        timeout=60,
        env=bare_environment(),
        check=False,
    )
    return {"code": ran.returncode, "output": ran.stdout, "errors": ran.stderr}


def same_bytes(helm: Path, chart: Path, values: str, times: int) -> bool:
    """Whether a chart makes the same of the same values each time: so often in one process, and in one more alone."""
    found = template_all(
        chart, {str(number): values for number in range(times - 1)}, helm=helm, kube_version=VERSIONS[-1], at_a_time=1
    )
    alone = template(chart, values, "bulk", helm=helm, kube_version=VERSIONS[-1])
    assert alone and len(found.documents) == times - 1
    return all([each.text for each in one] == [each.text for each in alone] for one in found.documents.values())


def bare_environment() -> dict[str, str]:
    """Helm as it is everywhere, without the settings of whoever runs it; no time goes into collecting garbage."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HELM_") and name != "KUBECONFIG"}
    return kept | {"GOGC": "off", "HELM_PLUGINS": os.devnull}


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
