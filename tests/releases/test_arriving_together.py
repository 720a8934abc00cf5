"""What comes in one merge or one push, by validate and audit; and by which clock a change is decided."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from bento_gitops.cli.changing import TESTING
from bento_gitops.model.base import timestamp
from bento_gitops.model.layout import release_file
from git_repositories import Repository
from github_stand_in import GitHub
from stories import APP, Operator

PROD, DEV = f"prod/{APP}", f"dev/{APP}"
RELEASE = release_file(PROD)
GLASS = ("--break-glass", "this is not about gates")


def _at(olivia: Operator, *commands: tuple[str, ...]) -> None:
    """Commands one after another, each as a commit, as somebody has them on a branch."""
    for words in commands:
        olivia.later(minutes=10)
        olivia.run(*words, "--commit", "--now", timestamp(olivia.now))


PROMOTE, PREPARE = ("promote", PROD, "1.1.0", *GLASS), ("canary", "prepare", PROD, "100")
SHIFT, FINISH, ABORT = ("canary", "shift", PROD, "100"), ("canary", "finish", PROD), ("canary", "abort", PROD)


def test_validate_refuses_pods_and_their_requests_in_one_change_and_says_how_to_make_two(olivia: Operator) -> None:
    base = olivia.clone.head
    _at(olivia, PROMOTE, PREPARE)
    olivia.run("validate", PROD, "--base", base)
    pods = olivia.clone.head
    _at(olivia, SHIFT)
    olivia.run("validate", PROD, "--base", pods)
    said = olivia.run("validate", PROD, "--base", base, code=1).out
    line = next(line for line in said.splitlines() if "tracks.green.weight" in line)
    number = next(n for n, text in enumerate((olivia.clone.text(RELEASE) or "").splitlines(), 1) if "green:" in text)
    assert line.startswith(f"{RELEASE}:"), line
    assert int(line.split(":")[1]) >= number
    assert "gets 100 % instead of 0 % of the requests in the same change that changes pods" in line
    assert f"(found green is new); make two pull requests, pods first: `bento-gitops promote {PROD} 1.1.0`" in line
    olivia.clone.git("reset", "--quiet", "--soft", base)
    olivia.clone.commit("1.1.0 to prod, squashed")
    assert "tracks.green.weight" in olivia.run("validate", "--base", "HEAD^", code=1).out
    assert json.loads(olivia.run("validate", PROD, "--base", base, "--json", code=1).out)["problems"]


def test_validate_lets_abort_and_the_swap_of_a_rollback_pass_and_direct_where_it_is_allowed(olivia: Operator) -> None:
    _at(olivia, PROMOTE, PREPARE, SHIFT)
    full = olivia.clone.head
    _at(olivia, ABORT)
    olivia.run("validate", PROD, "--base", full)
    olivia.clone.git("reset", "--quiet", "--hard", full)
    _at(olivia, FINISH)
    steady = olivia.clone.head
    _at(olivia, ("rollback", PROD))
    assert olivia.state("prod") == ("steady", {"1.0.0": 100})
    olivia.run("validate", PROD, "--base", steady)
    _at(olivia, ("promote", DEV, "1.1.0"))
    assert olivia.state("dev") == ("steady", {"1.1.0": 100})
    olivia.run("validate", DEV, "--base", "HEAD^")
    rules = "environments/dev/environment.yaml"
    olivia.clone.put(rules, (olivia.clone.text(rules) or "").replace("direct: true", "direct: false"))
    assert "tracks.green.weight" in olivia.run("validate", DEV, "--base", "HEAD^", code=1).out


def test_validate_refuses_a_weight_that_rises_while_the_configuration_changes_pods(olivia: Operator) -> None:
    _at(olivia, PROMOTE, PREPARE)
    base = olivia.clone.head
    _at(olivia, SHIFT)
    config = f"environments/prod/{APP}/config.yaml"
    olivia.clone.put(config, (olivia.clone.text(config) or "").replace("min_replicas: 3", "min_replicas: 4"))
    olivia.run("render")
    said = olivia.run("validate", PROD, "--base", base, code=1).out
    assert "(found pods of blue: SupportTickets 3 -> 4; pods of green: SupportTickets 3 -> 4)" in said


def test_glass_broken_for_the_arrival_lets_it_pass_with_a_note(olivia: Operator) -> None:
    base = olivia.clone.head
    _at(olivia, PROMOTE, PREPARE, SHIFT)
    text = olivia.clone.text(RELEASE) or ""
    glass = "break_glass: {by: Olivia, reason: nothing answers anyway, gates: [arrival]}\n"
    olivia.clone.put(RELEASE, text + glass)
    said = olivia.run("validate", PROD, "--base", base)
    assert f"note: passed over by Olivia (nothing answers anyway): {RELEASE}" in said.err
    assert "gates were passed over (arrival) by Olivia" in olivia.run("status", PROD).err
    (one,) = json.loads(olivia.run("validate", PROD, "--base", base, "--json").out)["applications"]
    assert any("tracks.green.weight" in note for note in one["notes"])


def test_a_base_whose_values_cannot_be_read_is_said(olivia: Operator) -> None:
    values = f"environments/prod/{APP}/values.yaml"
    good = olivia.clone.text(values) or ""
    olivia.clone.commit("Spoilt", {values: good.replace("weight: 100", "weight: all")})
    olivia.clone.put(values, good)
    said = olivia.run("validate", PROD, "--base", "HEAD")
    assert "whether pods and requests for them arrive together is not known: at the base, " in said.err
    assert "tracks.blue.weight is all" in said.err


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    found = GitHub(tmp_path / "github")
    monkeypatch.setenv("PATH", str(found.folder), prepend=":")
    return found


def test_audit_finds_commands_that_were_pushed_together_and_not_those_that_were_pushed_one_by_one(
    olivia: Operator, github: GitHub
) -> None:
    base = olivia.clone.head
    heads = [base]
    for command in (PROMOTE, PREPARE, SHIFT, FINISH):
        _at(olivia, command)
        heads.append(olivia.clone.head)
    for before, after in pairwise(heads):
        olivia.run("audit", before, "--head", after)
    olivia.run("audit", base, "--head", heads[2])
    said = olivia.run("audit", base, code=4)
    assert [line.split()[1] for line in said.out.splitlines()[-4:]] == ["command"] * 4, "each commit by itself is as it should be"
    assert f"all of it came in one push, {base[:12]}..{heads[-1][:12]} (found green is new)" in said.err
    assert f"`bento-gitops rollback {PROD} --push`" in said.err
    document = json.loads(olivia.run("audit", base, "--json", code=4).out)
    assert len(document["commits"]) == 4
    assert "tracks.green.weight" in document["together"][0]
    assert github.pulls == []


def test_a_push_is_decided_by_the_clock_and_a_trial_by_any_time(
    olivia: Operator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(TESTING)
    words = ("hold", PROD, "1.1.0", "--reason", "x")
    later = timestamp(datetime.now(UTC) + timedelta(hours=1))
    for option in ("--push", "--pr"):
        said = olivia.run(*words, option, "--now", later, code=2).err
        assert "--now" in said and "the time is the clock's" in " ".join(said.replace("│", " ").split()), said
    olivia.run(*words, "--push", "--dry-run", "--now", later)
    assert Repository(tmp_path / "origin.git").subjects("main") == ["Start"]
    olivia.run(*words, "--push", "--now", timestamp(datetime.now(UTC)))
    assert len(Repository(tmp_path / "origin.git").subjects("main")) == 2


def test_status_says_that_a_release_is_of_the_future(olivia: Operator) -> None:
    ahead = timestamp(olivia.now + timedelta(days=1))
    olivia.run("hold", PROD, "1.1.0", "--reason", "x", "--commit", "--now", ahead)
    now = timestamp(olivia.now)
    assert "release.yaml is of the future (since; by 24h): a clock was wrong" in olivia.run("status", PROD, "--now", now).err
    assert "of the future" not in olivia.run("status", PROD, "--now", ahead).err
