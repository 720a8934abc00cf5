"""Objects of custom kinds against schemas that were reduced from CustomResourceDefinitions to facts.

A reduced schema holds names, types, required fields, enums, bounds and patterns, and forbids what the definition does not name.
It holds no descriptions and no rules in CEL, and no status: what a chart renders has none.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator

import jsonschema_rs

from bento_gitops.checking.objects import Finding, Json, Map, Object, as_list, as_map, as_text, get, maps
from bento_gitops.checking.schema_errors import findings

CHECK = "custom-resource-schema"

_BOUNDS = (
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "uniqueItems",
    "pattern",
)
_AS_THE_API_SERVER = jsonschema_rs.RegexOptions()
"""Patterns of definitions are written for Go's engine; this one has the same syntax, and takes linear time as that does."""

_METADATA: Map = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 253},
        "namespace": {"type": "string", "minLength": 1, "maxLength": 63},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "finalizers": {"type": "array", "items": {"type": "string"}},
    },
}
# No definition of the projects around a serving chart has one; read as JSON Schema says, it is a set of the letters in its name.
_POSIX_CLASS = re.compile(r"\[:\^?[a-z]+:\]")


class CustomResourceSchemas:
    """Checks objects of custom kinds. `find` gives the reduced schema at a path (see `path_of`), or None where there is none."""

    def __init__(self, find: Callable[[str], Map | None]) -> None:
        self._find = find
        self._compiled: dict[str, tuple[Map, jsonschema_rs.Validator] | None] = {}

    def findings(self, of: Object) -> list[Finding] | None:
        """All that is wrong with the object; None where there is no schema of its kind."""
        path = path_of(of.group, of.kind, of.version)
        if path not in self._compiled:
            schema = self._find(path)
            self._compiled[path] = None if schema is None else (schema, compiled_schema(schema))
        compiled = self._compiled[path]
        return None if compiled is None else list(findings(*compiled, of, CHECK))


def compiled_schema(schema: Map) -> jsonschema_rs.Validator:
    """Raises ValueError where the schema is none, for example for a pattern that is no regular expression."""
    return jsonschema_rs.Draft202012Validator(schema, pattern_options=_AS_THE_API_SERVER)


def path_of(group: str, kind: str, version: str) -> str:
    """Where the schema of a kind stands below a folder of schemas: `<group>/<kind>_<version>.json`, in lower case."""
    return f"{group}/{kind.lower()}_{version}.json"


def reduced(definition: Map) -> Iterator[tuple[str, Map]]:
    """The reduced schema of each version that a CustomResourceDefinition serves, with its path.

    Raises ValueError with the reason where the definition has no schema, or one with a pattern that is no regular expression.
    """
    name = as_text(get(definition, "metadata", "name"))
    group = as_text(get(definition, "spec", "group"))
    kind = as_text(get(definition, "spec", "names", "kind"))
    if as_text(definition.get("apiVersion")) != "apiextensions.k8s.io/v1" or not (name and group and kind):
        raise ValueError(f"not a CustomResourceDefinition of apiextensions.k8s.io/v1: {name or 'an object without a name'}")
    for version in maps(get(definition, "spec", "versions")):
        called = as_text(version.get("name"))
        if version.get("served") is not True:
            continue
        schema = get(version, "schema", "openAPIV3Schema")
        if not isinstance(schema, dict):
            raise ValueError(f"{name} has no schema of its version {called}")
        facts = _facts(schema)
        properties = {key: value for key, value in as_map(facts.get("properties")).items() if key != "status"}
        properties |= {"apiVersion": {"const": f"{group}/{called}"}, "kind": {"const": kind}, "metadata": _METADATA}
        required = sorted(
            {"apiVersion", "kind", "metadata", *(as_text(key) for key in as_list(schema.get("required")))} - {"status"}
        )
        result: Map = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"{kind} {group}/{called}",
            "x-source": {"definition": name, **_versions(definition)},
            **_said_once({**facts, "required": [*required], "properties": properties}),
        }
        try:
            if foreign := _POSIX_CLASS.search(text_of(result)):
                raise ValueError(f"a pattern has the class {foreign[0]}, which is read otherwise here than by an API server")
            compiled_schema(result)
        except ValueError as error:
            raise ValueError(f"the schema of {name} {called} cannot be used: {error}") from None
        yield path_of(group, kind, called), result


