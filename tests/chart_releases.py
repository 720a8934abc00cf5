"""Releases of the chart for tests: the tests' own chart with a schema, or the real one, in folders of their versions."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bento_gitops.checking.chart_files import values_schema
from bento_gitops.model.layout import CHART, PLATFORM, released_chart

ROOT = Path(__file__).resolve().parents[1]
Schema = dict[str, Any]


def add_release(root: Path, version: str, change: Callable[[Schema], object] | None = None) -> Path:
    """A release of the tests' chart as it is, without templates; `change` takes keys out of its schema."""
    folder = root / released_chart(version)
    folder.mkdir(parents=True)
    shutil.copy(root / CHART / "values.yaml", folder / "values.yaml")
    (folder / "Chart.yaml").write_text(f"apiVersion: v2\nname: bento-serving\nversion: {version}\n")
    schema: Schema = json.loads(values_schema())
    if change:
        change(schema)
    (folder / "values.schema.json").write_text(json.dumps(schema))
    return folder


def add_real_chart(root: Path) -> Path:
    """The real chart in place of the tests' own, and that of a cluster; their generated files as this code generates them."""
    shutil.rmtree(root / CHART)
    for path, data in _real_files().items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root / CHART


@cache
def _real_files() -> Mapping[str, bytes]:
    """By path; generated once, in a repository that has nothing else."""
    from bento_gitops.operations.schemas import generate

    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for chart in (CHART, PLATFORM):
            shutil.copytree(ROOT / chart, root / chart)
        generate(root, check=False)
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def add_real_release(root: Path, version: str) -> Path:
    """The real chart as a release; Helm renders it."""
    folder = root / released_chart(version)
    shutil.copytree(ROOT / CHART, folder, ignore=shutil.ignore_patterns("ci"))
    text = (folder / "Chart.yaml").read_text()
    (folder / "Chart.yaml").write_text(text.replace(text[text.index("version:") :].splitlines()[0], f"version: {version}"))
    (folder / "values.schema.json").write_text(values_schema())
    return folder


def without(name: str, *definitions: str) -> Callable[[Schema], None]:
    """Takes a key out of definitions of the schema, as a chart from before the key has it."""

    def change(schema: Schema) -> None:
        for definition in definitions:
            here = schema["$defs"][definition] if definition else schema
            del here["properties"][name]

    return change
