"""What only an API server is asked: updates, debugging, and what controllers make, under the repository's policies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from api_server import ApiServer, until
from conftest import ROOT, run

POLICIES = ROOT / "policies"
CANARY = "nginx.ingress.kubernetes.io/canary"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    one = ApiServer()
    try:
        yield one
    finally:
        one.close()


def _resource(path: str) -> Any:
    return yaml.safe_load((POLICIES / path).read_text())


def _enforced(server: ApiServer, policy: str, namespace: str) -> None:
    """In force, and asked: a bad resource of the policy is refused."""
    folder = POLICIES / policy
    said = _resource(f"{policy}/parameters.yaml") if (folder / "parameters.yaml").exists() else {}
    name = server.enforce(policy, _resource(f"{policy}/policy.yaml")["spec"], namespace, said)
    bad = yaml.safe_load(min(folder.glob("bad/*.yaml")).read_text())
    until(lambda: name in server.judge("POST", bad, namespace).refused, f"{policy} is asked in {namespace}")


def _reading_routes(server: ApiServer, policy: str, namespace: str) -> None:
    """In force; what shows that it is asked is the caller's to await."""
    said = _resource(f"{policy}/policy.yaml")
    server.enforce(policy, said["spec"], namespace, None, said["metadata"]["annotations"]["bento-gitops/parameters"])


def _changed(server: ApiServer, path: str, **fields: Any) -> str:
    """What the server says when the object there gets other fields of its metadata or spec; empty if it lets it."""
    found = server.ask("GET", path).body
    for part, more in fields.items():
        found[part] = {**found[part], **more}
    return server.ask("PUT", f"{path}?dryRun=All", found).refused


def _pods(server: ApiServer, namespace: str) -> list[Any]:
    return server.ask("GET", f"/api/v1/namespaces/{namespace}/pods").body["items"]


def test_what_was_let_in_before_a_policy_denied_may_be_synced_as_it_is_but_not_changed(server: ApiServer) -> None:
    namespace = server.namespace("before")
    deployment = _resource("image-by-digest/bad/by-tag.yaml")
    path = f"{server.path(deployment, namespace)}/{deployment['metadata']['name']}"
    server.make(path.rpartition("/")[0], deployment)
    _enforced(server, "image-by-digest", namespace)
    assert not _changed(server, path, metadata={"annotations": {"touched": "yes"}})
    assert "an image is named by digest" in _changed(server, path, spec={"minReadySeconds": 7})


def test_a_pod_that_a_controller_makes_again_is_not_judged_again_and_nobody_else_passes_for_one(server: ApiServer) -> None:
    """Else a node that is drained after a policy got stricter would end an application that nobody touched."""
    namespace = server.namespace("controllers")
    deployment = _resource("image-by-digest/bad/by-tag.yaml")
    server.make(server.path(deployment, namespace), deployment)
    until(lambda: len(_pods(server, namespace)) == 1, "the Deployment has a pod")
    (first,) = _pods(server, namespace)
    _enforced(server, "image-by-digest", namespace)
    server.ask("DELETE", f"/api/v1/namespaces/{namespace}/pods/{first['metadata']['name']}?gracePeriodSeconds=0")
    until(
        lambda: [pod for pod in _pods(server, namespace) if pod["metadata"]["uid"] != first["metadata"]["uid"]] != [],
        "its controller made another pod",
    )
    owner = first["metadata"]["ownerReferences"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "by-hand", "ownerReferences": owner},
        "spec": deployment["spec"]["template"]["spec"],
    }
    assert "an image is named by digest" in server.judge("POST", pod, namespace).refused


