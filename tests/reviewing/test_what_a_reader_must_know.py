"""What nobody may learn after the merge only: outages, pods that start and stop, real limits, missing prices, the way back."""

from __future__ import annotations

import re
import shutil

import pytest
from bento_gitops.releasing import transitions
from bento_gitops.reviewing.body import body

from tests.conftest import FleetCopy
from tests.reviewing.scenes import SCENES
from tests.reviewing.sides import CONFIG, NOW, OVERRIDES, PLAN, PROD, RELEASE, Sides

BUNDLE = "bundles/support-tickets/1.0.0.yaml"
ENVIRONMENT = "environments/prod/environment.yaml"
DIGEST = f"sha256:{'1' * 64}"


def told(sides: Sides, scene: str = "") -> str:
    """The body, of a scene with its gates."""
    if not scene:
        return body(sides.review())
    SCENES[scene].make(sides)
    return body(sides.review(), gates=SCENES[scene].gates)


def undo_of(text: str) -> str:
    return text.partition("**How to undo it**")[2].partition("Objects: ")[0]


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        ("canary-prepare", "green EmbeddingRunner: floor 3 -> 5: up to 2 pods start (none if 5 or more run already)"),
        ("override-added", "blue SupportTickets: floor 3 -> 8: up to 5 pods start (none if 8 or more run already)"),
        ("capacity-up", "ceiling 12 -> 20: they may rise to 20 under load"),
        ("capacity-down", "floor 3 -> 1: they may fall to 1 at low load; ceiling 12 -> 6: all pods above 6 stop at once"),
    ],
)
def test_pods_that_start_or_stop_because_their_bounds_move_are_told(scene: str, words: str, sides: Sides) -> None:
    text = told(sides, scene)
    assert words in text
    assert "none restarts, starts or stops" not in text


def test_an_outage_is_the_first_thing_that_is_said_with_how_to_avoid_it(sides: Sides) -> None:
    lines = [line for line in told(sides, "bundle-in-place-and-egress").splitlines() if line]
    assert lines[2].startswith(f"**{PROD}: OUTAGE on merge: every live request fails until the pods of 1.0.1 are ready")
    assert lines[3].endswith(f"put 1.0.1 on a new track: `bento-gitops promote {PROD} 1.0.1`")


def test_the_way_back_from_an_outage_says_that_it_is_another_and_which_is_none(sides: Sides) -> None:
    either, _, other = undo_of(told(sides, "bundle-in-place-and-egress")).partition("*Or:*")
    assert "Without an outage: puts 1.0.0 on a new track" in either
    assert f"bento-gitops promote {PROD} 1.0.0 --pr" in either
    assert "the same OUTAGE again: live requests fail until the pods of 1.0.0 are ready" in other
    assert "git revert --no-commit -m 1 MERGE_COMMIT" in other


def test_another_image_of_the_same_bundle_is_no_outage(sides: Sides) -> None:
    sides.steady()
    sides.after.change(BUNDLE, f"digest: {DIGEST}", f"digest: sha256:{'9' * 64}")
    text = told(sides)
    assert "OUTAGE" not in text
    assert "its pods are replaced one after another" in text


@pytest.mark.parametrize("scene", ["capacity-down", "environment-variable", "chart"])
def test_the_way_back_of_what_restarts_pods_restarts_them_again(scene: str, sides: Sides) -> None:
    assert "The same pods restart again, one after another" in undo_of(told(sides, scene))


@pytest.mark.parametrize("scene", ["capacity-up", "override-added", "finish", "abort"])
def test_the_way_back_of_what_restarts_nothing_speaks_of_no_restart(scene: str, sides: Sides) -> None:
    assert "restart" not in undo_of(told(sides, scene))


def test_a_limit_that_is_no_longer_set_is_told_as_the_limit_that_holds(sides: Sides) -> None:
    text = told(sides, "capacity-down")
    (row,) = [line for line in text.splitlines() if line.startswith("| `services.EmbeddingRunner.resources.limits.memory`")]
    assert "| `10Gi` | `512Mi` |" in row
    assert "no limit is set: it is the request" in row
    assert "memory limit 10Gi -> 512Mi, so that a pod above 512Mi is ended (OOM)" in text


