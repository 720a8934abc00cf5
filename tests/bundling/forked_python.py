"""A Python that has imported BentoML already: what is started with it is a fork of one process, which saves a second each time.

`bundle inspect` is given a program that looks like any Python to it. Of the inspector this hands arguments, environment, folder
and output to the process that forks; all else it runs with the Python itself. What is proved of processes (that each is fresh,
ends in time, takes its children along) needs the Python itself.

    python -I -B forked_python.py SOCKET       imports BentoML, says so, forks until its input ends
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

INSPECTOR = "bento_inspector.py"
STARTED = """\
#!{python} -IS
import json, os, socket, sys

if not any(word.endswith("{inspector}") for word in sys.argv):
    os.execv("{python}", ["{python}", *sys.argv[1:]])
words = [word for word in sys.argv[1:] if word not in ("-I", "-B")]
with socket.socket(socket.AF_UNIX) as forking:
    forking.connect("{socket}")
    job = json.dumps({{"words": words, "folder": os.getcwd(), "environment": dict(os.environ)}})
    socket.send_fds(forking, [job.encode() + b"\\n"], [1, 2])
    os._exit(int(forking.makefile().readline()))
"""


@contextmanager
def forked(python: Path) -> Iterator[Path]:
    """A program that stands in for this Python, for as long as this is open."""
    with tempfile.TemporaryDirectory(prefix="forked-") as folder:  # short: a socket's path has 107 characters
        address, program = Path(folder) / "socket", Path(folder) / "python"
        program.write_text(STARTED.format(python=python, socket=address, inspector=INSPECTOR))
        program.chmod(0o755)
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "BENTOML_HOME": folder, "BENTOML_DO_NOT_TRACK": "True"}
        command = [str(python), "-I", "-B", __file__, str(address)]
        with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin and process.stdout
            said = process.stdout.readline()
            assert said == b"ready\n", said
            yield program
            process.stdin.close()
            process.wait(30)


def fork_until_input_ends(address: str) -> None:
    for name in ("bentoml", "_bentoml_sdk", "bentoml._internal.service.loader"):
        importlib.import_module(name)
    gc.freeze()  # else every fork would copy what it only looks at
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            ready, _, _ = select.select([listening, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            connection, _ = listening.accept()
            if os.fork() == 0:
                listening.close()
                _see_to(connection)
            connection.close()


def _see_to(connection: socket.socket) -> None:
    """Runs what is asked for in a process of its own, and says how it ended; ends it if nobody waits for it any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    text, descriptors, _, _ = socket.recv_fds(connection, 1 << 20, 2)
    while not text.endswith(b"\n"):
        text += connection.recv(1 << 20)
    pid = os.fork()
    if pid == 0:
        connection.close()
        _run(json.loads(text), descriptors)
    ended = os.pidfd_open(pid)
    ready, _, _ = select.select([connection, ended], [], [])
    if ended not in ready:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(BrokenPipeError):
        connection.sendall(b"%d\n" % (os.waitstatus_to_exitcode(status) & 0xFF))
    os._exit(0)


def _run(job: dict[str, Any], descriptors: list[int]) -> None:
    os.setsid()
    for number, descriptor in enumerate(descriptors, start=1):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(job["folder"])
    os.environ.clear()
    os.environ.update(job["environment"])
    sys.argv = job["words"]
    runpy.run_path(sys.argv[0], run_name="__main__")
    os._exit(0)


if __name__ == "__main__":
    fork_until_input_ends(sys.argv[1])
