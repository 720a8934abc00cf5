"""render: the values.yaml of every target from its sources; written, or compared with what is there."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bento_gitops.layers.marked import MarkedMap, Plain, join, parse, place_of, plain, pointer
from bento_gitops.layers.merging import ResolvedMap, value_at
from bento_gitops.layers.overriding import ended, named_services, only_services, what_if
from bento_gitops.layers.reading import Read
from bento_gitops.model.files import Overrides
from bento_gitops.model.layout import CHART, released_chart
from bento_gitops.model.problem import InvalidInput, Problem, did_you_mean
from bento_gitops.model.release import Release
from bento_gitops.rendering.chart_keys import fitted
from bento_gitops.rendering.text import values_text
from bento_gitops.rendering.values import build
from bento_gitops.repository.charts import version_in
from bento_gitops.repository.files import Tree, write_atomically
from bento_gitops.repository.fleet import Fleet, Target

PER_PROCESS = 25
"""Targets for which another process is worth its start."""
MOST_PROCESSES = 8


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """One track in a line."""

    track: str
    role: str
    """stable, candidate, standby or empty."""
    bundle: str
    weight: int
    """Percent of live requests."""
    replicas: dict[str, str]
    """By component: "3-12" pods, or "2" where the bounds are equal, or "0" for a cold standby."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """The values of one target."""

    target: Target
    text: str
    tracks: tuple[TrackSummary, ...]
    notes: tuple[str, ...]
    changed: bool
    """Whether the file says something else."""
    before: str
    """The file's text; empty where there is none."""
    chart: str
    """The folder of the chart that the values are for."""

    def difference(self) -> list[str]:
        """The lines that change, as a unified diff."""
        return difference(self.target.values, self.before, self.text)


def difference(path: str, before: str, after: str) -> list[str]:
    """The lines of a file that change, as a unified diff."""
    import difflib

    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"a/{path}", f"b/{path}", lineterm="", n=1)
    return list(lines)


def render(tree: Tree, wanted: str | None, assignments: Sequence[str] = (), now: datetime | None = None) -> list[Rendered]:
    """Every target's values, in order; nothing is written.

    `wanted` is ENV, ENV/APP or nothing for all; `assignments` are what-ifs PATH=VALUE; with `now`, ended overrides are noted.
    Raises InvalidInput with the problems of all targets at once.
    """
    return render_fleet(Fleet(tree), wanted, assignments, now)


def render_fleet(
    fleet: Fleet, wanted: str | None, assignments: Sequence[str] = (), now: datetime | None = None
) -> list[Rendered]:
    """As `render`, of a fleet that is open already."""
    # Missing where the command runs outside of the repository: said once, and also where nothing is found.
    fleet.charts.layer(CHART)
    targets = fleet.chosen(wanted)
    problems = fleet.unread(wanted)
    rendered: list[Rendered] = []
    try:
        extra = _spread(fleet, targets, [what_if(assignment) for assignment in assignments])
        rendered = _render_targets(fleet, targets, extra, now)
    except InvalidInput as error:
        problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return rendered


def _render_targets(
    fleet: Fleet,
    targets: Sequence[Target],
    extra: Mapping[Target, Sequence[MarkedMap]],
    now: datetime | None,
) -> list[Rendered]:
    """The values of each target; `extra` are fragments over the layers of each."""
    first, *others = _shares(targets)
    outcomes = _side_by_side(fleet, first, others, extra, now) if others else [_outcome(fleet, first, extra, now)]
    problems = [problem for outcome in outcomes for problem in outcome.problems]
    if problems:
        raise InvalidInput(problems)
    by_target = {one.target: one for outcome in outcomes for one in outcome.rendered}
    return [by_target[target] for target in targets]


def write(root: Path, rendered: Sequence[Rendered]) -> None:
    """Writes what changed, each file by one rename."""
    for one in rendered:
        if one.changed:
            write_atomically(root, one.target.values, one.text.encode())


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of a share of the targets."""

    rendered: Sequence[Rendered]
    problems: Sequence[Problem]


def _spread(fleet: Fleet, targets: Sequence[Target], fragments: Sequence[MarkedMap]) -> Mapping[Target, Sequence[MarkedMap]]:
    """Each what-if for the targets that have the services it names.

    Raises InvalidInput for a service that none of them has.
    """
    if len(targets) < 2 or not fragments:
        return dict.fromkeys(targets, fragments)
    services: dict[Target, set[str]] = {}
    for target in targets:
        try:
            bundles = fleet.sources(target).bundles.values()
        except InvalidInput:
            continue  # told when it is rendered
        services[target] = {name for bundle in bundles for name in bundle.value.services}
    known = {name for having in services.values() for name in having}
    problems = [
        Problem(fragment.place, join("services", name), "no such service in any target", f"'{name}'", did_you_mean(name, known))
        for fragment in fragments
        for name in sorted(named_services(fragment) - known)
    ]
    if problems and len(services) == len(targets):
        raise InvalidInput(problems)
    return {target: [only_services(fragment, having) for fragment in fragments] for target, having in services.items()}


def _outcome(
    fleet: Fleet, targets: Sequence[Target], extra: Mapping[Target, Sequence[MarkedMap]], now: datetime | None
) -> _Outcome:
    rendered: list[Rendered] = []
    problems: list[Problem] = []
    for target in targets:
        try:
            rendered.append(render_one(fleet, target, extra.get(target, ()), now)[0])
        except InvalidInput as error:
            problems.extend(error.problems)
    return _Outcome(rendered, problems)


def _shares(targets: Sequence[Target]) -> list[list[Target]]:
    """The targets by the process that renders them. An application stays in one, so that its bundles are read once."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    processes = max(1, min(cores, MOST_PROCESSES, len(targets) // PER_PROCESS))
    place = {name: number % processes for number, name in enumerate(sorted({target.application for target in targets}))}
    return [[target for target in targets if place[target.application] == number] for number in range(processes)]


