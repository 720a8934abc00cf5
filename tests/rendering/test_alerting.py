"""What render says of settings that alert nobody: objectives that nothing can miss, links that nothing opens."""

from __future__ import annotations

import pytest

TARGET = "prod/support-tickets"
ENVIRONMENT = "environments/prod/environment.yaml"
CONFIG = "environments/prod/support-tickets/config.yaml"
CHART = "charts/bento-serving/values.yaml"


def notes(fleet, *words: str) -> list[str]:
    found = fleet.render(TARGET)[TARGET].notes
    return [note for note in found if any(word in note for word in words)]


def say(fleet, text: str) -> str:
    """Adds to config.yaml, and says where."""
    before = fleet.text(CONFIG)
    fleet.put(CONFIG, f"{before}{text}\n")
    return f"{CONFIG}:{len(before.splitlines()) + 1}"


@pytest.mark.parametrize(
    ("said", "pointer"),
    [("slo: {p95: 500}", "slo.p95"), ("rollout: {analysis: {max_p95: 500}}", "rollout.analysis.max_p95")],
)
def test_a_latency_that_the_time_out_of_the_api_forbids_is_told_once_for_all_tracks(fleet, said: str, pointer: str) -> None:
    place = say(fleet, said)
    (note,) = notes(fleet, "p95")
    assert note.startswith(f"{place}: {pointer}: 500 seconds is not below the time-out of SupportTickets, ")
    assert note.endswith("so nothing can miss it; write seconds, like 0.5")


def test_a_latency_below_the_time_out_is_no_news(fleet) -> None:
    say(fleet, "slo: {p95: 0.5}\nrollout: {analysis: {max_p95: 0.8}}")
    assert not notes(fleet, "p95")


def test_a_runner_s_own_objective_is_held_against_its_own_time_out(fleet) -> None:
    fleet.change(CONFIG, "  EmbeddingRunner:\n", "  EmbeddingRunner:\n    slo: {p95: 200}\n")
    (note,) = notes(fleet, "p95")
    assert ": services.EmbeddingRunner.slo.p95: 200 seconds is not below the time-out of EmbeddingRunner, " in note


def test_alerts_that_link_to_a_folder_are_told_where_prometheus_is_named(fleet) -> None:
    fleet.put(CHART, fleet.text(CHART) + "alerts: {runbooks: docs/runbooks}\n")
    line = fleet.text(ENVIRONMENT).splitlines().index("monitoring:") + 1
    (note,) = notes(fleet, "runbooks")
    assert note.startswith(f"{ENVIRONMENT}:{line}: alerts.runbooks: alerts link to 'docs/runbooks', which no pager opens")
    say(fleet, 'alerts: {runbooks: "https://git.example.com/fleet/docs/runbooks"}')
    assert not notes(fleet, "runbooks")


def test_alerts_that_there_are_not_link_nowhere(fleet) -> None:
    fleet.put(CHART, fleet.text(CHART) + "alerts: {runbooks: docs/runbooks}\n")
    fleet.change(ENVIRONMENT, "monitoring:\n", "monitoring:\n  operator: false\n")
    assert not notes(fleet, "runbooks")


def test_what_is_said_of_an_environment_s_namespace_reaches_what_watches_it(fleet) -> None:
    assert "  namespace: tickets-prod  # environment\n" in fleet.render(TARGET)[TARGET].text.partition("\nmonitoring:")[2]
