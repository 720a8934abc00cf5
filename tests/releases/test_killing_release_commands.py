"""A release command that is killed at any step leaves the old state or the new one; `render` completes what is derived."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from bento_gitops.operations.render import render, write
from bento_gitops.repository.files import GitTree, WorkingTree
from git_repositories import Origin, Repository, copied
from killing import Killer, every_step
from stories import APP, Operator

PROGRAM = """
import sys
from bento_gitops.cli import context
from bento_gitops.cli.main import command, main
# What the commands import and are made of, once for all runs.
from bento_gitops.operations import canary_step, carrying_out, deciding, diff, recording, releases, retiring
from bento_gitops.reviewing import body

command()


def run(root, *arguments):
    context.root = root
    sys.argv = ["bento-gitops", "--root", str(root), *arguments]
    main()
"""
FOLDER = f"environments/prod/{APP}"
NOW = "2026-11-10T09:10:00Z"
TEXTS: dict[str, str] = {}
"""Of files in Git by their ids, which are the same in every copy of the repository: Git is asked once."""


@dataclass(frozen=True)
class Killed:
    """A command to kill: what happens before it, and itself."""

    before: tuple[tuple[str, ...], ...]
    command: tuple[str, ...]
    mode: str


PROMOTED = (("promote", f"prod/{APP}", "1.1.0", "--break-glass", "to have a candidate"),)
COMMANDS = {
    "promote, pushed": Killed((), ("promote", f"prod/{APP}", "1.1.0", "--break-glass", "not about gates"), "--push"),
    "promote, to files": Killed((), ("promote", f"prod/{APP}", "1.1.0", "--break-glass", "not about gates"), ""),
    "abort, committed": Killed(PROMOTED, ("canary", "abort", f"prod/{APP}"), "--commit"),
    "retire, to files": Killed((("retire", f"prod/{APP}"),), ("retire", f"prod/{APP}"), ""),
}


def state(repository: Repository, ref: str | None = None) -> dict[str, str]:
    """The application's files on disk, or at a ref."""
    if ref is None:
        # What a kill leaves of a replacement that was not made yet is hidden, and ignored by Git.
        paths = [str(path.relative_to(repository.root)) for path in (repository.root / FOLDER).glob("[!.]*") if path.is_file()]
        return {path: repository.text(path) or "" for path in sorted(paths)}
    found: dict[str, str] = {}
    for line in repository.git("ls-tree", "-r", ref, "--", FOLDER).splitlines():
        about, path = line.split("\t")
        blob = about.split()[2]
        if blob not in TEXTS:
            TEXTS[blob] = repository.at(ref, path) or ""
        found[path] = TEXTS[blob]
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_kill_leaves_the_old_state_or_the_new_one(name: str, olivia: Operator, tmp_path: Path) -> None:
    killed = COMMANDS[name]
    for command in killed.before:
        olivia.change(*command)
    arguments = (*killed.command, "--now", NOW, *([killed.mode] if killed.mode else []))
    old = state(olivia.clone)
    left: set[str] = set()
    with Killer(PROGRAM, tmp_path / "log") as killer:
        whole = again_at_the_start(tmp_path, "whole")
        assert killer.run(whole.root, *arguments).code == 0
        new = state(whole)
        assert new != old
        assert not [one for one in render(GitTree(whole.root, "HEAD"), None) if one.changed]
        tried: set[str] = set()
        for step in every_step():
            here = again_at_the_start(tmp_path, str(step))
            there = Origin(here.root.parent / "origin.git")
            outcome = killer.run(here.root, *arguments, step=step)
            assert here.locks() == there.locks() == []
            for repository, ref in ((here, "HEAD"), (there, "main")):
                assert state(repository, ref) in (old, new)
            found = state(here)
            left.add("old" if found == old else "new" if found == new else "between")
            if found not in (old, new):
                assert killed.mode != "--push", "files come after the push, all at once"
                completed(here, found, old, new)
            reached = repr((found, here.status, here.head == there.git("rev-parse", "main"), state(there, "main")))
            if reached not in tried:
                # The same files, index and branches are the same start for a second try.
                tried.add(reached)
                again = killer.run(here.root, *arguments)
                assert again.code in (0, 4), again.text
                if again.code == 4:
                    assert "; " in again.text, "what to do"
            shutil.rmtree(here.root.parent)
            if not outcome.killed:
                assert outcome.code == 0, outcome.text
                break
    assert {"old", "new"} <= left


def again_at_the_start(folder: Path, name: str) -> Repository:
    """The remote and the clone as they were before the command."""
    for each in ("origin.git", "olivia"):
        copied(folder / each, folder / name / each)
    here = Repository(folder / name / "olivia")
    here.git("status")
    return here


def completed(here: Repository, found: dict[str, str], old: dict[str, str], new: dict[str, str]) -> None:
    """What is between the old files and the new ones is finished by `render`, or by the command itself where files go away."""
    release = f"{FOLDER}/release.yaml"
    if set(new) < set(old):
        assert set(found) < set(old) and release in found, "while its release is there, the application can be retired again"
        return
    assert found[release] == new[release], "the authoritative file is written first"
    rendered = render(WorkingTree(here.root), f"prod/{APP}")
    write(here.root, rendered)
    assert state(here) == new
