"""How many pods a track gets from its part in the release, and what is known of why."""

from __future__ import annotations

import pytest
from bento_gitops.layers.merging import leaf_at
from bento_gitops.model.problem import InvalidInput

RELEASE = "environments/prod/support-tickets/release.yaml"
ENVIRONMENT = "environments/prod/environment.yaml"
HEAD = "apiVersion: bento-gitops/v1\nkind: Release\nsince: 2026-11-01T10:20:00Z\n"


def _minimum(fleet, track: str, component: str) -> tuple[object, str, str]:
    """min_replicas, where it is said and why."""
    fleet.render("prod/support-tickets")
    values = fleet.values("prod/support-tickets")
    leaf = leaf_at(values, ("tracks", track, "components", component, "scaling", "min_replicas"))
    assert leaf is not None
    return leaf.value, str(leaf.source.place), leaf.source.note


def _candidate(fleet, ready_for: int, floor: str = "{}") -> None:
    fleet.put(
        RELEASE,
        f"{HEAD}stable: blue\ncandidate: green\ntracks:\n"
        '  blue: {bundle: "1.0.0", weight: 100}\n'
        f'  green: {{bundle: "1.1.0", weight: 0, ready_for: {ready_for}, floor: {floor}}}\n',
    )


def test_stable_has_what_is_configured_whatever_its_weight(fleet) -> None:
    assert _minimum(fleet, "blue", "SupportTickets") == (3, "environments/prod/support-tickets/config.yaml:6", "")


@pytest.mark.parametrize(("ready_for", "pods"), [(0, 2), (33, 2), (34, 3), (50, 3), (51, 4), (99, 6), (100, 6)])
def test_a_candidate_has_its_share_rounded_up_and_at_least_what_lives(fleet, ready_for: int, pods: int) -> None:
    """6 pods are configured for the runner (an override), 2 is the environment's minimum of a live track."""
    _candidate(fleet, ready_for)
    assert _minimum(fleet, "green", "EmbeddingRunner")[0] == pods


def test_a_candidate_ready_for_its_share_says_so(fleet) -> None:
    _candidate(fleet, 50)
    assert _minimum(fleet, "green", "EmbeddingRunner") == (3, f"{RELEASE}:8", "candidate: ready for 50 % of 6")


def test_a_candidate_with_a_floor_has_at_least_that(fleet) -> None:
    _candidate(fleet, 50, "{EmbeddingRunner: 5}")
    assert _minimum(fleet, "green", "EmbeddingRunner") == (5, f"{RELEASE}:8", "candidate: floor")


def test_a_floor_below_the_share_changes_nothing(fleet) -> None:
    _candidate(fleet, 50, "{EmbeddingRunner: 2}")
    assert _minimum(fleet, "green", "EmbeddingRunner")[2] == "candidate: ready for 50 % of 6"


def test_a_candidate_has_the_environments_minimum_of_a_live_track(fleet) -> None:
    _candidate(fleet, 10)
    assert _minimum(fleet, "green", "EmbeddingRunner") == (2, f"{ENVIRONMENT}:12", "candidate: at least live_min_replicas")


def test_a_candidate_that_is_ready_for_everything_is_as_large_as_stable(fleet) -> None:
    _candidate(fleet, 100)
    assert _minimum(fleet, "green", "EmbeddingRunner") == (6, "environments/prod/support-tickets/overrides.yaml:4", "")


def test_a_candidate_without_an_environments_minimum_has_one_pod_at_least(fleet) -> None:
    fleet.change(ENVIRONMENT, "live_min_replicas: 2\n", "")
    _candidate(fleet, 0)
    assert _minimum(fleet, "green", "EmbeddingRunner")[0] == 1


def test_rollbacks_own_candidate_is_as_large_as_the_stable_track_that_it_becomes(fleet) -> None:
    """The commit that sends it all requests makes it stable, and touches no pods."""
    fleet.change(ENVIRONMENT, "live_min_replicas: 2", "live_min_replicas: 7")
    _candidate(fleet, 100)
    assert _minimum(fleet, "green", "EmbeddingRunner")[0] == 7
    text = fleet.text(RELEASE) + 'previous: {bundle: "1.1.0"}\nrollback: {by: anna, reason: wrong labels, hold: true}\n'
    fleet.put(RELEASE, text)
    assert _minimum(fleet, "green", "EmbeddingRunner") == (6, "environments/prod/support-tickets/overrides.yaml:4", "")
    fleet.put(RELEASE, text.replace("ready_for: 100", "ready_for: 99"))
    assert _minimum(fleet, "green", "EmbeddingRunner")[0] == 7


