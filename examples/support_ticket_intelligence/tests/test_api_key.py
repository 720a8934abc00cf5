"""Knows that a service with keys answers nobody without one, that probes and Prometheus need none, that no log tells a key."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_key import OPEN, SHORTEST, ApiKey, Message, api_keys, told
from conftest import Server, free_port, home_of_its_own, running_server, start
from request_gate import MAX_BODY

OLD, NEW = "old-key-0123456789abcdef", "new-key-0123456789abcdef"
BODY = json.dumps({"tickets": [{"text": "I was charged twice for last month's invoice"}]}).encode()
JSON = {"content-type": "application/json"}


# What counts as a key.


def test_without_the_variable_there_are_no_keys_and_the_log_says_it_loudly() -> None:
    assert api_keys({}) == ()
    assert "ANYBODY" in told(())


@pytest.mark.parametrize("text", [f"{OLD},{NEW}", f"{OLD}\n{NEW}\n", f" {OLD} , {NEW},"])
def test_two_keys_let_clients_change_theirs_one_after_the_other(text: str) -> None:
    keys = api_keys({"API_KEYS": text})
    assert keys == (*api_keys({"API_KEYS": OLD}), *api_keys({"API_KEYS": NEW}))
    assert told(keys) == "requests need one of 2 keys"


@pytest.mark.parametrize("text", ["", "  \n", ",", "short", f"{OLD},short", "x" * (SHORTEST - 1), "k\u00e4y-0123456789abcdef"])
def test_a_variable_without_a_sound_key_is_an_error_that_tells_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"^environment: API_KEYS: key \d of \d is no key") as wrong:
        api_keys({"API_KEYS": text})
    assert not [key for key in text.replace(",", " ").split() if key in str(wrong.value)]


# Which requests pass.


def status(scope: dict[str, Any], keys: str | None = f"{OLD},{NEW}") -> int:
    """What a request is answered by the middleware before an application that answers 200."""
    sent: list[Message] = []

    async def app(_scope: Message, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        raise AssertionError("the body of who may not ask is read")

    async def send(message: Message) -> None:
        sent.append(message)

    whole = {"type": "http", "method": "POST", "path": "/classify_ticket", "headers": [], **scope}
    asyncio.run(ApiKey(app, api_keys({} if keys is None else {"API_KEYS": keys}))(whole, receive, send))
    return sent[0].get("status") or sent[0]["code"]


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-api-key", OLD.encode())],
        [(b"x-api-key", NEW.encode())],
        [(b"authorization", b"Bearer " + NEW.encode())],
        [(b"authorization", b"bearer  " + NEW.encode())],
        [(b"authorization", b"Basic eDp5"), (b"x-api-key", NEW.encode())],
    ],
)
def test_a_key_lets_a_request_in(headers: list[tuple[bytes, bytes]]) -> None:
    assert status({"headers": headers}) == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"x-api-key", b"")],
        [(b"x-api-key", OLD[:-1].encode())],
        [(b"x-api-key", OLD.upper().encode())],
        [(b"x-api-key", f"{OLD},{NEW}".encode())],
        [(b"x-api-key", b"\xff\xfe")],
        [(b"authorization", NEW.encode())],
        [(b"authorization", b"Basic " + NEW.encode())],
        [(b"cookie", b"x-api-key=" + NEW.encode())],
    ],
)
def test_anything_else_does_not(headers: list[tuple[bytes, bytes]]) -> None:
    assert status({"headers": headers}) == 401


@pytest.mark.parametrize("path", sorted(OPEN))
def test_probes_and_prometheus_need_no_key_to_read(path: str) -> None:
    assert status({"method": "GET", "path": path}) == 200
    assert status({"method": "POST", "path": path}) == 401
    assert {status({"method": "GET", "path": other}) for other in (f"{path}/", f"/{path}", f"{path}/../version")} == {401}


@pytest.mark.parametrize("path", ["/", "/docs.json", "/schema.json", "/static_content/index.css", "/version", "/nowhere"])
def test_whatever_else_bentoml_serves_needs_one(path: str) -> None:
    assert status({"method": "GET", "path": path}) == 401


def test_a_websocket_needs_one_too() -> None:
    assert status({"type": "websocket", "path": "/readyz"}) == 1008


def test_without_keys_everybody_passes() -> None:
    assert status({}, keys=None) == 200


# The service itself.


@pytest.fixture(scope="module")
def guarded(model_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running_server(model_store, tmp_path_factory.mktemp("guarded") / "log", environment={"API_KEYS": f"{OLD},{NEW}"}) as one:
        yield one


def ask(server: Server, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> tuple[int, Any, str]:
    """Status, body and content type."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path, body, headers or {}, encode_chunked=not isinstance(body, bytes | None))
        response = connection.getresponse()
        return response.status, response.read(), response.getheader("content-type") or ""
    finally:
        connection.close()


def test_the_service_answers_who_has_a_key_and_refuses_the_others_in_json(guarded: Server) -> None:
    for key in (OLD, NEW):
        assert ask(guarded, "POST", "/classify_ticket", BODY, {**JSON, "x-api-key": key})[0] == 200
    for headers in (JSON, {**JSON, "x-api-key": "guess-0123456789abcdef"}):
        status, text, kind = ask(guarded, "POST", "/classify_ticket", BODY, headers)
        assert (status, kind) == (401, "application/json")
        assert json.loads(text) == {"error": "a key is needed: send it as 'x-api-key'", "detail": []}
    assert ask(guarded, "GET", "/docs.json")[0] == 401


def test_the_kubelet_and_prometheus_are_answered_without_a_key(guarded: Server) -> None:
    assert {path: ask(guarded, "GET", path)[0] for path in OPEN} == dict.fromkeys(OPEN, 200)


def test_a_body_that_announces_no_length_is_refused_above_the_limit(guarded: Server) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_BODY // 65536 + 1):
            yield b" " * 65536

    headers = {**JSON, "transfer-encoding": "chunked", "x-api-key": NEW}
    status, text, kind = ask(guarded, "POST", "/classify_ticket", chunks(), headers)
    assert (status, kind) == (413, "application/json")
    assert "larger than" in json.loads(text)["error"]


def test_of_who_has_no_key_no_body_is_awaited(guarded: Server) -> None:
    """The answer comes although the body that was announced never does."""
    with socket.create_connection(("127.0.0.1", guarded.port), timeout=60) as connection:
        connection.sendall(b"POST /classify_ticket HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_no_log_tells_a_key(guarded: Server) -> None:
    ask(guarded, "POST", "/classify_ticket", BODY, {**JSON, "x-api-key": f"{NEW}-almost"})
    ask(guarded, "POST", "/classify_ticket", b"{", {**JSON, "x-api-key": NEW})
    log = guarded.log()
    assert "requests need one of 2 keys" in log
    assert not [key for key in (OLD, NEW) if key in log]


def test_a_service_without_keys_says_at_start_that_anybody_may_ask(server: Server) -> None:
    assert "ANYBODY WHO REACHES THIS SERVICE MAY ASK" in server.log()


def test_a_secret_without_a_sound_key_ends_the_process(model_store: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    home = home_of_its_own(tmp_path / "home", model_store)
    with log.open("w") as stream:
        process = start("SupportTicketIntelligence", free_port(), {"BENTOML_HOME": str(home), "API_KEYS": "too-few-Zyx"}, stream)
    try:
        assert process.wait(120) != 0
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert "API_KEYS: key 1 of 1 is no key" in log.read_text()
    assert "Zyx" not in log.read_text()
