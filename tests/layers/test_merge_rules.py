"""Each merge rule as rows: what the layers say, what comes out, and what is known of where it comes from."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from bento_gitops.layers.merging import ABSENT, leaf_at
from stack import ENCODE, STEADY, TWO_TRACKS, Stack, said


@dataclass(frozen=True)
class Row:
    rule: str
    stack: Stack
    path: str
    value: object
    said: tuple[str, ...]
    track: str = "blue"


EVERY_LAYER = Stack(
    chart="{workers: 1}",
    decorator="{workers: 2}",
    base="{workers: 3}",
    environment="{workers: 4}",
    application="{workers: 5}",
    base_config="{workers: 6}",
    config="{workers: 7}",
    bundle_config="{workers: 8}",
    overrides=("{workers: 9}", "{workers: 10}"),
)
BELOW = ("config:1 7 hidden", "base_config:1 6 hidden", "application:1 5 hidden", "environment:1 4 hidden")
LOWEST = ("base:1 3 hidden", "bundle 1.0.0:1 2 hidden", "chart:1 1 hidden")
GONE = tuple(line.replace("hidden", "taken back") for line in (*BELOW, "base:1 3 hidden"))

ROWS = (
    Row(
        "scalars replace, from the chart to the last override",
        EVERY_LAYER,
        "workers",
        10,
        ("overrides:6 10 in force", "overrides:2 9 hidden", "config:2 8 hidden", *BELOW, *LOWEST),
    ),
    Row(
        "maps merge deeply: one key does not hide its neighbours",
        Stack(decorator="{traffic: {timeout: 10, max_concurrency: 64}}", config="{traffic: {timeout: 15}}"),
        "traffic.max_concurrency",
        64,
        ("bundle 1.0.0:1 64 in force",),
    ),
    Row(
        "lists replace as a whole",
        Stack(environment="{secrets: [a, b]}", config="{secrets: [c]}"),
        "secrets",
        ["c"],
        ("config:1 ['c'] in force", "environment:1 ['a', 'b'] hidden"),
    ),
    Row(
        "an empty list replaces too",
        Stack(environment="{secrets: [a]}", config="{secrets: []}"),
        "secrets",
        [],
        ("config:1 [] in force", "environment:1 ['a'] hidden"),
    ),
    Row(
        "envs merge by name, as a map",
        Stack(decorator="{envs: {A: code, B: code}}", config="{envs: {A: people}}"),
        "envs.B",
        "code",
        ("bundle 1.0.0:1 code in force",),
    ),
    Row(
        "envs merge by name, as BentoCloud's list",
        Stack(decorator="{envs: {A: code, B: code}}", config="{envs: [{name: A, value: people}]}"),
        "envs.A",
        "people",
        ("config:1 people in force", "bundle 1.0.0:1 code hidden"),
    ),
    Row(
        "an env is emptied with empty text",
        Stack(decorator="{envs: {A: code}}", config='{envs: {A: ""}}'),
        "envs.A",
        "",
        ("config:1  in force", "bundle 1.0.0:1 code hidden"),
    ),
    Row(
        "metrics merge by type, as a map",
        Stack(environment="{scaling: {metrics: {cpu: {value: 70}}}}", config="{scaling: {metrics: {memory: {value: 80}}}}"),
        "scaling.metrics.cpu.value",
        70,
        ("environment:1 70 in force",),
    ),
    Row(
        "metrics merge by type, as BentoCloud's list",
        Stack(environment="{scaling: {metrics: {cpu: {value: 70}}}}", config="{scaling: {metrics: [{type: cpu, value: 50}]}}"),
        "scaling.metrics.cpu.value",
        50,
        ("config:1 50 in force", "environment:1 70 hidden"),
    ),
    Row(
        "a metric is removed with null",
        Stack(environment="{scaling: {metrics: {cpu: {value: 70}}}}", config="{scaling: {metrics: {cpu: null}}}"),
        "scaling.metrics.cpu.value",
        ABSENT,
        ("config:1 null takes back", "environment:1 70 taken back"),
    ),
    Row(
        "config_overrides is read as what it overrides",
        Stack(decorator="{traffic: {timeout: 10}}", config="{config_overrides: {traffic: {timeout: 15}}}"),
        "traffic.timeout",
        15,
        ("config:1 15 in force", "bundle 1.0.0:1 10 hidden"),
    ),
    Row(
        "config_overrides may hold BentoCloud's list of envs",
        Stack(config="{config_overrides: {envs: [{name: A, value: x}]}}"),
        "envs.A",
        "x",
        ("config:1 x in force",),
    ),
    Row(
        "scaling.policy is read as scaling",
        Stack(config="{scaling: {policy: {scale_up_stabilization_window: 60, metrics: [{type: memory, value: 60}]}}}"),
        "scaling.metrics.memory.value",
        60,
        ("config:1 60 in force",),
    ),
    Row(
        "a batch limit is the value of the variable that the bundle names",
        Stack(decorator=f"{{{ENCODE}}}", config="{apis: {encode: {batching: {max_batch_size: 64}}}}"),
        "apis.encode.batching.max_batch_size.value",
        64,
        ("config:1 64 in force", "bundle 1.0.0:1 32 hidden"),
    ),
    Row(
        "the variable of a batch limit stays the bundle's",
        Stack(decorator=f"{{{ENCODE}}}", config="{apis: {encode: {batching: {max_batch_size: 64}}}}"),
        "apis.encode.batching.max_batch_size.env",
        "MAX_BATCH",
        ("bundle 1.0.0:1 MAX_BATCH in force",),
    ),
    Row(
        "an instance type sets resources as one unit",
        Stack(
            chart='{resources: {cpu: "1", memory: 1Gi}}',
            decorator='{resources: {cpu: "2", memory: 2Gi, limits: {memory: 3Gi}}}',
            config="{instance_type: cpu.large}",
        ),
        "resources.cpu",
        "4",
        (
            "config:1 4 in force (instance_type cpu.large, types:2)",
            "bundle 1.0.0:1 2 replaced",
            "chart:1 1 replaced",
        ),
    ),
    Row(
        "an instance type hides what it does not say itself",
        Stack(decorator="{resources: {limits: {memory: 3Gi}}}", config="{instance_type: cpu.large}"),
        "resources.limits.memory",
        ABSENT,
        ("config:1 null replaces what is below (instance_type cpu.large, types:2)", "bundle 1.0.0:1 3Gi replaced"),
    ),
    Row(
        "an instance type hides the placement of lower files",
        Stack(environment="{placement: {node_selector: {zone: a}}}", config="{instance_type: cpu.small}"),
        "placement.node_selector.zone",
        ABSENT,
        ("config:1 null replaces what is below (instance_type cpu.small, types:3)", "environment:1 a replaced"),
    ),
    Row(
        "resources beside an instance type are on top, by key",
        Stack(config="{instance_type: cpu.large, resources: {memory: 12Gi}}"),
        "resources.memory",
        "12Gi",
        (
            "config:1 12Gi in force",
            "config:1 8Gi hidden (instance_type cpu.large, types:2)",
        ),
    ),
    Row(
        "resources in a higher layer are on top of an instance type",
        Stack(config="{instance_type: cpu.large}", overrides=("{resources: {memory: 12Gi}}",)),
        "resources.memory",
        "12Gi",
        (
            "overrides:2 12Gi in force",
            "config:1 8Gi hidden (instance_type cpu.large, types:2)",
        ),
    ),
    Row(
        "resources in a lower file of the same layer are hidden by an instance type",
        Stack(environment="{resources: {memory: 12Gi}}", config="{instance_type: cpu.large}"),
        "resources.memory",
        "8Gi",
        (
            "config:1 8Gi in force (instance_type cpu.large, types:2)",
            "environment:1 12Gi replaced",
        ),
    ),
    Row(
        "a higher instance type replaces a lower one, placement and all",
        Stack(environment="{instance_type: cpu.large}", config="{instance_type: cpu.small}"),
        "placement.node_selector.pool",
        None,
        (),
    ),
    Row(
        "which instance type is in force is known as any other value",
        Stack(environment="{instance_type: cpu.large}", config="{instance_type: cpu.small}"),
        "instance_type",
        "cpu.small",
        ("config:1 cpu.small in force", "environment:1 cpu.large hidden"),
    ),
    Row(
        "null takes an instance type back, and the code's resources apply again",
        Stack(decorator='{resources: {cpu: "2"}}', config="{instance_type: cpu.large}", overrides=("{instance_type: null}",)),
        "resources.cpu",
        "2",
        ("bundle 1.0.0:1 2 in force",),
    ),
    Row(
        "null at a key takes back what an instance type says of it, and the code's value applies again",
        Stack(decorator='{resources: {cpu: "2"}}', config="{instance_type: cpu.large}", overrides=("{resources: {cpu: null}}",)),
        "resources.cpu",
        "2",
        (
            "overrides:2 null takes back",
            "config:1 4 taken back (instance_type cpu.large, types:2)",
            "config:1 null taken back (instance_type cpu.large, types:2)",
            "bundle 1.0.0:1 2 in force",
        ),
    ),
    Row(
        "null takes back what people said, down to the code",
        EVERY_LAYER.but(overrides=("{workers: 9}", "{workers: null}")),
        "workers",
        2,
        (
            "overrides:6 null takes back",
            "overrides:2 9 taken back",
            "config:2 8 taken back",
            *GONE,
            "bundle 1.0.0:1 2 in force",
            "chart:1 1 hidden",
        ),
    ),
    Row(
        "null takes back down to the chart where the code says nothing",
        Stack(chart="{workers: 1}", config="{workers: 7}", overrides=("{workers: null}",)),
        "workers",
        1,
        ("overrides:2 null takes back", "config:1 7 taken back", "chart:1 1 in force"),
    ),
    Row(
        "what is said above a null counts",
        Stack(environment="{workers: 4}", config="{workers: null}", overrides=("{workers: 9}",)),
        "workers",
        9,
        ("overrides:2 9 in force", "config:1 null takes back", "environment:1 4 taken back"),
    ),
    Row(
        "null over a map takes back every leaf below it",
        Stack(decorator="{traffic: {timeout: 10}}", environment="{traffic: {timeout: 20}}", config="{traffic: null}"),
        "traffic.timeout",
        10,
        ("config:1 null takes back", "environment:1 20 taken back", "bundle 1.0.0:1 10 in force"),
    ),
    Row(
        "null over a map does not hide what is said above it",
        Stack(environment="{traffic: {timeout: 20}}", config="{traffic: null}", overrides=("{traffic: {timeout: 30}}",)),
        "traffic.timeout",
        30,
        ("overrides:2 30 in force", "config:1 null takes back", "environment:1 20 taken back"),
    ),
    Row(
        "null at a component takes back all that people said of it",
        EVERY_LAYER.but(base="", base_config="", bundle_config="", overrides=("null",)),
        "workers",
        2,
        (
            "overrides:2 null takes back",
            "config:1 7 taken back",
            "application:1 5 taken back",
            "environment:1 4 taken back",
            "bundle 1.0.0:1 2 in force",
            "chart:1 1 hidden",
        ),
    ),
    Row(
        "null at a component takes back its instance type",
        Stack(decorator='{resources: {cpu: "2"}}', config="{instance_type: cpu.large}", overrides=("null",)),
        "resources.cpu",
        "2",
        ("overrides:2 null takes back", "bundle 1.0.0:1 2 in force"),
    ),
    Row(
        "a null of the chart's says nothing",
        Stack(chart="{workers: null}", config="{workers: 2}"),
        "workers",
        2,
        ("config:1 2 in force",),
    ),
    Row(
        "a null of the code's says nothing",
        Stack(chart='{resources: {cpu: "1"}}', decorator="{resources: null}"),
        "resources.cpu",
        "1",
        ("chart:1 1 in force",),
    ),
    Row(
        "what is said for one bundle holds on its track",
        Stack(
            config="{workers: 7}",
            bundle_config="{workers: 8}",
            bundles=(("1.1.0", "Runner: {}"),),
            release=TWO_TRACKS,
        ),
        "workers",
        8,
        ("config:2 8 in force", "config:1 7 hidden"),
    ),
    Row(
        "what is said for one bundle does not hold on another's track",
        Stack(
            config="{workers: 7}",
            bundle_config="{workers: 8}",
            bundles=(("1.1.0", "Runner: {}"),),
            release=TWO_TRACKS,
        ),
        "workers",
        7,
        ("config:1 7 in force",),
        track="green",
    ),
    Row(
        "an environment inherits defaults and config of the one it extends",
        Stack(base="{workers: 3, traffic: {timeout: 5}}", base_config="{workers: 6}", environment="{traffic: {timeout: 6}}"),
        "workers",
        6,
        ("base_config:1 6 in force", "base:1 3 hidden"),
    ),
    Row(
        "a GPU that the code asks for comes with the instance type",
        Stack(decorator="{resources: {gpu: 1}}", config="{instance_type: gpu.small}"),
        "resources.gpu",
        1,
        (
            "config:1 1 in force (instance_type gpu.small, types:4)",
            "bundle 1.0.0:1 1 replaced",
        ),
    ),
    Row(
        "a GPU is given up outright with resources.gpu",
        Stack(decorator="{resources: {gpu: 1}}", config="{instance_type: cpu.large, resources: {gpu: 0}}"),
        "resources.gpu",
        0,
        (
            "config:1 0 in force",
            "config:1 null replaces what is below (instance_type cpu.large, types:2)",
            "bundle 1.0.0:1 1 replaced",
        ),
    ),
    Row(
        "a GPU is gained outright with resources.gpu",
        Stack(config="{instance_type: gpu.small, resources: {gpu: 1}}"),
        "resources.gpu",
        1,
        (
            "config:1 1 in force",
            "config:1 1 hidden (instance_type gpu.small, types:4)",
        ),
    ),
    Row(
        "without an instance type resources.gpu is enough",
        Stack(config="{resources: {gpu: 2}}"),
        "resources.gpu",
        2,
        ("config:1 2 in force",),
    ),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.rule)
def test_a_merge_rule_gives_its_value_and_tells_where_it_comes_from(row: Row) -> None:
    leaf = row.stack.leaf(*row.path.split("."), track=row.track)
    assert said(leaf) == list(row.said)
    assert (None if leaf is None else leaf.value) == row.value


def test_each_statement_carries_the_layer_of_its_file() -> None:
    leaf = EVERY_LAYER.leaf("workers")
    assert leaf is not None
    layers = {statement.place.file: statement.layer for statement in leaf.said}
    assert layers == {
        "overrides": "runtime",
        **dict.fromkeys(("config", "base_config", "application", "environment", "base"), "environment"),
        "bundle 1.0.0": "decorator",
        "chart": "chart",
    }


def test_labels_of_an_application_merge_by_key_and_are_taken_back_with_null() -> None:
    stack = Stack(
        app_labels={
            "base": "{tenant: t0, region: r0}",
            "environment": "{tenant: t1}",
            "application": "{owner: o1, tenant: t2}",
            "config": "{owner: o2, tenant: null}",
        },
        base="{workers: 1}",
    )
    application = stack.resolve().application
    values = {key: leaf_at(application, ("labels", key)) for key in ("tenant", "region", "owner")}
    assert {key: leaf.value for key, leaf in values.items() if leaf} == {"tenant": ABSENT, "region": "r0", "owner": "o2"}
    assert said(values["tenant"]) == [
        "config:1 null takes back",
        "application:1 t2 taken back",
        "environment:1 t1 taken back",
        "base:1 t0 taken back",
    ]


def test_the_api_gets_the_defaults_of_its_role_and_a_runner_those_of_its_own() -> None:
    resolution = Stack(environment="{workers: 4}").resolve()
    assert leaf_at(resolution.tracks["blue"]["Runner"], ("workers",)) is not None
    assert leaf_at(resolution.tracks["blue"]["Api"], ("workers",)) is None


def test_a_service_of_one_bundle_only_applies_there_and_is_noted() -> None:
    stack = Stack(
        files={"config": "services: {Ranker: {workers: 3}}"},
        bundles=(("1.1.0", "Runner: {}, Ranker: {}"),),
        release=TWO_TRACKS,
    )
    resolution = stack.resolve()
    assert resolution.notes == ("config:1: services.Ranker: applies to 1.1.0; there is no such service in 1.0.0",)
    assert "Ranker" not in resolution.tracks["blue"]
    assert said(leaf_at(resolution.tracks["green"]["Ranker"], ("workers",))) == ["config:1 3 in force"]


def test_a_service_of_the_previous_bundle_may_still_be_named() -> None:
    stack = Stack(
        files={"config": "services: {Ranker: {workers: 3}}"},
        bundles=(("0.9.0", "Ranker: {}"),),
        release=f'{STEADY}\nprevious: {{bundle: "0.9.0"}}',
    )
    assert stack.resolve().notes == ("config:1: services.Ranker: applies to 0.9.0; there is no such service in 1.0.0",)


def test_what_is_said_for_a_bundle_that_no_track_runs_is_noted() -> None:
    stack = Stack(
        files={"config": 'bundles: {"0.9.0": {services: {Gone: {workers: 3}}}, "1.0.O": {services: {Runner: {workers: 3}}}}'},
        bundles=(("0.9.0", "Runner: {}"),),
    )
    assert stack.resolve().notes == (
        'config:1: bundles."0.9.0": no track runs this bundle; remove this part',
        "config:1: bundles.\"1.0.O\": no track runs this bundle; did you mean '1.0.0'?",
    )


def test_what_config_says_of_an_api_applies_to_the_bundles_that_have_it() -> None:
    stack = Stack(
        decorator=f"{{{ENCODE}}}",
        config="{apis: {encode: {batching: {max_batch_size: 64}}}}",
        bundles=(("1.1.0", "Runner: {apis: {embed: {route: /embed}}}"),),
        release=TWO_TRACKS,
    )
    path = ("apis", "encode", "batching", "max_batch_size", "value")
    assert said(stack.leaf(*path)) == ["config:1 64 in force", "bundle 1.0.0:1 32 hidden"]
    assert stack.leaf(*path, track="green") is None
