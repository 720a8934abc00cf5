"""Which values a chart takes, by its JSON Schema: what a chart of another version than this code does not know."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from bento_gitops.layers.marked import Marked, MarkedMap, Plain, Scalar, plain
from bento_gitops.layers.merging import ABSENT, Leaf, Resolved, ResolvedMap, value_at
from bento_gitops.model.shape import Shape

DERIVED = frozenset({("monitoring", "namespace")})
"""What nobody says for the sake of the chart: one without it does what it did before."""

Schema = Mapping[str, Any]
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """What may be said at a place and a chart does not know, in snake_case."""

    unknown: frozenset[str] = frozenset()
    """Keys."""
    below: Mapping[str, Gap] = field(default_factory=dict[str, "Gap"])
    item: Gap | None = None
    """In each item of a map with names of people's own, or of a list."""
    allowed: frozenset[Scalar] | None = None
    """The only values that it takes here."""

    def at(self, key: str) -> Gap | None:
        return self.below.get(key, self.item)


@dataclass(frozen=True, slots=True)
class Lacking:
    """A value with an effect that the chart cannot give it."""

    path: Path
    """In snake_case; an item of a list counts as the list."""
    leaf: Leaf
    found: Plain
    known: bool
    """Whether the chart knows the key, and only not this value of it."""


def gap_of(shape: Shape, schema: Schema) -> Gap | None:
    """What the shape has and the chart's values.schema.json has not; None where it has everything."""
    return _gap(shape, _branches(schema, schema), schema)


def fitted(values: ResolvedMap, gap: Gap | None, newest: MarkedMap) -> tuple[ResolvedMap, Sequence[Lacking]]:
    """The values that the chart takes, and those with an effect that it does not.

    A value without an effect is left out: one that equals the default of the chart that this code belongs to (`newest`, its
    values.yaml in snake_case), or that is empty where this one has no default. A key that is new in that chart changes nothing
    until somebody says it, so a chart without it does the same.
    """
    if gap is None:
        return values, ()
    lacking: list[Lacking] = []
    kept = _Fit(values, newest, lacking).tree(values, gap, ())
    assert isinstance(kept, dict)
    return kept, lacking


@dataclass(frozen=True, slots=True)
class _Fit:
    values: ResolvedMap
    newest: MarkedMap
    lacking: list[Lacking]

    def tree(self, tree: Resolved, gap: Gap, path: Path) -> Resolved:
        if isinstance(tree, Leaf):
            return self._leaf(tree, gap, path)
        result: ResolvedMap = {}
        for key, value in tree.items():
            here = (*path, key)
            below = gap.at(key)
            if key in gap.unknown:
                self._unknown(value, here)
            elif below is None:
                result[key] = value
            else:
                result[key] = self.tree(value, below, here)
        return result

    def _unknown(self, tree: Resolved, path: Path) -> None:
        if not isinstance(tree, Leaf):
            for key, value in tree.items():
                self._unknown(value, (*path, key))
        elif _is_said(tree) and path not in DERIVED and self._has_effect(path, tree):
            self.lacking.append(Lacking(path, tree, _plain(tree), known=False))

    def _leaf(self, leaf: Leaf, gap: Gap, path: Path) -> Leaf:
        if _is_said(leaf):
            for found, known in _inside(_plain(leaf), gap):
                self.lacking.append(Lacking(path, leaf, found, known))
        return leaf

    def _has_effect(self, path: Path, leaf: Leaf) -> bool:
        default = self._default(path)
        return bool(leaf.value) if default is None else leaf.value != default

    def _default(self, path: Path) -> Plain:
        """What the newest chart says itself; None where it says nothing."""
        match path:
            case ("tracks", track, "components", component, *rest):
                role = value_at(self.values, "tracks", track, "components", component, "role")
                path = ("defaults", "roles", str(role), *rest)
            case _:
                pass
        node: Marked = self.newest
        for part in path:
            if not isinstance(node, MarkedMap) or part not in node.items:
                return None
            node = node.items[part]
        return plain(node)


def _is_said(leaf: Leaf) -> bool:
    """Whether a layer above the chart says it: only then it is written."""
    return leaf.value is not ABSENT and leaf.source.layer != "chart"


def _plain(leaf: Leaf) -> Plain:
    return None if leaf.value is ABSENT else leaf.value


def _inside(value: Plain, gap: Gap) -> Iterator[tuple[Plain, bool]]:
    """What the gap has of a leaf's value, which may be a list of maps; and whether only the value is unknown, not a key."""
    if isinstance(value, list):
        for item in value:
            if gap.item:
                yield from _inside(item, gap.item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            below = gap.at(key)
            if key in gap.unknown:
                yield {key: inner}, False
            elif below:
                yield from _inside(inner, below)
    elif gap.allowed is not None and value not in gap.allowed:
        yield value, True


def _gap(shape: Shape, branches: Sequence[Schema], root: Schema) -> Gap | None:
    if not branches:
        return None  # anything goes
    unknown: set[str] = set()
    below: dict[str, Gap] = {}
    for name, (camel, inner) in (shape.fields or {}).items():
        known = _property(branches, camel, root)
        if known is None:
            unknown.add(name)
        elif found := _gap(inner, known, root):
            below[name] = found
    item = _gap(shape.item, _items(branches, root), root) if shape.item else None
    allowed = _allowed(branches) if shape.fields is None and shape.item is None else None
    if unknown or below or item or allowed is not None:
        return Gap(frozenset(unknown), below, item, allowed)
    return None


def _branches(schema: Any, root: Schema) -> list[Schema]:
    """What a value may be, of the alternatives of a schema; nothing where it may be anything."""
    if not isinstance(schema, dict):
        return []
    here = cast("dict[str, Any]", schema)
    reference = here.get("$ref")
    if isinstance(reference, str):
        target: Any = root
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part, {}) if isinstance(target, dict) else {}  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  (JSON)
        return _branches(target, root)
    alternatives = here.get("anyOf")
    if isinstance(alternatives, list):
        return [branch for one in cast("list[Any]", alternatives) for branch in _branches(one, root)]
    return [here] if here.keys() & _CONSTRAINTS else []


_CONSTRAINTS = frozenset({"type", "properties", "patternProperties", "additionalProperties", "enum", "const", "items"})


def _property(branches: Sequence[Schema], key: str, root: Schema) -> list[Schema] | None:
    """What a key's value may be; None where no branch knows the key."""
    for branch in branches:
        if "object" not in branch.get("type", "object"):
            continue
        properties: Schema = branch.get("properties", {})
        if key in properties:
            return _branches(properties[key], root)
        for pattern, inner in branch.get("patternProperties", {}).items():
            if re.search(pattern, key):
                return _branches(inner, root)
        rest = branch.get("additionalProperties", True)
        if rest is not False:
            return _branches(rest, root)
    return None


def _items(branches: Sequence[Schema], root: Schema) -> list[Schema]:
    """What each item of a list, or of a map with names of people's own, may be."""
    found: list[Schema] = []
    for branch in branches:
        inner = [branch.get("items"), branch.get("additionalProperties"), *branch.get("patternProperties", {}).values()]
        found += [one for schema in inner for one in _branches(schema, root)]
    return found


def _allowed(branches: Sequence[Schema]) -> frozenset[Scalar] | None:
    """The values that are all that is allowed, if there are such."""
    values: set[Scalar] = set()
    for branch in branches:
        if "enum" in branch:
            values.update(branch["enum"])
        elif "const" in branch:
            values.add(branch["const"])
        else:
            return None
    return frozenset(values)
