"""What the CronJob of the cluster's chart runs, as its container would run it: against a bare remote, over a stand-in for ssh."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from bento_gitops.operations.audit import audit
from bento_gitops.tools import binaries
from git_repositories import Origin, Repository
from live_stand_in import Live

ROOT = Path(__file__).parents[2]
APP = "support-tickets"
SSH = """\
#!/bin/sh
printf '%s\\n' "$*" >> {calls}
for last; do :; done
cd {folder} && eval "$last"
"""
"""Notes how it was called, and does what it was asked on this machine."""


@cache
def container() -> dict[str, Any]:
    """The container of the CronJob of prod, for the values of ci but for the repository's name here."""
    chart = ROOT / "charts/bento-platform"
    command = [str(binaries.find("helm")), "template", "platform", str(chart), "--values", str(chart / "ci/full-values.yaml")]
    command += ["--set", "stepping.repository=git@git.example.com:origin.git", "--show-only", "templates/stepping/cronjob.yaml"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    jobs = {found["metadata"]["name"]: found for found in yaml.safe_load_all(ran.stdout)}
    pod = jobs["bento-step-prod"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return pod["containers"][0]


Run = Callable[[], subprocess.CompletedProcess[str]]


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def run(origin: Origin, olivia: Repository, cluster: Live, tmp_path: Path, calls: Path) -> Run:
    """Runs the container's command with its variables alone; folders of the pod are folders here, the branch has this code."""
    shutil.copytree(ROOT / "scripts", olivia.root / "scripts", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    olivia.commit("The code")
    olivia.git("push", "--quiet")
    said = container()
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / ".venv").symlink_to(sys.prefix)
    (tools / ".tools").symlink_to(ROOT / ".tools")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ssh").write_text(SSH.format(calls=calls, folder=origin.root.parent))
    (programs / "ssh").chmod(0o755)

    def ran() -> subprocess.CompletedProcess[str]:
        work = tmp_path / f"work-{len(list(tmp_path.glob('work-*')))}"
        work.mkdir()
        here = {"WORK": str(work), "TOOLS": str(tools)}
        pod = {"PATH": f"{programs}:{os.environ['PATH']}", "KUBECONFIG": os.environ["KUBECONFIG"]}
        variables = {each["name"]: each["value"] for each in said["env"]}
        return subprocess.run(
            [*said["command"], *said["args"]],
            env={**variables, **here, **pod},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return ran


def test_a_run_takes_the_next_step_of_its_environment_and_pushes_it_and_a_second_one_finds_what_it_left(
    run: Run, origin: Origin, olivia: Repository, calls: Path
) -> None:
    before = olivia.head
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert origin.subjects("main")[:2] == [f"prod/{APP}: evidence of 1.1.0", "The code"]
    assert origin.git("log", "-1", "--format=%an <%ae>", "main") == "bento-gitops <bento-gitops@example.com>"
    assert f"dev/{APP}" not in done.stdout, "another environment is another CronJob"
    olivia.git("fetch", "--quiet")
    assert not audit(olivia.root, before, "origin/main", "main").problems
    lines = calls.read_text().splitlines()
    assert [line.split("'")[0].rpartition(" ")[0].rpartition(" ")[2] for line in lines].count("git-receive-pack") == 1
    for line in lines:
        assert "-i /etc/bento-step/key -o IdentitiesOnly=yes -o UserKnownHostsFile=/etc/bento-step/known_hosts" in line
        assert "-o StrictHostKeyChecking=yes -o BatchMode=yes" in line
        assert " git@git.example.com git-" in line

    first = origin.git("rev-parse", "main")
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"prod/{APP}" in done.stdout
    assert origin.git("rev-parse", "main") == first, "the evidence is there: it waits"


def test_a_run_that_cannot_push_or_cannot_look_fails(run: Run, origin: Origin, cluster: Live) -> None:
    origin.refuse("no bypass for this key")
    done = run()
    assert done.returncode == 5
    assert "no bypass for this key" in done.stderr
    origin.accept()
    cluster.refused = {"deployments"}
    done = run()
    assert done.returncode == 5
    assert "deployments is forbidden" in done.stderr
    assert origin.subjects("main")[0] == "The code"


def test_what_is_not_there_to_clone_fails_the_run(run: Run, origin: Origin) -> None:
    origin.root.rename(origin.root.with_name("elsewhere.git"))
    done = run()
    assert done.returncode not in (0, 3)
    assert "origin.git" in done.stderr
