"""What all changing commands share: their options, who asks, where the change goes, and how its outcome is told."""

from __future__ import annotations

import functools
import getpass
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bento_gitops.cli import console, context

if TYPE_CHECKING:
    from bento_gitops.model.evidence import Observation
    from bento_gitops.model.gate import Gate
    from bento_gitops.operations.carrying_out import Carried, Where
    from bento_gitops.operations.deciding import Decision, Request
    from bento_gitops.repository.delivery import Delivered
    from bento_gitops.repository.files import Tree

Application = Annotated[str, typer.Argument(metavar="ENV/APP", help="An application in an environment.")]
Tag = Annotated[str, typer.Argument(metavar="TAG", help="A bundle's tag.")]
TESTING = "BENTO_GITOPS_TESTING"
"""The variable with which tests may push at any time: 1."""
_MARKS = {"passed": "pass", "failed": "FAIL", "not looked": "not looked"}
_UNFIT = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What turns the direction of writing, so that a line reads as another, and halves of characters, which no file can hold."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one call."""

    dry_run: bool
    commit: bool
    push: bool
    pr: bool
    pr_body: Path | None
    branch: str | None
    remote: str | None
    reason: str
    as_json: bool
    now: datetime | None
    break_glass: str = ""
    observation: Path | None = None
    live: bool = False
    context: str | None = None
    prometheus: str | None = None
    else_pr: bool = False
    """A push that the remote does not take becomes a pull request."""
    noted: set[str] = field(default_factory=set[str])
    """What was told of looks already: `canary run` looks again and again."""

    @property
    def moment(self) -> datetime:
        """The time to decide by."""
        now = self.now or datetime.now(UTC)
        return (now if now.tzinfo else now.replace(tzinfo=UTC)).astimezone(UTC)

    @property
    def delivers(self) -> bool:
        """Whether more is asked for than to change files."""
        return self.commit or self.push or self.pr or self.dry_run or self.pr_body is not None

    def request(self, target: str) -> Request:
        """What the command is told. Raises InvalidInput for an observation that is none."""
        from bento_gitops.operations.deciding import Request

        return Request(
            target=target.strip("/"),
            now=self.moment,
            by=typed(who()),
            reason=self.reason,
            observation=observation_in(self.observation),
            break_glass=self.break_glass,
        )

    def where(self) -> Where:
        """Where the change goes."""
        from bento_gitops.operations.carrying_out import Where

        to = "pr" if self.pr else "push" if self.push else "commit" if self.commit else "files"
        return Where(to, self.branch, self.remote, self.else_pr)

    def tree(self) -> Tree:
        """The files that a change would be decided on."""
        from bento_gitops.operations.carrying_out import tree_of

        return tree_of(context.root, self.where())

    def carry_out(self, target: str, decide: Callable[[Tree, Request], Decision]) -> Carried:
        """Decides and delivers; writes the body where it was asked for."""
        from bento_gitops.operations.carrying_out import carry_out

        request = self.request(target)
        self.require_body()
        carried = carry_out(
            context.root,
            request,
            lambda tree: decide(tree, self.looking(tree, request)),
            self.where(),
            dry_run=self.dry_run,
            wants_body=self.pr_body is not None,
        )
        self.write_body(carried.body)
        return carried

    def looking(self, tree: Tree, request: Request) -> Request:
        """The request with what runs now, where that was asked for: a decision that is made anew looks anew.

        Raises what `observe` raises.
        """
        if not self.live:
            return request
        from bento_gitops.model.base import moment
        from bento_gitops.operations.deciding import opened
        from bento_gitops.operations.observe import Eyes, look

        looked = look(opened(tree, request), Eyes(self.context, self.prometheus, request.by))
        for note in looked.notes:
            if note not in self.noted:
                console.note(f"note: {note}")
        self.noted.update(looked.notes)
        # What was seen is of the time when it was seen, which is later than when the command began.
        return replace(request, observation=looked.observation, now=max(request.now, moment(looked.observation.at)))

    def require_the_clock(self) -> None:
        """Raises BadParameter where others would get a change that was decided by another time than theirs: a freeze, a soak and
        the end of a standby are of the clock. Tests say that they are some."""
        if self.now is None or self.dry_run or not (self.push or self.pr) or os.environ.get(TESTING) == "1":
            return
        from bento_gitops.releasing.evidence import AHEAD

        if abs(self.moment - datetime.now(UTC)) > AHEAD:
            wrong = "with --push and --pr the time is the clock's; see what would be with --dry-run"
            raise typer.BadParameter(wrong, param_hint="--now")

    def require_body(self) -> None:
        """Raises InvalidInput where the body could not be written afterwards, when all else is done."""
        from bento_gitops.model.problem import InvalidInput, Place, Problem

        file = self.pr_body
        if file is None:
            return
        folder = file.absolute().parent
        if file.is_dir():
            wrong, todo = "is a folder", "name a file"
        elif not folder.is_dir():
            wrong, todo = "the folder is not there", f"make it: mkdir -p {folder}"
        elif not os.access(file if file.exists() else folder, os.W_OK):
            wrong, todo = "it cannot be written", "name a file that you may write"
        else:
            return
        raise InvalidInput([Problem(Place(str(file)), "--pr-body", wrong, "", todo)])

    def write_body(self, body: str) -> None:
        """Writes the body where it was asked for. Raises ToolFailed, which says that the rest is done."""
        from bento_gitops.model.problem import ToolFailed

        if self.pr_body is None:
            return
        try:
            self.pr_body.write_text(body, encoding="utf-8")
        except OSError as error:
            raise ToolFailed(f"cannot write {self.pr_body}: {error.strerror}; all else is done") from error


