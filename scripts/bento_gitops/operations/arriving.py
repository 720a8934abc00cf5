"""What a change of files makes arrive at the cluster together, read from the values on both sides of it."""

from __future__ import annotations

from dataclasses import dataclass

from bento_gitops.checking.objects import Json, as_map, as_text, get
from bento_gitops.checking.rendered import plain_values
from bento_gitops.layers.marked import Marked, MarkedMap, MarkedScalar, Scalar, place_of
from bento_gitops.layers.reading import Read
from bento_gitops.model.base import moment
from bento_gitops.model.layout import release_file
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.model.release import BrokenGlass, Release
from bento_gitops.operations.situation import Situation
from bento_gitops.releasing.arrivals import Arriving, Served, clashes, let_go, passed_over
from bento_gitops.repository.fleet import Fleet, Target


@dataclass(frozen=True, slots=True)
class Arrival:
    """What was found of one target."""

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def arrival(before: Fleet, after: Fleet, target: Target, text: str) -> Arrival:
    """Whether requests would arrive together with their pods, or a bundle with the word that lets go of it.

    `text` is values.yaml as it will be, in the files `after`. What stands in the base's values.yaml is what runs: how its sources
    would be read today is of no matter. Raises InvalidInput where `text` is no values.
    """
    if not before.tree.exists(target.values):
        return Arrival()  # nothing runs yet, so no request is lost
    again = _let_go(before, after, target)
    there = before.tree.read(target.values).decode("utf-8", errors="replace")
    if there == text:
        return Arrival(again)
    return _joined(again, _clashing(before, after, target, there, text))


def _let_go(before: Fleet, after: Fleet, target: Target) -> tuple[Problem, ...]:
    old, new = _release(before, target), _release(after, target)
    if old is None or new is None:
        return ()
    places = {name: place_of(new.tree, "tracks", name, "bundle") for name in new.value.tracks}
    return tuple(let_go(str(target), old.value, new.value, places))


def _joined(problems: tuple[Problem, ...], other: Arrival) -> Arrival:
    return Arrival((*problems, *other.problems), other.notes)


def _clashing(before: Fleet, after: Fleet, target: Target, there: str, text: str) -> Arrival:
    coming = _served(after, target, text)
    try:
        running = _served(before, target, there)
    except InvalidInput as error:
        what = "whether pods and requests for them arrive together is not known"
        return Arrival(notes=(f"{what}: at the base, {error.problems[0]}",))
    release = _release(after, target)
    places = {name: _line(release, target, name) for name in coming.tracks}
    problems = clashes(str(target), running, coming, places, direct=False)
    if problems and _direct(after, target):
        problems = clashes(str(target), running, coming, places, direct=True)
    if not problems:
        return Arrival()
    glass = passed_over(_glass(_release(before, target)), _glass(release))
    if glass is None:
        return Arrival(tuple(problems))
    return Arrival(notes=tuple(f"passed over by {glass.by} ({glass.reason}): {problem}" for problem in problems))


def _served(fleet: Fleet, target: Target, text: str) -> Served:
    """The tracks in the text of a values.yaml; what it leaves to the chart is the chart's."""
    try:
        values = as_map(plain_values(text))
    except ValueError as error:
        raise _unreadable(target, str(error)) from None
    chart = fleet.chart(target.environment)
    tracks = {
        name: Arriving(
            as_text(get(track, "bundle")),
            _number(target, f"tracks.{name}.weight", get(track, "weight")),
            _pods(target, name, track, chart, single=values.get("mode") == "single"),
        )
        for name, track in as_map(values.get("tracks")).items()
    }
    stable = as_text(values.get("stable"))
    if stable not in tracks:
        raise _unreadable(target, f"stable is '{stable}', which is no track")
    return Served(stable, tracks)


def _pods(target: Target, track: str, values: Json, chart: MarkedMap, *, single: bool) -> dict[str, int]:
    components = as_map(get(values, "components"))
    if get(values, "capacity") == "cold":
        return dict.fromkeys(components, 0)
    found: dict[str, int] = {}
    for name, component in components.items():
        role = as_text(get(component, "role"))
        if single and role != "api":
            continue  # it runs in the api's pods
        said = get(component, "scaling", "minReplicas")
        pointer = f"tracks.{track}.components.{name}.scaling.minReplicas"
        found[name] = _number(target, pointer, _of_chart(chart, role) if said is None else said)
    return found


def _of_chart(chart: MarkedMap, role: str) -> Scalar:
    node: Marked = chart
    for key in ("defaults", "roles", role, "scaling", "min_replicas"):
        if not isinstance(node, MarkedMap) or key not in node.items:
            return None
        node = node.items[key]
    return node.value if isinstance(node, MarkedScalar) else None


def _number(target: Target, pointer: str, value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _unreadable(target, f"{pointer} is {value}")
    return value


def _unreadable(target: Target, found: str) -> InvalidInput:
    return InvalidInput([Problem(Place(target.values), "", "is no values of an application", found, "run `bento-gitops render`")])


def _release(fleet: Fleet, target: Target) -> Read[Release] | None:
    """release.yaml; None where it is not there or spoilt, which others tell: then nobody broke glass, and no line is known."""
    try:
        return fleet.file(release_file(str(target)), Release, needed=False)
    except InvalidInput:
        return None


def _glass(release: Read[Release] | None) -> BrokenGlass | None:
    return release.value.break_glass if release else None


def _line(release: Read[Release] | None, target: Target, track: str) -> Place:
    return place_of(release.tree, "tracks", track, "weight") if release else Place(release_file(str(target)))


def _direct(fleet: Fleet, target: Target) -> bool:
    """Whether the application asks for strategy direct and the environment allows it."""
    situation = Situation(fleet, target, moment("2000-01-01T00:00:00Z"))
    try:
        promotion = situation.promotion
        return situation.plan.strategy == "direct" and promotion is not None and bool(promotion.direct)
    except InvalidInput:
        return False  # sources that say nothing allow nothing
