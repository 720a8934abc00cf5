"""What the layers say of traces, as values: which tracks send them, and what is refused because it could not arrive."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from bento_gitops.model.problem import InvalidInput
from bento_gitops.model.values import Values

TARGET = "prod/support-tickets"
FOLDER = "environments/prod/support-tickets"
ENVIRONMENT = "environments/prod/environment.yaml"
CONFIG = f"{FOLDER}/config.yaml"
COLLECTOR = "collector: {namespace: observability, pod_labels: {app: collector}}"
ENDPOINT = "http://collector.observability:4318/v1/traces"


def say(fleet, tracing: str) -> None:
    """What prod's environment.yaml says, in its last line, which is line 18."""
    fleet.put(ENVIRONMENT, fleet.text(ENVIRONMENT) + f"  tracing: {{{tracing}}}\n")


def record(fleet, tag: str, traces: str) -> None:
    """What a bundle says of its image's exporter, in line 12."""
    fleet.change(f"bundles/support-tickets/{tag}.yaml", 'python: "3.11"\n', f'python: "3.11"\ntraces: {traces}\n')


def canary(fleet) -> None:
    fleet.put(
        f"{FOLDER}/release.yaml",
        "apiVersion: bento-gitops/v1\nkind: Release\nsince: 2026-11-01T10:20:00Z\nstable: blue\ncandidate: green\n"
        'tracks: {blue: {bundle: "1.0.0", weight: 75}, green: {bundle: "1.1.0", weight: 25, ready_for: 25}}\n',
    )


def values(fleet) -> tuple[dict[str, Any], list[str]]:
    rendered = fleet.render(TARGET)[TARGET]
    found = yaml.safe_load(rendered.text)
    Values.model_validate(found, by_alias=True, by_name=False)
    return found, [note for note in rendered.notes if "tracing" in note]


def refused(fleet) -> list[str]:
    with pytest.raises(InvalidInput) as error:
        fleet.render(TARGET)
    return [str(problem) for problem in error.value.problems]


def test_an_environment_s_tracing_reaches_the_values_with_the_application_s_own_rate(fleet) -> None:
    canary(fleet)
    say(fleet, f'endpoint: "{ENDPOINT}", sample_rate: 0.01, {COLLECTOR}')
    fleet.put(CONFIG, fleet.text(CONFIG) + "tracing: {sample_rate: 0.5}\n")
    for tag in ("1.0.0", "1.1.0"):
        record(fleet, tag, "otlp-http")
    found, notes = values(fleet)
    assert found["tracing"] == {
        "endpoint": ENDPOINT,
        "sampleRate": 0.5,
        "collector": {"namespace": "observability", "podLabels": {"app": "collector"}},
    }
    assert not [track for track in found["tracks"].values() if "traced" in track]
    assert not notes


@pytest.mark.parametrize("recorded", [False, True])
def test_a_track_whose_bundle_records_no_exporter_is_not_traced_and_a_note_says_so(fleet, recorded: bool) -> None:
    canary(fleet)
    say(fleet, f'endpoint: "{ENDPOINT}", {COLLECTOR}')
    if recorded:
        record(fleet, "1.0.0", "none")
    record(fleet, "1.1.0", "otlp-http")
    found, notes = values(fleet)
    assert found["tracks"]["blue"]["traced"] is False
    assert "traced" not in found["tracks"]["green"]
    place = "bundles/support-tickets/1.0.0.yaml:12" if recorded else "bundles/support-tickets/1.0.0.yaml:7"
    assert notes == [
        f"{ENVIRONMENT}:18: tracing.endpoint: nothing is traced on track blue: bundle 1.0.0 records no exporter of traces"
        f" in its image ({place})"
    ]


def test_without_an_endpoint_no_bundle_is_asked_for_an_exporter(fleet) -> None:
    say(fleet, "sample_rate: 0.5")
    found, notes = values(fleet)
    assert found["tracing"] == {"sampleRate": 0.5}
    assert not notes
    assert not [track for track in found["tracks"].values() if "traced" in track]


def test_an_application_takes_an_environment_s_tracing_back_with_null(fleet) -> None:
    say(fleet, f'endpoint: "{ENDPOINT}", {COLLECTOR}')
    fleet.put(CONFIG, fleet.text(CONFIG) + "tracing: {endpoint: null}\n")
    found, notes = values(fleet)
    assert "endpoint" not in found["tracing"]
    assert not notes


def test_the_port_of_grpc_is_noted(fleet) -> None:
    say(fleet, f'endpoint: "http://collector:4317/v1/traces", {COLLECTOR}')
    _, notes = values(fleet)
    assert (
        f"{ENVIRONMENT}:18: tracing.endpoint: 4317 is the port of OTLP over gRPC, mostly; traces go by HTTP, mostly to 4318"
        in notes
    )


@pytest.mark.parametrize("port", ["99999", "abc"])
def test_an_endpoint_whose_port_is_none_is_refused(fleet, port: str) -> None:
    say(fleet, f'endpoint: "http://collector:{port}/v1/traces", {COLLECTOR}')
    with pytest.raises(InvalidInput, match=r"tracing\.endpoint: names no port .*; write a number from 1 to 65535"):
        values(fleet)


def test_traces_that_could_not_arrive_are_refused(fleet) -> None:
    say(fleet, 'endpoint: "http://collector:4318"')
    assert refused(fleet) == [
        f"{ENVIRONMENT}:18: tracing.collector: is missing, so the network policies would let no trace out; add namespace and"
        " pod_labels of its pods, or its cidr",
        f"{ENVIRONMENT}:18: tracing.endpoint: has no path, and is asked as it stands (found http://collector:4318);"
        " add the path, mostly http://collector:4318/v1/traces",
    ]


def test_a_collector_is_a_network_or_pods(fleet) -> None:
    say(fleet, f'endpoint: "{ENDPOINT}", {COLLECTOR}')
    line = len(fleet.text(CONFIG).splitlines()) + 1
    fleet.put(CONFIG, fleet.text(CONFIG) + "tracing: {collector: {cidr: 192.0.2.0/24}}\n")
    assert refused(fleet) == [
        f"{CONFIG}:{line}: tracing.collector.cidr: a network and pods at once; the pods stand at {ENVIRONMENT}:18"
        " (found 192.0.2.0/24); keep one; null takes the other back"
    ]


def test_the_variable_that_names_the_spans_is_the_chart_s_where_they_are_sent(fleet) -> None:
    fleet.change(ENVIRONMENT, "api: {envs: {LOG_LEVEL: INFO}}", "api: {envs: {OTEL_RESOURCE_ATTRIBUTES: team=ml}}")
    values(fleet)
    say(fleet, f'endpoint: "{ENDPOINT}", {COLLECTOR}')
    values(fleet)
    record(fleet, "1.0.0", "otlp-http")
    assert refused(fleet) == [
        f"{ENVIRONMENT}:16: services.SupportTickets.envs.OTEL_RESOURCE_ATTRIBUTES: the chart itself sets this variable, because"
        f" traces are sent ({ENVIRONMENT}:18), on track blue (found team=ml); remove it"
    ]
