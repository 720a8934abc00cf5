"""A decision to files and to a commit: whole or not at all, and nothing of a person's own work is touched."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from bento_gitops.model.problem import Refused, ToolFailed
from bento_gitops.repository import delivery, files
from bento_gitops.repository.changes import Proposal, RaceLost, change
from bento_gitops.repository.delivery import Commit, Delivered, Files, deliver
from bento_gitops.repository.files import Tree, WorkingTree
from bento_gitops.tools import git
from counting import adding, release, values, weight
from git_repositories import Repository

BOTH = (release("app-0"), values("app-0"))


def test_files_are_written_in_order_and_nothing_is_committed(clone: Repository) -> None:
    head = clone.head
    assert deliver(clone.root, adding(), Files()) == Delivered(BOTH)
    assert clone.text(BOTH[0]) == "weight: 1  # keep\n"
    assert clone.text(BOTH[1]) == "derived: 1\n"
    assert clone.head == head


def test_nothing_to_change_is_no_commit(clone: Repository) -> None:
    def same(tree: Tree) -> Proposal:
        return Proposal((change(tree, BOTH[0], tree.read(BOTH[0])),), "Nothing", {})

    head = clone.head
    for decide in (lambda tree: None, same):
        assert deliver(clone.root, decide, Commit()) == Delivered()
    assert clone.head == head


def test_a_file_that_was_edited_while_the_command_decided_is_not_overwritten(clone: Repository) -> None:
    decide = adding(between=lambda: clone.put(BOTH[0], "weight: 40\n"))
    with pytest.raises(RaceLost) as lost:
        deliver(clone.root, decide, Files())
    assert str(lost.value) == (
        f"lost a race: {BOTH[0]} changed on disk while this command ran; nothing was written\n"
        "  -weight: 0  # keep\n  +weight: 40\n"
        "look at what it says now (bento-gitops status), and run the command again if it is still right"
    )
    decide = adding(between=lambda: clone.put(BOTH[1], "derived: by hand\n"))
    with pytest.raises(RaceLost, match="by hand"):
        deliver(clone.root, decide, Files())
    assert (clone.text(BOTH[0]), clone.text(BOTH[1])) == ("weight: 40\n", "derived: by hand\n")


def test_a_commit_holds_all_files_the_message_and_who_made_it(clone: Repository) -> None:
    before = clone.head
    delivered = deliver(clone.root, adding(), Commit())
    assert delivered == Delivered(BOTH, clone.head)
    assert clone.git("log", "-1", "--format=%P %an <%ae> %cn") == f"{before} Olivia Operator <olivia@example.com> Olivia Operator"
    assert clone.git("log", "-1", "--format=%B").startswith("Shift app-0 to 1\n\nBecause it counts.\n\nTarget: prod/app-0")
    assert clone.git("show", "--format=", "--name-only").split() == list(BOTH)
    assert clone.status == ""
    assert clone.git("diff-files") == ""
    assert clone.git("reflog", "-1", "--format=%gs") == "bento-gitops: Shift app-0 to 1"


def test_files_are_added_and_removed_with_the_folders_that_they_leave_empty(clone: Repository) -> None:
    def replace(tree: Tree) -> Proposal:
        return Proposal(
            (change(tree, "new/a b.yaml", b"x: 1\n"), change(tree, BOTH[0], None), change(tree, BOTH[1], None)), "Move", {}
        )

    deliver(clone.root, replace, Commit())
    assert clone.status == ""
    assert not (clone.root / "environments/prod/app-0").exists()
    assert (clone.root / "environments/prod/app-1").exists()
    assert clone.git("show", "--format=", "--name-status", "--no-renames", "-z").split("\0")[:-1] == [
        "D", BOTH[0], "D", BOTH[1], "A", "new/a b.yaml",
    ]  # fmt: skip


def test_what_a_person_staged_or_edited_elsewhere_stays_as_it_is(clone: Repository) -> None:
    clone.put("NOTES.txt", "staged\n")
    clone.git("add", "NOTES.txt")
    clone.put("NOTES.txt", "edited after that\n")
    clone.put("scratch.txt", "mine\n")
    deliver(clone.root, adding(), Commit())
    assert clone.status == "MM NOTES.txt\n?? scratch.txt"
    assert clone.at("HEAD", "NOTES.txt") == "hello\n"
    assert clone.git("show", ":NOTES.txt") == "staged"


def test_changes_that_are_not_committed_are_refused_all_at_once_with_what_to_do(clone: Repository) -> None:
    clone.put(BOTH[0], "weight: 7\n")
    clone.git("add", BOTH[0])
    clone.put(BOTH[1], "derived: 7\n")
    with pytest.raises(Refused) as refused:
        deliver(clone.root, adding(), Commit())
    assert [str(problem) for problem in refused.value.problems] == [
        f"{path}: has changes that are not committed (found {where}); commit them (git add {path} && git commit {path}) or drop"
        f" them (git restore --source=HEAD --staged --worktree {path}), and run again"
        for path, where in ((BOTH[0], "in the index"), (BOTH[1], "on disk"))
    ]
    for problem in refused.value.problems:
        command = problem.todo.partition("drop them (")[2].partition(")")[0]
        subprocess.run(command.split(), cwd=clone.root, check=True, capture_output=True)
    deliver(clone.root, adding(), Commit())
    assert clone.status == ""


def test_a_file_that_git_does_not_know_is_not_overwritten(clone: Repository) -> None:
    def add(tree: Tree) -> Proposal:
        return Proposal((change(tree, "new.yaml", b"x: 1\n"),), "Add", {})

    clone.put("new.yaml", "mine\n")
    with pytest.raises(Refused, match="a file that Git does not know"):
        deliver(clone.root, add, Commit())
    clone.put(".gitignore", "new.yaml\n")
    with pytest.raises(Refused, match="a file that Git is told to ignore"):
        deliver(clone.root, add, Commit())
    assert clone.text("new.yaml") == "mine\n"


def test_what_was_already_done_to_the_files_is_committed(clone: Repository) -> None:
    deliver(clone.root, adding(), Files())
    deliver(clone.root, adding(), Commit())
    assert clone.status == ""
    assert clone.at("HEAD", BOTH[0]) == "weight: 1  # keep\n"


def test_a_branch_that_moved_on_meanwhile_gets_the_decision_made_on_its_new_tip(clone: Repository) -> None:
    humans = iter([lambda: clone.commit("By hand", {"NOTES.txt": "by hand\n"})])
    delivered = deliver(clone.root, adding(between=lambda: next(humans, lambda: None)()), Commit())
    assert delivered.attempts == 2
    assert clone.subjects() == ["Shift app-0 to 1", "By hand", "Start"]
    assert clone.status == ""


def test_a_swap_of_the_branch_that_is_lost_puts_the_files_back_before_the_next_attempt(
    clone: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = git.swap_branch
    during: list[str | None] = []

    def late(root: Path, branch: str, new: str, old: str, reason: str) -> bool:
        if not during:
            during.append(clone.text(BOTH[0]))
            clone.git("commit", "--quiet", "--allow-empty", "--only", "--message", "Between writing and moving")
        return swap(root, branch, new, old, reason)

    monkeypatch.setattr(git, "swap_branch", late)
    after: list[str | None] = []
    monkeypatch.setattr(delivery, "_wait", lambda attempt: after.extend((clone.text(BOTH[0]), clone.status)))
    delivered = deliver(clone.root, adding(), Commit())
    assert (during, delivered.attempts) == (["weight: 1  # keep\n"], 2)
    assert after == ["weight: 0  # keep\n", ""]
    assert clone.subjects() == ["Shift app-0 to 1", "Between writing and moving", "Start"]
    assert clone.status == ""


def test_a_person_who_commits_the_index_in_the_middle_commits_the_whole_change(
    clone: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = git.swap_branch

    def late(root: Path, branch: str, new: str, old: str, reason: str) -> bool:
        clone.git("commit", "--quiet", "--message", "Mine, and what was in the index")
        return swap(root, branch, new, old, reason)

    monkeypatch.setattr(git, "swap_branch", late)
    with pytest.raises(RaceLost):
        deliver(clone.root, adding(), Commit())
    assert (clone.status, clone.at("HEAD", BOTH[0]), clone.at("HEAD", BOTH[1])) == ("", "weight: 1  # keep\n", "derived: 1\n")


def test_someone_elses_change_of_the_same_file_is_a_lost_race(clone: Repository) -> None:
    humans = iter([lambda: clone.commit("By hand", {BOTH[0]: "weight: 50  # keep\n"})])
    with pytest.raises(RaceLost, match=r"changed on main while this command ran(?s:.*)-weight: 0  # keep\n  \+weight: 50"):
        deliver(clone.root, adding(between=lambda: next(humans, lambda: None)()), Commit())
    assert clone.subjects() == ["By hand", "Start"]
    assert clone.status == ""


def test_commands_side_by_side_in_one_clone_lose_nothing(clone: Repository) -> None:
    outcomes: list[Delivered | Exception] = []

    def run(application: str) -> None:
        try:
            outcomes.append(deliver(clone.root, adding(application), Commit()))
        except Exception as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run, args=(f"app-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert all(isinstance(outcome, Delivered) for outcome in outcomes), outcomes
    assert sorted(clone.subjects()[:-1]) == [f"Shift app-{number} to 1" for number in range(6)]
    assert clone.status == ""


def test_a_detached_head_is_refused_for_a_commit(clone: Repository) -> None:
    clone.git("checkout", "--quiet", "--detach")
    with pytest.raises(Refused, match=r"no branch is checked out.*git switch BRANCH.*--push with the name of a branch"):
        deliver(clone.root, adding(), Commit())
    assert clone.status == ""


def test_a_missing_name_is_an_error_before_anything_is_written(clone: Repository, git_settings: Path) -> None:
    git_settings.write_text("")
    called: list[Tree] = []
    with pytest.raises(ToolFailed, match=r"it is not known who commits; say it once: git config --global user.name"):
        deliver(clone.root, lambda tree: called.append(tree), Commit())
    assert (called, clone.status) == ([], "")


def test_a_commit_that_cannot_be_signed_is_not_made(clone: Repository) -> None:
    for name, value in (("commit.gpgSign", "yes"), ("gpg.program", "false")):
        clone.git("config", name, value)
    head = clone.head
    with pytest.raises(ToolFailed, match=r"commit-tree(?s:.*)gpg failed to sign"):
        deliver(clone.root, adding(), Commit())
    assert (clone.head, clone.status) == (head, "")


def test_a_commit_is_signed_where_git_is_told_to(clone: Repository, tmp_path: Path) -> None:
    signer = tmp_path / "signer"
    signer.write_text(
        "#!/bin/sh\ncat > /dev/null\necho '[GNUPG:] SIG_CREATED ' >&2\nprintf -- '-----BEGIN PGP SIGNATURE-----\\n\\nit is me\\n"
        "-----END PGP SIGNATURE-----\\n'\n"
    )
    signer.chmod(0o755)
    for name, value in (("commit.gpgSign", "true"), ("gpg.program", str(signer)), ("user.signingKey", "me")):
        clone.git("config", name, value)
    deliver(clone.root, adding(), Commit())
    assert "it is me" in clone.git("cat-file", "commit", "HEAD")


def test_variables_of_a_hook_do_not_lead_to_another_repository(
    clone: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Repository(tmp_path / "other")
    other.root.mkdir()
    other.git("init", "--quiet")
    head = other.commit("Other", {"a.txt": "a\n"})
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(other.root / ".git"))
        hook.setenv("GIT_INDEX_FILE", str(other.root / ".git/index"))
        hook.setenv("GIT_WORK_TREE", str(other.root))
        hook.setenv("GIT_PREFIX", "a/")
        deliver(clone.root, adding(), Commit())
    assert (other.head, other.status) == (head, "")
    assert (clone.subjects()[0], clone.status) == ("Shift app-0 to 1", "")


def test_a_worktree_commits_to_its_own_branch(clone: Repository, tmp_path: Path) -> None:
    clone.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))
    side = Repository(tmp_path / "side")
    deliver(side.root, adding(), Commit())
    assert (side.subjects()[0], side.status) == ("Shift app-0 to 1", "")
    assert (clone.subjects(), clone.status) == (["Start"], "")


def test_a_repository_in_a_folder_of_another_and_a_relative_root_work(
    tmp_path: Path, git_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    around = Repository(tmp_path / "around")
    around.root.mkdir()
    around.git("init", "--quiet")
    around.commit("Start", {f"fleet/{path}": text for path, text in zip(BOTH, ("weight: 0\n", "derived: 0\n"), strict=True)})
    monkeypatch.chdir(around.root)
    delivered = deliver(Path("fleet"), adding(), Commit())
    assert delivered.paths == BOTH
    assert around.at("HEAD", f"fleet/{BOTH[1]}") == "derived: 1\n"
    assert around.status == ""
    around.put(f"fleet/{BOTH[1]}", "derived: 9\n")
    with pytest.raises(Refused, match=rf"^{BOTH[1]}: has changes"):
        deliver(Path("fleet"), adding(), Commit())


def test_a_shallow_clone_commits(origin, tmp_path: Path) -> None:
    shallow = origin.clone("shallow", "--depth", "1")
    deliver(shallow.root, adding(), Commit())
    assert shallow.status == ""


def test_a_repository_without_a_commit_says_so(tmp_path: Path, git_settings: Path) -> None:
    empty = Repository(tmp_path / "empty")
    empty.root.mkdir()
    with pytest.raises(ToolFailed, match="this is no Git repository; run in a clone of it"):
        deliver(empty.root, adding(), Commit())
    empty.git("init", "--quiet")
    with pytest.raises(ToolFailed, match=r"there is no commit yet; make the first one"):
        deliver(empty.root, adding(), Commit())


def test_an_index_that_stays_locked_is_an_error_and_nothing_is_written(
    clone: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "FIRST_WAIT", 0.001)
    head = clone.head
    (clone.root / ".git/index.lock").touch()
    with pytest.raises(ToolFailed, match=r"git update-index: .*index\.lock': File exists"):
        deliver(clone.root, adding(), Commit())
    (clone.root / ".git/index.lock").unlink()
    assert (clone.head, clone.status) == (head, "")


def test_a_branch_that_cannot_be_moved_leaves_files_and_index_as_they_were(clone: Repository) -> None:
    head = clone.head
    (clone.root / ".git/refs/heads/main.lock").touch()
    with pytest.raises(ToolFailed, match=r"git update-ref .*main\.lock': File exists"):
        deliver(clone.root, adding(), Commit())
    assert (clone.head, clone.status, clone.text(BOTH[0])) == (head, "", "weight: 0  # keep\n")


def test_a_disk_that_refuses_in_the_middle_leaves_neither_commit_nor_files(
    clone: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = files._replace

    def full(target: Path, data: bytes) -> None:
        if target.name == "values.yaml" and data == b"derived: 1\n":
            raise OSError(28, "No space left on device")
        replace(target, data)

    head = clone.head
    monkeypatch.setattr(files, "_replace", full)
    with pytest.raises(ToolFailed, match=rf"No space left on device(?s:.*)written by then: {BOTH[0]}"):
        deliver(clone.root, adding(), Commit())
    assert (clone.head, clone.status) == (head, "")


def test_a_files_mode_and_other_bytes_are_kept(clone: Repository) -> None:
    (clone.root / BOTH[0]).chmod(0o755)
    clone.git("commit", "--quiet", "--all", "--message", "Executable")
    deliver(clone.root, adding(), Commit())
    assert clone.git("ls-tree", "HEAD", BOTH[0]).startswith("100755")
    assert (clone.status, os.access(clone.root / BOTH[0], os.X_OK)) == ("", True)


def test_a_command_waits_for_its_turn_and_says_when_it_does_not_come(clone: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "TURN", 0.05)
    with delivery._turn(clone.root), pytest.raises(ToolFailed, match="another bento-gitops command is writing"):
        deliver(clone.root, adding(), Files())
    deliver(clone.root, adding(), Files())
    assert weight(WorkingTree(clone.root)) == 1
