"""history: how an application came to what it runs, from Git: each change of its release, by whom and why."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from bento_gitops.layers.reading import read
from bento_gitops.model.layout import release_file
from bento_gitops.model.problem import InvalidInput, ToolFailed
from bento_gitops.model.release import Release
from bento_gitops.releasing.message import BREAK_GLASS, BY, REASON, TARGET, TRANSITION, WEIGHTS, pull_request
from bento_gitops.releasing.states import State, state_of, weights
from bento_gitops.repository.files import WorkingTree
from bento_gitops.repository.fleet import Fleet, Target, is_target
from bento_gitops.tools import git, github

_APP = re.compile(r"\[bot\]@[^@<>]+>$")
"""How GitHub writes the address of an app."""
MOST = 50
"""Commits of one application that are looked at unless somebody asks for more."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One change of a release."""

    commit: str
    at: datetime
    target: str
    transition: str
    """As its commit says; `by hand` where no command made it."""
    state: State
    """What came of it."""
    stable: str
    """The bundle; empty where the application was removed."""
    candidate: str
    weights: dict[str, int]
    """By track."""
    by: str
    """As its message says, which its author wrote; the author where it says nothing."""
    author: str
    committer: str
    """Both as the commit has them, which is what somebody told Git: only a signature or the server knows more."""
    reason: str
    break_glass: str
    differs: bool
    """The weights in the file are not what the commit's own words say: somebody changed it on the way."""
    landed: git.Landing
    """The commit of the branch's own line that brought it: itself, or a merge."""
    pull_request: str
    """As that commit's message says, or as GitHub says where it was asked; empty: it was pushed."""
    let_in: github.Merged | None = None
    """What GitHub says of the pull request; None where it was not asked, or knows of none."""

    @property
    def is_authors(self) -> bool:
        """Whether its author is who its message says."""
        return self.by == self.author

    @property
    def who(self) -> str:
        """For people: a name that only a message says is never shown as if it were more.

        An app commits for people, so another name is what is to be expected there, and the app stands beside it: anybody can
        give a commit its address too.
        """
        # What divides the parts is in none of them: a name with `; author Alice` in it is a name.
        by, author, committer = (name.replace(";", ",") for name in (self.by, self.author, self.committer))
        if self.is_authors:
            parts = [author]
        else:
            parts = [by, f"through {author}"] if _APP.search(author) else [f"says {by}", f"author {author}"]
        if self.committer != self.author:
            parts.append(f"committer {committer}")
        return "; ".join(parts)


def history(root: Path, wanted: str | None, limit: int = MOST, *, approvals: bool = False) -> list[Entry]:
    """The changes of ENV/APP, ENV or everything, newest first; with `approvals` GitHub is asked who let each of them in.

    Raises ToolFailed in a shallow clone: what is not there would look as if it had never been.
    """
    require_whole(root)
    targets = _targets(root, wanted)
    landings = git.landings(root)
    entries = [entry for target in targets for entry in of(root, target, landings, limit)]
    newest = sorted(entries, key=lambda entry: entry.at, reverse=True)[:limit]
    return Approvals(root).told(newest) if approvals else newest


def require_whole(root: Path) -> None:
    """Raises ToolFailed where a part of the history is missing."""
    if git.is_shallow(root):
        raise ToolFailed("git: this clone lacks a part of the history, so it cannot be told; get it: git fetch --unshallow")


class Approvals:
    """Who let commits into the branch, as GitHub says; each is asked for once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.branch = git.default_branch(root, "origin") or git.current_branch(root) or "main"
        self._asked: dict[str, github.Merged | None] = {}

    def of(self, sha: str) -> github.Merged | None:
        """Of a commit of the branch's own line. Raises ToolFailed with gh's words."""
        if sha not in self._asked:
            self._asked[sha] = github.who_let_in(self.root, sha, self.branch)
        return self._asked[sha]

    def told(self, entries: list[Entry]) -> list[Entry]:
        """The entries with what GitHub says of each, which counts more than a message."""
        found: list[Entry] = []
        for entry in entries:
            merged = self.of(entry.landed.sha)
            found.append(replace(entry, let_in=merged, pull_request=f"#{merged.number}" if merged else ""))
        return found


def _targets(root: Path, wanted: str | None) -> list[str]:
    """Also those that are gone by now, where somebody names one."""
    fleet = Fleet(WorkingTree(root))
    try:
        return [str(target) for target in fleet.chosen(wanted)]
    except InvalidInput:
        environment, _, application = (wanted or "").strip("/").partition("/")
        if is_target(wanted or "") and git.log(root, paths=[release_file(str(Target(environment, application)))], limit=1):
            return [f"{environment}/{application}"]
        raise


def of(root: Path, target: str, landings: Mapping[str, git.Landing], limit: int | None = None) -> Iterator[Entry]:
    """The changes of one application, given as ENV/APP, newest first."""
    for commit, text in git.versions(root, release_file(target), limit=limit):
        yield entry_of(target, commit, text, landings[commit.sha])


def entry_of(target: str, commit: git.Commit, text: bytes | None, landed: git.Landing) -> Entry:
    """The change that a commit is to the release of an application, given as ENV/APP."""
    release = release_of(text, release_file(target))
    # A commit may touch several applications, a merge or a revert among them: its words are about one.
    about = commit.trailer(TARGET) == target
    said = (commit.trailer(TRANSITION) or "") if about else ""
    now = weights(release)
    told = commit.trailer(WEIGHTS) if about else None
    track = release.tracks[release.candidate] if release and release.candidate else None
    return Entry(
        commit=commit.sha,
        at=commit.date,
        target=target,
        transition=said or ("removed" if text is None else "by hand"),
        state=state_of(release),
        stable=release.tracks[release.stable].bundle if release else "",
        candidate=track.bundle if track else "",
        weights=now,
        by=(commit.trailer(BY) if about else None) or commit.written_by,
        author=commit.written_by,
        committer=commit.committed_by,
        reason=(commit.trailer(REASON) if about else None) or ("" if about else commit.subject),
        break_glass=(commit.trailer(BREAK_GLASS) if about else None) or "",
        differs=told is not None and told != " ".join(f"{name}={weight}" for name, weight in now.items()),
        landed=landed,
        pull_request=pull_request(landed.subject, landed.body),
    )


def release_of(text: bytes | None, path: str) -> Release | None:
    """The release of that commit; None where it was removed, or where today's reader cannot make sense of it."""
    if text is None:
        return None
    try:
        return read(text, path, Release).value
    except InvalidInput:
        return None
