"""Twenty pairs of operators at once: nobody's change is lost, nothing is mixed, and history tells how it came about."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from bento_gitops.layers.reading import read
from bento_gitops.model.layout import bundle_file, release_file
from bento_gitops.model.release import Release
from bento_gitops.operations import deciding, releases
from bento_gitops.operations.carrying_out import Where, carry_out
from bento_gitops.operations.history import history
from bento_gitops.operations.render import render
from bento_gitops.repository.changes import RaceLost
from bento_gitops.repository.files import GitTree, Tree
from git_repositories import Repository, new_origin
from stories import APP, TESTS

PAIRS = 20
AT_A_TIME = 8
NOW = datetime.fromisoformat("2026-11-10T09:00:00+00:00")
ENVIRONMENTS = ("dev", "staging", "prod")


@dataclass
class Racer:
    """One of a pair, at a clone of their own: they hold a bundle, and again if the release changed under their eyes."""

    root: Path
    number: int

    @property
    def target(self) -> str:
        """The same for both of a pair."""
        return f"{ENVIRONMENTS[self.number // 2 % len(ENVIRONMENTS)]}/{APP}"

    @property
    def tag(self) -> str:
        return f"9.0.{self.number}"

    def hold(self) -> int:
        """How often the race was lost before it was won."""
        request = deciding.Request(self.target, NOW, f"Racer {self.number}", f"found by racer {self.number}")
        for lost in range(PAIRS * 2):
            try:
                carry_out(
                    self.root,
                    request,
                    lambda tree: deciding.decide(
                        tree, self.root, request, lambda found, asked: releases.hold(found, asked, self.tag)
                    ),
                    Where("push"),
                )
            except RaceLost as error:
                assert "release.yaml changed on origin/main while this command ran; nothing was written" in str(error)
            else:
                return lost
        raise AssertionError(f"racer {self.number} was never first")


def lined_up(tmp_path: Path, count: int) -> list[Racer]:
    """Operators with a clone each, and a bundle for each to hold."""
    fleet = {str(path.relative_to(TESTS / "fleet")): path.read_text("utf-8") for path in (TESTS / "fleet").rglob("*.yaml")}
    bundle = fleet[bundle_file(APP, "1.1.0")]
    for number in range(count):
        fleet[bundle_file(APP, f"9.0.{number}")] = bundle.replace("1.1.0", f"9.0.{number}")
    origin = new_origin(tmp_path, fleet)
    first = origin.clone("racer-0")
    for one in render(GitTree(first.root, "HEAD"), None):
        first.put(one.target.values, one.text)
    first.commit("Rendered")
    first.git("push", "--quiet")
    for number in range(1, count):
        shutil.copytree(first.root, tmp_path / f"racer-{number}", symlinks=True)
    return [Racer(tmp_path / f"racer-{number}", number) for number in range(count)]


def test_twenty_pairs_push_at_once_and_nobody_s_change_is_lost(
    git_settings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    racers = lined_up(tmp_path, PAIRS * 2)
    # They draw lots for as long as this race takes; in a real one people are minutes apart.
    monkeypatch.setattr("bento_gitops.repository.delivery.LONGEST_WAIT", 0.5)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        lost = list(pool.map(Racer.hold, racers))
    assert sum(lost) > 0, "nobody ever lost, so it was no race"

    origin = Repository(tmp_path / "origin.git")
    for environment in ENVIRONMENTS:
        path = release_file(f"{environment}/{APP}")
        release = read((origin.at("main", path) or "").encode(), path, Release).value
        mine = {racer.tag: f"Racer {racer.number}" for racer in racers if racer.target.startswith(f"{environment}/")}
        assert {tag: held.by for tag, held in (release.held or {}).items()} == mine
    assert "<<<<<<<" not in origin.git("grep", "-e", "<<<<<<<", "main", check=False)

    clone = origin_clone(tmp_path)
    told = [entry for entry in history(clone.root, None, limit=200) if entry.transition == "hold"]
    assert sorted((entry.target, entry.by) for entry in told) == sorted(
        (racer.target, f"Racer {racer.number}") for racer in racers
    )
    assert clone.git("rev-list", "--merges", "--count", "main") == "0"
    for sha in clone.git("rev-list", "main").splitlines()[:: PAIRS // 2]:
        tree = GitTree(clone.root, sha)
        if tree.exists(f"environments/dev/{APP}/values.yaml"):
            assert not [one for one in render(tree, None) if one.changed]


def origin_clone(folder: Path) -> Repository:
    root = folder / "reader"
    reader = Repository(folder / "origin.git")
    reader.git("clone", "--quiet", ".", str(root))
    return Repository(root)


def test_the_second_of_two_transitions_of_one_canary_is_told_what_the_first_did(git_settings: Path, tmp_path: Path) -> None:
    """Both saw it steady: what the second decided may be wrong by now, so a person looks."""
    first, second = lined_up(tmp_path, 2)

    def hold(racer: Racer, between: Callable[[], None] = lambda: None) -> None:
        request = deciding.Request(racer.target, NOW, f"Racer {racer.number}", "mine")

        def decide(tree: Tree) -> deciding.Decision:
            decision = deciding.decide(tree, racer.root, request, lambda found, asked: releases.hold(found, asked, racer.tag))
            between()
            return decision

        carry_out(racer.root, request, decide, Where("push"))

    done: list[bool] = []

    def overtake() -> None:
        if not done:
            done.append(True)
            hold(first)

    with pytest.raises(RaceLost) as lost:
        hold(second, overtake)
    assert "+held:" in str(lost.value), "what the first one did"
    assert "run the command again if it is still right" in str(lost.value)
