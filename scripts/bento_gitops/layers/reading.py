"""A file's text against the model of its kind: a typed value, or every error with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bento_gitops.layers.belonging import belongs
from bento_gitops.layers.canonical import canonical
from bento_gitops.layers.marked import Marked, MarkedList, MarkedMap, MarkedScalar, join, kind_of, parse, plain
from bento_gitops.layers.rules import broken_rules
from bento_gitops.model.base import FORMS, Model
from bento_gitops.model.problem import InvalidInput, Place, Problem, did_you_mean
from bento_gitops.model.shape import Shape, shape_of

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Read(Generic[M]):
    """A file that was read: its model, and the tree that knows the lines."""

    value: M
    tree: MarkedMap


def read(text: str | bytes, file: str, model: type[M]) -> Read[M]:
    """The file as its model.

    Raises InvalidInput with all that is wrong, each at its line.
    """
    problems: list[Problem] = []
    tree = canonical(parse(text, file), model, problems)
    try:
        value = checked(tree, model)
    except InvalidInput as error:
        raise InvalidInput([*problems, *error.problems]) from None
    problems += broken_rules(value, tree)
    if problems:
        raise InvalidInput(problems)
    return Read(value, tree)


def checked(tree: MarkedMap, model: type[M], *, camel: bool = False) -> M:
    """The tree as the model; with `camel` its keys are spelled as Helm values are.

    Raises InvalidInput with all that is wrong, each at its line.
    """
    try:
        return model.model_validate(plain(tree), by_alias=camel, by_name=not camel)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidInput(_problem(detail, tree, model, camel=camel) for detail in details) from None


def _problem(detail: ErrorDetails, tree: MarkedMap, model: type[Model], *, camel: bool) -> Problem:
    path, node, place, last = _locate(detail["loc"], tree)
    pointer = ""
    for part in path:
        pointer = f"{pointer}[{part}]" if isinstance(part, int) else join(pointer, part)
    kind, context = detail["type"], detail.get("ctx", {})
    found = repr(str(path[-1])) if detail["loc"][-1] == "[key]" else kind_of(node)
    written = _shape_at(model, path).written
    digits = written.form if written else "write digits alone"
    match kind:
        case "extra_forbidden":
            word, here = str(detail["loc"][-1]), _shape_at(model, path[:-1])
            advice = belongs(word, here.models) or did_you_mean(word, here.names(camel=camel))
            return Problem(place, pointer, "no such key", f"'{word}'", advice)
        case "missing":
            return Problem(place, join(pointer, str(detail["loc"][-1])) if last else pointer, "is missing", "", "add it")
        case "string_type":
            quoted = f'write "{node.text}"' if isinstance(node, MarkedScalar) and node.value is not None else "write text"
            return Problem(place, pointer, "must be text", found, written.form if written else quoted)
        case "int_type" | "int_from_float":
            return Problem(place, pointer, "must be a whole number", found, "write digits alone")
        case "float_type":
            return Problem(place, pointer, "must be a number", found, digits)
        case "bool_type":
            return Problem(place, pointer, "must be true or false", found, "write true or false")
        case "dict_type" | "model_type" | "model_attributes_type":
            return Problem(place, pointer, "must be a mapping", found, "write `key: value` lines below it")
        case "list_type":
            return Problem(place, pointer, "must be a list", found, "write one `- item` a line")
        case "literal_error":
            return Problem(place, pointer, "is not one of what is allowed", found, f"use {context.get('expected', '')}")
        case "none_required":
            return Problem(
                place,
                pointer,
                "does not belong in this file",
                found,
                "capacity lives in environments/<env>/<application>/config.yaml",
            )
        case "string_pattern_mismatch":
            pattern = str(context.get("pattern"))
            return Problem(place, pointer, "is not of the right form", found, FORMS.get(pattern, f"it must match {pattern}"))
        case "value_error":
            wrong, _, todo = str(context.get("error")).partition("; ")
            return Problem(place, pointer, wrong, found if isinstance(node, MarkedScalar) else "", todo)
        case "greater_than_equal" | "greater_than" | "less_than_equal" | "less_than":
            side, bound = _bound(kind, context)
            if written:
                # The number alone would not say what it counts: 500 is no fewer seconds than it looks.
                return Problem(place, pointer, f"must be {bound}", found, written.form)
            return Problem(place, pointer, f"is too {side}", found, f"write {bound}")
        case "string_too_short":
            enough = f"write {context.get('min_length')} characters or more"
            return Problem(place, pointer, "is too short", found, written.form if written else enough)
        case "string_too_long":
            return Problem(place, pointer, "is too long", found, f"write {context.get('max_length')} characters or less")
        case "finite_number":
            return Problem(place, pointer, "is not a number that can be counted to", found, digits)
        case _:
            return Problem(place, pointer, detail["msg"][:1].lower() + detail["msg"][1:], found, "mend the value")


def _bound(kind: str, context: Mapping[str, object]) -> tuple[str, str]:
    """On which side a number is out of bounds, and what it must be, in words."""
    match kind:
        case "greater_than_equal":
            return "small", f"{_number(context['ge'])} or more"
        case "greater_than":
            return "small", f"more than {_number(context['gt'])}"
        case "less_than_equal":
            return "large", f"{_number(context['le'])} or less"
        case _:
            return "large", f"below {_number(context['lt'])}"


def _number(bound: object) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)


def _locate(loc: Sequence[int | str], tree: MarkedMap) -> tuple[list[str | int], Marked, Place, bool]:
    """Follows pydantic's location through the tree: the path that exists, the node there, its place, whether it ended early.

    Pydantic adds parts of its own (the members of a union, "[key]"): what the tree does not have is passed over.
    """
    node: Marked = tree
    place, path, early = tree.place, list[str | int](), False
    for part in loc:
        step = _step(node, part)
        early = step is None
        if step is not None:
            key, place, node = step
            path.append(key)
    return path, node, place, early


def _step(node: Marked, part: int | str) -> tuple[str | int, Place, Marked] | None:
    """What stands one step below a node: its key as the tree has it, its place and itself."""
    if isinstance(node, MarkedMap) and str(part) in node.items:
        return str(part), node.at(str(part)), node.items[str(part)]
    if isinstance(node, MarkedList) and isinstance(part, int) and part < len(node.items):
        return part, node.items[part].place, node.items[part]
    return None


def _shape_at(model: type[Model], path: Sequence[str | int]) -> Shape:
    shape = shape_of(model)
    for part in path:
        shape = shape.below(part)
    return shape
