"""The chart and its releases in one tree: their files, their values as the lowest layer, what each of them does not know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from bento_gitops.layers.marked import Marked, MarkedMap, join, parse
from bento_gitops.layers.reading import checked
from bento_gitops.layers.spelling import snake
from bento_gitops.model.layout import CHART, RELEASES, released_chart
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.model.shape import Shape, shape_of
from bento_gitops.model.values import ChartDefaults, Values
from bento_gitops.model.versions import in_order, is_version
from bento_gitops.rendering.chart_keys import Gap, gap_of
from bento_gitops.repository.files import Tree, WorkingTree

SCHEMA = "values.schema.json"
DEEPEST = 12
"""Folders in each other, far more than a chart has."""
PIN_ANOTHER = "a release never changes: pin another version, or work with the bento-gitops that this one came with"


@dataclass(frozen=True, slots=True)
class Layer:
    """A chart's values.yaml as the lowest layer."""

    tree: MarkedMap
    """In snake_case."""
    unknown: tuple[tuple[Place, str], ...]
    """Defaults of a release that no model knows any more: nobody can say else, so they hold as the chart has them."""


@dataclass
class Charts:
    """The charts of one tree, each read once."""

    tree: Tree
    _layers: dict[str, Layer | InvalidInput] = field(default_factory=dict[str, "Layer | InvalidInput"])
    _gaps: dict[str, Gap | None] = field(default_factory=dict[str, "Gap | None"])
    _versions: list[str] | None = None

    def versions(self) -> list[str]:
        """The released versions, the oldest first."""
        if self._versions is None:
            folders = {path.split("/")[-2] for path in self.tree.glob(f"{RELEASES}/*/Chart.yaml")}
            self._versions = in_order(folder for folder in folders if is_version(folder))
        return self._versions

    def layer(self, folder: str) -> Layer:
        """The values of the chart in a folder.

        Raises InvalidInput.
        """
        if folder not in self._layers:
            try:
                self._layers[folder] = self._read(folder)
            except InvalidInput as error:
                self._layers[folder] = error
        result = self._layers[folder]
        if isinstance(result, InvalidInput):
            raise result
        return result

    def _read(self, folder: str) -> Layer:
        path = f"{folder}/values.yaml"
        released = folder != CHART
        if not self.tree.exists(path):
            todo = PIN_ANOTHER if released else "run in the root of the repository, or name it with --root"
            raise InvalidInput([Problem(Place(path), "", "the chart is missing", "", todo)])
        written = parse(self.tree.read(path), path)
        defaults = written.items.get("defaults")
        if not isinstance(defaults, MarkedMap):
            raise InvalidInput([Problem(written.at("defaults"), "defaults", "is missing", "", "add defaults.roles")])
        unknown: list[tuple[Place, str]] = []
        if released:
            # A key that was renamed or dropped since must not keep a fork from taking the code that did it: nothing can hide it.
            defaults = _known(defaults, shape_of(ChartDefaults), "defaults", unknown)
            written = replace(written, items={**written.items, "defaults": defaults})
        try:
            checked(defaults, ChartDefaults, camel=True)
        except InvalidInput as error:
            raise InvalidInput(
                replace(problem, pointer=f"defaults.{problem.pointer}", todo=PIN_ANOTHER if released else problem.todo)
                for problem in error.problems
            ) from None
        tree = snake(written, shape_of(Values))
        assert isinstance(tree, MarkedMap)
        return Layer(tree, tuple(unknown))

    def gap(self, folder: str) -> Gap | None:
        """What the chart in a folder does not know of all that may be said; nothing of the chart as it is now, whose schema is
        generated from the models.

        Raises InvalidInput.
        """
        if folder == CHART:
            return None
        if folder not in self._gaps:
            self._gaps[folder] = gap_of(shape_of(Values), self._schema(folder))
        return self._gaps[folder]

    def _schema(self, folder: str) -> Mapping[str, Any]:
        path = f"{folder}/{SCHEMA}"
        try:
            found: Any = json.loads(self.tree.read(path))
        except FileNotFoundError:
            raise InvalidInput([Problem(Place(path), "", "the file is missing", "", PIN_ANOTHER)]) from None
        except ValueError as error:
            raise InvalidInput([Problem(Place(path), "", f"is not JSON: {error}", "", PIN_ANOTHER)]) from None
        if not isinstance(found, dict):
            raise InvalidInput([Problem(Place(path), "", "is no JSON Schema of values", "", PIN_ANOTHER)])
        return cast("dict[str, Any]", found)

    def files(self, folder: str) -> list[str]:
        """Every file in a folder, at any depth, sorted."""
        patterns = (f"{folder}{'/*' * depth}" for depth in range(1, DEEPEST))
        return sorted(path for pattern in patterns for path in self.tree.glob(pattern))


def on_disk(tree: Tree, folder: str, scratch: Path) -> Path:
    """A chart's folder for Helm to read: the folder itself in a working tree, else a copy of it below `scratch`."""
    if isinstance(tree, WorkingTree):
        return tree.root / folder
    target = scratch / folder
    for path in Charts(tree).files(folder):
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).write_bytes(tree.read(path))
    return target


def version_in(folder: str) -> str:
    """The version that a chart's folder stands for; empty for the chart as it is now."""
    version = folder.rpartition("/")[2]
    return version if folder == released_chart(version) else ""


def _known(node: MarkedMap, shape: Shape, pointer: str, unknown: list[tuple[Place, str]]) -> MarkedMap:
    """The map without the keys that the shape does not know, in camelCase; these are added to `unknown`."""
    if shape.fields is None and shape.item is None:
        return node
    items: dict[str, Marked] = {}
    names = shape.names(camel=True)
    for key, value in node.items.items():
        here = join(pointer, key)
        if shape.fields is not None and key not in names and shape.item is None:
            unknown.append((node.at(key), here))
        else:
            items[key] = _known(value, shape.below(key), here, unknown) if isinstance(value, MarkedMap) else value
    return replace(node, items=items)
