"""Knows which requests `bento-gitops tune` sends: one to four tickets in each, the same for the encoder and for the api.

    python make_load.py

Not a night's queue as `make_replay.py` has it: a few large requests would decide how long a batch takes, and so the measurement.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from make_tickets import tickets

FOLDER = Path(__file__).parent / "load"
REQUESTS = 200
SEED = 20261108
# Out of ten requests: how many tickets each holds.
TICKETS_OF_A_REQUEST = (1, 1, 1, 1, 1, 2, 2, 3, 3, 4)


def texts() -> Iterator[list[str]]:
    """Those of each request."""
    chance = random.Random(SEED)
    known = [text for _, _, text in tickets()]
    for _ in range(REQUESTS):
        yield chance.sample(known, chance.choice(TICKETS_OF_A_REQUEST))


def as_lines(route: str) -> str:
    """The file for a route; a line's shape: path, body."""
    bodies = ({"texts": some} if route == "/encode" else {"tickets": [{"text": text} for text in some]} for some in texts())
    return "".join(json.dumps({"path": route, "body": body}) + "\n" for body in bodies)


def files() -> dict[Path, str]:
    return {FOLDER / f"{route.strip('/')}.jsonl": as_lines(route) for route in ("/encode", "/classify_ticket")}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
