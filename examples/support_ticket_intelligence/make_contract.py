"""Knows what the service promises to clients: its routes, with the JSON Schemas of request and answer."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bentoml


def contract() -> str:
    """What /schema.json of a running service says, without what changes from build to build."""
    service = bentoml.load("service:SupportTicketIntelligence", working_dir=str(Path(__file__).parent))
    routes = service.schema()["routes"]
    promised = {route["route"]: {"request": route["input"], "answer": route["output"]} for route in routes}
    return json.dumps(promised, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    sys.stdout.write(contract())
