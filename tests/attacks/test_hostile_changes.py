"""Every attack of the corpus is seen by the rule that says so, in the words that stand beside it, and touches nothing outside."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import called
from git_repositories import Repository
from hostile import CORPUS, NAMES, OUTSIDE, RULES, SECRET, read

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "attacks.md"
START, END = "<!-- attacks -->", "<!-- /attacks -->"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


_OF_THIS_DAY = (
    (re.compile(r"\bcommit [0-9a-f]{12}\b"), "commit SHA"),
    (re.compile(r"^[0-9-]{10} [0-9:]{8}  (.*)  [0-9a-f]{10}  ", re.MULTILINE), r"TIME  \1  SHA  "),
    (re.compile(r"and this is [\w.+-]+"), "and this is VERSION"),
)
"""What another day or another version of the chart would say otherwise."""


def told(said: str) -> list[str]:
    """The lines of an output, without what differs from day to day."""
    for pattern, word in _OF_THIS_DAY:
        said = pattern.sub(word, said)
    return [line.strip() for line in said.splitlines()]


@pytest.mark.parametrize("name", NAMES)
def test_the_attack_is_seen(name: str, clone: Repository, outside: Path, record_property: Callable[[str, object], None]) -> None:
    attack = read(name)
    record_property("attack", f"{name} | {attack.rule} | {attack.run}, exit {attack.code}")
    attack.before.apply(clone, outside)
    if clone.status:
        clone.commit("What main has")
    safe = contents(outside)
    attack.does.apply(clone, outside)
    if attack.does.message != "A change":
        clone.commit(attack.does.message)
    done = called(clone.root, *shlex.split(attack.run))
    said = done.stdout + done.stderr
    assert done.returncode == attack.code, said
    assert attack.says, "an attack that nothing is said of is not seen"
    lines = told(said)
    for line in attack.says:
        assert line in lines, f"{line!r} is not among\n{said}"
    for text in (*attack.never, SECRET):
        assert text not in said, f"{text!r} is in\n{said}"
    assert contents(outside) == safe, "nothing outside of the repository is written"
    assert not list(clone.root.parent.glob("pwned*")) and not list(clone.root.glob("pwned*"))


@pytest.mark.parametrize("name", [name for name in NAMES if read(name).changes])
def test_without_the_attack_the_same_command_says_nothing_of_it(name: str, clone: Repository, outside: Path) -> None:
    attack = read(name)
    attack.before.apply(clone, outside)
    if clone.status:
        clone.commit("What main has")
    if attack.does.message != "A change":
        clone.git("commit", "--quiet", "--allow-empty", "--message", "prod: nothing\n\nBento-Gitops-Transition: render")
    done = called(clone.root, *shlex.split(attack.run))
    assert not set(attack.says) <= set(told(done.stdout + done.stderr))
    # A gate that asks for evidence does not pass without any, either.
    assert done.returncode == (4 if attack.rule == "evidence-is-bound" else 0), done.stdout + done.stderr


def test_every_rule_is_held_by_a_module_that_there_is_and_tried_by_an_attack() -> None:
    tried = {read(name).rule for name in NAMES}
    assert tried == set(RULES)
    for rule, said in RULES.items():
        assert (ROOT / said["holds"]).is_file(), f"{rule}: {said['holds']}"


def test_every_folder_of_the_corpus_is_an_attack() -> None:
    assert sorted(path.name for path in CORPUS.iterdir()) == NAMES


def test_the_page_of_attacks_lists_them_all() -> None:
    """`RENEW_GOLDEN=1` writes it anew."""
    rows = ["| attack | tries | rule | seen by |", "|---|---|---|---|"]
    for name in NAMES:
        attack = read(name)
        how = f"`{attack.run.replace('|', ' ')}`" + (f", exit {attack.code}" if attack.code else "")
        rows.append(f"| {name} | {attack.tries} | {attack.rule} | {how} |")
    rules = ["| rule | what it says | held by |", "|---|---|---|"]
    rules += [f"| {rule} | {said['says']} | `{said['holds']}` |" for rule, said in RULES.items()]
    text = PAGE.read_text("utf-8")
    table = "\n".join((START, "", *rules, "", *rows, "", END))
    wanted = re.sub(f"{START}.*{END}", lambda _: table, text, flags=re.DOTALL)
    if os.environ.get("RENEW_GOLDEN"):
        PAGE.write_text(wanted, "utf-8")
    assert PAGE.read_text("utf-8") == wanted, "write it anew: RENEW_GOLDEN=1 .venv/bin/python -m pytest -n 0 tests/attacks"
    assert OUTSIDE not in text
