"""Knows how a call to a runner survives a connection that was closed under it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
from bentoml.exceptions import ServiceUnavailable

Answer = TypeVar("Answer")

logger = logging.getLogger("bentoml.support_ticket_intelligence")  # below "bentoml": that is where BentoML hangs its handlers


async def once_more(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """The call's answer; a second try if its connection broke, ServiceUnavailable (503) if that breaks too.

    BentoML renews its session to a runner after 100 requests or 300 s and closes the old one with calls on it: at 8 requests in
    parallel, 5 % of them fail. Keeping the session for ever would cure that, but then connections stay on old pods while
    runners scale. Runners keep no state, so asking twice is safe. A time-out is not asked twice: the runner has the work already.
    """
    try:
        return await call()
    except aiohttp.ServerTimeoutError:
        raise
    except aiohttp.ClientConnectionError as broken:
        logger.info("a connection to a runner was closed (%s), asking once more", type(broken).__name__)
    try:
        return await call()
    except aiohttp.ServerTimeoutError:
        raise
    except aiohttp.ClientConnectionError as broken:
        raise ServiceUnavailable(f"no connection to a runner ({type(broken).__name__})") from broken
