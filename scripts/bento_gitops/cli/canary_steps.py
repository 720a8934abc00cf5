"""`canary step`: the one thing that comes next, of one application, or of each of many with an observation file of its own."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context
from bento_gitops.cli.changing import Options, as_document, told
from bento_gitops.cli.render import Wanted

if TYPE_CHECKING:
    from bento_gitops.operations.carrying_out import Carried
    from bento_gitops.operations.deciding import Decision, Request
    from bento_gitops.repository.files import Tree


def step(
    target: Wanted = None,
    observations: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="Step with every application of ENV, or of all, that is on its way, each by FOLDER/ENV/APP.yaml.",
        ),
    ] = None,
    *,
    options: Options,
) -> None:
    """Does the one thing that comes next, or says what it waits for. Safe to repeat.

    Looks at the cluster and at Prometheus by itself, unless --observation(s) say what was seen. With ENV, or with nothing, each
    application that is on its way gets its step.
    """
    if observations is None and target is not None and "/" in target:
        told(carried_step(target, looking(options)), options)
        return
    if options.observation is not None or options.pr_body is not None:
        raise typer.BadParameter("is of one application, ENV/APP", param_hint="--observation, --pr-body")
    _all(target, observations, options)


def looking(options: Options) -> Options:
    """Steps are decided by what runs: without an observation they look. Raises BadParameter for a time that is not now."""
    if options.observation is not None or options.live:
        return options
    if options.now is not None:
        raise typer.BadParameter(
            "a step looks at what runs now; with an --observation it can be of another time", param_hint="--now"
        )
    return replace(options, live=True)


def _all(wanted: str | None, folder: Path | None, options: Options) -> None:
    """One step with each. What is wrong with one keeps no other from its step; the worst decides how the command ends."""
    from bento_gitops.model.problem import InvalidInput, Refused, ToolFailed
    from bento_gitops.operations.canary_step import on_their_way

    codes: list[int] = []
    documents: list[object] = []
    targets = on_their_way(options.tree(), wanted)
    for target in targets:
        own = looking(options) if folder is None else _seen_in(folder, target, options)
        try:
            carried = carried_step(target, own)
        except (InvalidInput, Refused, ToolFailed) as error:
            codes.append(1 if isinstance(error, InvalidInput) else 4 if isinstance(error, Refused) else 5)
            documents.append({"target": target, "error": str(error)})
            sys.stdout.flush()
            console.error(str(error))
            continue
        documents.append(as_document(carried, own))
        if not own.as_json:
            told(carried, own)
    if options.as_json:
        console.document(documents)
    elif not targets:
        console.line(f"no candidate, and no track to remove, in {wanted or 'any environment'}")
    if codes:
        raise typer.Exit(max(codes))


def _seen_in(folder: Path, target: str, options: Options) -> Options:
    file = folder / f"{target}.yaml"
    if not file.is_file():
        console.note(f"note: {target}: nobody looked at it: there is no {file}")
    return replace(options, observation=file if file.is_file() else None)


def carried_step(target: str, options: Options) -> Carried:
    """One step of one application, and what became of it."""

    def decide(tree: Tree, request: Request) -> Decision:
        from bento_gitops.operations import canary_step

        return canary_step.step(tree, context.root, request)

    return options.carry_out(target, decide)
