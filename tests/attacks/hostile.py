"""A hostile pull request: what main has, what it changes, the command that must see it, and the words that it must be told in."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from bento_gitops.operations.render import render
from bento_gitops.repository.files import WorkingTree
from commands import called
from git_repositories import Repository

HERE = Path(__file__).parent
TESTS = HERE.parent
CORPUS = HERE / "corpus"
RULES: Mapping[str, Mapping[str, str]] = yaml.safe_load((HERE / "rules.yaml").read_text("utf-8"))
NAMES = sorted(path.parent.name for path in CORPUS.glob("*/attack.yaml"))
OUTSIDE = "OUTSIDE"
"""In an attack: a folder beside the repository, which nothing may read or write."""
SECRET = "what nobody else may read"


@dataclass(frozen=True)
class Change:
    """What somebody does to files."""

    write: Mapping[str, str] = field(default_factory=dict[str, str])
    change: Mapping[str, tuple[str, str]] = field(default_factory=dict[str, "tuple[str, str]"])
    """By file: a text that stands there once, and what takes its place."""
    append: Mapping[str, str] = field(default_factory=dict[str, str])
    repeat: Mapping[str, tuple[str, int]] = field(default_factory=dict[str, "tuple[str, int]"])
    """By file: a line to append so many times; `#` in it is the number."""
    link: Mapping[str, str] = field(default_factory=dict[str, str])
    """By path: where the symbolic link leads, which takes the place of what is there."""
    run: tuple[str, ...] = ()
    """Commands of bento-gitops."""
    message: str = "A change"

    def apply(self, clone: Repository, outside: Path) -> None:
        for path, text in self.write.items():
            clone.put(path, text)
        for path, (old, new) in self.change.items():
            text = clone.text(path) or ""
            assert text.count(old) == 1, f"{path} has {text.count(old)} of {old!r}"
            clone.put(path, text.replace(old, new))
        for path, text in self.append.items():
            clone.put(path, (clone.text(path) or "") + text)
        for path, (line, times) in self.repeat.items():
            more = "".join(line.replace("#", str(number)) for number in range(times))
            clone.put(path, (clone.text(path) or "") + more)
        for path, target in self.link.items():
            there = clone.root / path
            if there.is_dir():
                shutil.rmtree(there)
            there.unlink(missing_ok=True)
            there.parent.mkdir(parents=True, exist_ok=True)
            there.symlink_to(target.replace(OUTSIDE, str(outside)))
        for words in self.run:
            done = called(clone.root, *shlex.split(words))
            assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"


@dataclass(frozen=True)
class Attack:
    """One attack.yaml."""

    name: str
    tries: str
    rule: str
    """A key of rules.yaml."""
    run: str
    """The command, without `bento-gitops`, that must see it."""
    code: int
    says: tuple[str, ...]
    """Lines that it prints, in full."""
    never: tuple[str, ...]
    """What it must not print, anywhere."""
    before: Change
    """What main already has."""
    does: Change

    @property
    def changes(self) -> bool:
        """Whether there is anything but the command itself."""
        return any((self.does.write, self.does.change, self.does.append, self.does.repeat, self.does.link))


def read(name: str) -> Attack:
    said: dict[str, Any] = yaml.safe_load((CORPUS / name / "attack.yaml").read_text("utf-8"))
    before, message = said.pop("before", {}), said.pop("message", "A change")
    keys = ("write", "change", "append", "repeat", "link")
    does = {key: said.pop(key) for key in keys if key in said}
    return Attack(
        name=name,
        tries=said.pop("tries"),
        rule=said.pop("rule"),
        run=said.pop("run"),
        code=said.pop("code"),
        says=tuple(said.pop("says", ())),
        never=tuple(said.pop("never", ())),
        before=Change(**{**before, "run": tuple(before.get("run", ()))}),
        does=Change(**does, message=message, **_nothing_else(name, said)),
    )


def _nothing_else(name: str, left: Mapping[str, Any]) -> dict[str, Any]:
    assert not left, f"{name}/attack.yaml has what nobody reads: {', '.join(left)}"
    return {}


def new_fleet(root: Path) -> Repository:
    """The fleet of the tests with the real charts and policies, rendered and committed."""
    shutil.copytree(TESTS / "fleet", root)
    shutil.rmtree(root / "charts")
    cases = shutil.ignore_patterns("good", "bad", "given")  # of policies: no command reads them, and they are most of the files
    for folder in ("charts/bento-serving", "schemas/custom-resources", "policies", ".github/workflows"):
        shutil.copytree(TESTS.parent / folder, root / folder, ignore=cases)
    (root / "environments/prod/support-tickets/overrides.yaml").unlink()
    for one in render(WorkingTree(root), None):
        (root / one.target.values).write_text(one.text, encoding="utf-8")
    clone = Repository(root)
    clone.git("init", "--quiet", "--initial-branch=main")
    clone.commit("Start")
    clone.git("repack", "-a", "-d", "--quiet")  # each attack has a copy: few files instead of hundreds
    return clone
