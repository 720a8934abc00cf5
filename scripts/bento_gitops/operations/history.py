"""history: how an application came to what it runs, from Git: each change of its release, by whom and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bento_gitops.layers.reading import read
from bento_gitops.model.layout import release_file
from bento_gitops.model.problem import InvalidInput, ToolFailed
from bento_gitops.model.release import Release
from bento_gitops.releasing.message import BREAK_GLASS, BY, REASON, TARGET, TRANSITION, WEIGHTS
from bento_gitops.releasing.states import State, state_of, weights
from bento_gitops.repository.files import WorkingTree
from bento_gitops.repository.fleet import Fleet, Target
from bento_gitops.tools import git

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
    reason: str
    break_glass: str
    differs: bool
    """The weights in the file are not what the commit's own words say: somebody changed it on the way."""


def history(root: Path, wanted: str | None, limit: int = MOST) -> list[Entry]:
    """The changes of ENV/APP, ENV or everything, newest first.

    Raises ToolFailed in a shallow clone: what is not there would look as if it had never been.
    """
    if git.is_shallow(root):
        raise ToolFailed("git: this clone lacks a part of the history, so it cannot be told; get it: git fetch --unshallow")
    targets = _targets(root, wanted)
    entries = [entry for target in targets for entry in _of(root, target, limit)]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)[:limit]


def _targets(root: Path, wanted: str | None) -> list[str]:
    """Also those that are gone by now, where somebody names one."""
    fleet = Fleet(WorkingTree(root))
    try:
        return [str(target) for target in fleet.chosen(wanted)]
    except InvalidInput:
        environment, _, application = (wanted or "").strip("/").partition("/")
        if application and git.log(root, paths=[release_file(str(Target(environment, application)))], limit=1):
            return [f"{environment}/{application}"]
        raise


def _of(root: Path, target: str, limit: int) -> Iterator[Entry]:
    path = release_file(target)
    for commit, text in git.versions(root, path, limit=limit):
        release = _release(text, path)
        # A commit may touch several applications, a merge or a revert among them: its words are about one.
        about = commit.trailer(TARGET) == target
        said = (commit.trailer(TRANSITION) or "") if about else ""
        now = weights(release)
        told = commit.trailer(WEIGHTS) if about else None
        track = release.tracks[release.candidate] if release and release.candidate else None
        yield Entry(
            commit=commit.sha,
            at=commit.date,
            target=target,
            transition=said or ("removed" if text is None else "by hand"),
            state=state_of(release),
            stable=release.tracks[release.stable].bundle if release else "",
            candidate=track.bundle if track else "",
            weights=now,
            by=(commit.trailer(BY) if about else None) or f"{commit.author} <{commit.email}>",
            reason=(commit.trailer(REASON) if about else None) or ("" if about else commit.subject),
            break_glass=(commit.trailer(BREAK_GLASS) if about else None) or "",
            differs=told is not None and told != " ".join(f"{name}={weight}" for name, weight in now.items()),
        )


def _release(text: bytes | None, path: str) -> Release | None:
    """The release of that commit; None where it was removed, or where today's reader cannot make sense of it."""
    if text is None:
        return None
    try:
        return read(text, path, Release).value
    except InvalidInput:
        return None
