"""What Git knows of a repository: its files, its history, who commits."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import pickle
import random
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bento_gitops.model.problem import ToolFailed
from bento_gitops.repository.files import GitTree
from bento_gitops.tools import git
from git_repositories import Origin, Repository, git_settings, origin

__all__ = ["git_settings", "origin"]

RELEASE = "environments/prod/app-0/release.yaml"


@pytest.fixture
def clone(origin: Origin) -> Repository:
    return origin.clone("clone")


def test_the_log_has_subject_body_and_trailers_of_what_touches_a_path(clone: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, day in enumerate(("2026-11-01", "2026-11-02", "2026-11-03")):
        for who in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{who}_DATE", f"{day}T10:00:00+02:00")
        message = (
            f"Shift to {number}\n\nBecause of a: colon,\nand a second line.\n\nAnother paragraph.\n\nTarget: prod/app-0\n"
            "Reason: it is\n as long as two lines\nGate: one\nGate: two\n"
        )
        clone.commit(message, {RELEASE: f"weight: {number + 1}\n"})
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    clone.commit("Elsewhere", {"NOTES.txt": "x\n"})
    log = git.log(clone.root, paths=[RELEASE])
    assert [commit.subject for commit in log] == ["Shift to 2", "Shift to 1", "Shift to 0", "Start"]
    first = log[2]
    assert (first.author, first.email) == ("Olivia Operator", "olivia@example.com")
    assert first.date == datetime(2026, 11, 1, 8, tzinfo=UTC)
    assert first.body == "Because of a: colon,\nand a second line.\n\nAnother paragraph."
    assert first.trailers == (
        ("Target", "prod/app-0"),
        ("Reason", "it is as long as two lines"),
        ("Gate", "one"),
        ("Gate", "two"),
    )
    assert (first.trailer("gate"), first.trailer("None")) == ("two", None)
    assert (log[3].body, log[3].trailers) == ("", ())
    since, until = datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 2, 23, tzinfo=UTC)
    assert [commit.subject for commit in git.log(clone.root, paths=[RELEASE], since=since, until=until)] == ["Shift to 1"]
    assert [commit.subject for commit in git.log(clone.root, limit=1)] == ["Elsewhere"]
    assert git.log(clone.root, paths=["no/such"]) == []


def test_a_file_that_was_removed_and_came_back_is_another_record(clone: Repository) -> None:
    first = clone.commit("Add", {"bundles/app/1.yaml": "first\n"})
    clone.commit("Change", {"bundles/app/1.yaml": "changed\n"})
    assert git.added(clone.root, "bundles/app/1.yaml") == (first, b"first\n")
    (clone.root / "bundles/app/1.yaml").unlink()
    clone.commit("Remove")
    again = clone.commit("Again", {"bundles/app/1.yaml": "second\n"})
    assert git.added(clone.root, "bundles/app/1.yaml") == (again, b"second\n")
    assert git.added(clone.root, "bundles/app/2.yaml") is None
    versions = git.versions(clone.root, "bundles/app/1.yaml")
    assert [(commit.subject, data) for commit, data in versions] == [
        ("Again", b"second\n"),
        ("Remove", None),
        ("Change", b"changed\n"),
        ("Add", b"first\n"),
    ]


def test_a_file_that_came_by_a_merge_was_added_by_the_merge_as_it_was_then(clone: Repository) -> None:
    clone.git("switch", "--quiet", "--create", "side")
    clone.commit("On the side", {"new.yaml": "x: 1\n"})
    clone.commit("Mended before it was merged", {"new.yaml": "x: 2\n"})
    clone.git("switch", "--quiet", "main")
    clone.commit("Meanwhile", {"NOTES.txt": "x\n"})
    clone.git("merge", "--quiet", "--no-edit", "--no-ff", "side")
    assert git.added(clone.root, "new.yaml") == (clone.head, b"x: 2\n")
    clone.git("switch", "--quiet", "--create", "long", "HEAD^1")
    clone.git("merge", "--quiet", "--no-edit", "--no-ff", "main")
    clone.commit("Changed after it was recorded", {"new.yaml": "x: 3\n"})
    found = git.added(clone.root, "new.yaml", "main")
    assert found is not None
    assert found[1] == b"x: 2\n", "a branch that took it over later adds nothing"


def test_a_shallow_clone_says_that_it_lacks_the_history(origin: Origin, clone: Repository) -> None:
    clone.commit("Second", {"NOTES.txt": "x\n"})
    clone.git("push", "--quiet")
    shallow = origin.clone("shallow", "--depth", "1")
    assert (git.is_shallow(shallow.root), git.is_shallow(clone.root)) == (True, False)
    with pytest.raises(ToolFailed, match=r"lacks a part of the history; get it: git fetch --unshallow"):
        git.added(shallow.root, RELEASE)


def test_a_ref_that_is_not_there_is_told_with_what_to_do(clone: Repository, tmp_path: Path) -> None:
    assert git.resolve(clone.root, "main") == git.resolve(clone.root, clone.head[:10]) == clone.head
    for ref in ("nowhere", "--all", "main^{tree}"):
        with pytest.raises(ToolFailed, match=r"no such branch, tag or commit: .*; fetch it \(git fetch\), or name another"):
            git.resolve(clone.root, ref)
    assert git.is_repository(clone.root)
    assert not git.is_repository(tmp_path)
    with pytest.raises(ToolFailed, match="this is no Git repository"):
        git.resolve(tmp_path, "HEAD")


def test_where_two_branches_parted_and_what_one_has_alone(clone: Repository) -> None:
    parted = clone.head
    clone.git("switch", "--quiet", "--create", "side")
    mine = clone.commit("Mine", {"NOTES.txt": "x\n"})
    assert git.merge_base(clone.root, "side", "origin/main") == parted
    assert git.commits_between(clone.root, "main", "side") == [mine]
    clone.git("checkout", "--quiet", "--orphan", "other")
    clone.commit("Another start")
    assert git.merge_base(clone.root, "other", "main") is None
    assert git.default_branch(clone.root, "origin") == "main"
    assert git.default_branch(clone.root, "upstream") is None


def test_the_branch_that_a_branch_follows(clone: Repository) -> None:
    assert git.current_branch(clone.root) == "main"
    assert git.upstream(clone.root, "main") == ("origin", "main")
    clone.git("switch", "--quiet", "--create", "side", "--track", "main")
    assert git.upstream(clone.root, "side") is None  # it follows a branch of the same clone
    clone.git("push", "--quiet", "--set-upstream", "origin", "side:other/name")
    assert git.upstream(clone.root, "side") == ("origin", "other/name")
    clone.git("checkout", "--quiet", "--detach")
    assert git.current_branch(clone.root) is None


def test_where_a_clone_stands_is_what_git_says_of_it_one_by_one(origin: Origin, clone: Repository) -> None:
    def asked() -> tuple[object, ...]:
        branch = git.current_branch(clone.root)
        return branch, git.upstream(clone.root, branch) if branch else None, git.default_branch(clone.root, "origin")

    def told() -> tuple[object, ...]:
        here = git.standing(clone.root)
        assert here.tip in (None, clone.git("rev-parse", "--verify", "--quiet", "HEAD", check=False))
        assert here.remote in (None, *git.remotes(clone.root))
        return here.branch, here.follows, here.defaults.get("origin")

    assert told() == asked() == ("main", ("origin", "main"), "main")
    clone.git("push", "--quiet", "origin", "main:other/name")
    clone.git("fetch", "--quiet")
    clone.git("switch", "--quiet", "--create", "side/of-it", "--track", "origin/other/name")
    assert told() == asked() == ("side/of-it", ("origin", "other/name"), "main")
    clone.git("branch", "--quiet", "--set-upstream-to", "main")
    assert told() == asked() == ("side/of-it", None, "main"), "it follows a branch of the same clone"
    clone.git("config", "branch.side/of-it.remote", "elsewhere")
    assert told() == asked() == ("side/of-it", ("elsewhere", "main"), "main"), "nothing is fetched from there"
    clone.git("checkout", "--quiet", "--detach")
    assert told() == asked() == (None, None, "main")
    clone.git("checkout", "--quiet", "--orphan", "new")
    assert told() == asked() == ("new", None, "main")
    clone.git("remote", "set-head", "origin", "--delete")
    assert told() == asked() == ("new", None, None)


PATHS = ("top", "a/b/one", "a/b/two", "a/b.c", "a-b/x", "a/b-c/deep/er/file", "z é/ü", "gone/only", "was-a-file/now")


@pytest.mark.parametrize(("folder", "kind"), [("", "sha1"), ("nested/in it", "sha256")])
def test_a_commit_has_the_tree_that_git_makes_of_the_same_files(
    tmp_path: Path, git_settings: Path, folder: str, kind: str
) -> None:
    """Names that sort otherwise as folders than as files, folders that come and go, a file that becomes a folder."""
    clone = Repository(tmp_path / "clone")
    clone.root.mkdir()
    clone.git("init", "--quiet", f"--object-format={kind}")
    start = {"beside/it": "x\n", "a/b/one": "1\n", "gone/only": "1\n", "was-a-file": "1\n", "a/kept": "1\n"}
    clone.commit("Start", {f"{folder}/{path}".lstrip("/"): text for path, text in start.items()} | {"outside/of": "x\n"})
    (clone.root / folder / "a/b/one").chmod(0o755)
    (clone.root / folder / "link").symlink_to("a")
    clone.commit("Modes")
    root = clone.root / folder
    choices = random.Random(7)
    for _ in range(6):
        chosen = {path: choices.choice([b"new\n", b"other\n", None]) for path in PATHS if choices.random() < 0.7}
        made = git.commit_tree(root, clone.head, chosen, "Mine\n")
        for path, data in chosen.items():
            file = root / path
            if data is None:
                with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    file.unlink()
                continue
            for above in file.parents:
                if above.is_file():
                    above.unlink()
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        clone.git("add", "--all")
        assert clone.git("rev-parse", f"{made.sha}^{{tree}}") == clone.git("write-tree")
        assert clone.git("log", "-1", "--format=%P %s", made.sha) == f"{clone.head} Mine"
        for path, entry in made.entries.items():
            listed = clone.git("ls-tree", made.sha, "--", f"{folder}/{path}".lstrip("/")).split("\t")[0].split()
            assert listed == ([entry.mode, "blob", entry.blob] if entry else [])
        clone.git("reset", "--quiet", "--hard", made.sha)
    with pytest.raises(ToolFailed, match="link is a symbolic link; replace it"):
        git.commit_tree(root, clone.head, {"link": b"x"}, "Mine\n")
    assert clone.git("fsck", "--strict", "--no-dangling", "--no-progress") == ""


def test_who_commits_is_what_git_was_told_and_never_a_guess(clone: Repository, git_settings: Path) -> None:
    assert git.identity(clone.root) == "Olivia Operator <olivia@example.com>"
    git_settings.write_text("")
    assert git.identity(clone.root) is None
    with pytest.raises(ToolFailed, match="it is not known who commits"):
        git.require_identity(clone.root)
    git_settings.write_text("[committer]\n\tname = Olivia\n\temail = olivia@example.com\n")
    git.require_identity(clone.root)
    with pytest.raises(ToolFailed, match="it is not known who commits"):
        git.commit_tree(clone.root, clone.head, {"NOTES.txt": b"x"}, "Mine")


def test_a_git_that_is_missing_is_told(clone: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = GitTree(clone.root, "HEAD")
    monkeypatch.setenv("PATH", str(tmp_path))
    for call in (lambda: git.is_shallow(clone.root), lambda: tree.read(RELEASE)):
        with pytest.raises(ToolFailed, match="git: not found on PATH; install it"):
            call()


def test_many_files_are_read_by_one_process_that_ends_with_its_reader(clone: Repository) -> None:
    clone.commit("Odd", {"empty": "", "new\nline": "x", "blob-like": "0123 blob 5\n", "ü ä": "umlaut\n"})
    tree = GitTree(clone.root, "HEAD")
    assert {path: tree.read(path) for path in ("empty", "new\nline", "blob-like", "ü ä")} == {
        "empty": b"",
        "new\nline": b"x",
        "blob-like": b"0123 blob 5\n",
        "ü ä": b"umlaut\n",
    }
    process = tree._blobs._process
    assert process
    tree.read(RELEASE)
    assert tree._blobs._process is process
    del tree
    gc.collect()
    assert process.poll() is not None


def _read(tree: GitTree) -> bytes:
    return tree.read(RELEASE)


def test_a_tree_is_read_by_other_processes_too(clone: Repository) -> None:
    tree = GitTree(clone.root, "HEAD")
    ours = tree.read(RELEASE)
    assert pickle.loads(pickle.dumps(tree)).read(RELEASE) == ours
    # As rendering does: forked workers that are sent the tree, while this process goes on reading.
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_read, [tree] * 4) == [ours] * 4
    assert tree.read("NOTES.txt") == b"hello\n"


def test_threads_that_read_one_tree_get_each_their_own_file(clone: Repository) -> None:
    paths = {f"many/{number}": f"{number}\n" * (number + 1) for number in range(200)}
    clone.commit("Many", paths)
    tree = GitTree(clone.root, "HEAD")
    wrong: list[str] = []

    def read_all() -> None:
        wrong.extend(path for path, text in paths.items() if tree.read(path) != text.encode())

    threads = [threading.Thread(target=read_all) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_an_object_that_is_lost_is_told_and_not_waited_for(clone: Repository) -> None:
    tree = GitTree(clone.root, "HEAD")
    entry = tree.entry(RELEASE)
    assert entry
    with pytest.raises(ToolFailed, match="is missing in this clone; look with: git fsck"):
        git.Blobs(clone.root).read("0" * 40)
    assert tree.read(RELEASE) == b"weight: 0  # keep\n"
