"""How a command that started processes ends: a request to end is what Ctrl-C is, so that whoever started them ends them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def ended_by_signals() -> Generator[None]:
    """Makes a request to end (a closed terminal, a cancelled job) what Ctrl-C is: else the processes would outlive it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
