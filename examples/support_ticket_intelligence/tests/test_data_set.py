"""Knows that the committed tickets are what the generator makes, and that they can be held out by template."""

from __future__ import annotations

from collections import Counter, defaultdict

from make_tickets import ROWS_PER_TEMPLATE, TEMPLATES, as_csv, tickets
from train import DATA, HELD_OUT_PLACES, RECIPES, data_set


def test_the_committed_file_is_what_the_generator_makes_byte_for_byte() -> None:
    assert DATA.read_bytes() == as_csv(tickets()), "run 'python make_tickets.py > data/tickets.csv'"


def test_each_label_has_enough_templates_and_each_template_its_own_texts() -> None:
    texts: dict[str, set[str]] = defaultdict(set)
    for template, _, text in tickets():
        texts[template].add(text)

    assert min(map(len, TEMPLATES.values())) >= 12
    assert {len(found) for found in texts.values()} == {ROWS_PER_TEMPLATE}
    assert max(Counter(text for _, _, text in tickets()).values()) == 1


def test_no_template_stands_on_both_sides_and_every_version_is_tested_on_the_same_ones() -> None:
    content = DATA.read_bytes()
    held_out: set[frozenset[str]] = set()
    for recipe in RECIPES.values():
        sides: dict[bool, set[str]] = defaultdict(set)
        for ticket in data_set(content, recipe.rows).tickets:
            sides[ticket.held_out].add(ticket.template)
        assert not sides[True] & sides[False]
        assert Counter(template.rpartition("-")[0] for template in sides[True]) == dict.fromkeys(TEMPLATES, len(HELD_OUT_PLACES))
        held_out.add(frozenset(sides[True]))

    assert len(held_out) == 1
