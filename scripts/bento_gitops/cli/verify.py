"""`verify` and `replay`: the commands that ask a running track, and tell what it answers."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bento_gitops.cli import console, context
from bento_gitops.cli.changing import Application, Options, as_document, changing, told, who

if TYPE_CHECKING:
    from collections import Counter

    from bento_gitops.observing.replay import Latency
    from bento_gitops.operations.deciding import Decision, Request
    from bento_gitops.operations.replaying import Replayed
    from bento_gitops.operations.verifying import Run, Ways
    from bento_gitops.repository.files import Tree

_MARKS = {"passed": "pass", "failed": "FAIL", "not looked": "not looked"}

Track = Annotated[str | None, typer.Option(help="Without it the candidate, else the stable one.")]
Url = Annotated[
    list[str] | None,
    typer.Option(metavar="[SERVICE=]URL", help="Where the api answers, or another component; without any: through kubectl."),
]
Key = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="HEADER=VARIABLE",
        help="A header of every request to the api, with its value from this environment variable: an API key, a token.",
    ),
]
StableUrl = Annotated[list[str] | None, typer.Option(metavar="URL", help="Where the stable track's api answers; with --url.")]


@changing
def verify(
    target: Application,
    record: Annotated[bool, typer.Option("--record", help="Write it down as evidence.")] = False,
    track: Track = None,
    url: Url = None,
    stable_url: StableUrl = None,
    key: Key = None,
    times: Annotated[
        int, typer.Option(min=1, max=50, help="How often each check asks; the first time warms up and is not timed.")
    ] = 4,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the checks there as JUnit XML.")] = None,
    *,
    options: Options,
) -> None:
    """Asks a running track what its application must answer, and says what it found; with --record it becomes evidence.

    With --observation and no --url nothing is asked: it says what the observation shows.
    """
    from bento_gitops.operations.verifying import Ways

    run = (
        None
        if options.observation is not None and not url
        else _run(target, track, Ways(url or (), stable_url or (), options.context, _keys(key)), times, options)
    )
    if run is not None:
        if junit is not None:
            _write_junit(junit, run)
        if not options.as_json:
            _told_run(run)
    elif stable_url or junit is not None:
        raise typer.BadParameter("with --observation alone nothing is asked; give --url too")
    carried = None
    if record or options.live or options.observation is not None:

        def decide(tree: Tree, request: Request) -> Decision:
            from bento_gitops.operations import recording, verifying

            if run is None:
                return recording.verify(tree, request, track, record=record)
            if record:
                verifying.require_evidence(tree, request, run)
            return recording.verify(tree, verifying.with_run(tree, request, run), run.track, record=record)

        carried = options.carry_out(target, decide)
        if not options.as_json:
            told(carried, options)
    if options.as_json:
        document: dict[str, Any] = as_document(carried, options) if carried else {"target": target.strip("/")}
        console.document({**document, "verification": _run_document(run)} if run else document)
    if (run is not None and (run.failed or run.blind)) or (carried is not None and not carried.decision.good):
        raise typer.Exit(4)


def _keys(said: list[str] | None) -> dict[str, str]:
    """Headers whose values are in the environment: on a command line everybody on the machine reads them."""
    import os
    import re

    found: dict[str, str] = {}
    for one in said or ():
        header, equals, variable = one.partition("=")
        if not (equals and re.fullmatch(r"[A-Za-z0-9-]+", header) and variable):
            raise typer.BadParameter(f"write HEADER=VARIABLE, like x-api-key=API_KEY (found '{header}')", param_hint="--key")
        value = os.environ.get(variable, "")
        if not value.strip():
            wrong = f"there is no {variable} in the environment; export it (its value, not the value here)"
            raise typer.BadParameter(wrong, param_hint="--key")
        if not value.strip().isprintable() or not value.isascii():
            raise typer.BadParameter(f"the value of {variable} is no header's: one line of ASCII", param_hint="--key")
        found[header] = value.strip()
    return found


def _run(target: str, track: str | None, ways: Ways, times: int, options: Options) -> Run:
    from dataclasses import replace

    from bento_gitops.operations.deciding import opened
    from bento_gitops.operations.observe import Eyes, require_cluster
    from bento_gitops.operations.verifying import run

    # What is observed now is looked at when the change is decided; the run needs none of it.
    request = replace(options.request(target), observation=None)
    tree = options.tree()
    if options.live:
        # What cannot be looked at is told before minutes of requests; the change looks anew.
        require_cluster(opened(tree, request), Eyes(options.context, options.prometheus, request.by))
    with _usage():
        return run(tree, request, track, ways, times=times)


@contextmanager
def _usage() -> Generator[None]:
    """What is wrong with options ends as all wrong usage does."""
    from bento_gitops.operations.reaching import WrongOptions

    try:
        yield
    except WrongOptions as error:
        options = dict.fromkeys(problem.place.file for problem in error.problems)
        if len(options) > 1:
            raise typer.BadParameter("; ".join(map(str, error.problems))) from None
        said = [str(problem).removeprefix(f"{problem.place}: ") for problem in error.problems]
        raise typer.BadParameter("; ".join(said), param_hint=next(iter(options))) from None


def _write_junit(file: Path, run: Run) -> None:
    from bento_gitops.model.problem import ToolFailed
    from bento_gitops.observing.junit import junit

    try:
        file.write_text(junit(f"verify {run.target} {run.track}", run.outcomes), encoding="utf-8")
    except OSError as error:
        raise ToolFailed(f"cannot write {file}: {error.strerror}") from error


def _told_run(run: Run) -> None:
    console.line(f"{run.target}: track {run.track}, bundle {run.bundle}", "bold")
    rows = [
        [one.name, _MARKS[one.outcome], "" if one.seconds is None else f"{one.seconds:.3f}", one.found] for one in run.outcomes
    ]
    console.table(["CHECK", "OUTCOME", "SECONDS", "FOUND"], rows, right=["SECONDS"])
    unlooked = len(run.outcomes) - len(run.looked)
    passed = len(run.looked) - len(run.failed)
    said = [f"{passed} passed", f"{len(run.failed)} failed", *([f"{unlooked} not looked at"] if unlooked else [])]
    console.line(f"{', '.join(said)}; {run.requests} requests", "red" if run.failed else "")
    if run.begin_with is not None and len(run.failed) > 1:
        console.line(f"begin with: {run.begin_with.name}: {run.begin_with.found}", "red")
    if not run.checks:
        application = run.target.partition("/")[2]
        console.note(f"note: nothing was asked; say what: `verification: FOLDER` in applications/{application}.yaml")
    elif run.entry in run.unreached:
        console.note(f"note: none of {run.checks} checks was asked; say where {run.entry} answers: --url http://...")


def _run_document(run: Run) -> dict[str, object]:
    return {
        "track": run.track,
        "bundle": run.bundle,
        "passed": not run.failed and not run.blind,
        "begin_with": run.begin_with.name if run.begin_with else None,
        "requests": run.requests,
        "checks": [
            {"name": one.name, "outcome": one.outcome, "seconds": one.seconds, "found": one.found} for one in run.outcomes
        ],
    }


def replay(
    target: Application,
    file: Annotated[Path, typer.Argument(metavar="FILE", help='JSON lines: {"method", "path", "body"}.')],
    rate: Annotated[float, typer.Option(help="Requests a second to each track, 50 at most.")] = 5,
    lasting: Annotated[
        str | None, typer.Option("--for", metavar="LENGTH", help="Go round so long, like 90s or 10m; without it once.")
    ] = None,
    track: Track = None,
    url: Url = None,
    stable_url: StableUrl = None,
    key: Key = None,
    kubernetes: Annotated[
        str | None,
        typer.Option("--context", help="The kubeconfig's; else the one called as the environment's cluster, else the current."),
    ] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="How far two numbers may be apart and still be the same.")] = 0,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="POINTER", help="A place in the answers that may differ, like /items/*/id.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Sends recorded requests to the candidate and to the stable track, and compares status, answers and time."""
    from datetime import UTC, datetime

    from bento_gitops.observing.replay import Comparison, latencies
    from bento_gitops.operations.deciding import Request
    from bento_gitops.operations.replaying import Pace, replay, requests_in
    from bento_gitops.operations.verifying import Ways
    from bento_gitops.repository.files import WorkingTree

    wrong = [pointer for pointer in ignore or () if not pointer.startswith("/")]
    if wrong:
        raise typer.BadParameter(f"begins with a slash: /{wrong[0]} (found '{wrong[0]}')", param_hint="--ignore")
    seconds = _seconds(lasting)
    requests = requests_in(file)
    request = Request(target.strip("/"), datetime.now(UTC), who())
    compared = Comparison(tolerance, tuple(ignore or ()))
    ways = Ways(url or (), stable_url or (), kubernetes, _keys(key))
    pace = Pace(rate, seconds)
    with _usage():
        replayed = replay(WorkingTree(context.root), request, requests, track, ways, pace, compared, _progress(quiet=as_json))
    found = latencies(compared)
    if as_json:
        console.document(_replay_document(replayed, found))
    else:
        _told_replay(replayed, found)
    if compared.worse or not compared.own.seconds:
        raise typer.Exit(4)


