"""What an answer must be, by JSON pointer, and when two answers are the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bento_gitops.model.verification import Expected, Same
from bento_gitops.observing.answers import Answered
from bento_gitops.observing.expectations import differences, misses
from bento_gitops.observing.exposition import series
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue


def answered(body: object, status: int = 200) -> Answered:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answered(0, status, 0.01, 0.0, data)


def missed(document: object, pointer: str, **wanted: Any) -> list[str]:
    return misses(Expected.model_validate({"status": 200, "json": {pointer: wanted}}), answered(document))


DOCUMENT = {"items": [{"label": "billing", "score": 0.75}], "a/b": {"m~n": 1}, "": "empty", "on": True, "none": None}


@pytest.mark.parametrize(
    ("pointer", "wanted"),
    [
        ("/items/0/label", {"equals": "billing"}),
        ("/items/0/label", {"matches": "^bill"}),
        ("/items/0/score", {"min": 0.75, "max": 0.75}),
        ("/items", {"length": 1}),
        ("/items/0", {"equals": {"score": 0.75, "label": "billing"}, "length": 2}),
        ("/a~1b/m~0n", {"equals": 1}),
        ("/a~1b/m~0n", {"equals": 1.0}),
        ("/", {"equals": "empty"}),
        ("/none", {"equals": None}),
        ("", {"length": 5}),
    ],
)
def test_an_answer_that_is_as_wanted_misses_nothing(pointer: str, wanted: dict[str, object]) -> None:
    assert missed(DOCUMENT, pointer, **wanted) == []


@pytest.mark.parametrize(
    ("pointer", "wanted", "found"),
    [
        ("/items/0/label", {"equals": "bug"}, '/items/0/label: is "billing", not "bug"'),
        ("/items/1", {"length": 0}, "/items/1: is not there"),
        ("/items/00", {"length": 0}, "/items/00: is not there"),
        ("/items/-1", {"length": 0}, "/items/-1: is not there"),
        ("/items/0/score", {"min": 0.8}, "/items/0/score: is 0.75, below 0.8"),
        ("/items/0/score", {"max": 0.7}, "/items/0/score: is 0.75, above 0.7"),
        ("/items/0/label", {"min": 0}, '/items/0/label: is no number: "billing"'),
        ("/on", {"min": 0}, "/on: is no number: true"),
        ("/on", {"equals": 1}, "/on: is true, not 1"),
        ("/none", {"equals": False}, "/none: is null, not false"),
        ("/items", {"length": 2}, "/items: has length 1, not 2"),
        ("/on", {"length": 1}, "/on: has no length: true"),
        ("/items/0/label", {"matches": "^x"}, '/items/0/label: is "billing", which does not match ^x'),
        ("/items", {"matches": "x"}, '/items: is no text: [{"label": "billing", "score": 0.75}]'),
        ("", {"length": 9}, "the answer: has length 5, not 9"),
    ],
)
def test_what_is_missed_names_the_place_what_is_there_and_what_was_wanted(
    pointer: str, wanted: dict[str, object], found: str
) -> None:
    assert missed(DOCUMENT, pointer, **wanted) == [found]


def test_an_answer_that_is_no_json_misses_only_where_json_is_wanted() -> None:
    page = answered(b"<html>Bad gateway</html>")
    assert misses(Expected(status=200), page) == []
    assert missed_page(page) == ["the answer is no JSON: <html>Bad gateway</html>"]


def missed_page(page: Answered) -> list[str]:
    return misses(Expected.model_validate({"status": 200, "json": {"": {"length": 1}}}), page)


def test_not_a_number_is_neither_above_nor_below() -> None:
    (found,) = missed_page_of(b'{"score": NaN}')
    assert found == "/score: is NaN, below 0"


def missed_page_of(body: bytes) -> list[str]:
    return misses(Expected.model_validate({"status": 200, "json": {"/score": {"min": 0, "max": 1}}}), answered(body))


def differing(one: object, other: object, **compare: float | None) -> list[str]:
    pointers = {f"/{name}": Same(tolerance=tolerance) for name, tolerance in compare.items()}
    return differences(pointers, answered(one), answered(other))


def test_numbers_may_be_apart_by_the_tolerance_and_not_by_more() -> None:
    assert differing({"x": 0.4}, {"x": 0.3}, x=0.1) == []
    assert differing({"x": 0.41}, {"x": 0.3}, x=0.1) == ["/x: is 0.41, stable's 0.3 (more than 0.1 apart)"]
    assert differing({"x": 1}, {"x": 1.0}, x=None) == []
    assert differing({"x": True}, {"x": 1}, x=0.5) == ["/x: is true, stable's 1 (more than 0.5 apart)"]


def test_the_tolerance_holds_for_numbers_inside_lists_and_mappings_too() -> None:
    assert differing({"x": [{"p": 0.51}]}, {"x": [{"p": 0.5}]}, x=0.02) == []
    assert differing({"x": [0.5, 1]}, {"x": [0.5]}, x=0.02)


def test_what_is_missing_on_either_side_is_a_difference() -> None:
    assert differing({}, {"x": 1}, x=None) == ["/x: is not there"]
    assert differing({"x": 1}, {}, x=None) == ["/x: is not in stable's"]
    assert differing({}, {}, x=None) == ["/x: is not there, nor in stable's"]


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(JSONS)
def test_every_answer_equals_itself_and_is_found_under_the_empty_pointer(document: JsonValue) -> None:
    assert missed(document, "", equals=document) == []
    assert differences({"": Same()}, answered(document), answered(document)) == []


def test_series_are_read_with_their_labels_and_other_lines_are_passed_over() -> None:
    text = (
        "# HELP x help\n"
        'bentoml_x_total{endpoint="/a\\"b\\\\c\\n,d",http_response_code="200"} 3.0 1700000000\n'
        "process_cpu_seconds_total 1.5\n"
        "<html>\n"
        "broken{ 3\n"
        "bad_value nothing\n"
    )
    assert [(one.name, dict(one.labels), one.value) for one in series(text)] == [
        ("bentoml_x_total", {"endpoint": '/a"b\\c\n,d', "http_response_code": "200"}, 3.0),
        ("process_cpu_seconds_total", {}, 1.5),
    ]
