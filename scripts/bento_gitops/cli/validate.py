"""`validate`: whether what would reach the cluster is right, as a table and a line for each problem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context

if TYPE_CHECKING:
    from bento_gitops.checking.application import Warned
    from bento_gitops.operations.validate import Report


def validate(
    target: Annotated[
        str | None, typer.Argument(metavar="[ENV[/APP]]", help="One environment, or one application in it; all without it.")
    ] = None,
    thorough: Annotated[bool, typer.Option("--thorough", help="Also render 25 times, and with Helm 3.19, and compare.")] = False,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="Also refuse what, since this Git ref, makes a rollback smaller or raises a weight together with pods.",
        ),
    ] = None,
    warnings: Annotated[bool, typer.Option("--warnings", help="Print each object that a policy warns of.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Renders the objects of every application, as they are and as rollback would leave them, and checks them."""
    from bento_gitops.operations import validate as operation

    report = operation.validate(context.root, target, thorough=thorough, base=base)
    if as_json:
        console.document(_as_json(report))
    else:
        _print(report, every_warning=warnings)
    if report.problems:
        raise typer.Exit(1)


def _print(report: Report, *, every_warning: bool) -> None:
    rows = [
        [
            *one.application.split("/", 1),
            str(one.objects),
            ", ".join(report.versions),
            str(report.policies or "none"),
            str(len(one.warnings) or "none"),
            str(len(one.problems) or "none"),
        ]
        for one in report.checked
    ]
    headings = ["ENVIRONMENT", "APPLICATION", "OBJECTS", "KUBERNETES", "POLICIES", "WARNINGS", "PROBLEMS"]
    console.table(headings, rows, right=["OBJECTS", "POLICIES", "WARNINGS"])
    if report.platforms:
        console.table(
            ["CLUSTER", "OBJECTS", "PROBLEMS"],
            [[one.cluster, str(one.objects), str(len(one.problems) or "none")] for one in report.platforms],
            right=["OBJECTS"],
        )
    for problem in report.problems:
        console.line(str(problem), "red")
    for note in dict.fromkeys(note for one in report.checked for note in one.notes):
        console.note(f"note: {note}")
    for policy, found in report.warnings.items():
        for line in _warnings(policy, found, every=every_warning):
            console.note(line)
    for kind, count in report.unchecked.items():
        console.note(f"note: no schema for {count} objects of {kind}; get it with `bento-gitops schemas pull`")


def _warnings(policy: str, found: Sequence[tuple[str, Warned]], *, every: bool) -> Iterator[str]:
    """What a policy warns of: one line, or one for each object."""
    if every:
        for target, one in found:
            yield f"warning: {target}: {one.identity}: policy {policy}: {one.message}; {one.mend}"
        return
    target, one = found[0]
    objects = dict.fromkeys((target, one.identity) for target, one in found)
    others = f"; and {len(objects) - 1} objects more (--warnings lists them)" if len(objects) > 1 else ""
    yield f"warning: policy {policy}: {target}: {one.identity}: {one.message}; {one.mend}{others}"


def _as_json(report: Report) -> dict[str, object]:
    return {
        "kubernetes": list(report.versions),
        "applications": [
            {
                "environment": one.application.partition("/")[0],
                "application": one.application.partition("/")[2],
                "objects": one.objects,
                "problems": len(one.problems),
                "unchecked": dict(one.unchecked),
                "notes": list(one.notes),
            }
            for one in report.checked
        ],
        "clusters": [{"cluster": one.cluster, "objects": one.objects, "problems": len(one.problems)} for one in report.platforms],
        "problems": [
            {
                "file": problem.place.file,
                "line": problem.place.line,
                "pointer": problem.pointer,
                "wrong": problem.wrong,
                "found": problem.found,
                "todo": problem.todo,
            }
            for problem in report.problems
        ],
        "unchecked": dict(report.unchecked),
        "policies": report.policies,
        "warnings": [
            {
                "target": target,
                "policy": policy,
                "object": one.identity,
                "message": one.message,
                "todo": one.mend,
            }
            for policy, found in report.warnings.items()
            for target, one in found
        ],
    }
