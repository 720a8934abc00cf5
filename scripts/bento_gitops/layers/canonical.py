"""The spellings that people may use (BentoCloud's names and lists, plain batch limits), turned into the models' own."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from pydantic import BaseModel

from bento_gitops.layers.marked import Marked, MarkedList, MarkedMap, MarkedScalar, join, kind_of
from bento_gitops.model.base import Model
from bento_gitops.model.problem import Place, Problem
from bento_gitops.model.settings import Batching, ComponentSettings, Scaling
from bento_gitops.model.shape import Shape, shape_of


def canonical(tree: MarkedMap, model: type[Model], problems: list[Problem]) -> MarkedMap:
    """The tree of a file in the models' own spelling; places stay what they were.

    Adds a problem where two spellings say the same thing, or where a spelling is not what it stands for.
    """
    result = _walk(tree, shape_of(model), _Spot("", problems))
    assert isinstance(result, MarkedMap)
    return result


class _Spot:
    """Where in the file the walk is, and the problems found so far."""

    __slots__ = ("pointer", "problems")

    def __init__(self, pointer: str, problems: list[Problem]) -> None:
        self.pointer = pointer
        self.problems = problems

    def below(self, key: str) -> _Spot:
        return _Spot(join(self.pointer, key), self.problems)

    def item(self, index: int) -> _Spot:
        return _Spot(f"{self.pointer}[{index}]", self.problems)

    def add(self, place: Place, wrong: str, found: str, todo: str) -> None:
        self.problems.append(Problem(place, self.pointer, wrong, found, todo))


def _walk(node: Marked, shape: Shape, spot: _Spot) -> Marked:
    if isinstance(node, MarkedMap):
        for respell in _respellings(shape.models):
            node = respell(node, spot)
        items = {
            key: value if isinstance(value, MarkedScalar) else _walk(value, shape.below(key), spot.below(key))
            for key, value in node.items.items()
        }
        return MarkedMap(items, node.place, node.keys)
    if isinstance(node, MarkedList) and shape.item is not None:
        items_below = (_walk(item, shape.item, spot.item(index)) for index, item in enumerate(node.items))
        return MarkedList(tuple(items_below), node.place, node.note)
    return node


def _component(node: MarkedMap, spot: _Spot) -> MarkedMap:
    """`config_overrides` is read as what it overrides; `envs` as a list becomes a map."""
    return _keyed(_folded(node, "config_overrides", spot), "envs", _env, spot)


def _scaling(node: MarkedMap, spot: _Spot) -> MarkedMap:
    """BentoCloud's `policy` is folded in; `metrics` as a list becomes a map by type."""
    return _keyed(_folded(node, "policy", spot), "metrics", _metric, spot)


def _batching(node: MarkedMap, _spot: _Spot) -> MarkedMap:
    """A plain number is the value of the limit."""
    items: dict[str, Marked] = {}
    for key, value in node.items.items():
        number = isinstance(value, MarkedScalar) and value.value is not None
        items[key] = MarkedMap({"value": value}, value.place) if number else value
    return MarkedMap(items, node.place, node.keys)


def _folded(node: MarkedMap, name: str, spot: _Spot) -> MarkedMap:
    """The map with what stands below one of its keys moved up into it."""
    inner = node.items.get(name)
    if inner is None:
        return node
    here = spot.below(name)
    items = {key: value for key, value in node.items.items() if key != name}
    keys = {key: place for key, place in node.keys.items() if key != name}
    if not isinstance(inner, MarkedMap):
        here.add(node.at(name), "must be a mapping", kind_of(inner), "write `key: value` lines below it")
        return MarkedMap(items, node.place, keys)
    for key, value in inner.items.items():
        if key in items:
            here.below(key).add(inner.at(key), "says what stands outside it too", f"also at {keys[key]}", "keep one of them")
        items[key], keys[key] = value, inner.at(key)
    return MarkedMap(items, node.place, keys)


Row = tuple[str, Place, Marked]
"""A name, where it stands, and what is said of it."""


def _keyed(node: MarkedMap, name: str, row: Callable[[MarkedMap, _Spot], Row | None], spot: _Spot) -> MarkedMap:
    """The map with the list at one of its keys made a map, by what names each item."""
    rows = node.items.get(name)
    if not isinstance(rows, MarkedList):
        return node
    here = spot.below(name)
    items: dict[str, Marked] = {}
    keys: dict[str, Place] = {}
    for index, item in enumerate(rows.items):
        at = here.item(index)
        if not isinstance(item, MarkedMap):
            at.add(item.place, "must be a mapping", kind_of(item), f"write {name} as a map, or each item as BentoCloud does")
            continue
        found = row(item, at)
        if found is None:
            continue
        key, place, value = found
        if key in items:
            at.add(place, f"{name} names it twice", f"'{key}', first in line {keys[key].line}", "keep one of them")
        items[key], keys[key] = value, place
    return MarkedMap({**node.items, name: MarkedMap(items, rows.place, keys)}, node.place, node.keys)


def _env(item: MarkedMap, spot: _Spot) -> Row | None:
    """{name, value}."""
    value = item.items.get("value")
    if value is None or set(item.items) != {"name", "value"}:
        spot.add(item.place, "must have a name and a value, and nothing else", _keys(item), "write {name: NAME, value: VALUE}")
        return None
    return _named(item, "name", value, spot)


def _metric(item: MarkedMap, spot: _Spot) -> Row | None:
    """{type, value}; the rest is the metric."""
    rest = {key: value for key, value in item.items.items() if key != "type"}
    return _named(item, "type", MarkedMap(rest, item.place, item.keys), spot)


def _named(item: MarkedMap, key: str, value: Marked, spot: _Spot) -> Row | None:
    name = item.items.get(key)
    if not isinstance(name, MarkedScalar) or not isinstance(name.value, str):
        found = kind_of(name) if name else _keys(item)
        spot.below(key).add(item.at(key), "must be text", found, f"say which {key}")
        return None
    return name.value, name.place, value


def _keys(item: MarkedMap) -> str:
    return ", ".join(item.items) or "nothing"


@cache
def _respellings(models: tuple[type[BaseModel], ...]) -> tuple[Callable[[MarkedMap, _Spot], MarkedMap], ...]:
    return tuple(respell for kind, respell in _RESPELL.items() if any(issubclass(model, kind) for model in models))


_RESPELL: dict[type[BaseModel], Callable[[MarkedMap, _Spot], MarkedMap]] = {
    ComponentSettings: _component,
    Scaling: _scaling,
    Batching: _batching,
}
