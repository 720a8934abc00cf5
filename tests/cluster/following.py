"""Applies every commit of a branch to the cluster, as Argo CD does: server-side, in order, and without waiting for pods."""

from __future__ import annotations

import io
import subprocess
import tarfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from conftest import run
from git_repositories import Repository


@dataclass
class Follower:
    """One application in one environment, as the branch `main` of a bare repository says it."""

    remote: Repository
    environment: str
    application: str
    namespace: str
    folder: Path
    seen: dict[str, float] = field(default_factory=dict[str, float])
    """By commit, when it was there."""
    applied: dict[str, float] = field(default_factory=dict[str, float])
    """By commit, when the cluster had it."""
    _wrong: list[BaseException] = field(default_factory=list[BaseException])

    def __post_init__(self) -> None:
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()

    def wait(self) -> float:
        """When the cluster had what `main` says now."""
        commit = self.remote.git("rev-parse", "main")
        end = time.monotonic() + 60
        while commit not in self.applied:
            if self._wrong:
                raise self._wrong[0]
            assert time.monotonic() < end, f"{commit} is not applied"
            time.sleep(0.05)
        return self.applied[commit]

    def _follow(self) -> None:
        try:
            while not self._end.wait(0.2):
                commits = self.remote.git("rev-list", "--reverse", "--first-parent", "main").splitlines()
                new = [commit for commit in commits if commit not in self.applied]
                self.seen.update((commit, time.time()) for commit in new)
                for commit in new:
                    self._apply(commit)
                    self.applied[commit] = time.time()
        except BaseException as error:  # `wait` raises it where somebody looks
            self._wrong.append(error)

    def _apply(self, commit: str) -> None:
        values = f"environments/{self.environment}/{self.application}/values.yaml"
        if self.remote.at(commit, values) is None:
            return
        folder = self.folder / commit
        packed = subprocess.run(
            ["git", "-C", str(self.remote.root), "archive", commit, values, "charts"], capture_output=True, check=True
        )
        with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
            archive.extractall(folder, filter="data")
        chart = folder / "charts/bento-serving"
        applying = ("--install", "--server-side=true", "--force-conflicts", "--history-max=3")
        run("helm", "upgrade", self.application, chart, "-n", self.namespace, "-f", folder / values, *applying)
