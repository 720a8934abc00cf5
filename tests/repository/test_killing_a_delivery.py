"""A delivery that is killed at any step leaves the old state or the new one, and the next run works or says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from counting import release, values
from git_repositories import Origin, Repository, copied
from killing import Killer, every_step

PROGRAM = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from bento_gitops.model.problem import Refused
from bento_gitops.repository.delivery import Commit, Files, PullRequest, Push, deliver
from counting import adding

HOW = {{"files": Files(), "commit": Commit(), "push": Push()}}


def run(root, how):
    try:
        deliver(root, adding(), HOW[how])
    except Refused as refused:
        print(refused)
        sys.exit(4)
"""

OLD, NEW, TWICE = ((f"weight: {number}  # keep\n", f"derived: {number}\n") for number in (0, 1, 2))
HALF = (NEW[0], OLD[1])
"""The authoritative file is written, the derived one not yet: `render` completes it."""


def files(repository: Repository, ref: str | None = None) -> tuple[str | None, str | None]:
    """Both files on disk, or at a ref."""
    read = repository.text if ref is None else lambda path: repository.at(ref, path)
    return read(release("app-0")), read(values("app-0"))


@pytest.mark.parametrize("how", ["files", "commit", "push"])
def test_a_kill_at_any_step_leaves_the_old_state_or_the_new_one(
    how: str, origin: Origin, clone: Repository, tmp_path: Path
) -> None:
    before = clone.head
    clone.put("NOTES.txt", "staged by a person\n")
    clone.git("add", "NOTES.txt")
    left: set[str] = set()
    with Killer(PROGRAM, tmp_path / "log") as killer:
        for step in every_step():
            state = tmp_path / str(step)
            for name in ("origin.git", "clone"):
                copied(tmp_path / name, state / name)
            here, there = Repository(state / "clone"), Origin(state / "origin.git")
            outcome = killer.run(here.root, how, step=step)
            for repository in (here, there):
                assert repository.locks() == []
                fsck = repository.git("fsck", "--strict", "--no-dangling", "--no-progress")
                assert fsck == "", fsck
            assert files(here, "HEAD") in (OLD, NEW)
            assert files(there, "main") in (OLD, NEW)
            assert files(here) in (OLD, NEW, *([] if how == "push" else [HALF]))
            assert here.at("HEAD", "NOTES.txt") == "hello\n"
            status = here.status.splitlines()
            assert "M  NOTES.txt" in status
            if how != "files" and (here.head != before or files(there, "main") == NEW):
                assert files(here) == files(here, "HEAD")
                assert status == ["M  NOTES.txt"]
            left.add(f"{files(here) == NEW} {files(here, 'HEAD') == NEW} {files(there, 'main') == NEW}")
            again = killer.run(here.root, how)
            if again.code == 4:
                assert "has changes that are not committed" in again.text
                assert "and run again" in again.text
            else:
                assert again.code == 0, again.text
                assert files(here) in (NEW, TWICE)
                if how == "commit":
                    assert here.status == "M  NOTES.txt"
            shutil.rmtree(state)
            if not outcome.killed:
                assert outcome.code == 0, outcome.text
                break
    # The kills reached the states in between too: else they were none.
    assert (
        left
        == {
            "files": {"False False False", "True False False"},
            "commit": {"False False False", "True False False", "True True False"},
            "push": {"False False False", "False False True", "True True True"},
        }[how]
    )
