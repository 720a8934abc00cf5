"""Real Git repositories for tests: a bare remote, clones of it, and nothing of the settings of the machine.

The fixture `origin` is for `conftest.py` files to import; a test that needs files of its own calls `new_origin`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

SETTINGS = """\
[user]
	name = Olivia Operator
	email = olivia@example.com
[init]
	defaultBranch = main
[advice]
	detachedHead = false
	templateDir =
[gc]
	auto = 0
[maintenance]
	auto = false
[receive]
	autoGC = false
[core]
	fsync = none
[pack]
	threads = 1
"""
"""Who commits, and nothing that a repository which lives for a second has no need of."""


class Repository:
    """A working tree, as a person uses it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str, check: bool = True) -> str:
        """What Git prints."""
        command = ["git", "-C", str(self.root), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0 or not check, f"{' '.join(arguments)}: {done.stderr}"
        return done.stdout.removesuffix("\n")

    def put(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())

    def text(self, path: str) -> str | None:
        target = self.root / path
        return target.read_bytes().decode() if target.exists() else None

    def commit(self, message: str, files: Mapping[str, str] | None = None) -> str:
        """A commit of everything, with these files; its id."""
        for path, text in (files or {}).items():
            self.put(path, text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")

    @property
    def status(self) -> str:
        """Git's short status; empty where everything is committed."""
        return self.git("status", "--porcelain=v1", "--untracked-files=all")

    def at(self, ref: str, path: str) -> str | None:
        """A file's text at a ref."""
        done = subprocess.run(
            ["git", "-C", str(self.root), "show", f"{ref}:{path}"], capture_output=True, check=False, timeout=60
        )
        return done.stdout.decode() if done.returncode == 0 else None

    def subjects(self, ref: str = "HEAD") -> list[str]:
        """The subjects of a ref's commits, newest first."""
        return self.git("log", "--format=%s", ref).splitlines()

    def locks(self) -> list[Path]:
        """Git's lock files: none where every command ended as it should."""
        inside = self.root / ".git"
        folder = inside if inside.is_dir() else Path(self.git("rev-parse", "--absolute-git-dir"))
        return sorted(folder.rglob("*.lock"))


class Origin(Repository):
    """A bare repository that clones push to."""

    def clone(self, name: str, *options: str) -> Repository:
        """A clone beside it; its remote is a relative path, so that a copy of the folder around both holds together."""
        root = self.root.parent / name
        subprocess.run(
            ["git", "clone", "--quiet", *options, self.root.as_uri(), str(root)], capture_output=True, check=True, timeout=60
        )
        clone = Repository(root)
        clone.git("remote", "set-url", "origin", f"../{self.root.name}")
        return clone

    def refuse(self, words: str, branch: str = "") -> None:
        """Refuses every push from now on, or those to one branch, as a protected branch does."""
        hook = self.root / "hooks" / "pre-receive"
        hook.parent.mkdir(exist_ok=True)
        asked = f"grep -q ' refs/heads/{branch}$' || exit 0\n" if branch else ""
        hook.write_text(f"#!/bin/sh\n{asked}echo '{words}' >&2\nexit 1\n")
        hook.chmod(0o755)

    def accept(self) -> None:
        """Ends `refuse`."""
        (self.root / "hooks" / "pre-receive").unlink()


@contextmanager
def own_settings(file: Path) -> Iterator[None]:
    """Git as in `git_settings`, for what is made once."""
    file.write_text(SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_CONFIG_GLOBAL", str(file))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        yield


def copied(start: Path, end: Path) -> None:
    """A copy of a repository. Git never writes to an object again, so those are the same files in both."""
    objects = (start if (start / "objects").is_dir() else start / ".git") / "objects"
    shutil.copytree(start, end, symlinks=True, ignore=lambda folder, _: ["objects"] if Path(folder) == objects.parent else [])
    shutil.copytree(objects, end / objects.relative_to(start), copy_function=os.link)


def new_origin(folder: Path, files: Mapping[str, str]) -> Origin:
    """A remote with one commit of these files on `main`."""
    seed = Repository(folder / "seed")
    seed.root.mkdir(parents=True)
    seed.git("init", "--quiet", "--initial-branch=main")
    seed.commit("Start", files)
    bare = folder / "origin.git"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(seed.root), str(bare)], capture_output=True, check=True, timeout=60)
    shutil.rmtree(seed.root)
    return Origin(bare)


@pytest.fixture
def git_settings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Git as on a machine of its own: an operator with a name, and nothing else said. The file of these settings."""
    file = tmp_path_factory.mktemp("git") / "config"
    file.write_text(SETTINGS)
    for name in list(os.environ):
        if name.startswith("GIT_") and name != "GIT_EXEC_PATH":
            monkeypatch.delenv(name)
    monkeypatch.delenv("EMAIL", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(file))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path_factory.getbasetemp()))
    return file


@pytest.fixture
def origin(tmp_path: Path, git_settings: Path) -> Origin:
    """A remote with a counter for each of eight applications, and a note."""
    files = {f"environments/prod/app-{number}/release.yaml": "weight: 0  # keep\n" for number in range(8)}
    files |= {f"environments/prod/app-{number}/values.yaml": "derived: 0\n" for number in range(8)}
    return new_origin(tmp_path, {**files, "NOTES.txt": "hello\n", ".gitignore": ".*.tmp\n"})
