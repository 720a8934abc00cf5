"""`bento-gitops bundle`: inspect, create, show, verify."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context

if TYPE_CHECKING:
    from bento_gitops.model.bundle import Bundle, RecordedLimit, RecordedModel, RecordedService

app = typer.Typer(name="bundle", help="Bundles: the immutable, digest-pinned records of Bentos.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("inspect")
def inspect_(
    bento: Annotated[
        str, typer.Argument(metavar="BENTO", help="A tag in the model store, a built Bento's folder, or an exported archive.")
    ],
    python: Annotated[
        Path | None,
        typer.Option(
            "--python",
            help="The Python that the Bento's dependencies are installed in. Without it: this one, else the one on PATH.",
        ),
    ] = None,
    bentoml_home: Annotated[
        Path | None,
        typer.Option("--bentoml-home", help="Where tags and models are looked up; else $BENTOML_HOME, else ~/bentoml."),
    ] = None,
    timeout: Annotated[float, typer.Option("--timeout", help="Seconds for all imports of the code together.", min=1)] = 120,
) -> None:
    """Says what a built Bento declares, as JSON. This runs its code: only on Bentos that you trust."""
    from bento_gitops.operations import bundle as operation

    found = operation.inspect_bento(bento, python=python, home=bentoml_home, timeout=timeout)
    typer.echo(json.dumps(found.model_dump(mode="json", exclude_defaults=False), indent=2, ensure_ascii=False))
    for remark in found.unresolved:
        typer.echo(f"unresolved: {remark.pointer}: {remark.reason}", err=True)
    for remark in found.notes:
        typer.echo(f"note: {remark.pointer}: {remark.reason}", err=True)
    if found.unresolved:
        typer.echo("`bundle create` refuses this inspection until nothing is unresolved", err=True)


@app.command()
def create(
    application: Annotated[str, typer.Option("--application", help="The application's name: bundles/<application>/.")],
    inspection: Annotated[Path, typer.Option("--inspection", help="What `bundle inspect` wrote.")],
    image: Annotated[str, typer.Option("--image", help="The image by digest: REPOSITORY@sha256:...")],
    tag: Annotated[str | None, typer.Option("--tag", help="The bundle's name; else the Bento's version.")] = None,
    source_repository: Annotated[str | None, typer.Option("--source-repository", help="Where the code is.")] = None,
    source_commit: Annotated[
        str | None, typer.Option("--source-commit", help="The commit that the Bento was built from.")
    ] = None,
    max_file_mib: Annotated[
        int, typer.Option("--max-file-mib", help="The largest file that a Bento may have outside its models.", min=1)
    ] = 50,
    now: Annotated[str | None, typer.Option("--now", help="The time to record: 2026-11-01T09:00:00Z.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the bundle, write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Records an inspected Bento and its image as a bundle. Imports nothing of the Bento."""
    from bento_gitops.operations import bundle as operation

    done = operation.create(
        context.root,
        inspection_file=inspection,
        application=application,
        tag=tag,
        image=image,
        source=(source_repository, source_commit),
        created=now or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        size_limit=max_file_mib << 20,
        dry_run=dry_run,
    )
    if as_json:
        answer = {
            "path": done.path,
            "application": done.bundle.application,
            "tag": done.bundle.tag,
            "changed": done.changed,
            "dry_run": dry_run,
        }
        typer.echo(json.dumps({**answer, "bundle": done.bundle.model_dump(mode="json", exclude_none=True)}, indent=2))
        return
    if not done.changed:
        typer.echo(f"unchanged: {done.path} (created {done.bundle.created})")
    elif dry_run:
        typer.echo(done.text, nl=False)
        typer.echo(f"dry run: would write {done.path}", err=True)
    else:
        typer.echo(f"created: {done.path}")
        typer.echo(f"next: bento-gitops bundle show {done.bundle.application} {done.bundle.tag}")


