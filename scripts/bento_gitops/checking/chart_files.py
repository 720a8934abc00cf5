"""What of a chart is generated: its schema of the values, the table of values in its README, its copies of the policies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import yaml

from bento_gitops.model.layout import CHART, PLATFORM
from bento_gitops.model.platform import PlatformValues
from bento_gitops.model.values import Values

TABLE_START = "<!-- values: generated from values.yaml -->"
TABLE_END = "<!-- end of values -->"

_MODELS = {CHART: Values, PLATFORM: PlatformValues}
CHARTS = tuple(_MODELS)
"""The charts whose values have a model."""

_MARK = "# -- "
_ABSENT = re.compile(r"^#([A-Za-z]+:.*)$")
"""A key without a default: commented out, with no space after the #."""
_LONGEST_DEFAULT = 90
_BY_NAME = frozenset({"properties", "$defs", "patternProperties"})


def render_chart_files(values_yaml: str, readme: str, chart: str = CHART) -> dict[str, str]:
    """The generated files of a chart, by path in the repository, from the text of its values.yaml and its README.md.

    Raises ValueError if the README lacks the marks around the table, or values.yaml has a key without a description.
    """
    head, start, rest = readme.partition(TABLE_START)
    _, end, tail = rest.partition(TABLE_END)
    if not (start and end):
        raise ValueError(f"{chart}/README.md: lacks {TABLE_START!r} and {TABLE_END!r}; add them around the table")
    return {
        f"{chart}/values.schema.json": values_schema(chart),
        f"{chart}/README.md": f"{head}{start}\n\n{values_table(values_yaml, chart)}\n{end}{tail}",
    }


POLICY_COPIES = f"{PLATFORM}/policies"
"""Helm reads nothing that is outside a chart's folder."""


def policy_copies(policies: Mapping[str, str]) -> dict[str, str]:
    """The chart's copies of the policies, by path in the repository, from the text of each policy.yaml by its folder's name."""
    return {
        f"{POLICY_COPIES}/{name}.yaml": f"# Generated from policies/{name}/policy.yaml: change that one.\n{text}"
        for name, text in policies.items()
    }


@cache
def values_schema(chart: str = CHART) -> str:
    """The JSON Schema that Helm holds the values against, from the model of the values.

    No null: Helm takes it as "remove the default" before it looks at the schema. `global` is Helm's own key in an umbrella chart.
    """
    schema = _strict(_MODELS[chart].model_json_schema(by_alias=True))
    schema["properties"]["global"] = {"type": "object", "description": "Helm's own, in an umbrella chart; not read."}
    title = f"Values of the chart {chart.rpartition('/')[2]}"
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _strict(node: Any) -> Any:
    """The schema without nulls, titles and defaults, with maps closed to keys that match no pattern."""
    if isinstance(node, list):
        return [_strict(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    schema = cast("dict[str, Any]", node)
    if "anyOf" in schema:
        said = [branch for branch in schema["anyOf"] if branch != {"type": "null"}]
        rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
        return _strict({**rest, **said[0]} if len(said) == 1 else {**rest, "anyOf": said})
    kept = {key: _named(value) if key in _BY_NAME else _strict(value) for key, value in schema.items()}
    for word in ("title", "default"):
        kept.pop(word, None)
    if "patternProperties" in kept:
        kept["additionalProperties"] = False
    return kept


def _named(schemas: dict[str, Any]) -> dict[str, Any]:
    """Schemas by name: a name may well be `title` or `default`."""
    return {name: _strict(schema) for name, schema in schemas.items() if schema != {"type": "null"}}


def values_table(values_yaml: str, chart: str = CHART) -> str:
    """The Markdown table of the keys that values.yaml describes in comments that start with `# -- `.

    Raises ValueError naming each key that neither it nor a key above it describes.
    """
    values = yaml.load(values_yaml, Loader=yaml.CSafeLoader)
    described = _descriptions(values_yaml)
    missing = [key for key in _leaves(values) if not any(key == told or key.startswith(f"{told}.") for told in described)]
    if missing:
        todo = f"has no description; write `{_MARK}...` above it"
        raise ValueError("\n".join(f"{chart}/values.yaml: {key}: {todo}" for key in missing))
    rows = [f"| `{key}` | {_default(values, key)} | {text.replace('|', '&#124;')} |" for key, text in described.items()]
    return "\n".join(["| key | default | what it is |", "|---|---|---|", *rows]) + "\n"


def _descriptions(text: str) -> dict[str, str]:
    """The first paragraph of the comment above each described key, by the key's dotted path, in the order of the file."""
    found: dict[str, str] = {}
    above: list[str] = []
    path: list[tuple[int, str]] = []
    for line in text.splitlines():
        bare = line.strip()
        absent = _ABSENT.match(bare)
        if bare.startswith(_MARK):
            above = [bare.removeprefix(_MARK)]
        elif bare.startswith("#") and not absent:
            if above:
                above.append(bare.removeprefix("#").strip())
        elif bare:
            indent = len(line) - len(line.lstrip())
            key = (absent[1] if absent else bare).partition(":")[0]
            path = [(depth, parent) for depth, parent in path if depth < indent] + [(indent, key)]
            if above:
                paragraph = above[: above.index("")] if "" in above else above
                found[".".join(part for _, part in path)] = " ".join(paragraph)
            above = []
    return found


def _leaves(node: Any, at: str = "") -> list[str]:
    """The dotted paths of all that is no map, or an empty one."""
    if not isinstance(node, dict) or not node:
        return [at]
    children = cast("dict[str, Any]", node)
    return [leaf for key, child in children.items() for leaf in _leaves(child, f"{at}.{key}" if at else key)]


def _default(values: Any, key: str) -> str:
    node = values
    for part in key.split("."):
        if part not in node:
            return "none"
        node = node[part]
    text = json.dumps(node, ensure_ascii=False)
    return f"`{text}`" if len(text) <= _LONGEST_DEFAULT else "see values.yaml"
