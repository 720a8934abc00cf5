"""Runs the jobs of a workflow as GitHub does: a fresh checkout, each step's command by bash, with its variables and outputs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from git_repositories import Origin, Repository
from github_stand_in import GitHub

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".github" / "workflows"
NAMES = sorted(path.name for path in FOLDER.glob("*"))
CHECKOUT, PYTHON = "actions/checkout", "actions/setup-python"
_EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")


def workflow(name: str) -> dict[str, Any]:
    """A workflow as YAML has it; its `on` is a word that YAML 1.1 takes for true."""
    read: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text("utf-8"))
    return {"on" if key is True else key: value for key, value in read.items()}


@dataclass(frozen=True)
class Job:
    """What became of a job."""

    code: int
    """Of the first step that failed; 0 where none did."""
    out: str
    outputs: Mapping[str, str]
    """Of the job."""
    summary: str
    clone: Repository


class Runner:
    """A runner with nothing on it but this project's tools, set up already."""

    def __init__(self, origin: Origin, github: GitHub, folder: Path, command: Path) -> None:
        self.origin, self.github, self.folder = origin, github, folder
        self.jobs = 0
        self.programs = folder / "programs"
        self.programs.mkdir(parents=True)
        for program in Path(sys.executable).parent.iterdir():
            (self.programs / program.name).symlink_to(command if program.name == command.name else program)

    def run(self, name: str, job: str, context: Mapping[str, str], *, ref: str = "main") -> Job:
        """Runs a job; each expression in it must be one that `context` knows. `ref` is what started it."""
        self.jobs += 1
        said = workflow(name)["jobs"][job]
        place = self.folder / f"job-{self.jobs}"
        place.mkdir(parents=True)
        files = {key: place / key.lower() for key in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.touch()
        variables = {**self._machine(place), **{key: str(file) for key, file in files.items()}}
        variables |= self._filled(said.get("env", {}), context)
        clone: Repository | None = None
        steps: dict[str, str] = {}
        code, out = 0, ""
        for step in said["steps"]:
            used = step.get("uses", "").partition("@")[0]
            if used == CHECKOUT:
                wanted = self._filled(step.get("with", {}), context).get("ref", ref)
                clone = self._checkout(wanted, place / "work", deep=step.get("with", {}).get("fetch-depth") == 0)
            if "run" not in step:
                assert used in (CHECKOUT, PYTHON), step
                continue
            assert clone, "a command runs in a checkout"
            files["GITHUB_OUTPUT"].write_text("")
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=clone.root,
                env={**variables, **self._filled(step.get("env", {}), context)},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            out += done.stdout + done.stderr
            if "id" in step:
                steps |= {f"steps.{step['id']}.outputs.{key}": value for key, value in _outputs(files["GITHUB_OUTPUT"])}
            if done.returncode:
                code = done.returncode
                break
        assert clone
        outputs = self._filled(said.get("outputs", {}), steps, empty=True)
        return Job(code, out, outputs, files["GITHUB_STEP_SUMMARY"].read_text("utf-8"), clone)

    def _machine(self, place: Path) -> dict[str, str]:
        """The variables of a machine on which nobody said who commits."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT", "MAKE", "GH_")) and key != "BASE"}
        own = {
            "PATH": f"{self.github.folder}{os.pathsep}{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "RUNNER_TEMP": str(place),
            "NO_COLOR": "1",
            "HOME": str(place),
        }
        return {**kept, **own}

    def _checkout(self, ref: str, root: Path, *, deep: bool) -> Repository:
        """As actions/checkout leaves it: a branch checked out as itself, all else detached."""
        git = Repository(root)
        root.mkdir()
        git.git("init", "--quiet", "--initial-branch=none")
        git.git("remote", "add", "origin", self.origin.root.as_uri())
        depth = () if deep else ("--depth=1",)
        git.git("fetch", "--quiet", *depth, "origin", "+refs/heads/*:refs/remotes/origin/*")
        if self.origin.git("branch", "--list", ref):
            git.git("checkout", "--quiet", "-B", ref, f"refs/remotes/origin/{ref}")
        else:
            git.git("fetch", "--quiet", *depth, "origin", ref)
            git.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
        self._set_up(root)
        return git

    def _set_up(self, root: Path) -> None:
        """What `make setup` and `make tools` would make, made already: they take a minute, and tests of their own."""
        (root / ".venv").mkdir()
        (root / ".venv" / "bin").symlink_to(self.programs)
        (root / ".tools").mkdir()
        for made_of in (root / "requirements.lock", root / "scripts/bento_gitops/tools/binaries.py"):
            os.utime(made_of, (0, 0))
        for ready in (root / ".venv" / ".ready", root / ".tools" / ".ready"):
            ready.touch()

    @staticmethod
    def _filled(values: Mapping[str, Any], context: Mapping[str, str], *, empty: bool = False) -> dict[str, str]:
        def value(found: re.Match[str]) -> str:
            assert empty or found[1] in context, f"nobody said what ${{{{ {found[1]} }}}} is"
            return context.get(found[1], "")

        return {key: _EXPRESSION.sub(value, str(said)) for key, said in values.items()}


def _outputs(file: Path) -> list[tuple[str, str]]:
    """NAME=VALUE lines, and NAME<<END with what follows up to END."""
    found: list[tuple[str, str]] = []
    lines = iter(file.read_text("utf-8").splitlines())
    for line in lines:
        name, mark, end = line.partition("<<")
        if mark:
            value: list[str] = []
            for inner in lines:
                if inner == end:
                    break
                value.append(inner)
            found.append((name, "\n".join(value)))
        else:
            name, _, text = line.partition("=")
            found.append((name, text))
    return found


def fleet_files(folder: Path) -> dict[str, str]:
    """The tests' fleet with the real chart, rendered, and what workflows need beside it."""
    from bento_gitops.operations.render import render, write
    from bento_gitops.repository.files import WorkingTree
    from chart_releases import add_real_chart

    shutil.copytree(ROOT / "tests" / "fleet", folder)
    add_real_chart(folder)
    shutil.copytree(ROOT / "schemas" / "custom-resources", folder / "schemas" / "custom-resources")
    for path in ("Makefile", "requirements.lock", ".gitignore", "scripts/bento_gitops/tools/binaries.py"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, folder / path)
    # Jobs go by the clock of the machine: nothing here may be of a time to come.
    (folder / "environments/prod/support-tickets/overrides.yaml").unlink()
    for release in folder.glob("environments/*/*/release.yaml"):
        release.write_text(re.sub(r"since: .*", "since: 2020-01-01T00:00:00Z", release.read_text("utf-8")), "utf-8")
    write(folder, render(WorkingTree(folder), None))
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in sorted(folder.rglob("*")) if path.is_file()}
