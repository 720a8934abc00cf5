"""Rules that every workflow keeps to, so that a pull request from anybody reaches no secret; by name, what breaks each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Workflow = Mapping[str, Any]

ACTIONS = ("actions/checkout", "actions/setup-python")
OF_STRANGERS = {"pull_request", "merge_group", "issue_comment", "issues", "discussion", "fork", "watch"}
"""Events that somebody without any right here can bring about."""
WITH_TOKENS_OF_MAIN = {"pull_request_target", "workflow_run"}
"""Events that start with the rights of main for what a stranger brought."""
_BASE = "${{ github.event.pull_request.base.sha }}"
_OWN = "head.repo.full_name == github.repository"


def events(workflow: Workflow) -> set[str]:
    said = workflow["on"]
    return {said} if isinstance(said, str) else set(said)


def jobs(workflow: Workflow) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from workflow["jobs"].items()


def steps(job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return job.get("steps", [])


def permissions_are_said(workflow: Workflow) -> Iterator[str]:
    if workflow.get("permissions") != {}:
        yield "the workflow does not begin with `permissions: {}`"
    for name, job in jobs(workflow):
        if not isinstance(job.get("permissions"), dict):
            yield f"{name}: what it may is not said by name"


def strangers_code_without_tokens(workflow: Workflow) -> Iterator[str]:
    for event in sorted(events(workflow) & WITH_TOKENS_OF_MAIN):
        yield f"starts by {event}, with rights that what it looks at must not have"
    if not events(workflow) & OF_STRANGERS:
        return
    for name, job in jobs(workflow):
        can = job.get("permissions")
        writes = not isinstance(can, dict) or "write" in can.values()
        if not writes and "secrets" not in str(job):
            continue
        checkouts = [step.get("with", {}).get("ref") for step in steps(job) if "checkout" in step.get("uses", "")]
        if checkouts != [_BASE] or _OWN not in str(job.get("if", "")):
            yield f"{name}: has a token or a secret, and runs what a stranger brings"


def secrets_of_an_environment(workflow: Workflow) -> Iterator[str]:
    if "secrets" in str(workflow.get("env", "")):
        yield "every job has a secret in its environment"
    for name, job in jobs(workflow):
        # `secrets.NAME` alone: neither all of them, nor one by a name that is put together, nor `secrets: inherit`.
        uses = re.findall(r"\bsecrets\b(\.\w+)?", str(job))
        if "" in uses:
            yield f"{name}: takes secrets otherwise than by one name"
        if uses and not job.get("environment"):
            yield f"{name}: its secrets are of no environment that can be kept to main"


def nothing_typed_in_a_shell(workflow: Workflow) -> Iterator[str]:
    for name, job in jobs(workflow):
        for step in steps(job):
            for key in ("run", "shell", "working-directory"):
                if "${{" in str(step.get(key, "")):
                    yield f"{name}: {key} has what somebody typed"


def actions_by_their_sha(workflow: Workflow) -> Iterator[str]:
    for name, job in jobs(workflow):
        for uses in filter(None, [job.get("uses"), *(step.get("uses") for step in steps(job))]):
            action, _, ref = uses.partition("@")
            if action not in ACTIONS or not re.fullmatch(r"[0-9a-f]{40}", ref):
                yield f"{name}: {uses} can be another tomorrow, or is a stranger's"


def own_runners_are_not_for_strangers(workflow: Workflow) -> Iterator[str]:
    if events(workflow) & (OF_STRANGERS | WITH_TOKENS_OF_MAIN):
        for name, job in jobs(workflow):
            if "self-hosted" in str(job.get("runs-on")):
                yield f"{name}: runs a stranger's code on a machine that stays"


RULES: Mapping[str, Callable[[Workflow], Iterator[str]]] = {
    "permissions-are-said": permissions_are_said,
    "strangers-code-without-tokens": strangers_code_without_tokens,
    "secrets-of-an-environment": secrets_of_an_environment,
    "nothing-typed-in-a-shell": nothing_typed_in_a_shell,
    "actions-by-their-sha": actions_by_their_sha,
    "own-runners-are-not-for-strangers": own_runners_are_not_for_strangers,
}
