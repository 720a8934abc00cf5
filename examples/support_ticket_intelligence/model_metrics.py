"""Knows what is counted of the model's answers and of the inputs that never reached it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import bentoml
from request_gate import Rejection

# A five-class model is hardly ever less sure than 0.3. What moves when its inputs change is the part between a coin's toss and
# certainty, so that is where the buckets are narrow.
CONFIDENCE_BUCKETS = (0.2, 0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.99, 1.0)


class ModelMetrics:
    """The metrics of one process; make one with `model_metrics`, since a name can be registered only once.

    Every label value comes from the model or from this code, never from a request. `model` is the model's name without its
    version: the version is the bundle's, and two tracks are compared by one name.
    """

    def __init__(self) -> None:
        # bentoml.metrics imports prometheus_client on first use, and that must not be when this module is imported: whatever
        # imports the service without serving it (a build, an inspection) has no directory for the metrics of its processes.
        self._confidence = bentoml.metrics.Histogram(
            name="bento_model_confidence",
            documentation="Probability of the class that was answered",
            labelnames=["model"],
            buckets=CONFIDENCE_BUCKETS,
        )
        self._predictions = bentoml.metrics.Counter(
            name="bento_model_predictions_total",
            documentation="Answers of the model",
            labelnames=["model", "class"],
        )
        self._rejected = bentoml.metrics.Counter(
            name="bento_model_rejected_inputs_total",
            documentation="Requests that were refused before the model saw them",
            labelnames=["reason"],
        )

    def begin(self, model: str, classes: Iterable[str]) -> None:
        """All series at 0: a rate sees no first event of a series that begins with it."""
        self._confidence.labels(model)
        for name in classes:
            self._predictions.labels(model, name)
        for reason in Rejection:
            self._rejected.labels(reason.value)

    def answered(self, model: str, name: str, confidence: float) -> None:
        self._confidence.labels(model).observe(confidence)
        self._predictions.labels(model, name).inc()

    def rejected(self, reason: Rejection) -> None:
        self._rejected.labels(reason.value).inc()


@cache
def model_metrics() -> ModelMetrics:
    """The one of this process."""
    return ModelMetrics()


def count_rejection(reason: Rejection) -> None:
    """For the gate, which is named when the service is imported, before there may be metrics."""
    model_metrics().rejected(reason)
