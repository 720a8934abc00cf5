"""Files of the repository as they are in the working tree or were at a Git ref, and atomic writes."""

from __future__ import annotations

import bisect
import os
import re
import stat
import tempfile
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from bento_gitops.model.problem import InvalidInput, Place, Problem, ToolFailed
from bento_gitops.tools import git


class Tree(Protocol):
    """Files by their path from the repository's root, with forward slashes."""

    def read(self, path: str) -> bytes:
        """The file's bytes. Raises FileNotFoundError."""
        ...

    def exists(self, path: str) -> bool: ...

    def glob(self, pattern: str) -> list[str]:
        """Paths that match, sorted; `*` stands for a part of one folder's or file's name, `**` for any folders."""
        ...


class WorkingTree:
    """The files as they are on disk now."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._within: set[str] = set()
        """Folders that are known to lie inside the repository: to follow links costs more than to read the file."""

    def read(self, path: str) -> bytes:
        try:
            return self._on_disk(path).read_bytes()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ToolFailed(f"cannot read {path}: {error.strerror}; mend the file's permissions") from error

    def exists(self, path: str) -> bool:
        return self._on_disk(path).is_file()

    def glob(self, pattern: str) -> list[str]:
        found = (path.relative_to(self.root).as_posix() for path in self.root.glob(pattern) if path.is_file())
        return sorted(path for path in found if self._on_disk(path))

    def _on_disk(self, path: str) -> Path:
        """As `inside`, which looks at every folder above the file, once for all files of a folder that are no links."""
        folder, _, name = path.rpartition("/")
        full = self.root / path
        if name == ".." or full.is_symlink():
            return inside(self.root, path)
        if folder not in self._within:
            inside(self.root, path)
            self._within.add(folder)
        return full


class GitTree:
    """The files as they are in the commit that a Git ref stood for when this was made. It remembers what it was asked."""

    def __init__(self, root: Path, ref: str, *, commit: str | None = None) -> None:
        """`commit` is what the ref stands for, where that was asked a moment ago."""
        self.root = root
        self.ref = ref
        self.commit = commit or git.resolve(root, ref)
        self._entries = git.list_files(root, self.commit)
        self._paths = sorted(self._entries)
        self._blobs = git.Blobs(root)
        self._asked: set[str] = set()
        self._patterns: set[str] = set()
        self._was_sent = False

    def __getstate__(self) -> dict[str, Any]:
        # What a copy in another process is asked, this one does not hear of.
        self._was_sent = True
        return self.__dict__

    def read(self, path: str) -> bytes:
        self._asked.add(path)
        entry = self._entries.get(path)
        if entry is None:
            raise FileNotFoundError(f"{self.ref}:{path}")
        if entry.mode == git.LINK:
            todo = "replace it by what it points to"
            raise InvalidInput([Problem(Place(path), "", f"is a symbolic link in {self.ref}", "", todo)])
        return self._blobs.read(entry.blob)

    def entry(self, path: str) -> git.Entry | None:
        """How the commit holds the file; None where it has none."""
        self._asked.add(path)
        return self._entries.get(path)

    def exists(self, path: str) -> bool:
        self._asked.add(path)
        return path in self._entries

    def glob(self, pattern: str) -> list[str]:
        self._patterns.add(pattern)
        return _matching(self._paths, pattern)

    def answers_alike(self, other: GitTree) -> bool:
        """Whether the other tree answers all that this one was asked so far in the same way."""
        return (
            not self._was_sent
            and all(self._entries.get(path) == other._entries.get(path) for path in self._asked)
            and all(_matching(self._paths, pattern) == _matching(other._paths, pattern) for pattern in self._patterns)
        )


class OverlayTree:
    """The files of another tree, some of them replaced, added or (None) removed."""

    def __init__(self, base: Tree, changes: Mapping[str, bytes | None]) -> None:
        self.base = base
        self.changes = dict(changes)

    def read(self, path: str) -> bytes:
        if path not in self.changes:
            return self.base.read(path)
        data = self.changes[path]
        if data is None:
            raise FileNotFoundError(path)
        return data

    def exists(self, path: str) -> bool:
        return self.changes[path] is not None if path in self.changes else self.base.exists(path)

    def glob(self, pattern: str) -> list[str]:
        kept = (path for path in self.base.glob(pattern) if path not in self.changes)
        added = sorted(path for path, data in self.changes.items() if data is not None)
        return sorted((*kept, *_matching(added, pattern)))

    def changes_below(self, folder: str) -> bool:
        """Whether any file in the folder, at any depth, is not the other tree's."""
        return any(path.startswith(f"{folder}/") for path in self.changes)


def contents(tree: Tree, paths: Collection[str]) -> dict[str, bytes | None]:
    """What the tree has under each path; None where there is no file."""
    return {path: tree.read(path) if tree.exists(path) else None for path in paths}


def _matching(paths: Sequence[str], pattern: str) -> list[str]:
    """Those of the sorted paths that match."""
    literal = pattern.partition("*")[0].rpartition("/")[0]
    # What starts with the folders that the pattern names outright stands together.
    start = bisect.bisect_left(paths, literal)
    end = bisect.bisect_right(paths, literal + chr(0x10FFFF)) if literal else len(paths)
    matches = _compiled(pattern).fullmatch
    return [path for path in paths[start:end] if matches(path)]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = ["(?:[^/]+/)*" if part == "**" else re.escape(part).replace(r"\*", "[^/]*") + "/" for part in pattern.split("/")]
    return re.compile("".join(parts).removesuffix("/"))


def inside(root: Path, path: str) -> Path:
    """The path on disk, which must stay in the repository. No part of it is a symbolic link, wherever that leads: a commit has
    the link and not what it points to, and a file that has an owner could be changed where it has none.

    Raises InvalidInput.
    """
    pure = PurePosixPath(path)
    full = root / pure
    if pure.is_absolute() or ".." in pure.parts or not full.resolve().is_relative_to(root.resolve()):
        raise InvalidInput(
            [Problem(Place(path), "", "the path leaves the repository", "", "name a file inside it, without links that lead out")]
        )
    for part in (pure, *pure.parents[:-1]):
        if (root / part).is_symlink():
            todo = "replace it by what it points to"
            raise InvalidInput([Problem(Place(part.as_posix()), "", "is a symbolic link", "", todo)])
    return full


def write_atomically(root: Path, path: str, data: bytes) -> bool:
    """Gives the file these bytes by one rename; whether that changed anything.

    Raises ToolFailed where the file system refuses.
    """
    target = inside(root, path)
    try:
        if target.is_file() and target.read_bytes() == data:
            return False
        _replace(target, data)
    except OSError as error:
        todo = "make the folder writable for you, or free the place; nothing of this file was changed"
        raise ToolFailed(f"cannot write {path}: {error.strerror}; {todo}") from error
    return True


def remove(root: Path, path: str) -> bool:
    """Removes the file, and the folders that it leaves empty; whether it was there.

    Raises ToolFailed where the file system refuses.
    """
    target = inside(root, path)
    try:
        if not target.exists():
            return False
        _remove(target)
        for folder in target.parents:
            if folder == root or any(folder.iterdir()):
                break
            folder.rmdir()
    except OSError as error:
        raise ToolFailed(f"cannot remove {path}: {error.strerror}; make the folder writable for you") from error
    return True


def _remove(target: Path) -> None:
    target.unlink()


def _replace(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else 0o644
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
