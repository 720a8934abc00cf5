"""What all tests share: how hypothesis runs, and a copy of the fleet that tests may change."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from bento_gitops.cli.changing import TESTING
from bento_gitops.layers.merging import ResolvedMap
from bento_gitops.operations.explain import Explanation, explain
from bento_gitops.operations.render import Rendered, render, render_one, write
from bento_gitops.repository.files import WorkingTree
from bento_gitops.repository.fleet import Fleet
from helm_renders import fresh_renders, remembered_renders
from hypothesis import settings

__all__ = ["fresh_renders", "remembered_renders"]

# The same examples on every run: a property that fails does so for everyone, and nothing is kept between runs.
settings.register_profile("steady", derandomize=True, database=None, deadline=None, max_examples=100)
settings.load_profile("steady")

# Stories have a time of their own, and push at it; also from processes that tests start.
os.environ[TESTING] = "1"


TABLES = {
    "policy": "{} policies, judged offline (policy | holds | good | bad | as expected)",
    "attack": "{} attacks, each seen by its rule (attack | rule | seen by)",
}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests say under these names (`record_property`), a line each; however many processes ran them."""
    said = [one for report in terminalreporter.getreports("passed") for one in report.user_properties]
    for table, title in TABLES.items():
        if rows := sorted(str(value) for name, value in said if name == table):
            terminalreporter.section(title.format(len(rows)))
            terminalreporter.write_line("\n".join(rows))


FLEET = Path(__file__).parent / "fleet"


class FleetCopy:
    """A fleet of its own for one test."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, path: str) -> Path:
        return self.root / path

    def text(self, path: str) -> str:
        return self.path(path).read_text(encoding="utf-8")

    def put(self, path: str, text: str) -> None:
        self.path(path).parent.mkdir(parents=True, exist_ok=True)
        self.path(path).write_text(text, encoding="utf-8")

    def change(self, path: str, old: str, new: str) -> None:
        """Replaces the one place where the file has the old text."""
        text = self.text(path)
        assert text.count(old) == 1, f"{path} has {text.count(old)} of {old!r}"
        self.put(path, text.replace(old, new))

    def render(self, wanted: str | None = None) -> Mapping[str, Rendered]:
        """By target; written too."""
        rendered = render(WorkingTree(self.root), wanted)
        write(self.root, rendered)
        return {str(one.target): one for one in rendered}

    def values(self, target: str) -> ResolvedMap:
        """What the layers come to for ENV/APP, with where each value comes from."""
        opened = Fleet(WorkingTree(self.root))
        return render_one(opened, opened.chosen(target)[0])[1]

    def explain(self, wanted: str, path: str) -> list[Explanation]:
        return explain(WorkingTree(self.root), wanted, path)

    def generated(self) -> dict[str, str]:
        """Every values.yaml by its target."""
        found = sorted(self.root.glob("environments/*/*/values.yaml"))
        return {path.parent.relative_to(self.root / "environments").as_posix(): path.read_text("utf-8") for path in found}


@pytest.fixture
def fleet(tmp_path: Path) -> FleetCopy:
    """A copy of tests/fleet."""
    root = tmp_path / "fleet"
    shutil.copytree(FLEET, root)
    return FleetCopy(root)