@pytest.mark.parametrize(("scene", "giver"), [("rollback", "green: 4"), ("finish", "green: 4"), ("abort", "green: 2")])
def test_the_pods_of_the_track_that_requests_go_back_to_are_its_fewest_beside_those_of_the_other(
    scene: str, giver: str, sides: Sides
) -> None:
    text = told(sides, scene)
    assert (
        f"keeps at least SupportTickets 3, EmbeddingRunner 6, ClassifierRunner 1 ({giver}); the autoscaler adds the rest" in text
    )
    assert not re.search("pods are all there|all its pods", text)


def test_what_has_no_price_is_named_where_the_cost_is_said(sides: Sides) -> None:
    text = told(sides, "promote")
    summary = next(line for line in text.splitlines() if line.startswith("Risk "))
    assert "+1,109.60 at the most, without green ClassifierRunner (0 -> 2-8 pods), which has no price" in summary


def test_cost_is_unchanged_where_no_pod_changes_priced_or_not(sides: Sides) -> None:
    text = told(sides, "chart")
    assert "cost unchanged." in text
    assert "no price |" not in text
    assert text.count("unchanged: no number, size or price of pods changes") == 2


def test_cost_is_not_unchanged_where_only_what_has_no_price_changes(sides: Sides) -> None:
    sides.steady()
    sides.after.change(CONFIG, "bundles:\n", "  ClassifierRunner: {scaling: {min_replicas: 3}}\nbundles:\n")
    summary = next(line for line in told(sides).splitlines() if line.startswith("Risk "))
    assert "cost 0 EUR a month, without blue ClassifierRunner (1-8 -> 3-8 pods), which has no price" in summary


def test_gpus_are_always_told(sides: Sides) -> None:
    sides.steady()
    sides.after.change(CONFIG, "instance_type: cpu.large", "instance_type: gpu.small\n    resources: {gpu: 1}")
    assert "**GPUs:** 0 -> 6-8." in told(sides)


def test_a_candidate_without_weight_is_reached_by_header_and_a_gate_that_nobody_checked_is_said_at_the_top(sides: Sides) -> None:
    text = told(sides, "promote")
    assert "callers that send `x-bento-track: green` reach green (1.1.0) at weight 0 too" in text
    assert "no request goes elsewhere" not in text
    assert "**1 gate was not checked**" in next(line for line in text.splitlines() if line.startswith("Risk "))


def test_the_end_of_a_trial_says_how_long_its_pods_stay_and_what_is_blocked(sides: Sides) -> None:
    sides.both(lambda side: side.change(CONFIG, "routing: {", "rollout: {standby: {keep: 90m}}\nrouting: {"))
    text = undo_of(told(sides, "promote"))
    assert "no live request moves, all are on blue (1.0.0)" in text
    assert (
        "green keeps its pods, and their cost, as standby for 1h30m; then the next `canary step` or `promote` removes it" in text
    )
    assert "1.1.0 is blocked from promotion until `unhold`" in text


