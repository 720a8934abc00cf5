"""Small HTTP servers on loopback that answer as a test says, each with its own thread and a port of the system's choice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextmanager
def serving(handler: Handler) -> Iterator[str]:
    """The address of a server that gives every request to the handler."""
    ended = asyncio.Event()
    started = threading.Event()
    loops: list[asyncio.AbstractEventLoop] = []
    addresses: list[str] = []

    async def serve() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        addresses.append(f"http://{host}:{port}")
        loops.append(asyncio.get_running_loop())
        started.set()
        await ended.wait()
        await runner.cleanup()

    thread = threading.Thread(target=asyncio.run, args=[serve()])
    thread.start()
    try:
        assert started.wait(60)
        yield addresses[0]
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join(10)