def _seconds(lasting: str | None) -> float | None:
    from pydantic import TypeAdapter, ValidationError

    from bento_gitops.model.base import Duration, length

    if lasting is None:
        return None
    try:
        TypeAdapter(Duration).validate_python(lasting)
    except ValidationError:
        raise typer.BadParameter(f"say how long, like 90s or 10m (found '{lasting}')", param_hint="--for") from None
    return length(lasting).total_seconds()


def _progress(*, quiet: bool) -> Callable[[int, int], None]:
    def told(done: int, of: int) -> None:
        if not quiet and done < of:
            console.note(f"{done} of {of} requests sent to each track")

    return told


def _told_replay(replayed: Replayed, found: list[Latency]) -> None:
    compared, own, stable = replayed.compared, replayed.compared.own, replayed.compared.stable
    console.line(f"{replayed.target}: {replayed.track} against {replayed.stable}, {compared.pairs} requests each", "bold")
    rows = [
        ["statuses", _statuses(own.statuses), f"stable: {_statuses(stable.statuses)}"],
        ["same status", f"{compared.same_status} of {compared.pairs}", ""],
        ["same answer", f"{compared.same} of {compared.pairs}", ""],
        ["failed", f"{own.failed} of {own.requests}", f"stable: {stable.failed} of {stable.requests}"],
    ]
    rows += [[one.name, f"{one.own * 1000:.0f} ms", f"stable: {one.stable * 1000:.0f} ms; {one.says}"] for one in found]
    if not found:
        rows.append(["latency", "", "no two good answers of both to compare"])
    console.table(["WHAT", replayed.track.upper(), ""], rows)
    for place, number in compared.differing.most_common(10):
        console.line(f"  differs: {place} in {number} of {compared.pairs}; {compared.examples[place]}")
    for note in replayed.notes:
        console.note(f"note: {note}")
    if any(one.difference is None or not one.certain for one in found):
        console.note("note: too few requests to say all of it; more lines, or --for LENGTH, narrow the intervals")
    if compared.worse:
        console.line(f"{replayed.track} failed {compared.worse} requests that {replayed.stable} answered", "red")
    for name, side in ((replayed.track, own), (replayed.stable, stable)):
        if not side.seconds:
            console.line(f"{name} gave no good answer (2xx): nothing that users get was compared", "red")


def _statuses(counted: Counter[str]) -> str:
    """The most frequent first."""
    return ", ".join(f"{status}: {number}" for status, number in counted.most_common())


def _replay_document(replayed: Replayed, found: list[Latency]) -> dict[str, object]:
    compared = replayed.compared
    return {
        "target": replayed.target,
        "track": replayed.track,
        "stable": replayed.stable,
        "requests": compared.pairs,
        "statuses": {"track": dict(compared.own.statuses), "stable": dict(compared.stable.statuses)},
        "same_status": compared.same_status,
        "same_answer": compared.same,
        "failed": {"track": compared.own.failed, "stable": compared.stable.failed},
        "failed_where_stable_answered": compared.worse,
        "differing": dict(compared.differing.most_common()),
        "examples": compared.examples,
        "notes": list(replayed.notes),
        "latency": [
            {
                "quantile": one.name,
                "track": one.own,
                "stable": one.stable,
                "difference": None
                if one.difference is None
                else {"estimate": one.difference.estimate, "low": one.difference.low, "high": one.difference.high},
                "certain": one.certain,
                "says": one.says,
            }
            for one in found
        ],
    }


def register(app: typer.Typer) -> None:
    """The commands of this module."""
    app.command()(verify)
    app.command()(replay)
