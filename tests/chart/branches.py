"""Which branches of a chart's templates a set of values enters."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from serving_chart import Refused, said

ACTION = re.compile(r"\{\{-?\s*(?P<word>if|with|range|else|end|define)\b[^}]*\}\}")
REFUSES = re.compile(r"\s*(\{\{-? \$\w+ :?= .*\}\}\s*)*\{\{- (include \"bento-(serving|platform).wrong\"|fail |.*\| fail -)")
REACHED = re.compile(r"reached branch (\S+)")


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
        return action[0] if branch in without else f'{action[0]}{{{{- fail "reached branch {branch}" -}}}}'

    return ACTION.sub(with_mark, text), found


def reached(helm: Path, folder: Path, chart: Path, values: list[str], *, refusing: bool) -> tuple[set[str], set[str]]:
    """The branches of the templates that refuse values (or the others), and those of them that a render of some values entered.

    Each is made to fail; one that fails is reached, is let through, and the render is tried again.
    """
    copy = folder / chart.name
    shutil.copytree(chart, copy)
    every: set[str] = set()
    entered: set[str] = set()

    def write() -> None:
        for path in sorted(path for path in (chart / "templates").rglob("*") if path.is_file()):
            name = path.relative_to(chart / "templates").as_posix()
            text, found = marked(path, name, refusing, entered)
            (copy / "templates" / name).write_text(text)
            every.update(found)

    write()
    for given in values:
        while True:
            try:
                said(helm, copy, given)
                break
            except Refused as refused:
                hit = REACHED.search(str(refused))
                if not hit:
                    assert "are wrong" in str(refused), refused
                    break
                assert hit[1] not in entered
                entered.add(hit[1])
                write()
    return every, entered
