"""How a story of series and alerts, as the YAML files here tell it, becomes a unit test of promtool on the chart's rules.

    tests:
      - name: half of the requests fail
        interval: 15s                       # between two samples
        series:                             # <blue tickets>: the labels of the api of track blue
          bentoml_service_request_total{<blue tickets>,pod="a",endpoint="/classify",http_response_code="500"}: 0+15x60
        at:
          10m:                              # each alert of the file's name that fires then, exactly; none: []
            - {of: blue tickets, severity: critical, summary: "..."}      # also: more labels; without: labels that it lacks
        queries:                            # what an expression comes to; labels: its labels, if it has some
          - {at: 10m, expr: "sum(bento:errors:rate1m)", value: 1}

A story of an alert runs that alert and the rules that it reads, so that windows of days take no minutes; a silent story runs all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

Map = dict[str, Any]

RUNBOOKS = "https://git.example.com/fleet/docs/runbooks"
"""As values.yaml says."""
BUNDLES = {"blue": "1.0.0", "green": "1.1.0", "red": "1.2.0", "violet": "0.9.0"}
ROLES = {"tickets": "api", "embedder": "runner"}
OWNER = {"owner": "support-ml"}
_WHOSE = re.compile(r"<(\w+ \w+)>")
_NAME = re.compile(r"bento:[a-z0-9_:]+")
_ZEROS = re.compile(r"(?<![\w.])0x(?=\d)")
"""`0x60` is sixty times 0 here; promtool reads a hexadecimal number."""


def whose(words: str) -> dict[str, str]:
    """The labels of "blue tickets"."""
    track, component = words.split()
    place = {"application": "tickets", "environment": "prod", "namespace": "prod"}
    return place | {"track": track, "bundle": BUNDLES[track], "component": component, "role": ROLES[component]}


def written_out(text: str) -> str:
    """A series or an expression with the labels of <blue tickets> in it."""
    return _WHOSE.sub(lambda found: ",".join(f'{name}="{value}"' for name, value in whose(found[1]).items()), text)


def stories_of(path: Path) -> list[Map]:
    """The stories of a file, every value as text: to YAML, too, 0x60 is a hexadecimal number."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)["tests"]


def groups_for(rule: Map, alert: str, path: Path) -> list[Map]:
    """The groups of a PrometheusRule, of their rules those that the alert reads, and what these read.

    What the stories of a file tell of recorded series is not recorded a second time.
    """
    groups = rule["spec"]["groups"]
    told = {name for story in stories_of(path) for line in story["series"] for name in _NAME.findall(line)}
    by_name: dict[str, list[Map]] = {}
    for each in (each for group in groups for each in group["rules"]):
        by_name.setdefault(each.get("record") or each["alert"], []).append(each)
    wanted: set[str] = set()
    following = [alert]
    while following:
        name = following.pop()
        if name not in wanted | told:
            wanted.add(name)
            following += [read for each in by_name[name] for read in _NAME.findall(each["expr"])]
    kept = [
        {**group, "rules": [each for each in group["rules"] if (each.get("record") or each.get("alert")) in wanted]}
        for group in groups
    ]
    return [group for group in kept if group["rules"]]


def promtool_file(path: Path, rules: str, alerts: Sequence[str]) -> Map:
    """A file of stories as promtool reads it. Each moment is asked for each of the alerts."""
    told = {"tests": stories_of(path)}
    assert told["tests"], path
    return {
        "rule_files": [rules],
        "evaluation_interval": "30s",
        # Else promtool takes the groups in a new order each time, and an alert sees what was recorded 30 s before or not.
        "group_eval_order": ["tickets.facts", "tickets.requests", "tickets.alerts"],
        "tests": [_test(story, alerts) for story in told["tests"]],
    }


def _test(story: Map, alerts: Sequence[str]) -> Map:
    unknown = story.keys() - {"name", "interval", "series", "at", "queries"}
    assert not unknown, f"{story['name']}: {unknown}"
    return {
        "name": story["name"],
        "interval": story["interval"],
        "input_series": [
            {"series": written_out(name), "values": _ZEROS.sub("0+0x", values)} for name, values in story["series"].items()
        ],
        "alert_rule_test": [
            {"eval_time": at, "alertname": alert, "exp_alerts": list(_expected(alert, fires))}
            for at, fires in story.get("at", {}).items()
            for alert in alerts
        ],
        "promql_expr_test": [
            {
                "expr": written_out(query["expr"]),
                "eval_time": query["at"],
                "exp_samples": [
                    {
                        "labels": written_out(f"{{<{query['labels']}>}}" if "labels" in query else "{}"),
                        "value": float(query["value"]),
                    }
                ],
            }
            for query in story.get("queries", [])
        ],
    }


def _expected(alert: str, fires: Iterable[Mapping[str, Any]]) -> Iterator[Map]:
    for each in fires:
        unknown = each.keys() - {"of", "also", "without", "severity", "summary"}
        assert not unknown, unknown
        labels = whose(each["of"]) | OWNER | each.get("also", {}) | {"severity": each["severity"]}
        yield {
            "exp_labels": {name: value for name, value in labels.items() if name not in each.get("without", ())},
            "exp_annotations": {"summary": each["summary"], "runbook_url": f"{RUNBOOKS}/{alert}.md"},
        }
