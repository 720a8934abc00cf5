"""HTTP: the only code that sends requests, one by one or as a load, always bounded in number, time and size.

That a server gives no answer is an answer too (status 0 and why): what asks is there to find that out.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING

from bento_gitops.observing.answers import Answered, Asked

if TYPE_CHECKING:
    from aiohttp import ClientSession

LIMIT = 30.0
"""Seconds for a whole answer."""
LARGEST = 16 * 1024 * 1024
"""Bytes of an answer that are read."""
MOST_CLIENTS = 1024
MOST_SECONDS = 30 * 60.0
MOST_WAITING = 512
"""Requests of a load at a rate that are on their way at once; the next waits, and its wait counts as its own."""


def ask(asked: Sequence[Asked], *, at_once: int = 8, limit: float = LIMIT) -> list[Answered]:
    """The answer to each request, in the order of the requests.

    Each takes a connection of its own: one that the server just closed would look like a server that does not answer.
    """
    if not asked:
        return []
    return asyncio.run(_ask(asked, at_once, limit))


def load(
    asked: Sequence[Asked],
    *,
    seconds: float | None = None,
    clients: int | None = None,
    rate: float | None = None,
    limit: float = LIMIT,
    keep_bodies: bool = False,
) -> list[Answered]:
    """Sends requests and gives what came of each, in the order in which the answers ended.

    With `clients` each client sends its next request when it has the answer to the last (a closed loop); with `rate` so many are
    due in a second, however long answers take (an open loop). For `seconds` the requests go round and round; without it each is
    sent once. What is on its way at the end is awaited, for `limit` at most.

    Raises ValueError for a load without bounds.
    """
    if not asked:
        raise ValueError("a load needs requests")
    if (clients is None) == (rate is None):
        raise ValueError("a load has either clients or a rate")
    if seconds is not None and not 0 < seconds <= MOST_SECONDS:
        raise ValueError(f"a load takes at most {MOST_SECONDS:.0f} s")
    if clients is not None and not 0 < clients <= MOST_CLIENTS:
        raise ValueError(f"a load has 1 to {MOST_CLIENTS} clients")
    if rate is not None and rate <= 0:
        raise ValueError("a rate is more than nothing")
    turns = count() if seconds is not None else iter(range(len(asked)))
    return asyncio.run(_load(asked, turns, seconds, clients, rate, limit, keep_bodies))


async def _ask(asked: Sequence[Asked], at_once: int, limit: float) -> list[Answered]:
    begin = time.monotonic()
    room = asyncio.Semaphore(at_once)

    async def answer(session: ClientSession, which: int) -> Answered:
        async with room:
            return await _answer(session, asked[which], which, time.monotonic(), begin, keep_body=True)

    async with _session(limit, fresh=True) as session:
        return await asyncio.gather(*(answer(session, which) for which in range(len(asked))))


async def _load(
    asked: Sequence[Asked],
    turns: Iterator[int],
    seconds: float | None,
    clients: int | None,
    rate: float | None,
    limit: float,
    keep_bodies: bool,
) -> list[Answered]:
    found: list[Answered] = []
    async with _session(limit, fresh=False) as session:
        begin = time.monotonic()
        end = begin + (MOST_SECONDS if seconds is None else seconds)

        async def send(turn: int, due: float) -> None:
            which = turn % len(asked)
            found.append(await _answer(session, asked[which], which, due, begin, keep_body=keep_bodies))

        async def closed() -> None:
            while time.monotonic() < end and (turn := next(turns, None)) is not None:
                await send(turn, time.monotonic())

        if clients is not None:
            await asyncio.gather(*(closed() for _ in range(clients)))
        if rate is not None:
            room = asyncio.Semaphore(MOST_WAITING)
            async with asyncio.TaskGroup() as group:
                for number, turn in enumerate(turns):
                    due = begin + number / rate
                    if due >= end:
                        break
                    await asyncio.sleep(due - time.monotonic())
                    await room.acquire()
                    if time.monotonic() >= end + limit:
                        trouble = f"not sent: {MOST_WAITING} others still had no answer"
                        found.append(Answered(turn % len(asked), 0, time.monotonic() - due, due - begin, trouble=trouble))
                        room.release()
                    else:
                        group.create_task(send(turn, due)).add_done_callback(lambda _: room.release())
    return found


def _session(limit: float, *, fresh: bool) -> ClientSession:
    from aiohttp import ClientSession, ClientTimeout, TCPConnector

    # Servers close a connection that is idle for 5 s; one that is taken up again just then would look like a failure of theirs.
    connector = TCPConnector(limit=0, force_close=True) if fresh else TCPConnector(limit=0, keepalive_timeout=2)
    return ClientSession(connector=connector, timeout=ClientTimeout(total=limit))


async def _answer(session: ClientSession, asked: Asked, which: int, due: float, begin: float, *, keep_body: bool) -> Answered:
    from aiohttp import ClientConnectorError, ClientError

    status, body, trouble, headers = 0, None, "", dict[str, str]()
    try:
        # What is asked about is the answer of this address, so nobody is followed elsewhere.
        async with session.request(
            asked.method, asked.url, data=asked.body, headers=asked.headers, allow_redirects=False
        ) as response:
            parts: list[bytes] = []
            read = 0
            async for part in response.content.iter_any():
                read += len(part)
                if read > LARGEST:
                    raise ValueError(f"its answer is larger than {LARGEST // 1024 // 1024} MiB")
                if keep_body:
                    parts.append(part)
            status = response.status
            if keep_body:
                body, headers = b"".join(parts), {name.lower(): value for name, value in response.headers.items()}
    except TimeoutError:
        trouble = f"no answer in {session.timeout.total:g} s"
    except ClientConnectorError as error:
        reason = os.strerror(error.os_error.errno) if error.os_error.errno else str(error.os_error)
        trouble = f"no connection to {error.host}:{error.port}: {reason}"
    except (ClientError, OSError, ValueError) as error:
        trouble = str(error) or type(error).__name__
    return Answered(which, status, time.monotonic() - due, due - begin, body, trouble, headers)
