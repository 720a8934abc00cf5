"""Knows how files become an image layer whose bytes depend on nothing but the files."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class Entry:
    """One entry of a tar: a file with content, a link with a target, or a folder with neither."""

    kind: bytes
    mode: int
    content: bytes | Path = b""
    target: str = ""

    def executable(self) -> Entry:
        return replace(self, mode=0o755)


@dataclass(frozen=True)
class Blob:
    """A finished layer: its compressed bytes, and the digest of the tar inside, which the image's configuration names."""

    compressed: bytes
    diff_id: str


@dataclass
class Layer:
    """Entries by path (no leading slash). Everything belongs to root: the container's user has no business in changing it."""

    entries: dict[str, Entry] = field(default_factory=dict[str, Entry])

    def file(self, path: str, content: bytes | Path, mode: int = 0o644) -> None:
        self.entries[path] = Entry(tarfile.REGTYPE, mode, content)

    def folder(self, path: str, mode: int = 0o755) -> None:
        self.entries[path] = Entry(tarfile.DIRTYPE, mode)

    def link(self, path: str, target: str) -> None:
        self.entries[path] = Entry(tarfile.SYMTYPE, 0o777, target=target)

    def tree(self, root: Path, at: str) -> None:
        """Everything under `root`. Of the modes only "executable" is kept: the store's 0700 would lock the container out."""
        for path in root.rglob("*"):
            name = f"{at}/{path.relative_to(root).as_posix()}"
            if path.is_symlink():
                self.link(name, str(path.readlink()))
            elif path.is_dir():
                self.folder(name)
            else:
                self.file(name, path, 0o755 if os.access(path, os.X_OK) else 0o644)

    def blob(self) -> Blob:
        raw = self._tar()
        # mtime=0: gzip would write the time of day into its header.
        return Blob(gzip.compress(raw, 6, mtime=0), "sha256:" + hashlib.sha256(raw).hexdigest())

    def _tar(self) -> bytes:
        parents = {str(parent) for path in self.entries for parent in PurePosixPath(path).parents if str(parent) != "."}
        entries = {parent: Entry(tarfile.DIRTYPE, 0o755) for parent in parents} | self.entries
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for path in sorted(entries):  # sorted: parents come first, and no file system's order shows through
                entry = entries[path]
                content = entry.content.read_bytes() if isinstance(entry.content, Path) else entry.content
                info = tarfile.TarInfo(path)
                info.type, info.mode, info.linkname, info.size = entry.kind, entry.mode, entry.target, len(content)
                tar.addfile(info, io.BytesIO(content))
        return out.getvalue()
