"""A real Prometheus on loopback that scrapes and evaluates what the chart rendered, as the Prometheus operator would have it.

    targets = [scraped(deployment, "127.0.0.1:40001") for deployment in ...]
    with prometheus(tmp_path, objects, targets, speed=30) as server:
        server.until("sum(bento:requests:rate1m)", lambda found: found and found[0].value > 0)

What comes from the chart: the ServiceMonitor's selector, relabelings and metricRelabelings, and the PrometheusRule's groups. What
stands in for the cluster: `targets`, each a pod with an address; a target is found through every rendered Service that selects
its pod, as it is in a cluster, with the labels that discovery gives it.

`speed` makes time run faster: every duration (scrape interval, a group's interval, `for`, `keep_firing_for`, ranges and offsets
in expressions) is divided by it, so with 30 an interval of 30s is 1s and a rate over 1m is one over 2s. Rates stay per real
second. What multiplies by a constant number of seconds does not know of it: `sum_over_time(x[1h]) * 30` is `speed` times too
high.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from bento_gitops.tools import binaries

Map = dict[str, Any]

PATIENCE = 120.0
"""Seconds that are awaited at most what comes within a few: also on a machine that is busy with other things."""

_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_TIME = r"(?:\d+(?:ms|[smhdwy]))+"
_QUOTED = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`"""
# A colon alone says nothing: names of rules have it too (bento:error_ratio:5m).
_TIMES = re.compile(
    rf"{_QUOTED}|(?P<in>\[)(?P<range>{_TIME})(?P<by>:)?(?P<step>{_TIME})?\]|(?P<offset>\boffset\s+-?)(?P<back>{_TIME})"
)


@dataclass(frozen=True)
class Scraped:
    """A pod that Prometheus may find: where it listens, and what discovery knows of it."""

    address: str
    """host:port"""
    labels: Mapping[str, str]
    """The pod's."""
    pod: str = "pod-0"
    namespace: str = "tickets"
    container: str = "bento"


@dataclass(frozen=True)
class Sample:
    """One element of an instant vector."""

    labels: Mapping[str, str]
    """With `__name__`, where it has one."""
    value: float


