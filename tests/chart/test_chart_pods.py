"""A track's Deployments: the process, its configuration, its limits and its rights."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from serving_chart import CI, DIGEST, Rendered, component, tickets, two_tracks

Render = Callable[..., Rendered]
APPLICATION_PODS = ("tickets-blue-tickets", "tickets-blue-embedder", "tickets-blue-tokenizer")


def test_each_component_is_a_process_that_names_all_its_dependencies(render: Render) -> None:
    found = render(tickets())
    start = ["start-http-server", "--service-name"]
    listen = ["--host", "0.0.0.0", "--port", "3000"]
    assert {name: found.container(name)["args"] for name in APPLICATION_PODS} == {
        "tickets-blue-tickets": [*start, "Tickets", *listen, "--depends", "Embedder=http://tickets-blue-embedder:3000"],
        "tickets-blue-embedder": [*start, "Embedder", *listen, "--depends", "Tokenizer=http://tickets-blue-tokenizer:3000"],
        "tickets-blue-tokenizer": [*start, "Tokenizer", *listen],
    }


def test_the_host_of_a_dependency_is_a_service_on_that_port_also_where_its_name_is_cut(render: Render) -> None:
    for file in CI:
        found = render(file)
        services = {each["metadata"]["name"]: each["spec"]["ports"] for each in found.all("Service")}
        for deployment in found.all("Deployment"):
            args = deployment["spec"]["template"]["spec"]["containers"][0]["args"]
            for place, argument in enumerate(args):
                if argument == "--depends":
                    host, port = args[place + 1].partition("=http://")[2].split(":")
                    assert [each["port"] for each in services[host]] == [int(port)]


def test_a_single_process_is_the_api_alone_with_the_configuration_and_batching_of_all(render: Render) -> None:
    batching = {"encode": {"route": "/encode", "batching": {"maxBatchSize": {"value": 64, "env": "MAX_BATCH_SIZE"}}}}
    found = render(tickets(mode="single", tracks=component("Embedder", apis=batching, traffic={"timeout": 7})))
    assert [each["metadata"]["name"] for each in found.all("Deployment")] == ["tickets-blue-tickets"]
    assert "--depends" not in found.container("tickets-blue-tickets")["args"]
    assert set(found.configuration("tickets-blue-tickets")) == {"Tickets", "Embedder", "Tokenizer"}
    assert found.configuration("tickets-blue-tickets")["Embedder"]["traffic"] == {"timeout": 7}
    assert found.environment("tickets-blue-tickets")["MAX_BATCH_SIZE"] == "64"


def test_settings_lie_over_the_role_s_defaults_and_zero_and_empty_count(render: Render) -> None:
    defaults = {"roles": {"runner": {"resources": {"gpu": 1}, "envs": {"LEVEL": "info", "KEPT": "1"}, "secrets": ["a", "b"]}}}
    own = component(
        "Embedder",
        resources={"gpu": 0, "memory": "3Gi"},
        envs={"LEVEL": ""},
        secrets=["c"],
        termination={"preStopSeconds": 0},
    )
    found = render(tickets(defaults=defaults, tracks=own))
    container = found.container("tickets-blue-embedder")
    assert container["resources"] == {"requests": {"cpu": "1", "memory": "3Gi"}, "limits": {"memory": "3Gi"}}
    assert found.environment("tickets-blue-embedder").items() >= {"LEVEL": "", "KEPT": "1"}.items()
    assert container["envFrom"] == [{"secretRef": {"name": "c"}}]
    assert "lifecycle" not in container
    assert found.pod("tickets-blue-embedder")["terminationGracePeriodSeconds"] == 60
    other = found.container("tickets-blue-tokenizer")
    assert other["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert other["lifecycle"] == {"preStop": {"sleep": {"seconds": 10}}}


@pytest.mark.parametrize(
    ("said", "requests", "limits"),
    [
        ({"cpu": "2", "memory": "1Gi"}, {"cpu": "2", "memory": "1Gi"}, {"memory": "1Gi"}),
        ({"cpu": "500m", "memory": "1Gi", "limits": {"memory": "2Gi"}}, {"cpu": "500m", "memory": "1Gi"}, {"memory": "2Gi"}),
        ({"cpu": "1", "memory": "1Gi", "limits": {"cpu": "4"}}, {"cpu": "1", "memory": "1Gi"}, {"cpu": "4", "memory": "1Gi"}),
        (
            {"cpu": "1", "memory": "1Gi", "gpu": 2},
            {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": "2"},
            {"memory": "1Gi", "nvidia.com/gpu": "2"},
        ),
    ],
)
def test_memory_is_limited_to_what_is_requested_and_cpu_only_where_it_is_said(
    render: Render, said: dict[str, object], requests: dict[str, str], limits: dict[str, str]
) -> None:
    found = render(tickets(tracks=component("Embedder", resources=said))).container("tickets-blue-embedder")["resources"]
    assert found == {"requests": requests, "limits": limits}


def test_the_configuration_is_found_by_its_variable_and_has_no_version(render: Render) -> None:
    found = render(tickets(tracks=component("Embedder", traffic={"timeout": 12.5, "maxConcurrency": 2_000_000}, workers=2)))
    container = found.container("tickets-blue-embedder")
    mount = next(each for each in container["volumeMounts"] if each["name"] == "configuration")
    assert found.environment("tickets-blue-embedder")["BENTOML_CONFIG"] == f"{mount['mountPath']}/bentoml.yaml"
    assert mount["readOnly"] is True
    volume = next(each for each in found.pod("tickets-blue-embedder")["volumes"] if each["name"] == "configuration")
    assert volume["configMap"]["name"] == "tickets-blue-embedder"
    assert found.configuration("tickets-blue-embedder") == {
        "Embedder": {
            "workers": 2,
            "traffic": {"timeout": 12.5, "max_concurrency": 2_000_000},
            "runner_probe": {"enabled": False},
            "metrics": {
                "enabled": True,
                "namespace": "bentoml_service",
                "duration": {"min": 0.002, "factor": 1.25, "max": 120.5},
            },
        },
        "Tokenizer": {"traffic": {"timeout": 30}},
    }
    assert "version" not in found.one("ConfigMap", "tickets-blue-embedder")["data"]["bentoml.yaml"]


@pytest.mark.parametrize(
    ("changed", "restarted"),
    [
        ({"traffic": {"maxConcurrency": 8}}, {"tickets-blue-embedder"}),
        ({"workers": 2}, {"tickets-blue-embedder"}),
        ({"traffic": {"timeout": 9}}, {"tickets-blue-embedder", "tickets-blue-tickets"}),  # its caller waits as long
        ({"traffic": {"concurrency": 9}}, set()),
        ({"scaling": {"maxReplicas": 9}}, set()),
    ],
)
def test_a_changed_configuration_restarts_those_who_read_it_and_no_other(
    render: Render, changed: dict[str, object], restarted: set[str]
) -> None:
    before, after = render(tickets()), render(tickets(tracks=component("Embedder", **changed)))
    templates = {name: before.one("Deployment", name)["spec"]["template"] for name in APPLICATION_PODS}
    assert {
        name for name in APPLICATION_PODS if after.one("Deployment", name)["spec"]["template"] != templates[name]
    } == restarted
    assert {name for name in APPLICATION_PODS if after.checksum(name) != before.checksum(name)} == restarted
    assert {name for name in APPLICATION_PODS if _of_pods(after, name) != _of_pods(before, name)} == restarted


def test_pods_that_differ_have_a_checksum_of_their_own(render: Render) -> None:
    """Whatever it is that differs: `observe` knows by nothing else whether what runs is what Git says."""
    before = render(tickets())
    for changed in ({"envs": {"LOG_LEVEL": "DEBUG"}}, {"resources": {"cpu": "3"}}, {"secrets": ["a-key"]}):
        after = render(tickets(tracks=component("Embedder", **changed)))
        assert {name for name in APPLICATION_PODS if _of_pods(after, name) != _of_pods(before, name)} == {"tickets-blue-embedder"}


def _of_pods(found: Rendered, deployment: str) -> str:
    return found.one("Deployment", deployment)["metadata"]["annotations"]["bento-gitops/pods"]


def test_the_checksum_is_that_of_the_component_s_own_file(render: Render) -> None:
    found = render(tickets())
    for name in APPLICATION_PODS:
        data = found.one("ConfigMap", name)["data"]["bentoml.yaml"]
        assert found.checksum(name) == hashlib.sha256(data.removesuffix("\n").encode()).hexdigest()


def test_batching_limits_reach_the_code_through_the_variables_that_it_reads(render: Render) -> None:
    limits = {"maxBatchSize": {"value": 1_000_000, "env": "MAX_BATCH_SIZE"}, "maxLatencyMs": {"env": "MAX_LATENCY_MS"}}
    found = render(tickets(tracks=component("Embedder", apis={"encode": {"route": "/encode", "batching": limits}})))
    assert found.environment("tickets-blue-embedder")["MAX_BATCH_SIZE"] == "1000000"
    assert "MAX_LATENCY_MS" not in found.environment("tickets-blue-embedder"), "no value: the image's own default holds"
    assert "MAX_BATCH_SIZE" not in found.environment("tickets-blue-tickets")


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_no_variable_is_named_twice(render: Render, file: object) -> None:
    for deployment in render(file).all("Deployment"):
        names = [entry["name"] for entry in deployment["spec"]["template"]["spec"]["containers"][0]["env"]]
        assert len(names) == len(set(names)) > 0


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_pods_meet_the_restricted_standard_and_write_only_to_their_own_volumes(render: Render, file: object) -> None:
    for deployment in render(file).all("Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
        assert pod["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 1034,
            "runAsGroup": 1034,
            "fsGroup": 1034,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        writable = {each["name"] for each in pod["volumes"] if "emptyDir" in each}
        paths = {each["mountPath"]: each["name"] for each in container["volumeMounts"] if each["name"] in writable}
        home = next(each["value"] for each in container["env"] if each["name"] == "BENTOML_HOME")
        assert set(paths) == {"/tmp", home}
        assert not home.startswith("/home/bentoml"), "the Bento is there"
        assert all("sizeLimit" in each["emptyDir"] for each in pod["volumes"] if "emptyDir" in each)


def test_the_image_is_named_by_digest(render: Render) -> None:
    assert render(tickets()).container("tickets-blue-embedder")["image"] == f"registry.example.com/ml/tickets@{DIGEST}"


def test_probes_ask_readiness_for_start_and_traffic_and_liveness_for_restarts(render: Render) -> None:
    probes = {"readiness": {"periodSeconds": 9}}
    container = render(tickets(tracks=component("Embedder", probes=probes))).container("tickets-blue-embedder")
    asked = {kind: container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")}
    assert {kind: probe["httpGet"]["path"] for kind, probe in asked.items()} == {
        "startup": "/readyz",
        "readiness": "/readyz",
        "liveness": "/livez",
    }
    assert (asked["readiness"]["periodSeconds"], asked["readiness"]["failureThreshold"]) == (9, 3)


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_an_update_never_lacks_a_pod_and_waits_longer_than_the_model_takes(render: Render, file: object) -> None:
    for deployment in render(file).all("Deployment"):
        spec = deployment["spec"]
        assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "25%"}
        startup = spec["template"]["spec"]["containers"][0].get("startupProbe", {"periodSeconds": 0, "failureThreshold": 0})
        assert spec["progressDeadlineSeconds"] > startup["periodSeconds"] * startup["failureThreshold"] + spec["minReadySeconds"]


def test_placement_chooses_nodes(render: Render) -> None:
    placement = {
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "priorityClass": "online",
    }
    pod = render(tickets(tracks=component("Embedder", placement=placement))).pod("tickets-blue-embedder")
    assert pod["nodeSelector"] == {"pool": "gpu"}
    assert pod["tolerations"] == placement["tolerations"]
    assert pod["priorityClassName"] == "online"


def test_pods_of_a_component_spread_over_nodes_and_zones_where_they_can(render: Render) -> None:
    deployment = render(tickets()).one("Deployment", "tickets-blue-embedder")
    spread = deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]
    assert [each["topologyKey"] for each in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    for each in spread:
        assert each["whenUnsatisfiable"] == "ScheduleAnyway"
        assert each["labelSelector"] == deployment["spec"]["selector"]


def test_the_number_of_pods_is_the_autoscaler_s_alone_also_where_it_is_fixed(render: Render) -> None:
    found = render(tickets(tracks=component("Embedder", scaling={"minReplicas": 3, "maxReplicas": 3})))
    for name in APPLICATION_PODS:
        assert "replicas" not in found.one("Deployment", name)["spec"]
    scaler = found.one("HorizontalPodAutoscaler", "tickets-blue-embedder")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (3, 3)
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "tickets-blue-embedder"}


def test_a_cold_standby_keeps_its_objects_but_has_no_pods_autoscaler_or_budget(render: Render) -> None:
    found = render(two_tracks(tracks={"blue": {"weight": 100}, "green": {"weight": 0, "capacity": "cold"}}))
    for name in APPLICATION_PODS:
        cold = name.replace("blue", "green")
        assert found.one("Deployment", cold)["spec"]["replicas"] == 0
        assert "replicas" not in found.one("Deployment", name)["spec"]
    for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget"):
        assert {each["metadata"]["name"] for each in found.all(kind)} == set(APPLICATION_PODS)
    warm = render(two_tracks(tracks={"blue": {"weight": 100}, "green": {"weight": 0, "capacity": "warm"}}))
    assert len(list(warm.all("HorizontalPodAutoscaler"))) == 6


def test_the_autoscalers_of_a_warm_standby_say_so_and_no_others(render: Render) -> None:
    warm = render(two_tracks(tracks={"blue": {"weight": 100}, "green": {"weight": 0, "capacity": "warm"}}))
    said = {
        scaler["metadata"]["name"]: scaler["metadata"]["labels"].get("bento-gitops/capacity")
        for scaler in warm.all("HorizontalPodAutoscaler")
    }
    assert {name: value for name, value in said.items() if "-green-" in name} == dict.fromkeys(
        (name for name in said if "-green-" in name), "warm"
    )
    assert {value for name, value in said.items() if "-blue-" in name} == {None}


def test_a_budget_lets_one_pod_go_and_unready_ones_always(render: Render) -> None:
    found = render(tickets())
    budget = found.one("PodDisruptionBudget", "tickets-blue-embedder")["spec"]
    assert budget == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": found.one("Deployment", "tickets-blue-embedder")["spec"]["selector"],
    }
