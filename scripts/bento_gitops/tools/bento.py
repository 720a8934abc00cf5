"""A built Bento in a folder, store or archive, and the Python that imports it: the only code that runs a Bento's code."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bento_gitops.bundling.imports import ImportFailed, ImportReport
from bento_gitops.model.problem import InvalidInput, Place, Problem, ToolFailed

_INSPECTOR = Path(__file__).with_name("bento_inspector.py")
_PRIVATE_KEY = (b"PRIVATE KEY-----", b"PuTTY-User-Key-File")
_KEY_FILE_LIMIT = 1 << 20
"""Bytes; no private key is larger."""
_KEPT = ("PATH", "LD_LIBRARY_PATH", "SYSTEMROOT")
"""Variables of this process that a Python may need to start; all others could change what the Bento's code says."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of the Bento."""

    path: str
    size: int
    private_key: bool


@dataclass(frozen=True, slots=True)
class OpenBento:
    """A built Bento in a folder, and where its models may be."""

    folder: Path
    model_stores: tuple[Path, ...]

    def text(self, path: str) -> bytes | None:
        """A file of the Bento; None if there is none."""
        file = self.folder / path
        return file.read_bytes() if file.is_file() else None

    def files(self) -> list[FoundFile]:
        """Every file outside models/, by path; a link counts as itself."""
        found: list[FoundFile] = []
        for parent, folders, names in os.walk(self.folder):
            here = Path(parent)
            if here == self.folder and "models" in folders:
                folders.remove("models")
            for name in names:
                file = here / name
                size = file.lstat().st_size
                key = file.is_file() and size <= _KEY_FILE_LIMIT and any(mark in file.read_bytes() for mark in _PRIVATE_KEY)
                found.append(FoundFile(file.relative_to(self.folder).as_posix(), size, key))
        return sorted(found, key=lambda file: file.path)

    def model(self, tag: str) -> Path | None:
        """The folder of a model; None if no store has it."""
        name, _, version = tag.partition(":")
        return next(
            (
                store / name / version
                for store in self.model_stores
                if version and (store / name / version / "model.yaml").is_file()
            ),
            None,
        )


def bentoml_home(given: Path | None) -> Path:
    """The BentoML home that is meant: the given one, $BENTOML_HOME, or BentoML's own default."""
    return given or Path(os.environ.get("BENTOML_HOME") or Path.home() / "bentoml")


@contextmanager
def opened(reference: str, home: Path) -> Generator[OpenBento]:
    """A Bento by folder, archive or tag. An archive is unpacked for as long as this is open.

    Raises InvalidInput if there is no such Bento.
    """
    path = Path(reference)
    if path.is_dir():
        yield _in_folder(path, home)
    elif path.is_file():
        with tempfile.TemporaryDirectory(prefix="bento-") as unpacked:
            _unpack(path, Path(unpacked))
            yield _in_folder(Path(unpacked), home, shown=reference)
    else:
        yield _in_folder(_in_store(reference, home), home, shown=reference)


def _in_folder(folder: Path, home: Path, shown: str = "") -> OpenBento:
    folder = folder.resolve()
    if not (folder / "bento.yaml").is_file():
        raise InvalidInput(
            [
                Problem(
                    Place(shown or str(folder)),
                    "",
                    "is not a built Bento: it has no bento.yaml",
                    "",
                    "give what `bentoml build` made",
                )
            ]
        )
    stores = [folder / "models"]
    if folder.parent.parent.name == "bentos":
        stores.append(folder.parent.parent.parent / "models")
    return OpenBento(folder, (*stores, home / "models"))


def _in_store(tag: str, home: Path) -> Path:
    name, _, version = tag.partition(":")
    versions = home / "bentos" / name
    latest = versions / "latest"
    if not version or version == "latest":
        version = latest.read_text(encoding="utf-8").strip() if name and latest.is_file() else ""
    if not version or "/" in tag or not (versions / version).is_dir():
        known = sorted(path.parent.name + ":" + path.name for path in (home / "bentos").glob("*/*") if path.is_dir())
        there = f"the store has {', '.join(known[:8])}" if known else "the store is empty"
        todo = f"name a folder, an archive, or a tag; {there} (another store: --bentoml-home)"
        raise InvalidInput([Problem(Place(tag), "", "no such Bento", f"neither a file nor a tag in {home}", todo)])
    return versions / version


