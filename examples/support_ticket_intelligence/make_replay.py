"""Knows which requests `bento-gitops replay` sends: tickets as they come in, most of them alone, now and then a queue of some."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator

from make_tickets import tickets

REQUESTS = 60
SEED = 20261101
# Out of ten requests: how many tickets each holds. Clients send what a customer just wrote; a night's queue comes in one request.
TICKETS_OF_A_REQUEST = (1, 1, 1, 1, 1, 1, 1, 2, 4, 16)


def requests() -> Iterator[dict[str, object]]:
    """The shape of a line: method, path, body."""
    chance = random.Random(SEED)
    texts = [text for _, _, text in tickets()]
    for place in range(REQUESTS):
        size = TICKETS_OF_A_REQUEST[place % len(TICKETS_OF_A_REQUEST)]
        body = {"tickets": [{"text": text} for text in chance.sample(texts, size)]}
        yield {"method": "POST", "path": "/classify_ticket", "body": body}


def as_lines() -> bytes:
    return "".join(json.dumps(request) + "\n" for request in requests()).encode()


if __name__ == "__main__":
    sys.stdout.buffer.write(as_lines())
