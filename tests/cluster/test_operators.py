"""What operators may do to an application by hand: an API server refuses all but weights, for each controller.

Needs $KUBECONFIG alone; pods run nowhere. Kinds of controllers that the cluster lacks are made for the run, without a schema.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from bento_gitops.model.problem import ToolFailed
from bento_gitops.observing.held import LIVE, Held
from bento_gitops.observing.live import Seen
from bento_gitops.observing.rerouting import BESIDE, SERVICE, Reroute, handed_back, rerouted
from bento_gitops.observing.syncing import APPLICATIONS, switched_off, switched_on
from bento_gitops.tools.cluster import Cluster, Kind
from conftest import ROOT, run
from kinds import Kinds
from kubernetes import client
from reaching import AN_API_SERVER, reached

Map = dict[str, Any]
APP = "tickets"
DIGEST = f"sha256:{'1' * 64}"
PROXY = {"namespace": "proxies", "podLabels": {"app": "proxy"}}
FACTS: Mapping[str, Map] = {
    "gateway": {"gateway": {"name": "public", **PROXY}, "hostnames": ["tickets.example.com"]},
    "nginx": {"ingressClass": "nginx", "proxy": PROXY, "canary": "green"},
    "traefik": {"proxy": PROXY, "sticky": {"cookie": "track"}},
    "istio": {"gateways": ["istio-ingress/public"], "proxy": PROXY},
    "none": {},
}
KINDS = (
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("traefik.io/v1alpha1", "IngressRoute"),
    ("traefik.io/v1alpha1", "TraefikService"),
    ("networking.istio.io/v1", "VirtualService"),
    ("argoproj.io/v1alpha1", "Application"),
)
HELD = Held("olivia", "Git is down", "2026-11-01T09:00:00Z", "2026-11-01T11:00:00Z", {"blue": 100})
ONLY_WEIGHTS = "operators change nothing of a route but its weights (found {})"
ONLY_SYNC = f"operators change nothing of an Application but syncPolicy.automated (found prod.{APP})"
ONLY_NOTES = "operators change no labels, owners or finalizers, and of annotations only {} (found {})"
BOTH_NOTES = "bento-gitops/live and argocd.argoproj.io/refresh"


@dataclass(frozen=True)
class Place:
    """Where it is tried: namespaces by controller, and who asks."""

    namespaces: Mapping[str, str]
    argocd: str
    operator: client.ApiClient
    admin: client.ApiClient

    def as_operator(self) -> Cluster:
        return Cluster(self.operator, "of an operator")

    def as_admin(self) -> Cluster:
        return Cluster(self.admin, "of an admin")

    def seen(self, controller: str) -> Seen:
        """What `live shift` reads, with an operator's eyes."""
        cluster, namespace = self.as_operator(), self.namespaces[controller]
        seen = cluster.seen(namespace, APP, controller)  # pyright: ignore[reportArgumentType]  (a key of FACTS)
        if controller != "traefik":
            return seen
        beside = {BESIDE[3]: cluster.listed(BESIDE, namespace, APP)}
        return Seen(seen.deployments, seen.replica_sets, seen.services, {**seen.routes, **beside})

    def reroute(self, controller: str, **weights: int) -> Reroute:
        return rerouted(self.seen(controller), controller, APP, weights)  # pyright: ignore[reportArgumentType]  (a key of FACTS)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """The platform chart's Roles and the policy that limits them, under names of this run; an application of each controller."""
    admin, operator = reached(AN_API_SERVER), reached(AN_API_SERVER)
    kinds = Kinds(admin)
    mark = f"l-{os.urandom(3).hex()}"
    operator.set_default_header("Impersonate-User", "olivia")
    operator.set_default_header("Impersonate-Group", f"{mark}-operators")
    namespaces = {controller: f"{mark}-{controller}" for controller in FACTS}
    argocd = f"{mark}-argocd"
    core, access = client.CoreV1Api(admin), client.AdmissionregistrationV1Api(admin)
    made: list[str] = []
    names: list[tuple[str, str]] = []
    try:
        for version, kind in KINDS:
            kinds.need(version, kind)
        for name in (mark, argocd, *namespaces.values()):
            core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=name)))
            made.append(name)
        for one in platform(mark, namespaces, argocd):
            if one["kind"].startswith("Validating"):
                names.append((one["kind"], one["metadata"]["name"]))
            create(admin, one)
        for controller, namespace in namespaces.items():
            for one in application(controller):
                one["metadata"]["namespace"] = namespace
                create(admin, one)
        create(admin, argo_application(argocd))
        found = Place(namespaces, argocd, operator, admin)
        await_the_policy(found)
        yield found
    finally:
        for kind, name in names:
            if kind.endswith("Binding"):
                access.delete_validating_admission_policy_binding(name)
            else:
                access.delete_validating_admission_policy(name)
        for name in made:
            core.delete_namespace(name)
        kinds.close()


