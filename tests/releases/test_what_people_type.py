"""What people give to a command beside its target: reasons, files to write, tags. None of it may break or fake what is kept."""

from __future__ import annotations

import re
from pathlib import Path

from git_repositories import Repository
from stories import APP, Operator

PROD = f"prod/{APP}"
FAKE = "x.\n\nGates:\n  soak: passed\n\nBento-Gitops-By: boss \x1b[2J"


def test_a_reason_is_one_line_without_what_steers_a_terminal_wherever_it_is_kept_or_shown(olivia: Operator) -> None:
    told = olivia.run("hold", PROD, "1.1.0", "--reason", FAKE, "--commit")
    flat = "x. Gates: soak: passed Bento-Gitops-By: boss [2J"
    assert told.out.splitlines()[0] == f"{PROD}: 1.1.0 is held: {flat}"
    message = olivia.clone.git("log", "-1", "--format=%B")
    assert [line for line in message.splitlines() if line.startswith("Gates:")] == []
    held = olivia.release("prod").held
    assert held and held["1.1.0"].reason == flat
    assert f"1.1.0 is held by Olivia Operator <olivia@example.com>: {flat}\n" in olivia.run("status", PROD).err


def test_a_reason_cannot_turn_the_direction_of_writing_and_is_text_that_can_be_stored(olivia: Operator) -> None:
    olivia.run("hold", PROD, "1.1.0", "--reason", "a\udcffb \u202egnp.exe\u2066 \u200fend", "--commit")
    held = olivia.release("prod").held
    assert held and held["1.1.0"].reason == "ab gnp.exe end"


def test_a_reason_of_nothing_that_can_be_read_is_none(olivia: Operator) -> None:
    assert "--reason" in olivia.run("hold", PROD, "1.1.0", "--reason", "\x1b\u202e\n", code=2).err


def test_a_body_that_could_not_be_written_is_said_before_anything_is_pushed(olivia: Operator, tmp_path: Path) -> None:
    remote = Repository(tmp_path / "origin.git")
    for file, words in (
        (tmp_path / "no" / "body.md", "the folder is not there"),
        (tmp_path, "is a folder"),
    ):
        said = olivia.run("hold", PROD, "1.1.0", "--reason", "x", "--push", "--pr-body", str(file), code=1).err
        assert re.search(rf"{re.escape(str(file))}: --pr-body: {words}", said), said
    assert remote.subjects("main") == ["Start"]
