"""Kills a command before each of its steps: each call of Git or gh, each file that it replaces or removes.

What a kill right after a step leaves is what one before the next step leaves: in between, a command only computes. A program
that was started is not killed along; it ends by itself, as when a person kills the command alone.

    with Killer(PROGRAM, tmp_path / "log") as killer:
        for step in every_step():
            state = ...  # a fresh copy of the repositories
            outcome = killer.run(state, "argument", step=step)
            ...  # look at what it left behind
            if not outcome.killed:
                break  # it has fewer steps

PROGRAM is the source of a module with `run(root: Path, *arguments: str)`; it runs in a process that starts once and forks for
each run, because starting Python takes longer than most commands.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

KILLED = 99

_SERVER = """
import importlib, json, os, sys, traceback
from pathlib import Path

STEPS = (
    ("bento_gitops.tools.git", "_run"),
    ("bento_gitops.tools.github", "_run"),
    ("bento_gitops.repository.files", "_replace"),
    ("bento_gitops.repository.files", "_remove"),
    ("os", "fsync"),  # inside of a replacement: the bytes are written, the file has no name yet
)


def patch(last):
    count = 0

    def wrap(call):
        def step(*arguments, **named):
            nonlocal count
            count += 1
            if count == last:
                os._exit(KILLED)
            return call(*arguments, **named)

        return step

    for module, name in STEPS:
        there = importlib.import_module(module)
        setattr(there, name, wrap(getattr(there, name)))


def child(order):
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    patch(order["step"])
    code = 0
    try:
        run(Path(order["root"]), *order["arguments"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


for module, _ in STEPS:
    importlib.import_module(module)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        child(json.loads(line))
    _, status = os.waitpid(pid, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    code: int
    text: str
    """What it printed, errors too."""

    @property
    def killed(self) -> bool:
        return self.code == KILLED


def every_step(most: int = 200) -> Iterator[int]:
    """Every step to kill before, in order, counted from 1; the loop around ends it when a command was no longer killed."""
    yield from range(1, most + 1)
    raise AssertionError(f"the command takes more than {most} steps")


class Killer:
    """Runs a program over and over, killed or not."""

    def __init__(self, program: str, log: Path) -> None:
        self.log = log
        source = f"KILLED = {KILLED}\n{program}\n{_SERVER}"
        self._server = subprocess.Popen([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Killer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.communicate(timeout=60)

    def run(self, root: Path, *arguments: str, step: int | None = None) -> Outcome:
        """One run in `root`, from start to end or to where it is killed."""
        assert self._server.stdin
        assert self._server.stdout
        order = {"root": str(root), "arguments": arguments, "step": step, "log": str(self.log)}
        self._server.stdin.write(f"{json.dumps(order)}\n")
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        assert answer, f"the server of {self.log} ended"
        return Outcome(int(answer), self.log.read_text(encoding="utf-8", errors="replace"))
