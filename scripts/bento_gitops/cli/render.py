"""`render` and `explain`: what becomes of the files, and where each value comes from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context
from bento_gitops.cli.changing import Options, changing_files, told

if TYPE_CHECKING:
    from bento_gitops.operations.clusters import ClusterFile
    from bento_gitops.operations.deciding import Decision, Request
    from bento_gitops.operations.explain import Explanation
    from bento_gitops.operations.render import Rendered
    from bento_gitops.repository.files import Tree

Wanted = Annotated[
    str | None, typer.Argument(metavar="[ENV[/APP]]", help="One environment, or one application in it; all without it.")
]


MOST_SHOWN = 10
"""Targets whose difference is printed."""


@changing_files
def render(
    target: Wanted = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 3 when a values.yaml is not what its sources say.")
    ] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="What if: as an override; shows what would change, never writes."),
    ] = None,
    manifests: Annotated[Path | None, typer.Option(help="Also write the Kubernetes objects, one file per application.")] = None,
    *,
    options: Options,
) -> None:
    """Writes the values.yaml of every application, and what clusters get of their environments."""
    if options.delivers:
        if check or assignments or manifests:
            raise typer.BadParameter(
                "shows files as they are here; it goes with no commit", param_hint="--check, --set, --manifests"
            )
        _repair(target, options)
        return
    from bento_gitops.operations import render as operation
    from bento_gitops.operations.clusters import cluster_files, write
    from bento_gitops.repository.files import WorkingTree
    from bento_gitops.repository.fleet import Fleet

    tree = WorkingTree(context.root)
    rendered = operation.render(tree, target, assignments or (), options.moment)
    generated = cluster_files(Fleet(tree)) if target is None and not assignments else []
    writes = not check and not assignments
    if manifests is not None:
        from bento_gitops.operations.manifests import write_manifests

        charts = {str(one.target): context.root / one.chart for one in rendered}
        write_manifests({str(one.target): one.text for one in rendered}, charts, manifests)
    if writes:
        operation.write(context.root, rendered)
        write(context.root, generated)
    if options.as_json:
        console.document([*(_as_json(one) for one in rendered), *(_cluster_as_json(one) for one in generated)])
    else:
        _print(rendered, target or "any environment", check=check, assignments=bool(assignments))
        _print_clusters(generated, check=check)
    if check and any(one.changed for one in (*rendered, *generated)):
        raise typer.Exit(3)


def _repair(target: str | None, options: Options) -> None:
    """What is stale becomes a commit."""

    def decide(tree: Tree, request: Request) -> Decision:
        from bento_gitops.operations.repair import repair

        return repair(tree, request)

    told(options.carry_out(target or "", decide), options)


def _print(rendered: list[Rendered], wanted: str, *, check: bool, assignments: bool) -> None:
    rows: list[list[str]] = []
    word = "would change" if assignments else "stale" if check else "written"
    for one in rendered:
        for index, track in enumerate(one.tracks):
            first = index == 0
            rows.append(
                [
                    one.target.environment if first else "",
                    one.target.application if first else "",
                    f"{track.track} ({track.role})" if track.role else track.track,
                    track.bundle,
                    f"{track.weight} %",
                    ", ".join(f"{name} {pods}" for name, pods in track.replicas.items()),
                    (word if one.changed else "unchanged") if first else "",
                ]
            )
    if not rendered:
        folder = "*" if wanted == "any environment" else wanted
        console.note(f"no application in {wanted}: there is no environments/{folder}/*/release.yaml")
        return
    console.table(["ENVIRONMENT", "APPLICATION", "TRACK", "BUNDLE", "WEIGHT", "REPLICAS", "VALUES"], rows, right=["WEIGHT"])
    # What an environment says is true of each of its applications, and told once.
    for text in dict.fromkeys(text for one in rendered for text in one.notes):
        console.note(f"note: {text}")
    changed = [one for one in rendered if one.changed]
    if check or assignments:
        for text in [text for one in changed[:MOST_SHOWN] if one.before for text in one.difference()]:
            console.line(text, "green" if text.startswith("+") else "red" if text.startswith("-") else "")
        if len(changed) > MOST_SHOWN:
            console.note(f"{len(changed) - MOST_SHOWN} more change; name one to see how")
    if check and changed:
        console.note(
            f"{len(changed)} of {len(rendered)} values.yaml are not what their sources say; run `make render` and commit them"
        )


def _print_clusters(generated: list[ClusterFile], *, check: bool) -> None:
    """What becomes of the generated values of clusters, where that is anything."""
    changed = [one for one in generated if one.changed]
    for one in changed:
        console.line(f"{one.path}: {'stale' if check else 'written'}")
    if check and changed:
        for text in [text for one in changed if one.before for text in one.difference()]:
            console.line(text, "green" if text.startswith("+") else "red" if text.startswith("-") else "")
        console.note(f"{len(changed)} files of clusters are not what environments say; run `make render` and commit them")


def _cluster_as_json(one: ClusterFile) -> dict[str, object]:
    return {"cluster": one.cluster, "values": one.path, "changed": one.changed, "difference": one.difference()}


def _as_json(one: Rendered) -> dict[str, object]:
    return {
        "environment": one.target.environment,
        "application": one.target.application,
        "values": one.target.values,
        "changed": one.changed,
        "tracks": [
            {"track": track.track, "role": track.role, "bundle": track.bundle, "weight": track.weight, "replicas": track.replicas}
            for track in one.tracks
        ],
        "notes": list(one.notes),
        "difference": one.difference(),
    }


def explain(
    target: Annotated[str, typer.Argument(metavar="ENV/APP")],
    path: Annotated[
        str | None, typer.Argument(metavar="[PATH|values.yaml:LINE]", help="In the spelling of config.yaml or of Helm.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Tells where a value comes from: layer, file and line, and every value that it hides."""
    from bento_gitops.layers.marked import pointer
    from bento_gitops.layers.resolving import OF_RELEASES
    from bento_gitops.operations import explain as operation
    from bento_gitops.repository.files import WorkingTree

    found = operation.explain(WorkingTree(context.root), target, path)
    if as_json:
        console.document([_explained(one) for one in found])
        return
    for index, one in enumerate(found):
        if index:
            console.line("")
        console.line(pointer(one.path), "bold")
        rows = [[f"  {_shown(said.value)}", said.layer, str(said.place), what, said.note] for said, what in one.statements()]
        if rows:
            console.table(["  VALUE", "LAYER", "WHERE", "", ""], rows)
        else:
            decides = "docs/releases.md has what holds then" if one.path[0] in OF_RELEASES else "the chart and BentoML decide"
            console.line(f"  nothing says it: {decides}")


def _explained(one: Explanation) -> dict[str, object]:
    from bento_gitops.layers.merging import ABSENT

    return {
        "path": list(one.path),
        "value": None if one.leaf.value is ABSENT else one.leaf.value,
        "statements": [
            {
                "value": None if said.value is ABSENT else said.value,
                "layer": said.layer,
                "file": said.place.file,
                "line": said.place.line,
                "is": what,
                "note": said.note,
            }
            for said, what in one.statements()
        ],
    }


def _shown(value: object) -> str:
    from bento_gitops.layers.merging import ABSENT

    if value is ABSENT:
        return "null"
    # Quoted where it could be taken for something else, or would steer the terminal.
    return value if isinstance(value, str) and value and value.isprintable() else json.dumps(value)
