"""`canary run`: one step after the other until the candidate is stable or gone, with what it waits for on the screen."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console
from bento_gitops.cli.canary_steps import carried_step, looking
from bento_gitops.cli.changing import Application, Options, told

if TYPE_CHECKING:
    from rich.table import Table

    from bento_gitops.operations.deciding import Decision


def run(
    target: Application,
    every: Annotated[float, typer.Option(min=1, max=3600, help="Seconds between two looks.")] = 15,
    at_most: Annotated[float, typer.Option("--for", min=1, help="Minutes until it gives up; the rollout stays as it is.")] = 180,
    *,
    options: Options,
) -> None:
    """Steps on until the candidate is stable or gone; safe to end and to start again.

    Each look is at the cluster and at Prometheus, or reads --observation anew. Ends with 0 when there is nothing left to wait
    for, with 4 when the candidate was taken back, with 5 when the time is up.
    """
    if str(options.observation) == "-":
        raise typer.BadParameter("name a file that is kept fresh, for it is read again and again: --observation FILE")
    options = looking(options)
    if not options.dry_run and not (options.commit or options.push):
        raise typer.BadParameter("say where the steps go: --commit or --push")
    from bento_gitops.model.problem import ToolFailed

    end = monotonic() + at_most * 60
    shown, looked = "", False
    while True:
        try:
            carried = carried_step(target, options)
        except ToolFailed as error:
            # A server that was there and is away for a while is no reason to leave a candidate alone.
            if not looked or monotonic() + every > end:
                raise
            shown = _told_once(f"{error}; it tries again", shown)
            sleep(every)
            continue
        looked = True
        decision = carried.decision
        assert decision.step is not None, "a step says what it found"
        if decision.proposal is not None or decision.step.over:
            told(carried, options)
            shown = ""
        else:
            shown = _waiting(decision, shown)
        if decision.step.deed == "abort":
            raise typer.Exit(4)
        if decision.step.over or decision.step.deed in ("finish", "rollback") or options.dry_run:
            return
        if monotonic() + every > end:
            console.note(f"note: {at_most:g} minutes are over; the rollout stays as it is, and can be run again")
            raise typer.Exit(5)
        _sleep(decision, every)


def _waiting(decision: Decision, shown: str) -> str:
    """Where nobody looks at a terminal: a line for each new reason to wait; what was said last."""
    reason = decision.step.reason if decision.step else ""
    return reason if sys.stdout.isatty() else _told_once(reason, shown)


def _told_once(reason: str, shown: str) -> str:
    if reason != shown:
        console.line(f"{datetime.now(UTC):%H:%M:%S}  {reason}")
        sys.stdout.flush()
    return reason


def _sleep(decision: Decision, seconds: float) -> None:
    """Until the next look. On a terminal the standing of the rollout is there meanwhile, and goes when something happens."""
    if not sys.stdout.isatty():
        sleep(seconds)
        return
    from rich.live import Live

    with Live(transient=True, auto_refresh=False) as live:
        left = seconds
        while left > 0:
            live.update(standing(decision, left), refresh=True)
            sleep(min(1, left))
            left -= 1


def standing(decision: Decision, seconds: float) -> Table:
    """Where the rollout stands: each track, how far along the steps the candidate is, what it waits for."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    release = decision.after
    for name, track in release.tracks.items() if release else ():
        role = "stable" if release and name == release.stable else "candidate" if release and name == release.candidate else ""
        weight = f"{track.weight:>3} %  {'█' * (track.weight // 4)}{'·' * (25 - track.weight // 4)}"
        done = Text()
        if role == "candidate":
            for step in decision.steps:
                done.append(f"{step} ", style="bold green" if step <= track.weight else "dim")
        table.add_row(Text(f"{name} {role}".strip()), Text(track.bundle), Text(weight), done)
    reason = decision.step.reason if decision.step else ""
    table.add_row(Text("waits", style="yellow"), Text(""), Text(reason), Text(f"next look in {seconds:.0f} s", style="dim"))
    return table
