"""What an application must answer to what: the checks of `verify`, as people write them, a file of their own for each matter."""

from __future__ import annotations

import re
import warnings
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, model_validator

from bento_gitops.model.base import SECONDS, DnsLabel, Model, Pointer, RequestHeader


def _expression(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}; write one as Python's `re` has them") from None
    return text


class Question(Model):
    """A request, as it is sent to the api of a track."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: Annotated[str, Field(pattern=r"^/[^\s#]*$")]
    """With its query, if it has one."""
    body: JsonValue = None
    """Sent as JSON. Absent: no body."""
    headers: dict[RequestHeader, str] | None = None
    """None of them a secret: what is here is in Git."""


class Wanted(Model):
    """What a value of the answer must be; all that is said must hold."""

    equals: JsonValue = None
    min: float | None = None
    max: float | None = None
    length: Annotated[int, Field(ge=0)] | None = None
    """Of a list, a text or a mapping."""
    matches: Annotated[str, AfterValidator(_expression)] | None = None
    """A regular expression that the text has somewhere; ^ and $ bind it."""

    @model_validator(mode="after")
    def _wants_something(self) -> Wanted:
        if not self.model_fields_set:
            raise ValueError("asks for nothing; say equals, min, max, length or matches")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError("no number is at least `min` and at most `max`; swap them")
        return self


with warnings.catch_warnings():
    # Files say `json`, and pydantic's own method of that name is one that nobody should call any more.
    warnings.filterwarnings("ignore", message='Field name "json"', category=UserWarning)

    class Expected(Model):
        """What the answer must be."""

        status: Annotated[int, Field(ge=100, le=599)]
        within: Annotated[float, Field(gt=0, le=600), SECONDS] | None = None
        """Seconds."""
        json: dict[Pointer, Wanted] = Field(  # pyright: ignore[reportIncompatibleMethodOverride]  (see above)
            default_factory=dict[str, "Wanted"]
        )
        """By JSON pointer (RFC 6901): /classifications/0/label."""


class Same(Model):
    """How far a value may be from the stable track's."""

    tolerance: Annotated[float, Field(ge=0)] | None = None
    """For numbers, absolute. Without it: equal."""


class Check(Model):
    """A request and what must come of it."""

    request: Question
    expect: Expected
    compare: dict[Pointer, Same] | None = None
    """With the stable track's answer to the same request, where there are two tracks; by JSON pointer."""


class VerificationFile(Model):
    """A file in the folder that `verification` in applications/<application>.yaml names."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Verification"]
    checks: Annotated[dict[DnsLabel, Check], Field(min_length=1)]
    """By name, which no other file of the folder has."""
