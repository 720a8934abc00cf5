"""What a live shift leaves on a route and on its Argo CD Application: who holds it, why, until when, and with which weights.

Whoever may patch these objects can write the same. So it is read by its exact form, and is what the annotation says, not what is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from bento_gitops.checking.objects import Map, as_map, as_text, get
from bento_gitops.model.base import moment

LIVE = "bento-gitops/live"
"""The annotation. Argo CD's ApplicationSet leaves it alone, and so does a sync: no render has it."""
LONGEST = 8_000
"""Characters of an annotation: a longer one is none of ours."""
_TIME = re.compile(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)
_TRACK = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What no command lets people type: it ends the line, steers a terminal or turns the direction of writing."""
_AUTOMATED = ("enabled", "prune", "selfHeal")
"""Of `syncPolicy.automated` what is remembered and given back. Not `allowEmpty`: a mistake in Git would take everything away."""


@dataclass(frozen=True, slots=True)
class Held:
    """A live shift, as its annotation says it."""

    by: str
    reason: str
    at: str
    until: str
    weights: Mapping[str, int]
    automated: Map | None = None
    """On an Application: its `syncPolicy.automated` before, as `remembered`; None: it had none."""
    readable: bool = True
    """False: no live shift wrote the annotation so, and nothing in it counts but that it is there."""

    def on_route(self) -> str:
        """The annotation of a route."""
        return json.dumps(self._said(), ensure_ascii=False, separators=(",", ":"))

    def on_application(self) -> str:
        """The annotation of an Application, which also remembers how it was synced."""
        return json.dumps({**self._said(), "automated": self.automated}, ensure_ascii=False, separators=(",", ":"))

    def past(self, now: datetime) -> bool:
        """Whether it should have ended."""
        return self.readable and moment(self.until) < now

    def _said(self) -> dict[str, object]:
        weights = dict(self.weights)
        return {"by": self.by, "reason": self.reason, "until": self.until, "weights": weights, "at": self.at}


def held_in(one: Map) -> Held | None:
    """The live shift that holds an object; None: none does. Whatever the annotation says, it is no error."""
    annotations = as_map(get(one, "metadata", "annotations"))
    if LIVE not in annotations:
        return None
    return _read(as_text(annotations[LIVE])) or Held("somebody", "(the annotation cannot be read)", "", "", {}, readable=False)


def remembered(automated: Map) -> Map:
    """What of `syncPolicy.automated` comes back after a live shift."""
    return {key: automated[key] for key in _AUTOMATED if isinstance(automated.get(key), bool)}


def _read(annotation: str) -> Held | None:
    """None where it is not as a live shift writes it."""
    if len(annotation) > LONGEST:
        return None
    try:
        said = json.loads(annotation)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict):
        return None
    found = cast("Map", said)
    by, reason, at, until = (as_text(found.get(key)) for key in ("by", "reason", "at", "until"))
    weights, automated = as_map(found.get("weights")), found.get("automated")
    if not all(text.strip() and not _UNFIT.search(text) for text in (by, reason)) or not all(map(_is_time, (at, until))):
        return None
    whole = {track: weight for track, weight in weights.items() if isinstance(weight, int) and not isinstance(weight, bool)}
    if whole != weights or not all(_TRACK.fullmatch(track) and 0 <= weight <= 100 for track, weight in whole.items()):
        return None
    if sum(whole.values()) != 100:
        return None
    if automated is not None and (not isinstance(automated, dict) or remembered(automated) != automated):
        return None
    return Held(by, reason, at, until, whole, automated)


def _is_time(text: str) -> bool:
    """Whether it is a time as commands write it, of this millennium: others are beyond what can be reckoned with."""
    if not _TIME.fullmatch(text):
        return False
    try:
        moment(text)
    except (ValueError, OverflowError):
        return False
    return True
