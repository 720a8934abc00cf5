"""`diff` and `cost`: what a change does to everything that runs, and what that costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context

if TYPE_CHECKING:
    from bento_gitops.operations.cost import Bill, Total
    from bento_gitops.reviewing.review import ApplicationReview, Review

Wanted = Annotated[
    str | None, typer.Argument(metavar="[ENV[/APP]]", help="One environment, or one application in it; all without it.")
]
MOST = 10
"""Applications that are told in full on a terminal; the table names all."""
LONGEST = 80
"""Characters of a value in a table."""
_STYLES = {"high": "bold red", "medium": "yellow", "low": ""}


def diff(
    target: Wanted = None,
    base: Annotated[
        str | None,
        typer.Option(metavar="REF", help="Compare with this; else with where the remote's main branch was left, else HEAD."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the body of a pull request, below 65,000 characters.")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="Leave nothing out, however long: every field of every object.")] = False,
) -> None:
    """Shows what a change does: values and objects with the line behind each, risk, restarts, cost, and how to undo it."""
    if as_json and markdown:
        raise typer.BadParameter("is one of two forms; choose one", param_hint="--json, --markdown")
    from bento_gitops.operations import diff as operation

    review = operation.diff(context.root, target, base)
    if as_json:
        from bento_gitops.reviewing.document import document

        console.document(document(review))
    elif markdown:
        from bento_gitops.reviewing.body import body

        console.line(body(review, full=full).rstrip("\n"))
    else:
        show(review, full=full)


def show(review: Review, *, full: bool = False) -> None:
    """The review on a terminal: readable without colours."""
    from bento_gitops.reviewing.body import amount, difference

    if not review.applications:
        console.line(f"no object of any application changes, compared with {review.base}")
    else:
        rows = [[one.environment, one.application, one.headline, one.risk, amount(one.cost)] for one in review.applications]
        console.table(["ENVIRONMENT", "APPLICATION", "WHAT", "RISK", f"A MONTH {review.currency}".rstrip()], rows)
    shown = review.applications if full else review.applications[:MOST]
    for one in shown:
        _show(one, review.currency, full=full)
    if len(shown) < len(review.applications):
        console.note(f"{len(review.applications) - len(shown)} more applications change; name one, or say --full, to see how")
    if review.chart_files:
        console.line(f"files of the chart that change: {', '.join(review.chart_files)}")
    for risk in review.risks:
        console.line(f"{risk.level}: {risk.kind}: {risk.reason}", _STYLES[risk.level])
    for found in review.files:
        console.line(f"{found.path}: {found.why}", "yellow" if found.matters else "")
    for text in review.notes:
        console.note(f"note: {text}")
    if len(review.applications) > 1:
        console.line(f"all together: risk {review.risk}, cost {difference(review.cost, review.currency)}")


def _show(one: ApplicationReview, currency: str, *, full: bool) -> None:
    from bento_gitops.model.printable import visible
    from bento_gitops.reviewing.behind import said_at
    from bento_gitops.reviewing.body import difference
    from bento_gitops.reviewing.markdown import clipped

    def word(value: object) -> str:
        shown = visible("not set" if value is None else str(value))
        return shown if full else clipped(shown, LONGEST)

    console.line("")
    console.line(f"{one.target}: {visible(one.headline)}", "bold")
    for text in one.notes:
        console.note(f"note: {text}")
    rows = [
        [
            f"  {change.path}",
            ", ".join(change.tracks) if change.component else "",
            word(change.before and change.before.value),
            word(change.after and change.after.value),
            said_at(change),
        ]
        for change in one.values
    ]
    if rows:
        console.table(["  SETTING", "TRACKS", "BEFORE", "AFTER", "FROM"], rows)
    for new in one.new_tracks:
        facts = [[f"  {fact.what}", word(fact.before), word(fact.after), new.file] for fact in new.bundle]
        facts += [
            [
                f"  {change.path}",
                word(change.before and change.before.value),
                word(change.after and change.after.value),
                said_at(change),
            ]
            for change in new.differences
        ]
        if facts:
            console.table([f"  TRACK {new.track.name}", f"BESIDE {new.against}", new.track.name, "FROM"], facts)
    for risk in one.risks:
        console.line(
            f"  {risk.level}: {risk.kind}: {visible(risk.reason)}{f' ({risk.where})' if risk.where else ''}", _STYLES[risk.level]
        )
    console.line(f"  cost: {difference(one.cost, currency)}")
    for found in one.cost.unpriced:
        console.line(f"  no price: {found.name} has no instance type")
    for way in one.undo:
        for step in way.steps:
            console.line(f"  undo: {visible(step.does)}")
            for command in step.commands:
                console.line(f"    {visible(command)}")
    for changed in one.objects:
        if not full:
            break
        console.line(f"  {changed.change}: {changed.identity}")
        for field in changed.fields:
            console.line(f"    {field.pointer}: {word(field.before)} -> {word(field.after)} ({field.origin})")
    if one.objects and not full:
        count = {change: sum(found.change == change for found in one.objects) for change in ("added", "changed", "removed")}
        words = ", ".join(f"{number} {change}" for change, number in count.items() if number)
        console.line(f"  objects: {words}; --full shows each field")


def cost(
    target: Wanted = None,
    by: Annotated[
        str, typer.Option(metavar="LABEL", help="What totals are made of: environment, application, or a label like cost-center.")
    ] = "environment",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Shows what every component costs a month: instance type x pods, at least and at most (730 hours)."""
    from bento_gitops.operations import cost as operation
    from bento_gitops.repository.files import WorkingTree

    bill = operation.cost(WorkingTree(context.root), target, by)
    if as_json:
        console.document(_as_json(bill))
    else:
        _print(bill)


