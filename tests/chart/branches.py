"""Which branches of a chart's templates a set of values enters."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from serving_chart import Refused, bare_environment, said

ACTION = re.compile(r"\{\{-?\s*(?P<word>if|with|range|else|end|define)\b[^}]*\}\}")
REFUSES = re.compile(r"\s*(\{\{-? \$\w+ :?= .*\}\}\s*)*\{\{- (include \"bento-(serving|platform).wrong\"|fail |.*\| fail -)")
REACHED = re.compile(r"reached branch ([^\s\"]+)")


SAYS = re.compile(r'include "bento-\w+\.wrong" \(dict |printf "')
NOTED = re.compile(r'(define "bento-\w+\.wrong" -\}\}\n.*) \.wrong\) -\}\}')


def marked(path: Path, name: str, refusing: bool) -> tuple[str, set[str]]:
    """A template that tells of each branch that a render enters, and these branches: those that refuse values, or all others.

    A branch that refuses says its name instead of what is wrong; any other fails with it.
    """
    text = path.read_text()
    found: set[str] = set()
    parts: list[str] = []
    end = 0
    for action in ACTION.finditer(text):
        before = text[text.rfind("\n", 0, action.start()) + 1 : action.start()]
        inside_another = before.count("{{") > before.count("}}")  # a template that makes a template for somebody else
        if inside_another or action["word"] in ("end", "define") or bool(REFUSES.match(text, action.end())) != refusing:
            continue
        line, column = text.count("\n", 0, action.start()) + 1, action.start() - text.rfind("\n", 0, action.start())
        branch = f"{name}:{line}:{column}"
        found.add(branch)
        at, word = action.end(), f'{{{{ fail "reached branch {branch}" '
        if refusing:
            refusal = REFUSES.match(text, at)
            assert refusal
            says = SAYS.search(text, refusal.start(2))
            assert says
            at, word = says.end(), f"reached branch {branch} " if says[0].startswith("printf") else f'"branch" "{branch}" '
        else:
            # Where the failure is let pass, the text around it must come out as it does without it.
            word += "-}}" if action[0].endswith("-}}") else "}}"
        parts += [text[end:at], word]
        end = at
    said = r'\1 (hasKey . "branch" | ternary (printf "reached branch %s" .branch) .wrong)) -}}'
    return NOTED.sub(said, "".join(parts) + text[end:]), found


def reached(helm: Path, folder: Path, chart: Path, values: list[str], *, refusing: bool) -> tuple[set[str], set[str]]:
    """The branches of the templates that refuse values (or the others), and those of them that renders of the values entered."""
    copy = folder / chart.name
    shutil.copytree(chart, copy)
    every: set[str] = set()
    for path in sorted(path for path in (chart / "templates").rglob("*") if path.is_file()):
        name = path.relative_to(chart / "templates").as_posix()
        text, found = marked(path, name, refusing)
        (copy / "templates" / name).write_text(text)
        every |= found
    enters = refused if refusing else passed
    return every, set().union(*(enters(helm, copy, given) for given in values))


def passed(helm: Path, chart: Path, values: str) -> set[str]:
    """The branches that a render enters: lint goes on after each failure, and tells it."""
    command = [helm, "lint", chart, "--values", "-", "--debug"]
    ran = subprocess.run(command, input=values, capture_output=True, text=True, timeout=60, env=bare_environment(), check=False)
    assert ran.returncode == 0, ran.stdout
    return set(REACHED.findall(ran.stderr))


def refused(helm: Path, chart: Path, values: str) -> set[str]:
    """The branches that a render enters until it ends with all that is wrong."""
    try:
        said(helm, chart, values)
    except Refused as error:
        assert "are wrong" in str(error), error
        return set(REACHED.findall(str(error)))
    return set()