def text_of(schema: Map) -> str:
    """The schema as it stands in its file: keys sorted, so that two pulls of the same definition are the same bytes."""
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


_REPEATED = 2000
"""Characters of a part that is worth a name where it comes twice: the template of an ApplicationSet comes 24 times."""


def _said_once(schema: Map) -> Map:
    """The schema with large parts that come more than once in `$defs`, named by what is in them."""
    times: Counter[str] = Counter()
    definitions: dict[str, Json] = {}

    def count(part: Map) -> None:
        text = json.dumps(part, sort_keys=True)
        if len(text) >= _REPEATED:
            times[text] += 1
            if times[text] == 1:
                _each_below(part, count)

    def named(part: Map) -> Map:
        text = json.dumps(part, sort_keys=True)
        if len(text) < _REPEATED:
            return part
        if times[text] == 1:
            return _below(part, named)
        name = hashlib.sha256(text.encode()).hexdigest()[:8]
        if name not in definitions:
            definitions[name] = _below(part, named)
        return {"$ref": f"#/$defs/{name}"}

    count(schema)
    result = named(schema)
    return {**result, "$defs": definitions} if definitions else result


def _each_below(part: Map, do: Callable[[Map], None]) -> None:
    def done(below: Map) -> Map:
        do(below)
        return below

    _below(part, done)


def _below(part: Map, change: Callable[[Map], Map]) -> Map:
    """A schema with each schema right below it changed: of properties, of items, of further keys."""
    changed = dict(part)
    if isinstance(properties := part.get("properties"), dict):
        changed["properties"] = {key: change(as_map(value)) for key, value in properties.items()}
    for word in ("items", "additionalProperties"):
        if isinstance(below := part.get(word), dict):
            changed[word] = change(below)
    return changed


def _versions(definition: Map) -> dict[str, Json]:
    """What the definition's annotations say of the release that it comes from."""
    annotations = as_map(get(definition, "metadata", "annotations"))
    return {key: as_text(value) for key, value in sorted(annotations.items()) if key.endswith("version")}


def _facts(schema: Map) -> dict[str, Json]:
    """One level of a structural schema, reduced."""
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") is True
    embedded = schema.get("x-kubernetes-embedded-resource") is True
    result: dict[str, Json] = {}
    if schema.get("x-kubernetes-int-or-string") is True:
        result["type"] = ["integer", "string"]
    elif isinstance(schema.get("type"), str):
        result["type"] = schema["type"]
    if "enum" in schema:
        result["enum"] = [*as_list(schema["enum"])]
    if schema.get("nullable") is True and "type" in result:
        types = result["type"]
        result["type"] = [*(types if isinstance(types, list) else [types]), "null"]
        if isinstance(options := result.get("enum"), list) and None not in options:
            result["enum"] = [*options, None]
    result |= {key: schema[key] for key in _BOUNDS if key in schema}
    if "items" in schema:
        result["items"] = _facts(as_map(schema["items"]))
    if schema.get("type") == "object" or "properties" in schema:
        properties: dict[str, Json] = {key: _facts(as_map(value)) for key, value in as_map(schema.get("properties")).items()}
        if embedded:
            properties |= {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
        if properties:
            result["properties"] = properties
        if required := as_list(schema.get("required")):
            result["required"] = [*sorted(as_text(key) for key in required)]
        extra = schema.get("additionalProperties")
        if isinstance(extra, dict):
            result["additionalProperties"] = _facts(extra)
        elif extra is not True and not open_ended:
            result["additionalProperties"] = False
    return result
