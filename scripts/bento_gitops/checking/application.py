"""Everything that is checked of the objects of one application: can they be read, do schemas allow them, do they fit together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bento_gitops.checking import consistency
from bento_gitops.checking.custom_resources import CustomResourceSchemas
from bento_gitops.checking.kubernetes_schemas import KubernetesSchemas
from bento_gitops.checking.objects import Finding, Object
from bento_gitops.checking.rendered import Document, Unreadable, read


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was found."""

    objects: tuple[Object, ...]
    findings: tuple[Finding, ...]
    unchecked: Mapping[str, int]
    """Objects for which there was no schema, by group, version and kind."""


@dataclass(frozen=True, slots=True)
class Checker:
    """The schemas, compiled once for many applications."""

    kubernetes: KubernetesSchemas
    custom: CustomResourceSchemas

    def check(self, documents: Iterable[Document]) -> Outcome:
        """The objects of one application and all that is wrong with them."""
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
        return Outcome(tuple(objects), tuple(sorted(set(findings))), dict(unchecked))


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
