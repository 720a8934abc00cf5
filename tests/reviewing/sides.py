"""Two copies of the fleet that tests use, with the chart as it is: what is changed in the second is what is reviewed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from bento_gitops.layers.reading import read
from bento_gitops.model.layout import CHART
from bento_gitops.model.release import Release
from bento_gitops.operations.diff import compare
from bento_gitops.releasing.plan import Plan
from bento_gitops.releasing.states import Current
from bento_gitops.releasing.transitions import Move
from bento_gitops.repository.files import OverlayTree, Tree, WorkingTree
from bento_gitops.reviewing.review import ApplicationReview, Review

from tests.conftest import FleetCopy

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PLAN = Plan()
PROD = "prod/support-tickets"
RELEASE = f"environments/{PROD}/release.yaml"
CONFIG = f"environments/{PROD}/config.yaml"
OVERRIDES = f"environments/{PROD}/overrides.yaml"
ENVIRONMENT = "environments/prod/environment.yaml"


class Side(FleetCopy):
    """A fleet that runs the chart as it is."""

    def __init__(self, root: Path, charts: WorkingTree | None) -> None:
        super().__init__(root)
        self.charts = charts
        """Where the chart is read until somebody asks for its files here: most tests never do. None: it is here."""
        shutil.copytree(ROOT / "tests/fleet", root)
        shutil.rmtree(root / "charts")
        if charts is None:
            shutil.copytree(ROOT / CHART, root / CHART)

    def path(self, path: str) -> Path:
        if path.startswith("charts") and self.charts:
            shutil.copytree(self.charts.root / CHART, self.root / CHART)
            self.charts = None
        return super().path(path)

    def tree(self) -> Tree:
        if self.charts is None:
            return WorkingTree(self.root)
        files = (file for file in self.root.rglob("*") if file.is_file())
        return OverlayTree(self.charts, {file.relative_to(self.root).as_posix(): file.read_bytes() for file in files})


class Sides:
    """`before` and `after` a change, alike until a test changes them."""

    def __init__(self, scratch: Path, charts: WorkingTree | None = None) -> None:
        self.before, self.after = (Side(scratch / name, charts) for name in ("before", "after"))

    def both(self, change: Callable[[Side], object]) -> None:
        """What holds on both sides."""
        for side in (self.before, self.after):
            change(side)

    def release(self, side: Side, path: str = RELEASE) -> Current:
        target = "/".join(path.split("/")[1:3])
        found = read(side.path(path).read_bytes(), path, Release).value if side.path(path).exists() else None
        return Current(target, path, found)

    def move(self, make: Callable[[Current], Move], *, also_before: bool = False, path: str = RELEASE) -> None:
        """A transition of the release: on the second side, or on both."""
        move = make(self.release(self.after, path))
        for side in (self.after, self.before) if also_before else (self.after,):
            side.put(path, text_of(move.after))

    def steady(self) -> None:
        """prod runs 1.0.0 alone, on both sides."""
        head = "apiVersion: bento-gitops/v1\nkind: Release\n"
        tracks = 'stable: blue\ntracks:\n  blue: {bundle: "1.0.0", weight: 100}\nsince: 2026-11-01T10:20:00Z\n'
        self.both(lambda side: side.put(RELEASE, head + tracks))

    def review(self, wanted: str | None = None) -> Review:
        return compare(self.before.tree(), self.after.tree(), wanted, base="main")

    def one(self) -> ApplicationReview:
        """The review of the one application that changes."""
        (found,) = self.review().applications
        return found


def text_of(release: Release) -> str:
    content: dict[str, Any] = release.model_dump(exclude_none=True)
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=200)
