"""explain: where a value comes from, and what it hides."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bento_gitops.layers.merging import ABSENT, Leaf, Resolved, ResolvedMap, Said, leaves_of
from bento_gitops.layers.overriding import split_path
from bento_gitops.layers.spelling import path_in
from bento_gitops.model.problem import InvalidInput, Place, Problem, did_you_mean
from bento_gitops.model.shape import Shape, shape_of
from bento_gitops.model.values import Values
from bento_gitops.operations.render import Rendered, render_one
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
    rendered, values = render_one(fleet, fleet.chosen(wanted)[0])
    if not path:
        return _below(values, ())
    line = _LINE.fullmatch(path)
    if line:
        return _below(values, _path_in_line(rendered, values, line[1], int(line[2])))
    explanations: list[Explanation] = []
    problems: list[Problem] = []
    for full in _full_paths(split_path(path), values):
        try:
            explanations += _below(values, _checked(full, values, wanted, path))
        except InvalidInput as error:
            problems.extend(error.problems)
    if not explanations:
        raise InvalidInput(problems)
    return explanations


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
    result = path_in(parts, shape_of(Values), camel=False)
    node: Resolved | None = values
    shape: Shape = shape_of(Values)
    for depth, part in enumerate(result):
        here = node if isinstance(node, dict) else {}
        known = {*here, *shape.names(camel=False)}
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
