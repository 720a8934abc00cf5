"""A decision to a remote's branch and to a pull request: made on the newest tip, never forced, never lost."""

from __future__ import annotations

import os
import pickle
import re
import shlex
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from bento_gitops.model.problem import Refused, ToolFailed
from bento_gitops.repository import delivery
from bento_gitops.repository.changes import Proposal, RaceLost
from bento_gitops.repository.delivery import Delivered, PullRequest, Push, deliver
from bento_gitops.repository.files import OverlayTree, Tree
from bento_gitops.tools import git
from bento_gitops.tools.github import compare_page
from counting import adding, release, values, weight
from git_repositories import Origin, Repository

BOTH = (release("app-0"), values("app-0"))


def once(action: Callable[[], object]) -> Callable[[], object]:
    """The action for the first call, nothing for the others."""
    actions = iter([action])
    return lambda: next(actions, lambda: None)()


def test_a_push_is_one_commit_on_top_of_the_remotes_tip_and_the_clone_follows(origin: Origin, clone: Repository) -> None:
    other = origin.clone("other")
    tip = other.commit("By others", {"NOTES.txt": "theirs\n"})
    other.git("push", "--quiet")
    delivered = deliver(clone.root, adding(), Push())
    assert delivered == Delivered(BOTH, origin.git("rev-parse", "main"), "origin/main")
    assert origin.git("rev-parse", "main^") == tip
    assert origin.at("main", BOTH[1]) == "derived: 1\n"
    assert (clone.head, clone.status, clone.text("NOTES.txt")) == (delivered.commit, "", "theirs\n")


def test_commits_that_are_only_here_are_not_pushed_along(origin: Origin, clone: Repository) -> None:
    mine = clone.commit("Mine", {"NOTES.txt": "mine\n"})
    delivered = deliver(clone.root, adding(), Push())
    assert delivered.notes == ("1 commit of your branch main stayed here: only this change was pushed; next: git pull --rebase",)
    assert origin.subjects("main") == ["Shift app-0 to 1", "Start"]
    assert (clone.head, clone.text("NOTES.txt")) == (mine, "mine\n")
    clone.git("pull", "--quiet", "--rebase")
    assert clone.subjects() == ["Mine", "Shift app-0 to 1", "Start"]


def test_local_edits_are_never_lost(origin: Origin, clone: Repository) -> None:
    head = clone.head
    clone.put(BOTH[0], "weight: 9  # mine\n")
    clone.git("add", BOTH[0])
    clone.put("NOTES.txt", "mine\n")
    delivered = deliver(clone.root, adding(), Push())
    assert origin.at("main", BOTH[0]) == "weight: 1  # keep\n"
    assert delivered.notes[0].startswith("pushed, but your files stay as they were; next: git pull (")
    assert BOTH[0] in delivered.notes[0]
    assert (clone.head, clone.status) == (head, f" M NOTES.txt\nM  {BOTH[0]}")
    clone.git("restore", "--staged", "--worktree", BOTH[0])
    assert deliver(clone.root, adding("app-1"), Push()).notes == ()
    assert (clone.status, clone.text("NOTES.txt")) == (" M NOTES.txt", "mine\n")


def test_another_branch_is_pushed_to_by_name_and_the_checked_out_one_stays(origin: Origin, clone: Repository) -> None:
    clone.git("switch", "--quiet", "--create", "feature")
    clone.git("push", "--quiet", "--set-upstream", "origin", "feature:shared")
    delivered = deliver(clone.root, adding(), Push(branch="shared"))
    assert delivered.pushed == "origin/shared"
    assert clone.subjects() == ["Shift app-0 to 1", "Start"]


