"""`live shift`, `adopt` and `discard`: the words of what is done to a live route when Git cannot be asked."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context
from bento_gitops.cli.changing import Application, Options, as_document, changing_as_seen, told, typed, who

if TYPE_CHECKING:
    from bento_gitops.operations.carrying_out import Carried
    from bento_gitops.operations.deciding import Decision, Request
    from bento_gitops.operations.live import Outcome
    from bento_gitops.repository.files import Tree

app = typer.Typer(help="Weights of a live route when Git or Argo CD is down, and their way back to Git.", no_args_is_help=True)

Context = Annotated[
    str | None,
    typer.Option("--context", help="The kubeconfig's; without it the one called as the environment's cluster, else the current."),
]
ArgoContext = Annotated[
    str | None, typer.Option("--argocd-context", metavar="CONTEXT", help="Where Argo CD runs, if it is in another cluster.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Look, decide and show; change nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
_LENGTH = re.compile(r"(?=[0-9])([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?")


@app.command()
def shift(
    target: Application,
    weight: Annotated[
        int,
        typer.Argument(metavar="WEIGHT", min=0, max=100, help="Percent of live requests of the candidate, else of the standby."),
    ],
    to: Annotated[str | None, typer.Option("--to", metavar="TRACK", help="Of this track; stable gets the rest.")] = None,
    reason: Annotated[str, typer.Option(help="Why; it stands on the route until the shift ends.")] = "",
    lasting: Annotated[str, typer.Option("--for", metavar="LENGTH", help="How long it is meant to last: 2h, 90m.")] = "2h",
    break_glass: Annotated[
        str, typer.Option("--break-glass", metavar="REASON", help="Shift although too few pods are ready; recorded.")
    ] = "",
    kube_context: Context = None,
    argocd_context: ArgoContext = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Gives live requests to another track, past Git: automatic sync of this one application ends, its route changes.

    0 sends everything to stable. Needs --reason. Afterwards: `live adopt` writes it to Git, `live discard` takes it back.
    """
    from bento_gitops.model.base import length
    from bento_gitops.operations import live_shifting
    from bento_gitops.operations.live import Reach

    if not typed(reason):
        raise typer.BadParameter("say why: --reason TEXT")
    if not _LENGTH.fullmatch(lasting) or not length(lasting):
        raise typer.BadParameter("write hours, minutes and seconds, like 2h or 90m", param_hint="--for")
    tree, request = _asked(target, reason, break_glass)
    reach = Reach(kube_context, argocd_context)
    done = live_shifting.shift(tree, request, reach, weight, to=to, lasting=length(lasting), dry_run=dry_run)
    following = (f"bento-gitops live adopt {done.target} --push", f"bento-gitops live discard {done.target}")
    _tell(done, following, dry_run=dry_run, as_json=as_json)


@app.command()
def discard(
    target: Application,
    kube_context: Context = None,
    argocd_context: ArgoContext = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Ends a live shift: automatic sync goes on, and brings Git's weights back."""
    from bento_gitops.operations import live_ending
    from bento_gitops.operations.live import Reach

    tree, request = _asked(target, "", "")
    done = live_ending.discard(tree, request, Reach(kube_context, argocd_context), dry_run=dry_run)
    _tell(done, (), dry_run=dry_run, as_json=as_json)


@app.command()
@changing_as_seen
def adopt(
    target: Application,
    no_hold: Annotated[
        bool, typer.Option("--no-hold", help="Do not hold the bundle that is taken back: it is not to blame.")
    ] = False,
    argocd_context: ArgoContext = None,
    *,
    options: Options,
) -> None:
    """Writes the live weights to Git, as a transition of the release; when Git has them, automatic sync goes on."""
    from bento_gitops.operations import live_ending
    from bento_gitops.operations.live import Reach
    from bento_gitops.releasing.states import weights

    reach = Reach(options.context, argocd_context)

    def decide(tree: Tree, request: Request) -> Decision:
        return live_ending.adoption(tree, context.root, request, reach, hold=not no_hold)

    carried = options.carry_out(target, decide)
    steps: list[str] = []
    waits = ""
    if not options.dry_run:
        wanted = weights(carried.decision.after)
        there, name = live_ending.arrived(context.root, options.where(), str(carried.decision.target), wanted)
        if there:
            steps = live_ending.released(options.tree(), options.request(target), reach, wanted)
        else:
            again = f"bento-gitops live adopt {carried.decision.target}"
            waits = f"it stays held: {name} does not say so yet; when it does, run {again} again"
    _tell_adopted(carried, steps, waits, options)


def _asked(target: str, reason: str, break_glass: str) -> tuple[Tree, Request]:
    from bento_gitops.operations.deciding import Request
    from bento_gitops.repository.files import WorkingTree

    now = datetime.now(UTC)
    request = Request(target=target.strip("/"), now=now, by=typed(who()), reason=typed(reason), break_glass=typed(break_glass))
    return WorkingTree(context.root), request


def _tell(done: Outcome, following: tuple[str, ...], *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        console.document(
            {
                "target": done.target,
                "says": done.says,
                "before": done.before,
                "after": done.after,
                "changed": bool(done.done),
                "done": list(done.done),
                "notes": list(done.notes),
                "next": list(following),
            }
        )
        return
    console.line(f"{done.target}: {done.says}", "bold")
    for note in done.notes:
        console.note(f"note: {note}")
    for step in done.done:
        console.line(f"  {step}")
    if dry_run:
        console.line("  nothing was changed")
    elif following:
        console.line(f"next: {following[0]}")
        for other in following[1:]:
            console.line(f"  or: {other}")


def _tell_adopted(carried: Carried, steps: list[str], waits: str, options: Options) -> None:
    if options.as_json:
        console.document({**as_document(carried, options), "done": steps, "waits": waits})
        return
    told(carried if not waits else _without_next(carried), options)
    for step in steps:
        console.line(f"  {step}")
    if waits:
        console.note(f"note: {waits}")


def _without_next(carried: Carried) -> Carried:
    """While it is held, no other command comes next."""
    return replace(carried, decision=replace(carried.decision, next=()))
