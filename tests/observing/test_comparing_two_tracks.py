"""What two tracks' answers to the same requests come to, and how sure one can be which is slower."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import pytest
from bento_gitops.model.problem import InvalidInput
from bento_gitops.observing.answers import Answered
from bento_gitops.observing.replay import Comparison, Latency, Pair, Recorded, latencies, recorded

REQUEST = Recorded(1, "POST", "/classify", {})


def answered(body: object, status: int = 200, seconds: float = 0.1) -> Answered:
    return Answered(0, status, seconds, 0.0, body if isinstance(body, bytes) else json.dumps(body).encode())


def compared(own: object, stable: object, *ignored: str, tolerance: float = 0.0) -> Comparison:
    result = Comparison(tolerance, ignored)
    first, second = (one if isinstance(one, Answered) else answered(one) for one in (own, stable))
    result.add([Pair(REQUEST, first, second)])
    return result


def test_lines_are_requests_and_empty_ones_count_for_nothing() -> None:
    data = b'{"method": "POST", "path": "/a?b=c", "body": {"x": [1]}}\n\n{"path": "/version", "method": "GET"}\r\n'
    assert recorded(data, "f.jsonl") == [Recorded(1, "POST", "/a?b=c", {"x": [1]}), Recorded(3, "GET", "/version", None)]


def test_every_bad_line_is_told_with_its_number() -> None:
    lines = [
        '{"method": "POST", "path": "/a"}',
        "{",
        "[]",
        '{"method": "LOOK", "path": "/a"}',
        '{"method": "GET", "path": "a"}',
        '{"method": "GET", "path": "/a", "boddy": {}}',
        '{"path": "/a"}',
        '{"method": ["GET"], "path": "/a"}',
    ]
    with pytest.raises(InvalidInput) as caught:
        recorded("\n".join(lines).encode(), "f.jsonl")
    told = [str(problem) for problem in caught.value.problems]
    assert [line.partition(": ")[0] for line in told] == [f"f.jsonl:{number}" for number in range(2, 9)]
    assert "f.jsonl:6: boddy: no such key (found 'boddy'); did you mean 'body'?" in told
    assert 'f.jsonl:4: method: is not one of what is allowed (found "LOOK"); use GET, POST, PUT, PATCH, DELETE' in told
    assert 'f.jsonl:5: path: is no path (found "a"); write one like /classify_ticket' in told


def test_a_file_that_is_wrong_throughout_is_told_in_a_few_lines() -> None:
    with pytest.raises(InvalidInput) as caught:
        recorded(b'{"method": "GET", "path": "a"}\n' * 60 + b"{", "f.jsonl")
    told = [str(problem) for problem in caught.value.problems]
    assert [line.partition(" (")[0] for line in told[:4]] == [
        "f.jsonl:1: path: is no path",
        "f.jsonl:2: path: is no path",
        "f.jsonl:3: path: is no path",
        "f.jsonl:4: path: is no path, here and on 56 more lines",
    ]
    assert len(told) == 5
    assert told[4].startswith("f.jsonl:61: is no JSON")


def test_a_file_without_requests_is_an_error() -> None:
    with pytest.raises(InvalidInput, match="has no requests"):
        recorded(b"\n\n", "f.jsonl")


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    with pytest.raises(InvalidInput, match=r"f\.jsonl:1: is no JSON"):
        recorded(b"\xff\xfe{", "f.jsonl")


def test_where_answers_differ_is_told_by_place_with_one_place_for_all_items_of_a_list() -> None:
    own = {"items": [{"label": "a", "p": 0.5}, {"label": "b", "p": 0.5}], "version": "2"}
    stable = {"items": [{"label": "x", "p": 0.5}, {"label": "y", "p": 0.5}], "version": "1", "new": 1}
    found = compared(own, stable)
    assert dict(found.differing) == {"/items/*/label": 1, "/version": 1, "/new": 1}
    assert (found.same, found.same_status) == (0, 1)
    assert found.examples == {
        "/items/*/label": 'line 1: /items/0/label: "a", stable "x"',
        "/version": 'line 1: "2", stable "1"',
        "/new": "line 1: none, stable 1",
    }


def test_each_place_has_an_example_though_others_differ_more_often() -> None:
    found = Comparison()
    answers = [({"v": 2, "label": "bug"}, {"v": 1, "label": "bug"})] * 30 + [
        ({"v": 2, "label": "bug"}, {"v": 1, "label": "billing"})
    ]
    found.add(Pair(Recorded(line, "POST", "/a", {}), answered(a), answered(b)) for line, (a, b) in enumerate(answers, 1))
    assert found.differing == {"/v": 31, "/label": 1}
    assert found.examples["/label"] == 'line 31: "bug", stable "billing"'


def test_places_that_may_differ_do_not_count_nor_what_is_below_them() -> None:
    own, stable = {"items": [{"label": "a"}], "v": {"x": 1}}, {"items": [{"label": "b"}], "v": {"x": 2}}
    assert compared(own, stable, "/v", "/items/*/label").same == 1
    assert dict(compared(own, stable, "/items/*").differing) == {"/v/x": 1}
    assert dict(compared(own, stable, "/v/x/y", "/item").differing) == {"/items/*/label": 1, "/v/x": 1}


def test_numbers_within_the_tolerance_are_the_same() -> None:
    assert compared({"p": 0.52}, {"p": 0.5}, tolerance=0.05).same == 1
    assert compared({"p": 0.52}, {"p": 0.5}).same == 0


def test_lists_of_other_lengths_differ_as_a_whole() -> None:
    assert dict(compared({"items": [1, 2]}, {"items": [1]}).differing) == {"/items": 1}


def test_answers_that_are_no_json_are_compared_byte_by_byte() -> None:
    assert compared(b"\x89PNG", b"\x89PNG").same == 1
    assert dict(compared(b"\x89PNG", b"\x89PNH").differing) == {"an answer that is no JSON": 1}


def test_a_failure_that_stable_has_not_is_counted_apart() -> None:
    found = compared(answered("", 503), {"a": 1})
    assert (found.worse, found.same_status, found.own.failed, found.stable.failed) == (1, 0, 1, 0)
    assert dict(found.differing) == {"status 503, stable 200": 1}
    gone = Answered(0, 0, 1.0, 0.0, None, "no connection")
    assert compared(gone, gone).worse == 0, "where neither answers, neither is worse"
    assert dict(compared(gone, gone).differing) == {"status none (no connection), stable none (no connection)": 1}
    assert compared(gone, answered({})).own.statuses == {"none (no connection)": 1}
    refused = compared(answered("", 400), answered("", 400))
    assert (refused.same, refused.own.failed, refused.own.seconds) == (1, 0, []), "how fast a refusal comes says nothing"


def timed(own: Sequence[float], stable: Sequence[float]) -> dict[str, Latency]:
    result = Comparison()
    result.add(
        Pair(REQUEST, answered({}, seconds=one), answered({}, seconds=other)) for one, other in zip(own, stable, strict=True)
    )
    return {one.name: one for one in latencies(result)}


def lognormal(number: int, factor: float, seed: int) -> list[float]:
    chance = random.Random(seed)
    return [0.1 * factor * chance.lognormvariate(0, 0.3) for _ in range(number)]


def test_a_track_that_is_slower_is_told_so_with_how_much_at_least() -> None:
    found = timed(lognormal(400, 1.5, 1), lognormal(400, 1.0, 2))
    assert found["p50"].says.startswith("slower by ")
    assert found["p95"].says.startswith("slower by ")
    difference = found["p50"].difference
    assert difference
    assert 0 < difference.low < 0.05 < difference.high
    assert found["p50"].own == pytest.approx(0.15, rel=0.1)


def test_a_track_that_is_faster_is_told_so() -> None:
    assert timed(lognormal(400, 0.5, 1), lognormal(400, 1.0, 2))["p50"].says.startswith("faster by ")


def test_tracks_that_are_alike_are_told_so_only_where_the_interval_is_narrow() -> None:
    many = timed(lognormal(3000, 1.0, 1), lognormal(3000, 1.0, 2))["p50"]
    assert (many.says.startswith("the same, within "), many.certain) == (True, True)
    few = timed(lognormal(25, 1.0, 3), lognormal(25, 1.0, 4))["p50"]
    assert few.says.startswith("cannot be said: anything from ")
    assert not few.certain


def test_too_few_answers_give_no_interval_and_it_is_said() -> None:
    found = timed(lognormal(30, 1.0, 1), lognormal(30, 3.0, 2))
    assert found["p50"].difference is not None
    assert found["p95"].difference is None
    assert found["p95"].says == "too few good answers to say (30 and 30; it takes 60 of each)"
    assert timed([0.1], [0.1]) == {}


def test_the_same_measurements_give_the_same_report() -> None:
    one, other = lognormal(100, 1.0, 1), lognormal(100, 1.1, 2)
    assert timed(one, other) == timed(one, other)