def platform(mark: str, namespaces: Mapping[str, str], argocd: str) -> list[Map]:
    """What the chart makes for operators; what is the cluster's gets names of this run."""
    values = {
        "environments": {
            controller: {"namespace": namespace, "routing": {"controller": controller}}
            for controller, namespace in namespaces.items()
        },
        "operators": {"groups": [f"{mark}-operators"]},
        "argocd": {
            "enabled": True,
            "namespace": argocd,
            "repository": "https://git.example.com/ml/fleet.git",
            "destinations": {"here": {"server": "https://kubernetes.default.svc"}},
        },
    }
    text = yaml.safe_dump(values)
    objects = rendered("bento-platform", text, mark)
    chosen: list[Map] = []
    for one in objects:
        name = one["metadata"]["name"]
        if one["kind"] in ("Role", "RoleBinding") and name == "bento-operators":
            chosen.append(one)
        if one["kind"] == "ConfigMap" and (name == "bento-operators" or name.startswith("bento-policy-parameters-")):
            chosen.append(one)
        if one["kind"].startswith("Validating") and name.startswith("bento-operators-shift-weights-only"):
            one["metadata"]["name"] = name.replace("bento-", f"{mark}-", 1)
            if one["kind"].endswith("Binding"):
                assert one["spec"]["validationActions"] == ["Deny", "Audit"], "whatever `deny` says"
                one["spec"]["policyName"] = one["spec"]["policyName"].replace("bento-", f"{mark}-", 1)
            chosen.append(one)
    kinds = sorted(one["kind"] for one in chosen)
    assert kinds.count("Role") == len(namespaces) + 1 and kinds.count("ValidatingAdmissionPolicyBinding") == len(namespaces) + 1
    return chosen


def application(controller: str) -> list[Map]:
    """Routes and Services of an application on two tracks, as the chart renders them."""
    blue: Map = {
        "bundle": "1.0.0",
        "weight": 75,
        "image": {"repository": "registry.example.com/ml/tickets", "digest": DIGEST},
        "components": {
            "Tickets": {"role": "api", "dependencies": ["Embedder"], "apis": {"classify": {"route": "/classify"}}},
            "Embedder": {"role": "runner"},
        },
    }
    green = {**deepcopy(blue), "bundle": "1.1.0", "weight": 25}
    if controller == "none":
        blue["weight"], green["weight"] = 100, 0
    values = {
        "application": APP,
        "environment": controller,
        "stable": "blue",
        "tracks": {"blue": blue, "green": green},
        "routing": {"controller": controller, **FACTS[controller]},
    }
    kinds = ("HTTPRoute", "Ingress", "IngressRoute", "TraefikService", "VirtualService", "Service")
    return [one for one in rendered("bento-serving", yaml.safe_dump(values), "x") if one["kind"] in kinds]


def argo_application(namespace: str) -> Map:
    source = {"repoURL": "https://git.example.com/ml/fleet.git", "path": "charts/bento-serving", "targetRevision": "main"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": f"prod.{APP}",
            "namespace": namespace,
            "labels": {"bento-gitops/environment": "prod", "bento-gitops/application": APP},
        },
        "spec": {
            "project": "bento",
            "source": source,
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "tickets-prod"},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["ServerSideApply=true"]},
        },
    }


def rendered(chart: str, values: str, namespace: str) -> list[Map]:
    file = ROOT / "build" / f"operators-{os.getpid()}.yaml"
    file.parent.mkdir(exist_ok=True)
    file.write_text(values)
    try:
        text = run("helm", "template", APP, ROOT / "charts" / chart, "--namespace", namespace, "--values", file)
    finally:
        file.unlink()
    return [one for one in yaml.safe_load_all(text) if one]


def create(admin: client.ApiClient, one: Map) -> None:
    """By the path that its kind has."""
    kind = one["kind"]
    plural = {"Ingress": "ingresses", "ValidatingAdmissionPolicy": "validatingadmissionpolicies"}.get(kind, f"{kind.lower()}s")
    version = one["apiVersion"]
    prefix = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = one["metadata"].get("namespace")
    path = f"{prefix}/namespaces/{namespace}/{plural}" if namespace else f"{prefix}/{plural}"
    asked(admin, "POST", path, one)


