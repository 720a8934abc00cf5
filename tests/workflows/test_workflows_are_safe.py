"""What every workflow keeps to: no permission that is not said, no action that can change, no input that a shell reads."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from bento_gitops.cli.main import app
from runner import CHECKOUT, NAMES, PYTHON, ROOT, workflow

TARGETS = set(re.findall(r"^([a-z][a-z-]*):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
COMMAND = ".venv/bin/bento-gitops"


def _steps(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for job, said in workflow(name)["jobs"].items():
        for step in said["steps"]:
            yield job, step


def test_the_workflows_of_a_fleet_are_there() -> None:
    assert NAMES == ["canary.yml", "check.yml", "main.yml", "overrides.yml", "promote.yml"]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_allowed_but_what_a_job_says(name: str) -> None:
    said = workflow(name)
    assert said["permissions"] == {}
    for job in said["jobs"].values():
        assert job["permissions"], "what a job may is said"
        assert set(job["permissions"].values()) <= {"read", "write"}
        assert [key for key, value in job["permissions"].items() if value == "write"] in ([], ["pull-requests"])
        assert job["timeout-minutes"] <= 60


@pytest.mark.parametrize("name", NAMES)
def test_two_runs_do_not_get_into_each_others_way(name: str) -> None:
    said = workflow(name)
    assert "concurrency" in said or all("concurrency" in job for job in said["jobs"].values())


@pytest.mark.parametrize("name", NAMES)
def test_no_code_of_a_stranger_meets_a_token_that_can_write(name: str) -> None:
    said = workflow(name)
    assert "pull_request_target" not in said["on"] and "workflow_run" not in said["on"]
    for job in said["jobs"].values():
        text = str(job)
        writes = "write" in job["permissions"].values() or "secrets." in text
        if not writes or not set(said["on"]) & {"pull_request", "merge_group"}:
            continue
        checkouts = [step["with"] for step in job["steps"] if step.get("uses", "").startswith(CHECKOUT)]
        assert [one["ref"] for one in checkouts] == ["${{ github.event.pull_request.base.sha }}"]
        assert "head.repo.full_name == github.repository" in job["if"]


@pytest.mark.parametrize("name", NAMES)
def test_secrets_are_of_an_environment_that_can_be_kept_to_main(name: str) -> None:
    for job in workflow(name)["jobs"].values():
        secrets = set(re.findall(r"secrets\.(\w+)", str(job)))
        assert secrets <= {"BENTO_GITOPS_TOKEN"}
        assert not secrets or job["environment"] == "bento-gitops"


@pytest.mark.parametrize("name", NAMES)
def test_actions_are_pinned_and_keep_the_token_only_where_something_is_pushed(name: str) -> None:
    text = (ROOT / ".github" / "workflows" / name).read_text("utf-8")
    used = re.findall(r"uses: (.*)", text)
    assert used and all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v[0-9.]+", one) for one in used)
    assert {one.partition("@")[0] for one in used} == {CHECKOUT, PYTHON}
    for _, step in _steps(name):
        if step.get("uses", "").startswith(CHECKOUT):
            own = step["with"]
            assert ("token" in own) != (own.get("persist-credentials") is False)


@pytest.mark.parametrize("name", NAMES)
def test_what_somebody_typed_reaches_a_shell_as_a_quoted_variable_alone(name: str) -> None:
    for _, step in _steps(name):
        run = step.get("run", "")
        assert "${{" not in run
        bare = re.sub(r'"[^"]*"', "", run).replace("${TAG:+}", "")  # a tag that is not said is no word at all
        assert re.findall(r"\$\{?(\w+)", bare) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_step_is_a_command_that_runs_on_any_machine(name: str) -> None:
    for job, step in _steps(name):
        for line in step.get("run", "").splitlines():
            _require_known(line, f"{name}, {job}: {line}")


def _require_known(line: str, where: str) -> None:
    words = shlex.split(line.removeprefix("printf '%s' \"$BODY\" | "))
    if words[0] == "make":
        assert words[1:] and set(words[1:]) <= TARGETS, where
        return
    assert words[0] == COMMAND, where
    command: Any = typer.main.get_command(app)
    rest = words[1:]
    while hasattr(command, "commands"):
        assert rest[0] in command.commands, where
        command = command.commands[rest.pop(0)]
    known = {option for parameter in command.params for option in parameter.opts}
    options = [word.partition("=")[0] for word in rest if word.startswith("--") and word != "--"]
    assert set(options) <= known, where


def test_the_example_of_code_owners_names_folders_that_there_are_or_that_a_fork_has() -> None:
    text = (ROOT / ".github" / "CODEOWNERS.example").read_text("utf-8")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[0][0] == "*" and len(lines) > 5
    assert all(owner.startswith("@") for _, *owners in lines for owner in owners)
    unowned = [pattern for pattern, *owners in lines if not owners]
    assert unowned == ["/environments/*/*/values.yaml"], "evidence that somebody wrote is believed by gates: it has owners"
    # The last that fits counts: what asks nobody must stand below what owns the folder above it.
    patterns = [pattern for pattern, *_ in lines]
    assert patterns.index("/environments/prod/") < patterns.index(unowned[0])