def _unpack(archive: Path, folder: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        todo = "open it yourself (tar -xf) and name the folder, or use a newer Python"
        raise ToolFailed(f"Python {platform.python_version()} cannot open an archive safely; 3.11.4 and later can: {todo}")
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")  # refuses paths and links that lead out
    except (tarfile.TarError, EOFError, OSError) as error:
        found = str(error) or type(error).__name__
        raise InvalidInput(
            [Problem(Place(str(archive)), "", "is not an exported Bento", found, "give what `bentoml export` wrote")]
        ) from None


def find_python(given: Path | None) -> Path:
    """The Python that the Bento's dependencies are installed in. Raises ToolFailed with what was tried."""
    # Absolute but not resolved: a virtual environment is known by the link that its python is.
    candidates = (
        [given.absolute()]
        if given
        else [Path(sys.executable), *(Path(found) for found in map(shutil.which, ("python", "python3")) if found)]
    )
    tried: list[str] = []
    for python in dict.fromkeys(candidates):
        try:
            done = subprocess.run(
                [
                    python,
                    "-I",
                    "-c",
                    "import importlib.util as u, sys; sys.exit(sys.version_info < (3, 9) or not u.find_spec('bentoml'))",
                ],
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=30,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            tried.append(f"{python}: {error}")
            continue
        if done.returncode == 0:
            return python
        tried.append(f"{python}: no bentoml there, or older than Python 3.9")
    raise ToolFailed(
        "no Python with the Bento's dependencies (" + "; ".join(tried) + "); install its env/python/requirements.txt "
        "into a virtual environment and name it: --python PATH/bin/python"
    )


def bare_environment(home: Path) -> dict[str, str]:
    """Variables for a process that runs a Bento's code: nothing of whoever runs this, and a home of its own, which is made."""
    home.mkdir(parents=True, exist_ok=True)
    return {
        **{name: value for name, value in os.environ.items() if name in _KEPT},
        "LANG": "C.UTF-8",
        "HOME": str(home),
        "TMPDIR": str(home),
        "BENTOML_HOME": str(home),
        "BENTOML_DO_NOT_TRACK": "True",
    }


def link_models(bento: OpenBento, tags: Sequence[str], store: Path) -> None:
    """A store with the Bento's own models, as links: code that asks for them finds them and no others."""
    store.mkdir(parents=True)
    for tag in tags:
        folder = bento.model(tag)
        if folder is not None:
            name, _, version = tag.partition(":")
            (store / name).mkdir(parents=True, exist_ok=True)
            (store / name / version).symlink_to(folder.resolve(), target_is_directory=True)
            (store / name / "latest").write_text(version, encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Importing:
    """Imports a Bento, each time in a fresh process with a clean environment; all imports together end at the deadline."""

    bento: OpenBento
    tags: tuple[str, ...]
    python: Path
    image_envs: Mapping[str, str]
    deadline: float
    """As time.monotonic() counts."""
    timeout: float

    def __call__(self, variables: Mapping[str, str]) -> ImportReport:
        """Raises ImportFailed if the code cannot be imported with these variables, ToolFailed if it does not end."""
        with tempfile.TemporaryDirectory(prefix="bento-home-") as temporary:
            home = Path(temporary)
            link_models(self.bento, self.tags, home / "models")
            report, log = home / "report.json", home / "log"
            # What the image sets is there when the Bento is served, so it counts; the variables of a probe win.
            environment = {**bare_environment(home), **self.image_envs, "BENTOML_HOME": str(home), **variables}
            code = self._run(
                [str(self.python), "-I", "-B", str(_INSPECTOR), str(self.bento.folder), str(report)], environment, home, log
            )
            said = log.read_text(encoding="utf-8", errors="replace").strip()
            return _read_report(report, code, said)

    def _run(self, command: list[str], environment: Mapping[str, str], cwd: Path, log: Path) -> int:
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, env=environment, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            try:
                return process.wait(max(0.0, self.deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise ToolFailed(
                    f"bundle inspect: importing the Bento did not end within {self.timeout:g} s; nothing may wait at import "
                    "(models are loaded in __init__), or give more time with --timeout"
                ) from None
            finally:
                _end_group(process)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends the process with all that it started: it leads a group of its own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # nothing is left of the group
    finally:
        process.wait()


def _read_report(report: Path, code: int, said: str) -> ImportReport:
    tail = "\n".join(said.splitlines()[-15:])
    if not report.is_file() or code not in (0, 3):
        raise ImportFailed((f"{tail}\n" if tail else "") + f"the process ended with exit code {code} before it had told anything")
    content = json.loads(report.read_text(encoding="utf-8"))
    if code == 3:
        raise ImportFailed(str(content["failed"]))
    try:
        return ImportReport.model_validate(content)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        at = ".".join(str(part) for part in detail["loc"])
        raise ImportFailed(f"{at}: {detail['msg']}: a declaration that is not plain data") from None
