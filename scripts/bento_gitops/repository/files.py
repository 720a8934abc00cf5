"""Files of the repository as they are in the working tree or were at a Git ref, and atomic writes."""

from __future__ import annotations

import fnmatch
import os
import tempfile
from pathlib import Path, PurePosixPath
from typing import Protocol

from bento_gitops.model.problem import InvalidInput, Place, Problem, ToolFailed
from bento_gitops.tools import git


class Tree(Protocol):
    """Files by their path from the repository's root, with forward slashes."""

    def read(self, path: str) -> bytes:
        """The file's bytes. Raises FileNotFoundError."""
        ...

    def exists(self, path: str) -> bool: ...

    def glob(self, pattern: str) -> list[str]:
        """Paths that match, sorted; `*` stands for a part of one folder's or file's name."""
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
    """The files as they were at a Git ref."""

    def __init__(self, root: Path, ref: str) -> None:
        self.root = root
        self.ref = ref
        self._paths = git.list_files(root, ref)

    def read(self, path: str) -> bytes:
        if path not in self._paths:
            raise FileNotFoundError(f"{self.ref}:{path}")
        return git.show(self.root, self.ref, path)

    def exists(self, path: str) -> bool:
        return path in self._paths

    def glob(self, pattern: str) -> list[str]:
        parts = pattern.split("/")
        return sorted(
            path
            for path in self._paths
            if path.count("/") == len(parts) - 1
            and all(fnmatch.fnmatchcase(part, want) for part, want in zip(path.split("/"), parts, strict=True))
        )


def inside(root: Path, path: str) -> Path:
    """The path on disk, which must stay in the repository, also through symbolic links.

    Raises InvalidInput.
    """
    pure = PurePosixPath(path)
    full = root / pure
    if pure.is_absolute() or ".." in pure.parts or not full.resolve().is_relative_to(root.resolve()):
        raise InvalidInput(
            [Problem(Place(path), "", "the path leaves the repository", "", "name a file inside it, without links that lead out")]
        )
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


def _replace(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
