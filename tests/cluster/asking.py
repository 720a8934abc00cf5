"""Clients that ask all the time, and what each request came to."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

CLIENTS = 6
"""Each asks at most once a second, so that a small cluster has something to do and is not busy with it."""
TEXTS = (
    "I was charged twice for last month's invoice",
    "The dashboard crashes after the last update",
    "How do I export a report as a file?",
    "Please add dark mode to the mobile app",
    "My colleague cannot log in since this morning",
)


@dataclass(frozen=True)
class Asked:
    """One request, in seconds of the clock, and its answer."""

    began: float
    ended: float
    status: int
    """0: no answer."""
    track: str
    """As the answer's header names it; so the bundle."""
    bundle: str
    model: str
    """The model that the body says it is of."""
    wrong: str
    """What there was instead of an answer."""

    @property
    def seconds(self) -> float:
        return self.ended - self.began

    @property
    def good(self) -> bool:
        return self.status == 200


class Clients:
    """Some clients of one host name, each with a connection of its own for every request."""

    def __init__(self, url: str, hostname: str) -> None:
        self._url, self._hostname = urlsplit(url), hostname
        self._asked: list[Asked] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask_on, args=(number,), daemon=True) for number in range(CLIENTS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._end.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def since(self, moment: float, until: float = float("inf")) -> list[Asked]:
        """The requests that began in this time and have ended."""
        return [asked for asked in list(self._asked) if moment <= asked.began < until]

    def ask(self, text: str) -> Asked:
        """One request."""
        assert self._url.hostname
        began = time.time()
        connection = http.client.HTTPConnection(self._url.hostname, self._url.port or 80, timeout=30)
        try:
            sent = {"Host": self._hostname, "Content-Type": "application/json"}
            connection.request("POST", "/classify_ticket", json.dumps({"tickets": [{"text": text}]}), sent)
            response = connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as error:
            return Asked(began, time.time(), 0, "", "", "", repr(error))
        finally:
            connection.close()
        good = response.status == 200
        track, bundle = (response.getheader(f"x-bento-{name}") or "" for name in ("track", "bundle"))
        model = str(json.loads(data)["model_version"]) if good else ""
        wrong = "" if good else data.decode(errors="replace")[:500]
        return Asked(began, time.time(), response.status, track, bundle, model, wrong)

    def _ask_on(self, number: int) -> None:
        following = time.time() + number / CLIENTS
        while not self._end.wait(max(0.0, following - time.time())):
            self._asked.append(self.ask(TEXTS[number % len(TEXTS)]))
            following = max(following + 1, time.time())  # who waited for an answer does not ask twice as often afterwards


def percentile(asked: Sequence[Asked], percent: int) -> float:
    """Seconds."""
    return sorted(one.seconds for one in asked)[(len(asked) * percent - 1) // 100]


def split(asked: Sequence[Asked]) -> Counter[str]:
    """How many each track answered."""
    return Counter(one.track for one in asked)