def _side_by_side(
    fleet: Fleet,
    first: Sequence[Target],
    others: Sequence[Sequence[Target]],
    extra: Mapping[Target, Sequence[MarkedMap]],
    now: datetime | None,
) -> list[_Outcome]:
    """The first share is rendered here, each other one in a process of its own."""
    # They cost a tenth of what it takes to render one application.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # A fork starts at once; elsewhere than on Linux the system's libraries do not bear it.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else None)
    with ProcessPoolExecutor(len(others), context) as pool:
        works = [pool.submit(_outcome, Fleet(fleet.tree), share, extra, now) for share in others]
        return [_outcome(fleet, first, extra, now), *(work.result() for work in works)]


def render_one(
    fleet: Fleet, target: Target, extra: Sequence[MarkedMap] = (), now: datetime | None = None
) -> tuple[Rendered, ResolvedMap]:
    """One target, and its values with the provenance of each.

    Raises InvalidInput with every problem of its files.
    """
    sources = fleet.sources(target)
    if extra:
        values, resolution = build(replace(sources, runtime=(*sources.runtime, *extra)))
    else:
        values, resolution = fleet.built(target)
    values = _for_its_chart(values, fleet, target)
    text = values_text(values, str(target))
    before = fleet.tree.read(target.values).decode("utf-8", errors="replace") if fleet.tree.exists(target.values) else ""
    notes = list(resolution.notes)
    overrides = fleet.file(f"{target.folder}/overrides.yaml", Overrides, needed=False)
    if overrides and now:
        notes += ended(overrides, now)
    release = sources.release.value
    if before and before != text:
        notes += _changed_in_place(before, target, sources.release)
    roles = {release.stable: "stable"}
    if release.candidate:
        roles[release.candidate] = "candidate"
    if release.standby:
        roles[release.standby.track] = "standby"
    tracks = tuple(
        TrackSummary(name, roles.get(name, ""), track.bundle, track.weight, _replicas(values, name))
        for name, track in release.tracks.items()
    )
    return Rendered(target, text, tracks, tuple(notes), before != text, before, fleet.chart_folder(target.environment)), values


def _for_its_chart(values: ResolvedMap, fleet: Fleet, target: Target) -> ResolvedMap:
    """The values that the chart of the environment takes.

    Raises InvalidInput with those that it does not know, each at the line that says it, and with the version that does.
    """
    charts = fleet.charts
    folder = fleet.chart_folder(target.environment)
    gap = charts.gap(folder)
    if gap is None:
        return values
    newest = charts.layer(CHART).tree
    kept, lacking = fitted(values, gap, newest)
    if not lacking:
        return kept
    pinned = version_in(folder)
    versions = charts.versions()
    later = versions[versions.index(pinned) + 1 :]
    missing = {
        version: {(one.path, one.found) for one in fitted(values, charts.gap(released_chart(version)), newest)[1]}
        for version in later
    }
    problems: list[Problem] = []
    for one in lacking:
        knowing = [version for version in later if (one.path, one.found) not in missing[version]]
        if knowing:
            todo = f"{knowing[0]} does; pin it first: `bento-gitops chart pin {target.environment} {knowing[0]}`"
        else:
            todo = f"{CHART} does; release it and pin that: `bento-gitops chart release VERSION`"
        what = "does not know this value" if one.known else "knows no such value"
        wrong = f"the chart {pinned} that {target.environment} pins {what}"
        problems.append(Problem(one.leaf.source.place, _as_people_say(one.path), wrong, _shown(one.found), todo))
    raise InvalidInput(problems)


def _shown(value: Plain) -> str:
    return repr(value) if isinstance(value, str) else json.dumps(value)


def _as_people_say(path: Sequence[str]) -> str:
    """A path in the values as config.yaml has it: what is said of a service holds on every track."""
    match path:
        case ("tracks", _, "components", *rest):
            return pointer(("services", *rest))
        case _:
            return pointer(path)


def _changed_in_place(before: str, target: Target, release: Read[Release]) -> list[str]:
    """A line for each track that ran another bundle in the values that are there now."""
    try:
        running = parse(before, target.values).items.get("tracks")
    except InvalidInput:
        return []  # spoilt by hand: what it ran is not known, and it is written anew anyway
    tracks = running.items if isinstance(running, MarkedMap) else {}
    notes: list[str] = []
    for name, track in release.value.tracks.items():
        ran = tracks.get(name)
        bundle = plain(ran.items["bundle"]) if isinstance(ran, MarkedMap) and "bundle" in ran.items else track.bundle
        if bundle != track.bundle:
            place = place_of(release.tree, "tracks", name, "bundle")
            notes.append(
                f"{place}: tracks.{name}.bundle: changes from {bundle} to {track.bundle} on a track that runs: it answers nothing"
                " until its new pods are ready; a free track name avoids that"
            )
    return notes


def _replicas(values: ResolvedMap, track: str) -> dict[str, str]:
    tracks = values["tracks"]
    assert isinstance(tracks, dict)
    here = tracks[track]
    assert isinstance(here, dict)
    components = here["components"]
    assert isinstance(components, dict)
    single = value_at(values, "mode") == "single"
    result: dict[str, str] = {}
    for name, component in components.items():
        if single and value_at(component, "role") != "api":
            continue  # it runs in the api's pods
        low, high = (value_at(component, "scaling", bound) for bound in ("min_replicas", "max_replicas"))
        result[name] = "0" if value_at(here, "capacity") == "cold" else str(low) if low == high else f"{low}-{high}"
    return result