def asked(api: client.ApiClient, method: str, path: str, body: Map | None = None, kind: str = "application/json") -> Map:
    """One request. Raises ApiException."""
    headers = {**api.default_headers, "Accept": "application/json", "Content-Type": kind}
    answer = api.call_api(method, f"{api.configuration.host}{path}", headers, body)
    data = answer.read()
    if answer.status >= 300:
        raise client.ApiException(http_resp=answer, body=data.decode())
    return json.loads(data)


def await_the_policy(found: Place) -> None:
    """An API server takes a moment to know a new policy: until it refuses what it must."""
    answers: list[str] = []
    for _ in range(120):
        answers = [
            refusal(found, SERVICE[:3], found.namespaces["none"], APP, {"metadata": {"labels": {"a": "b"}}}),
            refusal(found, APPLICATIONS, found.argocd, f"prod.{APP}", {"metadata": {"labels": {"a": "b"}}}),
        ]
        if all("operators change no labels" in answer for answer in answers):
            return
        time.sleep(0.5)
    pytest.fail(f"the policy does not hold after a minute: {answers}")


def refusal(found: Place, of: tuple[str, str, str], namespace: str, name: str, patch: Map) -> str:
    """What an operator is told who tries a patch, without making it; empty where it is allowed."""
    return told(found.operator, of, namespace, name, patch)


def prefix_of(of: Kind) -> str:
    return f"/apis/{of[0]}/{of[1]}" if of[0] else f"/api/{of[1]}"


def told(api: client.ApiClient, of: tuple[str, str, str], namespace: str, name: str, patch: Map) -> str:
    group, version, plural = of
    prefix = f"/apis/{group}/{version}" if group else f"/api/{version}"
    path = f"{prefix}/namespaces/{namespace}/{plural}/{name}?dryRun=All"
    try:
        asked(api, "PATCH", path, patch, "application/merge-patch+json")
    except client.ApiException as error:
        return str(json.loads(str(error.body))["message"])
    return ""


# What is allowed


@pytest.mark.parametrize("controller", sorted(FACTS))
def test_an_operator_shifts_weights_and_back(place: Place, controller: str) -> None:
    cluster, namespace = place.as_operator(), place.namespaces[controller]
    there_and_back = ({"green": 100}, {"blue": 100}) if controller == "none" else ({"blue": 10, "green": 90}, {"blue": 100})
    for weights in (*there_and_back, {"green": 100}, {"blue": 100} if controller == "none" else {"blue": 75, "green": 25}):
        reroute = place.reroute(controller, **weights)
        changed = cluster.patched(reroute.of[:3], namespace, reroute.name, reroute.annotated(HELD.on_route()))
        assert changed["metadata"]["annotations"][LIVE] == HELD.on_route()  # pyright: ignore
        cluster.patched(reroute.of[:3], namespace, reroute.name, handed_back(changed))
    event = {
        "metadata": {"generateName": "tickets."},
        "reason": "LiveShift",
        "type": "Warning",
        "involvedObject": {"name": APP, "namespace": namespace},
    }
    cluster.tell(namespace, event)  # pyright: ignore[reportArgumentType]


def test_what_was_handed_back_is_applied_by_another_manager_without_a_conflict(place: Place) -> None:
    """As `helm upgrade` does, which forces nothing."""
    namespace, cluster = place.namespaces["gateway"], place.as_operator()
    (route,) = [one for one in application("gateway") if one["kind"] == "HTTPRoute"]
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{APP}"

    def apply(weight: int) -> None:
        body = deepcopy(route)
        for backend, share in zip(body["spec"]["rules"][-1]["backendRefs"], (100 - weight, weight), strict=True):
            backend["weight"] = share
        asked(place.admin, "PATCH", f"{path}?fieldManager=helm&force=false", body, "application/apply-patch+yaml")

    asked(place.admin, "PATCH", f"{path}?fieldManager=helm&force=true", route, "application/apply-patch+yaml")
    reroute = place.reroute("gateway", blue=100)
    changed = cluster.patched(reroute.of[:3], namespace, APP, reroute.annotated(HELD.on_route()))
    with pytest.raises(client.ApiException, match=r"conflict with .*bento-gitops-live"):
        apply(25)
    reroute = place.reroute("gateway", blue=75, green=25)
    changed = cluster.patched(reroute.of[:3], namespace, APP, reroute.annotated(HELD.on_route()))
    cluster.patched(reroute.of[:3], namespace, APP, handed_back(changed))
    apply(25)
    apply(50)
    apply(25)