def test_what_is_blocked_and_what_stands_by_has_a_line_of_the_release(sides: Sides) -> None:
    text = told(sides, "abort")
    for setting in ("candidate", "standby", 'held."1.1.0"'):
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{setting}` |")]
        number = int(re.findall(rf"`{re.escape(RELEASE)}:(\d+)` \|$", row)[0])
        lines = sides.after.text(RELEASE).splitlines()
        assert setting == "candidate" or setting.split('"')[-2 if '"' in setting else 0] in lines[number - 1]


def _release_charts(side: FleetCopy, *, other: str = "") -> None:
    for version in ("0.1.0", "0.2.0"):
        folder = side.path(f"charts/releases/bento-serving/{version}")
        shutil.copytree(side.path("charts/bento-serving"), folder)
        side.change(f"charts/releases/bento-serving/{version}/Chart.yaml", "version: 0.1.0", f"version: {version}")
    if other:
        path = "charts/releases/bento-serving/0.2.0/templates/track/_podtemplate.tpl"
        side.change(path, "enableServiceLinks: false", f"enableServiceLinks: {other}")
    side.change(ENVIRONMENT, "cluster: prod-cluster", "cluster: prod-cluster\nchart: {version: 0.1.0}")


def test_a_pin_that_changes_no_object_says_so_and_is_taken_back_by_a_pin(sides: Sides) -> None:
    sides.both(_release_charts)
    sides.after.change(ENVIRONMENT, "version: 0.1.0", "version: 0.2.0")
    text = told(sides)
    assert "the chart goes from 0.1.0 to 0.2.0: the same objects with both charts" in text
    assert "bento-gitops chart pin prod 0.1.0 --pr" in undo_of(text)
    assert "git revert" not in text
    assert sides.one().risk == "low"


def test_the_first_pin_of_an_environment_is_taken_back_by_unpin(sides: Sides) -> None:
    sides.both(lambda side: _release_charts(side, other="true"))
    sides.before.change(ENVIRONMENT, "\nchart: {version: 0.1.0}", "")
    sides.after.change(ENVIRONMENT, "version: 0.1.0", "version: 0.2.0")
    text = told(sides)
    assert "enableServiceLinks false -> true (restarts pods)" in text
    assert "bento-gitops chart unpin prod --pr" in undo_of(text)
    assert "The same pods restart again" in undo_of(text)


def test_a_step_of_the_release_with_another_change_is_taken_back_first_and_stays_so(sides: Sides) -> None:
    sides.after.change(CONFIG, "value: WARNING", "value: DEBUG")
    text = undo_of(told(sides, "canary-shift"))
    either, _, other = text.partition("*Or:*")
    for way in (either, other):
        first, _, second = way.partition("2. ")
        assert " --push" in first
        assert f"git checkout HEAD -- {RELEASE}" in second


def test_each_override_that_was_added_is_ended_by_one_of_its_own_paths(sides: Sides) -> None:
    sides.steady()
    entry = "    reason: fair\n    owner: support-ml\n    expires: 2026-11-21T00:00:00Z\n"
    sides.after.put(
        OVERRIDES,
        sides.after.text(OVERRIDES)
        + "  - config: {services: {SupportTickets: {scaling: {min_replicas: 8, max_replicas: 20}}}}\n"
        + entry
        + "  - config: {services: {SupportTickets: {traffic: {timeout: 30}}}}\n"
        + entry,
    )
    commands = [line for line in undo_of(told(sides)).splitlines() if line.startswith("bento-gitops override end")]
    assert len(commands) == 2
    assert "scaling." in commands[0] + commands[1]
    assert "traffic.timeout" in commands[0] + commands[1]


@pytest.mark.parametrize(("scene", "block"), [("capacity-up", False), ("rollback", True)])
def test_what_is_blocked_from_promotion_is_freed_first(scene: str, block: bool, sides: Sides) -> None:
    commands = re.findall(r"^bento-gitops (\w+)", undo_of(told(sides, scene)), re.MULTILINE)
    assert (commands[:2] == ["unhold", "rollback"]) is block


def test_to_hold_a_bundle_and_to_free_it_are_told_with_the_way_back(sides: Sides) -> None:
    sides.steady()
    sides.move(lambda current: transitions.hold(current, "1.1.0", NOW, by="a.berger", reason="wrong labels"))
    text = told(sides)
    assert "bundle 1.1.0 is blocked from promotion (until `unhold`)" in text
    assert f"bento-gitops unhold {PROD} 1.1.0 --push" in undo_of(text)
    sides.before, sides.after = sides.after, sides.before
    text = told(sides)
    assert "bundle 1.1.0 may be promoted again" in text
    assert f"bento-gitops hold {PROD} 1.1.0 --push" in undo_of(text)
    assert PLAN.keep, "a release that is kept"


def test_a_change_of_tracing_is_named_behind_the_configuration_and_the_policies_that_it_changes(sides: Sides) -> None:
    sides.steady()
    old = 'python: "3.11"\n'
    sides.both(lambda side: side.change(BUNDLE, old, f"{old}traces: otlp-http\n"))
    line = len(sides.after.text(ENVIRONMENT).splitlines()) + 2
    tracing = "\n    endpoint: http://collector:4318/v1/traces\n    collector: {cidr: 192.0.2.1/32}\n"
    sides.after.put(ENVIRONMENT, sides.after.text(ENVIRONMENT) + f"  tracing:{tracing}")
    changed = [line for line in told(sides).splitlines() if re.search(r"bentoml\.yaml|egress|OTEL_RESOURCE", line)]
    assert changed
    named = [each for each in changed if f"tracing.endpoint ({ENVIRONMENT}:{line})" in each]
    assert named, changed
