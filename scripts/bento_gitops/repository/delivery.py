"""How a decision reaches files, a commit, a remote branch or a pull request: the new state as a whole, or nothing.

A decision is a function of a tree. Where the tree it was made on is no longer the newest by the time of writing, it is made
again on the newest one (or stands, where all that it read is the same there); unless the files that it rests on are others:
then somebody else decided meanwhile, and a person has to look.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from bento_gitops.model.problem import Place, Problem, Refused, ToolFailed
from bento_gitops.repository.changes import Change, Proposal, RaceLost, overtaken, put_back, race_lost, write_files
from bento_gitops.repository.files import GitTree, Tree, WorkingTree, contents
from bento_gitops.tools import git, github

__all__ = ["Commit", "Decide", "Delivered", "Files", "How", "NotTaken", "PullRequest", "Push", "RaceLost", "base_of", "deliver"]

Decide: TypeAlias = Callable[[Tree], Proposal | None]
"""None: there is nothing to change. It is called again where it comes too late, so it must not write anything, and it reads
files of the repository from the tree alone."""

Text: TypeAlias = str | Callable[[Tree, Proposal], str]
"""A text, or what makes it of the tree before and of what was decided on it."""

MOST_ATTEMPTS = 60
"""Attempts to be first. Someone wins each round, so only a crowd of more than this can starve one."""
FIRST_WAIT, LONGEST_WAIT = 0.1, 4.0
"""Seconds before the second attempt, and before a late one; each is drawn at random up to that."""
TURN = 60.0
"""Seconds to wait for another command that writes to the same clone."""


class NotTaken(ToolFailed):
    """The remote answers, and takes no commit on this branch from here: it is protected, say. Nothing was changed."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said
        """The remote's own words."""


@dataclass(frozen=True, slots=True)
class Files:
    """To the files of the working tree only; a person commits them."""


@dataclass(frozen=True, slots=True)
class Commit:
    """To a commit on the branch that is checked out, and to the files."""


@dataclass(frozen=True, slots=True)
class Push:
    """To a commit on top of a remote's branch: by default the remote's default branch, which is what runs."""

    branch: str | None = None
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class PullRequest:
    """To a commit on a branch of its own, made on top of the base, and a pull request of that."""

    branch: Text
    title: Text
    body: Text
    """Not longer than GitHub takes: github.LONGEST_BODY."""
    base: str | None = None
    """As `Push.branch`."""
    remote: str | None = None


How: TypeAlias = Files | Commit | Push | PullRequest


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a decision."""

    paths: tuple[str, ...] = ()
    """The files that changed, in the order of writing."""
    commit: str | None = None
    pushed: str | None = None
    """The remote's branch: `origin/main`."""
    url: str | None = None
    """The pull request."""
    attempts: int = 1
    notes: tuple[str, ...] = ()
    """What a person should know: why the clone was not brought along, for instance."""


def deliver(root: Path, decide: Decide, how: How) -> Delivered:
    """Decides, and brings what was decided to where it is wanted.

    Raises Refused where the clone's state forbids it, RaceLost where somebody else was first, NotTaken where the remote refuses
    a push, ToolFailed with the words of a tool that failed, and what `decide` raises. Unless the error says otherwise, nothing
    was written then.
    """
    match how:
        case Files():
            return _to_files(root, decide)
        case Commit():
            return _to_commit(root, decide)
        case Push():
            return _to_remote(root, decide, how)
        case PullRequest():
            return _to_pull_request(root, decide, how)


def base_of(root: Path, how: How) -> Tree:
    """The tree that a decision would be made on.

    Raises what `deliver` raises before it decides.
    """
    match how:
        case Files():
            return WorkingTree(root)
        case Commit():
            return GitTree(root, "HEAD")
        case Push() | PullRequest():
            branch = how.branch if isinstance(how, Push) else how.base
            remote, branch = _destination(root, how.remote, branch)
            tip = git.fetch(root, remote, branch)
            return GitTree(root, tip, commit=tip)


def _to_files(root: Path, decide: Decide) -> Delivered:
    tree = WorkingTree(root)
    proposal = decide(tree)
    if proposal is None:
        return Delivered()
    with _turn(root):
        if lost := overtaken(proposal.start, tree):
            raise race_lost(lost, tree, "on disk")
        return Delivered(tuple(write_files(root, proposal.changes)))


# A commit on the branch that is checked out


