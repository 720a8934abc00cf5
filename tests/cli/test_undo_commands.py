"""The way back that a body prints, run line by line in a real repository, also where others merged something meanwhile."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import COMMAND
from tests.git_repositories import SETTINGS, Repository
from tests.reviewing.scenes import SCENES
from tests.reviewing.sides import CONFIG, PROD, RELEASE, Sides

VALUES = f"environments/{PROD}/values.yaml"


@pytest.fixture
def merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A clone whose main has a merged pull request, of a weight and of a variable, and then another weight."""
    (tmp_path / "gitconfig").write_text(SETTINGS)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("PATH", f"{COMMAND.parent}{os.pathsep}{os.environ['PATH']}")
    sides = Sides(tmp_path)
    SCENES["canary-shift"].make(sides)
    sides.after.change(CONFIG, "value: WARNING", "value: DEBUG")
    sides.both(lambda side: side.render(PROD))
    found = Repository(sides.before.root)
    found.git("init", "--quiet")
    found.commit("start")
    found.git("switch", "--quiet", "--create", "change")
    for path in (CONFIG, RELEASE, VALUES):
        sides.before.put(path, sides.after.text(path))
    body = subprocess.run(
        [COMMAND, "-C", found.root, "diff", "--base", "main", "--markdown"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    found.commit("change")
    found.git("switch", "--quiet", "main")
    found.git("merge", "--quiet", "--no-ff", "-m", "Merge change", "change")
    merge = found.git("rev-parse", "HEAD")
    sides.before.change(RELEASE, "weight: 75", "weight: 60")
    sides.before.change(RELEASE, "weight: 25", "weight: 40")
    sides.before.change(RELEASE, "ready_for: 25", "ready_for: 40")
    sides.before.render(PROD)
    found.commit("another weight")
    found.git("clone", "--quiet", "--bare", ".", str(tmp_path / "origin.git"))
    found.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    found.git("fetch", "--quiet")
    found.git("remote", "set-head", "origin", "main")
    block = re.findall(r"^```sh\n(git fetch.*?)\n```", body, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "undo.sh").write_text(block.replace("MERGE_COMMIT", merge).replace("gh pr create --fill", "true"))
    return found


def test_a_merge_is_taken_back_although_the_release_moved_on(merged: Repository, tmp_path: Path) -> None:
    # As a person pastes it: a line that stops at conflicts is followed by those that end them.
    done = subprocess.run(
        ["bash", str(tmp_path / "undo.sh")], cwd=merged.root, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "CONFLICT" in done.stdout
    assert merged.git("ls-files", "--unmerged") == ""
    assert merged.git("status", "--porcelain") == ""
    changed = set(merged.git("diff", "--name-only", "origin/main", "origin/undo-prod-support-tickets").splitlines())
    assert changed == {CONFIG, VALUES}
    assert "value: WARNING" in (merged.root / CONFIG).read_text()
    assert "weight: 40" in (merged.root / RELEASE).read_text()
    check = subprocess.run([COMMAND, "-C", merged.root, "render", PROD, "--check"], capture_output=True, text=True, timeout=60)
    assert check.returncode == 0, check.stderr