def test_a_container_for_debugging_is_judged_and_the_pod_that_it_joins_is_not(server: ApiServer) -> None:
    namespace = server.namespace("debugging")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "served"},
        "spec": _resource("image-by-digest/bad/by-tag.yaml")["spec"]["template"]["spec"],
    }
    server.make(f"/api/v1/namespaces/{namespace}/pods", pod)
    _enforced(server, "image-by-digest", namespace)
    path = f"/api/v1/namespaces/{namespace}/pods/served"

    def debugged(image: str) -> str:
        found = server.ask("GET", path).body
        found["spec"]["ephemeralContainers"] = [{"name": "debugger", "image": image, "terminationMessagePolicy": "File"}]
        return server.ask("PUT", f"{path}/ephemeralcontainers?dryRun=All", found).refused

    assert "an image is named by digest" in (said := debugged("busybox"))
    assert "found busybox)" in said, "the pod's own image is not what was asked about"
    assert not debugged("registry.example.com/ml/debug@sha256:" + "1" * 64)


def test_our_label_cannot_be_taken_off_to_get_out_of_sight(server: ApiServer) -> None:
    namespace = server.namespace("labels")
    service = _resource("required-labels/good/service.yaml")
    server.make(server.path(service, namespace), service)
    _enforced(server, "required-labels", namespace)
    path = f"{server.path(service, namespace)}/{service['metadata']['name']}"
    kept = {key: value for key, value in service["metadata"]["labels"].items() if key != "bento-gitops/application"}
    assert "missing: bento-gitops/application" in _changed(server, path, metadata={"labels": kept})


def test_a_live_track_cannot_be_relabelled_and_then_deleted(server: ApiServer) -> None:
    namespace = server.namespace("relabelled")
    route, deployment = _resource("weighted-track-stays/given/route.yaml"), _resource("weighted-track-stays/bad/stable.yaml")
    paths = {one["kind"]: f"{server.path(one, namespace)}/{one['metadata']['name']}" for one in (route, deployment)}
    for one in (route, deployment):
        server.make(server.path(one, namespace), one)
    _reading_routes(server, "weighted-track-stays", namespace)
    deleted = f"{paths['Deployment']}?dryRun=All"
    until(lambda: "so nothing of it is deleted" in server.ask("DELETE", deleted).refused, "a live track stays")
    ways = {
        "Deployment": [
            {**deployment["metadata"]["labels"], "bento-gitops/track": "standby"},
            {"bento-gitops/application": "x"},
            {},
        ],
        "HTTPRoute": [{"bento-gitops/application": "search"}, {}],
    }
    for kind, labels in ((kind, labels) for kind, every in ways.items() for labels in every):
        assert not _changed(server, paths[kind], metadata={"labels": labels}), "this is a way round, without labels-stay"
    server.enforce("labels-stay", _resource("labels-stay/policy.yaml")["spec"], namespace, None)
    until(
        lambda: "labels that policies go by stay" in _changed(server, paths["Deployment"], metadata={"labels": {}}),
        "labels-stay is asked",
    )
    for kind, labels in ((kind, labels) for kind, every in ways.items() for labels in every):
        assert "labels that policies go by stay" in _changed(server, paths[kind], metadata={"labels": labels}), (kind, labels)


def test_a_live_track_is_not_called_warm_to_get_below_its_minimum(server: ApiServer) -> None:
    namespace = server.namespace("warm")
    route, scaler = _resource("weighted-track-stays/given/route.yaml"), _resource("weighted-track-stays/bad/autoscaler.yaml")
    for one in (route, scaler):
        server.make(server.path(one, namespace), one)
    path = f"{server.path(scaler, namespace)}/{scaler['metadata']['name']}"
    warm = {"metadata": {"labels": {**scaler["metadata"]["labels"], "bento-gitops/capacity": "warm"}}, "spec": {"minReplicas": 1}}
    _enforced(server, "autoscaler-bounds", namespace)
    assert "has at least 2 pods" in _changed(server, path, spec={"minReplicas": 1})
    assert not _changed(server, path, **warm), "this is a way round, by autoscaler-bounds alone"
    _reading_routes(server, "warm-track-answers-nobody", namespace)
    until(lambda: "so it is no warm standby" in _changed(server, path, **warm), "who calls a live track warm is refused")
    other = {**scaler, "metadata": {**scaler["metadata"], "name": "again", "labels": warm["metadata"]["labels"]}}
    assert "so it is no warm standby" in server.judge("POST", other, namespace).refused, "nor is it made anew as one"
    live = f"{server.path(route, namespace)}/{route['metadata']['name']}"
    found = server.ask("GET", live).body
    for backend in found["spec"]["rules"][-1]["backendRefs"]:
        backend["weight"] = 100 if "standby" in backend["name"] else 0
    assert not server.ask("PUT", live, found).refused
    until(lambda: not _changed(server, path, **warm), "a track without weight may be warm")