def _to_commit(root: Path, decide: Decide) -> Delivered:
    branch = git.current_branch(root)
    if branch is None:
        todo = "check out the branch to commit to (git switch BRANCH), or use --push with the name of a branch"
        raise Refused([Problem(Place("HEAD"), "", "no branch is checked out, so a commit would be lost", "", todo)])
    head: str | None = git.resolve(root, "HEAD")  # a repository without a commit says so in these words
    git.require_identity(root)
    ref = f"refs/heads/{branch}"
    decisions = _Decisions(decide, branch)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        tree, head = GitTree(root, ref, commit=head), None
        proposal = decisions.on(tree)
        if proposal is None:
            return Delivered(attempts=attempt)
        with _turn(root):
            delivered = _commit(root, branch, tree.commit, proposal)
        if delivered:
            return replace(delivered, attempts=attempt)
        _wait(attempt)
    raise _starved(branch)


def _commit(root: Path, branch: str, parent: str, proposal: Proposal) -> Delivered | None:
    """Writes commit, files and index; None, with nothing written, where the branch has moved on from `parent`."""
    changes = proposal.effective()
    paths = [change.path for change in changes]
    if git.resolve(root, f"refs/heads/{branch}") != parent:
        return None
    _require_unchanged(root, changes)
    commit = git.commit_tree(root, parent, {change.path: change.after for change in changes}, proposal.message)
    # Files, then the index, the branch last. After a kill in between there are changes that are not committed yet, and complete
    # ones: to commit them is what was wanted. The other way round, old files or an old index would look like changes that take
    # the commit back, and somebody's next commit would do so.
    try:
        write_files(root, changes)
        _update_index(root, commit.entries, commit.sha)
        moved = git.swap_branch(root, branch, commit.sha, parent, f"bento-gitops: {proposal.message.partition(chr(10))[0]}")
    except BaseException:
        _take_back(root, branch, changes)
        raise
    if not moved:
        _take_back(root, branch, changes)
        return None
    return Delivered(tuple(paths), commit.sha)


def _take_back(root: Path, branch: str, changes: tuple[Change, ...]) -> None:
    """Gives files and index what the branch says of them again."""
    tree = GitTree(root, f"refs/heads/{branch}")
    put_back(root, changes, tree)
    _update_index(root, {change.path: tree.entry(change.path) for change in changes}, tree.commit)


def _update_index(root: Path, entries: Mapping[str, git.Entry | None], commit: str) -> None:
    """Raises ToolFailed where somebody else keeps the index locked."""
    said = git.update_index(root, entries, commit)
    for attempt in range(1, 6):
        if "index.lock" not in said:
            break
        _wait(attempt)  # another Git command holds it, for as long as it takes to write a file
        said = git.update_index(root, entries, commit)
    if said:
        raise ToolFailed(f"git update-index: {said}")


def _require_unchanged(root: Path, changes: tuple[Change, ...]) -> None:
    """Raises Refused with every path that has changes which are not committed: they would go into the commit, or be lost."""
    disk = contents(WorkingTree(root), [change.path for change in changes])
    wanted = {change.path: change.after for change in changes}
    problems = [
        Problem(
            Place(path),
            "",
            "has changes that are not committed",
            _how(letters),
            f"commit them (git add {path} && git commit {path}) or drop them ({_dropping(letters, path)}), and run again",
        )
        for path, letters in git.changed_paths(root, list(wanted)).items()
        # What a kill left behind, or what was already done to files only: to commit it is what was asked for.
        if disk.get(path, b"") != wanted.get(path) or " " not in letters.replace("?", " ")
    ]
    if problems:
        raise Refused(problems)


def _how(letters: str) -> str:
    if letters in ("??", "!!"):
        return "a file that Git does not know" if letters == "??" else "a file that Git is told to ignore"
    index, disk = letters
    return " and ".join(where for where, letter in (("in the index", index), ("on disk", disk)) if letter != " ")


def _dropping(letters: str, path: str) -> str:
    return f"rm {path}" if letters in ("??", "!!") else f"git restore --source=HEAD --staged --worktree {path}"


# A commit on a remote's branch


def _to_remote(root: Path, decide: Decide, how: Push) -> Delivered:
    remote, branch = _destination(root, how.remote, how.branch)
    git.require_identity(root)
    decisions = _Decisions(decide, f"{remote}/{branch}")
    said = ""
    for attempt in range(1, MOST_ATTEMPTS + 1):
        tip = git.fetch(root, remote, branch)
        tree = GitTree(root, tip, commit=tip)
        proposal = decisions.on(tree)
        if proposal is None:
            return Delivered(attempts=attempt)
        commit = _made(root, tip, proposal)
        pushed = _push(root, remote, commit, branch)
        if pushed.accepted:
            paths = tuple(change.path for change in proposal.effective())
            notes = _bring_along(root, remote, branch, commit, tip)
            return Delivered(paths, commit, f"{remote}/{branch}", attempts=attempt, notes=notes)
        if not pushed.overtaken:
            raise _not_accepted(remote, branch, pushed.said)
        said = pushed.said
        _wait(attempt)
    raise _starved(f"{remote}/{branch}", said)


