"""Live shifts: what an on-call does when Git is down, what that leaves in the cluster, and how it comes back to Git."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.model.base import moment, timestamp
from bento_gitops.model.layout import cluster_values, release_file
from bento_gitops.operations import live_shifting as operation
from bento_gitops.tools.cluster import Cluster
from live_stand_in import Live, live, measuring
from stories import APP, Operator

PROD = f"prod/{APP}"
ARGO = f"prod.{APP}"
ROUTE = f"httproutes/{APP}"
APPLICATION = f"applications/{ARGO}"
NOTE = "bento-gitops/live"
POLICIES = Path(__file__).parents[2] / "policies"


@pytest.fixture
def cluster(olivia: Operator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Live]:
    """Where a canary of 1.1.0 runs with 5 %, as Git says, synced by Argo CD."""
    in_git(olivia, "candidate: green", blue='"1.0.0", weight: 95', green='"1.1.0", weight: 5, ready_for: 25')
    with live() as state:
        monkeypatch.setenv("KUBECONFIG", str(state.kubeconfig(tmp_path)))
        run(state, olivia, {"blue": 95, "green": 5})
        state.synced_by_argo("prod", APP)
        state.measured = measuring({"blue": (9500, 9), "green": (500, 0)})
        yield state


def in_git(olivia: Operator, *more: str, **tracks: str) -> None:
    """Writes a release, and pushes it."""
    begun = timestamp(datetime.now(UTC) - timedelta(minutes=20))
    lines = ["apiVersion: bento-gitops/v1", "kind: Release", "stable: blue", *more, f"since: {begun}", "tracks:"]
    lines += [f"  {name}: {{bundle: {said}, shifted: {begun}}}" for name, said in tracks.items()]
    (olivia.clone.root / release_file(PROD)).write_text("\n".join(lines) + "\n", encoding="utf-8")
    olivia.run("render", PROD)
    olivia.clone.git("commit", "--quiet", "--all", "--message", "a release")
    olivia.clone.git("push", "--quiet", "origin", "main")


def run(state: Live, olivia: Operator, weights: dict[str, int]) -> None:
    applications = state.lists.get("applications")
    state.run(olivia.clone.root, PROD, weights)
    if applications is not None:
        state.lists["applications"] = applications


def shift(olivia: Operator, *words: str, code: int = 0) -> str:
    return olivia.run("live", "shift", PROD, *words, "--reason", "Git is down", code=code).everything


def weights(state: Live) -> dict[str, int]:
    (_, split) = state.one("httproutes", APP)["spec"]["rules"]
    return {backend["name"].removeprefix(f"{APP}-").partition("-")[0]: backend["weight"] for backend in split["backendRefs"]}


def annotation(state: Live, plural: str, name: str) -> dict[str, Any] | None:
    said = state.one(plural, name)["metadata"].get("annotations", {}).get(NOTE)
    return None if said is None else json.loads(said)


def automated(state: Live) -> Any:
    return state.one("applications", ARGO)["spec"]["syncPolicy"].get("automated")


def test_zero_sends_everything_to_stable_and_ends_automatic_sync_of_this_application(olivia: Operator, cluster: Live) -> None:
    said = shift(olivia, "0", "--for", "90m")
    assert weights(cluster) == {"blue": 100, "green": 0}
    assert automated(cluster) is None
    assert [what for what, _ in cluster.changes] == [APPLICATION, ROUTE], "nothing syncs while the route changes"
    assert f"automatic sync of {ARGO} is off" in said and f"HTTPRoute/{APP} has blue 100 %" in said
    assert f"next: bento-gitops live adopt {PROD} --push" in said and f"or: bento-gitops live discard {PROD}" in said
    on_route, on_application = annotation(cluster, "httproutes", APP), annotation(cluster, "applications", ARGO)
    assert on_route and on_application
    assert (on_route["by"], on_route["reason"], on_route["weights"]) == (
        "Olivia Operator <olivia@example.com>",
        "Git is down",
        {"blue": 100},
    )
    assert moment(on_route["until"]) - moment(on_route["at"]) == timedelta(minutes=90)
    assert on_application == {**on_route, "automated": {"prune": True, "selfHeal": True}}


def test_all_rules_of_the_route_are_sent_and_those_of_headers_stay(olivia: Operator, cluster: Live) -> None:
    before = json.loads(json.dumps(cluster.one("httproutes", APP)["spec"]["rules"]))
    shift(olivia, "0")
    (_, body) = cluster.changes[1]
    assert len(body["spec"]["rules"]) == 2 and body["spec"]["rules"][0] == before[0]
    assert body["metadata"]["resourceVersion"] == "1", "for the route that was read and for no other"
    assert cluster.one("applications", ARGO)["spec"]["syncPolicy"]["syncOptions"] == ["ServerSideApply=true"]


def test_an_event_on_the_route_tells_of_it(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "10")
    (event,) = cluster.events
    assert (event["reason"], event["type"]) == ("LiveShift", "Warning")
    about = event["involvedObject"]
    assert (about["kind"], about["name"], about["uid"]) == ("HTTPRoute", APP, "of-the-route")
    assert event["message"].startswith("blue 90 %, green 10 % until ") and event["message"].endswith(": Git is down")


def test_an_event_that_is_refused_is_a_note_and_the_shift_stands(olivia: Operator, cluster: Live) -> None:
    cluster.failing = lambda verb, _: (403, "events is forbidden") if verb == "POST" else None
    assert "note: no Event tells of it" in shift(olivia, "10")
    assert weights(cluster) == {"blue": 90, "green": 10}


def test_a_dry_run_changes_nothing(olivia: Operator, cluster: Live) -> None:
    said = shift(olivia, "0", "--dry-run")
    assert "blue 100 %" in said and "nothing was changed" in said
    assert (cluster.changes, cluster.events) == ([], [])


def test_a_reason_and_a_length_are_asked_for(olivia: Operator, cluster: Live) -> None:
    assert "--reason" in olivia.run("live", "shift", PROD, "0", code=2).err
    assert "2h or 90m" in shift(olivia, "0", "--for", "soon", code=2)
    assert cluster.changes == []


def test_a_track_without_enough_ready_pods_is_refused(olivia: Operator, cluster: Live) -> None:
    said = shift(olivia, "100", code=4)
    assert "green (1.1.0) has too few ready pods for 100 % of the requests (found " in said
    assert "--break-glass" in said and cluster.changes == []


def test_break_glass_shifts_all_the_same_and_is_on_record(olivia: Operator, cluster: Live) -> None:
    said = shift(olivia, "100", "--break-glass", "blue is on fire")
    assert "note: passed over: green (1.1.0) has too few ready pods" in said
    assert weights(cluster) == {"blue": 0, "green": 100}
    held = annotation(cluster, "httproutes", APP)
    assert held and held["reason"] == "Git is down (break-glass: blue is on fire)"


def test_stable_takes_everything_back_with_few_pods_and_not_without_any(olivia: Operator, cluster: Live) -> None:
    for one in cluster.lists["replicasets"]:
        one["status"]["readyReplicas"] = min(one["status"]["readyReplicas"], 1)
    assert "note: blue has fewer ready pods than these requests take: " in shift(olivia, "0")
    for one in cluster.lists["replicasets"]:
        one["status"]["readyReplicas"] = 0
    shift(olivia, "100", "--break-glass", "to have something to take back")
    assert "blue (1.0.0) has too few ready pods for 100 % of the requests" in shift(olivia, "0", code=4)


def test_an_unknown_track_is_refused_with_the_nearest_name(olivia: Operator, cluster: Live) -> None:
    said = shift(olivia, "10", "--to", "gren", code=4)
    assert "there is no such track (found 'gren'); did you mean 'green'?" in said
    assert cluster.changes == []


def test_a_track_that_runs_another_bundle_than_the_checkout_says_is_refused(olivia: Operator, cluster: Live) -> None:
    for one in cluster.lists["deployments"]:
        labels = one["spec"]["template"]["metadata"]["labels"]
        if labels["bento-gitops/track"] == "green":
            labels["bento-gitops/bundle"] = "1.0.9"
    assert "green runs another bundle than your checkout says, which is 1.1.0 (found 1.0.9)" in shift(olivia, "10", code=4)


def test_the_weight_is_the_standby_s_where_there_is_no_candidate(olivia: Operator, cluster: Live) -> None:
    finished(olivia)
    run(cluster, olivia, {"blue": 100, "green": 0})
    shift(olivia, "100")
    assert weights(cluster) == {"blue": 0, "green": 100}


def test_with_stable_alone_only_zero_means_something(olivia: Operator, cluster: Live) -> None:
    in_git(olivia, blue='"1.0.0", weight: 100')
    run(cluster, olivia, {"blue": 100})
    assert "stable is alone: there is no candidate and no standby" in shift(olivia, "50", code=4)
    shift(olivia, "0")
    assert weights(cluster) == {"blue": 100}


def finished(olivia: Operator) -> None:
    """1.0.0 is stable, 1.1.0 its standby with all its pods, and what a rollback goes back to."""
    until = timestamp(datetime.now(UTC) + timedelta(hours=1))
    in_git(
        olivia,
        f"standby: {{track: green, until: {until}, capacity: full}}",
        'previous: {bundle: "1.1.0"}',
        blue='"1.0.0", weight: 100',
        green='"1.1.0", weight: 0',
    )


# Argo CD


def test_without_argo_cd_it_says_so_and_goes_on(olivia: Operator, cluster: Live) -> None:
    del cluster.lists["applications"]
    assert f"note: there is no Application {ARGO} of Argo CD here" in shift(olivia, "0")
    assert weights(cluster) == {"blue": 100, "green": 0}


def test_an_argo_cd_that_is_elsewhere_is_refused_unless_it_is_named(olivia: Operator, cluster: Live, tmp_path: Path) -> None:
    applications = cluster.lists.pop("applications")
    metadata = cluster.one("httproutes", APP)["metadata"]
    metadata["annotations"] = {"argocd.argoproj.io/tracking-id": f"{ARGO}:gateway.networking.k8s.io/HTTPRoute:tickets/{APP}"}
    said = shift(olivia, "0", code=4)
    assert f"its Application is not in this cluster: it would put Git's weights back (found {ARGO})" in said
    assert "--argocd-context" in said
    with live() as other:
        other.lists["applications"] = applications
        file = tmp_path / "kubeconfig"
        config = json.loads(file.read_text())
        config["clusters"].append({"name": "argo", "cluster": {"server": other.url}})
        config["contexts"].append({"name": "argo", "context": {"cluster": "argo", "user": "stand-in"}})
        file.write_text(json.dumps(config))
        shift(olivia, "0", "--argocd-context", "argo")
        assert [what for what, _ in other.changes] == [APPLICATION]
    assert [what for what, _ in cluster.changes] == [ROUTE]


def test_argo_cd_may_live_in_a_namespace_of_another_name(olivia: Operator, cluster: Live) -> None:
    path = olivia.clone.root / cluster_values("prod-cluster")
    path.parent.mkdir(parents=True)
    path.write_text("argocd: {namespace: delivery}\n")
    found: list[str] = []
    original = Cluster.found

    def noting(self: Cluster, of: Any, namespace: str, name: str) -> Any:
        found.append(namespace)
        return original(self, of, namespace, name)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cluster, "found", noting)
        shift(olivia, "0")
    assert set(found) == {"delivery"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policies: {}\nargocd: {namespace: [\n", "values.yaml:3: "),
        ("argocd:\n  namespace: 7\n", "values.yaml:2: argocd.namespace: "),
    ],
)
def test_values_of_a_cluster_that_cannot_be_read_are_an_error_with_its_line(
    olivia: Operator, cluster: Live, text: str, said: str
) -> None:
    path = olivia.clone.root / cluster_values("prod-cluster")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    for command in (("live", "shift", PROD, "0", "--reason", "x"), ("status", PROD, "--live"), ("live", "discard", PROD)):
        told = olivia.run(*command, code=1).err
        assert f"{cluster_values('prod-cluster').removesuffix('values.yaml')}{said}" in told and "Traceback" not in told


def test_a_reason_that_no_annotation_holds_is_refused_before_anything_changes(olivia: Operator, cluster: Live) -> None:
    said = olivia.run("live", "shift", PROD, "0", "--reason", "why " * 3_000, code=4).everything
    assert "the reason does not fit into an annotation" in said and cluster.changes == []


def test_sync_never_comes_back_with_the_right_to_take_everything_away(olivia: Operator, cluster: Live) -> None:
    cluster.one("applications", ARGO)["spec"]["syncPolicy"]["automated"] = {"prune": True, "selfHeal": True, "allowEmpty": True}
    shift(olivia, "0")
    assert (annotation(cluster, "applications", ARGO) or {})["automated"] == {"prune": True, "selfHeal": True}
    olivia.run("live", "discard", PROD)
    assert automated(cluster) == {"prune": True, "selfHeal": True}


def test_the_cluster_s_own_context_is_taken_where_the_kubeconfig_has_it(olivia: Operator, cluster: Live, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    config = json.loads(file.read_text())
    config["contexts"].append({"name": "prod-cluster", "context": {"cluster": "stand-in", "user": "stand-in"}})
    config["clusters"].append({"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}})
    config["contexts"][0]["context"]["cluster"] = "nowhere"
    file.write_text(json.dumps(config))
    shift(olivia, "0")
    assert weights(cluster) == {"blue": 100, "green": 0}
    assert "of context stand-in does not answer" in shift(olivia, "5", "--context", "stand-in", code=5)


def test_a_sync_that_is_under_way_is_waited_for(olivia: Operator, cluster: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "_ASK_AGAIN", 0.01)
    status = cluster.one("applications", ARGO)["status"]
    status["operationState"] = {"phase": "Running"}
    asked: list[str] = []

    def ends(verb: str, what: str) -> None:
        asked.append(what)
        if asked.count(APPLICATION) == 4:
            status["operationState"] = {"phase": "Succeeded"}

    cluster.failing = ends
    said = shift(olivia, "0")
    assert "still under way" not in said and asked.count(APPLICATION) >= 4


def test_a_sync_that_does_not_end_is_told(olivia: Operator, cluster: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operation, "SETTLING", timedelta(milliseconds=50))
    monkeypatch.setattr(operation, "_ASK_AGAIN", 0.01)
    cluster.one("applications", ARGO)["status"]["operationState"] = {"phase": "Running"}
    assert "a sync that began before is still under way, and may put Git's weights back" in shift(olivia, "0")


# Conflicts, and what fails in between


def test_a_route_that_somebody_changed_meanwhile_is_read_again(olivia: Operator, cluster: Live) -> None:
    rivals = [1, 2]

    def rival(what: str) -> None:
        if what == ROUTE and rivals:
            rivals.pop()
            cluster.touched("httproutes", APP)

    cluster.before_patch = rival
    shift(olivia, "0")
    assert weights(cluster) == {"blue": 100, "green": 0} and not rivals


def test_a_route_that_is_always_somebody_else_s_is_given_up_with_their_name(olivia: Operator, cluster: Live) -> None:
    cluster.one("httproutes", APP)["metadata"]["managedFields"] = [{"manager": "flux", "time": "2026-11-01T00:00:00Z"}]
    cluster.before_patch = lambda what: cluster.touched("httproutes", APP) if what == ROUTE else None
    said = shift(olivia, "0", code=5)
    assert "the route was changed by flux each of the 5 times" in said
    assert f"the route is as it was, and automatic sync of {ARGO} is on again" in said
    assert automated(cluster) == {"prune": True, "selfHeal": True} and annotation(cluster, "applications", ARGO) is None


def test_an_application_whose_status_is_written_all_the_time_is_patched_all_the_same(olivia: Operator, cluster: Live) -> None:
    busy = [1, 2, 3]

    def argo(what: str) -> None:
        if what == APPLICATION and busy:
            busy.pop()
            cluster.touched("applications", ARGO)

    cluster.before_patch = argo
    shift(olivia, "0")
    assert automated(cluster) is None


def test_without_the_right_to_touch_the_application_nothing_changes(olivia: Operator, cluster: Live) -> None:
    cluster.failing = lambda verb, what: (403, "applications is forbidden") if (verb, what) == ("PATCH", APPLICATION) else None
    said = shift(olivia, "0", code=5)
    assert "applications is forbidden (403); nothing was changed" in said
    assert cluster.changes == []


def test_a_route_that_may_not_be_changed_gives_automatic_sync_back(olivia: Operator, cluster: Live) -> None:
    cluster.failing = lambda verb, what: (403, "denied by policy") if (verb, what) == ("PATCH", ROUTE) else None
    said = shift(olivia, "0", code=5)
    assert f"denied by policy (403); the route is as it was, and automatic sync of {ARGO} is on again" in said
    assert automated(cluster) == {"prune": True, "selfHeal": True} and annotation(cluster, "applications", ARGO) is None


def test_what_cannot_be_undone_is_said_exactly_and_discard_mends_it(olivia: Operator, cluster: Live) -> None:
    patched: list[str] = []

    def fails(verb: str, what: str) -> tuple[int, str] | None:
        if verb == "PATCH":
            patched.append(what)
        return (500, "etcdserver: request timed out") if verb == "PATCH" and len(patched) > 1 else None

    cluster.failing = fails
    said = shift(olivia, "0", code=5)
    assert f"the route is as it was, and automatic sync of {ARGO} is off, because " in said
    assert f"run it again, or bento-gitops live discard {PROD}" in said
    half_done(olivia, cluster)


def test_a_kill_between_the_steps_shows_and_is_mended(olivia: Operator, cluster: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Cluster.patched

    def killed(self: Cluster, of: Any, namespace: str, name: str, patch: Any) -> Any:
        if name == APP:
            raise KeyboardInterrupt
        return original(self, of, namespace, name, patch)

    with monkeypatch.context() as patch:
        patch.setattr(Cluster, "patched", killed)
        shift(olivia, "0", code=130)
    half_done(olivia, cluster)


def half_done(olivia: Operator, cluster: Live) -> None:
    """Sync is off and the route is as it was: `status --live` shows it, `live discard` mends it."""
    cluster.failing = lambda _verb, _what: None
    assert automated(cluster) is None and weights(cluster) == {"blue": 95, "green": 5}
    told = olivia.run("status", PROD, "--live").everything
    assert "HELD by a live shift of Olivia" in told
    assert "a live shift to blue 100 % was begun and not finished" in told
    olivia.run("live", "discard", PROD)
    assert automated(cluster) == {"prune": True, "selfHeal": True} and annotation(cluster, "applications", ARGO) is None
    assert "HELD" not in olivia.run("status", PROD, "--live").out


def test_a_second_shift_remembers_how_it_was_synced_before_the_first(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "0")
    assert "a live shift of Olivia Operator <olivia@example.com> (Git is down) held it; this one takes its place" in shift(
        olivia, "10"
    )
    held = annotation(cluster, "applications", ARGO)
    assert held and held["automated"] == {"prune": True, "selfHeal": True} and held["weights"] == {"blue": 90, "green": 10}


def test_a_second_shift_that_fails_leaves_the_first_in_force(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "0")
    first = annotation(cluster, "applications", ARGO)
    cluster.failing = lambda verb, what: (403, "denied") if (verb, what) == ("PATCH", ROUTE) else None
    assert "the route is as it was, and still held by Olivia" in shift(olivia, "10", code=5)
    assert automated(cluster) is None and annotation(cluster, "applications", ARGO) == first


# Discard


def test_discard_switches_sync_on_as_it_was_and_takes_the_annotations_away(olivia: Operator, cluster: Live) -> None:
    cluster.one("applications", ARGO)["spec"]["syncPolicy"]["automated"] = {"prune": False, "selfHeal": True}
    shift(olivia, "0")
    said = olivia.run("live", "discard", PROD).everything
    assert f"automatic sync of {ARGO} is on" in said and f"HTTPRoute/{APP} is no longer held" in said
    assert automated(cluster) == {"prune": False, "selfHeal": True}
    application = cluster.one("applications", ARGO)["metadata"]["annotations"]
    assert application == {"argocd.argoproj.io/refresh": "normal"}
    assert annotation(cluster, "httproutes", APP) is None
    assert weights(cluster) == {"blue": 100, "green": 0}, "Argo CD puts Git's weights back, and nobody else"


def test_discard_gives_up_the_fields_that_live_commands_wrote(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "0")
    others = {"manager": "argocd-controller", "operation": "Apply"}
    mine = {"manager": "bento-gitops-live", "operation": "Update"}
    cluster.one("httproutes", APP)["metadata"]["managedFields"] = [others, mine]
    olivia.run("live", "discard", PROD)
    assert cluster.one("httproutes", APP)["metadata"]["managedFields"] == [others]


def test_discard_without_argo_cd_puts_git_s_weights_back_itself(olivia: Operator, cluster: Live) -> None:
    del cluster.lists["applications"]
    shift(olivia, "0")
    said = olivia.run("live", "discard", PROD).out
    assert f"HTTPRoute/{APP} has blue 95 %, green 5 %, as Git says" in said
    assert weights(cluster) == {"blue": 95, "green": 5} and annotation(cluster, "httproutes", APP) is None


def test_discard_of_what_was_synced_by_hand_says_so(olivia: Operator, cluster: Live) -> None:
    del cluster.one("applications", ARGO)["spec"]["syncPolicy"]["automated"]
    shift(olivia, "0")
    said = olivia.run("live", "discard", PROD).everything
    assert f"{ARGO} is synced by hand, as before" in said and "sync it, so that Git's weights come back" in said
    assert automated(cluster) is None


def test_discard_of_nothing_changes_nothing(olivia: Operator, cluster: Live) -> None:
    assert "no live shift holds it" in olivia.run("live", "discard", PROD).out
    assert cluster.changes == []


def test_discard_switches_on_what_somebody_switched_off_in_argo_cd_itself(olivia: Operator, cluster: Live) -> None:
    application = cluster.one("applications", ARGO)
    application["spec"]["syncPolicy"]["automated"] = {"enabled": False, "prune": True, "selfHeal": True}
    assert f"automatic sync of {ARGO} is off, and no live shift says why" in olivia.run("status", PROD, "--live").out
    said = olivia.run("live", "discard", PROD).everything
    assert f"automatic sync of {ARGO} is on" in said and "was off, and not by a live shift" in said
    assert automated(cluster) == {"prune": True, "selfHeal": True}


def test_an_application_that_is_synced_by_hand_and_of_no_set_is_left_alone(olivia: Operator, cluster: Live) -> None:
    application = cluster.one("applications", ARGO)
    del application["spec"]["syncPolicy"]["automated"], application["metadata"]["labels"]
    assert "no set made it, so it is left as it is" in olivia.run("live", "discard", PROD).err
    assert cluster.changes == []


def test_an_annotation_that_somebody_wrote_by_hand_is_shown_and_discarded(olivia: Operator, cluster: Live) -> None:
    application = cluster.one("applications", ARGO)
    application["metadata"]["annotations"] = {NOTE: "because\u001b[2J"}
    application["spec"]["syncPolicy"]["automated"] = None
    told = olivia.run("status", PROD, "--live").everything
    assert "HELD by a live shift of somebody, without an end: (the annotation cannot be read)" in told
    olivia.run("live", "discard", PROD)
    assert automated(cluster) == {"prune": True, "selfHeal": True}


# Adopt


def adopt(olivia: Operator, *words: str, code: int = 0) -> str:
    return olivia.run("live", "adopt", PROD, *words, code=code).everything


def test_adopt_writes_what_is_live_and_switches_sync_on_when_git_has_it(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "20")
    said = adopt(olivia, "--push")
    assert olivia.state("prod") == ("shifting", {"1.0.0": 80, "1.1.0": 20})
    assert f"automatic sync of {ARGO} is on" in said and automated(cluster) == {"prune": True, "selfHeal": True}
    assert annotation(cluster, "httproutes", APP) is None
    assert olivia.release("prod").break_glass is None
    message = olivia.clone.git("log", "-1", "--format=%B", "origin/main")
    assert "adopted from what was live; its annotation says Olivia Operator <olivia@example.com>: Git is down" in message


def test_adopting_zero_takes_the_candidate_back(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "0")
    adopt(olivia, "--push")
    release = olivia.release("prod")
    assert olivia.state("prod") == ("steady", {"1.0.0": 100})
    assert release.held and "Git is down" in release.held["1.1.0"].reason
    olivia.run("render", "--check", PROD)


def test_who_adopts_answers_for_it_and_not_whom_the_annotation_names(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "0")
    for plural, name in (("httproutes", APP), ("applications", ARGO)):
        note = {**(annotation(cluster, plural, name) or {}), "by": "Alice <a@example.com>", "reason": "all gates agreed to"}
        cluster.one(plural, name)["metadata"]["annotations"][NOTE] = json.dumps(note)
    adopt(olivia, "--push", "--reason", "1.1.0 is bad")
    held = (olivia.release("prod").held or {})["1.1.0"]
    assert held.by == "Olivia Operator <olivia@example.com>"
    assert held.reason == "1.1.0 is bad; its annotation says Alice <a@example.com>: all gates agreed to"
    assert "Bento-Gitops-By: Olivia Operator" in olivia.clone.git("log", "-1", "--format=%B", "origin/main")


def test_a_gate_that_being_live_says_nothing_of_is_passed_by_nobody_but_who_says_so(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "20")
    for one in cluster.lists["replicasets"]:
        one["status"]["readyReplicas"] = 1
    before = olivia.clone.git("rev-parse", "origin/main")
    said = adopt(olivia, "--push", code=4)
    assert "gate ready: does not pass" in said and "gate live" not in said
    assert olivia.clone.git("rev-parse", "origin/main") == before and automated(cluster) is None, "it stays held"
    adopt(olivia, "--push", "--break-glass", "the pods are on their way")
    glass = olivia.release("prod").break_glass
    assert glass and (glass.by, glass.gates) == ("Olivia Operator <olivia@example.com>", ["ready"])
    assert glass.reason == "the pods are on their way"


def test_adopting_the_standby_s_weight_is_a_rollback(olivia: Operator, cluster: Live) -> None:
    finished(olivia)
    run(cluster, olivia, {"blue": 100, "green": 0})
    shift(olivia, "100")
    adopt(olivia, "--push", "--no-hold")
    release = olivia.release("prod")
    assert (release.stable, release.tracks["green"].weight, release.held) == ("green", 100, None)


def test_weights_that_no_transition_leads_to_are_refused_with_both_sides(olivia: Operator, cluster: Live) -> None:
    finished(olivia)
    run(cluster, olivia, {"blue": 100, "green": 0})
    shift(olivia, "40")
    said = adopt(olivia, "--push", code=4)
    assert "no transition of a release leads from what Git says to what is live" in said
    assert "(found blue 100 % in Git, blue 60 %, green 40 % live)" in said and f"live discard {PROD}" in said
    assert automated(cluster) is None, "it stays held"


def test_a_weight_that_pods_are_not_prepared_for_is_refused_as_canary_shift_would(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "60", "--break-glass", "blue is on fire")
    assert "the candidate's pods are for 25 % only (found 60); first bento-gitops canary prepare" in adopt(olivia, code=4)


def test_what_was_only_written_to_files_stays_held_until_git_has_it(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "20")
    said = adopt(olivia)
    assert "it stays held: the remote's branch does not say so yet" in said and "next:" not in said
    assert automated(cluster) is None
    olivia.clone.git("commit", "--quiet", "--all", "--message", "adopted")
    assert "stays held" in adopt(olivia), "a commit of one's own is not what Argo CD reads"
    olivia.clone.git("push", "--quiet", "origin", "main")
    said = adopt(olivia)
    assert "Git says what is live: blue 80 %, green 20 %" in said and f"automatic sync of {ARGO} is on" in said
    assert automated(cluster) == {"prune": True, "selfHeal": True}


def test_a_route_that_is_not_in_force_is_not_adopted(olivia: Operator, cluster: Live) -> None:
    cluster.takes = False
    shift(olivia, "0")
    assert "no route is in force, so there is nothing to adopt" in adopt(olivia, "--push", code=4)


def test_adopt_tried_dry_changes_neither_git_nor_the_cluster(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "20")
    before = olivia.clone.git("rev-parse", "origin/main")
    assert "would change: " in adopt(olivia, "--push", "--dry-run")
    assert olivia.clone.git("rev-parse", "origin/main") == before and automated(cluster) is None


# Looking


def test_commands_that_look_notice_a_route_that_is_held(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "0")
    for command in (("rollback", PROD), ("canary", "shift", PROD, "1")):
        said = olivia.run(*command, "--live", "--prometheus", cluster.prometheus).err
        assert f"HTTPRoute/{APP} is held by a live shift of Olivia" in said
        assert f"live adopt {PROD}, or bento-gitops live discard {PROD}" in said
        olivia.clone.git("checkout", "--quiet", ".")


def test_status_live_of_what_is_as_git_says_is_quiet(olivia: Operator, cluster: Live) -> None:
    told = olivia.run("status", PROD, "--live", "--check")
    assert "blue 95 green 5" in told.out and "Synced, automatic" in told.out and "Healthy" in told.out
    assert told.err == ""


def test_status_live_tells_who_holds_the_route_and_until_when(olivia: Operator, cluster: Live) -> None:
    shift(olivia, "0", "--for", "1h")
    told = olivia.run("status", PROD, "--live", "--check", code=3).out
    assert f"{PROD}: HELD by a live shift of Olivia Operator <olivia@example.com>, until " in told
    assert "green has 0 % live and 5 % in Git" in told
    later = timestamp(datetime.now(UTC) + timedelta(hours=2))
    assert "PAST ITS END" in olivia.run("status", PROD, "--live", "--now", later).out
    (document,) = json.loads(olivia.run("status", PROD, "--live", "--json").out)
    assert document["live"]["held"]["weights"] == {"blue": 100}
    assert document["live"]["live"] == {"blue": 100, "green": 0}
    assert document["live"]["argocd"]["automatic"] is False


def test_status_live_tells_what_argo_cd_has_not_synced(olivia: Operator, cluster: Live) -> None:
    application = cluster.one("applications", ARGO)
    application["status"]["sync"] = {"status": "Synced", "revision": olivia.clone.git("rev-parse", "HEAD~1").strip()}
    told = olivia.run("status", PROD, "--live", "--check", code=3).out
    assert "values.yaml is not what Argo CD has at " in told
    application["status"]["sync"] = {"status": "Synced", "revision": "0" * 40}
    assert "which this clone does not have: git fetch" in olivia.run("status", PROD, "--live").out
    application["status"]["sync"] = {"status": "OutOfSync", "revision": olivia.clone.git("rev-parse", "HEAD").strip()}
    told = olivia.run("status", PROD, "--live").out
    assert "Argo CD says OutOfSync" in told and "values.yaml is not" not in told


def test_status_live_tells_pods_bundles_and_tracks_that_are_not_as_they_should_be(olivia: Operator, cluster: Live) -> None:
    for one in cluster.lists["replicasets"]:
        one["status"]["readyReplicas"] = 0
    told = olivia.run("status", PROD, "--live").out
    assert "green lacks ready pods: " in told and "blue 0/" in told
    in_git(olivia, "candidate: red", blue='"1.0.0", weight: 95', red='"1.1.0", weight: 5, ready_for: 25')
    told = olivia.run("status", PROD, "--live").out
    assert "green (1.1.0) is in the cluster and not in Git" in told and "red has 0 % live and 5 % in Git" in told


def test_a_cluster_that_does_not_answer_is_told_and_the_others_are_shown(olivia: Operator, cluster: Live, tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    config = json.loads(file.read_text())
    config["clusters"].append({"name": "nowhere", "cluster": {"server": "http://127.0.0.1:1"}})
    for name in ("dev-cluster", "staging-cluster"):
        config["contexts"].append({"name": name, "context": {"cluster": "nowhere", "user": "stand-in"}})
    file.write_text(json.dumps(config))
    told = olivia.run("status", "--live", code=5)
    assert "blue 95 green 5" in told.out
    assert f"staging/{APP}: the cluster of context staging-cluster does not answer: " in told.err


def test_an_application_that_is_not_there_is_a_difference(olivia: Operator, cluster: Live) -> None:
    cluster.lists["deployments"] = []
    assert f"there is no Deployment of {APP}" in olivia.run("status", PROD, "--live", "--check", code=3).out


def test_status_live_counts_what_policies_say_of_what_runs(olivia: Operator, cluster: Live) -> None:
    assert json.loads(olivia.run("status", PROD, "--live", "--json").out)[0]["live"]["findings"] is None, "there is no policy"
    shutil.copytree(POLICIES / "image-by-digest", olivia.clone.root / "policies" / "image-by-digest")
    shutil.copytree(POLICIES / "operators-shift-weights-only", olivia.clone.root / "policies" / "operators-shift-weights-only")
    by_digest = f"registry.example.com/ml/tickets@sha256:{'1' * 64}"
    for one in cluster.lists["deployments"]:
        one["spec"]["template"]["spec"] = {"containers": [{"name": "main", "image": by_digest}]}
    assert json.loads(olivia.run("status", PROD, "--live", "--json").out)[0]["live"]["findings"] == []
    cluster.lists["deployments"][0]["spec"]["template"]["spec"]["containers"][0]["image"] = "docker.io/somebody/else:latest"
    (document,) = json.loads(olivia.run("status", PROD, "--live", "--json").out)
    assert {one["policy"] for one in document["live"]["findings"]} == {"image-by-digest"}
    assert f"{PROD}: policy image-by-digest: " in olivia.run("status", PROD, "--live").out


def test_status_live_says_which_policies_its_findings_leave_out(olivia: Operator, cluster: Live) -> None:
    """Operators read no ConfigMap, and what a cluster alone knows nobody asks it."""
    for policy in ("image-by-digest", "required-labels", "operators-shift-weights-only"):
        shutil.copytree(POLICIES / policy, olivia.clone.root / "policies" / policy)
    left = [
        "operators-shift-weights-only (holds cluster alone)",
        "required-labels of ConfigMap, ServiceAccount, NetworkPolicy",
    ]
    assert json.loads(olivia.run("status", PROD, "--live", "--json").out)[0]["live"]["uncounted"] == left
    told = olivia.run("status", "--live")
    assert (told.out + told.err).count(f"FINDINGS leaves out: {'; '.join(left)}") == 1, "once for all applications"
