"""override list: which temporary changes there are, whose, why, until when, and which values they hide."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bento_gitops.layers.marked import MarkedMap, Plain, pointer
from bento_gitops.layers.merging import ABSENT, Leaf, ResolvedMap, Said, leaves_of
from bento_gitops.layers.overriding import entries, said_in
from bento_gitops.model.base import moment
from bento_gitops.model.files import Overrides
from bento_gitops.model.layout import overrides_file
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.operations.render import render_one
from bento_gitops.repository.files import Tree
from bento_gitops.repository.fleet import Fleet, Target

State = Literal["in force", "hidden", "without effect"]


@dataclass(frozen=True, slots=True)
class Setting:
    """One value that an override says."""

    path: str
    value: Plain
    state: State
    """`hidden`: a later override says something else; `without effect`: no track runs what it is about."""
    hides: tuple[Said, ...]
    """What would be in force without it; differs by track, so it may be several, and it may be none."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One override."""

    target: Target
    number: int
    """Its place in the file, from 1."""
    name: str
    """As `override end` takes it in a command to copy."""
    place: Place
    settings: tuple[Setting, ...]
    reason: str
    owner: str
    expires: str
    left: timedelta
    """Below nothing: it has ended, and still counts."""

    @property
    def ended(self) -> bool:
        return self.left < timedelta()


def overrides(tree: Tree, wanted: str | None, now: datetime) -> list[Standing]:
    """Every override of ENV/APP, ENV or everything. Raises InvalidInput with the problems of all targets."""
    fleet = Fleet(tree)
    found: list[Standing] = []
    problems: list[Problem] = []
    for target in fleet.chosen(wanted):
        try:
            found += _of(fleet, target, now)
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return found


def _of(fleet: Fleet, target: Target, now: datetime) -> Iterator[Standing]:
    file = fleet.file(overrides_file(str(target)), Overrides, needed=False)
    if file is None:
        return
    values = render_one(fleet, target)[1]
    known = list(entries(file))
    for number, (entry, fragment) in enumerate(known, 1):
        yield Standing(
            target,
            number,
            name_of([fragment for _, fragment in known], number),
            fragment.place,
            tuple(_settings(values, fragment)),
            entry.reason,
            entry.owner,
            entry.expires,
            moment(entry.expires) - now,
        )


def name_of(fragments: Sequence[MarkedMap], number: int) -> str:
    """What an override is called by: a path that no other one says, for a number is another one's when one before it ends; where
    there is no such path, the number."""
    said = [[path for path, _, _ in said_in(fragment)] for fragment in fragments]
    others = [path for index, paths in enumerate(said, 1) if index != number for path in paths]
    alone = (path for path in said[number - 1] if not any(other[: len(path)] == path for other in others))
    return next((pointer(path) for path in alone), str(number))


def _settings(values: ResolvedMap, fragment: MarkedMap) -> Iterator[Setting]:
    for path, value, place in said_in(fragment):
        spots = [(leaf, at) for leaf in _leaves(values, path, place) if (at := _position(leaf, place)) is not None]
        above = [any(_sets(said) for said in leaf.said[:at]) for leaf, at in spots]
        state = "without effect" if not spots else "hidden" if all(above) else "in force"
        below = [said for leaf, at in spots if (said := next(filter(_sets, leaf.said[at + 1 :]), None))]
        hides = tuple(dict.fromkeys(said for said in below if said.value != value))
        yield Setting(pointer(path), value, state, hides)


def _leaves(values: ResolvedMap, path: Sequence[str], place: Place) -> list[Leaf]:
    """The values that stand where an override says something: under its own name on each track, else those that it stands for
    (an instance type is several)."""
    said = [(at, leaf) for at, leaf in leaves_of(values) if any(one.place == place for one in leaf.said)]
    name = tuple(path[path.index("services") + 1 :]) if "services" in path else tuple(path)
    named = [leaf for at, leaf in said if at[-len(name) :] == name]
    return named or [leaf for _, leaf in said]


def _position(leaf: Leaf, place: Place) -> int | None:
    return next((index for index, said in enumerate(leaf.said) if said.layer == "runtime" and said.place == place), None)


def _sets(said: Said) -> bool:
    return said.counts and said.value is not ABSENT
