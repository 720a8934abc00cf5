"""Requests of a load, line by line, and what is wrong with them."""

from __future__ import annotations

import pytest
from bento_gitops.model.problem import InvalidInput
from bento_gitops.observing.payloads import MOST, payloads

ROUTES = ("/encode", "/predict_proba")


def test_lines_are_requests_and_empty_lines_are_not() -> None:
    text = '{"path": "/encode", "body": {"texts": ["a", "b"]}}\n\n{"method": "POST", "path": "/encode", "body": 1, "items": 7}\n'

    first, second = payloads(text, "load.jsonl", ROUTES)

    assert (first.path, first.body, first.items, first.line) == ("/encode", {"texts": ["a", "b"]}, 2, 1)
    assert (second.items, second.line) == (7, 3)


@pytest.mark.parametrize(
    ("body", "items"),
    [('["a", "b", "c"]', 3), ('{"texts": ["a"], "limit": 3}', 1), ('{"a": [1], "b": [2]}', None), ("{}", None), ('"text"', None)],
)
def test_items_are_the_one_list_of_a_body(body: str, items: int | None) -> None:
    (found,) = payloads(f'{{"path": "/encode", "body": {body}}}', "load.jsonl", ROUTES)

    assert found.items == items


def test_all_that_is_wrong_is_told_at_once_with_its_line() -> None:
    text = "\n".join(
        [
            '{"path": "/encode", "body": 1}',
            "{",
            "[1]",
            '{"path": "/encode"}',
            '{"path": "/encoed", "body": 1}',
            '{"pth": "/encode", "body": 1}',
            '{"path": "/encode", "body": 1, "items": 0}',
            '{"method": "GET", "path": "/encode", "body": 1}',
        ]
    )

    with pytest.raises(InvalidInput) as refused:
        payloads(text, "load.jsonl", ROUTES)

    said = [str(problem) for problem in refused.value.problems]
    assert said[0].startswith("load.jsonl:2: not JSON: ")
    assert said[1:] == [
        'load.jsonl:3: no object (found [1]); write {"path": ..., "body": ...}',
        "load.jsonl:4: body: is missing; add what is sent as JSON",
        "load.jsonl:5: path: is no route of what is asked (found \"/encoed\"); did you mean '/encode'?",
        "load.jsonl:6: pth: no such key (found 'pth'); did you mean 'path'?",
        "load.jsonl:7: items: is no number of items (found 0); write a whole number, or leave it out",
        'load.jsonl:8: method: APIs are asked with POST (found "GET"); leave it out',
    ]


def test_lines_that_are_wrong_in_the_same_way_are_counted_after_the_third() -> None:
    with pytest.raises(InvalidInput) as refused:
        payloads(
            '{"path": "/encoed", "body": 1}\n' * 4 + '{"pth": 1}\n' + '{"path": "/encod", "body": 1}\n' * 6, "load.jsonl", ROUTES
        )

    said = [str(problem) for problem in refused.value.problems]
    assert [one.partition(" ")[0] for one in said] == [f"load.jsonl:{line}:" for line in (1, 2, 3, 4, 5)]
    assert said[3] == "load.jsonl:4: path: is no route of what is asked, here and on 6 more lines"


def test_a_file_without_requests_and_one_with_too_many_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"load\.jsonl: has no requests; write a line for each"):
        payloads("\n", "load.jsonl", ROUTES)
    with pytest.raises(InvalidInput, match=rf"too many requests \(found {MOST + 1}\)"):
        payloads('{"path": "/encode", "body": 1}\n' * (MOST + 1), "load.jsonl", ROUTES)