def test_an_operator_switches_the_sync_of_an_application_off_and_on(place: Place) -> None:
    cluster, name = place.as_operator(), f"prod.{APP}"
    found = cluster.found(APPLICATIONS, place.argocd, name)
    assert found is not None
    held = Held(HELD.by, HELD.reason, HELD.at, HELD.until, HELD.weights, {"prune": True, "selfHeal": True})
    off = cluster.patched(APPLICATIONS, place.argocd, name, switched_off(held))
    assert "automated" not in off["spec"]["syncPolicy"]  # pyright: ignore
    on = cluster.patched(APPLICATIONS, place.argocd, name, switched_on(held))
    assert on["spec"] == found["spec"]


# What is not


def of_gateway(change: Callable[[list[Map]], object], **spec: Any) -> Callable[[Map], Map]:
    def patch(route: Map) -> Map:
        rules = deepcopy(route["spec"]["rules"])
        change(rules)
        return {"spec": {"rules": rules, **spec}}

    return patch


def of_istio(change: Callable[[list[Map]], object]) -> Callable[[Map], Map]:
    def patch(route: Map) -> Map:
        http = deepcopy(route["spec"]["http"])
        change(http)
        return {"spec": {"http": http}}

    return patch


def of_traefik(change: Callable[[list[Map]], object]) -> Callable[[Map], Map]:
    def patch(route: Map) -> Map:
        services = deepcopy(route["spec"]["weighted"]["services"])
        change(services)
        return {"spec": {"weighted": {"services": services}}}

    return patch


def said(body: Map) -> Callable[[Map], Map]:
    return lambda _: body


