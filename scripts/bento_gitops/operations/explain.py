"""explain: where a value comes from, and what it hides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import get_args

from bento_gitops.layers.marked import MarkedMap, parse, place_of, plain
from bento_gitops.layers.merging import ABSENT, Leaf, Resolved, ResolvedMap, Said, leaf_at, leaves_of
from bento_gitops.layers.overriding import split_path
from bento_gitops.layers.resolving import OF_RELEASES, Sources, resolve
from bento_gitops.layers.spelling import path_in
from bento_gitops.model.files import Environment
from bento_gitops.model.problem import InvalidInput, Place, Problem, did_you_mean
from bento_gitops.model.settings import AlertName, ApplicationConfig, Objective
from bento_gitops.model.shape import shape_of
from bento_gitops.model.values import Values
from bento_gitops.operations.render import Rendered, render_one
from bento_gitops.rendering.routing import tree_from
from bento_gitops.rendering.text import path_at
from bento_gitops.repository.files import Tree
from bento_gitops.repository.fleet import Fleet

_LINE = re.compile(r"((?:.*/)?values\.yaml):([0-9]{1,9})")


@dataclass(frozen=True, slots=True)
class Explanation:
    """One value and all that was said of it, the highest layer first."""

    path: tuple[str, ...]
    leaf: Leaf

    def statements(self) -> list[tuple[Said, str]]:
        """Each statement with what became of it: in force, hidden by a higher one, taken back by a null, replaced as part of a
        unit (by an instance type); a null takes back, a unit replaces."""
        result: list[tuple[Said, str]] = []
        found = replaced = False
        for said in self.leaf.said:
            if not said.counts:
                result.append((said, "replaced" if replaced else "taken back"))
            elif said.value is not ABSENT:
                result.append((said, "hidden" if found else "in force"))
                found = True
            elif said.note:
                # A unit that says this value too stands in the line above already.
                if not result or (result[-1][0].place, result[-1][0].note) != (said.place, said.note):
                    result.append((said, "replaces what is below"))
                replaced = True
            else:
                result.append((said, "takes back"))
        return result


def explain(tree: Tree, wanted: str, path: str | None) -> list[Explanation]:
    """Every value at or below a path of ENV/APP, in either spelling, or in a line `values.yaml:LINE`; all without a path.

    `services.NAME...` means the component on every track that has it. Raises InvalidInput where there is no such path.
    """
    fleet = Fleet(tree)
    if not wanted.partition("/")[2]:
        advice = f"write it like {wanted.strip('/')}/APPLICATION"
        raise InvalidInput([Problem(Place(f"environments/{wanted}"), "", "explain needs one application", f"'{wanted}'", advice)])
    target = fleet.chosen(wanted)[0]
    rendered, values = render_one(fleet, target)
    if not path:
        return _below(values, ())
    line = _LINE.fullmatch(path)
    if line:
        return _below(values, _path_in_line(rendered, values, line[1], int(line[2])))
    values = _with_what_commands_read(values, fleet.sources(target))
    explanations: list[Explanation] = []
    problems: list[Problem] = []
    for full in _full_paths(split_path(path), values):
        try:
            known = _checked(full, values, wanted, path)
            elsewhere = _said_elsewhere(known, values, fleet, rendered.chart)
            explanations += _completed(_below(values, known), known, elsewhere)
        except InvalidInput as error:
            problems.extend(error.problems)
    if not explanations:
        raise InvalidInput(problems)
    return explanations


def _with_what_commands_read(values: ResolvedMap, sources: Sources) -> ResolvedMap:
    """The values, and beside them what files say to commands alone: rollout, evaluation, where Prometheus is asked."""
    application = resolve(sources).application
    result: ResolvedMap = {**values, **{key: application[key] for key in OF_RELEASES if key in application}}
    watched = sources.saying("monitoring")
    if watched.value.monitoring is not None:
        said, shown = tree_from(watched.tree, "monitoring"), values.get("monitoring", {})
        assert isinstance(said, dict)
        result["monitoring"] = {**(shown if isinstance(shown, dict) else {}), **said}
    return result


def _said_elsewhere(path: tuple[str, ...], values: ResolvedMap, fleet: Fleet, chart: str) -> list[tuple[str, tuple[Said, ...]]]:
    """By key below the path's model: what holds where nobody says it there.

    What the application promises holds for a component; what the chart's own file says, for an alert.
    """
    match path:
        case ("tracks", _, "components", _, "slo", *_):
            promised = ((key, leaf_at(values, ("slo", key))) for key in shape_of(Objective).names(camel=False))
            return [
                (key, tuple(replace(said, note="of the application") for said in (leaf.said if leaf else ())))
                for key, leaf in promised
            ]
        case ("alerts", "rules", alert, *_) if fleet.tree.exists(file := f"{chart}/alerts/{alert}.yaml"):
            tree = parse(fleet.tree.read(file), file)
            labels = tree.items["labels"]
            assert isinstance(labels, MarkedMap)
            return [
                ("enabled", (Said("chart", Place(file), value=True, note="", counts=True),)),  # no line says it: there is a file
                *(
                    (key, (Said("chart", place_of(own, key), plain(own.items[key]), "", counts=True),))
                    for key, own in (("severity", labels), ("for", tree))
                ),
            ]
        case _:
            return []


def _completed(
    found: list[Explanation], path: tuple[str, ...], elsewhere: list[tuple[str, tuple[Said, ...]]]
) -> list[Explanation]:
    """What is explained, with what is said elsewhere below it; all of that where the path names none of its keys."""
    if not elsewhere:
        return found
    named = path[-1] in dict(elsewhere)
    above = path[:-1] if named else path
    own = {one.path: one.leaf.said for one in found}
    result: list[Explanation] = []
    for key, said in elsewhere:
        here = (*above, key)
        if not named or here == path:
            every = (*own.get(here, ()), *said)
            value = next((each.value for each in every if each.counts and each.value is not ABSENT), ABSENT)
            result.append(Explanation(here, Leaf(value, every)))
    return result


def _path_in_line(rendered: Rendered, values: ResolvedMap, file: str, line: int) -> tuple[str, ...]:
    """What stands in a line of the target's values.yaml. Raises InvalidInput where that cannot be told."""
    own = rendered.target.values
    place = Place(own, line)
    if not f"/{own}".endswith(f"/{file.removeprefix('./')}"):
        raise InvalidInput([Problem(Place(file, line), "", f"is not the file of {rendered.target}", "", f"name a line of {own}")])
    if rendered.changed:
        wrong = "the file is not what its sources say, so its lines cannot be told"
        raise InvalidInput([Problem(place, "", wrong, "", f"run `bento-gitops render {rendered.target}` first")])
    found = path_at(values, line)
    if found is None:
        raise InvalidInput([Problem(place, "", "no value stands in this line", "", "name a line with a layer behind it")])
    return found


