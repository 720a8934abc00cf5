"""`chart`: releases of the chart, which environment pins which, and what nobody pins any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context
from bento_gitops.cli.changing import Options, changing, gates_as_document, told_delivered, told_gates

if TYPE_CHECKING:
    from bento_gitops.operations.chart_changes import PinDone, ReleaseDone

app = typer.Typer(no_args_is_help=True, help="Releases of the chart, and which of them each environment runs.")

Environment = Annotated[str, typer.Argument(metavar="ENV", help="An environment.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="A semantic version, like 1.4.0.")]


@app.command()
@changing
def release(version: Version, *, options: Options) -> None:
    """Copies charts/bento-serving to a folder of its version, which never changes; environments can pin it then."""
    from bento_gitops.operations.chart_changes import carry_out_release

    request = options.request("")
    _only_decided_by_files(options, gates=False)
    done = carry_out_release(
        context.root, version, options.where(), by=request.by, reason=request.reason, dry_run=options.dry_run
    )
    _print_release(done, options)


@app.command()
@changing
def pin(environment: Environment, version: Version, *, options: Options) -> None:
    """Lets an environment run a release of the chart, and shows what that changes of its applications."""
    _pin(environment, version, options)


@app.command()
@changing
def unpin(environment: Environment, *, options: Options) -> None:
    """Lets an environment follow charts/bento-serving again: it gets every change of it at once."""
    _pin(environment, None, options)


@app.command()
def verify(
    base: Annotated[
        str | None, typer.Option("--base", metavar="REF", help="Also: no release that existed at this Git ref changed since.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Checks that releases are unchanged and are what their folders say, and that every pin has its folder."""
    from bento_gitops.operations.charts import verify as operation

    found = operation(context.root, base)
    if as_json:
        console.document(
            {
                "versions": list(found.versions),
                "pins": dict(found.pins),
                "unpinned": list(found.unpinned),
                "removable": list(found.removable),
                "base": base,
                "compared": found.compared,
                "notes": list(found.notes),
            }
        )
        return
    compared = f"; {found.compared} compared with {base}, unchanged" if base else "; not compared with Git (--base REF does)"
    number = len(found.versions)
    console.line(f"{number} release{'' if number == 1 else 's'} of the chart in order{compared}")
    for version in found.unpinned:
        todo = "; `bento-gitops chart prune` removes it" if version in found.removable else ""
        console.note(f"note: no environment pins {version}{todo}")
    for text in found.notes:
        console.note(f"note: {text}")


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show; remove nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Removes releases that no environment will pin: below a pinned one, but for the one right before it."""
    from bento_gitops.model.layout import released_chart
    from bento_gitops.operations.charts import prune as operation

    versions = operation(context.root, dry_run=dry_run)
    if as_json:
        console.document({"removed": [] if dry_run else list(versions), "removable": list(versions)})
        return
    for version in versions:
        console.line(f"{'would remove' if dry_run else 'removed'}: {released_chart(version)}")
    if not versions:
        console.line("every release is pinned, may be gone back to, or may be pinned next")


def _pin(environment: str, version: str | None, options: Options) -> None:
    from bento_gitops.operations.chart_changes import carry_out_pin
    from bento_gitops.operations.pins import PinRequest

    asked = options.request(environment)
    _only_decided_by_files(options, gates=True)
    request = PinRequest(asked.target, version, asked.now, asked.by, asked.reason, asked.break_glass)
    options.require_body()
    wants_body = options.pr_body is not None
    done = carry_out_pin(context.root, request, options.where(), dry_run=options.dry_run, wants_body=wants_body)
    options.write_body(done.body)
    _print_pin(done, options)


def _only_decided_by_files(options: Options, *, gates: bool) -> None:
    """Options of changes that this one has no use for: to take no notice of them would be a surprise."""
    if options.observation is not None:
        raise typer.BadParameter("this is not decided by what was seen live", param_hint="--observation")
    if options.break_glass and not gates:
        raise typer.BadParameter("there is no gate to pass", param_hint="--break-glass")
    if options.pr_body is not None and not gates:
        raise typer.BadParameter("a release changes nothing that runs, so there is no review of it", param_hint="--pr-body")


def _print_release(done: ReleaseDone, options: Options) -> None:
    release, delivered = done.release, done.delivered
    if options.as_json:
        console.document(
            {
                "version": release.version,
                "before": release.before,
                "folder": release.folder,
                "changed": not options.dry_run,
                "paths": list(release.paths),
                "commit": delivered.commit,
                "pushed": delivered.pushed,
                "pull_request": delivered.url,
                "notes": list(delivered.notes),
                "next": list(release.next),
            }
        )
        return
    word = "would be" if options.dry_run else "is"
    console.line(f"chart {release.version} {word} {release.folder} ({len(release.files)} files)", "bold")
    told_delivered(delivered, options)
    for following in () if options.dry_run else release.next:
        console.line(f"next: {following}")


def _print_pin(done: PinDone, options: Options) -> None:
    from bento_gitops.cli.diff import show

    pin, delivered = done.pin, done.delivered
    paths = [change.path for change in pin.proposal.effective()] if pin.proposal else []
    if options.as_json:
        from bento_gitops.reviewing.document import document

        console.document(
            {
                "environment": pin.environment,
                "before": pin.before,
                "after": pin.after,
                "changed": bool(paths) and not options.dry_run,
                "paths": paths,
                "gates": gates_as_document(pin.gates),
                "commit": delivered.commit,
                "pushed": delivered.pushed,
                "pull_request": delivered.url,
                "notes": [*pin.notes, *delivered.notes],
                "next": list(pin.next),
                "review": document(done.review),
            }
        )
        return
    console.line(pin.says, "bold" if paths else "")
    told_gates(pin.gates)
    for path in paths:
        console.line(f"  {'would change' if options.dry_run else 'changed'}: {path}")
    if paths:
        show(done.review)
    for note in pin.notes:
        console.note(f"note: {note}")
    told_delivered(delivered, options)
    for following in () if options.dry_run else pin.next:
        console.line(f"next: {following}")
