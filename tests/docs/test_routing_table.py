"""The table of docs/routing.md says of every controller what the command refuses."""

from __future__ import annotations

import re
from pathlib import Path

from bento_gitops.rendering import authentication
from bento_gitops.rendering.routing import REFUSED

DOCS = Path(__file__).resolve().parents[2] / "docs/routing.md"


def test_the_table_says_no_where_the_command_refuses_and_nowhere_else() -> None:
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in DOCS.read_text().splitlines() if line.startswith("|")
    ]
    controllers = list(REFUSED)
    refused = {
        controller: {*said, *(f"auth: {kind}" for kind in authentication.REFUSED[controller])}
        for controller, said in REFUSED.items()
    }
    assert rows[0][1:] == controllers
    options = {match[1]: row[1:] for row in rows if (match := re.match(r"`([a-z_: ]+)`", row[0]))}
    assert set(options) == {key for said in refused.values() for key in said}
    for option, cells in options.items():
        for controller, cell in zip(controllers, cells, strict=True):
            assert (cell == "no") == (option in refused[controller]), f"{option} with {controller}"
