"""`status` and `history`: what runs where, and how it came to that."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context
from bento_gitops.cli.changing import who
from bento_gitops.cli.render import Wanted

if TYPE_CHECKING:
    from bento_gitops.operations.history import Entry
    from bento_gitops.operations.status import Standing

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def status(
    target: Wanted = None,
    check: Annotated[bool, typer.Option("--check", help="Exit 3 when a values.yaml is not what its sources say.")] = False,
    as_json: Json = False,
    now: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z"], metavar="TIME", help="The time to judge by (for tests)."),
    ] = None,
) -> None:
    """Says what runs where as Git has it, what waits for somebody, and what to run next."""
    from bento_gitops.operations import status as operation
    from bento_gitops.repository.files import WorkingTree

    standings = operation.status(WorkingTree(context.root), target, (now or datetime.now(UTC)).astimezone(UTC))
    if as_json:
        console.document([_standing(one) for one in standings])
    else:
        _print(standings)
    if check and any(one.stale for one in standings):
        raise typer.Exit(3)


def observe(
    target: Annotated[str, typer.Argument(metavar="ENV/APP", help="An application in an environment.")],
    kube_context: Annotated[str | None, typer.Option("--context", help="The kubeconfig's; without it the current one.")] = None,
    prometheus: Annotated[
        str | None, typer.Option(metavar="URL", help="Instead of the environment's monitoring.prometheus.address.")
    ] = None,
) -> None:
    """Looks at what runs now, and prints the observation that `--live` decides by: weights, bundles, ready pods, measurements."""
    import yaml

    from bento_gitops.operations.deciding import Request, opened
    from bento_gitops.operations.observe import Eyes, look
    from bento_gitops.repository.files import WorkingTree

    request = Request(target=target.strip("/"), now=datetime.now(UTC), by=who())
    looked = look(opened(WorkingTree(context.root), request), Eyes(kube_context, prometheus, request.by))
    text = yaml.safe_dump(looked.observation.model_dump(exclude_none=True), sort_keys=False, allow_unicode=True)
    for note in looked.notes:
        console.note(f"note: {note}")
    sys.stdout.write(text)


def _print(standings: list[Standing]) -> None:
    rows: list[list[str]] = []
    for one in standings:
        release = one.release
        track = release.tracks[release.candidate] if release.candidate else None
        candidate = f"{track.bundle} {track.weight} % (ready for {track.ready_for or 0} %)" if track else "-"
        state = f"{one.state}, paused" if release.paused else one.state
        stable = release.tracks[release.stable]
        rows.append(
            [
                one.target.environment,
                one.target.application,
                state,
                f"{stable.bundle} {stable.weight} %",
                candidate,
                one.rollback,
                release.since,
            ]
        )
    console.table(["ENVIRONMENT", "APPLICATION", "STATE", "STABLE", "CANDIDATE", "ROLLBACK", "SINCE"], rows)
    for one in standings:
        for text in one.attention:
            console.note(f"{one.target}: {text}")
    if len(standings) == 1 and standings[0].next:
        console.line(f"next: {standings[0].next[0]}")
        for other in standings[0].next[1:]:
            console.line(f"  or: {other}")


def _standing(one: Standing) -> dict[str, object]:
    return {
        "environment": one.target.environment,
        "application": one.target.application,
        "state": one.state,
        "stale": one.stale,
        "rollback": one.rollback,
        "attention": list(one.attention),
        "next": list(one.next),
        "release": one.release.model_dump(exclude_none=True),
    }


def history(
    target: Wanted = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Changes at most.")] = 50,
    as_json: Json = False,
) -> None:
    """Tells from Git how applications came to what they run: when, what, who and why."""
    from bento_gitops.operations import history as operation

    entries = operation.history(context.root, target, limit)
    if as_json:
        console.document([_entry(one) for one in entries])
        return
    if not entries:
        console.note("no commit has changed a release yet")
        return
    rows = [
        [
            one.at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
            one.target,
            one.transition,
            one.stable,
            one.candidate or "-",
            " ".join(f"{name} {weight}" for name, weight in one.weights.items() if weight) or "-",
            one.by,
            one.commit[:10],
            _why(one),
        ]
        for one in entries
    ]
    console.table(["WHEN (UTC)", "TARGET", "WHAT", "STABLE", "CANDIDATE", "WEIGHTS", "WHO", "COMMIT", "WHY"], rows)


def _why(one: Entry) -> str:
    parts = [one.reason]
    if one.break_glass:
        parts.append(f"GATES PASSED OVER: {one.break_glass}")
    if one.differs:
        parts.append("(the file says other weights than the commit's message)")
    return " ".join(part for part in parts if part)


def _entry(one: Entry) -> dict[str, object]:
    return {
        "commit": one.commit,
        "at": one.at.isoformat(),
        "target": one.target,
        "transition": one.transition,
        "state": one.state,
        "stable": one.stable,
        "candidate": one.candidate,
        "weights": one.weights,
        "by": one.by,
        "reason": one.reason,
        "break_glass": one.break_glass,
        "differs": one.differs,
    }