def test_without_a_name_what_runs_is_pushed_to_also_from_a_branch_that_follows_another(origin: Origin, clone: Repository) -> None:
    clone.git("switch", "--quiet", "--create", "feature")
    clone.git("push", "--quiet", "--set-upstream", "origin", "feature")
    delivered = deliver(clone.root, adding(), Push())
    assert delivered.pushed == "origin/main"
    assert delivered.notes == ("pushed to origin/main; your branch feature is another, and stays as it is",)
    assert (origin.subjects("main")[0], origin.subjects("feature")) == ("Shift app-0 to 1", ["Start"])
    assert clone.subjects() == ["Start"]


def test_a_detached_head_pushes_to_the_branch_that_is_named(origin: Origin, clone: Repository) -> None:
    clone.git("checkout", "--quiet", "--detach")
    clone.git("remote", "set-head", "origin", "--delete")
    with pytest.raises(Refused, match=r"no branch is checked out.*name the branch to push to"):
        deliver(clone.root, adding(), Push())
    assert deliver(clone.root, adding(), Push(branch="main")).pushed == "origin/main"
    assert (origin.subjects("main")[0], clone.subjects(), clone.status) == ("Shift app-0 to 1", ["Start"], "")


def test_a_shallow_clone_pushes(origin: Origin) -> None:
    shallow = origin.clone("shallow", "--depth", "1")
    other = origin.clone("other")
    other.commit("By others", {"NOTES.txt": "theirs\n"})
    other.git("push", "--quiet")
    deliver(shallow.root, adding(), Push())
    assert origin.subjects("main") == ["Shift app-0 to 1", "By others", "Start"]
    assert (shallow.status, git.is_shallow(shallow.root)) == ("", True)
    origin.git("fsck", "--strict")


def test_who_comes_second_keeps_a_decision_that_read_nothing_of_what_the_first_one_changed(
    origin: Origin, clone: Repository
) -> None:
    other = origin.clone("other")
    calls: list[int] = []
    between = once(lambda: deliver(other.root, adding("app-1"), Push()))
    delivered = deliver(clone.root, adding(between=lambda: (calls.append(1), between())), Push())
    assert (delivered.attempts, len(calls)) == (2, 1)
    assert origin.subjects("main") == ["Shift app-0 to 1", "Shift app-1 to 1", "Start"]
    assert origin.at("main", values("app-1")) == "derived: 1\n"
    assert (clone.status, clone.head) == ("", delivered.commit)


