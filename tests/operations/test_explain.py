"""explain: a path in either spelling or a line of values.yaml, and what is told of it."""

from __future__ import annotations

import pytest
from bento_gitops.model.problem import InvalidInput

PROD = "prod/support-tickets"
VALUES = "environments/prod/support-tickets/values.yaml"


def _paths(explanations) -> list[str]:
    return [".".join(one.path) for one in explanations]


def _said(explanation) -> list[str]:
    return [f"{said.place} {said.value} {what}" for said, what in explanation.statements()]


@pytest.mark.parametrize(
    "path",
    [
        "tracks.blue.components.EmbeddingRunner.scaling.min_replicas",
        "tracks.blue.components.EmbeddingRunner.scaling.minReplicas",
    ],
)
def test_a_path_is_understood_in_either_spelling(fleet, path: str) -> None:
    (one,) = fleet.explain(PROD, path)
    assert ".".join(one.path) == "tracks.blue.components.EmbeddingRunner.scaling.min_replicas"
    assert _said(one) == [
        "environments/prod/support-tickets/overrides.yaml:4 6 in force",
        "environments/prod/support-tickets/config.yaml:11 2 hidden",
        "environments/prod/environment.yaml:17 1 hidden",
        "charts/bento-serving/values.yaml:35 1 hidden",
    ]


def test_a_path_of_config_means_the_component_on_every_track(fleet) -> None:
    assert _paths(fleet.explain(PROD, "services.EmbeddingRunner.apis.encode.batching.max_batch_size.value")) == [
        f"tracks.{track}.components.EmbeddingRunner.apis.encode.batching.max_batch_size.value" for track in ("blue", "green")
    ]


def test_the_beginning_of_a_path_tells_everything_below(fleet) -> None:
    assert _paths(fleet.explain(PROD, "tracks.blue.components.EmbeddingRunner.resources")) == [
        f"tracks.blue.components.EmbeddingRunner.resources.{key}" for key in ("cpu", "memory", "limits.memory")
    ]


def test_without_a_path_everything_is_told(fleet) -> None:
    from bento_gitops.operations.explain import explain
    from bento_gitops.repository.files import WorkingTree

    everything = explain(WorkingTree(fleet.root), PROD, None)
    assert {one.path[0] for one in everything} == {
        *("application", "environment", "mode", "labels", "stable", "tracks", "routing", "monitoring")
    }
    assert all(one.leaf.said for one in everything)


def test_a_line_of_values_yaml_is_told(fleet) -> None:
    text = fleet.render(PROD)[PROD].text
    line = next(number for number, line in enumerate(text.splitlines(), start=1) if "minReplicas: 6" in line)
    for name in (f"values.yaml:{line}", f"{VALUES}:{line}", f"./{VALUES}:{line}", f"support-tickets/values.yaml:{line}"):
        (one,) = fleet.explain(PROD, name)
        assert _said(one)[0] == "environments/prod/support-tickets/overrides.yaml:4 6 in force"


def test_a_line_that_opens_a_map_tells_everything_below(fleet) -> None:
    lines = fleet.render(PROD)[PROD].text.splitlines()
    assert _paths(fleet.explain(PROD, f"values.yaml:{lines.index('labels:') + 1}")) == [
        "labels.tenant",
        "labels.owner",
        "labels.cost-center",
    ]


def test_what_an_instance_type_stands_for_is_told_with_its_place(fleet) -> None:
    (one,) = fleet.explain(PROD, "tracks.blue.components.EmbeddingRunner.resources.cpu")
    assert one.statements()[0][0].note == "instance_type cpu.large, environments/instance-types.yaml:8"
    assert [what for _, what in one.statements()] == ["in force", "replaced", "replaced"]


def test_what_the_environment_says_of_routing_tells_the_charts_value_that_it_hides(fleet) -> None:
    (one,) = fleet.explain(PROD, "routing.controller")
    assert _said(one) == [
        "environments/prod/environment.yaml:6 gateway in force",
        "charts/bento-serving/values.yaml:9 none hidden",
    ]


