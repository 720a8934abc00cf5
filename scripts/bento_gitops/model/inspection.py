"""What inspecting a built Bento found: `bundle inspect`, which runs its code, writes it, and `bundle create` reads it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from bento_gitops.model.base import Model, ServiceName
from bento_gitops.model.bundle import RecordedService, Traces


class Remark(Model):
    """Something to know about one fact of the Bento."""

    pointer: str
    """Where it stands: services.EmbeddingRunner.resources.cpu."""
    reason: str


class InspectedService(RecordedService):
    """One service of the Bento: what a bundle records, and where it comes from."""

    origin: str
    """The class in the code, module:Class; not always the service's name."""
    models: list[str] = Field(default_factory=list[str])
    """Tags, name:version."""


class InspectedModel(Model):
    """One model that the Bento serves."""

    metadata: dict[str, JsonValue] | None = None
    """As training wrote it into the model store; null where no store had the model."""


class BentoFile(Model):
    """A file in the Bento, outside its models."""

    path: str
    size: Annotated[int, Field(ge=0)]
    """Bytes."""
    private_key: bool = False
    """The content holds a private key, whatever the name says."""


class Requirements(Model):
    """What is installed into the image."""

    locked: bool
    """Every requirement is exact, by version or by hash."""
    count: Annotated[int, Field(ge=0)]
    loose: list[str] = Field(default_factory=list[str])
    """The requirements that are not exact."""
    traces: Traces | None = None
    """Whether one of them is the exporter of traces. Null: the inspection is from before that was looked at."""


class Inspection(Model):
    """An inspection file."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Inspection"]
    bento: str
    """name:version."""
    bentoml: str
    """The version that built it, which is the version in its image."""
    python: str
    entry: ServiceName
    args: dict[str, JsonValue]
    """What `bentoml build --arg` fixed."""
    services: dict[ServiceName, InspectedService]
    models: dict[str, InspectedModel]
    """By tag."""
    requirements: Requirements
    files: list[BentoFile]
    unresolved: list[Remark]
    """What could not be found out for certain; nothing is guessed, and no bundle is made while this is not empty."""
    notes: list[Remark]
    """What the code says that a bundle does not carry."""