def _print(bill: Bill) -> None:
    from bento_gitops.reviewing.body import money

    month = f"A MONTH {bill.currency}".rstrip()
    rows = [
        [
            line.target.environment,
            line.target.application,
            line.track.name,
            line.component.name,
            line.component.instance_type or "",
            str(line.component.pods),
            money(line.component.month) if line.component.month else "no price",
        ]
        for line in bill.lines
    ]
    console.table(
        ["ENVIRONMENT", "APPLICATION", "TRACK", "COMPONENT", "INSTANCE TYPE", "PODS", month], rows, right=["PODS", month]
    )
    console.line("")
    totals = [
        [
            one.group,
            str(one.pods),
            str(one.gpus),
            money(one.month) if one.priced else "no price",
            str(one.unpriced or ""),
        ]
        for one in (*bill.totals, bill.everything)
    ]
    console.table(
        [bill.by.upper(), "PODS", "GPUS", month, "WITHOUT A PRICE"], totals, right=["PODS", "GPUS", month, "WITHOUT A PRICE"]
    )
    if bill.everything.unpriced:
        console.note("note: what has no instance type has no price, and is in no total")


def _as_json(bill: Bill) -> dict[str, object]:
    from bento_gitops.reviewing.document import money, pods

    def total(one: Total) -> dict[str, object]:
        return {
            "group": one.group,
            "pods": pods(one.pods),
            "gpus": pods(one.gpus),
            "month": money(one.month),
            "unpriced": one.unpriced,
        }

    return {
        "currency": bill.currency,
        "by": bill.by,
        "components": [
            {
                "environment": line.target.environment,
                "application": line.target.application,
                "track": line.track.name,
                "bundle": line.track.bundle,
                "weight": line.track.weight,
                "component": line.component.name,
                "instance_type": line.component.instance_type,
                "pods": pods(line.component.pods),
                "gpus": line.component.gpu,
                "month": money(line.component.month) if line.component.month else None,
                "group": line.group,
            }
            for line in bill.lines
        ],
        "totals": [total(one) for one in bill.totals],
        "all": total(bill.everything),
    }