def test_a_known_path_that_nothing_says_is_told_as_such(fleet) -> None:
    (one,) = fleet.explain(PROD, "tracks.blue.components.EmbeddingRunner.traffic.concurrency")
    assert one.leaf.said == ()


def test_a_value_that_was_taken_back_is_told(fleet) -> None:
    fleet.put(
        "environments/prod/support-tickets/overrides.yaml",
        "apiVersion: bento-gitops/v1\nkind: Overrides\noverrides:\n"
        "  - config: {services: {EmbeddingRunner: {traffic: {timeout: null}}}}\n"
        "    reason: as the code says\n    owner: ml-oncall\n    expires: 2026-12-01T00:00:00Z\n",
    )
    (one,) = fleet.explain(PROD, "tracks.blue.components.EmbeddingRunner.traffic.timeout")
    assert [(said.place.file.split("/")[-1], what) for said, what in one.statements()] == [
        ("overrides.yaml", "takes back"),
        ("config.yaml", "taken back"),
        ("1.0.0.yaml", "in force"),
        ("values.yaml", "hidden"),
    ]


WRONG = {
    "services.EmbedingRunner.workers": (
        f"{PROD}: services.EmbedingRunner.workers: tracks.blue.components has no such key (found 'EmbedingRunner');"
        " did you mean 'EmbeddingRunner'?\n"
        f"{PROD}: services.EmbedingRunner.workers: tracks.green.components has no such key (found 'EmbedingRunner');"
        " did you mean 'EmbeddingRunner'?"
    ),
    "tracks.blu": f"{PROD}: tracks.blu: tracks has no such key (found 'blu'); did you mean 'blue'?",
    "labls": f"{PROD}: labls: values.yaml has no such key (found 'labls'); did you mean 'labels'?",
    "services.EmbeddingRunner.scaling.minReplica": (
        f"{PROD}: services.EmbeddingRunner.scaling.minReplica: tracks.blue.components.EmbeddingRunner.scaling has no such key"
        " (found 'minReplica'); did you mean 'min_replicas'?\n"
        f"{PROD}: services.EmbeddingRunner.scaling.minReplica: tracks.green.components.EmbeddingRunner.scaling has no such key"
        " (found 'minReplica'); did you mean 'min_replicas'?"
    ),
    "values.yaml:1": f"{VALUES}:1: no value stands in this line; name a line with a layer behind it",
    "values.yaml:0": f"{VALUES}: no value stands in this line; name a line with a layer behind it",
    "values.yaml:99999": f"{VALUES}:99999: no value stands in this line; name a line with a layer behind it",
    "environments/dev/support-tickets/values.yaml:5": (
        f"environments/dev/support-tickets/values.yaml:5: is not the file of {PROD}; name a line of {VALUES}"
    ),
}


@pytest.mark.parametrize("path", WRONG)
def test_a_path_that_there_is_not_is_an_error_with_the_nearest_name(fleet, path: str) -> None:
    fleet.render(PROD)
    with pytest.raises(InvalidInput) as caught:
        fleet.explain(PROD, path)
    assert str(caught.value) == WRONG[path]


def test_a_line_of_a_file_that_is_stale_is_not_guessed(fleet) -> None:
    fleet.render(PROD)
    fleet.change("environments/prod/support-tickets/config.yaml", "max_replicas: 12", "max_replicas: 13")
    with pytest.raises(InvalidInput) as caught:
        fleet.explain(PROD, "values.yaml:20")
    assert str(caught.value) == (
        f"{VALUES}:20: the file is not what its sources say, so its lines cannot be told; run `bento-gitops render {PROD}` first"
    )


@pytest.mark.parametrize("target", ["prod", "prod/"])
def test_explain_needs_an_application(fleet, target: str) -> None:
    with pytest.raises(InvalidInput, match=r"explain needs one application .*; write it like prod/APPLICATION"):
        fleet.explain(target, "labels")


