"""Helm's output as documents and objects, read as Kubernetes reads it or not at all.

Kubernetes reads YAML 1.1 (yes, on, 010), the fast reader YAML 1.2: a document with an unquoted word on which the two differ is
a finding, so that what is checked here is what a cluster gets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import ryaml

from bento_gitops.checking.objects import Finding, Json, Object
from bento_gitops.layers.marked import parse
from bento_gitops.model.problem import InvalidInput, Problem

_SOURCE = re.compile(r"^---\n# Source: ([^\n]+)\n", re.MULTILINE)

# A quick look for words that YAML 1.1 and 1.2 may read differently. It may find too much (words in a text): the marked reader
# then decides. The first character stands before what must precede it because that is what makes the search fast.
_TRUTH = re.compile(r"[yYnNoO](?<=[\s\[{].)(?:|[oOnN]|es|ES|ff|FF)(?= *(?:$|[,\]}]| #|:(?:\s)))", re.MULTILINE)
_NUMBER = re.compile(r"[0-9.+=<-](?<=[\s\[{].)[0-9a-fA-FxXoOinNF_:.+<-]*(?<!:)(?= *(?:$|[,\]}]| #)|:\s)", re.MULTILINE)
_DECIMAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|-+|[.]{2,}")
_ODD = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO]?[0-7_]+|0[bB][01_]+|0[0-9_]+(?:\.[0-9_]*)?|[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF|nan|NaN|NAN))|=|<<"
)

# The package's stubs do not say that it exports what its documentation offers.
_load = ryaml.loads  # pyright: ignore[reportPrivateImportUsage]
_NotYaml = ryaml.InvalidYamlError  # pyright: ignore[reportPrivateImportUsage]


@dataclass(frozen=True, slots=True)
class Document:
    """One document of Helm's output."""

    chart: str
    """The chart's path: its name, or `<umbrella>/charts/<alias>`."""
    template: str
    """The template's path inside the chart."""
    text: str


class Unreadable(Exception):
    """A document that is no object; `findings` say why."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        super().__init__("; ".join(item.wrong for item in findings))


def documents(output: str) -> Iterator[Document]:
    """The documents of Helm's output, in its order."""
    parts = _SOURCE.split(output)
    for source, text in zip(parts[1::2], parts[2::2], strict=True):
        chart, _, template = source.rpartition("/templates/")
        # How many blank lines follow a document depends on what Helm prints after it.
        yield Document(chart, f"templates/{template}", text.rstrip("\n") + "\n")


def read(document: Document) -> Object | None:
    """The object of a document; None where it holds comments alone.

    Raises Unreadable where Kubernetes would read something else than what stands there, or nothing.
    """
    try:
        body = cast(Json, _load(document.text))
    except _NotYaml as error:
        raise Unreadable([Finding("", "", f"not YAML: {error}", check="yaml", source=document.template)]) from None
    if body is None:
        return None
    if _may_be_ambiguous(document.text):
        _refuse_ambiguous(document)
    if not isinstance(body, dict):
        raise Unreadable([Finding("", "", "no object but a single value or a list", check="yaml", source=document.template)])
    return Object(body, document.template)


def _refuse_ambiguous(document: Document) -> None:
    try:
        parse(document.text, document.template)
    except InvalidInput as error:
        raise Unreadable([_ambiguous(item, document.template) for item in error.problems]) from None


def plain_values(text: str) -> Json:
    """The content of a values file, fast and without marks.

    Raises ValueError where it is not YAML.
    """
    try:
        return cast(Json, _load(text))
    except _NotYaml as error:
        raise ValueError(str(error)) from None


def plain_documents(text: str) -> list[Json]:
    """The documents of a YAML file, fast and without marks.

    Raises ValueError where it is not YAML.
    """
    try:
        return cast("list[Json]", ryaml.loads_all(text))  # pyright: ignore[reportPrivateImportUsage]  (see above)
    except _NotYaml as error:
        raise ValueError(str(error)) from None


def _may_be_ambiguous(text: str) -> bool:
    return bool(_TRUTH.search(text)) or any(
        _ODD.fullmatch(word) and not _DECIMAL.fullmatch(word) for word in _NUMBER.findall(text)
    )


def _ambiguous(problem: Problem, template: str) -> Finding:
    wrong = f"{problem.wrong}, in line {problem.place.line} of the document"
    return Finding("", problem.pointer, wrong, problem.found, problem.todo, "yaml", (), template)