def _made(root: Path, parent: str, proposal: Proposal) -> str:
    files = {change.path: change.after for change in proposal.effective()}
    return git.commit_tree(root, parent, files, proposal.message).sha


def _push(root: Path, remote: str, commit: str, branch: str, lease: str | None = None) -> git.Pushed:
    """Pushes; where the answer did not arrive, the remote is asked what became of it."""
    try:
        pushed = git.push(root, remote, commit, branch, lease)
        if pushed.accepted or pushed.verdict:
            return pushed
        said = pushed.said
    except ToolFailed as error:
        said = str(error)
    try:
        tip = git.remote_tip(root, remote, branch)
        # Somebody may have pushed on top of it by now: it is there all the same.
        arrived = tip == commit or (tip is not None and git.is_ancestor(root, commit, git.fetch(root, remote, branch)))
    except ToolFailed:
        todo = f"look whether {remote}/{branch} has commit {commit[:12]} (git fetch {remote}), and run again if not"
        raise ToolFailed(f"git push {remote} {branch}: it is not known whether it arrived; {todo}\n{said}") from None
    return git.Pushed(accepted=arrived, said=said)


def _not_accepted(remote: str, branch: str, said: str) -> NotTaken:
    todo = "where the branch is protected, open a pull request instead: --pr"
    return NotTaken(f"git push: {remote} does not take the commit on {branch}; nothing was changed; {todo}\n{said}", said)


def _destination(root: Path, remote: str | None, branch: str | None) -> tuple[str, str]:
    """The remote and its branch that are meant: the one that is named, else the remote's default branch, which is what runs.

    Somebody who looks at a branch of their own means that one too. Raises Refused where it cannot be told, ToolFailed where it
    is not there.
    """
    here = git.standing(root)
    if branch is not None and not git.is_branch_name(root, branch):
        raise ToolFailed(f"git: {branch!r} cannot be the name of a branch; name another")
    remote = remote or (here.follows[0] if here.follows else "origin")
    known = [remote] if remote == here.remote else git.remotes(root)
    if remote not in known:
        there = f"it knows {', '.join(known)}" if known else "it knows none"
        raise ToolFailed(f"git: this clone has no remote {remote} ({there}); add it: git remote add {remote} ADDRESS")
    branch = branch or here.defaults.get(remote) or git.default_branch(root, remote)
    branch = branch or (here.follows[1] if here.follows else here.branch)
    if branch is None:
        todo = "name the branch to push to (--branch main), or check it out (git switch BRANCH)"
        raise Refused([Problem(Place("HEAD"), "", "no branch is checked out, so there is none to push to", "", todo)])
    return remote, branch


def _bring_along(root: Path, remote: str, branch: str, commit: str, tip: str) -> tuple[str, ...]:
    """Brings the checked-out branch to what was pushed, where it follows that and nothing is in the way; notes where not.

    The commit is delivered by now, so nothing in here is a failure of the command.
    """
    try:
        here = git.standing(root)
        current = here.branch
        if current is None:
            return ()
        if (here.follows or ("origin", current)) != (remote, branch):
            return (f"pushed to {remote}/{branch}; your branch {current} is another, and stays as it is",)
        ahead = [] if here.tip == tip else git.commits_between(root, tip, f"refs/heads/{current}")
        if ahead:
            many = f"{len(ahead)} commit{'s' if len(ahead) > 1 else ''}"
            return (f"{many} of your branch {current} stayed here: only this change was pushed; next: git pull --rebase",)
        said = git.fast_forward(root, commit)
    except ToolFailed as error:
        said = str(error)
    if said:
        return (f"pushed, but your files stay as they were; next: git pull ({' '.join(said.split())})",)
    return ()


# A pull request


def _to_pull_request(root: Path, decide: Decide, how: PullRequest) -> Delivered:
    remote, base = _destination(root, how.remote, how.base)
    git.require_identity(root)
    tip = git.fetch(root, remote, base)
    tree = GitTree(root, tip, commit=tip)
    proposal = _Decisions(decide, f"{remote}/{base}").on(tree)
    if proposal is None:
        return Delivered()
    branch, title, body = (_text(text, tree, proposal) for text in (how.branch, how.title, how.body))
    assert len(body) <= github.LONGEST_BODY, f"a body of {len(body)} characters"
    if branch == base or not git.is_branch_name(root, branch):
        raise ToolFailed(f"git: {branch!r} cannot be the branch of a pull request into {base}; name another")
    there = _replaceable(root, remote, branch, tip)
    commit = _made(root, tip, proposal)
    pushed = git.Pushed(accepted=True) if commit == there else _push(root, remote, commit, branch, lease=there or "")
    if pushed.overtaken:
        todo = "somebody else works on the same change; look at their pull request"
        raise RaceLost(f"lost a race: {remote}/{branch} changed while this command ran; nothing was written; {todo}")
    if not pushed.accepted:
        raise _not_accepted(remote, branch, pushed.said)
    paths = tuple(change.path for change in proposal.effective())
    url = _opened(root, remote, branch, base, title, body)
    return Delivered(paths, commit, f"{remote}/{branch}", url)