def test_every_transition_of_a_release_passes_the_policies_on_labels_and_tracks(server: ApiServer) -> None:
    """In the order of `helm upgrade` and of a sync: all that stays or comes, the route last, then what goes."""
    namespace = server.namespace("transitions")
    _enforced(server, "autoscaler-bounds", namespace)
    for policy in ("weighted-track-stays", "warm-track-answers-nobody"):
        _reading_routes(server, policy, namespace)
    server.enforce("labels-stay", _resource("labels-stay/policy.yaml")["spec"], namespace, None)
    there: dict[str, Any] = {}
    for says, tracks in TRANSITIONS.items():
        wanted = {f"{server.path(one, namespace)}/{one['metadata']['name']}": one for one in _rendered(tracks)}
        for path, one in sorted(wanted.items(), key=lambda item: item[1]["kind"] == "HTTPRoute"):
            refused = _replaced(server, path, one) if path in there else server.ask("POST", path.rpartition("/")[0], one).refused
            assert not refused, f"{says}: {refused}"
        for path in there.keys() - wanted.keys():
            until(lambda: not server.ask("DELETE", path).refused, f"{says}: {path} goes")  # noqa: B023  (awaited at once)
        there = wanted
        if "blue" in tracks and tracks["blue"]["weight"]:
            scaler = next(path for path in there if path.endswith("horizontalpodautoscalers/tickets-blue-tickets"))
            labels = {**there[scaler]["metadata"]["labels"], "bento-gitops/capacity": "warm"}
            until(
                lambda: "so it is no warm standby" in _changed(server, scaler, metadata={"labels": labels}),  # noqa: B023
                f"{says}: the policies are asked",
            )


def _replaced(server: ApiServer, path: str, one: Any) -> str:
    """What the server says to an object in the place of the one that is there, whatever controllers write to it meanwhile."""
    for _ in range(50):
        version = server.ask("GET", path).body["metadata"]["resourceVersion"]
        answer = server.ask("PUT", path, {**one, "metadata": {**one["metadata"], "resourceVersion": version}})
        if answer.status != 409:
            return answer.refused
    raise AssertionError(f"somebody else writes to {path} all the time")


def _track(bundle: str, weight: int, *, least: int = 2, **more: Any) -> dict[str, Any]:
    scaling = {"scaling": {"minReplicas": least, "maxReplicas": 4}}
    runs_alone = {"role": "api", "apis": {"classify": {"route": "/classify"}}, **scaling}
    return {
        "bundle": bundle,
        "weight": weight,
        "image": {"repository": "registry.example.com/ml/tickets", "digest": f"sha256:{'1' * 64}"},
        "components": {
            "Tickets": {**runs_alone, "dependencies": ["Embedder"]},
            "Embedder": {"role": "runner", **scaling},
        },
        **more,
    }


