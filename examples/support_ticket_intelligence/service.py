"""Knows how the application is served: one API service in front of two runner services, each with its own resources and limits.

SupportTicketIntelligence (HTTP) asks EmbeddingRunner (all-MiniLM-L6-v2, ONNX) for vectors and ClassifierRunner (logistic
regression, ONNX) for the probability of each label.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import bentoml
import numpy as np
from api_key import ApiKey, api_keys, told
from batching_limits import refuse_bad_limits
from log_privacy import withhold_messages
from model_metrics import count_rejection, model_metrics
from pydantic import BaseModel
from request_gate import RequestGate
from runner_calls import of_similar_cost, once_more
from sentence_encoder import DIMENSIONS, SentenceEncoder, onnx_session
from ticket_contract import Classification, ClassifyTicketRequest, ClassifyTicketResponse, VersionResponse
from ticket_text import preprocessing

# The decorators below read the limits when this module is imported, because that is the only time BentoML takes them.
refuse_bad_limits(os.environ)


class Arguments(BaseModel):
    """Values fixed by `bentoml build --arg NAME=VALUE`; bento.yaml records them. Versions are exact: "latest" would be looked up
    again each time the Bento is loaded."""

    classifier: str = "ticket_classifier:1.1.0"
    embedder: str = "minilm_l6_v2_int8:1.0.0"


ARGUMENTS = bentoml.use_arguments(Arguments)

IMAGE = bentoml.images.Image(
    base_image="python:3.11-slim",
    python_version="3.11",
    lock_python_packages=False,  # requirements.txt is locked already, with hashes
    distro="",  # the default adds a compiler and git (300 MB); every package here is a wheel
).requirements_file("requirements.txt")  # relative to the working directory, which BentoML sets to this folder


# BentoML renews its session to a runner after 100 requests or 300 s, and closes the old one with the calls on it. By number that
# broke one call in twenty under load, and now and then an answer half read, which then waits for its time-out. By age it happens
# once in five minutes, often enough for connections to find their way to new pods; runner_calls.py asks once more.
RUNNER_CONNECTION = {"max_requests": 1_000_000_000}

INPUT_ROUTE = "/classify_ticket"

KEYS = api_keys(os.environ)


@bentoml.service(
    name="EmbeddingRunner",
    resources={"cpu": "1", "memory": "512Mi"},
    workers=1,  # replicas, not workers: a lost worker is not replaced, and the process still calls itself alive
    # Short: what waits for a slow runner piles up as memory. The API's own time-out covers one call to each runner.
    traffic={"timeout": 5, "max_concurrency": 64},
    envs=[{"name": "OMP_NUM_THREADS", "value": "1"}],  # as many threads as CPUs asked for
    runner_connection=RUNNER_CONNECTION,
    labels={"tier": "runner", "model": "minilm-l6-v2-int8"},
)
class EmbeddingRunner:
    model = bentoml.models.BentoModel(ARGUMENTS.embedder)

    def __init__(self) -> None:
        self.encoder = SentenceEncoder(self.model.path_of("model.onnx"), self.model.path_of("tokenizer.json"))
        withhold_messages()

    # max_latency_ms is no waiting window: a request that is predicted to take longer is refused with 503. A full batch of
    # ordinary tickets takes 0.1 s here, one of the longest tickets 2.4 s: the default sheds the latter when they queue up.
    @bentoml.api(
        route="/encode",
        batchable=True,
        max_batch_size=int(os.environ.get("EMBEDDING_MAX_BATCH_SIZE", "32")),
        max_latency_ms=int(os.environ.get("EMBEDDING_MAX_LATENCY_MS", "2000")),
    )
    def encode(self, texts: list[str]) -> np.ndarray:
        return self.encoder.encode(list(texts))


@bentoml.service(
    name="ClassifierRunner",
    resources={"cpu": "250m", "memory": "256Mi"},
    workers=1,
    traffic={"timeout": 3, "max_concurrency": 64},
    envs=[{"name": "OMP_NUM_THREADS", "value": "1"}],
    runner_connection=RUNNER_CONNECTION,
    labels={"tier": "runner", "model": "ticket-classifier"},
)
class ClassifierRunner:
    model = bentoml.models.BentoModel(ARGUMENTS.classifier)

    def __init__(self) -> None:
        self.session = onnx_session(self.model.path_of("classifier.onnx"))
        withhold_messages()

    @bentoml.api(
        route="/predict_proba",
        batchable=True,
        max_batch_size=int(os.environ.get("CLASSIFIER_MAX_BATCH_SIZE", "64")),
        max_latency_ms=int(os.environ.get("CLASSIFIER_MAX_LATENCY_MS", "1000")),
    )
    def predict_proba(self, vectors: np.ndarray) -> np.ndarray:
        batch = np.asarray(vectors, dtype=np.float32).reshape(-1, DIMENSIONS)
        (probabilities,) = self.session.run(["probabilities"], {"vectors": batch})
        return np.asarray(probabilities)


@bentoml.service(
    name="SupportTicketIntelligence",
    image=IMAGE,
    resources={"cpu": "500m", "memory": "512Mi"},
    workers=1,
    traffic={"timeout": 10, "max_concurrency": 64},
    envs=[{"name": "LOG_LEVEL", "value": "info"}],
    labels={"tier": "api", "owner": "support-ml"},
)
class SupportTicketIntelligence:
    embedder = bentoml.depends(EmbeddingRunner)
    classifier = bentoml.depends(ClassifierRunner)
    model = bentoml.models.BentoModel(ARGUMENTS.classifier)

    def __init__(self) -> None:
        logging.getLogger("bentoml.support_ticket_intelligence").setLevel(log_level(os.environ))
        trained = json.loads(Path(self.model.path_of("classifier.json")).read_text(encoding="utf-8"))
        # Both come with the model: this code serves models that were trained with different labels and preparations.
        self.labels: list[str] = trained["labels"]
        self.prepared = preprocessing(trained["preprocessing"])
        self.model_version = str(self.model.tag)
        self.model_name = self.model.tag.name
        log = logging.getLogger("bentoml.support_ticket_intelligence")
        log.log(logging.INFO if KEYS else logging.WARNING, told(KEYS))
        self.metrics = model_metrics()
        self.metrics.begin(self.model_name, self.labels)
        withhold_messages()

    @bentoml.api(route=INPUT_ROUTE)
    async def classify_ticket(self, request: ClassifyTicketRequest, /) -> ClassifyTicketResponse:
        texts = [self.prepared(ticket.text) for ticket in request.tickets]
        vectors = np.concatenate(await asyncio.gather(*(self.encoded(call) for call in of_similar_cost(texts))))
        probabilities = np.asarray(await once_more(lambda: self.classifier.to_async.predict_proba(vectors)))
        best = probabilities.argmax(axis=1)
        classifications = [
            Classification(label=self.labels[int(place)], confidence=min(1.0, round(float(row[place]), 4)))
            for place, row in zip(best, probabilities, strict=True)
        ]
        for found in classifications:
            self.metrics.answered(self.model_name, found.label, found.confidence)
        return ClassifyTicketResponse(model_version=self.model_version, classifications=classifications)

    async def encoded(self, texts: list[str]) -> np.ndarray:
        return np.asarray(await once_more(lambda: self.embedder.to_async.encode(texts)))

    @bentoml.api(route="/version")
    async def version(self) -> VersionResponse:
        bento = SupportTicketIntelligence.bento
        return VersionResponse(
            bento=str(bento.tag) if bento else "source",
            classifier=ARGUMENTS.classifier,
            embedder=ARGUMENTS.embedder,
            labels=self.labels,
        )


# The first is the outermost: of who may not ask no body is read. Runners are called by the API alone, and have no key.
SupportTicketIntelligence.add_asgi_middleware(ApiKey, keys=KEYS)
SupportTicketIntelligence.add_asgi_middleware(RequestGate, input_route=INPUT_ROUTE, rejected=count_rejection)


def log_level(environ: Mapping[str, str]) -> str:
    """The level of the application's own log lines (BentoML's are set by its own configuration)."""
    level = environ.get("LOG_LEVEL", "info").upper()
    if level not in logging.getLevelNamesMapping():
        known = ", ".join(name.lower() for name in logging.getLevelNamesMapping())
        raise ValueError(f"environment: LOG_LEVEL: no such level (found {level.lower()!r}); one of {known}")
    return level