_SHARED: dict[str, tuple[Any, Any]] = {
    "dry_run": (Annotated[bool, typer.Option("--dry-run", help="Decide and show; write nothing.")], False),
    "commit": (Annotated[bool, typer.Option("--commit", help="Decide on HEAD and commit.")], False),
    "push": (
        Annotated[bool, typer.Option("--push", help="Decide on the remote's branch, commit on top of it and push.")],
        False,
    ),
    "pr": (Annotated[bool, typer.Option("--pr", help="As --push, to a branch of its own, and open a pull request (gh).")], False),
    "pr_body": (
        Annotated[Path | None, typer.Option("--pr-body", metavar="FILE", help="Write the text of the pull request there.")],
        None,
    ),
    "branch": (
        Annotated[str | None, typer.Option(help="The remote's branch; without it the one that yours follows.")],
        None,
    ),
    "remote": (Annotated[str | None, typer.Option(help="Without it the one that your branch follows, else origin.")], None),
    "reason": (Annotated[str, typer.Option(help="Why; it goes into the commit.")], ""),
    "break_glass": (
        Annotated[str, typer.Option("--break-glass", metavar="REASON", help="Pass failing gates; recorded with the reason.")],
        "",
    ),
    "observation": (
        Annotated[
            Path | None,
            typer.Option(metavar="FILE", help="What was seen live (kind: Observation); - reads standard input."),
        ],
        None,
    ),
    "live": (
        Annotated[bool, typer.Option("--live", help="Look now: at the cluster of the kubeconfig, and at Prometheus.")],
        False,
    ),
    "context": (
        Annotated[
            str | None, typer.Option(help="The kubeconfig's; else the one called as the environment's cluster, else the current.")
        ],
        None,
    ),
    "prometheus": (
        Annotated[
            str | None,
            typer.Option(metavar="URL", help="With --live: instead of the environment's monitoring.prometheus.address."),
        ],
        None,
    ),
    "as_json": (Annotated[bool, typer.Option("--json", help="Print one JSON document.")], False),
    "now": (
        Annotated[
            datetime | None,
            typer.Option(
                formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d"],
                metavar="TIME",
                help="The time to decide by, to see what would be; --push and --pr take none but the clock's.",
            ),
        ],
        None,
    ),
}


_OF_GATES = ("break_glass", "observation", "live", "context", "prometheus")
_OF_MEASURING = ("observation", "live", "prometheus")
_TYPED = ("reason", "break_glass")


def changing(command: Callable[..., None]) -> Callable[..., None]:
    """A command with a parameter `options`, as one that takes all options of a change."""
    return _taking(_SHARED, command)


def changing_files(command: Callable[..., None]) -> Callable[..., None]:
    """As `changing`, for a change that follows from files alone: nothing was seen live, and there is no gate to pass."""
    return _taking({name: option for name, option in _SHARED.items() if name not in _OF_GATES}, command)


def changing_as_seen(command: Callable[..., None]) -> Callable[..., None]:
    """As `changing`, for a change that always looks at the cluster, and measures nothing."""
    return _taking({name: option for name, option in _SHARED.items() if name not in _OF_MEASURING}, command)