def _text(text: Text, tree: Tree, proposal: Proposal) -> str:
    return text if isinstance(text, str) else text(tree, proposal)


def _replaceable(root: Path, remote: str, branch: str, tip: str) -> str | None:
    """The commit of the branch of an earlier run, which a new one may take the place of; None where there is no such branch.

    Raises Refused where the branch holds more than the one commit of a run.
    """
    if git.remote_tip(root, remote, branch) is None:
        return None
    there = git.fetch(root, remote, branch)
    git.fetch_history(root, remote)  # without it, all the history of the base looks like commits of the branch
    commits = git.commits_between(root, tip, there)
    if len(commits) > 1:
        todo = f"merge or close its pull request and delete the branch (git push {remote} --delete {branch})"
        found = ", ".join(commit[:12] for commit in commits)
        problem = Problem(
            Place(f"{remote}/{branch}"), "", "somebody else added commits to the branch of this change", found, todo
        )
        raise Refused([problem])
    return there


def _opened(root: Path, remote: str, branch: str, base: str, title: str, body: str) -> str:
    """The pull request of the branch, which is pushed by now: the open one with a new body, else a new one."""
    try:
        url = github.open_pull_request(root, branch, base)
        if url:
            return github.edit_pull_request(root, url, title, body)
        return github.create_pull_request(root, branch, base, title, body)
    except ToolFailed as error:
        page = github.compare_page(git.remote_url(root, remote), branch, base)
        by_hand = page or f"open one from {branch} into {base}"
        raise ToolFailed(
            f"{error}\nthe branch IS pushed ({remote}/{branch}), but there is no pull request that says what is on it now;"
            f" run this command again, or open it by hand: {by_hand}"
        ) from None


# Racing


class _Decisions:
    """What is decided, attempt by attempt."""

    def __init__(self, decide: Decide, where: str) -> None:
        self.decide = decide
        self.where = where
        """Whose files these are, for people."""
        self._first: Proposal | None = None
        self._last: tuple[GitTree, Proposal] | None = None

    def on(self, tree: GitTree) -> Proposal | None:
        """What is decided on the tree; None where it changes nothing.

        A decision that was made on another tree stands where it was asked nothing that this one answers otherwise: to make it
        again would give the same, and while it was made again somebody else would be first again.
        Raises RaceLost where the files that the first decision rests on are others now.
        """
        if self._first and (lost := overtaken(self._first.start, tree)):
            raise race_lost(lost, tree, f"on {self.where}")
        if self._last and self._last[0].answers_alike(tree) and not _other_than_before(self._last[1], tree):
            return self._last[1]
        proposal = self.decide(tree)
        if proposal is None or not proposal.effective():
            return None
        wrong = _other_than_before(proposal, tree)
        assert not wrong, f"decided on other files than those of {self.where}: {', '.join(wrong)}"
        self._first = self._first or proposal
        self._last = tree, proposal
        return proposal


def _other_than_before(proposal: Proposal, tree: Tree) -> list[str]:
    then = contents(tree, [change.path for change in proposal.changes])
    return [change.path for change in proposal.changes if then[change.path] != change.before]


def _wait(attempt: int) -> None:
    """Draws lots with those who came at the same time."""
    time.sleep(random.uniform(0, min(FIRST_WAIT * 1.3 ** (attempt - 1), LONGEST_WAIT)))


def _starved(where: str, said: str = "") -> ToolFailed:
    text = f"git: {where} moved on in each of {MOST_ATTEMPTS} attempts to add to it; nothing was written; run again later"
    return ToolFailed(f"{text}\n{said}" if said else text)


@contextlib.contextmanager
def _turn(root: Path) -> Generator[None]:
    """One command of this package at a time writes to a working tree. A kill ends the turn, and leaves no file behind."""
    if sys.platform == "win32":
        yield  # without locks on folders: two commands in one working tree are told apart by what they find on disk alone
        return
    import fcntl
    import os

    folder = os.open(root, os.O_RDONLY)
    try:
        end = time.monotonic() + TURN
        while True:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    todo = "end it, or run again when it is done"
                    raise ToolFailed(f"another bento-gitops command is writing to {root}; nothing was written; {todo}") from None
                time.sleep(0.02)
        yield
    finally:
        os.close(folder)
