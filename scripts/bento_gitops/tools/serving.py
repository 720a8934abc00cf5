"""Services of a built Bento as processes on loopback: started together, awaited, and ended whatever happens."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bento_gitops.model.problem import ToolFailed
from bento_gitops.observing.answers import Asked
from bento_gitops.tools import http
from bento_gitops.tools.bento import OpenBento, bare_environment, link_models
from bento_gitops.tools.ending import ended_by_signals

_LOOPBACK = "127.0.0.1"
_PORTS = range(20_000, 32_768)
"""Below what Linux (32768) and macOS (49152) take for connections."""
_GRACE = 10.0
"""Seconds between asking a process to end and ending it."""
_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True, slots=True)
class Process:
    """A component as its pod runs it."""

    service: str
    args: tuple[str, ...]
    """Of its container: start-http-server --service-name X --host H --port P --depends Y=http://HOST:PORT ..."""
    environment: Mapping[str, str]
    mounts: Mapping[str, Mapping[str, str]]
    """The folders of the pod by their path, each with the text of its files."""
    secrets: tuple[str, ...] = ()
    """Names of Secrets whose keys become variables in the pod, and of which nothing is known here."""

    @property
    def dependencies(self) -> tuple[str, ...]:
        """The services that it asks over the network."""
        given = [self.args[place + 1] for place, word in enumerate(self.args) if word == "--depends"]
        return tuple(dependency.partition("=")[0] for dependency in given)


@dataclass(frozen=True, slots=True)
class Bento:
    """What is served, and with what."""

    opened: OpenBento
    models: tuple[str, ...]
    """Tags."""
    image_envs: Mapping[str, str]
    python: Path


@dataclass(frozen=True, slots=True)
class _Running:
    service: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        return "\n".join(self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])


@dataclass(frozen=True, slots=True)
class Served:
    """The processes, ready."""

    addresses: Mapping[str, str]
    """By service: http://127.0.0.1:PORT."""
    running: Mapping[str, _Running]

    def check(self) -> None:
        """Raises ToolFailed where a process ended by itself."""
        for one in self.running.values():
            code = one.process.poll()
            if code is not None:
                raise ToolFailed(f"{one.service} ended with {code} on loopback; it said:\n{one.tail()}")

    def cpu_seconds(self, service: str) -> float | None:
        """What the processes of a service have used so far; None where the system does not tell."""
        return _cpu_seconds(self.running[service].process.pid)


@contextmanager
def served(bento: Bento, processes: Sequence[Process], *, limit: float) -> Generator[Served]:
    """The services, once all are ready, on ports that are free; all of them end with this.

    `limit`: seconds until they are ready. Raises ToolFailed, with what a process said, where one is not.
    """
    with tempfile.TemporaryDirectory(prefix="bento-served-") as temporary, ended_by_signals():
        ports = _free_ports(len(processes))
        addresses = {one.service: f"http://{_LOOPBACK}:{port}" for one, port in zip(processes, ports, strict=True)}
        running: dict[str, _Running] = {}
        workers: list[_Relative] = []
        try:
            for one, port in zip(processes, ports, strict=True):
                folder = Path(temporary) / one.service
                running[one.service] = _start(bento, one, port, addresses, folder)
            found = Served(addresses, running)
            _await_ready(found, limit)
            # A worker whose parent ends without it is nobody's child, and could not be found afterwards.
            workers += [relative for one in running.values() for relative in _family(one.process.pid)]
            yield found
        finally:
            _end([one.process for one in running.values()], workers)


def _start(bento: Bento, one: Process, port: int, addresses: Mapping[str, str], folder: Path) -> _Running:
    places = {path: folder / f"mount-{number}" for number, path in enumerate(one.mounts)}
    for path, files in one.mounts.items():
        places[path].mkdir(parents=True)
        for name, text in files.items():
            (places[path] / name).write_text(text, encoding="utf-8")
    home = folder / "home"
    # No two processes share a home: BentoML would add up their metrics.
    environment = {**bare_environment(home), **bento.image_envs}
    environment |= {name: _moved(value, places) for name, value in one.environment.items()}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"  # the Bento stays as it was built
    store = Path(environment["BENTOML_HOME"]) / "models"
    link_models(bento.opened, bento.models, store)
    log = folder / "log"
    command = [bento.python, "-m", "bentoml_cli._internal.start", *_arguments(one, port, addresses), bento.opened.folder]
    with log.open("wb") as output:
        # A session of its own: Ctrl-C is for this command, which ends it in order.
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    return _Running(one.service, process, log)


