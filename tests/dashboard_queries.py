"""The dashboards as they are committed: their panels, and what each asks once somebody has chosen the variables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser

FOLDER = Path(__file__).parents[1] / "charts/bento-platform/dashboards"

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")


@dataclass(frozen=True)
class Target:
    """A query of a panel, and what a series of it is called."""

    expression: str
    legend: str

    def with_variables(self, chosen: Mapping[str, str]) -> str:
        return filled(self.expression, chosen)


@dataclass(frozen=True)
class Panel:
    """What a dashboard shows in one place."""

    board: str
    row: str
    title: str
    kind: str
    description: str
    unit: str
    targets: tuple[Target, ...]
    json: Mapping[str, Any]

    def __str__(self) -> str:
        return " / ".join(part for part in (self.board, self.row, self.title) if part)


def boards() -> dict[str, dict[str, Any]]:
    """Each dashboard, by its uid."""
    found = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    return {board["uid"]: board for board in found}


def panels(board: Mapping[str, Any]) -> Iterator[Panel]:
    """Of a dashboard, without its rows' headings."""
    row = ""
    for found in board["panels"]:
        if found["type"] == "row":
            row = found["title"]
            continue
        targets = tuple(Target(target["expr"], target.get("legendFormat", "")) for target in found["targets"])
        yield Panel(board["uid"], row, found["title"], found["type"], found.get("description", ""), _unit(found), targets, found)


def _unit(panel: Mapping[str, Any]) -> str:
    if panel["type"] == "heatmap":
        return panel["options"]["yAxis"]["unit"]
    if panel["type"] == "table":
        return next(item["value"] for item in panel["fieldConfig"]["overrides"][0]["properties"] if item["id"] == "unit")
    return panel["fieldConfig"]["defaults"].get("unit", "")


def filled(text: str, chosen: Mapping[str, str]) -> str:
    """The text with Grafana's variables replaced; a name that was not chosen is an error, a `$1` of a pattern stays."""
    return _VARIABLE.sub(lambda found: chosen[found[1] or found[2]], text)


def variables(texts: Sequence[str]) -> set[str]:
    """The names of the variables in texts."""
    return {found[1] or found[2] for text in texts for found in _VARIABLE.finditer(text)}


def metrics(expression: str) -> set[str]:
    """The names of the series that a query reads. Raises ValueError where it does not parse, or a type does not fit."""
    names: set[str] = set()

    def visit(node: object) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            assert node.name, f"a query that reads every series: {expression}"
            names.add(node.name)
        for part in ("expr", "lhs", "rhs", "param", "vs", "vector_selector"):
            inside = getattr(node, part, None)
            if inside is not None:
                visit(inside)
        for argument in getattr(node, "args", None) or ():
            visit(argument)

    visit(promql_parser.parse(expression))
    return names
