"""What Argo CD makes of a project and a set of bento-platform: one Application each, synced; and what moves none of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from asking import Clients
from bento_gitops.model.base import timestamp
from conftest import ROOT, run
from delivered import ROUTES, Delivered, delivered
from kubernetes import client

__all__ = ["delivered"]

SOON = 30
"""Seconds from a push until the route is as it says, where 2 are what an idle machine needs: no wait of Argo CD's own fits in."""
APP = "tickets"
HELD = json.dumps({"by": "olivia", "reason": "Git is down", "until": "2030-01-01T00:00:00Z", "weights": {}, "at": "now"})


def test_each_application_of_the_environments_of_this_cluster_is_synced_and_stays_so(delivered: Delivered) -> None:
    prod, dev = delivered.environments
    version = _pinned(delivered, dev)
    names = [delivered.new_application(prod, APP), delivered.new_application(dev, APP)]
    delivered.new_application(f"{delivered.project}-far", APP)
    delivered.regenerate()
    delivered.until(lambda: delivered.applications() == sorted(names), lambda: f"{delivered.applications()} are {names}")
    assert [_path(delivered, name) for name in names] == [
        "charts/bento-serving",
        f"charts/releases/bento-serving/{version}",
    ]
    for name, environment in zip(names, (prod, dev), strict=True):
        taken = delivered.synced(name)
        _say(f"{name}: there and synced after {taken:.1f} s")
        found = delivered.application(name)
        assert found
        assert found["metadata"]["labels"] == {"bento-gitops/environment": environment, "bento-gitops/application": APP}
        assert "finalizers" not in found["metadata"], "who removes an Application removes no pod"
        once = delivered.status(name)["history"]
        for _ in range(3):
            # What an API server adds to an object, an HTTPRoute's defaults for one, must not look like a difference.
            delivered.looked_again(name)
            assert delivered.state(name)["sync"] == "Synced", delivered.state(name)
        assert delivered.status(name)["history"] == once, "nothing was synced again"
        assert delivered.weights(environment, APP) == {"blue": 100}


def test_weights_are_live_in_seconds_also_beside_a_candidate_that_never_gets_ready(
    delivered: Delivered, digests: Mapping[str, str]
) -> None:
    prod = next(iter(delivered.environments))
    target = f"{prod}/{APP}"
    name = delivered.new_application(prod, APP, "1.0.0", digests["1.0.0"])
    delivered.regenerate()
    delivered.synced(name)
    clients = Clients(delivered.settings.gateway_url, f"{APP}.{prod}.example.com")
    delivered.until(lambda: clients.ask("hello").good, "1.0.0 answers", 180)
    delivered.push("Two bundles", delivered.bundle(APP, "1.1.0", digests["1.1.0"]) | delivered.bundle(APP, "1.2.0"))
    clients.start()
    try:
        _candidate(delivered, target, "1.1.0")
        delivered.synced(name)
        delivered.until(lambda: delivered.ready(prod, "green"), "green is ready", 180)
        _live(delivered, target, {"blue": 90, "green": 10}, "canary", "shift", target, "10")
        _live(delivered, target, {"blue": 100, "green": 0}, "rollback", target, "--reason", "wrong queues")
        _candidate(delivered, target, "1.2.0")
        delivered.synced(name)
        assert not delivered.ready(prod, "amber")
        _a_standby_goes(delivered, target)
        clients.stop()  # what comes now does lose requests: somebody sends them to pods that are not there
        _live(delivered, target, {"blue": 90, "amber": 10}, "canary", "shift", target, "10")
        told = _live(delivered, target, {"blue": 100, "amber": 0}, "rollback", target, "--reason", "it never starts")
        assert (told["transition"], told["release"].get("candidate")) == ("abort", None)
    finally:
        clients.stop()
    # Where nobody listens, the gateway itself was not there: no route can make that.
    asked = [one for one in clients.since(0) if "Connection refused" not in one.wrong]
    assert [one for one in asked if not one.good] == []
    assert {one.track for one in asked} == {"blue", "green"}


def test_a_bundle_that_never_starts_does_not_hold_the_one_that_is_put_straight_after_it(delivered: Delivered) -> None:
    dev = list(delivered.environments)[1]
    name = delivered.new_application(dev, APP)
    delivered.regenerate()
    delivered.synced(name)
    delivered.push("Two bundles", delivered.bundle(APP, "1.1.0") | delivered.bundle(APP, "1.2.0"))
    for tag, track in (("1.1.0", "green"), ("1.2.0", "blue")):
        told = delivered.change("promote", f"{dev}/{APP}", tag)
        assert told["transition"] == "direct"
        _say(f"{tag} straight to {track}: synced {delivered.synced(name, SOON):.1f} s after the push")
        assert delivered.weights(dev, APP) == {track: 100}


