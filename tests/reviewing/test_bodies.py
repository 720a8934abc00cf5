"""The body of a pull request for each kind of change, as golden files that people read to review the reviewing."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from bento_gitops.reviewing.body import MARKER, body

from tests.reviewing.scenes import SCENES
from tests.reviewing.sides import Sides

GOLDEN = Path(__file__).parent / "golden"


@pytest.mark.parametrize("name", SCENES)
def test_the_body_of_each_kind_of_change_is_the_golden_file(name: str, sides: Sides) -> None:
    """Renewed by `make golden`, which sets RENEW_GOLDEN."""
    scene = SCENES[name]
    scene.make(sides)
    text = body(
        sides.review(), title=scene.title, gates=scene.gates, reason=scene.reason, by=scene.by, next_steps=scene.next_steps
    )
    golden = GOLDEN / f"{name}.md"
    if os.environ.get("RENEW_GOLDEN"):
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


def test_every_golden_file_belongs_to_a_kind_of_change() -> None:
    assert {path.stem for path in GOLDEN.glob("*.md")} == set(SCENES)


@pytest.mark.parametrize("name", SCENES)
def test_every_golden_body_answers_what_why_where_how_much_and_how_back(name: str) -> None:
    text = (GOLDEN / f"{name}.md").read_text(encoding="utf-8")
    assert text.startswith(f"{MARKER}\n")
    assert re.search(r"^## .+\n\n\*\*.+\.\*\*\n", text, re.MULTILINE), "what, in one sentence"
    summary = re.search(r"^Risk \*\*(low|medium|high)\*\*.*; cost .+\. Takes effect on merge.+\.$", text, re.MULTILINE)
    assert summary, "how risky, how much, when"
    assert "**Why:** " in text
    assert re.search(r"\*\*GPUs:\*\* \d", text)
    assert "**How to undo it**" in text
    assert "**Cost a month:**" in text
    assert re.search(r"`[\w./-]+\.yaml(:\d+)?", text), "a file behind it"
    assert not re.search(r"/tmp|/root|/work", text), "no path of the machine"
