"""What the one sender of HTTP requests promises: its bounds, its clock, and that no answer is an answer."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

import pytest
from aiohttp import web
from bento_gitops.observing.answers import Asked
from bento_gitops.tools import http
from http_servers import serving


async def _echo(request: web.Request) -> web.Response:
    said = await request.text()
    return web.json_response({"method": request.method, "path": request.path, "said": said, "type": request.content_type})


def test_answers_come_in_the_order_of_the_requests() -> None:
    async def slower_first(request: web.Request) -> web.Response:
        await asyncio.sleep(0.2 if request.path == "/0" else 0)
        return web.Response(text=request.path, headers={"X-Bento-Track": "blue"})

    with serving(slower_first) as address:
        answers = http.ask([Asked.of("GET", address, f"/{number}") for number in range(3)])
    assert [(one.asked, one.status, one.body) for one in answers] == [(0, 200, b"/0"), (1, 200, b"/1"), (2, 200, b"/2")]
    assert answers[0].seconds >= 0.2 > answers[1].seconds
    assert answers[0].headers["x-bento-track"] == "blue"


def test_a_body_goes_out_as_json_unless_the_headers_say_else() -> None:
    with serving(_echo) as address:
        first, second = http.ask(
            [
                Asked.of("POST", address + "/", "/a", {"é": 1}),
                Asked.of("POST", address, "/a", {}, {"content-type": "text/plain"}),
            ]
        )
    assert first.body == b'{"method": "POST", "path": "/a", "said": "{\\"\\u00e9\\": 1}", "type": "application/json"}'
    assert second.body and b'"type": "text/plain"' in second.body


def test_a_server_that_is_not_there_gives_no_answer_and_says_why() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        (answer,) = http.ask([Asked("GET", f"http://127.0.0.1:{port}/")])
    assert (answer.status, answer.body, answer.failed) == (0, None, True)
    assert answer.trouble == f"no connection to 127.0.0.1:{port}: Connection refused"


def test_a_host_that_nobody_knows_gives_no_answer() -> None:
    (answer,) = http.ask([Asked("GET", "http://no-such-host.invalid/")])
    assert (answer.status, answer.failed) == (0, True)
    assert answer.trouble.startswith("no connection to no-such-host.invalid:80: ")


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    with serving(slow) as address:
        (answer,) = http.ask([Asked("GET", address)], limit=0.2)
    assert (answer.status, answer.trouble) == (0, "no answer in 0.2 s")
    assert 0.2 <= answer.seconds < 5


def test_half_an_answer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    with serving(breaks_off) as address:
        (answer,) = http.ask([Asked("GET", address)])
    assert (answer.status, answer.body) == (0, None)
    assert answer.trouble


def test_a_huge_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST", 1024 * 1024)

    async def huge(request: web.Request) -> web.Response:
        return web.Response(body=bytes(3 * 1024 * 1024))

    with serving(huge) as address:
        (answer,) = http.ask([Asked("GET", address)])
    assert (answer.status, answer.trouble) == (0, "its answer is larger than 1 MiB")


def test_nobody_is_followed_to_another_address() -> None:
    async def elsewhere(request: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:1/")

    with serving(elsewhere) as address:
        (answer,) = http.ask([Asked("GET", address)])
    assert answer.status == 302


def test_a_closed_loop_has_as_many_requests_on_their_way_as_clients() -> None:
    now, most = 0, 0

    async def counting(request: web.Request) -> web.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return web.Response()

    with serving(counting) as address:
        answers = http.load([Asked("GET", address), Asked("GET", f"{address}/b")], clients=4, seconds=0.5)
    assert most == 4
    assert {one.status for one in answers} == {200}
    assert 8 <= len(answers) <= 4 * 25
    turns = Counter(one.asked for one in answers)
    assert abs(turns[0] - turns[1]) <= 4
    assert {one.body for one in answers} == {None}


def test_without_a_time_each_request_is_sent_once() -> None:
    with serving(_echo) as address:
        answers = http.load([Asked.of("POST", address, f"/{number}") for number in range(20)], clients=3, keep_bodies=True)
    assert sorted(one.asked for one in answers) == list(range(20))
    assert all(one.body for one in answers)


def test_a_rate_does_not_wait_for_slow_answers_and_counts_from_when_a_request_was_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_WAITING", 1)

    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.1)
        return web.Response()

    with serving(slow) as address:
        answers = http.load([Asked("GET", address)] * 5, rate=100)
    # One at a time: the fifth was due after 0.04 s and could be sent after 0.4 s only.
    last = max(answers, key=lambda one: one.at)
    assert last.at == pytest.approx(0.04, abs=0.001)
    assert last.seconds >= 0.4


def test_what_could_not_be_sent_any_more_is_told_and_not_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_WAITING", 1)

    async def hangs(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    with serving(hangs) as address:
        answers = http.load([Asked("GET", address)], rate=20, seconds=0.5, limit=0.4)
    assert len(answers) == 10
    assert {one.status for one in answers} == {0}
    assert {one.trouble for one in answers} == {"no answer in 0.4 s", "not sent: 1 others still had no answer"}


@pytest.mark.parametrize(
    "bounds", [{}, {"clients": 1, "rate": 1.0}, {"clients": 0}, {"clients": 5000}, {"rate": 0.0}, {"rate": 1.0, "seconds": 9999}]
)
def test_a_load_without_bounds_is_a_bug(bounds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"load|rate"):
        http.load([Asked("GET", "http://127.0.0.1:1")], **bounds)  # pyright: ignore[reportArgumentType]  (wrong on purpose)
