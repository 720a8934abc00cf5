"""Commands that look: what a cluster and Prometheus show becomes an observation, and the observation a step."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from bento_gitops.model.base import timestamp
from bento_gitops.model.layout import release_file
from live_stand_in import Live, Series, live, measuring
from stories import APP, Operator

PROD = f"prod/{APP}"


@pytest.fixture
def cluster(olivia: Operator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Live]:
    """Where a canary of 1.1.0 runs with 5 %, as Git says, since twenty minutes."""
    begun = datetime.now(UTC) - timedelta(minutes=20)
    text = (
        "apiVersion: bento-gitops/v1\nkind: Release\nstable: blue\ncandidate: green\ntracks:\n"
        '  blue: {bundle: "1.0.0", weight: 95}\n'
        f'  green: {{bundle: "1.1.0", weight: 5, ready_for: 5, shifted: {timestamp(begun)}}}\n'
        f"since: {timestamp(begun)}\n"
    )
    path = olivia.clone.root / release_file(PROD)
    path.write_text(text, encoding="utf-8")
    olivia.run("render", PROD)
    olivia.clone.git("commit", "--quiet", "--all", "--message", "a canary")
    with live() as state:
        monkeypatch.setenv("KUBECONFIG", str(state.kubeconfig(tmp_path)))
        run_in(state, olivia, {"blue": 95, "green": 5})
        state.measured = measuring({"blue": (9500, 9), "green": (500, 0)})
        yield state


def run_in(state: Live, olivia: Operator, weights: dict[str, int], *, environment: str = "prod") -> None:
    """Gives the cluster what Git says, and a route with these weights."""
    state.run(olivia.clone.root, PROD, weights, environment=environment)


def seen(olivia: Operator, live_: Live, *more: str) -> dict[str, Any]:
    return yaml.safe_load(olivia.run("observe", PROD, "--prometheus", live_.prometheus, *more).out)


def step(olivia: Operator, live_: Live, code: int = 0) -> str:
    return olivia.run("canary", "step", PROD, "--commit", "--prometheus", live_.prometheus, code=code).everything


def test_an_observation_says_weights_bundles_ready_pods_and_measurements(olivia: Operator, cluster: Live) -> None:
    found = seen(olivia, cluster)
    assert (found["target"], found["cluster"]) == (PROD, "prod-cluster")
    assert found["weights"] == {"blue": 95, "green": 5}
    assert {name: track["bundle"] for name, track in found["tracks"].items()} == {"blue": "1.0.0", "green": "1.1.0"}
    assert found["tracks"]["green"]["ready"] == olivia.pods("prod", "green"), "of the current revision alone"
    assert found["tracks"]["green"]["requests_per_minute"] == 25
    assert found["analysis"]["tracks"]["green"]["requests"] == 500
    assert found["analysis"]["tracks"]["blue"]["errors"] == 9
    assert all(f'application="{APP}",environment="prod"' in query for query in cluster.queries)


def test_a_step_looks_by_itself_records_the_weight_and_then_goes_on(olivia: Operator, cluster: Live) -> None:
    assert "green is live with 5 %" in step(olivia, cluster)
    assert "of 10m" in step(olivia, cluster), "the interval has begun"


def test_a_step_takes_back_a_candidate_that_fails(olivia: Operator, cluster: Live) -> None:
    cluster.measured = measuring({"blue": (9500, 9), "green": (500, 100)})
    said = step(olivia, cluster)
    assert "1.1.0 is held" in said and "fail" in said
    assert olivia.state("prod") == ("steady", {"1.0.0": 100})


def test_measurements_of_another_bundle_under_the_same_track_name_are_not_the_candidate_s(
    olivia: Operator, cluster: Live
) -> None:
    def earlier(query: str) -> Series | str:
        found = measuring({"green": (500, 400)})(query)
        assert isinstance(found, list)
        return [(labels | {"bundle": "0.9.0"}, value) for labels, value in found]

    cluster.measured = earlier
    found = seen(olivia, cluster)
    assert "analysis" not in found
    assert "is live with 5 %" in step(olivia, cluster), "nothing measured is nothing bad"


def test_a_route_that_is_not_as_in_git_holds_the_step(olivia: Operator, cluster: Live) -> None:
    run_in(cluster, olivia, {"blue": 100, "green": 0})
    assert "green has 0 % live and 5 % in Git" in step(olivia, cluster)


def test_pods_that_are_not_made_of_what_git_says_hold_the_step_and_are_no_evidence(olivia: Operator, cluster: Live) -> None:
    """A change of settings, merged and not synced yet: what answers is not what would be recorded."""
    assert seen(olivia, cluster)["tracks"]["green"]["apart"] == []
    config = olivia.clone.root / f"environments/{PROD}/config.yaml"
    config.write_text(config.read_text("utf-8").replace("value: WARNING", "value: DEBUG"), encoding="utf-8")
    olivia.run("render", PROD)
    olivia.clone.git("commit", "--quiet", "--all", "--message", "Louder")
    observation = olivia.run("observe", PROD, "--prometheus", cluster.prometheus).out
    found = yaml.safe_load(observation)["tracks"]["green"]
    assert found["apart"] == ["SupportTickets"] and "fingerprint" not in found
    why = "the pods of SupportTickets on green are not made of what Git says: it is not synced yet"
    assert why in step(olivia, cluster)
    file = olivia.clone.root.parent / "observation.yaml"
    file.write_text(observation, encoding="utf-8")
    said = olivia.run("verify", PROD, "--record", "--commit", "--observation", str(file), code=4).everything
    assert why in said and "commit: " not in said

    run_in(cluster, olivia, {"blue": 95, "green": 5})
    assert "green is live with 5 %" in step(olivia, cluster)
    (recorded,) = yaml.safe_load(olivia.clone.text(f"environments/{PROD}/evidence/1.1.0.yaml") or "")["seen"]
    assert seen(olivia, cluster)["tracks"]["green"]["fingerprint"] == recorded["fingerprint"]


def test_a_chart_that_notes_no_checksums_leaves_pods_uncompared(olivia: Operator, cluster: Live) -> None:
    template = olivia.clone.root / "charts/bento-serving/templates/track/deployment.yaml"
    lines = template.read_text("utf-8").splitlines(keepends=True)
    template.write_text("".join(line for line in lines if "bento-gitops/pods" not in line), encoding="utf-8")
    assert not {"apart", "fingerprint"} & seen(olivia, cluster)["tracks"]["green"].keys()


def test_pods_of_an_earlier_revision_do_not_count(olivia: Operator, cluster: Live) -> None:
    for one in cluster.lists["deployments"]:
        one["metadata"]["generation"] = 3
    assert set(seen(olivia, cluster)["tracks"]["green"]["ready"].values()) == {0}


def test_a_cluster_of_another_environment_is_refused(olivia: Operator, cluster: Live) -> None:
    run_in(cluster, olivia, {"blue": 95, "green": 5}, environment="staging")
    said = olivia.run("observe", PROD, "--prometheus", cluster.prometheus, code=4).err
    assert "is of another environment (found staging); name the context of the right cluster: --context" in said


@pytest.mark.parametrize("refused", ["deployments", "services"])
def test_what_the_api_server_does_not_show_ends_the_look(olivia: Operator, cluster: Live, refused: str) -> None:
    cluster.refused = {refused}
    said = olivia.run("canary", "step", PROD, "--commit", "--prometheus", cluster.prometheus, code=5).err
    assert "the cluster of context stand-in does not show" in said and "is forbidden: no rule allows it (403)" in said


def test_no_cluster_and_no_prometheus_say_so(olivia: Operator, cluster: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = olivia.run("observe", PROD, "--prometheus", "http://127.0.0.1:1")
    assert "nothing is measured: Prometheus at http://127.0.0.1:1 does not answer: " in quiet.err
    assert yaml.safe_load(quiet.out)["weights"] == {"blue": 95, "green": 5}, "the cluster was seen all the same"
    unnamed = olivia.run("observe", PROD)
    assert "nobody asked Prometheus: name it with --prometheus, or in environments/prod/environment.yaml" in unnamed.err
    assert "analysis" not in yaml.safe_load(unnamed.out)
    empty = olivia.clone.root.parent / "empty"
    empty.write_text("")
    monkeypatch.setenv("KUBECONFIG", str(empty))
    assert "there is no cluster to look at" in olivia.run("observe", PROD, code=5).err


def test_a_kubeconfig_that_is_not_there_and_a_context_that_it_lacks_are_called_so(
    olivia: Operator, cluster: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = olivia.run("observe", PROD, "--context", "stand-inn", code=5).err
    assert "the kubeconfig has no context 'stand-inn'; did you mean 'stand-in'?" in said
    monkeypatch.setenv("KUBECONFIG", "/nonexistent/kubeconfig")
    assert "/nonexistent/kubeconfig is not there; set KUBECONFIG to a file that is" in olivia.run("observe", PROD, code=5).err


def test_a_query_of_one_s_own_that_is_wrong_is_told_and_gives_no_number(olivia: Operator, cluster: Live) -> None:
    path = olivia.clone.root / f"environments/{PROD}/config.yaml"
    own = "rollout: {analysis: {queries: {resolved: {query: 'sum(solved{track=\"$track\"}[$window])', min: 0.5}}}}\n"
    path.write_text(path.read_text("utf-8") + own, encoding="utf-8")
    counted = cluster.measured
    cluster.measured = lambda query: (
        "parse error: ranges only allowed for vector selectors" if "solved" in query else counted(query)
    )
    said = olivia.run("observe", PROD, "--prometheus", cluster.prometheus)
    assert "query resolved: " in said.err and "parse error: ranges only allowed" in said.err
    asked = next(query for query in cluster.queries if "solved" in query)
    assert asked.startswith('sum(solved{track="green"}[') and asked.endswith("s])")


def test_live_beside_an_observation_or_a_time_is_wrong_usage(olivia: Operator, cluster: Live) -> None:
    both = olivia.run("canary", "step", PROD, "--live", "--observation", "x.json", code=2).err
    assert "--live" in both
    olivia.run("canary", "step", PROD, "--now", "2026-11-01T00:00:00Z", code=2)


def test_without_numbers_for_too_long_a_candidate_is_taken_back_and_not_to_blame(olivia: Operator, cluster: Live) -> None:
    config = olivia.clone.root / f"environments/{PROD}/config.yaml"
    impatient = "rollout: {interval: 1s, analysis: {patience: 0s}}\n"
    config.write_text(config.read_text("utf-8") + impatient, encoding="utf-8")
    olivia.clone.git("commit", "--quiet", "--all", "--message", "Impatient")
    words = ("canary", "run", PROD, "--commit", "--every", "1", "--prometheus", "http://127.0.0.1:1")
    said = olivia.run(*words, code=4)
    assert "no judgement after" in said.out and said.err.count("nothing is measured") == 1
    release = olivia.release("prod")
    assert (release.candidate, release.held) == (None, None)


def test_canary_run_outlives_a_cluster_that_does_not_answer_for_a_while(olivia: Operator, cluster: Live) -> None:
    counted = measuring({"blue": (9500, 9), "green": (500, 0)})
    bad = measuring({"blue": (9500, 9), "green": (500, 200)})

    # Queries are on their way at the same time: what is answered turns bad when the cluster has refused, and no sooner.
    begun: list[str] = []

    def once(query: str) -> Series | str:
        if "duration" in query and not begun:
            begun.append(query)
            cluster.refused, cluster.refusals = {"deployments"}, 2
        return (bad if begun and not cluster.refusals else counted)(query)

    cluster.measured = once
    said = olivia.run("canary", "run", PROD, "--commit", "--every", "1", "--prometheus", cluster.prometheus, code=4)
    assert "does not show Deployments of tickets-prod" in said.out and "it tries again" in said.out
    assert "1.1.0 is held" in said.out


def test_canary_run_does_not_wait_for_a_cluster_that_was_never_there(olivia: Operator, cluster: Live) -> None:
    cluster.refused = {"deployments"}
    said = olivia.run("canary", "run", PROD, "--commit", "--every", "1", "--prometheus", cluster.prometheus, code=5)
    assert "does not show Deployments of tickets-prod" in said.err


def test_a_cluster_that_has_nothing_of_the_application_is_refused_not_passed_over(olivia: Operator, cluster: Live) -> None:
    cluster.lists = {name: [] for name in cluster.lists}
    said = olivia.run("canary", "shift", PROD, "25", "--live", "--commit", "--prometheus", cluster.prometheus, code=4).err
    assert f"there is no Deployment of {APP} in namespace tickets-prod of the cluster of context stand-in" in said
    assert "is that the right cluster (--context), and is Git synced?" in said


def test_a_route_that_the_gateway_has_not_taken_is_a_gate_that_fails(olivia: Operator, cluster: Live) -> None:
    olivia.run("canary", "prepare", PROD, "25", "--commit", "--break-glass", "not about gates")
    run_in(cluster, olivia, {"blue": 95, "green": 5})
    cluster.lists["httproutes"][0]["metadata"]["generation"] = 6
    said = olivia.run("canary", "shift", PROD, "25", "--live", "--commit", "--prometheus", cluster.prometheus, code=4).err
    assert "gate live: does not pass (found no route is in force that says what Git says)" in said


def test_a_candidate_whose_errors_nobody_counted_is_not_good(olivia: Operator, cluster: Live) -> None:
    counted = measuring({"blue": (9500, 9), "green": (500, 400)})
    cluster.measured = lambda query: [] if "errors" in query else counted(query)
    assert seen(olivia, cluster)["analysis"]["tracks"] == {}
    olivia.run("canary", "prepare", PROD, "25", "--commit", "--break-glass", "not about gates")
    run_in(cluster, olivia, {"blue": 95, "green": 5})
    said = olivia.run("canary", "shift", PROD, "25", "--live", "--commit", "--prometheus", cluster.prometheus, code=4).err
    assert "gate analysis: does not pass" in said


def test_an_answer_of_which_a_part_is_missing_is_no_answer(olivia: Operator, cluster: Live) -> None:
    cluster.warnings = ["partial response: store-1 is away"]
    said = olivia.run("observe", PROD, "--prometheus", cluster.prometheus)
    assert "the answer is not whole: partial response: store-1 is away" in said.err
    assert "analysis" not in yaml.safe_load(said.out)


@pytest.mark.parametrize("text", ["hello", "a: [", "clusters: 7", "- x"])
def test_a_kubeconfig_that_cannot_be_read_is_said_with_its_name(
    olivia: Operator, cluster: Live, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = olivia.desk / "kubeconfig"
    file.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(file))
    said = olivia.run("observe", PROD, code=5).err
    assert "kubeconfig" in said or "there is no cluster to look at" in said
    assert "Traceback" not in said and "object does not support" not in said
