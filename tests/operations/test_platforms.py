"""What bento-platform makes of a cluster's values: checked by validate, each problem at the line of the people's file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bento_gitops.operations.clusters import cluster_files
from bento_gitops.operations.objects import checker
from bento_gitops.operations.platforms import Platform, platforms
from bento_gitops.repository.files import WorkingTree
from bento_gitops.repository.fleet import Fleet

ROOT = Path(__file__).parents[2]
VALUES = "clusters/prod-cluster/values.yaml"


@pytest.fixture
def root(fleet) -> Path:
    for folder in ("charts/bento-platform", "schemas/custom-resources"):
        shutil.copytree(ROOT / folder, fleet.root / folder)
    return fleet.root


def checked(root: Path) -> Platform:
    tree = WorkingTree(root)
    (one,) = platforms(root, cluster_files(Fleet(tree)), checker(tree))
    return one


def test_values_of_a_cluster_become_objects_that_every_schema_allows(fleet, root: Path) -> None:
    fleet.put(VALUES, "# nothing but defaults\n{}\n")
    found = checked(root)
    assert (found.cluster, found.problems, found.unchecked) == ("prod-cluster", (), {})
    assert found.objects > 20


@pytest.mark.parametrize(
    ("values", "problems"),
    [
        ("operators:\n  group: [a]\n", [f"{VALUES}:2: operators.group: the chart knows no such value"]),
        ("argocd: {enabled: true}\n", [f"{VALUES}:1: argocd.repository: "]),
        (
            "environments: {}\npolicies:\n  local: {}\n",
            [
                f"{VALUES}:1: environments: is generated: it comes from environment.yaml of each environment",
                f"{VALUES}:3: policies.local: is generated: it comes from environment.yaml of each environment",
            ],
        ),
        ("operators: {groups: [a]\n", [f"{VALUES}:"]),
    ],
)
def test_what_is_wrong_is_said_at_its_line(fleet, root: Path, values: str, problems: list[str]) -> None:
    fleet.put(VALUES, values)
    found = checked(root)
    assert len(found.problems) >= len(problems)
    for problem, start in zip(found.problems, problems, strict=False):
        assert str(problem).startswith(start)
    assert found.objects == 0


def test_a_link_in_the_platform_chart_is_refused_before_helm_reads_what_it_leads_to(fleet, root: Path, tmp_path: Path) -> None:
    fleet.put(VALUES, "{}\n")
    secret = tmp_path / "secret"
    secret.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: of-this-machine}\n")
    (root / "charts/bento-platform/templates/link.yaml").symlink_to(secret)
    found = checked(root)
    assert found.objects == 0
    assert [str(problem) for problem in found.problems] == [
        "charts/bento-platform/templates/link.yaml: a chart has no symbolic links: Helm would read what they lead to;"
        " put the file itself here"
    ]
