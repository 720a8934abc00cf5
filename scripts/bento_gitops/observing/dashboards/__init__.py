"""Grafana's dashboards of what runs in a cluster: what each panel asks Prometheus, and what it says of the answer. Pure.

One module each; what they share is in queries.py, panels.py and boards.py.
"""

from __future__ import annotations

from functools import cache

from bento_gitops.observing.dashboards.application import application
from bento_gitops.observing.dashboards.batching import batching
from bento_gitops.observing.dashboards.boards import PREFIX, text_of
from bento_gitops.observing.dashboards.comparison import comparison
from bento_gitops.observing.dashboards.cost import cost
from bento_gitops.observing.dashboards.model import model

_BOARDS = {"application": application, "batching": batching, "comparison": comparison, "model": model, "cost": cost}


def dashboard_texts() -> dict[str, str]:
    """Each dashboard's JSON, by the name of its file."""
    return {f"{PREFIX}{name}.json": _text(name) for name in _BOARDS}


@cache
def _text(name: str) -> str:
    return text_of(_BOARDS[name]())
