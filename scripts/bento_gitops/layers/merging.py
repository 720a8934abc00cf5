"""The merge: trees from the lowest layer to the highest become one, and every leaf keeps what was said of it and where.

Maps merge by key, deeply. Scalars and lists replace. `null` takes back what the environment and runtime layers said below it.
A reset (an instance type) hides whatever any lower layer said.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeAlias

from bento_gitops.layers.marked import Marked, MarkedList, MarkedMap, MarkedScalar, Plain, Reset, join, kind_of, plain
from bento_gitops.model.problem import Place, Problem

Layer = Literal["chart", "decorator", "environment", "runtime"]
PEOPLE: frozenset[Layer] = frozenset({"environment", "runtime"})
"""The layers that null takes back; it cannot undo what the code or the chart says."""


class Absent(Enum):
    """Nothing: no layer says anything that still counts."""

    ABSENT = "absent"


ABSENT = Absent.ABSENT


@dataclass(frozen=True, slots=True)
class Entry:
    """What one file says at one place of the tree."""

    layer: Layer
    node: Marked


@dataclass(frozen=True, slots=True)
class Said:
    """One statement about a leaf. `value` ABSENT: it took back or reset what was said below it."""

    layer: Layer
    place: Place
    value: Plain | Absent
    note: str
    counts: bool
    """Whether it is still in force where no higher statement hides it; false once taken back or reset."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A resolved value with all that was said of it, the highest layer first."""

    value: Plain | Absent
    said: tuple[Said, ...]

    @property
    def source(self) -> Said:
        """The statement that set the value.

        Raises LookupError for a leaf without a value.
        """
        for statement in self.said:
            if statement.counts and statement.value is not ABSENT:
                return statement
        raise LookupError("no statement is in force")


Resolved: TypeAlias = "Leaf | dict[str, Resolved]"
ResolvedMap: TypeAlias = dict[str, Resolved]


def merge(entries: Sequence[Entry], pointer: str, problems: list[Problem]) -> Resolved:
    """One tree of the entries, lowest layer first. Where kinds clash a problem names both places."""
    kinds = {type(entry.node) for entry in entries}
    if kinds == _MAPS:
        return _map(entries, pointer, problems)
    live = _in_force(entries)
    if kinds == _SCALARS:
        return _leaf(entries, live)
    maps = [entry for entry, counts in zip(entries, live, strict=True) if counts and isinstance(entry.node, MarkedMap)]
    leaves = [
        entry
        for entry, counts in zip(entries, live, strict=True)
        if counts and isinstance(entry.node, MarkedList | MarkedScalar) and not _takes_back(entry)
    ]
    if maps and leaves:
        high, low = sorted((maps[-1], leaves[-1]), key=entries.index, reverse=True)
        problems.append(
            Problem(
                high.node.place,
                pointer,
                f"a map against a single value: {low.node.place} ({low.layer}) says {kind_of(low.node)}",
                kind_of(high.node),
                "make them the same kind, or take the lower one back with null",
            )
        )
    if leaves or not any(isinstance(entry.node, MarkedMap) for entry in entries):
        return _leaf(entries, live)
    return _map(entries, pointer, problems)


# Nearly every place of a tree is one of these; the rest of `merge` is for places on which the layers do not agree.
_MAPS: set[type[Marked]] = {MarkedMap}
_SCALARS: set[type[Marked]] = {MarkedScalar}


def _map(entries: Sequence[Entry], pointer: str, problems: list[Problem]) -> ResolvedMap:
    below: dict[str, list[Entry]] = {}
    for entry in entries:
        if isinstance(entry.node, MarkedMap):
            for key in entry.node.items:
                below.setdefault(key, [])
    for entry in entries:
        match entry.node:
            case MarkedMap(items=items):
                layer = entry.layer
                for key, inner in items.items():
                    below[key].append(Entry(layer, inner))
            case MarkedScalar(value=None) | Reset():
                # What takes back a map takes back each of its leaves.
                for inner in below.values():
                    inner.append(entry)
            case _:
                pass
    return {key: merge(inner, join(pointer, key), problems) for key, inner in below.items()}


def _takes_back(entry: Entry) -> bool:
    return entry.layer in PEOPLE and isinstance(entry.node, MarkedScalar) and entry.node.value is None


def _in_force(entries: Sequence[Entry]) -> list[bool]:
    """Whether each entry is neither taken back nor reset by a higher one."""
    if not any(isinstance(entry.node, Reset) or _takes_back(entry) for entry in entries):
        return [True] * len(entries)
    result: list[bool] = []
    taken_back = reset = False
    for entry in reversed(entries):
        counts = not reset and not (taken_back and entry.layer in PEOPLE)
        result.append(counts)
        if counts:
            taken_back = taken_back or _takes_back(entry)
            reset = reset or isinstance(entry.node, Reset)
    return result[::-1]


def _leaf(entries: Sequence[Entry], live: Sequence[bool]) -> Leaf:
    said: list[Said] = []
    value: Plain | Absent = ABSENT
    for entry, counts in zip(entries, live, strict=True):
        node = entry.node
        here, note = _said(node)
        said.append(Said(entry.layer, node.place, here, note, counts))
        if counts and here is not ABSENT:
            value = here
    return Leaf(value, tuple(reversed(said)))


def _said(node: Marked) -> tuple[Plain | Absent, str]:
    """The value that a node stands for, and how it came to stand there."""
    match node:
        case MarkedScalar(value=None):
            return ABSENT, ""
        case MarkedScalar():
            return node.value, node.note
        case MarkedList():
            return plain(node), node.note
        case MarkedMap():
            return plain(node), ""
        case Reset():
            return ABSENT, node.note


def leaf_at(tree: Resolved, path: Sequence[str]) -> Leaf | None:
    """The leaf at a path, or None where there is none."""
    for part in path:
        if isinstance(tree, Leaf) or part not in tree:
            return None
        tree = tree[part]
    return tree if isinstance(tree, Leaf) else None


def value_at(tree: Resolved, *path: str) -> Plain:
    """The value at a path; None where nothing is said."""
    leaf = leaf_at(tree, path)
    return None if leaf is None or leaf.value is ABSENT else leaf.value


def leaves_of(tree: Resolved, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Leaf]]:
    """Every leaf with its path, in order."""
    if isinstance(tree, Leaf):
        yield path, tree
        return
    for key, inner in tree.items():
        yield from leaves_of(inner, (*path, key))


def plain_value(node: Resolved) -> Any:
    """The node as plain maps and values; None where nothing is said."""
    if isinstance(node, Leaf):
        return None if node.value is ABSENT else node.value
    return {key: plain_value(value) for key, value in node.items()}
