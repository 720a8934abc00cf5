"""The runtime layer: what overrides.yaml says, which of it has ended, and a what-if from the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime

from bento_gitops.layers.canonical import canonical
from bento_gitops.layers.marked import Marked, MarkedList, MarkedMap, MarkedScalar, parse
from bento_gitops.layers.reading import Read, checked
from bento_gitops.model.base import moment
from bento_gitops.model.files import Override, Overrides
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.model.settings import Config


def fragments(overrides: Read[Overrides]) -> tuple[MarkedMap, ...]:
    """What each override says, in config.yaml's model, in their order."""
    return tuple(fragment for _, fragment in _entries(overrides))


def ended(overrides: Read[Overrides], now: datetime) -> list[str]:
    """A line for each override that should have been removed by now; it counts until it is."""
    return [
        f"{fragment.place}: this override ended {entry.expires} and still counts"
        f" (owner {entry.owner}, reason: {entry.reason}); remove it or extend it"
        for entry, fragment in _entries(overrides)
        if moment(entry.expires) < now
    ]


def what_if(assignment: str) -> MarkedMap:
    """`PATH=VALUE` as a fragment in config.yaml's model. The value is read as YAML; names with dots are quoted.

    Raises InvalidInput.
    """
    place = Place(f"--set {assignment}")
    path, equals, value = assignment.partition("=")
    keys = split_path(path)
    if not equals or not all(keys):
        example = "services.EmbeddingRunner.scaling.min_replicas=6"
        raise InvalidInput([Problem(place, "", "must be PATH=VALUE", "", f"write it like {example}")])
    node = _at(_parsed(value, path, place), place)
    for key in reversed(keys):
        node = MarkedMap({key: node}, place, {key: place})
    assert isinstance(node, MarkedMap)
    problems: list[Problem] = []
    tree = canonical(node, Config, problems)
    checked(tree, Config)
    if problems:
        raise InvalidInput(problems)
    return tree


def named_services(fragment: MarkedMap) -> set[str]:
    """The services that a fragment says something of, for every bundle or for one."""
    return {name for services in _service_maps(fragment) for name in services.items}


def only_services(fragment: MarkedMap, known: Collection[str]) -> MarkedMap:
    """The fragment without what it says of other services."""

    def kept(services: Marked) -> Marked:
        if not isinstance(services, MarkedMap):
            return services
        items = {name: said for name, said in services.items.items() if name in known}
        return MarkedMap(items, services.place, services.keys)

    def changed(node: Marked, key: str, change: Callable[[Marked], Marked]) -> Marked:
        if not isinstance(node, MarkedMap) or key not in node.items:
            return node
        return MarkedMap({**node.items, key: change(node.items[key])}, node.place, node.keys)

    def in_each(bundles: Marked) -> Marked:
        if not isinstance(bundles, MarkedMap):
            return bundles
        items = {tag: changed(said, "services", kept) for tag, said in bundles.items.items()}
        return MarkedMap(items, bundles.place, bundles.keys)

    result = changed(changed(fragment, "services", kept), "bundles", in_each)
    assert isinstance(result, MarkedMap)
    return result


def _service_maps(fragment: MarkedMap) -> Iterator[MarkedMap]:
    bundles = fragment.items.get("bundles")
    inner = bundles.items.values() if isinstance(bundles, MarkedMap) else ()
    for node in (fragment, *inner):
        services = node.items.get("services") if isinstance(node, MarkedMap) else None
        if isinstance(services, MarkedMap):
            yield services


def _parsed(value: str, path: str, place: Place) -> Marked:
    try:
        return parse(f"value: {value}", place.file).items["value"]
    except InvalidInput as error:
        raise InvalidInput(replace(problem, place=place, pointer=path) for problem in error.problems) from None


def split_path(path: str) -> list[str]:
    """The parts of a dotted path; a part with dots stands in double quotes."""
    parts = [""]
    quoted = False
    for character in path:
        if character == '"':
            quoted = not quoted
        elif character == "." and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _entries(overrides: Read[Overrides]) -> Iterator[tuple[Override, MarkedMap]]:
    nodes = overrides.tree.items["overrides"]
    assert isinstance(nodes, MarkedList)
    for entry, node in zip(overrides.value.overrides, nodes.items, strict=True):
        assert isinstance(node, MarkedMap)
        fragment = node.items["config"]
        assert isinstance(fragment, MarkedMap)
        yield entry, fragment


def _at(node: Marked, place: Place) -> Marked:
    """The node with one place for all of it: a command line has no lines."""
    if isinstance(node, MarkedMap):
        return MarkedMap({key: _at(value, place) for key, value in node.items.items()}, place, dict.fromkeys(node.items, place))
    if isinstance(node, MarkedList):
        return MarkedList(tuple(_at(item, place) for item in node.items), place)
    return MarkedScalar(node.value, place) if isinstance(node, MarkedScalar) else node