@pytest.mark.parametrize(("ready_for", "pods"), [("", 6), (", ready_for: 0", 2), (", ready_for: 50", 3), (", ready_for: 100", 6)])
def test_a_track_that_was_aborted_stays_as_small_as_it_was(fleet, ready_for: str, pods: int) -> None:
    fleet.put(
        RELEASE,
        f'{HEAD}stable: blue\ntracks:\n  blue: {{bundle: "1.0.0", weight: 100}}\n'
        f'  green: {{bundle: "1.1.0", weight: 0{ready_for}}}\n'
        "standby: {track: green, until: 2026-11-02T00:00:00Z, capacity: full}\n",
    )
    assert _minimum(fleet, "green", "EmbeddingRunner")[0] == pods


def test_what_the_candidate_hides_is_still_known(fleet) -> None:
    _candidate(fleet, 50)
    (explanation,) = fleet.explain("prod/support-tickets", "tracks.green.components.EmbeddingRunner.scaling.minReplicas")
    assert [(str(said.place), said.value, what) for said, what in explanation.statements()] == [
        (f"{RELEASE}:8", 3, "in force"),
        ("environments/prod/support-tickets/overrides.yaml:4", 6, "hidden"),
        ("environments/prod/support-tickets/config.yaml:11", 2, "hidden"),
        (f"{ENVIRONMENT}:17", 1, "hidden"),
        ("charts/bento-serving/values.yaml:35", 1, "hidden"),
    ]


def _standby(fleet, capacity: str) -> None:
    fleet.put(
        RELEASE,
        f"{HEAD}stable: blue\ntracks:\n"
        '  blue: {bundle: "1.0.0", weight: 100}\n'
        '  green: {bundle: "1.1.0", weight: 0}\n'
        f"standby: {{track: green, until: 2026-11-02T00:00:00Z, capacity: {capacity}}}\n",
    )


def test_a_full_standby_has_what_is_configured(fleet) -> None:
    _standby(fleet, "full")
    assert _minimum(fleet, "green", "EmbeddingRunner")[0] == 6
    assert "capacity:" not in fleet.generated()["prod/support-tickets"]


def test_a_warm_standby_has_one_pod(fleet) -> None:
    _standby(fleet, "warm")
    assert _minimum(fleet, "green", "EmbeddingRunner") == (1, f"{RELEASE}:8", "warm standby: one pod")
    assert _minimum(fleet, "blue", "EmbeddingRunner")[0] == 6
    assert fleet.generated()["prod/support-tickets"].count("    capacity: warm  # environment\n") == 1


def test_a_cold_standby_keeps_its_settings_and_runs_no_pod(fleet) -> None:
    _standby(fleet, "cold")
    rendered = fleet.render("prod/support-tickets")["prod/support-tickets"]
    tracks = {track.track: track for track in rendered.tracks}
    assert set(tracks["green"].replicas.values()) == {"0"}
    assert (tracks["green"].role, tracks["blue"].role) == ("standby", "stable")
    assert rendered.text.count("    capacity: cold  # environment\n") == 1
    assert _minimum(fleet, "green", "EmbeddingRunner")[0] == 6


def test_more_pods_than_max_replicas_is_an_error_that_names_both_places(fleet) -> None:
    _candidate(fleet, 50)
    fleet.change(ENVIRONMENT, "live_min_replicas: 2", "live_min_replicas: 9")
    with pytest.raises(InvalidInput) as caught:
        fleet.render("prod")
    assert (
        f"{ENVIRONMENT}:12: tracks.green: EmbeddingRunner needs 9 pods (candidate: at least live_min_replicas),"
        " above max_replicas, which is 8 (environments/prod/support-tickets/config.yaml:11) (found 9); raise max_replicas"
    ) in str(caught.value)


def test_a_floor_of_another_day_counts_as_far_as_the_maximum_of_today(fleet) -> None:
    """What was counted in the cluster must not keep an override of max_replicas from ending, or a release from its next step."""
    _candidate(fleet, 50, "{EmbeddingRunner: 16}")
    assert _minimum(fleet, "green", "EmbeddingRunner") == (8, f"{RELEASE}:8", "candidate: floor")
    assert (
        f"{RELEASE}:8: tracks.green.floor.EmbeddingRunner: 16 pods were needed when it was counted; max_replicas is 8 now"
        " (environments/prod/support-tickets/config.yaml:11), and counts"
    ) in fleet.render("prod/support-tickets")["prod/support-tickets"].notes
