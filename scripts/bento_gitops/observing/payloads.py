"""Requests that a load is made of: JSON lines of a path and a body, as those of a replay, and how many items each body has."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

from pydantic import JsonValue

from bento_gitops.model.problem import InvalidInput, Place, Problem, did_you_mean

MOST = 10_000
_TOLD = 3
"""Lines that are wrong in the same way, before the others are only counted."""
_KEYS = ("method", "path", "body", "items")


@dataclass(frozen=True, slots=True)
class Payload:
    """One request."""

    path: str
    body: JsonValue
    items: int | None
    """How many things it asks about; None where that cannot be seen."""
    line: int


def payloads(text: str, file: str, routes: Collection[str]) -> list[Payload]:
    """The requests in a file; each goes to one of the routes.

    Raises InvalidInput with what is wrong with any line.
    """
    found: list[Payload] = []
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        read = _read(line, Place(file, number), routes)
        if isinstance(read, Problem):
            problems.append(read)
        else:
            found.append(read)
    if not found and not problems:
        todo = 'write a line for each, like {"path": "/encode", "body": {"texts": ["it crashed"]}}'
        problems.append(Problem(Place(file), "", "has no requests", "", todo))
    problems = few(problems)
    if len(found) > MOST:
        problems.append(Problem(Place(file), "", "has too many requests", str(len(found)), f"keep {MOST}; a load goes round"))
    if problems:
        raise InvalidInput(problems)
    return found


def few(problems: Sequence[Problem]) -> list[Problem]:
    """The first problems of each kind, and how many more there are: a whole file may be wrong in the same way."""
    kinds: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((problem.place.file, problem.pointer, re.split("[:,]", problem.wrong)[0]), []).append(problem)
    told: list[Problem] = []
    for (file, pointer, wrong), alike in kinds.items():
        ordered = sorted(alike)
        more = len(ordered) - _TOLD - 1
        told += ordered[:_TOLD] if more > 0 else ordered
        if more > 0:
            told.append(Problem(Place(file, ordered[_TOLD].place.line), pointer, f"{wrong}, here and on {more} more lines"))
    return told


def _read(line: str, place: Place, routes: Collection[str]) -> Payload | Problem:
    try:
        read: JsonValue = json.loads(line)
    except ValueError as error:
        return Problem(place, "", f"not JSON: {error}", "", "write one object a line")
    if not isinstance(read, dict):
        return Problem(place, "", "no object", line.strip()[:40], 'write {"path": ..., "body": ...}')
    for key in read.keys() - set(_KEYS):
        return Problem(place, key, "no such key", f"'{key}'", did_you_mean(key, _KEYS))
    if read.get("method", "POST") != "POST":
        return Problem(place, "method", "APIs are asked with POST", json.dumps(read["method"]), "leave it out")
    if "body" not in read:
        return Problem(place, "body", "is missing", "", "add what is sent as JSON")
    path, items = read.get("path"), read.get("items", _items(read["body"]))
    if not isinstance(path, str) or path not in routes:
        return Problem(place, "path", "is no route of what is asked", json.dumps(path), did_you_mean(str(path), routes))
    if items is not None and (not isinstance(items, int) or isinstance(items, bool) or items < 1):
        return Problem(place, "items", "is no number of items", json.dumps(items), "write a whole number, or leave it out")
    return Payload(path, read["body"], items, place.line)


def _items(body: JsonValue) -> int | None:
    """The length of the one list in a body: what a batching API counts."""
    if isinstance(body, list):
        return len(cast("list[JsonValue]", body)) or None
    lists = [value for value in body.values() if isinstance(value, list)] if isinstance(body, dict) else []
    return len(lists[0]) or None if len(lists) == 1 else None
