"""`schemas`: generates what editors and Helm check files with, and fetches what `validate` checks custom resources with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bento_gitops.cli import console, context

app = typer.Typer(no_args_is_help=True, help="Generated schemas of files and chart; schemas of custom resources.")


@app.command()
def generate(
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 3 when a file is not what the models say.")] = False,
) -> None:
    """Writes the JSON Schemas of all files, the charts' values.schema.json, the tables in their READMEs, dashboards, and
    the platform chart's copies of policies."""
    from bento_gitops.operations import schemas

    differing = schemas.generate(context.root, check=check)
    for path in differing:
        console.line(f"{'stale' if check else 'written'}: {path}")
    if not differing:
        console.line("all generated schemas are what the models say")
    elif check:
        console.note(f"{len(differing)} files are not what the models say; run `bento-gitops schemas generate` and commit them")
        raise typer.Exit(3)


@app.command()
def pull(
    source: Annotated[
        Path | None, typer.Option("--from", metavar="PATH", help="A CRD file, or a folder of them; the cluster without it.")
    ] = None,
    kinds: Annotated[
        list[str] | None,
        typer.Option("--kind", metavar="KIND[_VERSION]", help="Only this kind (again for more); all without it."),
    ] = None,
) -> None:
    """Reduces CRDs to schemas: those of PATH into schemas/custom-resources, the cluster's into policies/local/schemas."""
    from bento_gitops.operations import schemas

    pulled = schemas.pull(context.root, source, kinds or ())
    for path in pulled.written:
        console.line(f"written: {pulled.folder}/{path}")
    console.line(f"{len(pulled.written)} written, {len(pulled.unchanged)} unchanged, {len(pulled.passed_over)} not asked for")
