"""Which branch a change's pull request has: the same for the same change, another one for another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from git_repositories import Repository
from github_stand_in import GitHub
from stories import APP, Operator

PROD, DEV = f"prod/{APP}", f"dev/{APP}"


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    stand_in = GitHub(tmp_path / "gh")
    monkeypatch.setenv("PATH", f"{stand_in.folder}{os.pathsep}{os.environ['PATH']}")
    return stand_in


def _branches(olivia: Operator) -> list[str]:
    remote = Repository(olivia.clone.root.parent / "origin.git")
    found = remote.git("branch", "--format=%(refname:short)").splitlines()
    return [name.removeprefix("bento-gitops/") for name in found if name != "main"]


def test_holds_of_two_bundles_are_two_pull_requests_each_named_after_its_own(olivia: Operator, github: GitHub) -> None:
    olivia.new_bundle("1.1.1")
    olivia.run("hold", PROD, "1.1.0", "--reason", "leaks memory", "--pr")
    olivia.run("hold", PROD, "1.1.1", "--reason", "wrong queues", "--pr")
    assert _branches(olivia) == [f"{PROD}/hold-1.1.0", f"{PROD}/hold-1.1.1"]
    assert [pull["title"] for pull in github.pulls] == [f"{PROD}: hold 1.1.0", f"{PROD}: hold 1.1.1"]
    message = Repository(olivia.clone.root.parent / "origin.git").git(
        "log", "-1", "--format=%B", f"bento-gitops/{PROD}/hold-1.1.1"
    )
    assert "Bento-Gitops-Bundle: 1.1.1\n" in message


def test_the_end_of_a_hold_is_named_after_its_bundle(olivia: Operator, github: GitHub) -> None:
    olivia.change("hold", PROD, "1.1.0", "--reason", "leaks memory")
    olivia.run("unhold", PROD, "1.1.0", "--pr")
    assert _branches(olivia) == [f"{PROD}/unhold-1.1.0"]


def test_evidence_of_two_tracks_is_two_pull_requests(olivia: Operator, github: GitHub) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "this is about branches")
    for track in ("blue", "green"):
        verification = {"track": track, "passed": True, "checks": 12, "failed": []}
        file = olivia.observe("prod", verification=verification)
        olivia.run("verify", PROD, "--record", "--track", track, "--pr", "--observation", file, "--now", olivia.now.isoformat())
    assert _branches(olivia) == [f"{PROD}/record-1.0.0", f"{PROD}/record-1.1.0"]


@pytest.mark.parametrize("tag", ["1..1", "1.lock"])
def test_a_tag_that_no_branch_could_hold_has_one_too(olivia: Operator, github: GitHub, tag: str) -> None:
    text = (olivia.clone.text(f"bundles/{APP}/1.1.0.yaml") or "").replace("1.1.0", tag)
    olivia.clone.commit(f"Bundle {tag}", {f"bundles/{APP}/{tag}.yaml": text})
    olivia.clone.git("push", "--quiet")
    olivia.run("promote", DEV, tag, "--pr")
    (branch,) = _branches(olivia)
    assert branch.startswith(f"{DEV}/direct-1-")
