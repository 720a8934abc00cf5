"""Knows how what customers wrote stays out of the logs: of an exception they tell the type and the place, never the message."""

from __future__ import annotations

import logging
import textwrap
import traceback
from collections.abc import Iterator
from typing import Any

from pydantic_core import ValidationError

WITHHELD = "message withheld: it may repeat what was sent"


def withhold_messages() -> None:
    """From now on no log record of this process tells the message of an exception. A second call changes nothing.

    For a service to call when it is ready for requests: what went wrong before that is told in full, and no customer is in it.

    BentoML logs each refused or failed request with its traceback, and messages quote values: pydantic's input_value, NumPy's
    "could not convert string to float: '...'", a runner's answer in the API's own exception. Which of them do depends on
    libraries, so none is told. Records are changed as they are made, not by a filter on BentoML's handlers: a logger, handler or
    formatter that somebody adds later gets them without messages too. Out of reach is str(error) inside a text of one's own.
    """
    make = logging.getLogRecordFactory()
    if isinstance(make, _Withholding):
        return
    logging.setLogRecordFactory(_Withholding(make))


class _Withholding:
    def __init__(self, make: Any) -> None:
        self._make = make

    def __call__(
        self, name: str, level: int, path: str, line: int, msg: object, args: Any, exc_info: Any, *more: Any, **named: Any
    ) -> logging.LogRecord:
        if isinstance(args, tuple):
            args = tuple(_named(arg) for arg in args)
        record = self._make(name, level, path, line, _without_state(name, _named(msg)), args, None, *more, **named)
        error = exc_info[1] if isinstance(exc_info, tuple) else None
        if error is not None:
            record.exc_text = without_messages(error)  # formatters take this for the text that they have made already
        return record


def _named(value: object) -> object:
    if isinstance(value, dict):  # logger.error("%(why)s", {"why": error})
        return {key: _named(member) for key, member in value.items()}
    return _kind(value) if isinstance(value, BaseException) else value


def _without_state(logger: str, msg: object) -> object:
    # "Task exception was never retrieved" goes on with a line for each of the task's attributes, its exception among them.
    return msg.partition("\n")[0] if logger == "asyncio" and isinstance(msg, str) else msg


def without_messages(error: BaseException) -> str:
    """The traceback of an exception and of those that led to it, as Python prints it, with types in place of messages."""
    return "".join(_told(error, seen=set())).rstrip("\n")


def _told(error: BaseException, seen: set[int]) -> Iterator[str]:
    seen.add(id(error))
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and id(before) not in seen:
        yield from _told(before, seen)
        how = "The above exception was the direct cause of" if error.__cause__ else "During handling of the above exception,"
        yield f"\n{how} {'the following exception' if error.__cause__ else 'another exception occurred'}:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    yield f"{_kind(error)} ({WITHHELD})\n"
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            if id(member) not in seen:
                yield textwrap.indent("".join(_told(member, seen)), "  | ")


def _kind(error: BaseException) -> str:
    """The exception's class; of an invalid input what is wrong with it too, in pydantic's fixed words."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, ValidationError):
        kind += f" [{', '.join(sorted({found['type'] for found in error.errors(include_input=False, include_context=False)}))}]"
    return kind
