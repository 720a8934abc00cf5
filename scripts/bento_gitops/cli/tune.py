"""`tune`: measures a component's batching on loopback and proposes the lines for config.yaml."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bento_gitops.cli import console, context

if TYPE_CHECKING:
    from bento_gitops.operations.tune import Plan, Tuned


def tune(
    target: Annotated[str, typer.Argument(metavar="ENV/APP", help="Whose settings the component gets.")],
    component: Annotated[str, typer.Argument(metavar="COMPONENT", help="The service that batches, by its name in the code.")],
    bento: Annotated[
        str, typer.Option("--bento", metavar="BENTO", help="A tag in the model store, a built Bento's folder, or an archive.")
    ],
    payloads: Annotated[
        Path,
        typer.Option(
            "--payloads",
            metavar="FILE",
            help='Requests as they come in, JSON lines: {"path": ..., "body": ...}. What is made up is measured, too.',
        ),
    ],
    python: Annotated[
        Path | None, typer.Option("--python", help="The Python that the Bento's dependencies are installed in.")
    ] = None,
    bentoml_home: Annotated[
        Path | None, typer.Option("--bentoml-home", help="Where tags and models are looked up; else $BENTOML_HOME.")
    ] = None,
    api: Annotated[str | None, typer.Option("--api", help="The API that batches, where the component has several.")] = None,
    sizes: Annotated[str, typer.Option("--sizes", help="Of max_batch_size, in items; BentoML takes 2 or more.")] = "2,8,32,64",
    latencies: Annotated[
        str, typer.Option("--latencies", help="Of max_latency_ms, a deadline for answers, not a time to wait for more.")
    ] = "100,500,2000",
    clients: Annotated[
        int | None,
        typer.Option(
            "--clients",
            min=1,
            max=1024,
            help="Each sends when it has its last answer. Without it 80, or what a pod takes at a time.",
        ),
    ] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=600, help="Of load for each run.")] = 8,
    repeat: Annotated[int, typer.Option("--repeat", min=1, max=10, help="Runs of each setting; two tell noise.")] = 2,
    through_api: Annotated[bool, typer.Option("--through-api", help="Send to the api, which asks the component.")] = False,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="What if: another value, as in an override.")
    ] = None,
    passed: Annotated[
        list[str] | None, typer.Option("--pass", metavar="NAME", help="A variable of yours that the services get, too.")
    ] = None,
    picture: Annotated[Path | None, typer.Option("--picture", metavar="FILE.svg", help="Write the figures as bars.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Runs a component of a built Bento here, under load, with several limits of batching, and proposes the best.

    This runs the Bento's code: only on Bentos that you trust. Nothing but 127.0.0.1 is asked, no file but the picture is written.
    """
    from bento_gitops.operations import tune as operation
    from bento_gitops.repository.files import WorkingTree

    wanted = operation.Wanted(
        target=target.strip("/"),
        component=component,
        bento=bento,
        python=python,
        home=bentoml_home,
        api=api,
        sizes=_numbers(sizes, "--sizes", at_least=2),
        latencies=_numbers(latencies, "--latencies"),
        clients=clients,
        seconds=seconds,
        repeat=repeat,
        payloads=payloads,
        through_api=through_api,
        assignments=tuple(assignments or ()),
        passed=_passed(passed or []),
    )
    _require_folder(picture)
    with operation.planned(WorkingTree(context.root), wanted) as plan:
        _announce(plan)
        tuned = operation.measure(plan, console.note)
        if picture is not None:
            _draw(plan, tuned, picture)
        if as_json:
            _document(plan, tuned)
        else:
            _print(plan, tuned)


def _announce(plan: Plan) -> None:
    wanted = plan.wanted
    console.note(
        f"about {_minutes(plan.seconds)}: {len(plan.settings)} settings, {wanted.repeat} x {wanted.seconds:g} s of "
        f"{plan.clients} clients, {', '.join(one.service for one in plan.processes)} on this machine"
    )
    for text in plan.notes:
        console.note(text)


