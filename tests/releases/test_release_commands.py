"""What the release commands say and refuse, one at a time."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from git_repositories import Repository
from stories import APP, Operator

PROD, STAGING, DEV = f"prod/{APP}", f"staging/{APP}", f"dev/{APP}"


def test_a_dry_run_shows_gates_and_files_and_writes_nothing(olivia: Operator) -> None:
    head = olivia.clone.head
    told = olivia.run("promote", DEV, "1.1.0", "--dry-run", "--push")
    assert "would change: environments/dev/support-tickets/release.yaml" in told.out
    assert "pass        objects:" in told.out
    assert (olivia.clone.head, olivia.clone.status) == (head, "")


def test_without_a_flag_files_change_and_a_person_commits_them(olivia: Operator) -> None:
    told = olivia.run("promote", DEV, "1.1.0", "--json")
    document = json.loads(told.out)
    assert document["transition"] == "direct" and document["commit"] is None
    assert olivia.clone.status.split() == [word for path in document["paths"] for word in ("M", path)]
    assert {gate["outcome"] for gate in document["gates"]} == {"passed", "not looked"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("promote", "production/support-tickets", "1.1.0"), "no such environment (found 'production')"),
        (("promote", "prod", "1.1.0"), "this command needs one application; write it like prod/APPLICATION"),
        (("promote", "prod/support-ticket", "1.1.0"), "did you mean 'support-tickets'?"),
        (("promote", PROD, "1.1"), "there is no such bundle (found '1.1'); did you mean '1.1.0'?"),
        (("hold", PROD, "9.9", "--reason", "none"), "there is no such bundle"),
    ],
)
def test_a_wrong_name_is_told_with_the_nearest_right_one(olivia: Operator, arguments: tuple[str, ...], words: str) -> None:
    assert words in olivia.run(*arguments, code=1).err


def test_commands_for_a_candidate_say_that_there_is_none(olivia: Operator) -> None:
    for verb in ("prepare", "shift", "finish", "abort", "pause"):
        said = olivia.run("canary", verb, PROD, code=4).err
        assert "there is no candidate (found steady); begin with bento-gitops promote prod/support-tickets TAG" in said


def test_hold_wants_a_reason_and_two_ways_at_once_are_a_wrong_use(olivia: Operator) -> None:
    assert "--reason" in olivia.run("hold", PROD, "1.1.0", code=2).err
    assert "--commit, --push and --pr" in olivia.run("promote", PROD, "1.1.0", "--commit", "--push", code=2).err


def test_direct_is_refused_where_the_environment_does_not_allow_it(olivia: Operator) -> None:
    file = olivia.clone.root / "environments" / "dev" / "environment.yaml"
    file.write_text(file.read_text("utf-8").replace("promotion: {direct: true}\n", ""), "utf-8")
    said = olivia.run("promote", DEV, "1.1.0", code=4).err
    assert "rollout.strategy is direct, which this environment does not allow" in said


def test_all_failing_gates_are_told_at_once_with_what_to_do(olivia: Operator) -> None:
    olivia.new_bundle("1.2.0", ("accuracy: 0.94", "accuracy: 0.71"))
    overrides = f"environments/prod/{APP}/overrides.yaml"
    olivia.clone.commit(
        "An override that has ended",
        {
            overrides: (
                "apiVersion: bento-gitops/v1\nkind: Overrides\noverrides:\n"
                "  - config: {services: {EmbeddingRunner: {scaling: {min_replicas: 3}}}}\n"
                "    reason: launch day\n    owner: ml-oncall\n    expires: 2026-11-01T00:00:00Z\n"
            )
        },
    )
    olivia.run("render")
    olivia.clone.commit("Rendered")
    said = olivia.run("promote", PROD, "1.2.0", "--now", "2026-12-24T12:00:00Z", code=4).err
    lines = said.splitlines()
    gates = [line.split(": ")[1] for line in lines]
    assert gates == [
        "gate evaluation ticket-classifier.accuracy",
        "gate freeze",
        "gate overrides",
        "gate soak",
        "gate verified",
    ], said
    assert all("; " in line for line in lines)
    assert "is 0.71; 0.9 or more is wanted" in said
    assert "this override ended 2026-11-01T00:00:00Z and still counts" in said


def test_a_bundle_that_was_changed_after_it_was_recorded_is_not_promoted(olivia: Operator) -> None:
    path = f"bundles/{APP}/1.1.0.yaml"
    text = olivia.clone.text(path) or ""
    olivia.clone.commit("Another image under the same tag", {path: text.replace("2" * 64, "3" * 64)})
    said = olivia.run("promote", DEV, "1.1.0", code=4).err
    assert "gate bundle: does not pass" in said and "another content needs another tag" in said


def test_evidence_for_other_values_is_none(olivia: Operator) -> None:
    olivia.change("promote", DEV, "1.1.0")
    olivia.record("dev")
    config = f"environments/dev/{APP}/config.yaml"
    olivia.clone.commit("More memory", {config: (olivia.clone.text(config) or "").replace("1Gi", "2Gi")})
    olivia.run("render")
    olivia.clone.commit("Rendered")
    olivia.clone.git("push", "--quiet")
    said = olivia.change("promote", STAGING, code=4).err
    assert "what there is was found with other values" in said


def test_a_second_rollback_seconds_later_gives_no_request_to_pods_that_nobody_saw(olivia: Operator) -> None:
    olivia.change("promote", DEV, "1.1.0")
    olivia.change("rollback", DEV, "--no-hold", "--reason", "Ann was first")
    head = olivia.clone.head
    said = olivia.change("rollback", DEV, code=4).err
    assert "gate ready: does not pass (found the first part is done; nobody looked at the cluster)" in said
    assert "--pods-are-ready" in said
    assert olivia.clone.head == head
    olivia.later(minutes=1)
    release = olivia.release("dev")
    names = [release.stable, release.candidate or ""]
    nothing = {name: {"bundle": release.tracks[name].bundle, "ready": {}} for name in names}
    seen = olivia.observe("dev", tracks=nothing)
    assert "gate ready: does not pass (found ready pods:" in olivia.change("rollback", DEV, "--observation", seen, code=4).err
    done = olivia.change("rollback", DEV, "--pods-are-ready")
    assert "said to be ready by Olivia Operator" in done.out
    assert olivia.state("dev") == ("steady", {"1.0.0": 100})
    assert "next:" not in done.out, "nothing is to be done; the opposite of what was done least of all"


def test_a_swap_back_is_refused_where_the_standby_s_pods_are_known_to_be_gone(olivia: Operator) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    olivia.steps_until("prod", v1_1_0=100)
    gone = {
        "blue": {"bundle": "1.0.0", "ready": {"SupportTickets": 0}},
        "green": {"bundle": "1.1.0", "ready": {"SupportTickets": 3}},
    }
    seen = olivia.observe("prod", tracks=gone)
    assert "gate ready: does not pass" in olivia.change("rollback", PROD, "--observation", seen, code=4).err
    olivia.change("rollback", PROD)
    assert olivia.state("prod") == ("steady", {"1.0.0": 100})


def test_a_bundle_that_staging_holds_gets_no_more_requests_in_prod(olivia: Operator) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    olivia.change("canary", "prepare", PROD)
    olivia.change("hold", STAGING, "1.1.0", "--reason", "drops umlauts")
    said = olivia.change("canary", "shift", PROD, code=4).err
    assert "gate held in staging: does not pass" in said and "drops umlauts" in said
    olivia.later(minutes=1)
    waits = olivia.step("prod").out
    assert "drops umlauts" in waits and olivia.state("prod") == ("staged", {"1.0.0": 100}), "a job that comes again waits"


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"target": "staging/support-tickets"}, "target: is not prod/support-tickets (found 'staging/support-tickets')"),
        (
            {"analysis": {"window": "10m", "tracks": {"gren": {"requests": 9, "errors": 0}}}},
            "analysis.tracks.gren: there is no such track (found 'gren'); did you mean 'green'?",
        ),
        (
            {"tracks": {"green": {"bundle": "1.1.0", "ready": {"EmbedingRunner": 2}}}},
            "there is no such service in bundle 1.1.0 (found 'EmbedingRunner'); did you mean 'EmbeddingRunner'?",
        ),
        (
            {"analysis": {"window": "10m", "tracks": {"green": {"requests": 470, "errors": 900}}}},
            "has more errors than requests",
        ),
        ({"verification": {"track": "green", "passed": True, "checks": 0}}, "verification.checks: is too small"),
        ({"verification": {"track": "green", "passed": False, "checks": 2}}, "says two things"),
    ],
)
def test_a_slip_in_an_observation_takes_back_no_good_candidate(olivia: Operator, seen: dict[str, Any], words: str) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    file = olivia.observe("prod", **seen)
    assert words in olivia.change("canary", "step", PROD, "--observation", file, code=1).err


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"at": "2026-11-10T08:30:00Z"}, "the observation is 30m old, more than 10m"),
        ({"at": "2026-11-10T10:00:00Z"}, "which is yet to come"),
        ({"cluster": "staging-cluster"}, "the observation is of cluster staging-cluster, and this is prod-cluster"),
    ],
)
def test_an_observation_of_another_time_or_cluster_decides_nothing(olivia: Operator, seen: dict[str, str], words: str) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    before = olivia.clone.head
    assert words in olivia.step("prod", **seen).out
    assert olivia.clone.head == before


def test_what_is_no_observation_is_told_by_line(olivia: Operator, tmp_path: Path) -> None:
    file = tmp_path / "seen.yaml"
    file.write_text("apiVersion: bento-gitops/v1\nkind: Observation\nat: yesterday\nweights: {blue: much}\n")
    said = olivia.run("canary", "step", PROD, "--observation", str(file), code=1).err
    assert "seen.yaml:3: at: not a time" in said and "seen.yaml:4: weights.blue: must be a whole number" in said
    assert "cannot be read" in olivia.run("canary", "step", PROD, "--observation", str(tmp_path / "none"), code=1).err


def test_prepare_counts_the_pods_that_the_live_tracks_have_now(olivia: Operator) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    busy = {"blue": {"bundle": "1.0.0", "ready": {"SupportTickets": 9, "EmbeddingRunner": 8, "ClassifierRunner": 1}}}
    olivia.change("canary", "prepare", PROD, "50", "--observation", olivia.observe("prod", tracks=busy))
    track = olivia.release("prod").tracks["green"]
    assert track.floor == {"SupportTickets": 5, "EmbeddingRunner": 4}, "half of what is ready, where that is more than configured"
    assert olivia.pods("prod", "green")["SupportTickets"] == 5
    said = olivia.change("canary", "prepare", PROD, "25")
    assert "pods are counted by what is configured" in said.err
    assert olivia.release("prod").tracks["green"].floor is None


def test_stable_keeps_the_pods_that_all_requests_took_for_the_way_back(olivia: Operator) -> None:
    """An autoscaler takes pods from the stable track as its requests go; `abort` and `rollback` give them back all at once."""
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    blue = {"bundle": "1.0.0", "ready": {"SupportTickets": 9, "EmbeddingRunner": 8, "ClassifierRunner": 1}}
    seen = olivia.observe("prod", tracks={"blue": blue})
    olivia.change("canary", "prepare", PROD, "50", "--observation", seen)
    assert olivia.pods("prod", "blue") == {**olivia.pods("prod", "blue"), "SupportTickets": 9, "EmbeddingRunner": 8}
    olivia.change("canary", "shift", PROD, "50", "--break-glass", "not about gates")
    green = {"bundle": "1.1.0", "ready": {"SupportTickets": 5, "EmbeddingRunner": 4, "ClassifierRunner": 2}}
    seen = olivia.observe("prod", tracks={"blue": blue, "green": green})
    olivia.change("canary", "prepare", PROD, "100", "--observation", seen)
    assert olivia.release("prod").tracks["green"].floor == {"SupportTickets": 9, "EmbeddingRunner": 8}, (
        "blue has what all requests take: the pods of green are no part of that"
    )
    olivia.change("canary", "abort", PROD)
    assert olivia.pods("prod", "blue")["SupportTickets"] == 9, "all requests find the pods that they had"
    olivia.later(hours=2)
    olivia.step("prod")
    assert olivia.release("prod").tracks["blue"].floor is None, "steady again: the autoscaler decides"


def test_a_weight_is_not_raised_past_what_the_pods_are_for_or_without_them(olivia: Operator) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    assert "first bento-gitops canary prepare prod/support-tickets 5" in olivia.change("canary", "shift", PROD, "5", code=4).err
    olivia.change("canary", "prepare", PROD, "5")
    lacking = {
        "blue": {"bundle": "1.0.0", "ready": {}},
        "green": {"bundle": "1.1.0", "ready": {"SupportTickets": 2, "EmbeddingRunner": 1, "ClassifierRunner": 2}},
    }
    seen = olivia.observe("prod", tracks=lacking)
    said = olivia.change("canary", "shift", PROD, "5", "--observation", seen, code=4).err
    assert "gate ready: does not pass (found ready pods: EmbeddingRunner 1 of 2)" in said
    olivia.change("canary", "shift", PROD, "5")
    olivia.change("canary", "prepare", PROD, "25")
    olivia.change("canary", "pause", PROD, "--reason", "looking at it")
    assert "the rollout is paused (found by Olivia Operator" in olivia.change("canary", "shift", PROD, "25", code=4).err
    olivia.change("canary", "shift", PROD, "0")
    assert olivia.state("prod") == ("staged", {"1.0.0": 100}), "down is always allowed"


def test_rollback_tells_which_values_are_not_those_of_that_time(olivia: Operator) -> None:
    olivia.change("promote", DEV, "1.1.0")
    config = f"environments/dev/{APP}/config.yaml"
    olivia.clone.commit("More memory", {config: (olivia.clone.text(config) or "").replace("1Gi", "3Gi")})
    olivia.run("render")
    olivia.clone.commit("Rendered")
    olivia.clone.git("push", "--quiet")
    said = olivia.change("rollback", DEV).err
    assert "1.0.0 comes back, but not all values that it ran with in" in said
    assert "EmbeddingRunner.resources.memory: 1Gi, 3Gi" in said


def test_a_stale_values_file_stops_a_transition_but_not_a_rollback(olivia: Operator) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    config = f"environments/prod/{APP}/config.yaml"
    olivia.clone.commit("Not rendered", {config: (olivia.clone.text(config) or "").replace("timeout: 15", "timeout: 16")})
    said = olivia.run("canary", "prepare", PROD, "--commit", code=4).err
    assert "values.yaml is not what its sources say" in said and "bento-gitops render prod/support-tickets" in said
    assert "this would bring more than the transition" in olivia.run("rollback", PROD, "--commit").err


def test_a_pull_request_is_opened_with_its_body_and_a_second_run_takes_its_place(
    olivia: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "gh.log"
    script = tmp_path / "bin" / "gh"
    script.parent.mkdir()
    script.write_text(
        "#!/bin/sh\n"
        f'echo "$@" >> {log}\n'
        f'case "$1 $2" in\n'
        f'  "pr list") [ -f {tmp_path}/open ] && cat {tmp_path}/open || echo "[]";;\n'
        f'  "pr create") cat > {tmp_path}/body.md; echo "$FOUND" > {tmp_path}/open; echo https://example.com/pull/7;;\n'
        f'  "pr edit") cat > {tmp_path}/body.md;;\n'
        "esac\n"
    )
    script.chmod(0o755)
    monkeypatch.setenv("FOUND", '[{"url": "https://example.com/pull/7", "isCrossRepository": false}]')
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    body = tmp_path / "written.md"
    told = olivia.run("promote", DEV, "1.1.0", "--pr", "--pr-body", str(body), "--reason", "try | it <b>")
    assert "pull request: https://example.com/pull/7" in told.out
    text = body.read_text("utf-8")
    assert "1.1.0" in text and "bento-gitops rollback dev/support-tickets" in text and len(text) < 65_000
    assert "try \\| it \\<b>" in text, "what people typed is text"
    assert "create" in log.read_text() and olivia.clone.status == ""
    olivia.run("promote", DEV, "1.1.0", "--pr")
    assert "edit" in log.read_text()
    remote = Repository(olivia.clone.root.parent / "origin.git")
    assert [line for line in remote.git("branch", "--format=%(refname:short)").splitlines() if line != "main"] == [
        "bento-gitops/dev/support-tickets/direct-1.1.0"
    ]
    assert olivia.state("dev") == ("steady", {"1.0.0": 100}), "nothing is merged yet"


def test_canary_run_steps_until_it_is_over(olivia: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        """Time passes, and somebody looks again."""
        waits.append(seconds)
        olivia.later(minutes=3)
        olivia.observe("prod")
        # The command reads the clock by itself; it is told the time of the story.
        monkeypatch.setattr("bento_gitops.cli.changing.Options.request", told_the_time)

    from bento_gitops.cli.changing import Options

    original = Options.request

    def told_the_time(options: Options, target: str):
        from dataclasses import replace

        return original(replace(options, now=olivia.now), target)

    monkeypatch.setattr("bento_gitops.cli.changing.Options.request", told_the_time)
    monkeypatch.setattr("bento_gitops.cli.canary_run.sleep", wait)
    told = olivia.run("canary", "run", PROD, "--push", "--every", "5", "--observation", olivia.observe("prod"))
    assert olivia.state("prod") == ("steady", {"1.1.0": 100})
    assert set(waits) == {5}
    for words in ("gets pods for 1 %", "from 5 % to 25 %", "seen live with 25 %", "green (1.1.0) is stable"):
        assert words in told.out, words
    assert told.out.count("of 10m") >= 3, "what it waits for is on the screen"


def test_canary_run_ends_with_4_when_the_candidate_was_taken_back(olivia: Operator) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    olivia.change("canary", "prepare", PROD)
    olivia.change("canary", "shift", PROD)
    arguments = ("--push", "--now", "2026-11-10T09:01:00Z", "--observation", olivia.observe("prod", errors=0.5))
    assert "1.1.0 is held" in olivia.run("canary", "run", PROD, *arguments, code=4).out
    assert "name a file" in olivia.run("canary", "run", PROD, "--push", "--observation", "-", code=2).err
    assert "--commit or --push" in olivia.run("canary", "run", PROD, "--observation", "x", code=2).err


def test_history_tells_what_was_done_by_hand_and_by_whom(olivia: Operator) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    release = f"environments/prod/{APP}/release.yaml"
    text = (olivia.clone.text(release) or "").replace("weight: 100", "weight: 90", 1)
    olivia.clone.commit("Somebody's own idea", {release: text.replace("weight: 0, ready_for: 0", "weight: 10, ready_for: 10")})
    newest, before, *_ = json.loads(olivia.run("history", PROD, "--json").out)
    assert (newest["transition"], newest["reason"], newest["state"]) == ("by hand", "Somebody's own idea", "shifting")
    assert newest["weights"] == {"blue": 90, "green": 10}
    assert (before["transition"], before["break_glass"]) == ("promote", "not about gates")


def test_history_in_a_shallow_clone_is_an_error_that_says_so(olivia: Operator, tmp_path: Path) -> None:
    olivia.change("promote", DEV, "1.1.0")
    origin = olivia.clone.root.parent / "origin.git"
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", origin.as_uri(), shallow], check=True, timeout=60)
    olivia.clone = Repository(shallow)
    assert "git fetch --unshallow" in olivia.run("history", code=5).err


def test_status_shows_state_and_what_waits_and_check_ends_with_3(olivia: Operator) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    olivia.change("canary", "pause", PROD, "--reason", "lunch")
    told = olivia.run("status", PROD)
    assert "staged, paused" in told.out and "1.1.0 0 % (ready for 0 %)" in told.out
    assert "paused by Olivia Operator <olivia@example.com>: lunch" in told.err
    assert f"next: bento-gitops canary resume {PROD}" in told.out
    (one,) = json.loads(olivia.run("status", PROD, "--json").out)
    assert (one["state"], one["rollback"], one["stale"]) == ("staged", "at once, to 1.0.0", False)
    olivia.run("status", "--check")
    values = olivia.clone.root / "environments" / "prod" / APP / "values.yaml"
    values.write_text(values.read_text("utf-8").replace("weight: 100", "weight: 50"), "utf-8")
    assert "values.yaml is stale" in olivia.run("status", "--check", code=3).err


def test_validate_fails_on_what_would_break_or_shrink_a_rollback(olivia: Operator) -> None:
    olivia.change("promote", DEV, "1.1.0")
    olivia.run("validate", DEV, "--base", "HEAD")
    config = f"environments/dev/{APP}/config.yaml"
    text = olivia.clone.text(config) or ""
    olivia.clone.put(config, text + 'bundles:\n  "1.0.0": {services: {EmbeddingRunner: {scaling: {max_replicas: 0}}}}\n')
    olivia.run("validate", DEV, code=1)
    more = "  SupportTickets: {scaling: {min_replicas: 3, max_replicas: 3}}\n"
    olivia.clone.commit("Three pods", {config: text + more})
    less = 'bundles:\n  "1.0.0": {services: {SupportTickets: {scaling: {min_replicas: 1}}}}\n'
    olivia.clone.put(config, text + more + less)
    olivia.run("render")
    said = olivia.run("validate", DEV, "--base", "HEAD", code=1).out
    assert "rollback to 1.0.0 would have fewer pods of SupportTickets than it had before this change (found 1, was 3; 3" in said
    broken = 'bundles:\n  "1.0.0": {services: {SupportTickets: {termination: {grace_period_seconds: 3}}}}\n'
    olivia.clone.put(config, text + more + broken)
    olivia.run("render")
    assert "rollback of dev/support-tickets would not work" in olivia.run("validate", DEV, code=1).out


def test_on_a_terminal_canary_run_shows_tracks_steps_and_what_it_waits_for(olivia: Operator) -> None:
    from io import StringIO

    from bento_gitops.cli.canary_run import standing
    from bento_gitops.operations.canary_step import step
    from bento_gitops.operations.deciding import Request
    from bento_gitops.repository.files import WorkingTree
    from rich.console import Console

    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    olivia.change("canary", "prepare", PROD, "25")
    olivia.change("canary", "shift", PROD, "25")
    decision = step(WorkingTree(olivia.clone.root), olivia.clone.root, Request(PROD, olivia.now, "olivia"))
    screen = StringIO()
    Console(file=screen, width=150, force_terminal=False).print(standing(decision, 12))
    text = screen.getvalue()
    for words in (
        "blue stable",
        "green candidate",
        " 75 %",
        " 25 %  ██████·",
        "1 5 25 100",
        "nobody looked at the cluster",
        "in 12 s",
    ):
        assert words in text, text


def test_the_body_for_files_is_that_of_the_change_and_the_next_command_goes_the_same_way(
    olivia: Operator, tmp_path: Path
) -> None:
    body = tmp_path / "body.md"
    olivia.run("promote", PROD, "1.1.0", "--break-glass", "not about gates", "--pr-body", str(body))
    assert "becomes the candidate" in body.read_text("utf-8")
    olivia.clone.git("restore", ".")
    told = olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    assert "next: bento-gitops canary prepare prod/support-tickets 1 --push" in told.out


def test_a_step_says_why_it_takes_a_candidate_back(olivia: Operator) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "not about gates")
    olivia.change("canary", "prepare", PROD)
    olivia.change("canary", "shift", PROD)
    olivia.later(minutes=1)
    said = olivia.step("prod", errors=0.5).out
    assert "why: 50 % of 1000 requests fail (at least 43.2 %), above 2 %" in said
    assert "next:" not in olivia.step("prod").out, "there is nothing to do by hand"
