"""What Grafana would draw of a panel's query: asked of a Prometheus in which time runs faster, with the variables chosen."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dashboard_queries import Panel, Target
from prometheus_server import Server, sped_up_expression
from tracks import APPLICATION, ENVIRONMENT, NAMESPACE, SPEED

CHOSEN = {
    # Four scrapes, as Grafana has it for a scrape interval of 15 s.
    "__rate_interval": "1m",
    "environment": ENVIRONMENT,
    "namespace": NAMESPACE,
    "application": APPLICATION,
    "component": ".*",
    "track": ".*",
    "price_cpu": "0.032",
    "price_memory": "0.01",
    "price_gpu": "2.5",
    "currency": "EUR",
}

STEP = 1.0
"""Seconds between two points: those of a rule's evaluation."""


@dataclass(frozen=True)
class Shown:
    """A series of a panel."""

    name: str
    labels: Mapping[str, str]
    points: Sequence[tuple[float, float]]
    """Time and value; only numbers."""

    def at(self, moment: float) -> float:
        """The value of the point that is nearest."""
        return min(self.points, key=lambda point: abs(point[0] - moment))[1]


def shown(
    server: Server, panel: Panel, target: Target, begin: float, end: float, chosen: Mapping[str, str] = MappingProxyType({})
) -> list[Shown]:
    """The series of a query that have a point, over time or (of a table) now."""
    expression = sped_up_expression(target.with_variables({**CHOSEN, **chosen}), SPEED)
    if panel.kind == "table":
        data = server.ask("query", query=expression, time=end)
        found = [(one["metric"], [one["value"]]) for one in data["result"]]
    else:
        data = server.ask("query_range", query=expression, start=begin, end=end, step=STEP)
        found = [(one["metric"], one["values"]) for one in data["result"]]
    series: list[Shown] = []
    for labels, values in found:
        points = [(float(moment), float(value)) for moment, value in values if math.isfinite(float(value))]
        if points:
            series.append(Shown(_called(target.legend, labels), labels, points))
    return sorted(series, key=lambda one: one.name)


def _called(legend: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda found: labels.get(found[1], ""), legend)
