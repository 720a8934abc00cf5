"""What an instance type stands for: resources and placement as one unit, in the layer that names it."""

from __future__ import annotations

from collections.abc import Sequence

from bento_gitops.layers.marked import Marked, MarkedList, MarkedMap, MarkedScalar, Reset
from bento_gitops.layers.merging import ABSENT, Entry, Leaf, merge
from bento_gitops.model.problem import Place, Problem, did_you_mean

UNIT = ("resources", "placement")
"""The parts of a component that an instance type sets as one."""


def expanded(
    entries: Sequence[Entry], types: MarkedMap | None, pointer: str, problems: list[Problem]
) -> tuple[list[Entry], Leaf | None]:
    """The entries of a component (lowest first), with the instance type in force written out, and that instance type.

    The unit hides what lower layers said; what the same file and higher ones say of `resources` comes on top, by key.
    """
    named = [(index, Entry(entry.layer, said)) for index, entry in enumerate(entries) if (said := _instance_type(entry))]
    rest = [_without(entry) for entry in entries]
    if not named:
        return rest, None
    leaf = merge([entry for _, entry in named], f"{pointer}.instance_type", problems)
    assert isinstance(leaf, Leaf)
    if leaf.value is ABSENT:
        return rest, leaf
    source = leaf.source
    winner = next(index for index, entry in reversed(named) if entry.node.place == source.place)
    known = types.items if types else {}
    kind = known.get(str(leaf.value))
    if types is None or not isinstance(kind, MarkedMap):
        problems.append(
            Problem(
                source.place,
                f"{pointer}.instance_type",
                "no such instance type in environments/instance-types.yaml",
                f"'{leaf.value}'",
                did_you_mean(str(leaf.value), known) if known else "write that file with this type",
            )
        )
        return rest, leaf
    note = f"instance_type {leaf.value}, {types.at(str(leaf.value))}"
    resets: dict[str, Marked] = {part: Reset(source.place, note) for part in UNIT}
    unit: dict[str, Marked] = {part: _standing_at(kind.items[part], source.place, note) for part in UNIT if part in kind.items}
    written_out = [Entry(source.layer, MarkedMap(items, source.place)) for items in (resets, unit)]
    return [*rest[:winner], *written_out, *rest[winner:]], leaf


def _instance_type(entry: Entry) -> Marked | None:
    """What the entry says of it; taking back a whole component takes back this too."""
    return entry.node.items.get("instance_type") if isinstance(entry.node, MarkedMap) else entry.node


def _without(entry: Entry) -> Entry:
    if not isinstance(entry.node, MarkedMap) or "instance_type" not in entry.node.items:
        return entry
    items = {key: value for key, value in entry.node.items.items() if key != "instance_type"}
    return Entry(entry.layer, MarkedMap(items, entry.node.place, entry.node.keys))


def _standing_at(node: Marked, place: Place, note: str) -> Marked:
    """The node as if it had been written out where the instance type is named."""
    match node:
        case MarkedMap():
            return MarkedMap({key: _standing_at(value, place, note) for key, value in node.items.items()}, place)
        case MarkedList():
            return MarkedList(node.items, place, note)
        case MarkedScalar():
            return MarkedScalar(node.value, place, note)
        case Reset():
            return node
