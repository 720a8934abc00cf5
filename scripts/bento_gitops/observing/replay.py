"""The same recorded requests answered by two tracks: where the answers differ, and whether one is slower."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from pydantic import JsonValue

from bento_gitops.model.problem import InvalidInput, Place, Problem, did_you_mean
from bento_gitops.observing.answers import Answered
from bento_gitops.observing.expectations import NOWHERE, alike, document_of, shown
from bento_gitops.observing.payloads import few
from bento_gitops.observing.statistics import Interval, difference_of_quantiles

FEWEST = 20
"""Good answers of each track below which an interval says less than it seems to."""
FEWEST_FOR_P95 = 60
_KEYS = ("method", "path", "body")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_SEED = 1
"""The same requests and times give the same report."""
_NARROW = 0.1
"""Of stable's own time: an interval around nothing is narrow enough to say 'the same' when it reaches no further."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded request."""

    line: int
    method: str
    path: str
    body: JsonValue


def recorded(data: bytes, file: str) -> list[Recorded]:
    """The requests of a file of JSON lines; empty lines count for nothing.

    Raises InvalidInput with every line that is wrong, and for a file without requests.
    """
    found: list[Recorded] = []
    problems: list[Problem] = []
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        one = _recorded(line, number, Place(file, number))
        if isinstance(one, Problem):
            problems.append(one)
        else:
            found.append(one)
    if not found and not problems:
        problems.append(Problem(Place(file), "", "has no requests", "", f"write one JSON object a line: {_LIKE}"))
    if problems:
        raise InvalidInput(few(problems))
    return found


_LIKE = '{"method": "POST", "path": "/classify_ticket", "body": {...}}'


def _recorded(line: bytes, number: int, place: Place) -> Recorded | Problem:
    try:
        value: Any = json.loads(line)
    except ValueError as error:
        return Problem(place, "", f"is no JSON: {error}", "", f"write one JSON object a line: {_LIKE}")
    if not isinstance(value, dict):
        return Problem(place, "", "is no JSON object", shown(value), f"write one a line: {_LIKE}")
    said = cast(dict[str, JsonValue], value)
    unknown = [key for key in said if key not in _KEYS]
    if unknown:
        return Problem(place, unknown[0], "no such key", f"'{unknown[0]}'", did_you_mean(unknown[0], _KEYS))
    method, path = said.get("method"), said.get("path")
    if not isinstance(method, str) or method not in _METHODS:
        return Problem(place, "method", "is not one of what is allowed", shown(method), f"use {', '.join(_METHODS)}")
    if not isinstance(path, str) or not re.fullmatch(r"/[^\s#]*", path):
        return Problem(place, "path", "is no path", shown(path), "write one like /classify_ticket")
    return Recorded(number, method, path, said.get("body"))


@dataclass(frozen=True, slots=True)
class Pair:
    """What became of one request on both tracks."""

    request: Recorded
    own: Answered
    stable: Answered


@dataclass
class Side:
    """What one track did with all requests."""

    requests: int = 0
    failed: int = 0
    """5xx, 429, no answer."""
    seconds: list[float] = field(default_factory=list[float])
    """Of the good ones."""
    statuses: Counter[str] = field(default_factory=Counter[str])
    """How many answers had which status; of those that did not come, why."""

    def add(self, answered: Answered) -> None:
        self.requests += 1
        self.failed += answered.failed
        self.statuses[_status(answered)] += 1
        if answered.good:
            self.seconds.append(answered.seconds)


