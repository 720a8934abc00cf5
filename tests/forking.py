"""Programs whose runs are forks of one process, which has imported already what they import: that saves a second each time.

What is forked is a file of two functions: `prepare(*arguments)` imports, `run(words)` is one run. A run has the arguments,
environment, folder, input and output of who starts the program, which ends as the run ends.

    python -I -B forking.py SOCKET FILE ARGUMENT...      prepares, says so, forks until its input ends
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

STARTED = """\
#!{python} -IS
import json, os, socket, sys
{before}
with socket.socket(socket.AF_UNIX) as forking:
    forking.connect("{socket}")
    job = json.dumps({{"words": sys.argv, "folder": os.getcwd(), "environment": dict(os.environ)}})
    socket.send_fds(forking, [job.encode() + b"\\n"], [0, 1, 2])
    os._exit(int(forking.makefile().readline()))
"""


@contextmanager
def forked(
    python: Path, file: Path, *arguments: str, name: str, before: str = "", environment: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """The program of this name, for as long as this is open. `before`: Python that it does first, by itself."""
    with tempfile.TemporaryDirectory(prefix="forked-") as folder:  # short: a socket's path has 107 characters
        address, program = Path(folder) / "socket", Path(folder) / name
        program.write_text(STARTED.format(python=python, socket=address, before=before))
        program.chmod(0o755)
        command = [str(python), "-I", "-B", __file__, str(address), str(file), *arguments]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin and process.stdout
            said = process.stdout.readline()
            assert said == b"ready\n", said
            yield program
            process.stdin.close()
            process.wait(30)


def fork_until_input_ends(address: str, run: Callable[[list[str]], None]) -> None:
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
                _see_to(connection, run)
            connection.close()


def _see_to(connection: socket.socket, run: Callable[[list[str]], None]) -> None:
    """Runs what is asked for in a process of its own, and says how it ended; ends it if nobody waits for it any more."""
    text, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 3)
    while not text.endswith(b"\n"):
        text += connection.recv(1 << 20)
    pid = os.fork()
    if pid == 0:
        connection.close()
        os.setsid()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        job = json.loads(text)
        os.chdir(job["folder"])
        os.environ.clear()
        os.environ.update(job["environment"])
        run(job["words"])
        os._exit(0)
    for descriptor in descriptors:
        os.close(descriptor)
    ended = os.pidfd_open(pid)
    ready, _, _ = select.select([connection, ended], [], [])
    if ended not in ready:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(b"%d\n" % (os.waitstatus_to_exitcode(status) & 0xFF))
    os._exit(0)


if __name__ == "__main__":
    found = runpy.run_path(sys.argv[2])
    found["prepare"](*sys.argv[3:])
    fork_until_input_ends(sys.argv[1], found["run"])
