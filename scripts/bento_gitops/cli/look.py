"""`status` and `history`: what runs where, and how it came to that."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context
from bento_gitops.cli.changing import who
from bento_gitops.cli.render import Wanted
from bento_gitops.model.printable import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bento_gitops.operations.answered import Answering
    from bento_gitops.operations.history import Entry
    from bento_gitops.operations.live_status import Running
    from bento_gitops.operations.status import Standing
    from bento_gitops.tools.github import Merged

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def status(
    target: Wanted = None,
    check: Annotated[bool, typer.Option("--check", help="Exit 3 when a values.yaml is not what its sources say.")] = False,
    as_json: Json = False,
    live: Annotated[bool, typer.Option("--live", help="Compare with the clusters: weights, bundles, pods, Argo CD.")] = False,
    kube_context: Annotated[
        str | None,
        typer.Option(
            "--context",
            help="With --live: the kubeconfig's; without it the one called as the environment's cluster, or the current.",
        ),
    ] = None,
    argocd_context: Annotated[
        str | None, typer.Option("--argocd-context", metavar="CONTEXT", help="Where Argo CD runs, if it is in another cluster.")
    ] = None,
    now: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%dT%H:%M:%S%z"], metavar="TIME", help="The time to judge by (for tests)."),
    ] = None,
) -> None:
    """Says what runs where as Git has it, what waits for somebody, and what to run next; with --live, beside what runs."""
    from bento_gitops.operations import status as operation
    from bento_gitops.repository.files import WorkingTree

    tree, moment = WorkingTree(context.root), (now or datetime.now(UTC)).astimezone(UTC)
    standings = operation.status(tree, target, moment)
    running: list[Running] = []
    if live:
        from bento_gitops.operations.live import Reach
        from bento_gitops.operations.live_status import Lookout

        lookout = Lookout(context.root, tree, Reach(kube_context, argocd_context), who(), moment)
        running = [lookout.running(one) for one in standings]
    if as_json:
        from bento_gitops.operations.live_status import as_document

        seen = {one.target: {"live": as_document(one)} for one in running}
        console.document([{**_standing(one), **seen.get(str(one.target), {})} for one in standings])
    elif live:
        _print_running(running)
    else:
        _print(standings)
    if any(one.trouble for one in running):
        raise typer.Exit(5)
    if check and (any(one.stale for one in standings) or any(one.differs or one.held for one in running)):
        raise typer.Exit(3)


def observe(
    target: Annotated[str, typer.Argument(metavar="ENV/APP", help="An application in an environment.")],
    kube_context: Annotated[
        str | None,
        typer.Option("--context", help="The kubeconfig's; else the one called as the environment's cluster, else the current."),
    ] = None,
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
            console.note(f"{one.target}: {visible(text)}")
    if len(standings) == 1 and standings[0].next:
        console.line(f"next: {standings[0].next[0]}")
        for other in standings[0].next[1:]:
            console.line(f"  or: {other}")


def _print_running(running: list[Running]) -> None:
    rows: list[list[str]] = []
    for one in running:
        synced = one.syncing
        rows.append(
            [
                *one.target.split("/"),
                _weights(one.git),
                "?" if one.live is None else _weights(one.live),
                _pods(one),
                f"{synced.sync}, {'automatic' if synced.automatic else 'off'}" if synced else "-",
                synced.health if synced else "-",
                synced.revision[:10] if synced and synced.revision else "-",
                "-" if one.findings is None else str(len(one.findings)),
            ]
        )
    headings = ["ENVIRONMENT", "APPLICATION", "GIT", "LIVE", "READY PODS", "SYNC", "HEALTH", "REVISION", "FINDINGS"]
    console.table(headings, rows, right=["FINDINGS"])
    for left in dict.fromkeys(one.uncounted for one in running if one.uncounted):
        console.note(f"FINDINGS leaves out: {'; '.join(left)}")
    for one in running:
        if one.held is not None:
            held = one.held
            until = f"{'PAST ITS END' if one.late else 'until'} {held.until}" if held.until else "without an end"
            said = visible(f"{held.by}, {until}: {held.reason}")
            console.line(f"{one.target}: HELD by a live shift of {said}", "bold red")
            console.line(f"  end it: bento-gitops live adopt {one.target} --push, or bento-gitops live discard {one.target}")
        for text in (*one.differs, *one.attention):
            console.line(f"{one.target}: {visible(text)}", "red")
        for denial in one.findings or ():
            console.line(f"{one.target}: policy {denial.policy}: {visible(denial.message)}", "yellow")
        if one.trouble:
            console.note(f"{one.target}: {one.trouble}")
        for text in one.notes:
            console.note(f"{one.target}: {text}")


def _weights(of: Mapping[str, int]) -> str:
    return " ".join(f"{track} {weight}" for track, weight in sorted(of.items()) if weight) or "none"


def _pods(one: Running) -> str:
    """Of each track the component that has the least of what it should have."""
    least = {
        track: min(components.values(), key=lambda pods: pods[0] / max(pods[1], 1))
        for track, components in (one.tracks or {}).items()
        if components
    }
    return " ".join(f"{track} {ready}/{wanted}" for track, (ready, wanted) in sorted(least.items())) or "-"


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
    at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            metavar="TIME",
            help="What ENV/APP ran then, and who decided it: 2026-11-01T09:00:00Z, the time of a request.",
        ),
    ] = None,
    track: Annotated[str | None, typer.Option(metavar="NAME", help="With --at: this one, as x-bento-track says.")] = None,
    bundle: Annotated[str | None, typer.Option(metavar="TAG", help="With --at: this one, as x-bento-bundle says.")] = None,
    approvals: Annotated[bool, typer.Option("--approvals", help="Ask GitHub (gh) who approved and merged.")] = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Changes at most.")] = 50,
    as_json: Json = False,
) -> None:
    """Tells from Git how applications came to what they run: when, what, who and why."""
    if at is not None:
        _answered(target, at, track, bundle, approvals=approvals, as_json=as_json)
        return
    if track or bundle:
        raise typer.BadParameter("--track and --bundle say which of those that ran --at a time")
    from bento_gitops.operations import history as operation

    entries = operation.history(context.root, target, limit, approvals=approvals)
    if as_json:
        console.document([_entry(one) for one in entries])
        return
    if not entries:
        console.note("no commit has changed a release yet")
        return
    rows = [
        [
            _when(one.at),
            one.target,
            one.transition,
            one.stable,
            one.candidate or "-",
            " ".join(f"{name} {weight}" for name, weight in one.weights.items() if weight) or "-",
            one.who,
            one.commit[:10],
            _pull(one.pull_request, one.let_in),
            _why(one),
        ]
        for one in entries
    ]
    headings = ["WHEN (UTC)", "TARGET", "WHAT", "STABLE", "CANDIDATE", "WEIGHTS", "WHO", "COMMIT", "PULL REQUEST", "WHY"]
    console.table(headings, rows)


def _answered(target: str | None, at: datetime, track: str | None, bundle: str | None, *, approvals: bool, as_json: bool) -> None:
    from bento_gitops.operations.answered import answered

    if not target or "/" not in target.strip("/"):
        raise typer.BadParameter("say whose: ENV/APP", param_hint="TARGET")
    found = answered(context.root, target.strip("/"), at, track=track, bundle=bundle, approvals=approvals)
    if as_json:
        console.document(
            {
                "target": found.target,
                "at": found.at.isoformat(),
                "release": _entry(found.by),
                "tracks": [_answering(one) for one in found.tracks],
            }
        )
        return
    console.line(
        f"{found.target} at {_when(found.at)} UTC, as Git had it since {_when(found.by.landed.at)} ({found.by.commit[:10]})"
    )
    for one in found.tracks:
        asked = "" if one.weight else " (answers only who asks for it by header)"
        console.line(f"\ntrack {one.track}: bundle {one.bundle}, {one.weight} % of the requests{asked}")
        rows = [["on the track since", *_step(one.since)]]
        if one.answers:
            rows.append(["answers since", *_step(one.answers)])
        rows.append([f"{one.weight} % since", *_step(one.weighs)])
        if not isinstance(one.recorded, str):
            let_in = _pull(one.recorded.pull_request, one.recorded.let_in)
            rows.append(["recorded", _when(one.recorded.at), "bundle", one.recorded.author, one.recorded.commit[:10], let_in, ""])
        console.table(["", "WHEN (UTC)", "WHAT", "WHO", "COMMIT", "PULL REQUEST", "WHY"], rows)
        for line in _made_of(one):
            console.line(f"  {line}")


def _step(one: Entry) -> list[str]:
    return [_when(one.landed.at), one.transition, one.who, one.commit[:10], _pull(one.pull_request, one.let_in), _why(one)]


def _made_of(one: Answering) -> list[str]:
    if isinstance(one.recorded, str):
        return [f"what it is made of is not known: {one.recorded}"]
    bundle = one.recorded.bundle
    lines = [f"image {bundle.image.repository}@{bundle.image.digest}"]
    if bundle.source:
        lines.append(f"built from {bundle.source.repository} at {bundle.source.commit}")
    for name, model in bundle.models.items():
        lines.append(f"model {name}: {model.tag}, preprocessing {model.preprocessing}, {model.framework}")
        if model.dataset and model.evaluation:
            measured = ", ".join(f"{metric} {value:g}" for metric, value in model.evaluation.metrics.items())
            lines.append(f"  trained on {model.dataset.snapshot} ({model.dataset.rows} rows)")
            lines.append(f"  evaluated: {measured} ({model.evaluation.report}, sha256:{model.evaluation.sha256})")
        if model.pretrained:
            lines.append(f"  from {model.pretrained.source}, sha256:{model.pretrained.sha256}")
    return lines


def _when(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _pull(number: str, let_in: Merged | None) -> str:
    if let_in is None:
        return number or "-"
    approved = ", ".join(one.by if one.last else f"{one.by} (before its last commit)" for one in let_in.approvals)
    return f"{number} by {let_in.author}, approved by {approved or 'nobody'}, merged by {let_in.merged_by}"


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
        "author": one.author,
        "committer": one.committer,
        "by_is_author": one.is_authors,
        "reason": one.reason,
        "break_glass": one.break_glass,
        "differs": one.differs,
        "landed": {"commit": one.landed.sha, "at": one.landed.at.isoformat()},
        "pull_request": _let_in(one.pull_request, one.let_in),
    }


def _let_in(number: str, let_in: Merged | None) -> dict[str, object] | None:
    """Null: it was pushed, or nobody knows. What GitHub alone knows is there where it was asked."""
    if let_in is None:
        return {"number": number} if number else None
    return {
        "number": number,
        "url": let_in.url,
        "author": let_in.author,
        "merged_by": let_in.merged_by,
        "approvals": [{"by": one.by, "at": one.at, "of_the_last_commit": one.last} for one in let_in.approvals],
    }


def _answering(one: Answering) -> dict[str, object]:
    recorded = one.recorded
    return {
        "track": one.track,
        "bundle": one.bundle,
        "weight": one.weight,
        "since": _entry(one.since),
        "answers": _entry(one.answers) if one.answers else None,
        "weighs": _entry(one.weighs),
        "recorded": None
        if isinstance(recorded, str)
        else {
            "commit": recorded.commit,
            "at": recorded.at.isoformat(),
            "by": recorded.author,
            "pull_request": _let_in(recorded.pull_request, recorded.let_in),
            "image": f"{recorded.bundle.image.repository}@{recorded.bundle.image.digest}",
            "source": recorded.bundle.source and recorded.bundle.source.model_dump(),
            "models": {name: model.model_dump(exclude_none=True) for name, model in recorded.bundle.models.items()},
        },
    }
