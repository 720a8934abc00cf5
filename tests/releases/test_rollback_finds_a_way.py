"""`rollback --push` where a push does not make it live: a pull request instead, and the command that goes past Git."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from git_repositories import Origin
from github_stand_in import GitHub
from stories import APP, Operator

PROD = f"prod/{APP}"
PROTECTED = "main is protected: changes come by pull request"


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    stand_in = GitHub(tmp_path / "gh")
    monkeypatch.setenv("PATH", f"{stand_in.folder}{os.pathsep}{os.environ['PATH']}")
    return stand_in


@pytest.fixture
def origin(olivia: Operator) -> Origin:
    return Origin(olivia.clone.root.parent / "origin.git")


@pytest.fixture
def shifting(olivia: Operator) -> Operator:
    """A candidate has some of the requests."""
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "this is about the way back")
    olivia.steps_until("prod", v1_0_0=99, v1_1_0=1)
    return olivia


def test_a_protected_branch_gets_a_pull_request(shifting: Operator, github: GitHub, origin: Origin) -> None:
    tip = origin.git("rev-parse", "main")
    origin.refuse(PROTECTED, "main")
    said = shifting.run("rollback", PROD, "--reason", "wrong queues", "--push").everything
    (pull,) = github.pulls
    assert pull["title"].startswith(f"{PROD}: abort")
    assert "wrong queues" in pull["body"]
    assert origin.git("rev-parse", "main") == tip
    assert origin.git("rev-parse", f"{pull['head']}^") == tip
    assert f"pull request: {pull['url']}" in said
    assert PROTECTED in said
    assert f"past Git: bento-gitops live shift {PROD} 0 --reason 'wrong queues'" in said


def test_programs_are_told_the_same(shifting: Operator, github: GitHub, origin: Origin) -> None:
    origin.refuse(PROTECTED, "main")
    told = json.loads(shifting.run("rollback", PROD, "--push", "--json").out)
    assert told["pull_request"] == github.pulls[0]["url"]
    assert PROTECTED in told["notes"][-2]
    assert told["notes"][-1].startswith(f"if that cannot wait, past Git: bento-gitops live shift {PROD} 0 ")


def test_a_push_that_is_taken_opens_nothing_and_names_no_other_way(shifting: Operator, github: GitHub, origin: Origin) -> None:
    said = shifting.run("rollback", PROD, "--push").everything
    assert (github.asked, "live shift" in said) == ([], False)
    assert origin.subjects("main")[0].startswith(f"{PROD}: abort")


def test_no_other_command_turns_a_push_into_a_pull_request(shifting: Operator, github: GitHub, origin: Origin) -> None:
    origin.refuse(PROTECTED, "main")
    said = shifting.run("canary", "pause", PROD, "--reason", "lunch", "--push", code=5).err
    assert ("open a pull request instead: --pr" in said, github.asked) == (True, [])


def test_where_neither_is_taken_both_refusals_are_told_and_the_way_past_git(
    shifting: Operator, github: GitHub, origin: Origin
) -> None:
    origin.refuse("read only today")
    said = shifting.run("rollback", PROD, "--reason", "wrong queues", "--push", code=5).err
    assert "does not take the commit on main" in said
    assert "nor a pull request instead: git push: origin does not take the commit on bento-gitops/" in said
    assert said.endswith(f"live shift {PROD} 0 --reason 'wrong queues'\n")
    assert github.pulls == []


def test_where_git_does_not_answer_the_files_that_are_here_say_the_way(shifting: Operator, origin: Origin) -> None:
    shifting.clone.git("pull", "--quiet")
    origin.root.rename(origin.root.with_name("gone.git"))
    said = shifting.run("rollback", PROD, "--push", code=5).err
    assert f"past Git: bento-gitops live shift {PROD} 0 --reason" in said


def test_a_full_standby_gets_everything(olivia: Operator, github: GitHub, origin: Origin) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "this is about the way back")
    olivia.steps_until("prod", v1_1_0=100)
    origin.refuse(PROTECTED, "main")
    said = olivia.run("rollback", PROD, "--push", "--observation", olivia.observe("prod")).everything
    assert f"live shift {PROD} 100 --reason" in said


def test_a_candidate_without_requests_needs_no_way_past_git(olivia: Operator, github: GitHub, origin: Origin) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "this is about the way back")
    origin.refuse(PROTECTED, "main")
    said = olivia.run("rollback", PROD, "--push").everything
    assert (len(github.pulls), "live shift" in said) == (1, False)