@dataclass
class Comparison:
    """What all pairs so far came to; it keeps no answers."""

    tolerance: float = 0.0
    ignored: Sequence[str] = ()
    """Pointers that do not count; * stands for one key or index."""
    own: Side = field(default_factory=Side)
    stable: Side = field(default_factory=Side)
    same_status: int = 0
    same: int = 0
    """Pairs with the same status and the same answer."""
    worse: int = 0
    """Pairs where the track failed and stable did not."""
    differing: Counter[str] = field(default_factory=Counter[str])
    """By place in the answer, the pairs that differ there."""
    examples: dict[str, str] = field(default_factory=dict[str, str])
    """By such a place, the first pair that differs there, for people."""

    @property
    def pairs(self) -> int:
        return self.own.requests

    def add(self, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            self.own.add(pair.own)
            self.stable.add(pair.stable)
            self.worse += pair.own.failed and not pair.stable.failed
            if pair.own.status == pair.stable.status and pair.own.status:
                self.same_status += 1
                found = self._differing(pair)
            else:
                found = {f"status {_status(pair.own)}, stable {_status(pair.stable)}": ""}
            self.same += not found
            self.differing.update(found.keys())
            for place, said in found.items():
                self.examples.setdefault(place, f"line {pair.request.line}{': ' if said else ''}{said}")

    def _differing(self, pair: Pair) -> dict[str, str]:
        """By place, what the two say there."""
        one, other = document_of(pair.own), document_of(pair.stable)
        if one is NOWHERE or other is NOWHERE:
            return {} if pair.own.body == pair.stable.body else {"an answer that is no JSON": ""}
        found: dict[str, str] = {}
        for difference in differences(cast(JsonValue, one), cast(JsonValue, other), self.tolerance):
            if not any(_covers(pattern, difference.place) for pattern in self.ignored):
                found.setdefault(difference.place, difference.says)
        return found


def _status(answered: Answered) -> str:
    return str(answered.status) if answered.status else f"none ({answered.trouble})"


@dataclass(frozen=True, slots=True)
class Difference:
    """A place where two answers differ."""

    place: str
    """A JSON pointer with * for the places in lists."""
    says: str
    """What each has there; in a list, at which place of it."""


def differences(one: JsonValue, other: JsonValue, tolerance: float, at: str = "", exactly: str = "") -> Iterator[Difference]:
    """Where two answers differ; `at` and `exactly`: where they lie themselves, with * for places in lists and without."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            step = f"/{key.replace('~', '~0').replace('/', '~1')}"
            if key in one and key in other:
                yield from differences(one[key], other[key], tolerance, at + step, exactly + step)
            else:
                said = f"{shown(one[key])}, and stable has none" if key in one else f"none, stable {shown(other[key])}"
                yield _difference(at + step, exactly + step, said)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from differences(mine, theirs, tolerance, f"{at}/*", f"{exactly}/{index}")
    elif not alike(one, other, tolerance):
        yield _difference(at or "the whole answer", exactly, f"{shown(one)}, stable {shown(other)}")


def _difference(place: str, exactly: str, said: str) -> Difference:
    return Difference(place, f"{exactly}: {said}" if "*" in place else said)


def _covers(pattern: str, place: str) -> bool:
    """Whether the place is the one that the pattern names, or below it."""
    wanted, found = pattern.split("/"), place.split("/")
    return len(wanted) <= len(found) and all(one in ("*", other) for one, other in zip(wanted, found, strict=False))


@dataclass(frozen=True, slots=True)
class Latency:
    """One quantile of both tracks."""

    name: str
    own: float
    stable: float
    difference: Interval | None
    """None: there are too few answers for one."""
    says: str
    certain: bool
    """Whether the numbers can tell a difference, or that there is none."""


def latencies(compared: Comparison) -> list[Latency]:
    """Median and 95th percentile of good answers, with what can be said of their difference."""
    found: list[Latency] = []
    own, stable = compared.own.seconds, compared.stable.seconds
    for name, share, fewest in (("p50", 0.5, FEWEST), ("p95", 0.95, FEWEST_FOR_P95)):
        if min(len(own), len(stable)) < 2:
            continue
        here, there = _quantile(own, share), _quantile(stable, share)
        if min(len(own), len(stable)) < fewest:
            says = f"too few good answers to say ({len(own)} and {len(stable)}; it takes {fewest} of each)"
            found.append(Latency(name, here, there, None, says, False))
            continue
        interval = difference_of_quantiles(own, stable, share, seed=_SEED)
        says, certain = _says(interval, there)
        found.append(Latency(name, here, there, interval, says, certain))
    return found


def _says(difference: Interval, stable: float) -> tuple[str, bool]:
    span = f"{_ms(difference.low)} to {_ms(difference.high)}"
    if difference.low > 0:
        return f"slower by {_ms(difference.low)} at least ({span})", True
    if difference.high < 0:
        return f"faster by {_ms(-difference.high)} at least ({span})", True
    if max(-difference.low, difference.high) <= _NARROW * stable:
        return f"the same, within {_ms(max(-difference.low, difference.high))} ({span})", True
    return f"cannot be said: anything from {span} fits; send more requests", False


def _quantile(values: Sequence[float], share: float) -> float:
    """As numpy has it: linear between the two nearest."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:+.0f} ms" if seconds < 0 else f"{seconds * 1000:.0f} ms"
