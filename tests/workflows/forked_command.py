"""The command `bento-gitops` as a program whose runs are forks of one process: it has imported already what commands import.

A run has the arguments, environment, folder, input and output of who starts it, and ends as the command ends. That the command
starts as a program of its own is for tests of the CronJob's container to prove.

    python -I -B forked_command.py TESTS RENDERS SOCKET      imports, says so, forks until its input ends
"""

from __future__ import annotations

import gc
import json
import os
import pkgutil
import select
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

STARTED = """\
#!{python} -IS
import json, os, socket, sys

with socket.socket(socket.AF_UNIX) as forking:
    forking.connect("{socket}")
    job = json.dumps({{"words": sys.argv, "folder": os.getcwd(), "environment": dict(os.environ)}})
    socket.send_fds(forking, [job.encode() + b"\\n"], [0, 1, 2])
    os._exit(int(forking.makefile().readline()))
"""
PACKAGES = ("bento_gitops.cli", "bento_gitops.operations", "bento_gitops.reviewing")


@contextmanager
def forked(renders: Path) -> Iterator[Path]:
    """The program, for as long as this is open. `renders` is the folder of what Helm said in this run of the tests."""
    with tempfile.TemporaryDirectory(prefix="forked-") as folder:  # short: a socket's path has 107 characters
        address, program = Path(folder) / "socket", Path(folder) / "bento-gitops"
        program.write_text(STARTED.format(python=sys.executable, socket=address))
        program.chmod(0o755)
        command = [sys.executable, "-I", "-B", __file__, str(Path(__file__).parents[1]), str(renders), str(address)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin and process.stdout
            said = process.stdout.readline()
            assert said == b"ready\n", said
            yield program
            process.stdin.close()
            process.wait(30)


def fork_until_input_ends(tests: str, renders: str, address: str) -> None:
    sys.path.append(tests)
    for package in map(import_module, PACKAGES):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    from bento_gitops.cli.main import command
    from bento_gitops.tools import helm
    from helm_renders import Remembered

    command()
    helm._run = Remembered(Path(renders))  # pyright: ignore[reportPrivateUsage]  (as in the tests' own processes)
    gc.freeze()  # else every fork would copy what it only looks at
    forks = 0
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([listening, sys.stdin], [], [])
            while forks and os.waitpid(-1, os.WNOHANG)[0]:  # what they took is counted as time of the tests
                forks -= 1
            if sys.stdin in ready:
                return
            connection, _ = listening.accept()
            forks += 1
            if os.fork() == 0:
                listening.close()
                _see_to(connection)
            connection.close()


def _see_to(connection: socket.socket) -> None:
    """Runs what is asked for in a process of its own, and says how it ended."""
    text, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    while not text.endswith(b"\n"):
        text += connection.recv(1 << 20)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _run(json.loads(text), descriptors)
    _, status = os.waitpid(pid, 0)
    connection.sendall(b"%d\n" % (os.waitstatus_to_exitcode(status) & 0xFF))
    os._exit(0)


def _run(job: dict[str, Any], descriptors: list[int]) -> None:
    from bento_gitops.cli.main import main

    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.argv = job["words"]
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    fork_until_input_ends(*sys.argv[1:])
