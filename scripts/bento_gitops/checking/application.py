"""Everything that is checked of one application's objects: readable, allowed by schemas and policies, fitting together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bento_gitops.checking import consistency
from bento_gitops.checking.custom_resources import CustomResourceSchemas
from bento_gitops.checking.kubernetes_schemas import KubernetesSchemas
from bento_gitops.checking.objects import Finding, Object
from bento_gitops.checking.policies import Denial, Guard
from bento_gitops.checking.rendered import Document, Unreadable, read


@dataclass(frozen=True, order=True, slots=True)
class Warned:
    """What a policy that only warns says of an object."""

    policy: str
    identity: str
    message: str
    mend: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found."""

    objects: tuple[Object, ...]
    findings: tuple[Finding, ...]
    unchecked: Mapping[str, int]
    """Objects for which there was no schema, by group, version and kind."""
    warnings: tuple[Warned, ...] = ()
    """What policies that do not deny yet say."""


@dataclass(frozen=True, slots=True)
class Checker:
    """The schemas, compiled once for many applications."""

    kubernetes: KubernetesSchemas
    custom: CustomResourceSchemas

    def check(self, documents: Iterable[Document], guard: Guard | None = None) -> Outcome:
        """The objects of one application and all that is wrong with them; without a guard no policy is asked."""
        objects, findings = readable(documents)
        unchecked: Counter[str] = Counter()
        for item in objects:
            if self.kubernetes.owns(item):
                findings += self.kubernetes.findings(item)
            elif (found := self.custom.findings(item)) is not None:
                findings += found
            else:
                unchecked[f"{item.api_version} {item.kind}"] += 1
        findings += consistency.findings(objects)
        warnings: list[Warned] = []
        for item, denial in _denials(objects, guard):
            if guard and denial.policy in guard.deny:
                wrong = f"policy {denial.policy}: {denial.message}"
                findings.append(Finding(item.identity, "", wrong, "", denial.mend, denial.policy, (), item.source))
            else:
                warnings.append(Warned(denial.policy, item.identity, denial.message, denial.mend))
        return Outcome(tuple(objects), tuple(sorted(set(findings))), dict(unchecked), tuple(sorted(set(warnings))))


def _denials(objects: Iterable[Object], guard: Guard | None) -> Iterator[tuple[Object, Denial]]:
    if guard is None:
        return
    for item in objects:
        for denial in guard.policies.judge(item, guard.parameters):
            yield item, denial


def readable(documents: Iterable[Document]) -> tuple[list[Object], list[Finding]]:
    """The objects, and what is wrong with the documents that are none."""
    objects: list[Object] = []
    findings: list[Finding] = []
    for document in documents:
        try:
            item = read(document)
        except Unreadable as error:
            findings += error.findings
        else:
            objects += [item] if item else []
    return objects, findings
