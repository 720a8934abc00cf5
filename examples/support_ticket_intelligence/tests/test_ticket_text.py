"""Knows what each preprocessing makes of a ticket."""

from __future__ import annotations

import pytest
from ticket_text import preprocessing


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("Hello, the app crashes", "the app crashes"),
        ("Hi team.  URGENT: refund me", "refund me"),
        ("good morning!\nWhere is it?", "Where is it?"),
        ("Dear support, hey there, it broke", "it broke"),
        ("Hello world does not print", "Hello world does not print"),
        ("Hi-res pictures are blurred", "Hi-res pictures are blurred"),
        ("Hello,", "Hello,"),
        ("It says hello, then crashes", "It says hello, then crashes"),
    ],
)
def test_version_2_takes_salutations_away_and_nothing_else(text: str, prepared: str) -> None:
    assert preprocessing("2")(text) == prepared


def test_version_1_only_evens_out_white_space() -> None:
    assert preprocessing("1")("  Hello,\n\tthe app  crashes ") == "Hello, the app crashes"


def test_an_unknown_version_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no preprocessing '3' in this code \(it has '1', '2'\); build the Bento"):
        preprocessing("3")
