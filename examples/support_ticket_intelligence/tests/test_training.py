"""Knows that training gives the same bytes again, and that what is committed and stored is what it gave."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import bentoml
import pytest
from train import DATA, ENCODER, RECIPES, REPORTS, Classifier, Recipe, data_set, encoder_of, trained


@pytest.fixture(scope="module")
def tokenizer(model_store: Path) -> Path:
    return model_store / "models" / ENCODER.replace(":", "/") / "tokenizer.json"


@pytest.fixture(scope="module")
def stripped(tokenizer: Path) -> Classifier:
    recipe = Recipe(rows=480, preprocessing="2")
    return trained("0.0.0", recipe, data_set(DATA.read_bytes(), recipe.rows), encoder_of(tokenizer))


def test_training_again_gives_the_same_model_and_the_same_report(tokenizer: Path, stripped: Classifier) -> None:
    again = trained("0.0.0", Recipe(480, "2"), data_set(DATA.read_bytes(), 480), encoder_of(tokenizer))

    assert again.report_text == stripped.report_text
    assert again.onnx == stripped.onnx


def test_another_preprocessing_gives_another_model(tokenizer: Path, stripped: Classifier) -> None:
    plain = trained("0.0.0", Recipe(480, "1"), data_set(DATA.read_bytes(), 480), encoder_of(tokenizer))

    assert plain.onnx != stripped.onnx


@pytest.mark.parametrize("version", RECIPES)
def test_a_committed_report_belongs_to_the_committed_data(version: str) -> None:
    report = json.loads((REPORTS / f"{version}.json").read_text())
    data = data_set(DATA.read_bytes(), RECIPES[version].rows)

    assert report["dataset"] == {"file": "data/tickets.csv", "snapshot": data.snapshot, "rows": RECIPES[version].rows}
    assert report["split"]["held_out"] == sorted({ticket.template for ticket in data.tickets if ticket.held_out})
    counts = report["confusion_matrix"]["counts"]
    right = sum(row[place] for place, row in enumerate(counts))
    assert report["metrics"]["accuracy"] == round(right / report["split"]["evaluation_rows"], 4)
    assert [sum(row) for row in counts] == [figures["support"] for figures in report["per_class"].values()]


@pytest.mark.usefixtures("model_store")
@pytest.mark.parametrize("version", RECIPES)
def test_a_stored_model_says_what_it_was_made_of(version: str) -> None:
    metadata = bentoml.models.get(f"ticket_classifier:{version}").info.metadata
    report = REPORTS / f"{version}.json"

    assert metadata["dataset"]["snapshot"] == data_set(DATA.read_bytes(), RECIPES[version].rows).snapshot
    assert metadata["preprocessing"] == RECIPES[version].preprocessing
    assert metadata["evaluation"] == {
        "report": f"reports/{version}.json",
        "sha256": hashlib.sha256(report.read_bytes()).hexdigest(),
        "metrics": json.loads(report.read_text())["metrics"],
    }


def test_a_data_set_that_is_too_small_is_refused() -> None:
    with pytest.raises(ValueError, match=r"too few tickets \(found 640, wanted 641\)"):
        data_set(DATA.read_bytes(), 641)