HTTPROUTE: Kind = ("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
INGRESS: Kind = ("networking.k8s.io", "v1", "ingresses", "Ingress")
TRAEFIK: Kind = ("traefik.io", "v1alpha1", "traefikservices", "TraefikService")
ISTIO: Kind = ("networking.istio.io", "v1", "virtualservices", "VirtualService")
STRANGER = "operators send requests to no other Service than the api of a track (found {})"
CANARY = f"{APP}.canary"
IN_CANARY = "bento-gitops/live and nginx.ingress.kubernetes.io/canary-weight"
REWRITE = {"metadata": {"annotations": {"nginx.ingress.kubernetes.io/rewrite-target": "/"}}}
DENIED: Mapping[str, tuple[str, Kind, str, Callable[[Map], Map], str]] = {
    "a host": ("gateway", HTTPROUTE, APP, said({"spec": {"hostnames": ["mine.example.com"]}}), ONLY_WEIGHTS.format(APP)),
    "a Gateway": (
        "gateway",
        HTTPROUTE,
        APP,
        said({"spec": {"parentRefs": [{"name": "other"}]}}),
        ONLY_WEIGHTS.format(APP),
    ),
    "a backend": (
        "gateway",
        HTTPROUTE,
        APP,
        of_gateway(lambda rules: rules[-1]["backendRefs"][0].update(name="mine")),
        ONLY_WEIGHTS.format(APP),
    ),
    "one backend more": (
        "gateway",
        HTTPROUTE,
        APP,
        of_gateway(lambda rules: rules[-1]["backendRefs"].append({**rules[-1]["backendRefs"][0], "name": "mine"})),
        ONLY_WEIGHTS.format(APP),
    ),
    "a rule": ("gateway", HTTPROUTE, APP, of_gateway(lambda rules: rules.pop(0)), ONLY_WEIGHTS.format(APP)),
    "what a header leads to": (
        "gateway",
        HTTPROUTE,
        APP,
        of_gateway(lambda rules: rules[0]["backendRefs"][0].update(weight=7)),
        ONLY_WEIGHTS.format(APP),
    ),
    "what answers say": (
        "gateway",
        HTTPROUTE,
        APP,
        of_gateway(lambda rules: rules[-1]["backendRefs"][0].pop("filters")),
        ONLY_WEIGHTS.format(APP),
    ),
    "a mirror": (
        "gateway",
        HTTPROUTE,
        APP,
        of_gateway(
            lambda rules: rules[-1].update(
                filters=[{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "mine", "port": 80}}}]
            )
        ),
        ONLY_WEIGHTS.format(APP),
    ),
    "a timeout": (
        "gateway",
        HTTPROUTE,
        APP,
        of_gateway(lambda rules: rules[-1].update(timeouts={"request": "1s"})),
        ONLY_WEIGHTS.format(APP),
    ),
    "a label": (
        "gateway",
        HTTPROUTE,
        APP,
        said({"metadata": {"labels": {"owner": "me"}}}),
        ONLY_NOTES.format("bento-gitops/live", APP),
    ),
    "whose it is": (
        "gateway",
        HTTPROUTE,
        APP,
        said({"metadata": {"labels": {"bento-gitops/application": None}}}),
        f"operators change httproutes of applications only (found {APP})",
    ),
    "a finalizer": (
        "gateway",
        HTTPROUTE,
        APP,
        said({"metadata": {"finalizers": ["example.com/for-ever"]}}),
        ONLY_NOTES.format("bento-gitops/live", APP),
    ),
    "an annotation": (
        "gateway",
        HTTPROUTE,
        APP,
        said({"metadata": {"annotations": {"argocd.argoproj.io/sync-options": "Prune=false"}}}),
        ONLY_NOTES.format("bento-gitops/live", APP),
    ),
    "an Ingress's class": (
        "nginx",
        INGRESS,
        CANARY,
        said({"spec": {"ingressClassName": "other"}}),
        ONLY_WEIGHTS.format(CANARY),
    ),
    "an Ingress's other annotation": ("nginx", INGRESS, CANARY, said(REWRITE), ONLY_NOTES.format(IN_CANARY, CANARY)),
    "that stable's Ingress is the canary": (
        "nginx",
        INGRESS,
        APP,
        said({"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary": "true"}}}),
        ONLY_NOTES.format("bento-gitops/live", APP),
    ),
    "another Service for Traefik": (
        "traefik",
        TRAEFIK,
        APP,
        of_traefik(lambda services: services[0].update(name="mine")),
        STRANGER.format("mine"),
    ),
    "a runner for Traefik": (
        "traefik",
        TRAEFIK,
        APP,
        of_traefik(lambda services: services[0].update(name=f"{APP}-blue-embedder")),
        STRANGER.format(f"{APP}-blue-embedder"),
    ),
    "a middleware of Traefik": (
        "traefik",
        TRAEFIK,
        APP,
        of_traefik(lambda services: services[0].pop("middlewares")),
        STRANGER.format(f"{APP}-blue-tickets"),
    ),
    "a cookie of Traefik": (
        "traefik",
        TRAEFIK,
        APP,
        said({"spec": {"weighted": {"sticky": None}}}),
        ONLY_WEIGHTS.format(APP),
    ),
    "a destination of Istio": (
        "istio",
        ISTIO,
        APP,
        of_istio(lambda http: http[-1]["route"][0]["destination"].update(host="mine")),
        ONLY_WEIGHTS.format(APP),
    ),
    "a preview of Istio": (
        "istio",
        ISTIO,
        APP,
        of_istio(lambda http: http[0]["route"][0].update(weight=50)),
        ONLY_WEIGHTS.format(APP),
    ),
    "a host of Istio": ("istio", ISTIO, APP, said({"spec": {"hosts": ["mine.example.com"]}}), ONLY_WEIGHTS.format(APP)),
    "the component behind a Service": (
        "none",
        SERVICE,
        APP,
        said({"spec": {"selector": {"bento-gitops/component": "embedder"}}}),
        ONLY_WEIGHTS.format(APP),
    ),
    "how a Service is reached": ("none", SERVICE, APP, said({"spec": {"type": "NodePort"}}), ONLY_WEIGHTS.format(APP)),
    "what a track's own Service selects": (
        "none",
        SERVICE,
        f"{APP}-blue-tickets",
        said({"spec": {"selector": {"bento-gitops/track": "green"}}}),
        ONLY_WEIGHTS.format(f"{APP}-blue-tickets"),
    ),
}
"""By what is tried: controller, kind, name, the patch of the object as it is, and what the policy says."""


@pytest.mark.parametrize("tried", DENIED)
def test_an_operator_changes_nothing_else_of_a_route(place: Place, tried: str) -> None:
    controller, of, name, patch, message = DENIED[tried]
    namespace = place.namespaces[controller]
    group, version, plural, _ = of
    prefix = f"/apis/{group}/{version}" if group else f"/api/{version}"
    body = patch(asked(place.admin, "GET", f"{prefix}/namespaces/{namespace}/{plural}/{name}"))
    answer = refusal(place, of[:3], namespace, name, body)
    assert answer.endswith(f": {message}"), answer
    assert told(place.admin, of[:3], namespace, name, body) == "", "it limits operators, and nobody else"


