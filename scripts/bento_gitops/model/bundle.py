"""The immutable, digest-pinned record of one Bento version: `bundles/<application>/<tag>.yaml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bento_gitops.model.base import (
    ApplicationName,
    Digest,
    DnsLabel,
    EnvName,
    Model,
    Repository,
    Route,
    ServiceName,
    Tag,
    Text,
    Timestamp,
)
from bento_gitops.model.settings import Resources, Traffic


class Image(Model):
    """The image by digest: a tag can be moved, a digest cannot."""

    repository: Repository
    digest: Digest


class RecordedLimit(Model):
    """A batching limit that follows an environment variable."""

    default: Annotated[int, Field(ge=1)]
    env: EnvName


class RecordedBatching(Model):
    """Limits of adaptive batching; a plain number is fixed in the code."""

    max_batch_size: Annotated[int, Field(ge=1)] | RecordedLimit
    max_latency_ms: Annotated[int, Field(ge=1)] | RecordedLimit


class RecordedApi(Model):
    """One API as the code declares it."""

    route: Route
    task: Literal[True] | None = None
    """It is a `@bentoml.task`, which answers below its route too: /submit, /status, /get, /cancel, /retry. Absent: it is not."""
    batching: RecordedBatching | None = None
    """Absent: not batchable."""


class RecordedService(Model):
    """One BentoML service as `@bentoml.service` declares it: the decorator layer."""

    dependencies: list[ServiceName] = Field(default_factory=list[str])
    resources: Resources | None = None
    workers: Annotated[int, Field(ge=1)] | None = None
    traffic: Traffic | None = None
    envs: dict[EnvName, Text] | None = None
    labels: dict[str, str] | None = None
    apis: dict[str, RecordedApi] = Field(default_factory=dict[str, "RecordedApi"])


class Dataset(Model):
    """What the model was trained on."""

    snapshot: Digest
    rows: Annotated[int, Field(ge=1)]


class Evaluation(Model):
    """How good the model was found to be."""

    report: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    metrics: Annotated[dict[str, Annotated[float, Field(allow_inf_nan=False)]], Field(min_length=1)]


class Pretrained(Model):
    """Where a model that was not trained here comes from."""

    source: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class RecordedModel(Model):
    """Artifact discipline: who made what from what. Trained here (dataset, evaluation) or pretrained elsewhere."""

    tag: str
    framework: str
    dataset: Dataset | None = None
    preprocessing: str
    evaluation: Evaluation | None = None
    pretrained: Pretrained | None = None

    @model_validator(mode="after")
    def _has_an_origin(self) -> RecordedModel:
        trained = self.dataset is not None and self.evaluation is not None
        if trained == (self.pretrained is not None):
            raise ValueError(
                "has no origin, or two; say `dataset` and `evaluation` (trained here) or `pretrained` (from elsewhere)"
            )
        return self


class Source(Model):
    """The commit that the Bento was built from."""

    repository: str
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{7,64}$")]


Traces = Literal["otlp-http", "none"]
"""How an image can send traces: by OTLP over HTTP; or not at all, and with tracing configured BentoML does not start in it."""


class Bundle(Model):
    """A bundle file."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Bundle"]
    application: ApplicationName
    tag: Tag
    created: Timestamp
    bento: str
    """The Bento's own tag, name:version."""
    image: Image
    bentoml: str
    python: str
    traces: Traces | None = None
    """How the image can send traces. Absent: it was recorded before that was looked at, and counts as `none`."""
    entry: ServiceName
    services: dict[ServiceName, RecordedService]
    models: dict[DnsLabel, RecordedModel]
    source: Source | None = None
