"""What Helm said is remembered while tests run: stories render the same chart with the same values again and again.

What Helm reads is what it is remembered by: the program, its arguments, the values and every byte of the chart's folder. Tests of
rendering itself ask for `fresh_renders`. Where tests call a `helm` of their own, only those of tests/chart remember.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.tools import binaries, helm

RUN = helm._run  # pyright: ignore[reportPrivateUsage]  (one place starts Helm, and this stands in for it)
_SAID = helm._Said  # pyright: ignore[reportPrivateUsage]


class Remembered:
    """Stands in for a call of Helm; what one process of the tests was told, all others know."""

    def __init__(self, folder: Path, run: Callable[..., helm._Said] = RUN) -> None:  # pyright: ignore[reportPrivateUsage]
        self.folder = folder
        self.run = run
        folder.mkdir(exist_ok=True)

    def __call__(
        self, program: Path, arguments: Sequence[str], values: str, kube_version: str, *, verb: str = "template"
    ) -> helm._Said:  # pyright: ignore[reportPrivateUsage]
        charts = [word for word in arguments if word.startswith("/") and Path(word).is_dir()]
        if program.parent != binaries.BIN or len(charts) != 1:
            return self.run(program, arguments, values, kube_version, verb=verb)
        about = [verb, kube_version, values, *("<chart>" if word in charts else word for word in arguments)]
        return _SAID(
            **remembered(
                self.folder,
                told_by(program, about, content(Path(charts[0]))),
                lambda: dataclasses.asdict(self.run(program, arguments, values, kube_version, verb=verb)),
                Path(charts[0]),
            )
        )


def told_by(program: Path, about: Sequence[str], chart: str) -> str:
    """What a call of a program on a chart of this content is remembered by."""
    found = program.stat()
    call = json.dumps([str(program), found.st_size, found.st_mtime_ns, *about])
    return hashlib.sha256(f"{call}{chart}".encode()).hexdigest()


def remembered(folder: Path, key: str, run: Callable[[], dict[str, Any]], chart: Path) -> dict[str, Any]:
    """What a call came to, in whichever process of the tests; it is not kept where it speaks of the chart's place."""
    file = folder / f"{key}.json"
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))
    said = run()
    text = json.dumps(said)
    if json.dumps(str(chart)).strip('"') not in text:  # else it is about this folder alone
        part = file.with_suffix(f".{os.getpid()}")
        part.write_text(text, encoding="utf-8")
        part.replace(file)
    return said


def content(folder: Path) -> str:
    """A digest of every file's path and bytes."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def folder_of_this_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes of a run of the tests."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def remembered_renders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(helm, "_run", Remembered(folder_of_this_run(tmp_path_factory) / "helm-renders"))
        yield


@pytest.fixture
def fresh_renders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Helm is started for each render."""
    monkeypatch.setattr(helm, "_run", RUN)