def weighed(*weights: int) -> Callable[[list[Map]], object]:
    """The last rule's backends have these weights."""

    def change(rules: list[Map]) -> None:
        last = rules[-1]
        for backend, weight in zip(last.get("backendRefs") or last["route"], weights, strict=True):
            backend["weight"] = weight

    return change


def added(name: str, **more: Any) -> Callable[[list[Map]], object]:
    """One more backend of Traefik, like those that are there but for its name; the weights still add up."""

    def change(services: list[Map]) -> None:
        services[0]["weight"] -= 10
        services.append({**services[0], "name": name, "middlewares": [{"name": name}], "weight": 10, **more})

    return change


UNEQUAL = "the weights of a route are whole percents that add up to 100 (found {})"
SELECTS = "a Service selects a track that has pods, one of: blue, green (found {})"
AROUND: Mapping[str, tuple[str, Kind, str, Callable[[Map], Map], str]] = {
    "to its own runner": (
        "traefik",
        TRAEFIK,
        APP,
        of_traefik(added(f"{APP}-blue-embedder")),
        STRANGER.format(f"{APP}-blue-embedder"),
    ),
    "to a Service whose name begins like one of its own": (
        "traefik",
        TRAEFIK,
        APP,
        of_traefik(added(f"{APP}-archive-blue-api")),
        STRANGER.format(f"{APP}-archive-blue-api"),
    ),
    "to a track in another namespace": (
        "traefik",
        TRAEFIK,
        APP,
        of_traefik(added(f"{APP}-green-tickets", namespace="elsewhere")),
        STRANGER.format(f"{APP}-green-tickets"),
    ),
    "to a track past another's middleware": (
        "traefik",
        TRAEFIK,
        APP,
        of_traefik(lambda services: services[0].update(middlewares=[{"name": f"{APP}-green-tickets"}])),
        STRANGER.format(f"{APP}-blue-tickets"),
    ),
    "to a track by a middleware of elsewhere": (
        "traefik",
        TRAEFIK,
        APP,
        of_traefik(
            added(f"{APP}-green-tickets", middlewares=[{"name": f"{APP}-green-tickets", "namespace": "elsewhere"}]),
        ),
        STRANGER.format(f"{APP}-green-tickets"),
    ),
    "to nobody, by Traefik": (
        "traefik",
        TRAEFIK,
        APP,
        of_traefik(lambda services: services.clear()),
        UNEQUAL.format("no backend"),
    ),
    "to nobody, with no list": (
        "traefik",
        TRAEFIK,
        APP,
        said({"spec": {"weighted": {"services": None}}}),
        UNEQUAL.format("no backend"),
    ),
    "by all weights at zero, of Traefik": (
        "traefik",
        TRAEFIK,
        APP,
        of_traefik(lambda services: [one.update(weight=0) for one in services]),
        UNEQUAL.format("0 + 0"),
    ),
    "with a list of its own choice": (
        "traefik",
        TRAEFIK,
        APP,
        said({"metadata": {"annotations": {"bento-gitops/tracks": f"blue={APP}-blue-embedder"}}}),
        ONLY_NOTES.format("bento-gitops/live", APP),
    ),
    "by all weights at zero": ("gateway", HTTPROUTE, APP, of_gateway(weighed(0, 0)), UNEQUAL.format("0 + 0")),
    "by weights above all": ("gateway", HTTPROUTE, APP, of_gateway(weighed(100, 100)), UNEQUAL.format("100 + 100")),
    "by a weight that is not said": (
        "gateway",
        HTTPROUTE,
        APP,
        of_gateway(lambda rules: rules[-1]["backendRefs"][0].pop("weight")),
        UNEQUAL.format("1 + 25"),
    ),
    "by all weights at zero, of Istio": ("istio", ISTIO, APP, of_istio(weighed(0, 0)), UNEQUAL.format("0 + 0")),
    "by weights of Istio that add up to less": ("istio", ISTIO, APP, of_istio(weighed(50, 25)), UNEQUAL.format("50 + 25")),
    "by a canary of half a percent": (
        "nginx",
        INGRESS,
        CANARY,
        said({"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary-weight": "0.5"}}}),
        UNEQUAL.format("none"),
    ),
    "by a canary without a weight": (
        "nginx",
        INGRESS,
        CANARY,
        said({"metadata": {"annotations": {"nginx.ingress.kubernetes.io/canary-weight": None}}}),
        UNEQUAL.format("none"),
    ),
    "to every track at once": (
        "none",
        SERVICE,
        APP,
        said({"spec": {"selector": {"bento-gitops/track": None}}}),
        SELECTS.format("none"),
    ),
    "to a track that is not there": (
        "none",
        SERVICE,
        APP,
        said({"spec": {"selector": {"bento-gitops/track": "red"}}}),
        SELECTS.format("red"),
    ),
}
"""Ways round the weights, as DENIED has them."""


