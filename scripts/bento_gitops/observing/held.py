"""What a live shift leaves on a route and on its Argo CD Application: who holds it, why, until when, and with which weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from bento_gitops.checking.objects import Map, as_map, as_text, get
from bento_gitops.model.base import moment

LIVE = "bento-gitops/live"
"""The annotation. Argo CD's ApplicationSet leaves it alone, and so does a sync: no render has it."""


@dataclass(frozen=True, slots=True)
class Held:
    """A live shift, as its annotation says it."""

    by: str
    reason: str
    at: str
    until: str
    weights: Mapping[str, int]
    automated: Map | None = None
    """On an Application: its `syncPolicy.automated` before; None: it had none."""
    readable: bool = True
    """False: somebody wrote the annotation by hand, and nothing in it counts but that it is there."""

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
    """The live shift that holds an object; None: none does."""
    annotations = as_map(get(one, "metadata", "annotations"))
    if LIVE not in annotations:
        return None
    unreadable = Held("somebody", "(the annotation cannot be read)", "", "", {}, readable=False)
    try:
        said = json.loads(as_text(annotations[LIVE]))
    except ValueError:
        return unreadable
    if not isinstance(said, dict):
        return unreadable
    found = cast("Map", said)
    texts = {key: found.get(key) for key in ("by", "reason", "at", "until")}
    weights = found.get("weights")
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(weights, dict):
        return unreadable
    if not all(isinstance(weight, int) for weight in weights.values()):
        return unreadable
    by, reason, at, until = (as_text(text) for text in texts.values())
    try:
        moment(until)
    except ValueError:
        return unreadable
    automated = found.get("automated")
    whole = {track: weight for track, weight in weights.items() if isinstance(weight, int)}
    return Held(by, reason, at, until, whole, automated if isinstance(automated, dict) else None)
