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
        "an instance type with fewer GPUs than the code asks for",
        Stack(decorator="{resources: {gpu: 2}}", config="{instance_type: gpu.small}"),
        (
            "config:1: services.Runner.instance_type: the instance type has a GPU but the code asks for 2 (bundle 1.0.0:1),"
            " on track blue (found gpu.small); name another instance type, or say resources.gpu outright",
        ),
    ),
    Row(
        "a GPU for a runner that has no pods of its own",
        Stack(decorator="{resources: {gpu: 1}}", files={"config": "mode: single"}),
        (
            "bundle 1.0.0:1: services.Runner.resources.gpu: the application runs in mode single (config:1), where the pods are"
            " those of Api, which has no GPU, on track blue (found 1); give the GPU to Api, or use mode split",
        ),
    ),
    Row(
        "more GPUs for a runner than the api's pods have",
        Stack(files={"config": "mode: single\nservices: {Api: {resources: {gpu: 1}}, Runner: {resources: {gpu: 2}}}"}),
        (
            "config:2: services.Runner.resources.gpu: the application runs in mode single (config:1), where the pods are"
            " those of Api, which has a GPU, on track blue (found 2); give the GPU to Api, or use mode split",
        ),
    ),
    Row(
        "weights that nothing splits",
        Stack(
            bundles=(("1.1.0", "Runner: {}"),),
            release='stable: blue\ncandidate: green\ntracks:\n  blue: {bundle: "1.0.0", weight: 90}\n'
            '  green: {bundle: "1.1.0", weight: 10, ready_for: 10}',
        ),
        (
            "release:5: tracks.green.weight: nothing splits requests here: routing.controller is none (environment:4)"
            " (found 10); give one track 100, or use a controller that splits",
        ),
    ),
    Row(
        "a variable that the chart sets",
        Stack(config="{envs: {BENTOML_HOME: /data}}"),
        (
            "config:1: services.Runner.envs.BENTOML_HOME: the chart itself sets this variable, on track blue (found /data);"
            " remove it",
        ),
    ),
    Row(
        "a variable of the code that the chart sets",
        Stack(decorator="{envs: {BENTOML_CONFIG: mine.yaml}}"),
        (
            "bundle 1.0.0:1: services.Runner.envs.BENTOML_CONFIG: the chart itself sets this variable, on track blue"
            " (found mine.yaml); take it out of the code, build, and create a new bundle",
        ),
    ),
    Row(
        "a call that leads nowhere",
        Stack(config="{egress: {store: {ports: [443]}}}"),
        (
            "config:1: services.Runner.egress.store: names no place, on track blue (found [443]);"
            " add a cidr, or pods (namespace, pod_labels)",
        ),
    ),
    Row(
        "a call to a network and to pods at once",
        Stack(environment="{egress: {store: {namespace: stores}}}", config="{egress: {store: {cidr: 10.0.0.0/8}}}"),
        (
            "config:1: services.Runner.egress.store.cidr: a network and pods at once; the pods stand at environment:1,"
            " on track blue (found 10.0.0.0/8); keep one, or give the other a name of its own",
        ),
    ),
    Row(
        "two limits of one variable with two values",
        Stack(
            decorator="{apis: {a: {route: /a, batching: {max_batch_size: {default: 8, env: MAX}, max_latency_ms: 9}},"
            " b: {route: /b, batching: {max_batch_size: {default: 8, env: MAX}, max_latency_ms: 9}}}}",
            config="{apis: {a: {batching: {max_batch_size: 16}}}}",
        ),
        (
            "config:1: services.Runner.apis.a.batching.max_batch_size: follows the variable MAX, as"
            " apis.b.batching.max_batch_size does, which is 8 (bundle 1.0.0:1), on track blue (found 16);"
            " give both the same value, or a variable each in the code",
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
    Row("a place to call taken back", Stack(environment="{egress: {a: {ports: [1]}}}", config="{egress: {a: null}}"), ()),
    Row(
        "one variable for two limits of one value",
        Stack(
            decorator="{apis: {a: {route: /a, batching: {max_batch_size: {default: 8, env: MAX}, max_latency_ms: 9}},"
            " b: {route: /b, batching: {max_batch_size: {default: 8, env: MAX}, max_latency_ms: 9}}}}",
            config="{apis: {a: {batching: {max_batch_size: 16}}, b: {batching: {max_batch_size: 16}}}}",
        ),
        (),
    ),
    Row(
        "a runner's GPU in single mode that the api's pods have",
        Stack(files={"config": "mode: single\nservices: {Api: {resources: {gpu: 1}}, Runner: {resources: {gpu: 1}}}"}),
        (),
    ),
    Row("an env of the code taken back", Stack(decorator=f"{{{ENCODE}}}", config="{envs: {MAX_BATCH: null}}"), ()),
)


@pytest.mark.parametrize("row", BORDERS, ids=lambda row: row.rule)
def test_what_just_keeps_the_rule_is_allowed(row: Row) -> None:
    assert set(row.stack.resolve().tracks["blue"]) == {"Api", "Runner"}


def test_what_is_said_of_a_runners_pods_in_single_mode_is_noted() -> None:
    stack = Stack(
        files={
            "config": "mode: single\nservices:\n  Api: {scaling: {max_replicas: 2}}\n"
            "  Runner: {scaling: {max_replicas: 2}, workers: 2, resources: null}"
        },
        environment="{scaling: {max_replicas: 3}}",
        overrides=("{placement: {priority_class: high}}",),
    )
    why = "has no effect: the application runs in mode single (config:1), and the pods are its api's"
    assert stack.resolve().notes == (
        f"config:4: services.Runner.scaling: {why}",
        f"overrides:2: services.Runner.placement: {why}",
    )


def test_an_api_that_no_service_of_a_role_has_is_noted() -> None:
    stack = Stack(decorator=f"{{{ENCODE}}}", environment="{apis: {encode: null, encod: null}}")
    assert stack.resolve().notes == (
        "environment:1: defaults.roles.runner.apis.encod: no runner of this release has such an API",
    )


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