@pytest.mark.parametrize("tried", AROUND)
def test_an_operator_gets_no_request_past_the_weights(place: Place, tried: str) -> None:
    controller, of, name, patch, message = AROUND[tried]
    namespace = place.namespaces[controller]
    path = f"{prefix_of(of)}/namespaces/{namespace}/{of[2]}/{name}"
    body = patch(asked(place.admin, "GET", path))
    answer = refusal(place, of[:3], namespace, name, body)
    assert answer.endswith(f": {message}"), answer


def test_an_operator_gives_a_track_that_has_no_weight_all_of_it_with_traefik(place: Place) -> None:
    """Traefik's route names it no more; what the chart says of its tracks lets it come back."""
    namespace = place.namespaces["traefik"]
    path = f"{prefix_of(TRAEFIK)}/namespaces/{namespace}/{TRAEFIK[2]}/{APP}"
    before = asked(place.admin, "GET", path)
    backends = {one["name"]: one for one in before["spec"]["weighted"]["services"]}
    blue, green = ({**backends[f"{APP}-{track}-tickets"], "weight": 100} for track in ("blue", "green"))

    def sent(*services: Map) -> str:
        body = {"spec": {"weighted": {"services": list(services)}}}
        answer = told(place.operator, TRAEFIK[:3], namespace, APP, body)
        if not answer:
            asked(place.operator, "PATCH", path, body, "application/merge-patch+json")
        return answer

    try:
        assert sent(blue) == ""
        runner = {**green, "name": f"{APP}-green-embedder", "middlewares": [{"name": f"{APP}-green-embedder"}]}
        assert sent(runner).endswith(f": {STRANGER.format(f'{APP}-green-embedder')}")
        assert sent(green) == ""
        assert sent({**blue, "weight": 75}, {**green, "weight": 25}) == ""
    finally:
        body = {"spec": {"weighted": {"services": before["spec"]["weighted"]["services"]}}}
        asked(place.admin, "PATCH", path, body, "application/merge-patch+json")


SYNC = {"prune": True, "selfHeal": True}
OF_APPLICATIONS: Mapping[str, tuple[Map, str]] = {
    "the repository": ({"spec": {"source": {"repoURL": "https://git.example.com/me/mine.git"}}}, ONLY_SYNC),
    "the revision": ({"spec": {"source": {"targetRevision": "mine"}}}, ONLY_SYNC),
    "the destination": ({"spec": {"destination": {"namespace": "kube-system"}}}, ONLY_SYNC),
    "the project": ({"spec": {"project": "default"}}, ONLY_SYNC),
    "how it is synced": ({"spec": {"syncPolicy": {"syncOptions": ["Replace=true"]}}}, ONLY_SYNC),
    "a sync of another commit": ({"operation": {"sync": {"revision": "0" * 40}}}, ONLY_SYNC),
    "what it says of itself": ({"status": {"health": {"status": "Healthy"}}}, ONLY_SYNC),
    "a finalizer": ({"metadata": {"finalizers": ["resources-finalizer.argocd.argoproj.io"]}}, ""),
    "an annotation": ({"metadata": {"annotations": {"argocd.argoproj.io/sync-options": "Replace=true"}}}, ""),
    "that everything may go": (
        {"spec": {"syncPolicy": {"automated": {**SYNC, "allowEmpty": True}}}},
        f"operators allow no sync that removes everything (found allowEmpty in prod.{APP})",
    ),
}


@pytest.mark.parametrize("tried", OF_APPLICATIONS)
def test_an_operator_changes_nothing_else_of_an_application(place: Place, tried: str) -> None:
    body, message = OF_APPLICATIONS[tried]
    answer = refusal(place, APPLICATIONS, place.argocd, f"prod.{APP}", body)
    assert answer.endswith(f": {message or ONLY_NOTES.format(BOTH_NOTES, f'prod.{APP}')}"), answer
    assert told(place.admin, APPLICATIONS, place.argocd, f"prod.{APP}", body) == ""


