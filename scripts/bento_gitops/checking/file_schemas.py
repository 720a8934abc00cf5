"""JSON Schemas of the files that people write, for their editors: the models, and the spellings that are read as theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, cast

from pydantic import BaseModel

from bento_gitops.model.base import Model
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.files import Application, ConfigFile, Environment, InstanceTypes, Overrides
from bento_gitops.model.release import Release
from bento_gitops.model.settings import Batching, ComponentSettings, Scaling
from bento_gitops.model.verification import VerificationFile

FOLDER = "schemas/v1"

_FILES: Mapping[str, type[Model]] = {
    "bundle": Bundle,
    "application": Application,
    "instance-types": InstanceTypes,
    "environment": Environment,
    "config": ConfigFile,
    "overrides": Overrides,
    "release": Release,
    "verification": VerificationFile,
}

_Schema = dict[str, Any]


def file_schemas() -> dict[str, str]:
    """The text of each schema by its path in the repository."""
    return {f"{FOLDER}/{name}.schema.json": _text(name, model) for name, model in _FILES.items()}


@cache
def _text(name: str, model: type[Model]) -> str:
    schema = cast(_Schema, _tidied(model.model_json_schema(by_alias=False)))
    for called, definition in cast(dict[str, _Schema], schema.get("$defs", {})).items():
        for kind, respelled in _RESPELLED.items():
            if called in _names_of(kind):
                respelled(definition["properties"])
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": f"bento-gitops/v1 {name}"}
    return json.dumps({**schema, **head}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _names_of(model: type[BaseModel]) -> set[str]:
    """The names of a model and of all that extend it."""
    return {model.__name__, *(name for inner in model.__subclasses__() for name in _names_of(inner))}


def _tidied(node: Any) -> Any:
    """Without generated titles and defaults (no default lives in a model), and with maps closed to keys that match no pattern."""
    if isinstance(node, list):
        return [_tidied(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    result: _Schema = {}
    for key, value in cast(_Schema, node).items():
        if key in ("properties", "$defs", "patternProperties"):
            result[key] = {name: _tidied(inner) for name, inner in value.items()}
        elif key not in ("title", "default"):
            result[key] = _tidied(value)
    if "patternProperties" in result:
        result.setdefault("additionalProperties", False)
    return result


def _also(properties: _Schema, key: str, *branches: _Schema) -> None:
    """Lets a field be written in another way too."""
    field = cast(_Schema, properties[key])
    properties[key] = {**field, "anyOf": [*field["anyOf"], *branches]}


def _component(properties: _Schema) -> None:
    """BentoCloud's list of envs, and its `config_overrides` around what stands outside them here."""
    named: _Schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["name"],
        "properties": {"name": {"type": "string", "pattern": r"^[A-Za-z_][A-Za-z0-9_]*$"}, "value": {"type": ["string", "null"]}},
    }
    _also(properties, "envs", {"type": "array", "items": named, "description": "BentoCloud's spelling."})
    properties["config_overrides"] = {
        "description": "BentoCloud's spelling; read as if its keys stood beside it.",
        "type": "object",
        "additionalProperties": False,
        "properties": {key: properties[key] for key in ("resources", "traffic", "workers")},
    }


def _scaling(properties: _Schema) -> None:
    """BentoCloud's list of metrics, and its `policy` around what stands outside it here."""
    values = properties["metrics"]["anyOf"][0]
    typed: _Schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["type"],
        "properties": {"type": values["propertyNames"], "value": {"type": "integer", "minimum": 1, "maximum": 1000}},
    }
    _also(properties, "metrics", {"type": "array", "items": typed, "description": "BentoCloud's spelling."})
    inside = ("metrics", "scale_up_stabilization_window", "scale_down_stabilization_window")
    properties["policy"] = {
        "description": "BentoCloud's spelling; read as if its keys stood beside it.",
        "type": "object",
        "additionalProperties": False,
        "properties": {key: properties[key] for key in inside},
    }


def _batching(properties: _Schema) -> None:
    """A limit as a plain number."""
    for key in properties:
        _also(properties, key, {"type": "integer", "minimum": 1})


_RESPELLED: Mapping[type[BaseModel], Callable[[_Schema], None]] = {
    ComponentSettings: _component,
    Scaling: _scaling,
    Batching: _batching,
}
