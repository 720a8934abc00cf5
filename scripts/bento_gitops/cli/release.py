"""`promote`, `rollback`, `retire`, `hold`, `unhold` and `canary ...`: the commands that change what runs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import context
from bento_gitops.cli.canary_run import run
from bento_gitops.cli.canary_steps import step
from bento_gitops.cli.changing import Application, Options, Tag, changing, told

if TYPE_CHECKING:
    from bento_gitops.operations.carrying_out import Carried
    from bento_gitops.operations.deciding import Command, Decision, Planned, Request
    from bento_gitops.operations.situation import Situation
    from bento_gitops.repository.files import Tree

canary = typer.Typer(help="The steps of a candidate from nothing to everything.", no_args_is_help=True)

Weight = Annotated[
    int | None, typer.Argument(metavar="[WEIGHT]", min=0, max=100, help="Percent of live requests; without it the next step.")
]
NoHold = Annotated[bool, typer.Option("--no-hold", help="Do not hold the bundle that is taken back: it is not to blame.")]


@changing
def promote(
    target: Application,
    tag: Annotated[
        str | None,
        typer.Argument(metavar="[TAG]", help="Without it: what is stable in promotion.from, else the newest bundle."),
    ] = None,
    *,
    options: Options,
) -> None:
    """Makes a bundle the candidate, without live requests yet; the first bundle gets them all."""
    from bento_gitops.operations import releases

    _carry(target, options, lambda situation, asked: releases.promote(situation, asked, tag or situation.next_bundle()))


@changing
def rollback(
    target: Application,
    no_hold: NoHold = False,
    pods_are_ready: Annotated[
        bool, typer.Option("--pods-are-ready", help="Of the second part: you looked, and its pods are ready.")
    ] = False,
    *,
    options: Options,
) -> None:
    """Goes back to what ran before: at once where its pods are there, else in two parts.

    With --push, a branch that takes no pushes gets a pull request.
    """
    from bento_gitops.model.problem import ToolFailed
    from bento_gitops.operations import releases, way_back
    from bento_gitops.repository.changes import RaceLost

    def command(situation: Situation, asked: Request) -> Planned:
        return releases.rollback(situation, asked, hold=not no_hold, root=context.root)

    options = replace(options, else_pr=True)
    try:
        carried = _carried(target, options, command, pods_are_ready=pods_are_ready)
    except RaceLost:
        raise  # somebody else decided: to look comes first
    except ToolFailed as error:
        around = way_back.by_the_files(context.root, target.strip("/"), options.reason)
        raise ToolFailed(f"{error}\n{around}" if around else str(error)) from error
    if carried.delivered.url:
        around = way_back.words(carried.decision.target, carried.decision.before, options.reason)
        notes = (*carried.delivered.notes, *([around] if around else []))
        carried = replace(carried, delivered=replace(carried.delivered, notes=notes))
    told(carried, options)


@changing
def retire(
    target: Application,
    undo: Annotated[bool, typer.Option("--undo", help="Open the routes again.")] = False,
    *,
    options: Options,
) -> None:
    """Takes an application away: first its routes, then, called again, its files."""
    if undo:
        from bento_gitops.operations import releases

        _carry(target, options, releases.unretire)
        return

    def decide(tree: Tree, request: Request) -> Decision:
        from bento_gitops.operations import retiring

        return retiring.retire(tree, context.root, request)

    told(options.carry_out(target, decide), options)


@changing
def hold(target: Application, tag: Tag, *, options: Options) -> None:
    """Keeps a bundle from being promoted here. Needs --reason."""
    from bento_gitops.operations import releases

    if not options.reason.strip():
        raise typer.BadParameter("say why: --reason TEXT")
    _carry(target, options, lambda situation, asked: releases.hold(situation, asked, tag))


@changing
def unhold(target: Application, tag: Tag, *, options: Options) -> None:
    """Lets a held bundle be promoted again."""
    from bento_gitops.operations import releases

    _carry(target, options, lambda situation, asked: releases.unhold(situation, asked, tag))


@canary.command("prepare")
@changing
def prepare(target: Application, weight: Weight = None, *, options: Options) -> None:
    """Gives the candidate pods for a weight; its requests stay as they are."""
    from bento_gitops.operations import releases

    _carry(target, options, lambda situation, asked: releases.prepare(situation, asked, weight))


@canary.command("shift")
@changing
def shift(target: Application, weight: Weight = None, *, options: Options) -> None:
    """Gives the candidate a weight that its pods are prepared for; its pods stay as they are."""
    from bento_gitops.operations import releases

    _carry(target, options, lambda situation, asked: releases.shift(situation, asked, weight))


@canary.command("finish")
@changing
def finish(target: Application, *, options: Options) -> None:
    """Makes the candidate, which has all requests, the stable track."""
    from bento_gitops.operations import releases

    _carry(target, options, releases.finish)


@canary.command("abort")
@changing
def abort(target: Application, no_hold: NoHold = False, *, options: Options) -> None:
    """Sends all requests back to the stable track and holds the candidate's bundle."""
    from bento_gitops.operations import releases

    _carry(target, options, lambda situation, asked: releases.abort(situation, asked, hold=not no_hold))


@canary.command("pause")
@changing
def pause(target: Application, *, options: Options) -> None:
    """Lets no weight rise until `resume`."""
    from bento_gitops.operations import releases

    _carry(target, options, releases.pause)


@canary.command("resume")
@changing
def resume(target: Application, *, options: Options) -> None:
    """Ends a pause."""
    from bento_gitops.operations import releases

    _carry(target, options, releases.resume)


canary.command("step")(changing(step))
canary.command("run")(changing(run))


def _carry(target: str, options: Options, command: Command) -> None:
    """Decides by one transition, delivers, and tells what became of it."""
    told(_carried(target, options, command), options)


def _carried(target: str, options: Options, command: Command, *, pods_are_ready: bool = False) -> Carried:
    """Decides by one transition, and delivers."""

    def decide(tree: Tree, request: Request) -> Decision:
        from bento_gitops.operations import deciding

        return deciding.decide(tree, context.root, replace(request, pods_are_ready=pods_are_ready), command)

    return options.carry_out(target, decide)


def register(app: typer.Typer) -> None:
    """The commands of this module."""
    for command in (promote, rollback, retire, hold, unhold):
        app.command()(command)
    app.add_typer(canary, name="canary")