def test_what_the_generators_find_no_more_is_not_deleted(delivered: Delivered) -> None:
    prod, dev = delivered.environments
    name = delivered.new_application(prod, APP)
    delivered.regenerate()
    delivered.synced(name)
    objects = delivered.objects(name)
    delivered.push("Somebody removed too much", {"environments": None})
    delivered.regenerate()
    assert not delivered.error(), "an empty generator is no error"
    assert delivered.applications() == [name]
    delivered.values["argocd"]["revision"] = "no-such-branch"
    delivered.install()
    delivered.regenerate(fails=True)
    assert delivered.applications() == [name]
    delivered.values["argocd"]["revision"] = "main"
    delivered.install()
    delivered.clone.git("revert", "--no-edit", "HEAD")
    delivered.clone.git("push", "--quiet")
    second = delivered.new_application(dev, "later")
    delivered.regenerate()
    delivered.until(lambda: delivered.applications() == sorted([name, second]), "what is new appears")
    delivered.synced(name)
    assert delivered.objects(name) == objects
    assert delivered.weights(prod, APP) == {"blue": 100}


def test_automatic_sync_that_is_held_stays_held_and_heals_afterwards(delivered: Delivered) -> None:
    prod = next(iter(delivered.environments))
    name = delivered.new_application(prod, APP)
    delivered.regenerate()
    delivered.synced(name)
    automated = _spec(delivered, name)["syncPolicy"]["automated"]
    delivered.patch(name, {"metadata": {"annotations": {"bento-gitops/live": HELD}}, "spec": {"syncPolicy": {"automated": None}}})
    _unhook(delivered, prod)
    delivered.values["argocd"]["annotations"] = {"example.com/new": "yes"}
    delivered.install()
    delivered.regenerate()
    delivered.until(
        lambda: delivered.annotations(name).get("example.com/new") == "yes", "the set has changed the Application otherwise"
    )
    assert delivered.annotations(name)["bento-gitops/live"] == HELD
    assert "automated" not in _spec(delivered, name)["syncPolicy"]
    delivered.looked_again(name)
    assert delivered.state(name)["sync"] == "OutOfSync"
    assert _hostnames(delivered, prod) == ["elsewhere.example.com"]
    delivered.patch(
        name, {"metadata": {"annotations": {"bento-gitops/live": None}}, "spec": {"syncPolicy": {"automated": automated}}}
    )
    taken = delivered.until(lambda: _hostnames(delivered, prod) == [f"{APP}.{prod}.example.com"], "the drift is healed", SOON)
    _say(f"drift healed {taken:.1f} s after automatic sync was back")
    _unhook(delivered, prod)
    taken = delivered.until(lambda: _hostnames(delivered, prod) == [f"{APP}.{prod}.example.com"], "it is healed again", SOON)
    _say(f"drift healed {taken:.1f} s after it came")


def test_a_project_takes_no_other_namespace_and_no_kind_that_the_chart_has_not(delivered: Delivered) -> None:
    prod, dev = delivered.environments
    names = [delivered.new_application(prod, APP), delivered.new_application(dev, APP)]
    delivered.regenerate()
    for name in names:
        delivered.synced(name)
    environment = f"environments/{dev}/environment.yaml"
    text = (delivered.clone.text(environment) or "").replace(f"namespace: {dev}\n", "namespace: default\n", 1)
    delivered.push("Into a namespace of others", {environment: text})
    delivered.regenerate()
    delivered.until(lambda: _spec(delivered, names[1])["destination"]["namespace"] == "default", "it is wanted there")
    delivered.refresh(names[1])
    delivered.until(
        lambda: "do not match any of the allowed destinations" in str(delivered.state(names[1])["conditions"]),
        lambda: f"it is refused: {delivered.state(names[1])}",
    )
    assert delivered.found(*ROUTES, "default", "httproutes", APP) is None
    rights = "apiVersion: v1\nkind: Secret\nmetadata: {name: mine}\n"
    delivered.push("A kind of one's own", {"charts/bento-serving/templates/secret.yaml": rights})
    delivered.refresh(names[0])
    delivered.until(
        lambda: "is not permitted in project" in str(delivered.status(names[0])),
        lambda: f"it is refused: {delivered.state(names[0])}",
    )
    with pytest.raises(client.ApiException, match="Not Found"):
        client.CoreV1Api(delivered.api).read_namespaced_secret("mine", prod)
    delivered.push("Without it", {"charts/bento-serving/templates/secret.yaml": None})
    delivered.synced(names[0])


