"""The program git: the only code that starts it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from bento_gitops.model.problem import ToolFailed


def _run(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        raise ToolFailed("git: not found on PATH; install it") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise ToolFailed(f"git {' '.join(arguments)}: {said or f'exit code {done.returncode}'}")
    return done.stdout


def list_files(root: Path, ref: str) -> frozenset[str]:
    """Every file of a ref, by path from the repository's root."""
    listing = _run(root, "ls-tree", "-r", "-z", "--name-only", "--full-tree", "--end-of-options", ref)
    return frozenset(listing.decode().split("\0")) - {""}


def show(root: Path, ref: str, path: str) -> bytes:
    """A file's bytes at a ref."""
    return _run(root, "cat-file", "blob", f"{ref}:{path}")
