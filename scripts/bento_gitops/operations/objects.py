"""The objects of one application as a tree has it: rendered with the chart that its environment runs, and checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

from bento_gitops.checking.application import Checker
from bento_gitops.checking.custom_resources import CustomResourceSchemas
from bento_gitops.checking.kubernetes_schemas import VERSIONS, KubernetesSchemas
from bento_gitops.checking.objects import Map
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.operations.render import Rendered
from bento_gitops.repository.charts import on_disk
from bento_gitops.repository.files import Tree
from bento_gitops.repository.fleet import Fleet
from bento_gitops.repository.policies import Guards
from bento_gitops.tools import binaries, helm, schema_package

SCHEMAS = ("policies/local/schemas", "schemas/custom-resources")
"""Folders of reduced schemas of custom resources; the first that has one wins."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What the chart made of the values."""

    objects: int
    problems: tuple[Problem, ...]
    refusals: Sequence[helm.Refusal]
    """Why the chart made nothing of them."""
    policies: int = 0
    """How many policies they were held to."""


def objects_of(tree: Tree, rendered: Rendered, scratch: Path, *, checked: bool) -> Objects:
    """The objects of rendered values; with `checked` against schemas, policies and each other, else only whether there are any.

    The tree has policies and the schemas of custom resources too; a chart that is in Git alone is written below `scratch`.
    """
    folder = on_disk(tree, rendered.chart, scratch)
    try:
        found = helm.template(folder, rendered.text, "bulk", helm=binaries.find("helm"), kube_version=VERSIONS[-1])
    except helm.ChartRefused as error:
        return Objects(0, (), error.refusals)
    if not checked:
        return Objects(len(found), (), ())
    guard = Guards(Fleet(tree)).of(rendered.target.environment)
    outcome = checker(tree).check(found, guard)
    place = Place(rendered.target.values)
    problems = tuple(item.problem(place) for item in outcome.findings)
    return Objects(len(outcome.objects), problems, (), len(guard.policies.offline))


def checker(tree: Tree) -> Checker:
    """The schemas of Kubernetes, and those of custom resources as the tree has them."""
    return Checker(_kubernetes(), CustomResourceSchemas(lambda path: _custom(tree, path)))


@cache
def _kubernetes() -> KubernetesSchemas:
    """Read and compiled once a process: they never change, and a command may check more than once."""
    return KubernetesSchemas(schema_package.definitions)


def _custom(tree: Tree, path: str) -> Map | None:
    """The reduced schema of a custom resource: the fork's own, else the one that came with the charts."""
    for folder in SCHEMAS:
        file = f"{folder}/{path}"
        if not tree.exists(file):
            continue
        try:
            schema: Any = json.loads(tree.read(file))
        except ValueError as error:
            problem = Problem(Place(file), "", f"not JSON: {error}", "", "run `bento-gitops schemas pull` again")
            raise InvalidInput([problem]) from None
        return cast(Map, schema)
    return None