TRANSITIONS = {
    "the first bundle": {"blue": _track("1.0.0", 100)},
    "prepare": {"blue": _track("1.0.0", 100), "green": _track("1.1.0", 0)},
    "shift": {"blue": _track("1.0.0", 75), "green": _track("1.1.0", 25)},
    "abort": {"blue": _track("1.0.0", 100), "green": _track("1.1.0", 0)},
    "shift to all": {"blue": _track("1.0.0", 0), "green": _track("1.1.0", 100)},
    "finish with a warm standby": {"blue": _track("1.0.0", 0, least=1, capacity="warm"), "green": _track("1.1.0", 100)},
    "rollback, first part": {"blue": _track("1.0.0", 0), "green": _track("1.1.0", 100)},
    "rollback, second part": {"blue": _track("1.0.0", 100), "green": _track("1.1.0", 0)},
    "a bundle with other parts, at once": {
        "blue": _track("1.0.0", 100),
        "green": _track("2.0.0", 0, components={"Embedder": {"role": "api", "scaling": {"minReplicas": 2, "maxReplicas": 4}}}),
    },
    "all to that": {
        "blue": _track("1.0.0", 0),
        "green": _track("2.0.0", 100, components={"Embedder": {"role": "api", "scaling": {"minReplicas": 2, "maxReplicas": 4}}}),
    },
    "finish with a cold standby": {
        "blue": _track("1.0.0", 0, capacity="cold"),
        "green": _track("2.0.0", 100, components={"Embedder": {"role": "api", "scaling": {"minReplicas": 2, "maxReplicas": 4}}}),
    },
    "the standby goes": {
        "green": _track("2.0.0", 100, components={"Embedder": {"role": "api", "scaling": {"minReplicas": 2, "maxReplicas": 4}}}),
    },
}
"""What a release says from one commit to the next: by what happened, its tracks."""


def _rendered(tracks: dict[str, Any]) -> list[Any]:
    proxy = {"namespace": "proxies", "podLabels": {"app": "proxy"}}
    routing = {"controller": "gateway", "gateway": {"name": "public", **proxy}, "hostnames": ["tickets.example.com"]}
    stable = max(tracks, key=lambda name: tracks[name]["weight"])
    values = {"application": "tickets", "environment": "prod", "stable": stable, "tracks": tracks, "routing": routing}
    file = ROOT / "build" / f"transitions-{os.getpid()}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(values))
    try:
        text = run("helm", "template", "tickets", ROOT / "charts/bento-serving", "--values", file)
    finally:
        file.unlink()
    return [one for one in yaml.safe_load_all(text) if one]


def test_a_route_or_service_that_was_let_in_before_is_judged_again_with_its_next_change(server: ApiServer) -> None:
    """Of these what labels and annotations say counts as well: nginx reads its weights there."""
    namespace = server.namespace("routes")
    for policy, file, change, said in (
        (
            "route-weights",
            "ingress-canary-fraction",
            {"annotations": {CANARY: "true", f"{CANARY}-weight": "7.5"}},
            "whole percent",
        ),
        ("runners-stay-inside", "node-port", {"annotations": {"team": "support"}}, "is a ClusterIP"),
        ("runners-stay-inside", "node-port", {"labels": {"bento-gitops/application": "tickets"}}, "is a ClusterIP"),
    ):
        found = _resource(f"{policy}/bad/{file}.yaml")
        path = f"{server.path(found, namespace)}/{found['metadata']['name']}"
        if server.ask("GET", path).status == 404:
            server.make(path.rpartition("/")[0], found)
            _enforced(server, policy, namespace)
        assert not _changed(server, path)
        assert said in _changed(server, path, metadata=change)


def test_parameters_that_are_empty_limit_nothing_and_parameters_that_are_gone_refuse(server: ApiServer) -> None:
    namespace = server.namespace("parameters")
    _enforced(server, "autoscaler-bounds", namespace)
    one_pod = _resource("autoscaler-bounds/bad/one-pod.yaml")
    path = f"/api/v1/namespaces/{namespace}/configmaps/policy-parameters"
    assert not server.ask("PUT", path, {"kind": "ConfigMap", "metadata": {"name": "policy-parameters"}}).refused
    until(lambda: not server.judge("POST", one_pod, namespace).refused, "a ConfigMap without data sets no bounds")
    server.ask("DELETE", path)
    until(
        lambda: "no params found" in server.judge("POST", one_pod, namespace).refused,
        "without its parameters a policy refuses",
    )


