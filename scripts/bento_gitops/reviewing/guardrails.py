"""What of a change takes away a guard: a policy, guardrails, what checks the change itself, what gates believe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from bento_gitops.layers.constraints import cores, size
from bento_gitops.layers.marked import Plain
from bento_gitops.model.base import CPU
from bento_gitops.model.files import Guardrails, PodCeiling, Quota, ReplicaBounds
from bento_gitops.reviewing.risks import Risk

KIND = "guardrails"
EVIDENCE = "evidence"
FILES = (
    "policies/**/*.yaml",
    "clusters/*/*.yaml",
    "charts/bento-platform/**/*",
    ".github/**/*",
    "scripts/**/*",
    "Makefile",
    "pyproject.toml",
    "requirements.lock",
    "CODEOWNERS",
    "docs/CODEOWNERS",
)
"""What guards stand in, beside the environments; by patterns of a tree."""
_EVIDENCE = re.compile(r"environments/(?P<target>[^/]+/[^/]+)/evidence/(?P<tag>[^/]+)\.yaml")
_POLICY = re.compile(r"policies/(?:local/)?(?P<name>[^/]+)/policy\.yaml")
_CLUSTER = re.compile(r"clusters/(?P<name>[^/]+)/values\.yaml")
_GUARDING = ("policies", "namespaces", "operators", "argocd", "stepping", "secretStores", "gateway")
"""Values of charts/bento-platform that decide who may do what: which image has the key that pushes, whence secrets come."""
_COPY = re.compile(r"charts/bento-platform/policies/(?P<name>[^/]+)\.yaml")
_UNTRACKED = ("*/__pycache__/*", "*.egg-info/*")
"""What programs leave beside the tools."""
_GROUPS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "templates, defaults or policies of charts/bento-platform",
        "what a cluster is held to may do so too",
        ("charts/bento-platform/templates/*", "charts/bento-platform/values.yaml", "charts/bento-platform/policies/*.yaml"),
    ),
    (
        "files of the image that steps canaries",
        "it has the key that pushes to the repository",
        ("charts/bento-platform/stepping/*",),
    ),
    (
        "files of what checks changes",
        "gates, reviews and what the cluster steps canaries with run this code",
        ("scripts/*", "Makefile", "pyproject.toml", "requirements.lock"),
    ),
)
"""What they are, what follows, and their patterns (`*` goes over folders)."""


@dataclass(frozen=True, slots=True)
class Sides:
    """A file that differs, as YAML; None where it is not there."""

    before: Plain
    after: Plain


def of_files(files: Mapping[str, Sides]) -> Iterator[Risk]:
    """The risks of the files that differ, by path."""
    for path, sides in files.items():
        yield from _of_file(path, sides)
    for what, follows, patterns in _GROUPS:
        found = [path for path in files if _matches(path, patterns) and not _is_told(path, files)]
        if found:
            yield Risk("high", KIND, f"{what} differ ({len(found)}): {follows}", found[0])


def _matches(path: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns) and not any(fnmatchcase(path, one) for one in _UNTRACKED)


def _is_told(path: str, files: Mapping[str, Sides]) -> bool:
    """A policy's copy in the chart says what the policy says, which is told by its name."""
    found = _COPY.fullmatch(path)
    return bool(found) and f"policies/{found['name']}/policy.yaml" in files


def _of_file(path: str, sides: Sides) -> Iterator[Risk]:
    if found := _POLICY.fullmatch(path):
        # An added one takes nothing away. Whether another text lets more pass, only its reader can say.
        if sides.before is not None and _rules(sides.before) != _rules(sides.after):
            how = "is removed" if sides.after is None else "says something else"
            yield Risk("high", KIND, f"policy {found['name']} {how}, in every cluster and in `validate`", path)
    elif found := _CLUSTER.fullmatch(path):
        keys = [key for key in _GUARDING if _at(sides.before, key) != _at(sides.after, key)]
        if keys and sides.before is not None:
            yield Risk("high", KIND, f"cluster {found['name']} is guarded otherwise: {', '.join(keys)}", path)
    elif path.endswith("CODEOWNERS"):
        yield Risk("high", KIND, "who must agree to which files", path)
    elif path.startswith(".github/"):
        yield Risk("high", KIND, "what runs on GitHub, with which token and secrets: it decides how changes are checked", path)
    elif (found := _EVIDENCE.fullmatch(path)) and sides.after is not None:
        reason = (
            f"gates believe what this says of {found['tag']} in {found['target']}; `verify --record` and `canary step` push it"
            " themselves, so ask who wrote it"
        )
        yield Risk("medium", EVIDENCE, reason, path)


def _at(side: Plain, key: str) -> Plain:
    """A value of a cluster; a file that cannot be read differs in all of them."""
    return side.get(key) if isinstance(side, dict) else side


def _rules(policy: Plain) -> Plain:
    """What the policy holds objects to: without its words to people."""
    return policy.get("spec") if isinstance(policy, dict) else policy


def loosened(environment: str, before: Guardrails | None, after: Guardrails | None, where: str) -> Iterator[Risk]:
    """The guardrails of an environment that let more pass than before."""
    old, new = before or Guardrails(), after or Guardrails()
    for policy in old.deny:
        if policy not in new.deny:
            yield Risk("high", KIND, f"{policy} refuses nothing in {environment} any more: it only warns", where)
    labels = [label for label in old.labels or () if label not in (new.labels or ())]
    if labels:
        yield Risk("medium", KIND, f"objects in {environment} need no label {', '.join(labels)} any more", where)
    for what, was, now, larger in _bounds(old, new):
        if was is not None and (now is None or (_measure(now) > _measure(was)) == larger) and now != was:
            yield Risk("high", KIND, f"{what} in {environment} goes from {was} to {'no bound' if now is None else now}", where)


Bound = str | int | None


def _bounds(old: Guardrails, new: Guardrails) -> Iterator[tuple[str, Bound, Bound, bool]]:
    """Name, before, after, and whether a larger number lets more pass."""
    pods = old.pod or PodCeiling(), new.pod or PodCeiling()
    quotas = old.quota or Quota(), new.quota or Quota()
    replicas = old.replicas or ReplicaBounds(), new.replicas or ReplicaBounds()
    for name, (was, now) in (("guardrails.pod", pods), ("guardrails.quota", quotas)):
        yield f"{name}.cpu", was.cpu, now.cpu, True
        yield f"{name}.memory", was.memory, now.memory, True
        yield f"{name}.gpu", was.gpu, now.gpu, True
    yield "guardrails.quota.pods", quotas[0].pods, quotas[1].pods, True
    yield "guardrails.replicas.min", replicas[0].min, replicas[1].min, False
    yield "guardrails.replicas.max", replicas[0].max, replicas[1].max, True


def _measure(bound: str | int) -> Decimal:
    """Two bounds of one name in one unit."""
    if isinstance(bound, int):
        return Decimal(bound)
    return cores(bound) if CPU.fullmatch(bound) else Decimal(size(bound))
