"""What the chart renders passes the repository's own policies, whatever the values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from bento_gitops.checking.objects import Object
from bento_gitops.checking.policies import Policies, read_policy
from serving_chart import CI, ROOT, Rendered, tickets, two_tracks

Render = Callable[..., Rendered]

WITHOUT_PROBES = {
    "single-process-values": {"tickets-blue-tickets"},
    "standby-values": {"tickets-blue-tickets", "tickets-green-tickets"},
}
"""Values that take the probes away, to show that it can be done: where, and of which Deployments."""
PARAMETERS = {"registries": "registry.example.com/ml", "minReplicas": "2", "maxReplicas": "20", "requiredLabels": "owner"}


@pytest.fixture(scope="module")
def policies() -> Policies:
    texts = {path: path.read_text() for path in sorted(ROOT.glob("policies/*/policy.yaml"))}
    read = [
        read_policy(text, str(path.relative_to(ROOT)))
        for path, text in texts.items()
        if "bento-gitops/holds: cluster" not in text
    ]
    assert len(read) >= 12
    return Policies(read)


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_all_that_the_chart_renders_passes_every_policy(render: Render, policies: Policies, file: Path) -> None:
    found = [
        (denial.policy, each["metadata"]["name"], denial.message)
        for each in render(file).objects
        for denial in policies.judge(Object(each), {})
    ]
    message = "a container has a startup, a readiness and a liveness probe (not bento)"
    assert set(found) == {("probes", name, message) for name in WITHOUT_PROBES.get(file.stem, ())}


def test_labels_that_people_set_reach_every_object_that_is_asked_for_them(render: Render, policies: Policies) -> None:
    values = two_tracks(labels={"owner": "ml"}, tracks={"green": {"weight": 0, "capacity": "warm"}, "blue": {"weight": 100}})
    values["defaults"] = {"roles": {role: {"scaling": {"minReplicas": 2, "maxReplicas": 4}} for role in ("api", "runner")}}
    for settings in values["tracks"]["green"]["components"].values():
        settings["scaling"] = {"minReplicas": 1}
    assert [denial for each in render(values).objects for denial in policies.judge(Object(each), PARAMETERS)] == []


def test_what_values_leave_out_or_widen_is_refused_where_it_shows(render: Render, policies: Policies) -> None:
    values = tickets(tracks={"blue": {"image": {"repository": "registry.example.com/mlx/tickets"}}})
    values["tracks"]["blue"]["components"]["Embedder"]["envs"] = {"API_TOKEN": "abc"}
    values["tracks"]["blue"]["components"]["Embedder"]["scaling"] = {"minReplicas": 1, "maxReplicas": 30}
    found = {
        (denial.policy, each["kind"]) for each in render(values).objects for denial in policies.judge(Object(each), PARAMETERS)
    }
    assert found >= {
        ("image-by-digest", "Deployment"),
        ("no-secrets-in-env", "Deployment"),
        ("autoscaler-bounds", "HorizontalPodAutoscaler"),
        ("required-labels", "Service"),
        ("required-labels", "ConfigMap"),
    }