def _print(plan: Plan, tuned: Tuned) -> None:
    from bento_gitops.observing import tuning

    limits, proposal = plan.limits, tuned.proposal
    headings = tuning.headings(tuned.cells)
    console.table(headings, tuning.rows(tuned.cells, proposal), right=headings[:-1])
    console.line("")
    for text in [*proposal.reasons, *tuning.remarks(tuned.cells), *_circumstances(plan, tuned)]:
        console.line(f"- {text}")
    if proposal.setting is None:
        console.line("nothing to propose")
    elif proposal.setting == limits.now:
        console.line(f"proposed: leave {plan.config} as it is")
    else:
        console.line(f"proposed for {plan.config}:")
        console.line(limits.lines(proposal.setting).rstrip("\n"))
        console.line(f"next: {_what_it_does(plan)}")


def _what_it_does(plan: Plan) -> str:
    return f"write the lines, then `bento-gitops render {plan.target}` and `bento-gitops diff {plan.target}`"


def _circumstances(plan: Plan, tuned: Tuned) -> list[str]:
    """What the figures depend on beside the setting."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = f"measured on {cores} CPUs shared by {', '.join(one.service for one in plan.processes)} and the load"
    if tuned.load_average is not None:
        said += f"; load average {tuned.load_average[0]:.1f} before, {tuned.load_average[1]:.1f} after"
        if tuned.load_average[0] > 0.5 * cores:
            said += ": others use this machine, so compare settings and not these figures with anything else"
    result = [said]
    if plan.wanted.assignments:
        result.append(f"with {', '.join(plan.wanted.assignments)}, which {plan.config} does not say")
    if not tuned.complete:
        result.append("time was over before every run was done; the missing ones are not in the table")
    return result


def _document(plan: Plan, tuned: Tuned) -> None:
    from bento_gitops.observing import tuning

    limits, wanted = plan.limits, plan.wanted
    setting = tuned.proposal.setting
    console.document(
        {
            "target": str(plan.target),
            "component": limits.service,
            "api": limits.api,
            "bundle": plan.bundle,
            "asked": plan.asked,
            "clients": plan.clients,
            "seconds": wanted.seconds,
            "repeat": wanted.repeat,
            "set": list(wanted.assignments),
            "objective_p95": plan.objective,
            "complete": tuned.complete,
            "load_average": None if tuned.load_average is None else list(tuned.load_average),
            "notes": list(plan.notes),
            **tuning.document(tuned.cells, tuned.proposal),
            "config": None if setting is None else {"file": plan.config, "lines": limits.lines(setting)},
        }
    )


def _draw(plan: Plan, tuned: Tuned, file: Path) -> None:
    from bento_gitops.model.problem import ToolFailed
    from bento_gitops.observing.tuning_picture import picture

    asked = f"{plan.limits.service}.{plan.limits.api}"
    if plan.asked != plan.limits.service:
        asked += f" through {plan.asked}"
    try:
        file.write_text(picture(tuned.cells, f"{asked}, {plan.clients} clients"), encoding="utf-8")
    except OSError as error:
        raise ToolFailed(f"cannot write {file}: {error.strerror}") from error


def _require_folder(picture: Path | None) -> None:
    """Raises InvalidInput where the picture could not be written after all the measuring."""
    from bento_gitops.model.problem import InvalidInput, Place, Problem

    if picture is None:
        return
    folder = picture.absolute().parent
    if picture.suffix != ".svg":
        raise typer.BadParameter(f"is an SVG: {shlex.quote(str(picture.with_suffix('.svg')))}", param_hint="--picture")
    if not folder.is_dir():
        todo = f"make it: mkdir -p {folder}"
        raise InvalidInput([Problem(Place(str(picture)), "--picture", "the folder is not there", "", todo)])


def _numbers(text: str, option: str, *, at_least: int = 1) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() and at_least <= int(word) < 10**7 for word in words):
        wrong = f"whole numbers from {at_least} on, with commas between them, like 8,32 (found {text!r})"
        raise typer.BadParameter(wrong, param_hint=option)
    return tuple(dict.fromkeys(int(word) for word in words))


def _passed(names: list[str]) -> dict[str, str]:
    lacking = [name for name in names if name not in os.environ]
    if lacking:
        raise typer.BadParameter(f"not set here: {', '.join(lacking)}; export them first", param_hint="--pass")
    return {name: os.environ[name] for name in names}


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} s"