def test_a_pod_that_is_resized_in_place_is_judged(server: ApiServer) -> None:
    namespace = server.namespace("resized")
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "served"},
        "spec": _resource("pod-resources/good/asked-and-bound.yaml")["spec"]["template"]["spec"],
    }
    server.make(f"/api/v1/namespaces/{namespace}/pods", pod)
    _enforced(server, "pod-resources", namespace)
    path = f"/api/v1/namespaces/{namespace}/pods/served"

    def resized(cpu: str) -> str:
        found = server.ask("GET", path).body
        found["spec"]["containers"][0]["resources"]["requests"]["cpu"] = cpu
        return server.ask("PUT", f"{path}/resize?dryRun=All", found).refused

    assert "at most 4 cpu" in resized("64")
    assert not resized("2")


def test_a_runner_is_not_reached_by_the_longer_forms_of_its_name(server: ApiServer) -> None:
    namespace = server.namespace("aliases")
    runner = _resource("runners-out-of-routes/given/runner.yaml")
    server.make(server.path(runner, namespace), runner)
    spec = _resource("runners-out-of-routes/policy.yaml")["spec"]
    name = server.enforce("runners-out-of-routes", spec, namespace, None, "bento-gitops/role=runner")
    alias, asked, mirrored = (
        _resource(f"runners-out-of-routes/bad/{file}.yaml")
        for file in ("service-alias", "middleware-forward-auth", "virtualservice-mirror")
    )
    until(lambda: name in server.judge("POST", alias, namespace).refused, f"{name} is asked in {namespace}")
    own = runner["metadata"]["name"]

    def refused(host: str) -> list[str]:
        alias["spec"]["externalName"] = host
        asked["spec"]["forwardAuth"]["address"] = f"http://{host}:3000/encode"
        mirrored["spec"]["http"][0]["mirror"]["host"] = host
        found = (server.judge("POST", body, namespace) for body in (alias, asked, mirrored))
        return [answer.refused.rpartition(": ")[2].split(" (")[0] for answer in found]

    told = ["no other Service selects the pods of a runner, or is an alias of one", *["no route leads to a runner"] * 2]
    for host in (f"{own}.{namespace}", f"{own}.{namespace}.svc", f"{own}.{namespace}.svc.cluster.local"):
        assert refused(host) == told, host
    for host in (f"{own}.another-namespace.svc", f"{own}-2.{namespace}.svc", f"{own}.example.com"):
        assert refused(host) == ["", "", ""], host


def test_a_runner_s_own_service_and_what_was_there_before_may_be_synced(server: ApiServer) -> None:
    namespace = server.namespace("synced")
    runner, route = (_resource(f"runners-out-of-routes/{file}.yaml") for file in ("given/runner", "bad/httproute"))
    paths = [f"{server.path(one, namespace)}/{one['metadata']['name']}" for one in (runner, route)]
    for path, one in zip(paths, (runner, route), strict=True):
        server.make(path.rpartition("/")[0], one)
    spec = _resource("runners-out-of-routes/policy.yaml")["spec"]
    name = server.enforce("runners-out-of-routes", spec, namespace, None, "bento-gitops/role=runner")
    alias = _resource("runners-out-of-routes/bad/service-by-role.yaml")
    until(lambda: name in server.judge("POST", alias, namespace).refused, f"{name} is asked in {namespace}")
    assert not _changed(server, paths[0], spec={"publishNotReadyAddresses": True})
    assert not _changed(server, paths[1])
    assert "no route leads to a runner" in _changed(server, paths[1], metadata={"annotations": {"touched": "yes"}})
