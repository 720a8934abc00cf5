"""The real chart's values.yaml as the lowest layer, beside the small one that tests of the layers use."""

from __future__ import annotations

from pathlib import Path

import pytest
from bento_gitops.layers.marked import MarkedMap
from bento_gitops.layers.merging import ABSENT, Entry, leaves_of, merge
from bento_gitops.model.layout import CHART
from bento_gitops.model.problem import Problem
from bento_gitops.model.settings import ComponentSettings
from bento_gitops.model.shape import Shape, shape_of
from bento_gitops.repository.charts import Charts
from bento_gitops.repository.files import WorkingTree

ROOT = Path(__file__).parents[2]
CHARTS = {"the project's": ROOT, "the tests'": ROOT / "tests/fleet"}


def _defaults(root: Path, role: str) -> MarkedMap:
    node = Charts(WorkingTree(root)).layer(CHART).tree
    for key in ("defaults", "roles", role):
        below = node.items[key]
        assert isinstance(below, MarkedMap)
        node = below
    return node


def _paths(root: Path, role: str) -> set[str]:
    problems: list[Problem] = []
    tree = merge([Entry("chart", _defaults(root, role))], "", problems)
    assert problems == []
    return {".".join(path) for path, leaf in leaves_of(tree) if leaf.value is not ABSENT}


@pytest.mark.parametrize("role", ["api", "runner"])
@pytest.mark.parametrize("chart", CHARTS)
def test_the_charts_defaults_are_settings_that_layers_know(chart: str, role: str) -> None:
    shape: Shape = shape_of(ComponentSettings)
    for path in _paths(CHARTS[chart], role):
        below = shape
        for part in path.split("."):
            assert part in below.names(camel=False) or below.item, path
            below = below.below(part)


@pytest.mark.parametrize("role", ["api", "runner"])
@pytest.mark.parametrize("chart", CHARTS)
def test_the_chart_says_no_more_of_resources_and_placement_than_every_instance_type_does(chart: str, role: str) -> None:
    """An instance type replaces both as one unit; values can hide what the chart says only by saying the same key."""
    unit = {path for path in _paths(CHARTS[chart], role) if path.startswith(("resources", "placement"))}
    assert unit == {"resources.cpu", "resources.memory"}


@pytest.mark.parametrize("role", ["api", "runner"])
def test_the_tests_chart_says_nothing_that_the_projects_does_not(role: str) -> None:
    assert _paths(CHARTS["the tests'"], role) <= _paths(CHARTS["the project's"], role)
