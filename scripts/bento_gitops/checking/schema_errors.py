"""What a JSON Schema found wrong, in the sentences of this project: which field, what was found, what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import jsonschema_rs

from bento_gitops.checking.objects import Finding, Json, Map, Object, as_list, as_map, finding, shown
from bento_gitops.model.problem import did_you_mean, nearest

_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}
_BOUNDS = {
    "minimum": "is below the least that is allowed",
    "maximum": "is above the most that is allowed",
    "exclusiveMinimum": "is not above its lower bound",
    "exclusiveMaximum": "is not below its upper bound",
    "minLength": "is shorter than what is allowed",
    "maxLength": "is longer than what is allowed",
    "minItems": "has fewer items than needed",
    "maxItems": "has more items than allowed",
    "minProperties": "has fewer keys than needed",
    "maxProperties": "has more keys than allowed",
}


def findings(schema: Map, validator: jsonschema_rs.Validator, of: Object, check: str) -> Iterator[Finding]:
    """Everything that the schema finds wrong with the object; nothing where it is right."""
    if validator.is_valid(of.body):
        return
    for error in validator.iter_errors(of.body):
        told = list(_sentences(schema, error, of, check))
        yield from told or [finding(of, error.instance_path, error.message, check=check)]


def _sentences(schema: Map, error: jsonschema_rs.ValidationError, of: Object, check: str) -> Iterator[Finding]:
    path, name = error.instance_path, error.kind.name
    details = error.kind.as_dict()
    instance = cast(Json, error.instance)
    match name:
        case "falseSchema":  # said once, with one of the values, of a mapping that may have no key at all
            for word in as_map(_found_at(of.body, path)):
                yield finding(of, [*path, word], "no such field", found=f"'{word}'", todo="remove it", check=check)
        case "additionalProperties":
            known = _known_fields(schema, path)
            for word in cast(list[str], details.get("unexpected", [])):
                yield finding(of, [*path, word], "no such field", found=f"'{word}'", todo=_instead(word, known), check=check)
        case "required":
            yield finding(of, [*path, str(details["property"])], "is missing", todo="add it", check=check)
        case "type":
            yield finding(of, path, f"must be {_type_words(details['types'])}", found=shown(instance), check=check)
        case "oneOf" | "anyOf":
            types = _types_at(schema, path)
            wrong = f"must be {_type_words(types)}" if types else "fits none of the forms that are allowed"
            yield finding(of, path, wrong, found=shown(instance), check=check)
        case "enum" | "const":
            allowed = details.get("options", details.get("expected_value"))
            options = cast("list[Json]", allowed) if isinstance(allowed, list) else [cast(Json, allowed)]
            words = ", ".join(shown(item) for item in options)
            yield finding(
                of, path, "is not one of what is allowed", found=shown(instance), todo=f"use one of: {words}", check=check
            )
        case "pattern":
            todo = str(_at(schema, path).get("description") or f"it must match {details['pattern']}")
            yield finding(of, path, "is not of the right form", found=shown(instance), todo=todo, check=check)
        case _ if name in _BOUNDS:
            limit = details.get("limit")
            size = len(instance) if isinstance(instance, str | list | dict) else shown(instance)
            yield finding(of, path, _BOUNDS[name], found=str(size), todo=f"the limit is {limit}", check=check)
        case _:
            yield finding(of, path, error.message, found=shown(instance), check=check)


def _instead(word: str, known: Sequence[str]) -> str:
    """Advice for an unknown field; a long list of all fields would hide the message."""
    close = nearest(word, known)
    return f"did you mean '{close}'?" if close else did_you_mean(word, known) if len(known) <= 10 else "remove it"


def _type_words(types: Any) -> str:
    names = cast(list[str], types if isinstance(types, list) else [types])
    return " or ".join(_TYPES[name] for name in names if name in _TYPES) or "null"


def _at(schema: Map, path: Sequence[str | int]) -> Map:
    """The part of the schema that holds at a path of the object."""
    here = _followed(schema, schema)
    for part in path:
        properties = as_map(here.get("properties"))
        if isinstance(part, int):
            here = as_map(here.get("items"))
        elif part in properties:
            here = as_map(properties[part])
        else:
            here = as_map(here.get("additionalProperties"))
        here = _followed(here, schema)
    return here


def _found_at(value: Json, path: Sequence[str | int]) -> Json:
    for part in path:
        value = as_list(value)[part] if isinstance(part, int) else as_map(value).get(part)
    return value


def _followed(part: Map, schema: Map) -> Map:
    """The definition that a part refers to, or the part itself."""
    while isinstance(reference := part.get("$ref"), str):
        part = as_map(as_map(schema.get("$defs")).get(reference.rpartition("/")[2]))
    return part


def _known_fields(schema: Map, path: Sequence[str | int]) -> list[str]:
    return list(as_map(_at(schema, path).get("properties")))


def _types_at(schema: Map, path: Sequence[str | int]) -> list[str]:
    """The types that a union allows, or nothing where it is no union of plain types."""
    part = _at(schema, path)
    union = part.get("oneOf") or part.get("anyOf")
    types: list[str] = []
    for branch in union if isinstance(union, list) else []:
        kind = as_map(branch).get("type")
        types += [str(name) for name in kind] if isinstance(kind, list) else [str(kind)]
    return [name for name in dict.fromkeys(types) if name in _TYPES]
