"""Prometheus: the only code that asks it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast
from urllib.parse import urlencode

from bento_gitops.model.problem import ToolFailed
from bento_gitops.observing.answers import Answered, Asked
from bento_gitops.observing.measuring import Sample
from bento_gitops.tools.http import ask

TOKEN = "PROMETHEUS_TOKEN"
"""The variable with a bearer token, where Prometheus wants one."""
_LIMIT = 20.0


def asked(address: str, queries: Mapping[str, str], at: datetime, token: str | None = None) -> dict[str, list[Sample]]:
    """The answers to instant queries, by the queries' names.

    Raises ToolFailed, which names all queries that have no answer.
    """
    token = os.environ.get(TOKEN) if token is None else token
    headers = (("Content-Type", "application/x-www-form-urlencoded"), *((("Authorization", f"Bearer {token}"),) if token else ()))
    url = f"{address.rstrip('/')}/api/v1/query"
    names = list(queries)
    requests = [
        Asked("POST", url, urlencode({"query": queries[name], "time": at.timestamp(), "timeout": "15s"}).encode(), headers)
        for name in names
    ]
    found: dict[str, list[Sample]] = {}
    troubles: list[str] = []
    for name, answered in zip(names, ask(requests, limit=_LIMIT), strict=True):
        try:
            found[name] = _samples(answered)
        except ValueError as error:
            troubles.append(f"{name}: {error}")
    if troubles:
        told = "; ".join(
            sorted({trouble.partition(": ")[2] for trouble in troubles}) if len(troubles) == len(names) else troubles
        )
        raise ToolFailed(f"Prometheus at {address} does not answer: {told}")
    return found


def _samples(answered: Answered) -> list[Sample]:
    """The series of a vector, or a scalar as one series without labels. Raises ValueError with what is wrong."""
    if answered.trouble:
        raise ValueError(answered.trouble)
    try:
        answer = json.loads(answered.body or b"")
        status = answer["status"]
    except (ValueError, TypeError, KeyError):
        raise ValueError(f"HTTP {answered.status}, and no answer of Prometheus's; is this its address?") from None
    if status != "success":
        raise ValueError(str(answer.get("error", f"HTTP {answered.status}")))
    if answer.get("warnings"):
        # A part of the stores did not answer: what is missing may be what matters.
        raise ValueError(f"the answer is not whole: {'; '.join(map(str, answer['warnings']))}")
    try:
        kind, result = answer["data"]["resultType"], answer["data"]["result"]
        if kind == "scalar":
            return [Sample({}, float(result[1]))]
        if kind == "vector":
            return [Sample(dict(one["metric"]), float(one["value"][1])) for one in cast("list[dict[str, Any]]", result)]
    except (LookupError, TypeError, ValueError):
        raise ValueError("the answer has no numbers of one moment") from None
    raise ValueError(f"the answer is a {kind}, not numbers of one moment")
