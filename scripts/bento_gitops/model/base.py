"""The base of every model and the scalar types that several files share: names, quantities, times."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

API_VERSION = "bento-gitops/v1"


class Model(BaseModel):
    """Strict and frozen. Fields are snake_case in people's files and camelCase in Helm values: one model serves both."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=False,
        serialize_by_alias=False,
        use_attribute_docstrings=True,
    )


def _timestamp(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("not a time; write it like 2026-11-01T09:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("a time without its zone; end it in Z for UTC")
    return text


def moment(timestamp: str) -> datetime:
    """The instant that a `Timestamp` names, in UTC."""
    return datetime.fromisoformat(timestamp).astimezone(UTC)


Timestamp = Annotated[str, AfterValidator(_timestamp), Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339 with its zone: 2026-11-01T09:00:00Z."""

DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63)]
"""A Kubernetes name: lower-case letters, digits and hyphens."""

ServiceName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=63)]
"""A BentoML service's name as `@bentoml.service(name=...)` has it."""

Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=63)]
"""The version of a Bento; also a label value."""

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Repository = Annotated[str, Field(pattern=r"^[a-z0-9]+([._:/-]+[a-z0-9]+)*$", max_length=255)]
"""An image's name without tag and digest."""

EnvName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
LabelValue = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$", max_length=63)]
LabelKey = Annotated[
    str, Field(pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=253)
]
Weight = Annotated[int, Field(ge=0, le=100)]
"""Whole percent of live requests."""

CPU = re.compile(r"^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$")
MEMORY = re.compile(r"^[0-9]+(Ki|Mi|Gi|Ti|k|M|G|T)?$")
Cpu = Annotated[str, Field(pattern=CPU.pattern)]
"""Cores ("2", "0.5") or thousandths of one ("500m")."""
Memory = Annotated[str, Field(pattern=MEMORY.pattern)]
"""Bytes with a unit: 512Mi, 2Gi."""
Duration = Annotated[str, Field(pattern=r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", min_length=2)]
"""Hours, minutes, seconds: 1h, 90m, 15s."""
