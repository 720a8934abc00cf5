"""What a command changes: files with their bytes before and after, written in an order that a kill cannot spoil."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bento_gitops.model.problem import ToolFailed
from bento_gitops.repository.files import Tree, WorkingTree, contents, remove, write_atomically

_SHOWN = 12
"""Lines of a difference that an error message shows."""


class RaceLost(ToolFailed):
    """What a decision rests on was changed by someone else while it was made; nothing was written."""


@dataclass(frozen=True, slots=True)
class Change:
    """A file before and after; None where it is not there."""

    path: str
    before: bytes | None
    after: bytes | None


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a command decided."""

    changes: tuple[Change, ...]
    """The authoritative file first, derived ones after it: the order of writing."""
    message: str
    """The commit's message, with its trailers."""
    start: Mapping[str, bytes | None]
    """The files that the decision rests on, as they were read. Where one is another by the time of writing, it is void."""

    def effective(self) -> tuple[Change, ...]:
        """The changes that change something."""
        return tuple(change for change in self.changes if change.before != change.after)


def change(tree: Tree, path: str, after: bytes | None) -> Change:
    """A file of the tree, and what it is to be."""
    return Change(path, contents(tree, [path])[path], after)


def write_files(root: Path, changes: Sequence[Change]) -> list[str]:
    """Writes each file by one rename, in order, then removes those that are to go; the paths that changed.

    Raises RaceLost, with nothing written, where a file is not the one that the change was made for. Raises ToolFailed where
    the file system refuses, and says which files were written by then.
    """
    tree = WorkingTree(root)
    found = contents(tree, [change.path for change in changes])
    lost = {change.path: change.before for change in changes if found[change.path] not in (change.before, change.after)}
    if lost:
        raise race_lost(lost, tree, "on disk")
    written: list[str] = []
    try:
        for change in sorted(changes, key=lambda one: one.after is None):
            if _write(root, change.path, change.after):
                written.append(change.path)  # noqa: PERF401  (an error tells what was written before it)
    except ToolFailed as error:
        if not written:
            raise
        raise ToolFailed(f"{error}\nwritten by then: {', '.join(written)}") from error
    return written


def put_back(root: Path, changes: Sequence[Change], tree: Tree) -> None:
    """Gives each file that has the bytes of its change those of the tree again, derived files first.

    A file that has other bytes was written by someone else meanwhile, and stays.
    """
    found = contents(WorkingTree(root), [change.path for change in changes])
    wanted = contents(tree, [change.path for change in changes])
    for change in reversed(changes):
        if found[change.path] == change.after:
            _write(root, change.path, wanted[change.path])


def _write(root: Path, path: str, data: bytes | None) -> bool:
    return remove(root, path) if data is None else write_atomically(root, path, data)


def overtaken(start: Mapping[str, bytes | None], tree: Tree) -> dict[str, bytes | None]:
    """Those files of a decision's start that are others in the tree, as they were."""
    now = contents(tree, list(start))
    return {path: then for path, then in start.items() if now[path] != then}


def race_lost(then: Mapping[str, bytes | None], tree: Tree, where: str) -> RaceLost:
    """The error for files that are not what they were: each with the lines that changed. `where` says whose files these are."""
    now = contents(tree, list(then))
    lines = [f"lost a race: {', '.join(then)} changed {where} while this command ran; nothing was written"]
    for path, before in then.items():
        lines += _difference(path, before, now[path])
    lines.append("look at what it says now (bento-gitops status), and run the command again if it is still right")
    return RaceLost("\n".join(lines))


def _difference(path: str, before: bytes | None, after: bytes | None) -> Iterable[str]:
    if after is None or before is None:
        return [f"  {path} is {'gone' if after is None else 'new'}"]
    old, new = (data.decode(errors="replace").splitlines() for data in (before, after))
    lines = [line for line in difflib.unified_diff(old, new, lineterm="", n=0) if line[:1] in "+-"][2:]
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f"... and {len(lines) - _SHOWN} lines more"]
    return [f"  {line}" for line in lines]
