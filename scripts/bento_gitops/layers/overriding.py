"""The runtime layer: what overrides.yaml says, which of it has ended, and a what-if from the command line."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations

from bento_gitops.layers.canonical import canonical
from bento_gitops.layers.marked import Marked, MarkedList, MarkedMap, MarkedScalar, Plain, parse, plain, pointer
from bento_gitops.layers.reading import Read, checked
from bento_gitops.model.base import moment
from bento_gitops.model.files import Override, Overrides
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.model.settings import Config


def fragments(overrides: Read[Overrides]) -> tuple[MarkedMap, ...]:
    """What each override says, in config.yaml's model, in their order."""
    return tuple(fragment for _, fragment in entries(overrides))


def ended(overrides: Read[Overrides], now: datetime) -> list[str]:
    """A line for each override that should have been removed by now; it counts until it is."""
    return [
        f"{fragment.place}: this override ended {entry.expires} and still counts"
        f" (owner {entry.owner}, reason: {entry.reason}); remove it or extend it"
        for entry, fragment in entries(overrides)
        if moment(entry.expires) < now
    ]


def what_if(assignment: str) -> MarkedMap:
    """`PATH=VALUE` as a fragment in config.yaml's model. The value is read as YAML; names with dots are quoted.

    Raises InvalidInput.
    """
    return _in_the_model(_assigned(assignment, Place(f"--set {assignment}")))


def assigned(assignments: Sequence[str]) -> Assigned:
    """Several `PATH=VALUE` as one fragment.

    Raises InvalidInput with what is wrong with any of them, and where two say the same thing.
    """
    problems: list[Problem] = []
    trees: list[MarkedMap] = []
    for assignment in assignments:
        try:
            tree = _assigned(assignment, Place(assignment))
            _in_the_model(tree)
            trees.append(tree)
        except InvalidInput as error:
            problems += error.problems
    for one, other in combinations(trees, 2):
        if (shared := _shared(one, other)) is not None:
            todo = "say each thing once, and a map as a whole or key by key"
            problems.append(Problem(other.place, pointer(shared), f"is said by {one.place} too", "", todo))
    if problems:
        raise InvalidInput(problems)
    whole = functools.reduce(_together, trees)
    said = plain(whole)
    assert isinstance(said, dict), "a map is a map"
    return Assigned(said, _in_the_model(whole))


@dataclass(frozen=True, slots=True)
class Assigned:
    """What somebody asks for on the command line."""

    said: dict[str, Plain]
    """As it is written to a file."""
    fragment: MarkedMap
    """In the models' own spelling; its places are the words of the command line."""


def _assigned(assignment: str, place: Place) -> MarkedMap:
    path, equals, value = assignment.partition("=")
    keys = split_path(path)
    if not equals or not all(keys):
        example = "services.EmbeddingRunner.scaling.min_replicas=6"
        raise InvalidInput([Problem(place, "", "must be PATH=VALUE", "", f"write it like {example}")])
    node = _at(_parsed(value, path, place), place)
    for key in reversed(keys):
        node = MarkedMap({key: node}, place, {key: place})
    assert isinstance(node, MarkedMap)
    return node


def _in_the_model(node: MarkedMap) -> MarkedMap:
    problems: list[Problem] = []
    tree = canonical(node, Config, problems)
    checked(tree, Config)
    if problems:
        raise InvalidInput(problems)
    return tree


def _shared(one: Marked, other: Marked) -> tuple[str, ...] | None:
    """The first path that both say."""
    if not isinstance(one, MarkedMap) or not isinstance(other, MarkedMap):
        return ()
    for key in one.items:
        below = _shared(one.items[key], other.items[key]) if key in other.items else None
        if below is not None:
            return (key, *below)
    return None


def _together(one: MarkedMap, other: MarkedMap) -> MarkedMap:
    items = dict(one.items)
    for key, value in other.items.items():
        here = items.get(key)
        items[key] = _together(here, value) if isinstance(here, MarkedMap) and isinstance(value, MarkedMap) else value
    return MarkedMap(items, one.place, {**other.keys, **one.keys})


def said_in(fragment: Marked, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Plain, Place]]:
    """Each value that a fragment says: its path, itself, and where it stands. A list is one value."""
    if isinstance(fragment, MarkedMap) and fragment.items:
        for key, value in fragment.items.items():
            yield from said_in(value, (*path, key))
    else:
        yield path, plain(fragment), fragment.place


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


def entries(overrides: Read[Overrides]) -> Iterator[tuple[Override, MarkedMap]]:
    """Each override, and what it says."""
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
