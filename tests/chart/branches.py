"""Which branches of a chart's templates a set of values enters."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from serving_chart import Refused, said

ACTION = re.compile(r"\{\{-?\s*(?P<word>if|with|range|else|end|define)\b[^}]*\}\}")
REFUSES = re.compile(r"\s*(\{\{-? \$\w+ :?= .*\}\}\s*)*\{\{- (include \"bento-(serving|platform).wrong\"|fail |.*\| fail -)")
REACHED = re.compile(r"reached branch ([^\s\"]+)")


def marked(path: Path, name: str, refusing: bool, without: set[str]) -> tuple[str, set[str]]:
    """A template that fails on entry into a branch, and the branches of that kind: those that refuse values, or all others."""
    text = path.read_text()
    found: set[str] = set()

    def with_mark(action: re.Match[str]) -> str:
        before = text[text.rfind("\n", 0, action.start()) + 1 : action.start()]
        inside_another = before.count("{{") > before.count("}}")  # a template that makes a template for somebody else
        if inside_another or action["word"] in ("end", "define") or bool(REFUSES.match(text, action.end())) != refusing:
            return action[0]
        line, column = text.count("\n", 0, action.start()) + 1, action.start() - text.rfind("\n", 0, action.start())
        branch = f"{name}:{line}:{column}"
        found.add(branch)
        if branch in without:
            return action[0]
        # Where the failure is let pass, the text around it must come out as it does without it.
        end = "-}}" if action[0].endswith("-}}") else "}}"
        return f'{action[0]}{{{{ fail "reached branch {branch}" {end}'

    return ACTION.sub(with_mark, text), found


def reached(helm: Path, folder: Path, chart: Path, values: list[str], *, refusing: bool) -> tuple[set[str], set[str]]:
    """The branches of the templates that refuse values (or the others), and those of them that renders of the values entered."""
    copy = folder / chart.name
    shutil.copytree(chart, copy)
    every = write_marked(chart, copy, refusing, set())
    if not refusing:
        return every, set().union(*(passed(helm, copy, given) for given in values))
    entered: set[str] = set()
    for given in values:
        # A render ends where it refuses, so what comes after that is not reached: each branch fails, is let through, and the
        # render is tried again.
        while hit := refused_at(helm, copy, given):
            assert hit not in entered
            entered.add(hit)
            write_marked(chart, copy, refusing, entered)
    return every, entered


def write_marked(chart: Path, copy: Path, refusing: bool, without: set[str]) -> set[str]:
    """Marks the templates of the copy; the branches of all of them."""
    every: set[str] = set()
    for path in sorted(path for path in (chart / "templates").rglob("*") if path.is_file()):
        name = path.relative_to(chart / "templates").as_posix()
        text, found = marked(path, name, refusing, without)
        (copy / "templates" / name).write_text(text)
        every |= found
    return every


def passed(helm: Path, chart: Path, values: str) -> set[str]:
    """The branches that a render enters: lint goes on after each failure, and tells it."""
    command = [helm, "lint", chart, "--values", "-", "--debug"]
    ran = subprocess.run(command, input=values, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout
    return set(REACHED.findall(ran.stderr))


def refused_at(helm: Path, chart: Path, values: str) -> str | None:
    """The branch at which a render ends; None where it ends as the chart itself lets it end."""
    try:
        said(helm, chart, values)
    except Refused as refused:
        if hit := REACHED.search(str(refused)):
            return hit[1]
        assert "are wrong" in str(refused), refused
    return None