@app.command()
def show(
    application: Annotated[str, typer.Argument(metavar="APP")],
    tag: Annotated[str, typer.Argument(metavar="TAG")],
    as_json: Json = False,
) -> None:
    """Shows a bundle: services, resources, batching and its variables, models and how good they were found to be."""
    from bento_gitops.operations import bundle as operation

    bundle = operation.show(context.root, application, tag)
    if as_json:
        typer.echo(json.dumps(bundle.model_dump(mode="json", exclude_none=True), indent=2))
        return
    _print(bundle)


@app.command()
def verify(
    application: Annotated[str | None, typer.Argument(metavar="[APP]", show_default=False)] = None,
    tag: Annotated[str | None, typer.Argument(metavar="[TAG]", show_default=False)] = None,
    base: Annotated[
        str | None, typer.Option("--base", metavar="REF", help="Also: nothing that existed at this Git ref changed since.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Checks bundles: schema, that path and content agree, no circle of dependencies, immutability."""
    from bento_gitops.operations import bundle as operation

    done = operation.verify(context.root, application, tag, base)
    if as_json:
        typer.echo(json.dumps({"bundles": list(done.bundles), "base": base, "compared": done.compared}, indent=2))
        return
    compared = f"; {done.compared} compared with {base}, unchanged" if base else "; not compared with Git (--base REF does)"
    typer.echo(f"{len(done.bundles)} bundles in order{compared}")


def _print(bundle: Bundle) -> None:
    console.line(f"{bundle.application} {bundle.tag}  created {bundle.created}", "bold")
    facts = {"bento": f"{bundle.bento}  (BentoML {bundle.bentoml}, Python {bundle.python})"}
    facts["image"] = f"{bundle.image.repository}@{bundle.image.digest}"
    if bundle.source:
        facts["source"] = f"{bundle.source.repository} {bundle.source.commit}"
    for name, fact in facts.items():
        console.line(f"{name:<8}{fact}")
    services = [
        [
            name,
            "api" if name == bundle.entry else "runner",
            ", ".join(service.dependencies) or "-",
            _resources(service),
            *_traffic(service),
        ]
        for name, service in bundle.services.items()
    ]
    console.line("")
    console.table(["SERVICE", "ROLE", "DEPENDS ON", "RESOURCES", "WORKERS", "TIMEOUT", "CONCURRENCY"], services)
    apis = [
        [
            name,
            api,
            f"{told.route} (a task)" if told.task else told.route,
            *((_limit(told.batching.max_batch_size), _limit(told.batching.max_latency_ms)) if told.batching else ("-", "-")),
        ]
        for name, service in bundle.services.items()
        for api, told in service.apis.items()
    ]
    console.line("")
    console.table(["SERVICE", "API", "ROUTE", "MAX_BATCH_SIZE", "MAX_LATENCY_MS"], apis)
    models = [
        [
            model.tag,
            model.framework,
            model.preprocessing,
            _origin(model),
            ", ".join(f"{name} {value:g}" for name, value in model.evaluation.metrics.items()) if model.evaluation else "-",
        ]
        for model in bundle.models.values()
    ]
    console.line("")
    console.table(["MODEL", "FRAMEWORK", "PREPROCESSING", "ORIGIN", "METRICS"], models)


def _resources(service: RecordedService) -> str:
    if not service.resources:
        return "-"
    said = service.resources.model_dump(exclude_none=True, exclude={"limits"})
    return ", ".join(f"{key} {value}" for key, value in said.items()) or "-"


def _traffic(service: RecordedService) -> tuple[str, str, str]:
    traffic = service.traffic
    timeout = f"{traffic.timeout:g} s" if traffic and traffic.timeout else "-"
    return (str(service.workers or "-"), timeout, str((traffic and traffic.max_concurrency) or "-"))


def _limit(limit: int | RecordedLimit) -> str:
    return f"{limit} (fixed)" if isinstance(limit, int) else f"{limit.default} ({limit.env})"


def _origin(model: RecordedModel) -> str:
    if model.pretrained:
        return model.pretrained.source
    return f"{model.dataset.rows} rows of {model.dataset.snapshot[: len('sha256:') + 12]}" if model.dataset else "-"
