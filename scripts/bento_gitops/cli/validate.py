"""`validate`: whether what would reach the cluster is right, as a table and a line for each problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context

if TYPE_CHECKING:
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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Renders the objects of every application, as they are and as rollback would leave them, and checks them."""
    from bento_gitops.operations import validate as operation

    report = operation.validate(context.root, target, thorough=thorough, base=base)
    if as_json:
        console.document(_as_json(report))
    else:
        _print(report)
    if report.problems:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    rows = [
        [*one.application.split("/", 1), str(one.objects), ", ".join(report.versions), str(len(one.problems) or "none")]
        for one in report.checked
    ]
    console.table(["ENVIRONMENT", "APPLICATION", "OBJECTS", "KUBERNETES", "PROBLEMS"], rows, right=["OBJECTS"])
    for problem in report.problems:
        console.line(str(problem), "red")
    for note in dict.fromkeys(note for one in report.checked for note in one.notes):
        console.note(f"note: {note}")
    for kind, count in report.unchecked.items():
        console.note(f"note: no schema for {count} objects of {kind}; get it with `bento-gitops schemas pull`")


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
    }
