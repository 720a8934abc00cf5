"""Knows that a text's vector is the text's own, whatever else is encoded with it, and that long batches stay small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sentence_encoder import DIMENSIONS, TOKENS_AT_ONCE, SentenceEncoder, groups
from train import ENCODER


@pytest.fixture(scope="module")
def encoder(model_store: Path) -> SentenceEncoder:
    model = model_store / "models" / ENCODER.replace(":", "/")
    return SentenceEncoder(str(model / "model.onnx"), str(model / "tokenizer.json"))


def test_vectors_come_back_in_the_order_of_the_texts_with_length_1(encoder: SentenceEncoder) -> None:
    texts = ["the invoice is wrong " * 60, "it crashed", "please add a dark mode to the reports page", "short one"]

    together = encoder.encode(texts)
    alone = np.concatenate([encoder.encode([text]) for text in texts])

    assert together.shape == (4, DIMENSIONS)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    # Not equal: the encoder's integers are scaled to what is encoded together.
    assert (together * alone).sum(axis=1).min() > 0.99


@pytest.mark.parametrize("lengths", [[16] * 32, [256] * 32, [3, 256, 5, 256, 4, 8], [1], []])
def test_groups_hold_every_text_once_and_stay_within_the_bound(lengths: list[int]) -> None:
    found = groups(lengths)

    assert sorted(place for group in found for place in group) == list(range(len(lengths)))
    assert all(len(group) * max(lengths[place] for place in group) <= TOKENS_AT_ONCE for group in found)


def test_ordinary_tickets_are_encoded_in_one_go_and_a_long_one_does_not_split_them() -> None:
    assert [len(group) for group in groups([16] * 32)] == [32]
    assert [len(group) for group in groups([16] * 10 + [256] + [16] * 10)] == [20, 1]