@dataclass(frozen=True)
class Server:
    """A running Prometheus."""

    url: str
    log: Path = field(repr=False)
    process: subprocess.Popen[bytes] = field(repr=False)

    def ask(self, path: str, **parameters: str | float) -> Any:
        """The `data` of an answer of the HTTP API, for instance `ask("rules")`."""
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=PATIENCE) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{path} {parameters}: {error.read().decode()}") from None

    def query(self, expression: str, at: float | None = None) -> list[Sample]:
        """The instant vector (a scalar is one sample without labels), now or at a Unix time."""
        data = self.ask("query", query=expression, **({} if at is None else {"time": at}))
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(found["metric"], float(found["value"][1])) for found in data["result"]]

    def series(self, *matchers: str) -> list[Mapping[str, str]]:
        """The labels of all series that ever matched."""
        query = urllib.parse.urlencode([("match[]", matcher) for matcher in matchers or ['{__name__!=""}']])
        with urllib.request.urlopen(f"{self.url}/api/v1/series?{query}", timeout=PATIENCE) as answer:
            return json.load(answer)["data"]

    def until(self, expression: str, condition: Callable[[list[Sample]], object], seconds: float = PATIENCE) -> list[Sample]:
        """What the query gives once the condition holds; fails with the last answer when it does not in so many seconds."""
        end = time.monotonic() + seconds
        while True:
            found = self.query(expression)
            if condition(found):
                return found
            assert self.process.poll() is None, f"Prometheus ended:\n{self.log.read_text()}"
            assert time.monotonic() < end, f"{expression} after {seconds} s: {found[:20]}\n{self.troubles()}"
            time.sleep(0.05)

    def troubles(self) -> str:
        """Targets that cannot be scraped and rules that cannot be evaluated."""
        targets = self.ask("targets", state="active")["activeTargets"]
        rules = [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]
        lines = [
            f"{target['scrapeUrl']}: {target['health']} {target['lastError']}" for target in targets if target["health"] != "up"
        ]
        lines += [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")]
        lines += [] if targets else ["no target was found by the ServiceMonitor"]
        return "\n".join(lines)


def scraped(deployment: Map, address: str, pod: str | None = None, namespace: str = "tickets") -> Scraped:
    """A pod of a rendered Deployment that listens at the address."""
    template = deployment["spec"]["template"]
    name = pod or f"{deployment['metadata']['name']}-0"
    return Scraped(address, template["metadata"]["labels"], name, namespace, template["spec"]["containers"][0]["name"])


@contextmanager
def prometheus(
    folder: Path,
    objects: Iterable[Map],
    targets: Sequence[Scraped],
    scrape_interval: str | None = None,
    evaluation_interval: str | None = None,
    speed: float = 1,
    jobs: Sequence[Map] = (),
) -> Iterator[Server]:
    """A Prometheus, ready to be asked, that scrapes the targets by the ServiceMonitors and evaluates the PrometheusRules.

    Intervals are those of the objects, divided by `speed`, unless said otherwise (then they are taken as they are). `jobs` are
    scrape configurations of the test's own. Whatever happens, it ends; its log and its data stay in the folder.
    """
    kept = list(objects)
    home = folder / "prometheus"
    home.mkdir(parents=True)
    groups = [
        sped_up(group, speed, evaluation_interval)
        for found in kept
        if found["kind"] == "PrometheusRule"
        for group in found["spec"]["groups"]
    ]
    (home / "rules.yaml").write_text(yaml.safe_dump({"groups": groups}))
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yaml"],
        "scrape_configs": [*scrape_configs(kept, targets, scrape_interval, speed), *jobs],
    }
    (home / "prometheus.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False))
    command = [
        binaries.find("prometheus"),
        f"--config.file={home / 'prometheus.yaml'}",
        f"--storage.tsdb.path={home / 'data'}",
        "--web.listen-address=127.0.0.1:0",
    ]
    log = home / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT)
    try:
        yield _ready(process, log)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _ready(process: subprocess.Popen[bytes], log: Path) -> Server:
    end = time.monotonic() + PATIENCE
    url = None
    while True:
        assert process.poll() is None, f"Prometheus did not start:\n{log.read_text()}"
        assert time.monotonic() < end, f"Prometheus is not ready:\n{log.read_text()}"
        if url is None and (found := re.search(r'msg="Listening on" address=(127\.0\.0\.1:\d+)', log.read_text())):
            url = f"http://{found[1]}"
        if url is not None and _answers(f"{url}/-/ready"):
            return Server(url, log, process)
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def seconds(text: str) -> float:
    """Of a duration as Prometheus writes it: 1m30s is 90."""
    assert re.fullmatch(rf"(?:{_DURATION.pattern})+", text), f"no duration: {text}"
    return sum(int(number) * _SECONDS[unit] for number, unit in _DURATION.findall(text))


def divided(text: str, speed: float) -> str:
    """A duration in milliseconds, 1 at least."""
    return text if speed == 1 else f"{max(1, round(seconds(text) * 1000 / speed))}ms"


def sped_up_expression(expression: str, speed: float) -> str:
    """The same expression with shorter ranges, steps and offsets; strings in quotes and names stay."""

    def shorter(found: re.Match[str]) -> str:
        if found["offset"]:
            return found["offset"] + divided(found["back"], speed)
        if not found["in"]:
            return found[0]
        step = divided(found["step"], speed) if found["step"] else ""
        return f"[{divided(found['range'], speed)}{found['by'] or ''}{step}]"

    return expression if speed == 1 else _TIMES.sub(shorter, expression)


def sped_up(group: Map, speed: float, interval: str | None = None) -> Map:
    """A group of rules in the form of a rule file, in which time runs faster."""
    rules = [
        rule
        | {"expr": sped_up_expression(str(rule["expr"]), speed)}
        | {key: divided(rule[key], speed) for key in ("for", "keep_firing_for") if key in rule}
        for rule in group["rules"]
    ]
    every = interval or divided(group.get("interval", "30s"), speed)
    return {"name": group["name"], "interval": every, "rules": rules}


