"""Two copies of the fleet that tests use, with the chart as it is: what is changed in the second is what is reviewed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from bento_gitops.layers.reading import read
from bento_gitops.model.release import Release
from bento_gitops.operations.diff import compare
from bento_gitops.releasing.plan import Plan
from bento_gitops.releasing.states import Current
from bento_gitops.releasing.transitions import Move
from bento_gitops.repository.files import WorkingTree
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


class Sides:
    """`before` and `after` a change, alike until a test changes them."""

    def __init__(self, scratch: Path) -> None:
        self.before, self.after = (FleetCopy(scratch / name) for name in ("before", "after"))
        for side in (self.before, self.after):
            shutil.copytree(ROOT / "tests/fleet", side.root)
            shutil.rmtree(side.root / "charts/bento-serving")
            shutil.copytree(ROOT / "charts/bento-serving", side.root / "charts/bento-serving")

    def both(self, change: Callable[[FleetCopy], object]) -> None:
        """What holds on both sides."""
        for side in (self.before, self.after):
            change(side)

    def release(self, side: FleetCopy, path: str = RELEASE) -> Current:
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
        return compare(WorkingTree(self.before.root), WorkingTree(self.after.root), wanted, base="main")

    def one(self) -> ApplicationReview:
        """The review of the one application that changes."""
        (found,) = self.review().applications
        return found


def text_of(release: Release) -> str:
    content: dict[str, Any] = release.model_dump(exclude_none=True)
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=200)
