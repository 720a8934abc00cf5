"""What the layers refuse together: each row breaks one rule, and the error names both places and the nearest known name."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from bento_gitops.layers.marked import parse
from bento_gitops.layers.merging import Entry, merge
from bento_gitops.model.problem import InvalidInput, Problem
from stack import ENCODE, TWO_TRACKS, Stack


@dataclass(frozen=True)
class Row:
    rule: str
    stack: Stack
    errors: tuple[str, ...]


ROWS = (
    Row(
        "an unknown service",
        Stack(files={"config": "services: {Runer: {workers: 2}}"}),
        ("config:1: services.Runer: no such service in bundle 1.0.0 (found 'Runer'); did you mean 'Runner'?",),
    ),
    Row(
        "a service unknown to all bundles",
        Stack(files={"config": "services: {Ranker: {workers: 2}}"}, bundles=(("1.1.0", "Runner: {}"),), release=TWO_TRACKS),
        (
            "config:1: services.Ranker: no such service in any of the bundles 1.0.0, 1.1.0 (found 'Ranker');"
            " did you mean 'Runner'?",
        ),
    ),
    Row(
        "a service unknown to the one bundle it is said for",
        Stack(
            files={"config": 'bundles: {"1.1.0": {services: {Runner: {workers: 2}}}}'},
            bundles=(("1.1.0", "Ranker: {}"),),
            release=TWO_TRACKS,
        ),
        (
            'config:1: bundles."1.1.0".services.Runner: no such service in bundle 1.1.0'
            " (found 'Runner'); did you mean 'Ranker'?",
        ),
    ),
    Row(
        "an unknown API",
        Stack(decorator=f"{{{ENCODE}}}", config="{apis: {encod: {batching: {max_batch_size: 64}}}}"),
        ("config:1: services.Runner.apis.encod: no such API in bundle 1.0.0 (found 'encod'); did you mean 'encode'?",),
    ),
    Row(
        "an unknown instance type",
        Stack(config="{instance_type: cpu.larg}"),
        (
            "config:1: services.Runner.instance_type: no such instance type in environments/instance-types.yaml"
            " (found 'cpu.larg'); did you mean 'cpu.large'?",
        ),
    ),
    Row(
        "an instance type unlike any known one",
        Stack(config="{instance_type: tpu}"),
        (
            "config:1: services.Runner.instance_type: no such instance type in environments/instance-types.yaml"
            " (found 'tpu'); use one of: cpu.large, cpu.small, gpu.small",
        ),
    ),
    Row(
        "an instance type without the GPU that the code asks for",
        Stack(decorator="{resources: {gpu: 1}}", config="{instance_type: cpu.large}"),
        (
            "config:1: services.Runner.instance_type: the instance type has no GPU but the code asks for one (bundle 1.0.0:1),"
            " on track blue (found cpu.large); name another instance type, or say resources.gpu outright",
        ),
    ),
    Row(
        "an instance type with a GPU that the code does not ask for",
        Stack(config="{instance_type: gpu.small}"),
        (
            "config:1: services.Runner.instance_type: the instance type has a GPU but the code asks for none (bundle 1.0.0:1),"
            " on track blue (found gpu.small); name another instance type, or say resources.gpu outright",
        ),
    ),
    Row(
        "resources.gpu below an instance type is not outright",
        Stack(decorator="{resources: {gpu: 1}}", environment="{resources: {gpu: 0}}", config="{instance_type: cpu.large}"),
        (
            "config:1: services.Runner.instance_type: the instance type has no GPU but the code asks for one (bundle 1.0.0:1),"
            " on track blue (found cpu.large); name another instance type, or say resources.gpu outright",
        ),
    ),
    Row(
        "a batch limit of an API that is not batchable",
        Stack(
            decorator="{apis: {encode: {route: /encode}}}",
            config="{apis: {encode: {batching: {max_batch_size: 64}}}}",
        ),
        (
            "config:1: services.Runner.apis.encode.batching.max_batch_size: the bundle names no environment variable for this"
            " limit: the API is not batchable, on track blue (found 64);"
            " read the limit from a variable in the decorator, build, and create a new bundle",
        ),
    ),
    Row(
        "a batch limit that is fixed in the code",
        Stack(decorator=f"{{{ENCODE}}}", overrides=("{apis: {encode: {batching: {max_latency_ms: 100}}}}",)),
        (
            "overrides:2: services.Runner.apis.encode.batching.max_latency_ms: the bundle names no environment variable for this"
            " limit: the code fixes it (bundle 1.0.0:1), on track blue (found 100);"
            " read the limit from a variable in the decorator, build, and create a new bundle",
        ),
    ),
    Row(
        "a batch limit's variable that people name",
        Stack(
            decorator=f"{{{ENCODE}}}",
            config="{apis: {encode: {batching: {max_latency_ms: {value: 9, env: MINE}}}}}",
        ),
        (
            "config:1: services.Runner.apis.encode.batching.max_latency_ms.env: which variable the code reads is for the bundle"
            " to say, on track blue (found MINE); remove it, and say the number alone",
        ),
    ),
    Row(
        "an env said twice, as a batch limit and by name",
        Stack(decorator=f"{{{ENCODE}}}", config='{envs: {MAX_BATCH: "64"}}'),
        (
            "config:1: services.Runner.envs.MAX_BATCH: the variable is apis.encode.batching.max_batch_size already"
            " (bundle 1.0.0:1), on track blue (found 64); say apis.encode.batching.max_batch_size instead",
        ),
    ),
    Row(
        "min above max",
        Stack(environment="{scaling: {max_replicas: 2}}", overrides=("{scaling: {min_replicas: 3}}",)),
        (
            "overrides:2: services.Runner.scaling.min_replicas: min_replicas is above max_replicas, which is 2 (environment:1),"
            " on track blue (found 3); lower the one or raise the other",
        ),
    ),
    Row(
        "a memory limit below the request",
        Stack(decorator="{resources: {memory: 2Gi}}", config="{resources: {limits: {memory: 2000Mi}}}"),
        (
            "config:1: services.Runner.resources.limits.memory: the limit is below what is requested, which is 2Gi"
            " (bundle 1.0.0:1), on track blue (found 2000Mi); raise the limit or lower the request",
        ),
    ),
    Row(
        "a CPU limit below the request",
        Stack(decorator='{resources: {cpu: "1.5"}}', config="{resources: {limits: {cpu: 1499m}}}"),
        (
            "config:1: services.Runner.resources.limits.cpu: the limit is below what is requested, which is 1.5"
            " (bundle 1.0.0:1), on track blue (found 1499m); raise the limit or lower the request",
        ),
    ),
    Row(
        "a grace period that cuts requests off",
        Stack(
            chart="{termination: {preStopSeconds: 10, gracePeriodSeconds: 60}}",
            config="{traffic: {timeout: 50.5}}",
        ),
        (
            "config:1: services.Runner.traffic.timeout: a pod would be killed before its last requests end: pre_stop_seconds"
            " (10 s) and traffic.timeout come to 60.5 s, but termination.grace_period_seconds is 60 (chart:1), on track blue"
            " (found 50.5); shorten it, or say a longer grace period beside it",
        ),
    ),
    Row(
        "a grace period that ends with the last request",
        Stack(
            chart="{termination: {preStopSeconds: 10, gracePeriodSeconds: 60}}",
            config="{traffic: {timeout: 50}}",
        ),
        (
            "config:1: services.Runner.traffic.timeout: a pod would be killed before its last requests end: pre_stop_seconds"
            " (10 s) and traffic.timeout come to 60 s, but termination.grace_period_seconds is 60 (chart:1), on track blue"
            " (found 50); shorten it, or say a longer grace period beside it",
        ),
    ),
    Row(
        "a grace period that people made too short",
        Stack(decorator="{traffic: {timeout: 30}}", config="{termination: {grace_period_seconds: 20}}"),
        (
            "config:1: services.Runner.termination.grace_period_seconds: a pod would be killed before its last requests end:"
            " pre_stop_seconds (0 s) and traffic.timeout (bundle 1.0.0:1) come to 30 s, on track blue (found 20);"
            " raise it, or shorten the timeout",
        ),
    ),
    Row(
        "an image from a registry that the environment does not take",
        Stack(registries="registries: [other.example.com, registry.example.com/mlx]\n"),
        (
            "bundle 1.0.0:6: image.repository: the environment prod takes images from other.example.com,"
            " registry.example.com/mlx only (found 'registry.example.com/ml/app');"
            " push the image there, or add its registry at environment:5",
        ),
    ),
    Row(
        "a track with a bundle that there is not",
        Stack(release='stable: blue\ntracks: {blue: {bundle: "1.0.O", weight: 100}}'),
        ("release:2: tracks.blue.bundle: there is no bundles/app/1.0.O.yaml (found '1.0.O'); did you mean '1.0.0'?",),
    ),
    Row(
        "a previous bundle that there is not",
        Stack(release='stable: blue\nprevious: {bundle: "0.9.0"}\ntracks: {blue: {bundle: "1.0.0", weight: 100}}'),
        ("release:2: previous.bundle: there is no bundles/app/0.9.0.yaml (found '0.9.0'); use one of: 1.0.0",),
    ),
    Row(
        "a floor for a service that the track's bundle does not have",
        Stack(
            bundles=(("1.1.0", "Runner: {}"),),
            release=TWO_TRACKS.replace("weight: 0", "weight: 0, floor: {Runer: 2}") + "\ncandidate: green",
        ),
        ("release:2: tracks.green.floor.Runer: no such service in bundle 1.1.0 (found 'Runer'); did you mean 'Runner'?",),
    ),
    Row(
        "several rules at once are told at once",
        Stack(
            environment="{scaling: {max_replicas: 2}}",
            config="{instance_type: gpu, scaling: {min_replicas: 3}, apis: {nothing: null}}",
        ),
        (
            "config:1: services.Runner.apis.nothing: no such API in bundle 1.0.0 (found 'nothing'); remove it",
            "config:1: services.Runner.instance_type: no such instance type in environments/instance-types.yaml"
            " (found 'gpu'); use one of: cpu.large, cpu.small, gpu.small",
            "config:1: services.Runner.scaling.min_replicas: min_replicas is above max_replicas, which is 2 (environment:1),"
            " on track blue (found 3); lower the one or raise the other",
        ),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.rule)
def test_a_broken_rule_is_an_error_that_names_its_places(row: Row) -> None:
    with pytest.raises(InvalidInput) as caught:
        row.stack.resolve()
    assert [str(problem) for problem in caught.value.problems] == list(row.errors)


BORDERS = (
    Row("min equal to max", Stack(config="{scaling: {min_replicas: 3, max_replicas: 3}}"), ()),
    Row("a limit equal to the request", Stack(config="{resources: {memory: 2Gi, limits: {memory: 2048Mi}}}"), ()),
    Row(
        "a grace period that is just enough",
        Stack(chart="{termination: {preStopSeconds: 10, gracePeriodSeconds: 60}}", config="{traffic: {timeout: 49.9}}"),
        (),
    ),
    Row("an instance type with the GPU", Stack(decorator="{resources: {gpu: 1}}", config="{instance_type: gpu.small}"), ()),
    Row("an instance type without one where none is asked for", Stack(config="{instance_type: cpu.large}"), ()),
    Row("a registry that is named with its folder", Stack(registries="registries: [registry.example.com/ml]\n"), ()),
    Row("a host as the registry", Stack(registries="registries: [registry.example.com]\n"), ()),
    Row("a batch limit taken back", Stack(decorator=f"{{{ENCODE}}}", config="{apis: {encode: {batching: null}}}"), ()),
    Row("an env of the code taken back", Stack(decorator=f"{{{ENCODE}}}", config="{envs: {MAX_BATCH: null}}"), ()),
)


@pytest.mark.parametrize("row", BORDERS, ids=lambda row: row.rule)
def test_what_just_keeps_the_rule_is_allowed(row: Row) -> None:
    assert set(row.stack.resolve().tracks["blue"]) == {"Api", "Runner"}


def test_a_map_against_a_single_value_names_both_places() -> None:
    problems: list[Problem] = []
    low, high = parse("traffic: {timeout: 5}", "chart"), parse("traffic: fast", "config")
    merge([Entry("chart", low), Entry("environment", high)], "services.Runner", problems)
    assert [str(problem) for problem in problems] == [
        "config:1: services.Runner.traffic: a map against a single value: chart:1 (chart) says a mapping (found 'fast');"
        " make them the same kind, or take the lower one back with null"
    ]


def test_a_single_value_that_was_taken_back_does_not_clash_with_a_map() -> None:
    problems: list[Problem] = []
    texts = ("traffic: fast", "traffic: null", "traffic: {timeout: 5}")
    merge([Entry("environment", parse(text, "config")) for text in texts], "services.Runner", problems)
    assert problems == []
