"""The shape of a model: which keys it has, in which spelling, and what lies below each."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel

from bento_gitops.model.base import Written


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand at a place: the models it may be, its keys, or what each item of a map or list is."""

    models: tuple[type[BaseModel], ...] = ()
    fields: Mapping[str, tuple[str, Shape]] | None = None
    """By snake_case name: the camelCase name and the shape of the value. None where keys are names of people's own."""
    item: Shape | None = None
    """Of a map with keys of people's own, or of a list."""
    written: Written | None = None
    """How the value is written, where its type alone does not say so."""

    def below(self, key: str | int) -> Shape:
        """The shape at a key, in either spelling."""
        if self.fields is not None:
            known = self.fields.get(str(key))
            if known is not None:
                return known[1]
            for camel, inner in self.fields.values():
                if key == camel:
                    return inner
        return self.item or NOTHING

    def names(self, *, camel: bool) -> list[str]:
        """The keys it knows, in model order."""
        return [pair[0] if camel else snake for snake, pair in (self.fields or {}).items()]


NOTHING = Shape()


@cache
def shape_of(model: type[BaseModel]) -> Shape:
    """The shape of a model."""
    fields = {name: (field.alias or name, _shape(field.annotation, field.metadata)) for name, field in model.model_fields.items()}
    return Shape((model,), fields)


def _shape(annotation: Any, metadata: Sequence[Any] = ()) -> Shape:
    models: list[type[BaseModel]] = []
    fields: dict[str, tuple[str, Shape]] = {}
    item: Shape | None = None
    written = _written(metadata)
    for member, beside in _members(annotation):
        written = written or _written(beside)
        if isinstance(member, type) and issubclass(member, BaseModel):
            inner = shape_of(member)
            models.append(member)
            fields.update(inner.fields or {})
        elif typing.get_origin(member) in (dict, list):
            item = _shape(typing.get_args(member)[-1])
    return Shape(tuple(models), fields if models else None, item, written)


def _written(metadata: Sequence[Any]) -> Written | None:
    return next((each for each in metadata if isinstance(each, Written)), None)


def _members(annotation: Any) -> Iterator[tuple[Any, Sequence[Any]]]:
    """Each type that a value may have, with what its annotation has beside it."""
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        for argument in typing.get_args(annotation):
            yield from _members(argument)
    elif origin is typing.Annotated:
        inner, *beside = typing.get_args(annotation)
        for member, more in _members(inner):
            yield member, (*beside, *more)
    else:
        yield annotation, ()
