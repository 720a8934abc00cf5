"""What of a change takes away a guard: a policy, guardrails, what checks the change itself, what gates believe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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
FILES = ("policies/**/*.yaml", "clusters/*/*.yaml", "charts/bento-platform/**/*", ".github/**/*", "CODEOWNERS", "docs/CODEOWNERS")
"""What guards stand in, beside the environments; by patterns of a tree."""
_EVIDENCE = re.compile(r"environments/(?P<target>[^/]+/[^/]+)/evidence/(?P<tag>[^/]+)\.yaml")
_POLICY = re.compile(r"policies/(?:local/)?(?P<name>[^/]+)/policy\.yaml")
_CLUSTER = re.compile(r"clusters/(?P<name>[^/]+)/values\.yaml")
_GUARDING = ("policies", "namespaces", "operators", "argocd")
"""Values of charts/bento-platform that decide who may do what."""


@dataclass(frozen=True, slots=True)
class Sides:
    """A file that differs, as YAML; None where it is not there."""

    before: Plain
    after: Plain


def of_files(files: Mapping[str, Sides]) -> Iterator[Risk]:
    """The risks of the files that differ, by path."""
    for path, sides in files.items():
        yield from _of_file(path, sides)
    platform = [path for path in files if fnmatchcase(path, "charts/bento-platform/templates/*")]
    if platform:
        reason = f"{len(platform)} templates of charts/bento-platform differ: what a cluster is held to may do so too"
        yield Risk("high", KIND, reason, platform[0])


def _of_file(path: str, sides: Sides) -> Iterator[Risk]:
    if found := _POLICY.fullmatch(path):
        # An added one takes nothing away. Whether another text lets more pass, only its reader can say.
        if sides.before is not None and _rules(sides.before) != _rules(sides.after):
            how = "is removed" if sides.after is None else "says something else"
            yield Risk("high", KIND, f"policy {found['name']} {how}, in every cluster and in `validate`", path)
    elif found := _CLUSTER.fullmatch(path):
        before, after = (side if isinstance(side, dict) else {} for side in (sides.before, sides.after))
        keys = [key for key in _GUARDING if before.get(key) != after.get(key)]
        if keys and sides.before is not None:
            yield Risk("high", KIND, f"cluster {found['name']} is guarded otherwise: {', '.join(keys)}", path)
    elif path.startswith(".github/") and path.endswith((".yml", ".yaml")):
        yield Risk("high", KIND, "what runs on GitHub, with which token and secrets: it decides how changes are checked", path)
    elif path.endswith("CODEOWNERS"):
        yield Risk("high", KIND, "who must agree to which files", path)
    elif (found := _EVIDENCE.fullmatch(path)) and sides.after is not None:
        reason = (
            f"gates believe what this says of {found['tag']} in {found['target']}; `verify --record` and `canary step` push it"
            " themselves, so ask who wrote it"
        )
        yield Risk("medium", EVIDENCE, reason, path)


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
