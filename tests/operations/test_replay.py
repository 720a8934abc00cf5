"""`replay` against two tracks on loopback: what is sent, how fast, and what is said of the answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import called, unboxed
from track_stand_in import API, Track, running

PROD = "prod/support-tickets"
LINES = ['{"method": "POST", "path": "/classify_ticket", "body": {"text": "refund, please"}}'] * 8


@pytest.fixture
def tracks() -> Iterator[tuple[Track, Track]]:
    with running("1.1.0") as green, running("1.0.0") as blue:
        yield green, blue


def replay(
    fleet: Any, tmp_path: Path, tracks: tuple[Track, Track] | None, *arguments: str, lines: list[str] = LINES, code: int = 0
) -> subprocess.CompletedProcess[str]:
    file = tmp_path / "replay.jsonl"
    file.write_text("\n".join(lines) + "\n")
    words = ["--url", tracks[0].addresses[API], *tracks[1].as_stable] if tracks else []
    ran = called(fleet.root, "replay", PROD, str(file), *words, *arguments)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran


def document(*arguments: Any, **more: Any) -> dict[str, Any]:
    return json.loads(replay(*arguments, "--json", **more).stdout)


def test_each_request_goes_to_both_tracks_once_at_the_rate(fleet, tmp_path: Path, tracks) -> None:
    found = document(fleet, tmp_path, tracks, "--rate", "20", "--ignore", "/version")
    for track in tracks:
        # The first may arrive late on a busy machine, and no request before it is due.
        assert track[API].at[-1] - track[API].at[0] >= 5 / 20
    assert [track.requests() for track in tracks] == [8, 8]
    assert (found["requests"], found["same_answer"], found["same_status"]) == (8, 8, 8)
    assert tracks[0][API].tracks == {"green"}
    assert tracks[1][API].tracks == {"blue"}
    assert tracks[0]["EmbeddingRunner"].asked["/encode", 200] == 8


def test_what_differs_is_told_by_place(fleet, tmp_path: Path, tracks) -> None:
    tracks[0][API].answer["confidence"] = 0.8
    ran = replay(fleet, tmp_path, tracks, "--rate", "50")
    assert ran.stdout.startswith("prod/support-tickets: green against blue, 8 requests each\n")
    assert "  differs: /confidence in 8 of 8; line 1: 0.8, stable 0.9\n" in ran.stdout
    assert "too few good answers to say (8 and 8; it takes 20 of each)" in ran.stdout
    assert "note: too few requests to say all of it" in ran.stderr
    assert document(fleet, tmp_path, tracks, "--rate", "50", "--tolerance", "0.2", "--ignore", "/version")["same_answer"] == 8


def test_a_candidate_that_fails_where_stable_answers_is_an_exit_code(fleet, tmp_path: Path, tracks) -> None:
    tracks[0][API].status = 503
    ran = replay(fleet, tmp_path, tracks, "--rate", "50", code=4)
    assert "green failed 8 requests that blue answered" in ran.stdout


def test_for_a_time_the_requests_go_round(fleet, tmp_path: Path, tracks) -> None:
    found = document(fleet, tmp_path, tracks, "--rate", "20", "--for", "1s", lines=LINES[:3])
    assert found["requests"] == 20


def test_addresses_that_are_swapped_or_the_same_are_found_out_before_anything_is_sent(fleet, tmp_path: Path, tracks) -> None:
    told = replay(fleet, tmp_path, tracks[::-1], code=4).stderr
    assert (
        "what answers as green is not its bundle 1.1.0 (found it runs support_tickets:1.0.0, not support_tickets:1.1.0)" in told
    )
    assert "is an address of the other track too" in replay(fleet, tmp_path, (tracks[0], tracks[0]), code=2).stderr
    tracks[1][API].bento = "support_tickets:1.1.0"
    assert "what answers as blue is not its bundle 1.0.0" in replay(fleet, tmp_path, tracks, code=4).stderr
    assert [track.requests() for track in tracks] == [0, 0]


def test_a_router_that_says_that_another_track_answered_stops_the_replay(fleet, tmp_path: Path, tracks) -> None:
    tracks[1][API].headers["x-bento-track"] = "green"
    told = replay(fleet, tmp_path, tracks, "--rate", "50", code=4).stderr
    assert "what answers as blue is not its bundle 1.0.0 (found the answer is of track green, not blue)" in told


def test_a_track_that_does_not_tell_its_bento_is_a_note(fleet, tmp_path: Path, tracks) -> None:
    tracks[1][API].metrics = 404
    told = replay(fleet, tmp_path, tracks, "--rate", "50").stderr
    assert "note: nobody knows whether blue is bundle 1.0.0: its metrics name no Bento (/metrics answers 404)" in told


def test_requests_of_which_none_was_answered_well_are_no_success(fleet, tmp_path: Path, tracks) -> None:
    for track in tracks:
        track[API].status = 404
    ran = replay(fleet, tmp_path, tracks, "--rate", "50", code=4)
    (row,) = [line.split() for line in ran.stdout.splitlines() if line.startswith("statuses")]
    assert row == ["statuses", "404:", "8", "stable:", "404:", "8"]
    assert "green gave no good answer (2xx): nothing that users get was compared" in ran.stdout


def test_why_no_answer_came_is_told(fleet, tmp_path: Path, tracks) -> None:
    tracks[0].addresses[API] = "http://127.0.0.1:1"
    ran = replay(fleet, tmp_path, tracks, "--rate", "50", code=4)
    assert "differs: status none (no connection to 127.0.0.1:1: Connection refused), stable 200 in 8 of 8; line 1\n" in ran.stdout


def test_a_slower_candidate_is_told_with_an_interval(fleet, tmp_path: Path, tracks) -> None:
    tracks[0][API].seconds = 0.3
    found = document(fleet, tmp_path, tracks, "--rate", "25", lines=LINES * 3)
    (median,) = [one for one in found["latency"] if one["quantile"] == "p50"]
    assert median["certain"]
    assert median["difference"]["low"] > 0
    assert "slower by" in median["says"]


@pytest.mark.parametrize(
    ("arguments", "lines", "error"),
    [
        (["--rate", "51"], LINES, "--rate: a replay sends up to 50 requests a second, and more than none (found 51)"),
        (["--rate", "0"], LINES, "--rate: a replay sends up to 50 requests a second, and more than none (found 0)"),
        (["--for", "601s"], LINES, "--for: a replay lasts 10m at most, and more than no time (found 10m1s)"),
        (["--for", "0s"], LINES, "--for: a replay lasts 10m at most"),
        (["--for", "120"], LINES, "--for: say how long, like 90s or 10m (found '120')"),
        (["--rate", "0.01"], LINES, "8 requests at 0.01 a second take more than 600 s"),
        (["--ignore", "model_version"], LINES, "--ignore: begins with a slash: /model_version (found 'model_version')"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_sent(
    fleet, tmp_path: Path, tracks, arguments: list[str], lines: list[str], error: str
) -> None:
    assert error in unboxed(replay(fleet, tmp_path, tracks, *arguments, lines=lines, code=2).stderr)
    assert [track.requests() for track in tracks] == [0, 0]


def test_a_bad_line_is_told_before_anything_is_sent(fleet, tmp_path: Path, tracks) -> None:
    assert ":1: is no JSON" in replay(fleet, tmp_path, tracks, lines=["{", *LINES, "{}"], code=1).stderr
    assert [track.requests() for track in tracks] == [0, 0]


def test_two_tracks_and_two_addresses_are_needed(fleet, tmp_path: Path) -> None:
    only = ["--url", "http://127.0.0.1:1"]
    assert "--stable-url: is missing" in replay(fleet, tmp_path, None, *only, code=2).stderr
    told = replay(fleet, tmp_path, None, *only, "--track", "blue", code=4).stderr
    assert "replay: blue is the stable track itself; promote a candidate" in told


def test_a_file_that_is_not_there_is_an_error(fleet, tmp_path: Path) -> None:
    ran = called(fleet.root, "replay", PROD, str(tmp_path / "none.jsonl"))
    assert (ran.returncode, "none.jsonl: cannot be read: No such file or directory" in ran.stderr) == (1, True)