def _full_paths(parts: Sequence[str], values: ResolvedMap) -> list[tuple[str, ...]]:
    """A path of config.yaml's model as paths of values: one for each track."""
    if parts[0] != "services":
        return [tuple(parts)]
    tracks = values["tracks"]
    assert isinstance(tracks, dict)
    having = [track for track, inner in tracks.items() if len(parts) == 1 or parts[1] in _components(inner)]
    return [("tracks", track, "components", *parts[1:]) for track in (having or tracks)]


def _components(track: Resolved) -> ResolvedMap:
    inner = track.get("components") if isinstance(track, dict) else None
    return inner if isinstance(inner, dict) else {}


def _checked(parts: Sequence[str], values: ResolvedMap, wanted: str, asked: str) -> tuple[str, ...]:
    """The path in snake_case, as far as the model or the values know it. Raises InvalidInput at the first unknown part."""
    shape = shape_of(Values)
    if parts[0] in OF_RELEASES:
        shape = shape_of(ApplicationConfig)
    elif parts[0] == "monitoring":
        shape = shape_of(Environment)
    result = path_in(parts, shape, camel=False)
    node: Resolved | None = values
    for depth, part in enumerate(result):
        here = node if isinstance(node, dict) else {}
        known = {*here, *shape.names(camel=False)}
        if result[:depth] == ("alerts", "rules"):
            known |= {*get_args(AlertName)}
        if part not in known:
            where = ".".join(result[:depth]) or "values.yaml"
            raise InvalidInput(
                [Problem(Place(wanted), asked, f"{where} has no such key", f"'{part}'", did_you_mean(part, known))]
            )
        node, shape = here.get(part), shape.below(part)
    return result


def _below(values: ResolvedMap, path: tuple[str, ...]) -> list[Explanation]:
    node: Resolved = values
    for part in path:
        if isinstance(node, Leaf) or part not in node:
            return [Explanation(path, Leaf(ABSENT, ()))]
        node = node[part]
    return [Explanation((*path, *rest), leaf) for rest, leaf in leaves_of(node)]