def test_an_object_of_nobody_s_application_is_not_an_operator_s_to_change(place: Place) -> None:
    namespace = place.namespaces["gateway"]
    (route,) = [one for one in application("gateway") if one["kind"] == "HTTPRoute"]
    route["metadata"] = {"name": "theirs", "namespace": namespace, "labels": {"app": "theirs"}}
    create(place.admin, route)
    rules = deepcopy(route["spec"]["rules"])
    rules[-1]["backendRefs"][0]["weight"] = 0
    answer = refusal(place, HTTPROUTE[:3], namespace, "theirs", {"spec": {"rules": rules}})
    assert answer.endswith(": operators change httproutes of applications only (found theirs)"), answer


FORBIDDEN = {
    "scale": ("PATCH", "/apis/apps/v1/namespaces/{gateway}/deployments/tickets-blue-tickets", {"spec": {"replicas": 0}}),
    "remove a route": ("DELETE", f"/apis/gateway.networking.k8s.io/v1/namespaces/{{gateway}}/httproutes/{APP}", None),
    "make a route": ("POST", "/apis/gateway.networking.k8s.io/v1/namespaces/{gateway}/httproutes", {}),
    "replace a route": ("PUT", f"/apis/gateway.networking.k8s.io/v1/namespaces/{{gateway}}/httproutes/{APP}", {}),
    "read Secrets": ("GET", "/api/v1/namespaces/{gateway}/secrets", None),
    "change a Service behind weights": ("PATCH", f"/api/v1/namespaces/{{gateway}}/services/{APP}-blue-tickets", {}),
    "touch another controller's routes": (
        "PATCH",
        "/apis/traefik.io/v1alpha1/namespaces/{gateway}/traefikservices/tickets",
        {},
    ),
    "change where Traefik's hosts lead": ("PATCH", "/apis/traefik.io/v1alpha1/namespaces/{traefik}/ingressroutes/tickets", {}),
    "remove an Application": ("DELETE", f"/apis/argoproj.io/v1alpha1/namespaces/{{argocd}}/applications/prod.{APP}", None),
    "make an Application": ("POST", "/apis/argoproj.io/v1alpha1/namespaces/{argocd}/applications", {}),
    "read Argo CD's Secrets": ("GET", "/api/v1/namespaces/{argocd}/secrets", None),
    "change the policy's parameters": ("PATCH", "/api/v1/namespaces/{home}/configmaps/bento-operators", {}),
    "change the Role": ("PATCH", "/apis/rbac.authorization.k8s.io/v1/namespaces/{gateway}/roles/bento-operators", {}),
}


@pytest.mark.parametrize("tried", FORBIDDEN)
def test_the_role_gives_no_right_to(place: Place, tried: str) -> None:
    method, path, body = FORBIDDEN[tried]
    names = {**place.namespaces, "argocd": place.argocd, "home": place.argocd.removesuffix("-argocd")}
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
    with pytest.raises(client.ApiException) as refused:
        asked(place.operator, method, path.format(**names), body, kind)
    assert refused.value.status == 403 and "olivia" in str(refused.value.body), refused.value.body


def test_who_may_delete_otherwise_does_not_as_an_operator(place: Place) -> None:
    """Somebody in the operators' group to whom another Role gives more: routes are still only weighed."""
    namespace = place.namespaces["istio"]
    access = "/apis/rbac.authorization.k8s.io/v1"
    role = {"metadata": {"name": "more"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    subject = {"kind": "User", "name": "olivia", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": "more"}, "subjects": [subject], "roleRef": {**subject, "kind": "Role", "name": "more"}}
    asked(place.admin, "POST", f"{access}/namespaces/{namespace}/roles", role)
    asked(place.admin, "POST", f"{access}/namespaces/{namespace}/rolebindings", binding)
    path = f"/apis/networking.istio.io/v1/namespaces/{namespace}/virtualservices/{APP}?dryRun=All"
    answer = ""
    for _ in range(100):  # an API server takes a moment to know a new binding
        with pytest.raises(client.ApiException) as refused:
            asked(place.operator, "DELETE", path)
        answer = str(refused.value.body)
        if "cannot delete resource" not in answer:
            break
        time.sleep(0.1)
    assert f"operators make and remove no virtualservices (found {APP})" in answer
    assert asked(place.admin, "DELETE", path)


def test_the_message_reaches_who_shifts_in_one_line(place: Place) -> None:
    body: Any = {"spec": {"hostnames": ["mine.example.com"]}}
    with pytest.raises(ToolFailed, match=r"does not let you change httproutes/tickets of .*but its weights.*\(403\)$"):
        place.as_operator().patched(HTTPROUTE[:3], place.namespaces["gateway"], APP, body)
