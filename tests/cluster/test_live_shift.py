"""A live shift under requests: the route follows it and not Git, until it is discarded or adopted; with a real Argo CD."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from conftest import Settings, run
from delivered import Delivered, delivered
from kubernetes import client

__all__ = ["delivered"]

APP = "tickets"
LIVE = "bento-gitops/live"
ENOUGH = 40
"""Requests of which a quarter does not happen to miss a track: once in 100,000 times."""


def answered(delivered: Delivered, namespace: str, requests: int = ENOUGH) -> Counter[str]:
    """By track, how many of the requests it answered; every one must succeed."""
    found: Counter[str] = Counter()
    for _ in range(requests):
        headers = {"Host": f"{APP}.{namespace}.example.com", "Content-Type": "application/json"}
        asked = urllib.request.Request(f"{delivered.settings.gateway_url}/version", b"{}", headers)
        with urllib.request.urlopen(asked, timeout=20) as answer:
            found[answer.headers["x-bento-track"]] += 1
    return found


def ready(delivered: Delivered, namespace: str, bundle: str) -> bool:
    apps: Any = client.AppsV1Api(delivered.api)
    chosen = f"bento-gitops/application={APP}"
    found = [
        one
        for one in apps.list_namespaced_deployment(namespace, label_selector=chosen).items
        if one.spec.template.metadata.labels["bento-gitops/bundle"] == bundle
    ]
    return bool(found) and all((one.status.ready_replicas or 0) >= one.spec.replicas for one in found)


def notes_of(of: Mapping[str, Any] | None) -> dict[str, str]:
    return (of or {}).get("metadata", {}).get("annotations") or {}


@pytest.fixture
def canary(delivered: Delivered, digests: Mapping[str, str], settings: Settings) -> tuple[str, str, str]:
    """An application with a quarter of the requests on its candidate: its target, its Application, its namespace."""
    prod, namespace = next(iter(delivered.environments.items()))
    target = f"{prod}/{APP}"
    name = delivered.new_application(prod, APP, "1.0.0", digests["1.0.0"])
    delivered.push("1.1.0", dict(delivered.bundle(APP, "1.1.0", digests["1.1.0"])))
    delivered.regenerate()
    delivered.synced(name)
    delivered.until(lambda: ready(delivered, namespace, "1.0.0"), "the pods of 1.0.0 are ready", 240)
    delivered.change("promote", target, "1.1.0")
    delivered.change("canary", "prepare", target, "25")
    delivered.synced(name)
    delivered.until(lambda: ready(delivered, namespace, "1.1.0"), "the pods of 1.1.0 are ready", 240)
    delivered.change("canary", "shift", target, "25")
    delivered.synced(name)
    delivered.until(lambda: set(answered(delivered, namespace)) == {"blue", "green"}, "both tracks answer", 60)
    return target, name, namespace


def test_a_live_shift_holds_against_git_until_it_is_discarded_or_adopted(
    delivered: Delivered, canary: tuple[str, str, str]
) -> None:
    target, name, namespace = canary
    prod = target.partition("/")[0]

    def command(*words: str) -> str:
        return run("bento-gitops", "-C", delivered.clone.root, *words)

    began = time.monotonic()
    said = command("live", "shift", target, "0", "--reason", "Git is down")
    shifted = time.monotonic() - began
    moved = delivered.until(lambda: set(answered(delivered, namespace, 10)) == {"blue"}, "all requests go to blue", 30)
    print(f"live shift: the command {shifted:.1f} s, all requests moved {moved:.1f} s later")
    assert f"automatic sync of {name} is off" in said
    core: Any = client.CoreV1Api(delivered.api)
    events = core.list_namespaced_event(namespace, field_selector="reason=LiveShift").items
    assert [one.involved_object.name for one in events] == [APP]

    # Git goes on, and Argo CD looks: the route stays as the operator left it.
    delivered.push("something else", {"README.md": "a fleet\n"})
    delivered.refresh(name)
    delivered.regenerate()
    delivered.until(lambda: "refresh" not in str(notes_of(delivered.application(name))), "Argo CD has looked")
    time.sleep(10)
    assert delivered.weights(prod, APP) == {"blue": 100, "green": 0}
    application = delivered.application(name)
    assert application and "automated" not in application["spec"]["syncPolicy"], "the set leaves it alone"
    assert json.loads(notes_of(application)[LIVE])["automated"] == {"prune": True, "selfHeal": True}
    (seen,) = json.loads(command("status", target, "--live", "--json"))
    assert seen["live"]["held"]["reason"] == "Git is down" and seen["live"]["argocd"]["sync"] == "OutOfSync"

    began = time.monotonic()
    command("live", "discard", target)
    delivered.until(lambda: delivered.weights(prod, APP) == {"blue": 75, "green": 25}, "Git's weights are back", 60)
    print(f"live discard: Git's weights were back after {time.monotonic() - began:.1f} s")
    delivered.synced(name)
    custom: Any = client.CustomObjectsApi(delivered.api)
    route = custom.get_namespaced_custom_object("gateway.networking.k8s.io", "v1", namespace, "httproutes", APP)
    assert LIVE not in notes_of(route) and LIVE not in notes_of(delivered.application(name))
    assert "bento-gitops-live" not in {one["manager"] for one in route["metadata"]["managedFields"]}

    command("live", "shift", target, "10", "--reason", "less of it")
    began = time.monotonic()
    said = command("live", "adopt", target, "--push")
    assert f"automatic sync of {name} is on" in said
    delivered.clone.git("pull", "--quiet", "--ff-only")
    delivered.synced(name)
    print(f"live adopt: pushed and synced after {time.monotonic() - began:.1f} s")
    time.sleep(5)
    assert delivered.weights(prod, APP) == {"blue": 90, "green": 10}
    assert delivered.state(name)["sync"] == "Synced"
    command("status", target, "--live", "--check")