def test_an_answer_that_is_lost_while_somebody_pushes_on_top_is_no_failure(
    origin: Origin, clone: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = origin.clone("other")
    push = git.push

    def overtaken(*arguments: str, **named: str) -> git.Pushed:
        push(*arguments, **named)  # type: ignore[arg-type]
        other.git("pull", "--quiet")
        other.commit("On top", {"NOTES.txt": "theirs\n"})
        other.git("push", "--quiet")
        raise ToolFailed("git push: no end after 120 s")

    monkeypatch.setattr(git, "push", overtaken)
    delivered = deliver(clone.root, adding(), Push())
    assert origin.subjects("main") == ["On top", "Shift app-0 to 1", "Start"]
    assert delivered.commit == origin.git("rev-parse", "main^") == clone.head


def test_a_push_that_did_not_arrive_is_none_though_somebody_else_pushed(
    origin: Origin, clone: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = origin.clone("other")

    def lost(*_arguments: str, **_named: str) -> git.Pushed:
        other.commit("By others", {"NOTES.txt": "theirs\n"})
        other.git("push", "--quiet")
        raise ToolFailed("git push: no end after 120 s")

    monkeypatch.setattr(git, "push", lost)
    with pytest.raises(ToolFailed, match=r"does not take the commit(?s:.*)no end after 120 s"):
        deliver(clone.root, adding(), Push())


@pytest.mark.parametrize("looks", ["reads", "exists", "glob", "sent"])
def test_who_comes_second_decides_again_where_a_file_that_it_read_changed(looks: str, origin: Origin, clone: Repository) -> None:
    other = origin.clone("other")
    notes: list[str] = []

    def theirs() -> None:
        other.commit("By others", {"NOTES.txt": "theirs\n", "new.txt": "new\n"})
        other.git("push", "--quiet")

    between = once(theirs)

    def decide(tree: Tree) -> Proposal | None:
        if looks == "reads":
            notes.append(tree.read("NOTES.txt").decode())
        elif looks == "exists":
            notes.append(str(tree.exists("new.txt")))
        elif looks == "glob":
            notes.append(" ".join(tree.glob("*.txt")))
        else:
            notes.append(pickle.loads(pickle.dumps(tree)).read("NOTES.txt").decode())
        return adding(between=between)(tree)

    assert deliver(clone.root, decide, Push()).attempts == 2
    assert (
        notes
        == {
            "reads": ["hello\n", "theirs\n"],
            "exists": ["False", "True"],
            "glob": ["NOTES.txt", "NOTES.txt new.txt"],
            "sent": ["hello\n", "theirs\n"],
        }[looks]
    )
    assert origin.subjects("main") == ["Shift app-0 to 1", "By others", "Start"]


def test_who_comes_second_to_the_same_file_loses_and_sees_what_changed(origin: Origin, clone: Repository) -> None:
    other = origin.clone("other")
    head = clone.head
    between = once(lambda: deliver(other.root, adding(), Push()))
    with pytest.raises(RaceLost) as lost:
        deliver(clone.root, adding(between=between), Push())
    assert str(lost.value).splitlines()[:3] == [
        f"lost a race: {BOTH[0]} changed on origin/main while this command ran; nothing was written",
        "  -weight: 0  # keep",
        "  +weight: 1  # keep",
    ]
    assert origin.subjects("main") == ["Shift app-0 to 1", "Start"]
    assert (clone.head, clone.status) == (head, "")


def test_two_commits_that_are_the_same_to_the_byte_are_not_both_a_success(
    origin: Origin, clone: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_DATE", "2026-11-01T10:00:00Z")
    other = origin.clone("other")
    between = once(lambda: deliver(other.root, adding(), Push()))
    with pytest.raises(RaceLost):
        deliver(clone.root, adding(between=between), Push())
    assert origin.subjects("main") == ["Shift app-0 to 1", "Start"]


def test_operators_at_once_lose_no_update(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "FIRST_WAIT", 0.02)
    outcomes: dict[str, Delivered | Exception] = {}
    clones = {f"{application}-{by}": origin.clone(f"{application}-{by}") for application in range(4) for by in "ab"}
    all_have_read = threading.Barrier(len(clones))

    def run(name: str) -> None:
        between = once(lambda: all_have_read.wait(60))
        try:
            outcomes[name] = deliver(clones[name].root, adding(f"app-{name[0]}", name, between=between), Push())
        except Exception as error:
            outcomes[name] = error

    threads = [threading.Thread(target=run, args=(name,)) for name in clones]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    won = {name for name, outcome in outcomes.items() if isinstance(outcome, Delivered)}
    assert all(isinstance(outcomes[name], RaceLost) for name in set(clones) - won), outcomes
    assert sorted(name[0] for name in won) == ["0", "1", "2", "3"]
    assert sorted(origin.subjects("main")) == [*(f"Shift app-{number} to 1" for number in range(4)), "Start"]
    assert {commit.trailer("by") for commit in git.log(origin.root, "main")} == {*won, None}
    for number in range(4):
        assert origin.at("main", values(f"app-{number}")) == "derived: 1\n"
    for name in clones:
        assert clones[name].status == ""
    origin.git("fsck", "--strict")


def test_a_protected_branch_is_told_in_the_servers_words_with_what_to_do(origin: Origin, clone: Repository) -> None:
    origin.refuse("main takes pull requests only")
    head = clone.head
    with pytest.raises(ToolFailed) as failed:
        deliver(clone.root, adding(), Push())
    text = str(failed.value)
    assert text.startswith(
        "git push: origin does not take the commit on main; nothing was changed; where the branch is protected,"
    )
    assert "open a pull request instead: --pr" in text
    assert "remote: main takes pull requests only" in text
    assert not isinstance(failed.value, RaceLost)
    assert (clone.head, clone.status, origin.subjects("main")) == (head, "", ["Start"])


def test_a_remote_that_is_always_ahead_ends_after_bounded_attempts(
    origin: Origin, clone: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(delivery, "MOST_ATTEMPTS", 3)
    other = origin.clone("other")

    push = git.push

    def late(*arguments: str, **named: str) -> git.Pushed:
        other.git("commit", "--quiet", "--allow-empty", "--message", "Ahead")
        other.git("push", "--quiet")
        return push(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(git, "push", late)
    with pytest.raises(ToolFailed, match=r"origin/main moved on in each of 3 attempts.*nothing was written"):
        deliver(clone.root, adding(), Push())
    assert origin.subjects("main") == ["Ahead"] * 3 + ["Start"]


def test_an_answer_that_is_lost_on_the_way_is_asked_for(
    origin: Origin, clone: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    push, ask = git.push, git.remote_tip

    def no_answer(*arguments: str, **named: str) -> git.Pushed:
        push(*arguments, **named)  # type: ignore[arg-type]
        raise ToolFailed("git push: no end after 120 s")

    monkeypatch.setattr(git, "push", no_answer)
    assert deliver(clone.root, adding(), Push()).commit == origin.git("rev-parse", "main") == clone.head

    def unreachable(*arguments: str) -> str:
        raise ToolFailed("git ls-remote: no route to host")

    monkeypatch.setattr(git, "remote_tip", unreachable)
    with pytest.raises(ToolFailed, match=r"it is not known whether it arrived; look whether origin/main has commit [0-9a-f]{12}"):
        deliver(clone.root, adding(), Push())
    monkeypatch.setattr(git, "remote_tip", ask)
    monkeypatch.setattr(git, "push", lambda *arguments: git.Pushed(accepted=False, verdict=False, said="fatal: connection reset"))
    with pytest.raises(ToolFailed, match=r"does not take the commit(?s:.*)connection reset"):
        deliver(clone.root, adding(), Push())


def test_what_is_wrong_with_the_remote_is_said_before_anything_is_decided(
    origin: Origin, clone: Repository, git_settings: Path
) -> None:
    def never(tree: Tree) -> None:
        raise AssertionError("decided")

    for how, words in (
        (Push(remote="upstream"), "this clone has no remote upstream (it knows origin); add it: git remote add upstream ADDRESS"),
        (Push(branch="nowhere"), "origin has no branch nowhere; push it first: git push origin nowhere"),
        (Push(branch="--upload-pack=x"), "cannot be the name of a branch; name another"),
    ):
        with pytest.raises(ToolFailed, match=re.escape(words)):
            deliver(clone.root, never, how)
    clone.git("remote", "set-url", "origin", "../gone.git")
    with pytest.raises(ToolFailed, match=r"git fetch origin main: .*'\.\./gone\.git' does not appear to be a git repository"):
        deliver(clone.root, never, Push())
    git_settings.write_text("")
    with pytest.raises(ToolFailed, match="it is not known who commits"):
        deliver(clone.root, never, Push())


def test_a_remote_that_does_not_answer_ends_in_time(clone: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nsleep 60\n")
    silent.chmod(0o755)
    clone.git("remote", "set-url", "origin", "ssh://git@host/path")
    monkeypatch.setenv("GIT_SSH_COMMAND", str(silent))
    monkeypatch.setattr(git, "NETWORK_LIMIT", 0.3)
    with pytest.raises(ToolFailed, match=r"git fetch .*: no end after 0 s; look whether the remote answers"):
        deliver(clone.root, adding(), Push())
    assert clone.locks() == []


# Pull requests

GH = """\
#!/bin/sh
# Stands in for GitHub's command line: it writes down what it is told, and knows the pull requests that it opened.
echo "$*" >> {state}/calls
case "$1 $2" in
  "pr list")
    if [ -f {state}/open ]; then echo '[{{"url": "https://github.example/o/r/pull/7", "isCrossRepository": false}}]'
    else echo '[{{"url": "https://github.example/fork/r/pull/3", "isCrossRepository": true}}]'; fi ;;
  "pr create") cat > {state}/body; touch {state}/open; echo "Creating"; echo https://github.example/o/r/pull/7 ;;
  "pr edit") cat > {state}/body; echo https://github.example/o/r/pull/7 ;;
esac
"""


class GitHub:
    """What the stand-in was told."""

    def __init__(self, state: Path) -> None:
        self.state = state

    @property
    def calls(self) -> list[str]:
        return (self.state / "calls").read_text().splitlines()

    @property
    def body(self) -> str:
        return (self.state / "body").read_text()


@pytest.fixture
def github(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitHub:
    state = tmp_path / "github"
    (state / "bin").mkdir(parents=True)
    program = state / "bin" / "gh"
    program.write_text(GH.format(state=shlex.quote(str(state))))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{state / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return GitHub(state)


def body(tree: Tree, proposal: Proposal) -> str:
    """A body that is made of what was decided, and of the tree that it was decided on."""
    after = OverlayTree(tree, {change.path: change.after for change in proposal.changes})
    return f"From {weight(tree)} to {weight(after)}.\n"


REQUEST = PullRequest("release/app-0", "Shift app-0", body)


def test_a_pull_request_is_a_branch_of_its_own_on_top_of_the_newest_base(
    origin: Origin, clone: Repository, github: GitHub
) -> None:
    other = origin.clone("other")
    tip = other.commit("By others", {"NOTES.txt": "theirs\n"})
    other.git("push", "--quiet")
    delivered = deliver(clone.root, adding(), REQUEST)
    sha = origin.git("rev-parse", "release/app-0")
    assert delivered == Delivered(BOTH, sha, "origin/release/app-0", "https://github.example/o/r/pull/7")
    assert origin.git("rev-parse", "release/app-0^") == origin.git("rev-parse", "main") == tip
    assert github.calls == [
        "pr list --head release/app-0 --base main --state open --json url,isCrossRepository",
        "pr create --head release/app-0 --base main --title Shift app-0 --body-file -",
    ]
    assert github.body == "From 0 to 1.\n"
    assert (clone.subjects(), clone.status) == (["Start"], "")


def test_a_second_run_updates_the_open_pull_request(origin: Origin, clone: Repository, github: GitHub) -> None:
    deliver(clone.root, adding(), REQUEST)
    other = origin.clone("other")
    other.commit("Moved on", {BOTH[0]: "weight: 5\n", BOTH[1]: "derived: 5\n"})
    other.git("push", "--quiet")
    delivered = deliver(clone.root, adding(), REQUEST)
    assert origin.subjects("release/app-0") == ["Shift app-0 to 6", "Moved on", "Start"]
    assert github.calls[-1] == "pr edit https://github.example/o/r/pull/7 --title Shift app-0 --body-file -"
    assert (delivered.url, github.body) == ("https://github.example/o/r/pull/7", "From 5 to 6.\n")


def test_a_shallow_clone_updates_the_open_pull_request_too(origin: Origin, clone: Repository, github: GitHub) -> None:
    deliver(origin.clone("first", "--depth", "1").root, adding(), REQUEST)
    clone.commit("Moved on", {"NOTES.txt": "1\n"})
    clone.commit("Moved on again", {"NOTES.txt": "2\n"})
    clone.git("push", "--quiet")
    deliver(origin.clone("second", "--depth", "1").root, adding(), REQUEST)
    assert origin.subjects("release/app-0") == ["Shift app-0 to 1", "Moved on again", "Moved on", "Start"]


def test_commits_that_someone_added_to_the_pull_request_are_not_dropped(
    origin: Origin, clone: Repository, github: GitHub
) -> None:
    deliver(clone.root, adding(), REQUEST)
    clone.git("switch", "--quiet", "release/app-0")
    sha = clone.commit("A fix by the reviewer", {"NOTES.txt": "fixed\n"})
    clone.git("push", "--quiet", "origin", "release/app-0")
    clone.git("switch", "--quiet", "main")
    with pytest.raises(Refused, match=rf"origin/release/app-0: somebody else added commits .*{sha[:12]}.*--delete release/app-0"):
        deliver(clone.root, adding(), REQUEST)
    assert origin.git("rev-parse", "release/app-0") == sha


def test_a_branch_that_changes_in_the_same_moment_is_a_lost_race(origin: Origin, clone: Repository, github: GitHub) -> None:
    other = origin.clone("other")
    mine = PullRequest("release/app-0", "Mine", "mine")
    between = once(lambda: deliver(other.root, adding(by="other"), REQUEST))
    push = git.push

    def late(*arguments: str, **named: str) -> git.Pushed:
        between()
        return push(*arguments, **named)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(git, "push", late)
        with pytest.raises(RaceLost, match=r"origin/release/app-0 changed while this command ran"):
            deliver(clone.root, adding(), mine)
    assert git.log(origin.root, "release/app-0")[0].trailer("By") == "other"


def test_without_gh_the_branch_is_pushed_and_the_way_by_hand_is_told(
    origin: Origin, clone: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    git_program = shutil.which("git")
    assert git_program
    (bare / "git").symlink_to(git_program)
    monkeypatch.setenv("PATH", str(bare))
    clone.git("remote", "set-url", "origin", "https://github.com/team/fleet.git")
    clone.git("config", f"url.{origin.root}.insteadOf", "https://github.com/team/fleet.git")
    monkeypatch.setattr(git, "remote_url", lambda root, remote: "https://github.com/team/fleet.git")
    with pytest.raises(ToolFailed) as failed:
        deliver(clone.root, adding(), REQUEST)
    text = str(failed.value)
    assert text.startswith("gh: not found on PATH; install GitHub's command line")
    assert "the branch IS pushed (origin/release/app-0)" in text
    assert text.endswith("by hand: https://github.com/team/fleet/compare/main...release/app-0?expand=1")
    assert origin.subjects("release/app-0") == ["Shift app-0 to 1", "Start"]


def test_a_gh_that_fails_is_told_in_its_words_and_the_next_run_completes(
    origin: Origin, clone: Repository, github: GitHub
) -> None:
    program = github.state / "bin" / "gh"
    working = program.read_text()
    program.write_text("#!/bin/sh\necho 'gh auth login, please' >&2\nexit 4\n")
    with pytest.raises(ToolFailed, match=r"gh pr list: gh auth login, please\nthe branch IS pushed"):
        deliver(clone.root, adding(), REQUEST)
    program.write_text(working)
    assert deliver(clone.root, adding(), REQUEST).url == "https://github.example/o/r/pull/7"


def test_a_pull_request_from_the_base_into_itself_is_refused(clone: Repository, github: GitHub) -> None:
    for name in ("main", "a..b"):
        with pytest.raises(ToolFailed, match="cannot be the branch of a pull request into main"):
            deliver(clone.root, adding(), PullRequest(name, "t", "b"))


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("git@github.com:team/fleet.git", "https://github.com/team/fleet/compare/main...b?expand=1"),
        ("https://token@github.com/team/fleet", "https://github.com/team/fleet/compare/main...b?expand=1"),
        ("ssh://git@ghe.example.com:2222/team/fleet.git", "https://ghe.example.com/team/fleet/compare/main...b?expand=1"),
        ("../origin.git", None),
        ("/srv/git/fleet.git", None),
    ],
)
def test_the_page_to_open_a_pull_request_by_hand(remote: str, page: str | None) -> None:
    assert compare_page(remote, "b", "main") == page
