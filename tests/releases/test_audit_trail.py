"""From what an answer says of itself to the commit, the pull request and the people: what ran at a moment, and who let it in."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.releasing.message import pull_request
from commands import called
from git_repositories import Repository
from github_stand_in import REPOSITORY, GitHub

FLEET = Path(__file__).parents[1] / "fleet"
PROD = "prod/support-tickets"
RELEASE = f"environments/{PROD}/release.yaml"
WORDS = """\
{subject}

Bento-Gitops-Transition: {transition}
Bento-Gitops-Target: {target}
Bento-Gitops-Weights: {weights}
Bento-Gitops-By: {by}
Bento-Gitops-Reason: {reason}
"""


def release(blue: int | None, green: int | None = None, *, tag: str = "1.1.0") -> str:
    tracks = {"blue": ("1.0.0", blue), "green": (tag, green)}
    lines = [
        f'  {name}: {{bundle: "{bundle}", weight: {weight}, ready_for: {weight}}}'
        if name == "green" and blue is not None
        else f'  {name}: {{bundle: "{bundle}", weight: {weight}}}'
        for name, (bundle, weight) in tracks.items()
        if weight is not None
    ]
    stable, candidate = ("blue", "candidate: green\n" if green is not None else "") if blue is not None else ("green", "")
    head = f"apiVersion: bento-gitops/v1\nkind: Release\nstable: {stable}\n{candidate}tracks:\n"
    return head + "\n".join(lines) + "\nsince: 2026-11-01T10:20:00Z\n"


class Team:
    """A clone whose commits have times, and the program gh."""

    def __init__(self, root: Path, patch: pytest.MonkeyPatch) -> None:
        self.clone, self.patch = Repository(root), patch
        self.clone.git("init", "--quiet", "--initial-branch=main")

    def at(self, time: str) -> None:
        for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):
            self.patch.setenv(name, f"2026-11-{time}:00Z")

    def step(self, time: str, transition: str, text: str, *, weights: str, reason: str = "because", subject: str = "") -> str:
        """A commit of a command."""
        self.at(time)
        subject = subject or f"{PROD}: {transition}"
        said = {"transition": transition, "target": PROD, "weights": weights, "by": "Olivia <o@example.com>", "reason": reason}
        return self.clone.commit(WORDS.format(subject=subject, **said), {RELEASE: text})

    def branch(self, name: str) -> None:
        self.clone.git("checkout", "--quiet", "-b", name)

    def merge(self, time: str, branch: str, subject: str) -> str:
        self.at(time)
        self.clone.git("checkout", "--quiet", "main")
        self.clone.git("merge", "--quiet", "--no-ff", "--message", subject, branch)
        return self.clone.head

    def asked(self, *words: str, code: int = 0) -> Any:
        done = called(self.clone.root, "history", PROD, *words, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        return json.loads(done.stdout) if code == 0 else done.stderr

    def at_that_time(self, time: str, *words: str, code: int = 0) -> Any:
        return self.asked("--at", f"2026-11-{time}:00Z", *words, code=code)


@pytest.fixture
def team(tmp_path: Path, git_settings: Path, monkeypatch: pytest.MonkeyPatch) -> Team:
    """1.0.0 runs since the first; 1.1.0 was promoted in a branch on the second, which was merged on the third."""
    root = tmp_path / "fleet"
    shutil.copytree(FLEET, root)
    for folder in ("bundles/support-tickets/1.1.0.yaml", f"environments/{PROD}/overrides.yaml"):
        (root / folder).unlink()
    team = Team(root, monkeypatch)
    team.at("01T09:00")
    team.clone.commit("Everything begins (#1)", {RELEASE: release(100)})
    team.at("01T10:00")
    team.clone.commit("Bundle 1.1.0 (#7)", {"bundles/support-tickets/1.1.0.yaml": text_of("bundles/support-tickets/1.1.0.yaml")})
    team.branch("promotion")
    team.step("02T09:00", "promote", release(100, 0), weights="blue=100 green=0", reason="better")
    team.merge("03T09:00", "promotion", "Merge pull request #12 from team/promotion")
    team.step("04T09:00", "shift", release(90, 10), weights="blue=90 green=10")
    team.step("05T09:00", "shift", release(50, 50), weights="blue=50 green=50", subject=f"{PROD}: shift to 50 (#13)")
    team.step("06T09:00", "finish", release(None, 100), weights="green=100")
    return team


def text_of(path: str) -> str:
    return (FLEET / path).read_text("utf-8")


def only(found: Mapping[str, Any]) -> Mapping[str, Any]:
    (track,) = found["tracks"]
    return track


def test_the_bundle_of_an_answer_leads_to_its_models_data_and_every_decision(team: Team) -> None:
    track = only(team.at_that_time("05T12:00", "--bundle", "1.1.0"))
    assert (track["track"], track["weight"]) == ("green", 50)
    assert track["since"]["transition"] == "promote" and track["since"]["pull_request"] == {"number": "#12"}
    assert track["answers"]["transition"] == "shift" and track["answers"]["weights"] == {"blue": 90, "green": 10}
    assert track["answers"]["pull_request"] is None, "it was pushed"
    assert track["weighs"]["pull_request"] == {"number": "#13"}
    recorded = track["recorded"]
    assert recorded["pull_request"] == {"number": "#7"} and recorded["image"].endswith("@sha256:" + "2" * 64)
    model = recorded["models"]["ticket-classifier"]
    assert model["tag"] == "ticket_classifier:1.1.0" and model["dataset"]["snapshot"] == "sha256:" + "2" * 64


def test_a_change_counts_from_the_merge_that_brought_it_and_not_from_when_it_was_written(team: Team) -> None:
    before, after = (team.at_that_time(time) for time in ("02T12:00", "03T12:00"))
    assert [track["track"] for track in before["tracks"]] == ["blue"]
    assert [(track["track"], track["weight"]) for track in after["tracks"]] == [("blue", 100), ("green", 0)]
    since = after["tracks"][1]["since"]
    assert since["at"].startswith("2026-11-02") and since["landed"]["at"].startswith("2026-11-03")
    assert after["tracks"][1]["answers"] is None, "only who asks for it by header is answered"


def test_of_a_track_name_that_two_bundles_had_it_tells_of_the_one_of_that_time(team: Team) -> None:
    team.step("07T09:00", "promote", release(100, 0, tag="1.0.0"), weights="blue=100 green=0")
    track = only(team.at_that_time("07T10:00", "--track", "green"))
    assert (track["bundle"], track["since"]["landed"]["at"][:10]) == ("1.0.0", "2026-11-07")
    assert only(team.at_that_time("06T10:00", "--track", "green"))["since"]["transition"] == "promote"


def test_a_bundle_that_came_back_answers_since_it_came_back(team: Team) -> None:
    team.step("07T09:00", "rollback", release(100, 0), weights="blue=100 green=0")
    track = only(team.at_that_time("07T10:00", "--track", "blue"))
    assert track["answers"]["transition"] == "rollback"


@pytest.mark.parametrize(
    ("time", "words", "said"),
    [
        ("05T12:00", ("--track", "gren"), "did you mean 'green'?"),
        ("06T12:00", ("--bundle", "1.0.0"), "Git had no such track then (found bundle 1.0.0 at 2026-11-06 12:00:00 UTC)"),
        ("05T12:00", ("--track", "blue", "--bundle", "1.1.0"), "there were: blue 1.0.0 (50 %), green 1.1.0 (50 %)"),
        ("01T08:59", (), "there was no release yet"),
    ],
)
def test_what_did_not_run_then_is_said_with_what_did(team: Team, time: str, words: tuple[str, ...], said: str) -> None:
    assert said in team.at_that_time(time, *words, code=1)


def test_an_application_that_was_removed_ran_until_then(team: Team) -> None:
    team.at("08T09:00")
    team.clone.git("rm", "--quiet", RELEASE)
    team.clone.commit("Gone")
    assert "the application was gone then" in team.at_that_time("08T10:00", code=1)
    assert only(team.at_that_time("08T08:00"))["track"] == "green"


def test_people_read_the_same_in_a_few_lines(team: Team) -> None:
    done = called(team.clone.root, "history", PROD, "--at", "2026-11-05T12:00:00Z", "--track", "green")
    said = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "track green: bundle 1.1.0, 50 % of the requests" in said
    since = "on the track since 2026-11-03 09:00:00 promote says Olivia <o@example.com>; author Olivia Operator <"
    assert any(line.startswith(since) and "#12 better" in line for line in said)
    assert "model ticket-classifier: ticket_classifier:1.1.0, preprocessing 2, scikit-learn==1.7.2" in said
    assert f"trained on sha256:{'2' * 64} (720 rows)" in said


def test_a_track_is_asked_for_at_a_time(team: Team) -> None:
    done = called(team.clone.root, "history", PROD, "--track", "green")
    assert done.returncode == 2 and "--at" in done.stderr
    done = called(team.clone.root, "history", "prod", "--at", "2026-11-05T12:00:00Z")
    assert done.returncode == 2 and "ENV/APP" in done.stderr


@pytest.mark.parametrize(
    ("subject", "body", "number"),
    [
        ("Merge pull request #12 from team/promotion", "", "#12"),
        ("prod/support-tickets: shift to 50 (#13)", "", "#13"),
        ("Revert (#13) of yesterday", "", ""),
        ("Merge branch 'x' into 'main'", "Why\n\nSee merge request team/fleet!14", "!14"),
        ("Bigger pods", "Somebody quotes it: See merge request team/fleet!14", ""),
    ],
)
def test_the_number_of_a_pull_request_stands_where_servers_write_it(subject: str, body: str, number: str) -> None:
    assert pull_request(subject, body) == number


def test_what_a_commit_on_a_branch_calls_itself_is_no_pull_request(team: Team) -> None:
    team.branch("sly")
    team.step(
        "07T09:00", "pause", release(None, 100) + "paused: {by: x, reason: y}\n", weights="green=100", subject="Looked at (#99)"
    )
    team.merge("07T10:00", "sly", "Merged by hand")
    assert team.asked()[0]["pull_request"] is None


# Who


MALLORY = ("Mallory", "m@evil.example.com")
APP = ("bento-gitops", "41898282+github-actions[bot]@users.noreply.github.com")


@pytest.mark.parametrize(
    ("author", "committer", "by", "shown"),
    [
        (MALLORY, MALLORY, "Alice <a@example.com>", "says Alice <a@example.com>; author Mallory <m@evil.example.com>"),
        (MALLORY, MALLORY, "Mallory <m@evil.example.com>", "Mallory <m@evil.example.com>"),
        (MALLORY, MALLORY, "", "Mallory <m@evil.example.com>"),
        (MALLORY, MALLORY, "Alice <m@evil.example.com>", "says Alice <m@evil.example.com>; author Mallory <m@evil.example.com>"),
        (APP, APP, "Olivia <o@example.com>", f"Olivia <o@example.com>; through {APP[0]} <{APP[1]}>"),
        (MALLORY, ("GitHub", "noreply@github.com"), "", "Mallory <m@evil.example.com>; committer GitHub <noreply@github.com>"),
        (
            ("Alice; through GitHub", "m@evil.example.com"),
            MALLORY,
            "Alice <a@example.com>; author Alice <a@example.com>",
            "says Alice <a@example.com>, author Alice <a@example.com>; author Alice, through GitHub <m@evil.example.com>;"
            " committer Mallory <m@evil.example.com>",
        ),
    ],
)
def test_a_name_that_only_the_message_says_is_shown_as_one_beside_the_author(
    team: Team,
    monkeypatch: pytest.MonkeyPatch,
    author: tuple[str, str],
    committer: tuple[str, str],
    by: str,
    shown: str,
) -> None:
    for role, (name, address) in (("AUTHOR", author), ("COMMITTER", committer)):
        monkeypatch.setenv(f"GIT_{role}_NAME", name)
        monkeypatch.setenv(f"GIT_{role}_EMAIL", address)
    words = WORDS.format(subject="x", transition="rollback", target=PROD, weights="blue=100", by=by, reason="y")
    message = words if by else words.replace("Bento-Gitops-By: \n", "")
    team.at("07T09:00")
    team.clone.commit(message, {RELEASE: release(100)})
    (newest,) = team.asked("-n", "1")
    assert (newest["author"], newest["committer"]) == (f"{author[0]} <{author[1]}>", f"{committer[0]} <{committer[1]}>")
    assert newest["by"] == (by or newest["author"])
    assert newest["by_is_author"] is (by in ("", newest["author"]))
    for asked in (("-n", "1"), ("--at", "2026-11-07T09:00:00Z")):
        table = called(team.clone.root, "history", PROD, *asked).stdout
        assert f" {shown}  " in table, table


def test_a_mailmap_of_the_repository_renames_nobody(team: Team) -> None:
    team.clone.put(".mailmap", "Alice <alice@example.com> <olivia@example.com>\n")
    team.clone.commit("Nicer names", {RELEASE: release(None, 100) + "paused: {by: x, reason: y}\n"})
    assert team.asked("-n", "1")[0]["author"] == "Olivia Operator <olivia@example.com>"


# What GitHub knows


def review(
    who: str, state: str, *, commit: str = "head", at: str = "2026-11-03T08:00:00Z", association: str = "MEMBER"
) -> dict[str, Any]:
    return {
        "user": {"login": who},
        "state": state,
        "commit_id": commit,
        "submitted_at": at,
        "author_association": association,
    }


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    found = GitHub(tmp_path / "gh")
    monkeypatch.setenv("PATH", str(found.folder), prepend=":")
    return found


def test_github_says_who_approved_and_its_word_counts_more_than_the_message(team: Team, github: GitHub) -> None:
    merge = team.clone.git("log", "--merges", "--format=%H", "-1")
    reviews = [
        review("rita", "APPROVED"),
        review("rita", "COMMENTED"),
        review("carl", "APPROVED"),
        review("carl", "CHANGES_REQUESTED"),
        review("erik", "APPROVED", commit="earlier"),
        review("late", "APPROVED", at="2026-11-04T00:00:00Z"),
    ]
    github.merged(14, merge, reviews=reviews, at="2026-11-03T09:00:00Z")
    since = only(team.at_that_time("05T12:00", "--track", "green", "--approvals"))["since"]["pull_request"]
    assert since == {
        "number": "#14",
        "url": f"{REPOSITORY}/pull/14",
        "author": "paula",
        "merged_by": "max",
        "approvals": [
            {"by": "rita", "at": "2026-11-03T08:00:00Z", "of_the_last_commit": True},
            {"by": "erik", "at": "2026-11-03T08:00:00Z", "of_the_last_commit": False},
        ],
    }
    shown = called(team.clone.root, "history", PROD, "--approvals").stdout
    assert "#14 by paula, approved by rita, erik (before its last commit), merged by max" in shown


def approvers(team: Team, github: GitHub, reviews: list[dict[str, Any]]) -> list[str]:
    merge = team.clone.git("log", "--merges", "--format=%H", "-1")
    github.merged(14, merge, reviews=reviews, at="2026-11-03T09:00:00Z")
    since = only(team.at_that_time("05T12:00", "--track", "green", "--approvals"))["since"]["pull_request"]
    return [one["by"] for one in since["approvals"]]


def test_what_somebody_says_after_the_merge_does_not_take_back_the_approval_it_came_in_with(team: Team, github: GitHub) -> None:
    after = "2026-11-03T09:00:01Z"
    reviews = [
        review("rita", "APPROVED"),
        review("rita", "CHANGES_REQUESTED", at=after),
        review("carl", "CHANGES_REQUESTED"),
        review("carl", "APPROVED", at=after),
        review("erik", "APPROVED", at="2026-11-03T09:00:00Z"),
        {**review("pia", "PENDING"), "submitted_at": None},
    ]
    assert approvers(team, github, reviews) == ["rita", "erik"]


def test_each_s_last_word_before_the_merge_counts_in_whatever_order_github_tells_them(team: Team, github: GitHub) -> None:
    reviews = [review("rita", "CHANGES_REQUESTED", at="2026-11-03T08:30:00Z"), review("rita", "APPROVED")]
    assert approvers(team, github, reviews) == []


def test_an_approval_of_somebody_who_may_not_write_is_none(team: Team, github: GitHub) -> None:
    kinds = ("NONE", "CONTRIBUTOR", "FIRST_TIME_CONTRIBUTOR", "MANNEQUIN", "COLLABORATOR", "MEMBER", "OWNER")
    reviews = [review(kind.lower(), "APPROVED", association=kind) for kind in kinds]
    assert approvers(team, github, reviews) == ["collaborator", "member", "owner"]


def test_a_number_in_a_message_that_github_knows_nothing_of_is_no_pull_request(team: Team, github: GitHub) -> None:
    newest, *_ = (
        entry for entry in team.asked("--approvals") if entry["reason"] == "because" and entry["weights"]["green"] == 50
    )
    assert newest["pull_request"] is None
    asked = [words for words in github.asked if words[1].endswith("/pulls")]
    assert len(asked) == len({words[1] for words in asked}), "each commit is asked for once"


def test_what_github_cannot_say_is_an_error_and_no_empty_answer(
    team: Team, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "gh").write_text("#!/bin/sh\necho 'HTTP 403: no access' >&2\nexit 1\n")
    (broken / "gh").chmod(0o755)
    monkeypatch.setenv("PATH", str(broken), prepend=":")
    assert "HTTP 403: no access" in team.asked("--approvals", code=5)
