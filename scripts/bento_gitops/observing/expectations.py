"""Whether an answer is what somebody expects of it, and whether two answers are the same where they should be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import cast

from pydantic import JsonValue

from bento_gitops.model.verification import Expected, Same, Wanted
from bento_gitops.observing.answers import Answered

_LONGEST = 80
_ROUNDING = 1e-9
"""0.3 is 0.1 + 0.2."""


class _Nowhere:
    """Stands where a pointer leads to nothing."""


NOWHERE = _Nowhere()


def misses(expected: Expected, answered: Answered) -> list[str]:
    """What of the answer is not as expected, the time aside; nothing where all of it is."""
    if answered.trouble:
        return [answered.trouble]
    if answered.status != expected.status:
        return [f"answered {answered.status}, not {expected.status}{_said(answered)}"]
    if not expected.json:
        return []
    document = document_of(answered)
    if isinstance(document, _Nowhere):
        return [f"the answer is no JSON{_said(answered)}"]
    return [miss for pointer, wanted in expected.json.items() for miss in _missed(pointer, wanted, at(document, pointer))]


def _said(answered: Answered) -> str:
    text = (answered.body or b"").decode(errors="replace").strip()
    return f": {_shortened(text)}" if text else ""


def _missed(pointer: str, wanted: Wanted, found: JsonValue | _Nowhere) -> list[str]:
    if isinstance(found, _Nowhere):
        return [f"{pointer}: is not there"]
    misses: list[str] = []
    said = wanted.model_fields_set
    if "equals" in said and not equal(found, wanted.equals):
        misses.append(f"is {shown(found)}, not {shown(wanted.equals)}")
    if wanted.min is not None or wanted.max is not None:
        number = number_of(found)
        if number is None:
            misses.append(f"is no number: {shown(found)}")
        elif wanted.min is not None and not number >= wanted.min:
            misses.append(f"is {shown(found)}, below {wanted.min:g}")
        elif wanted.max is not None and not number <= wanted.max:
            misses.append(f"is {shown(found)}, above {wanted.max:g}")
    if wanted.length is not None:
        if not isinstance(found, str | list | dict):
            misses.append(f"has no length: {shown(found)}")
        elif len(found) != wanted.length:
            misses.append(f"has length {len(found)}, not {wanted.length}")
    if wanted.matches is not None:
        if not isinstance(found, str):
            misses.append(f"is no text: {shown(found)}")
        elif not re.search(wanted.matches, found):
            misses.append(f"is {shown(found)}, which does not match {wanted.matches}")
    return [f"{pointer or 'the answer'}: {miss}" for miss in misses]


def differences(compare: Mapping[str, Same], own: Answered, stable: Answered) -> list[str]:
    """How an answer differs from the stable track's, at each pointer; nothing where it does not."""
    troubles = [f"{name} gave no answer: {one.trouble}" for name, one in (("it", own), ("stable", stable)) if one.trouble]
    if troubles:
        return troubles
    if own.status != stable.status:
        return [f"answered {own.status}, and stable {stable.status}"]
    one, other = document_of(own), document_of(stable)
    if isinstance(one, _Nowhere) or isinstance(other, _Nowhere):
        return ["an answer is no JSON"] if compare else []
    found: list[str] = []
    for pointer, same in compare.items():
        here, there = at(one, pointer), at(other, pointer)
        if isinstance(here, _Nowhere) or isinstance(there, _Nowhere):
            if isinstance(here, _Nowhere):
                found.append(f"{pointer}: is not there" + (", nor in stable's" if isinstance(there, _Nowhere) else ""))
            else:
                found.append(f"{pointer}: is not in stable's")
        elif not alike(here, there, same.tolerance or 0.0):
            by = "" if same.tolerance is None else f" (more than {same.tolerance:g} apart)"
            found.append(f"{pointer}: is {shown(here)}, stable's {shown(there)}{by}")
    return found


def document_of(answered: Answered) -> JsonValue | _Nowhere:
    """The answer as JSON."""
    try:
        return cast(JsonValue, json.loads(answered.body or b""))
    except ValueError:
        return NOWHERE


def at(document: JsonValue, pointer: str) -> JsonValue | _Nowhere:
    """What a JSON pointer leads to."""
    here = document
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and key in here:
            here = here[key]
        elif isinstance(here, list) and re.fullmatch(r"0|[1-9][0-9]*", key) and int(key) < len(here):
            here = here[int(key)]
        else:
            return NOWHERE
    return here


def number_of(value: JsonValue) -> float | None:
    """The number that it is; true and false are none."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def equal(one: JsonValue, other: JsonValue) -> bool:
    """Whether two JSON values are the same; Python takes true for 1."""
    return alike(one, other, 0.0)


def alike(one: JsonValue, other: JsonValue, tolerance: float) -> bool:
    """Whether two JSON values are the same, and each number in them no further from its counterpart than the tolerance."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key], tolerance) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(alike(a, b, tolerance) for a, b in zip(one, other, strict=True))
    first, second = number_of(one), number_of(other)
    if first is not None and second is not None:
        return first == second or abs(first - second) <= tolerance + _ROUNDING * tolerance
    return type(one) is type(other) and one == other


def shown(value: JsonValue) -> str:
    """A value for people, cut where it is long."""
    return _shortened(json.dumps(value, ensure_ascii=False))


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
