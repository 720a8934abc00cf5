"""What bento-platform makes of each cluster's values: rendered, and held against the schemas of its objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bento_gitops.checking.application import Checker
from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.layers.marked import MarkedMap, Plain, parse, place_of, plain
from bento_gitops.model.layout import PLATFORM, cluster_values
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.operations.clusters import ClusterFile
from bento_gitops.operations.manifests import links_in, refused_in
from bento_gitops.tools import binaries, helm

RELEASE = "bento-platform"
"""What the release is called, and its namespace: as docs/platform.md installs it."""
GENERATED = (("environments",), ("policies", "local"))
"""What `render` writes; people who write it too would be overruled in silence."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What bento-platform makes of one cluster's values."""

    cluster: str
    objects: int
    problems: tuple[Problem, ...]
    unchecked: Mapping[str, int] = field(default_factory=dict[str, int])
    """Objects for which there was no schema, by group, version and kind."""


def platforms(root: Path, files: Sequence[ClusterFile], checker: Checker) -> tuple[Platform, ...]:
    """What bento-platform makes of each cluster's values; `files` are the generated ones, as their sources say them."""
    return tuple(_platform(root, one, checker) for one in files)


def _platform(root: Path, generated: ClusterFile, checker: Checker) -> Platform:
    cluster = generated.cluster
    path = cluster_values(cluster)
    text = (root / path).read_text("utf-8", errors="replace")
    try:
        said = parse(text, path)
    except InvalidInput as error:
        return Platform(cluster, 0, tuple(error.problems))
    if problems := [*_said_twice(said), *links_in(root / PLATFORM)]:
        return Platform(cluster, 0, tuple(problems))
    values = json.dumps(_laid_over(plain(said), plain(parse(generated.text, generated.path))))
    try:
        documents = helm.template(
            root / PLATFORM, values, RELEASE, helm=binaries.find("helm"), kube_version=VERSIONS[-1], namespace=RELEASE
        )
    except helm.ChartRefused as error:
        return Platform(cluster, 0, tuple(refused_in(path, text, error.refusals)))
    outcome = checker.check(documents)
    problems = tuple(finding.problem(Place(path)) for finding in outcome.findings)
    return Platform(cluster, len(outcome.objects), problems, outcome.unchecked)


def _said_twice(said: MarkedMap) -> Iterator[Problem]:
    for path in GENERATED:
        inner = said
        for key in path[:-1]:
            below = inner.items.get(key)
            inner = below if isinstance(below, MarkedMap) else MarkedMap({}, said.place)
        if path[-1] in inner.items:
            wrong = "is generated: it comes from environment.yaml of each environment, and from policies/local"
            yield Problem(place_of(said, *path), ".".join(path), wrong, "", "remove it here, and run `bento-gitops render`")


def _laid_over(lower: Plain, upper: Plain) -> Plain:
    """As Helm merges values files: mappings by key, all else as the last one says."""
    if not (isinstance(lower, dict) and isinstance(upper, dict)):
        return upper
    merged = dict(lower)
    for key, value in upper.items():
        merged[key] = _laid_over(merged[key], value) if key in merged else value
    return merged
