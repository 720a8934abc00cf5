"""Knows how runners are called: in calls of similar cost, and once more where a connection was closed under a call."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
from bentoml.exceptions import ServiceUnavailable

Answer = TypeVar("Answer")

logger = logging.getLogger("bentoml.support_ticket_intelligence")  # below "bentoml": that is where BentoML hangs its handlers

# About as many characters as the encoder reads of one text (256 tokens); what is beyond costs nothing.
CALL_CHARACTERS = 1024


def of_similar_cost(texts: list[str]) -> list[list[str]]:
    """The texts in their order, in calls of CALL_CHARACTERS or of one longer text.

    A batching runner predicts how long requests will take from how many there are, not from what is in them, and refuses what it
    thinks will be late. After a burst of requests of 16 long texts in one call (1.3 s each) it took all requests for such: of the
    next 600 ordinary ones (5 ms each) it refused 596. With calls of at most 80 ms it answers all again within two seconds.
    """
    calls: list[list[str]] = []
    characters = 0
    for text in texts:
        characters += len(text)
        if calls and characters <= CALL_CHARACTERS:
            calls[-1].append(text)
        else:
            calls.append([text])
            characters = len(text)
    return calls


async def once_more(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """The call's answer; a second try if its connection broke, ServiceUnavailable (503) if that breaks too or time runs out.

    Calls break when BentoML renews its session to a runner (service.py says when) and when a runner's pod goes. Runners keep no
    state, so asking twice is safe. A time-out is not asked twice: the runner has the work already.
    """
    try:
        return await in_time(call)
    except aiohttp.ClientConnectionError as broken:
        logger.info("a connection to a runner was closed (%s), asking once more", type(broken).__name__)
    try:
        return await in_time(call)
    except aiohttp.ClientConnectionError as broken:
        raise ServiceUnavailable(f"no connection to a runner ({type(broken).__name__})") from broken


async def in_time(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """The call's answer. ServiceUnavailable if it does not come in time: a runner that is late is no fault of the request."""
    try:
        return await call()
    except TimeoutError as late:  # aiohttp's time-outs are of this kind too, and some of them are connection errors besides
        raise ServiceUnavailable("a runner did not answer in time") from late
