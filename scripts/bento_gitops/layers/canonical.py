"""The spellings that people may use (BentoCloud's names and lists, plain batch limits), turned into the models' own."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel

from bento_gitops.layers.marked import Marked, MarkedList, MarkedMap, MarkedScalar, kind_of
from bento_gitops.model.base import Model
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.model.settings import Batching, ComponentSettings, Scaling
from bento_gitops.model.shape import Shape, shape_of

Problems = list[Problem]


def canonical(tree: MarkedMap, model: type[Model]) -> MarkedMap:
    """The tree of a file in the models' own spelling; places stay what they were.

    Raises InvalidInput where two spellings say the same thing.
    """
    problems: Problems = []
    result = _walk(tree, shape_of(model), problems)
    if problems:
        raise InvalidInput(problems)
    assert isinstance(result, MarkedMap)
    return result


def _walk(node: Marked, shape: Shape, problems: Problems) -> Marked:
    if isinstance(node, MarkedMap):
        for kind, respell in _RESPELL.items():
            if any(issubclass(model, kind) for model in shape.models):
                node = respell(node, problems)
        items = {key: _walk(value, shape.below(key), problems) for key, value in node.items.items()}
        return MarkedMap(items, node.place, node.keys)
    if isinstance(node, MarkedList) and shape.item is not None:
        return MarkedList(tuple(_walk(item, shape.item, problems) for item in node.items), node.place, node.note)
    return node


def _component(node: MarkedMap, problems: Problems) -> MarkedMap:
    """`envs` as a list becomes a map; `config_overrides` is read as what it overrides."""
    node = _replaced(node, "envs", _by_key(node.items.get("envs"), "name", "value", problems))
    overrides = node.items.get("config_overrides")
    if not isinstance(overrides, MarkedMap):
        return node
    items = {key: value for key, value in node.items.items() if key != "config_overrides"}
    keys = {key: place for key, place in node.keys.items() if key != "config_overrides"}
    _fold(items, keys, overrides, "config_overrides", problems)
    return MarkedMap(items, node.place, keys)


def _scaling(node: MarkedMap, problems: Problems) -> MarkedMap:
    """BentoCloud's `policy` is folded in; `metrics` as a list becomes a map by type."""
    policy = node.items.get("policy")
    if isinstance(policy, MarkedMap):
        items = {key: value for key, value in node.items.items() if key != "policy"}
        keys = {key: place for key, place in node.keys.items() if key != "policy"}
        _fold(items, keys, policy, "policy", problems)
        node = MarkedMap(items, node.place, keys)
    metrics = node.items.get("metrics")
    if isinstance(metrics, MarkedList):
        rows = _by_key(metrics, "type", None, problems)
        return _replaced(node, "metrics", rows)
    return node


def _batching(node: MarkedMap, _problems: Problems) -> MarkedMap:
    """A plain number is the value of the limit."""
    items: dict[str, Marked] = {}
    for key, value in node.items.items():
        number = isinstance(value, MarkedScalar) and value.value is not None
        items[key] = MarkedMap({"value": value}, value.place) if number else value
    return MarkedMap(items, node.place, node.keys)


def _fold(items: dict[str, Marked], keys: dict[str, Place], inner: MarkedMap, name: str, problems: Problems) -> None:
    """Moves what stands below one key up into the map around it."""
    for key, value in inner.items.items():
        if key in items:
            problems.append(
                Problem(
                    inner.at(key), f"{name}.{key}", "says what stands outside it too", f"also at {keys[key]}", "keep one of them"
                )
            )
        items[key], keys[key] = value, inner.at(key)


def _by_key(node: Marked | None, key: str, value: str | None, problems: Problems) -> Marked | None:
    """A list of maps as a map by one of their keys; the value is another key's, or what is left of the map."""
    if not isinstance(node, MarkedList):
        return node
    items: dict[str, Marked] = {}
    keys: dict[str, Place] = {}
    wanted = f"{{{key}, {value or 'value'}}}"
    for item in node.items:
        named = item.items.get(key) if isinstance(item, MarkedMap) else None
        if not isinstance(item, MarkedMap) or not isinstance(named, MarkedScalar) or not isinstance(named.value, str):
            problems.append(Problem(item.place, key, f"each item must be {wanted}", kind_of(item), f"write {wanted}, or a map"))
            continue
        rest = {name: inner for name, inner in item.items.items() if name != key}
        if value is not None and set(rest) - {value}:
            problems.append(
                Problem(item.place, named.value, f"each item must be {wanted}", ", ".join(rest), "remove the other keys")
            )
        if named.value in items:
            first = keys[named.value]
            problems.append(
                Problem(named.place, named.value, f"the {key} stands twice", f"first in line {first.line}", "keep one")
            )
        if value is None:
            items[named.value] = MarkedMap(rest, item.place, item.keys)
        else:
            items[named.value] = rest.get(value, MarkedScalar("", item.place))
        keys[named.value] = named.place
    return MarkedMap(items, node.place, keys)


def _replaced(node: MarkedMap, key: str, value: Marked | None) -> MarkedMap:
    if value is None or value is node.items.get(key):
        return node
    return MarkedMap({**node.items, key: value}, node.place, node.keys)


_RESPELL: dict[type[BaseModel], Callable[[MarkedMap, Problems], MarkedMap]] = {
    ComponentSettings: _component,
    Scaling: _scaling,
    Batching: _batching,
}
