"""cost: what every component that runs costs a month, by the prices of environments/instance-types.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bento_gitops.layers.merging import value_at
from bento_gitops.model.files import InstanceTypes
from bento_gitops.model.problem import InvalidInput, Problem
from bento_gitops.operations.render import render_one
from bento_gitops.repository.files import Tree
from bento_gitops.repository.fleet import INSTANCE_TYPES, Fleet, Target
from bento_gitops.reviewing.running import NOTHING, Money, Pods, RunningComponent, RunningTrack, running

WITHOUT = "(no such label)"


@dataclass(frozen=True, slots=True)
class Line:
    """One component of one track."""

    target: Target
    track: RunningTrack
    component: RunningComponent
    group: str
    """What its total is counted with."""


@dataclass(frozen=True, slots=True)
class Total:
    """The sum of a group."""

    group: str
    pods: Pods
    gpus: Pods
    month: Money
    """Of the components with a price."""
    priced: int
    """Components that have a price."""
    unpriced: int
    """Components without one, which are not in it."""


@dataclass(frozen=True, slots=True)
class Bill:
    """Every line and the totals of their groups."""

    lines: tuple[Line, ...]
    totals: tuple[Total, ...]
    everything: Total
    currency: str
    by: str


def cost(tree: Tree, wanted: str | None, by: str = "environment") -> Bill:
    """Of ENV, ENV/APP or all; `by` is `environment`, `application` or the key of a label.

    Raises InvalidInput with what is wrong with the files.
    """
    fleet = Fleet(tree)
    lines: list[Line] = []
    problems: list[Problem] = []
    for target in fleet.chosen(wanted):
        try:
            lines += _lines(fleet, target, by)
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    types = fleet.file(INSTANCE_TYPES, InstanceTypes, needed=False)
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.group, []).append(line)
    totals = tuple(_total(group, found) for group, found in sorted(groups.items()))
    return Bill(tuple(lines), totals, _total("all", lines), types.value.currency if types else "", by)


def _lines(fleet: Fleet, target: Target, by: str) -> list[Line]:
    values = render_one(fleet, target)[1]
    sources = fleet.sources(target)
    types = sources.instance_types
    known: Mapping[str, str] = {"environment": target.environment, "application": target.application}
    group = known.get(by) or str(value_at(values, "labels", by) or WITHOUT)
    found = running(values, sources.release.value, types.value if types else None)
    return [Line(target, track, component, group) for track in found.tracks.values() for component in track.components.values()]


def _total(group: str, lines: list[Line]) -> Total:
    components = [line.component for line in lines]
    return Total(
        group,
        sum((component.pods for component in components), Pods(0, 0)),
        sum((component.pods.times(component.gpu) for component in components), Pods(0, 0)),
        sum((component.month or NOTHING for component in components), NOTHING),
        sum(component.month is not None for component in components),
        sum(component.month is None for component in components),
    )