def scrape_configs(objects: Sequence[Map], targets: Sequence[Scraped], interval: str | None, speed: float) -> Iterator[Map]:
    """What the operator makes of the ServiceMonitors, with the targets written out in the place of discovery."""
    monitors = [found for found in objects if found["kind"] == "ServiceMonitor"]
    assert monitors, "no ServiceMonitor was rendered: values need monitoring.prometheus"
    services = [found for found in objects if found["kind"] == "Service"]
    discovered = [_discovered(service, port, target) for target in targets for service, port in _ports(services, target)]
    for monitor in monitors:
        for number, endpoint in enumerate(monitor["spec"]["endpoints"]):
            yield {
                "job_name": f"serviceMonitor/{monitor['metadata']['name']}/{number}",
                "honor_labels": endpoint.get("honorLabels", False),
                "scrape_interval": interval or divided(endpoint.get("interval", "30s"), speed),
                "scrape_timeout": interval or divided(endpoint.get("interval", "30s"), speed),
                "metrics_path": endpoint.get("path", "/metrics"),
                "static_configs": discovered,
                "relabel_configs": [
                    *_selecting(monitor["spec"]["selector"]),
                    *_of_operator(endpoint["port"]),
                    *_relabelings(endpoint.get("relabelings", [])),
                ],
                "metric_relabel_configs": _relabelings(endpoint.get("metricRelabelings", [])),
            }


def _ports(services: Iterable[Map], target: Scraped) -> Iterator[tuple[Map, str]]:
    for service in services:
        selector = service["spec"].get("selector") or {}
        if selector and selector.items() <= target.labels.items():
            yield from ((service, port["name"]) for port in service["spec"]["ports"])


def _discovered(service: Map, port: str, target: Scraped) -> Map:
    meta = {
        "namespace": target.namespace,
        "service_name": service["metadata"]["name"],
        "endpoint_port_name": port,
        "endpoint_address_target_kind": "Pod",
        "endpoint_address_target_name": target.pod,
        "pod_name": target.pod,
        "pod_container_name": target.container,
        "pod_phase": "Running",
    }
    for kind, labels in (("service", service["metadata"]["labels"]), ("pod", target.labels)):
        for key, value in labels.items():
            meta |= {f"{kind}_label_{_name(key)}": value, f"{kind}_labelpresent_{_name(key)}": "true"}
    return {"targets": [target.address], "labels": {f"__meta_kubernetes_{key}": value for key, value in meta.items()}}


def _name(label: str) -> str:
    return re.sub(r"[^a-zA-Z0-9_]", "_", label)


def _selecting(selector: Map) -> Iterator[Map]:
    for key, value in selector.get("matchLabels", {}).items():
        sources = [f"__meta_kubernetes_service_label_{_name(key)}", f"__meta_kubernetes_service_labelpresent_{_name(key)}"]
        yield {"action": "keep", "source_labels": sources, "regex": f"({re.escape(value)});true"}
    for expression in selector.get("matchExpressions", []):
        key, values = _name(expression["key"]), "|".join(re.escape(value) for value in expression.get("values", []))
        label, present = f"__meta_kubernetes_service_label_{key}", f"__meta_kubernetes_service_labelpresent_{key}"
        yield {
            "In": {"action": "keep", "source_labels": [label, present], "regex": f"({values});true"},
            "NotIn": {"action": "drop", "source_labels": [label, present], "regex": f"({values});true"},
            "Exists": {"action": "keep", "source_labels": [present], "regex": "true"},
            "DoesNotExist": {"action": "drop", "source_labels": [present], "regex": "true"},
        }[expression["operator"]]


def _of_operator(port: str) -> Iterator[Map]:
    """The labels that the operator gives every target before a ServiceMonitor's own relabelings come."""
    yield {"action": "keep", "source_labels": ["__meta_kubernetes_endpoint_port_name"], "regex": port}
    for label, meta in {
        "namespace": "namespace",
        "service": "service_name",
        "pod": "pod_name",
        "container": "pod_container_name",
        "job": "service_name",
    }.items():
        yield {"source_labels": [f"__meta_kubernetes_{meta}"], "target_label": label}
    yield {"action": "drop", "source_labels": ["__meta_kubernetes_pod_phase"], "regex": "(Failed|Succeeded)"}
    yield {"target_label": "endpoint", "replacement": port}


def _relabelings(said: Iterable[Map]) -> list[Map]:
    names = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    return [{names.get(key, key): value for key, value in one.items()} for one in said]
