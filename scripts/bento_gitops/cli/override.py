"""`override set`, `list` and `end`: temporary changes by operators, each with a reason, an owner and an end."""

from __future__ import annotations

import json
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context
from bento_gitops.cli.changing import Application, Options, changing_files, told, typed
from bento_gitops.cli.render import Wanted

if TYPE_CHECKING:
    from bento_gitops.layers.merging import Said
    from bento_gitops.operations.deciding import Decision, Request
    from bento_gitops.operations.override_list import Setting, Standing
    from bento_gitops.repository.files import Tree

app = typer.Typer(help="Temporary changes by operators, which end.", no_args_is_help=True)

_TIME = ["%Y-%m-%dT%H:%M:%S%z"]


@app.command("set")
@changing_files
def set_(
    target: Application,
    assignments: Annotated[
        list[str], typer.Argument(metavar="PATH=VALUE...", help="In the words of config.yaml; names with dots are quoted.")
    ],
    length: Annotated[str, typer.Option("--for", metavar="LENGTH", help="How long it is to count, like 8h or 90m.")] = "",
    until: Annotated[
        datetime | None, typer.Option(formats=_TIME, metavar="TIME", help="When it is to end, like 2026-12-01T00:00:00Z.")
    ] = None,
    owner: Annotated[str, typer.Option(help="Who is asked about it; without it you.")] = "",
    *,
    options: Options,
) -> None:
    """Changes settings for a time, above everything that files of the environment say. Needs --reason, and --for or --until."""
    if not options.reason.strip():
        raise typer.BadParameter("say why: --reason TEXT")
    if bool(length) == bool(until):
        raise typer.BadParameter("say once until when: --for 8h, or --until 2026-12-01T00:00:00Z")

    def decide(tree: Tree, request: Request) -> Decision:
        from bento_gitops.operations.overrides import Wish, set_override

        return set_override(tree, request, Wish(tuple(assignments), length, until, typed(owner)))

    told(options.carry_out(target, decide), options)


@app.command()
@changing_files
def end(
    target: Wanted = None,
    which: Annotated[
        str | None, typer.Argument(metavar="[INDEX|PATH]", help="As `override list` counts them, or a path that it says.")
    ] = None,
    ended: Annotated[
        bool, typer.Option("--ended", help="All past their end, of ENV/APP, ENV or everything, in one commit.")
    ] = False,
    *,
    options: Options,
) -> None:
    """Takes an override back before its end, or all that are past it."""
    if ended == bool(which):
        raise typer.BadParameter("say which: ENV/APP and INDEX or PATH, or --ended for all that are past their end")

    def decide(tree: Tree, request: Request) -> Decision:
        from bento_gitops.operations import overrides

        if which:
            return overrides.end_override(tree, context.root, request, which)
        return overrides.end_ended(tree, request)

    told(options.carry_out(target or "", decide), options)


@app.command("list")
def list_(
    target: Wanted = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
    now: Annotated[datetime | None, typer.Option(formats=_TIME, metavar="TIME", help="The time to judge by (for tests).")] = None,
) -> None:
    """Says which overrides there are: whose, why, until when, and which values they hide."""
    from bento_gitops.operations.override_list import overrides
    from bento_gitops.repository.files import WorkingTree

    found = overrides(WorkingTree(context.root), target, (now or datetime.now(UTC)).astimezone(UTC))
    if as_json:
        console.document([_as_json(one) for one in found])
        return
    if not found:
        console.note(f"no override in {target or 'any environment'}")
        return
    _print(found)


def _print(found: list[Standing]) -> None:
    from bento_gitops.model.base import duration

    rows: list[list[str]] = []
    for one in found:
        for index, setting in enumerate(one.settings):
            first = index == 0
            rows.append(
                [
                    one.target.environment if first else "",
                    one.target.application if first else "",
                    str(one.number) if first else "",
                    f"{setting.path}={_value(setting.value)}",
                    setting.state,
                    "; ".join(_said(said) for said in setting.hides) or "-",
                    one.expires if first else "",
                    one.owner if first else "",
                    one.reason if first else "",
                ]
            )
    console.table(["ENVIRONMENT", "APPLICATION", "#", "SAYS", "STATE", "HIDES", "UNTIL", "OWNER", "REASON"], rows, right=["#"])
    for one in found:
        words = f"{one.target}: override {one.number}"
        if one.ended:
            todo = f"bento-gitops override end {one.target} {shlex.quote(one.name)}"
            over = f"ended {duration(-one.left)} ago and still counts: {todo}"
            console.line(f"{words} {over}", "bold red")
        else:
            console.line(f"{words} counts for {duration(one.left)} more")


def _as_json(one: Standing) -> dict[str, object]:
    return {
        "environment": one.target.environment,
        "application": one.target.application,
        "number": one.number,
        "name": one.name,
        "file": one.place.file,
        "line": one.place.line,
        "settings": [_setting(setting) for setting in one.settings],
        "reason": one.reason,
        "owner": one.owner,
        "expires": one.expires,
        "ended": one.ended,
        "left_seconds": int(one.left.total_seconds()),
    }


def _setting(setting: Setting) -> dict[str, object]:
    return {
        "path": setting.path,
        "value": setting.value,
        "state": setting.state,
        "hides": [
            {"value": said.value, "layer": said.layer, "file": said.place.file, "line": said.place.line} for said in setting.hides
        ],
    }


def _said(said: Said) -> str:
    return f"{_value(said.value)} ({said.layer}, {said.place})"


def _value(value: object) -> str:
    # Quoted where it could be taken for something else, or would steer the terminal.
    return value if isinstance(value, str) and value and value.isprintable() else json.dumps(value)