def _taking(shared: dict[str, tuple[Any, Any]], command: Callable[..., None]) -> Callable[..., None]:
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for name, parameter in signature.parameters.items() if name != "options"]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in shared.items()
    ]

    @functools.wraps(command)
    def called(**given: Any) -> None:
        given |= {name: typed(given[name]) for name in _TYPED if name in shared}
        options = Options(**{name: given.pop(name) for name in shared})
        if [options.commit, options.push, options.pr].count(True) > 1:
            raise typer.BadParameter("use one of --commit, --push and --pr")
        if options.live and options.observation is not None:
            raise typer.BadParameter("is another look than --observation; use one of them", param_hint="--live")
        if options.live and options.now is not None:
            raise typer.BadParameter("with --live the time is the clock's", param_hint="--now")
        options.require_the_clock()
        command(**given, options=options)

    parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own] + added
    vars(called)["__signature__"] = signature.replace(parameters=parameters)
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return called


def observation_in(file: Path | None) -> Observation | None:
    """The observation in a file. Raises InvalidInput."""
    if file is None:
        return None
    from bento_gitops.layers.reading import read
    from bento_gitops.model.evidence import Observation
    from bento_gitops.model.problem import InvalidInput, Place, Problem

    name = "standard input" if str(file) == "-" else str(file)
    try:
        text = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise InvalidInput(
            [Problem(Place(name), "--observation", f"cannot be read: {error.strerror}", "", "name a file")]
        ) from None
    return read(text, name, Observation).value


def told(carried: Carried, options: Options) -> None:
    """Prints what became of a change."""
    decision, delivered = carried.decision, carried.delivered
    if options.as_json:
        console.document(as_document(carried, options))
        return
    console.line(f"{decision.target}: {decision.says}", "bold" if decision.proposal else "")
    if decision.step is not None and decision.proposal is not None:
        console.line(f"  why: {decision.step.reason}")
    told_gates(decision.gates)
    for note in decision.notes:
        console.note(f"note: {note}")
    if decision.proposal is not None:
        paths = [change.path for change in decision.proposal.effective()]
        word = "would change" if options.dry_run else "changed"
        for path in paths:
            console.line(f"  {word}: {path}")
    told_delivered(delivered, options)
    waits = decision.step is not None and decision.proposal is None
    if decision.next and not options.dry_run and not waits:
        # Where this change went, the next one will go too.
        way = " --push" if options.push else " --commit" if options.commit else ""
        console.line(f"next: {decision.next[0]}{way}")
        for other in decision.next[1:]:
            console.line(f"  or: {other}{way}")


def told_gates(gates: Iterable[Gate]) -> None:
    """Prints a line for each gate."""
    for gate in gates:
        style = "red" if gate.outcome == "failed" else "" if gate.outcome == "passed" else "yellow"
        console.line(f"  {_MARKS[gate.outcome]:<10}  {gate.name}: {gate.evidence}", style)


def told_delivered(delivered: Delivered, options: Options) -> None:
    """Prints where a change went."""
    if delivered.commit:
        console.line(f"  commit: {delivered.commit[:12]}" + (f" on {delivered.pushed}" if delivered.pushed else ""))
    if delivered.url:
        console.line(f"  pull request: {delivered.url}")
    for note in delivered.notes:
        console.note(f"note: {note}")
    if options.pr_body is not None:
        console.line(f"  body: {options.pr_body}")


def gates_as_document(gates: Iterable[Gate]) -> list[dict[str, str]]:
    """Gates for programs."""
    return [{"name": gate.name, "outcome": gate.outcome, "evidence": gate.evidence, "mend": gate.mend} for gate in gates]


def as_document(carried: Carried, options: Options) -> dict[str, object]:
    """As `told`, for programs."""
    decision, delivered = carried.decision, carried.delivered
    return {
        "target": str(decision.target),
        "transition": decision.transition,
        "says": decision.says,
        "changed": decision.proposal is not None and not options.dry_run,
        "paths": [change.path for change in decision.proposal.effective()] if decision.proposal else [],
        "gates": gates_as_document(decision.gates),
        "notes": [*decision.notes, *delivered.notes],
        "commit": delivered.commit,
        "pushed": delivered.pushed,
        "pull_request": delivered.url,
        "next": list(decision.next),
        "release": decision.after.model_dump(exclude_none=True) if decision.after else None,
    }


def typed(text: str) -> str:
    """What people typed, as it may stand in files, messages and on terminals: one line that reads as it is stored."""
    from bento_gitops.releasing.message import one_line

    return one_line(_UNFIT.sub("", text))


def who() -> str:
    """Who asks, as Git knows them."""
    from bento_gitops.tools import git

    known = git.identity(context.root)
    if known:
        return known
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
