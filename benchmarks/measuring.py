"""How long a command takes, and how much memory, as the system accounts for it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in what the system calls one of `ru_maxrss`."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one command, or several, took."""

    seconds: float
    """By the clock on the wall."""
    cpu: float
    """Seconds of all processors, of the command and of every process that it started."""
    peak: int
    """Bytes of memory of the largest single process among them."""


class WrongExit(Exception):
    """A command that was to be measured did something else than it should."""


def once(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """One run, its output thrown away.

    Raises WrongExit unless the command ends with 0: what fails early is not fast.
    """
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read()[-2000:].decode(errors="replace")
            raise WrongExit(f"{' '.join(command)} ended with {process.returncode}: {said}")
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _UNIT)


def median(command: Sequence[str], times: int) -> Cost:
    """Several runs one after the other: the medians of their times, the largest of their peaks."""
    runs = [once(command) for _ in range(times)]
    return Cost(
        statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu for run in runs),
        max(run.peak for run in runs),
    )


def several(commands: Sequence[Sequence[str]], at_a_time: int) -> Cost:
    """All of the commands, so many at a time."""
    start = time.perf_counter()
    with ThreadPoolExecutor(at_a_time) as pool:
        runs = list(pool.map(once, commands))
    return Cost(time.perf_counter() - start, sum(run.cpu for run in runs), max(run.peak for run in runs))


@dataclass(frozen=True, slots=True)
class Line:
    """seconds = start + each * number, as the least squares of what was measured say."""

    start: float
    each: float
    deviation: float
    """The largest distance of a measured time from the line, as a part of that time."""


def fitted(points: Sequence[tuple[int, float]]) -> Line:
    """The line through measured times (number, seconds)."""
    each, start = statistics.linear_regression([number for number, _ in points], [seconds for _, seconds in points])
    return Line(start, each, max(abs(start + each * number - seconds) / seconds for number, seconds in points))