def _arguments(one: Process, port: int, addresses: Mapping[str, str]) -> list[str]:
    """The container's, with loopback for what the cluster resolves."""
    result: list[str] = []
    before = ""
    for word in one.args:
        match before:
            case "--host":
                result.append(_LOOPBACK)
            case "--port":
                result.append(str(port))
            case "--depends":
                service = word.partition("=")[0]
                result.append(f"{service}={addresses[service]}")
            case _:
                result.append(word)
        before = word
    return result


def _moved(value: str, places: Mapping[str, Path]) -> str:
    """A variable's value, with the folder here for the folder of the pod."""
    for path, place in places.items():
        if value == path or value.startswith(f"{path}/"):
            return str(place) + value.removeprefix(path)
    return value


def _free_ports(number: int) -> list[int]:
    """Free now, and none that the system gives to connections: under load it would give one away before a server has it."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        if len(found) == number:
            return found
        with socket.socket() as one:
            try:
                one.bind((_LOOPBACK, port))
            except OSError:
                continue  # somebody else's
        found.append(port)
    raise ToolFailed(f"no {number} free ports from {_PORTS.start} to {_PORTS.stop - 1} on {_LOOPBACK}")


def _await_ready(found: Served, limit: float) -> None:
    end = time.monotonic() + limit
    waiting = list(found.addresses)
    while waiting:
        found.check()
        asked = [Asked("GET", f"{found.addresses[service]}/readyz") for service in waiting]
        waiting = [waiting[one.asked] for one in http.ask(asked, limit=5) if one.status != 200]
        if waiting and time.monotonic() >= end:
            said = "\n".join(f"{service} said:\n{found.running[service].tail()}" for service in waiting)
            raise ToolFailed(f"{', '.join(waiting)} not ready on loopback within {limit:g} s; {said}")
        if waiting:
            time.sleep(_BETWEEN_LOOKS)


def _end(processes: Sequence[subprocess.Popen[bytes]], workers: Sequence[_Relative]) -> None:
    """Asks each to end, then ends what is left with all that it started: also where somebody does not want to wait."""
    families = {*workers, *(one for process in processes for one in _family(process.pid))}
    try:
        for process in processes:
            process.terminate()
        end = time.monotonic() + _GRACE
        for process in processes:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                continue  # ended below
    finally:
        for process in processes:
            process.kill()
            process.wait()
        for one in families:
            one.kill()


@dataclass(frozen=True, slots=True)
class _Relative:
    """A process that is not a child of this one: known by its number, and by its beginning where the system tells it."""

    pid: int
    parent: int
    begin: str
    ticks: int
    """Of CPU time."""

    def kill(self) -> None:
        """Ends it, if it is still the same."""
        now = next((one for one in _all_processes() if one.pid == self.pid), None)
        if now is None or now.begin != self.begin:
            return
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # just now


def _family(pid: int) -> list[_Relative]:
    """A process and its descendants. BentoML's workers are in sessions of their own, so no group of processes holds them."""
    everything = _all_processes()
    found = [one for one in everything if one.pid == pid]
    for one in found:
        found += [other for other in everything if other.parent == one.pid]
    return found


def _all_processes() -> list[_Relative]:
    if not sys.platform.startswith("linux"):
        said = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
        return [_Relative(int(pid), int(parent), "", 0) for pid, parent in (line.split() for line in said.splitlines())]
    found: list[_Relative] = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            # The name of a program may hold blanks and brackets; what follows the last bracket is numbers.
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended in between
        found.append(_Relative(int(folder.name), int(words[1]), words[19], int(words[11]) + int(words[12])))
    return found


def _cpu_seconds(pid: int) -> float | None:
    if not sys.platform.startswith("linux"):
        return None
    return sum(one.ticks for one in _family(pid)) / os.sysconf("SC_CLK_TCK")