def test_a_retired_application_leaves_its_objects_until_somebody_deletes_them(delivered: Delivered) -> None:
    dev = list(delivered.environments)[1]
    target = f"{dev}/{APP}"
    name = delivered.new_application(dev, APP)
    delivered.regenerate()
    delivered.synced(name)
    closed = delivered.change("retire", target, "--reason", "nobody asks it")
    assert closed["release"]["retiring"]
    delivered.synced(name)
    assert delivered.weights(dev, APP) is None, "its route is closed"
    delivered.clone.git("pull", "--quiet", "--ff-only")
    told = delivered.change("retire", target, "--break-glass", "a test counts no requests")
    assert told["transition"] == "retired"
    delivered.regenerate()
    delivered.refresh(name)
    delivered.until(lambda: delivered.state(name)["sync"] == "Unknown", lambda: f"{delivered.state(name)}")
    assert delivered.applications() == [name]
    apps = client.AppsV1Api(delivered.api)
    assert len(apps.list_namespaced_deployment(dev).items) == 3
    finalizer = ["resources-finalizer.argocd.argoproj.io"]
    delivered.patch(name, {"metadata": {"finalizers": finalizer}})
    delivered.remove_application(name)
    delivered.until(lambda: apps.list_namespaced_deployment(dev).items == [], "its Deployments are gone")
    delivered.until(lambda: delivered.applications() == [], "so is the Application")


def _pinned(delivered: Delivered, environment: str) -> str:
    """The version of the chart that the environment is pinned to from now on."""
    version = yaml.safe_load((ROOT / "charts/bento-serving/Chart.yaml").read_text())["version"]
    for words in (("release", version), ("pin", environment, version)):
        run("bento-gitops", "-C", delivered.clone.root, "chart", *words)
    delivered.push(f"{environment} runs {version} of the chart", {})
    return version


def _candidate(delivered: Delivered, target: str, tag: str) -> None:
    """A bundle as the candidate, with pods for some of the requests."""
    glass = ("--break-glass", "this is about Argo CD")
    delivered.change("promote", target, tag, *glass)
    delivered.change("canary", "prepare", target, "10", *glass)


def _live(delivered: Delivered, target: str, weights: Mapping[str, int], *command: str) -> dict[str, Any]:
    """A command, and the wait until the route is as it says."""
    glass = ("--break-glass", "this is about Argo CD") if command[0] == "canary" else ()
    told = delivered.change(*command, *glass)
    environment, _, application = target.partition("/")
    delivered.refresh(f"{environment}.{application}")
    taken = delivered.until(
        lambda: delivered.weights(environment, application) == weights,
        lambda: f"{delivered.weights(environment, application)}: {delivered.state(f'{environment}.{application}')}",
        SOON,
    )
    _say(f"{told['transition']} {dict(weights)}: live {taken:.1f} s after the push")
    return told


def _a_standby_goes(delivered: Delivered, target: str) -> None:
    """What `canary step` does with the track of a candidate that was taken back, once it is past its time."""
    delivered.clone.git("pull", "--quiet", "--ff-only")
    path = f"environments/{target}/release.yaml"
    release = yaml.safe_load(delivered.clone.text(path) or "")
    del release["tracks"]["green"]
    release.pop("standby", None)
    delivered.clone.put(path, yaml.safe_dump(release, sort_keys=False))
    run("bento-gitops", "-C", delivered.clone.root, "render", target)
    delivered.push("The standby goes", {})
    name = target.replace("/", ".")
    delivered.refresh(name)
    # Pods that were pruned may take their time to go.
    gone = f"{APP}-green-support-ticket-intelligence"
    delivered.until(lambda: gone in delivered.touched(name), lambda: f"its sync has taken it away: {delivered.state(name)}", SOON)


def _unhook(delivered: Delivered, environment: str) -> None:
    """Somebody changes a route by hand."""
    where = (*ROUTES, delivered.environments[environment], "httproutes", APP)
    client.CustomObjectsApi(delivered.api).patch_namespaced_custom_object(
        *where, {"spec": {"hostnames": ["elsewhere.example.com"]}}
    )


def _hostnames(delivered: Delivered, environment: str) -> list[str]:
    route = delivered.found(*ROUTES, delivered.environments[environment], "httproutes", APP)
    return route["spec"]["hostnames"] if route else []


def _spec(delivered: Delivered, name: str) -> dict[str, Any]:
    found = delivered.application(name)
    assert found, name
    return found["spec"]


def _path(delivered: Delivered, name: str) -> str:
    return _spec(delivered, name)["source"]["path"]


def _say(words: str) -> None:
    print(f"{timestamp(datetime.now(UTC))}  {words}", flush=True)