ALERTS = "charts/bento-serving/alerts"


def test_an_alert_that_nobody_changed_is_as_the_chart_s_file_says(fleet) -> None:
    fleet.put(f"{ALERTS}/BentoLatencyHigh.yaml", "expr: up\nfor: 5m\nlabels:\n  severity: warning\n")
    told = fleet.explain(PROD, "alerts.rules.BentoLatencyHigh")
    assert [(one.path[-1], *_said(one)) for one in told] == [
        ("enabled", f"{ALERTS}/BentoLatencyHigh.yaml True in force"),
        ("severity", f"{ALERTS}/BentoLatencyHigh.yaml:4 warning in force"),
        ("for", f"{ALERTS}/BentoLatencyHigh.yaml:2 5m in force"),
    ]


def test_what_people_say_of_an_alert_hides_what_the_chart_s_file_says(fleet) -> None:
    config = "environments/prod/support-tickets/config.yaml"
    fleet.put(f"{ALERTS}/BentoLatencyHigh.yaml", "expr: up\nfor: 5m\nlabels:\n  severity: warning\n")
    fleet.put(config, fleet.text(config) + "alerts: {rules: {BentoLatencyHigh: {severity: critical}}}\n")
    line = len(fleet.text(config).splitlines())
    (one,) = fleet.explain(PROD, "alerts.rules.BentoLatencyHigh.severity")
    assert one.leaf.value == "critical"
    assert _said(one) == [f"{config}:{line} critical in force", f"{ALERTS}/BentoLatencyHigh.yaml:4 warning hidden"]
    assert len(fleet.explain(PROD, "alerts.rules.BentoLatencyHigh")) == 3


def test_an_alert_that_there_is_not_is_an_error_with_the_nearest_name(fleet) -> None:
    with pytest.raises(InvalidInput, match="did you mean 'BentoLatencyHigh'"):
        fleet.explain(PROD, "alerts.rules.BentoLatencyHi")


def test_a_component_without_an_objective_has_the_application_s(fleet) -> None:
    config = "environments/prod/support-tickets/config.yaml"
    fleet.put(config, fleet.text(config) + "slo: {p95: 0.5}\n")
    line = len(fleet.text(config).splitlines())
    for one in fleet.explain(PROD, "services.EmbeddingRunner.slo.p95"):
        assert one.path[-2:] == ("slo", "p95")
        assert (one.leaf.value, [said.note for said, _ in one.statements()]) == (0.5, ["of the application"])
        assert _said(one) == [f"{config}:{line} 0.5 in force"]
    fleet.change(config, "  EmbeddingRunner:\n", "  EmbeddingRunner:\n    slo: {p95: 0.2}\n")
    one, *_ = fleet.explain(PROD, "services.EmbeddingRunner.slo.p95")
    assert [what for _, what in one.statements()] == ["in force", "hidden"]
    assert one.leaf.value == 0.2


def test_what_commands_alone_read_is_told_too(fleet) -> None:
    config = "environments/prod/support-tickets/config.yaml"
    fleet.put(config, fleet.text(config) + "rollout: {analysis: {max_p95: 0.8}}\n")
    line = len(fleet.text(config).splitlines())
    (one,) = fleet.explain(PROD, "rollout.analysis.max_p95")
    assert _said(one) == [f"{config}:{line} 0.8 in force"]
    (one,) = fleet.explain(PROD, "rollout.analysis.patience")
    assert one.leaf.said == ()
    environment = "environments/prod/environment.yaml"
    fleet.change(environment, "pod_labels: {app: prometheus}", 'pod_labels: {app: prometheus}, address: "https://p.example.com"')
    (one,) = fleet.explain(PROD, "monitoring.prometheus.address")
    assert one.leaf.value == "https://p.example.com"
    assert _said(one)[0].startswith(f"{environment}:")
    with pytest.raises(InvalidInput, match="did you mean 'address'"):
        fleet.explain(PROD, "monitoring.prometheus.adress")
