"""Knows what is left of an exception in a log: types and places, of all that led to it, and no word of what was sent."""

from __future__ import annotations

import asyncio
import http.server
import io
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Server, free_port, home_of_its_own, running_server, start
from log_privacy import WITHHELD, withhold_messages, without_messages
from pydantic import BaseModel, ValidationError
from ticket_contract import ClassifyTicketRequest

TOLD = "Mrs-Zyx-of-4711-Secret-Street"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a root handler writes while messages are withheld; afterwards this process logs as before."""
    before = logging.getLogRecordFactory()
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    logging.getLogger().addHandler(handler)
    withhold_messages()
    try:
        yield written
    finally:
        logging.getLogger().removeHandler(handler)
        logging.setLogRecordFactory(before)


def raised(error: BaseException) -> BaseException:
    try:
        raise error
    except BaseException as caught:
        return caught


def test_a_logged_exception_has_its_type_and_place_and_no_message(log: io.StringIO) -> None:
    try:
        float(TOLD)
    except ValueError:
        logging.getLogger("bentoml.serve").exception("Exception on /classify_ticket")

    assert TOLD not in log.getvalue()
    assert log.getvalue().startswith("bentoml.serve Exception on /classify_ticket\nTraceback (most recent call last):\n")
    assert f'File "{__file__}"' in log.getvalue()
    assert "float(TOLD)" in log.getvalue()
    assert log.getvalue().endswith(f"ValueError ({WITHHELD})\n")


def test_a_handler_that_is_added_later_gets_no_message_either(log: io.StringIO) -> None:
    later = io.StringIO()
    handler = logging.StreamHandler(later)
    logger = logging.getLogger("somebody.elses")
    logger.addHandler(handler)
    try:
        logger.error("failed: %s and %s", ValueError(TOLD), 1, exc_info=raised(KeyError(TOLD)))
    finally:
        logger.removeHandler(handler)

    assert later.getvalue().startswith("failed: ValueError and 1\n")
    assert TOLD not in later.getvalue() + log.getvalue()


def test_an_exception_among_named_arguments_is_named(log: io.StringIO) -> None:
    logging.getLogger("somebody.elses").error("failed: %(why)s, %(times)d times", {"why": ValueError(TOLD), "times": 2})

    assert log.getvalue() == "somebody.elses failed: ValueError, 2 times\n"


def test_an_exception_that_is_itself_the_message_is_named(log: io.StringIO) -> None:
    logging.getLogger("somebody.elses").error(ValueError(TOLD))

    assert log.getvalue() == "somebody.elses ValueError\n"


def test_what_a_forgotten_task_raised_is_told_without_its_attributes(log: io.StringIO) -> None:
    async def fails() -> None:
        raise ValueError(TOLD)

    async def forgets() -> None:
        loop = asyncio.get_running_loop()
        task = loop.create_task(fails())
        await asyncio.wait([task])
        loop.call_exception_handler(
            {"message": "Task exception was never retrieved", "exception": task.exception(), "task": task}
        )

    asyncio.run(forgets())

    assert log.getvalue().startswith("asyncio Task exception was never retrieved\nTraceback")
    assert TOLD not in log.getvalue()


@pytest.mark.usefixtures("log")
def test_a_second_call_changes_nothing() -> None:
    first = logging.getLogRecordFactory()
    withhold_messages()

    assert logging.getLogRecordFactory() is first


def test_every_exception_that_led_to_another_is_told() -> None:
    try:
        try:
            raise ValueError(TOLD) from raised(KeyError(TOLD))
        except ValueError:
            raise RuntimeError(TOLD)  # noqa: B904 - the context, without a cause, is what is tested
    except RuntimeError as error:
        told = without_messages(error)

    assert TOLD not in told
    lines = [line for line in told.splitlines() if not line.startswith((" ", "Traceback"))]
    assert lines == [
        f"KeyError ({WITHHELD})",
        "",
        "The above exception was the direct cause of the following exception:",
        "",
        f"ValueError ({WITHHELD})",
        "",
        "During handling of the above exception, another exception occurred:",
        "",
        f"RuntimeError ({WITHHELD})",
    ]


def test_exceptions_that_led_to_each_other_are_told_once() -> None:
    one, other = raised(KeyError(TOLD)), raised(ValueError(TOLD))
    one.__context__, other.__context__ = other, one

    assert without_messages(one).count(WITHHELD) == 2


def test_the_members_of_a_group_are_told() -> None:
    told = without_messages(raised(ExceptionGroup(TOLD, [raised(KeyError(TOLD)), ExceptionGroup(TOLD, [OSError(TOLD)])])))

    assert TOLD not in told
    assert f"  | KeyError ({WITHHELD})" in told
    assert f"  |   | OSError ({WITHHELD})" in told


def test_an_invalid_input_is_told_with_what_is_wrong_but_without_the_customers_keys() -> None:
    with pytest.raises(ValidationError) as refused:
        ClassifyTicketRequest.model_validate_json(f'{{"tickets": [{{"text": "x", "{TOLD}": 1}}]}}')

    told = without_messages(refused.value)

    assert TOLD not in told
    assert "ValidationError [extra_forbidden, string_too_short] (" in told


def test_a_model_that_shows_its_inputs_is_told_without_them() -> None:
    class Shows(BaseModel):
        number: int

    with pytest.raises(ValidationError, match=TOLD) as refused:
        Shows.model_validate({"number": TOLD})

    assert TOLD not in without_messages(refused.value)


class Echo(http.server.BaseHTTPRequestHandler):
    """A runner at its worst: it fails, and its answer is what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # the api asks whether its runners are ready
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        sent = ascii(self.rfile.read(int(self.headers["content-length"]))).encode()
        self.send_response(int(self.server.status))  # type: ignore[attr-defined]
        self.send_header("content-length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def echo() -> Iterator[http.server.ThreadingHTTPServer]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def api(echo: http.server.ThreadingHTTPServer, model_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    depends = dict.fromkeys(("EmbeddingRunner", "ClassifierRunner"), f"http://127.0.0.1:{echo.server_port}")
    with running_server(model_store, tmp_path_factory.mktemp("api") / "log", depends) as server:
        yield server


@pytest.mark.parametrize("status", [400, 500, 503])
def test_an_answer_of_a_runner_that_repeats_a_ticket_stays_out_of_the_log(
    api: Server, echo: http.server.ThreadingHTTPServer, status: int
) -> None:
    echo.status = status  # type: ignore[attr-defined]
    before = api.log().count("Exception on /classify_ticket")

    assert api.classify(TOLD).status == status

    assert api.log().count("Exception on /classify_ticket") == before + 1
    assert TOLD not in api.log()


def test_what_goes_wrong_before_the_first_request_is_told_in_full(model_store: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = {"BENTOML_HOME": str(home_of_its_own(tmp_path / "home", model_store)), "LOG_LEVEL": "loud"}
    with log.open("w") as stream:
        process = start("SupportTicketIntelligence", free_port(), environment, stream)
    try:
        end = time.monotonic() + 120
        while "environment: LOG_LEVEL: no such level (found 'loud')" not in log.read_text():
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
    finally:
        process.terminate()
        process.wait(60)
