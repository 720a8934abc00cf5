"""How two sets of objects are compared: by what things are called, without noise, and nothing where nothing differs."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from bento_gitops.reviewing.objects import Field, Manifest, Map, compared, differences, policy_peers, restarted
from hypothesis import given
from hypothesis import strategies as st

SCALARS = st.none() | st.integers(-3, 3) | st.text("ab\n:x", max_size=4)
TREES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "key", "a", "b", "matches", "path"]), inner, max_size=4)
        | st.lists(st.fixed_dictionaries({"name": st.sampled_from("xyz"), "value": inner}), max_size=3)
    ),
    max_leaves=12,
)


def without_nulls(value: Any) -> Any:
    """Kubernetes takes a null for what is not there, and so does the comparison."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@given(TREES)
def test_equal_values_have_no_differences(tree: Any) -> None:
    assert list(differences(tree, copy.deepcopy(tree))) == []


@given(st.dictionaries(st.sampled_from("abc"), TREES, max_size=3), st.dictionaries(st.sampled_from("abc"), TREES, max_size=3))
def test_values_that_differ_have_a_difference(one: Any, other: Any) -> None:
    one, other = without_nulls(one), without_nulls(other)
    found = list(differences(one, other))
    assert bool(found) == (one != other)
    for field in found:
        assert field.before is not None or field.after is not None


def container(**changes: Any) -> Any:
    return {"containers": [{"name": "bento", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}], **changes}]}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            container(),
            container(env=[{"name": "B", "value": "2"}, {"name": "A", "value": "9"}]),
            [("containers[bento].env[A].value", "1", "9"), ("containers[bento].env[order]", ["A", "B"], ["B", "A"])],
        ),
        (
            container(),
            container(env=[{"name": "A", "value": "1"}]),
            [("containers[bento].env[B]", {"name": "B", "value": "2"}, None)],
        ),
        (
            {
                "rules": [
                    {
                        "matches": [{"path": {"value": "/a"}}],
                        "backendRefs": [{"name": "x", "weight": 1}, {"name": "y", "weight": 0}],
                    }
                ]
            },
            {
                "rules": [
                    {
                        "matches": [{"path": {"value": "/a"}}],
                        "backendRefs": [{"name": "y", "weight": 1}, {"name": "x", "weight": 0}],
                    }
                ]
            },
            [
                ("rules[every request].backendRefs[x].weight", 1, 0),
                ("rules[every request].backendRefs[y].weight", 0, 1),
                ("rules[every request].backendRefs[order]", ["x", "y"], ["y", "x"]),
            ],
        ),
        ({"hosts": ["a", "b"]}, {"hosts": ["a", "c"]}, [("hosts", ["a", "b"], ["a", "c"])]),
        ({"args": list("abcdefgh")}, {"args": list("abcdefgx")}, [("args", ["h"], ["x"])]),
        ({"args": list("abcdefgh")}, {"args": list("bacdefgh")}, [("args", list("abcdefgh"), list("bacdefgh"))]),
        ({"ports": [{"port": 1}, {"port": 2}]}, {"ports": [{"port": 2}, {"port": 3}]}, [("ports[1].port", 1, 3)]),
        ({"a": 1}, {"a": True}, [("a", 1, True)]),
        (
            {"data": {"bentoml.yaml": "services:\n  A:\n    timeout: 1\n"}},
            {"data": {"bentoml.yaml": "services:\n  A:\n    timeout: 2\n"}},
            [("data.bentoml.yaml.services.A.timeout", 1, 2)],
        ),
        ({"data": "one: [\ntwo\n"}, {"data": "one: [\nthree\n"}, [("data", "two", "three")]),
    ],
    ids=[
        "env by name",
        "env gone",
        "backends by name",
        "short list",
        "long list",
        "order",
        "one item of two",
        "type",
        "yaml in text",
        "text",
    ],
)
def test_what_differs_is_named_as_people_name_it(before: Any, after: Any, expected: list[tuple[str, Any, Any]]) -> None:
    assert [(field.pointer, field.before, field.after) for field in differences(before, after)] == expected


@given(st.permutations(["A", "B", "C"]))
def test_the_order_of_named_items_is_told_as_order_alone(names: list[str]) -> None:
    before: Any = {"env": [{"name": name, "value": name} for name in "ABC"]}
    after: Any = {"env": [{"name": name, "value": name} for name in names]}
    found = list(differences(before, after))
    assert found == ([] if names == list("ABC") else [Field(("env", "[order]"), ["A", "B", "C"], [*names])])


def deployment(bundle: str = "1.0.0", checksum: str = "a" * 64, replicas: int | None = None, **template: Any) -> Manifest:
    labels = {"bento-gitops/bundle": bundle, "app.kubernetes.io/version": bundle, "helm.sh/chart": "bento-serving-0.1.0"}
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "tickets", "labels": dict(labels)},
        "spec": {
            "template": {
                "metadata": {"labels": dict(labels), "annotations": {"bento-gitops/configuration": checksum}},
                "spec": {"containers": [{"name": "bento"}], **template},
            }
        },
    }
    if replicas is not None:
        body["spec"]["replicas"] = replicas
    return Manifest(body)


def test_a_checksum_alone_is_a_restart_without_a_field() -> None:
    (change,) = compared([deployment()], [deployment(checksum="b" * 64)])
    assert (change.fields, change.configuration, restarted(change)) == ((), True, True)


def test_labels_that_follow_the_bundle_are_told_once() -> None:
    (change,) = compared([deployment()], [deployment(bundle="1.1.0")])
    assert [(field.pointer, field.before, field.after) for field in change.fields] == [("bundle label", "1.0.0", "1.1.0")]


def test_the_chart_s_label_is_noise() -> None:
    other = copy.deepcopy(deployment().body)
    other["metadata"]["labels"]["helm.sh/chart"] = "bento-serving-0.2.0"  # pyright: ignore
    (change,) = compared([deployment()], [Manifest(other)])
    assert change.fields == ()
    assert not restarted(change)


def test_pods_that_are_not_there_do_not_restart() -> None:
    (change,) = compared([deployment(replicas=0)], [deployment(replicas=0, priorityClassName="low")])
    assert change.fields
    assert not restarted(change)


def test_an_object_that_takes_another_version_of_its_api_is_the_same_object() -> None:
    other: Map = {**deployment().body, "apiVersion": "apps/v2"}
    (change,) = compared([deployment()], [Manifest(other)])
    assert change.change == "changed"


def test_objects_are_added_and_removed_by_kind_and_name() -> None:
    def service(name: str) -> Manifest:
        return Manifest({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}})

    changes = compared([service("a"), service("b")], [service("b"), service("c")])
    assert [(change.change, change.manifest.name) for change in changes] == [("removed", "a"), ("added", "c")]


def test_peers_of_a_policy_are_the_same_on_every_track() -> None:
    def policy(track: str, cidr: str) -> Manifest:
        own: Map = {"podSelector": {"matchLabels": {"bento-gitops/track": track, "bento-gitops/component": "api"}}}
        spec: dict[str, Any] = {
            "ingress": [{"from": [own], "ports": [{"port": 3000}]}],
            "egress": [{"to": [{"ipBlock": {"cidr": cidr}}]}],
        }
        labels: Map = {"bento-gitops/track": track, "bento-gitops/component": "runner"}
        return Manifest({"kind": "NetworkPolicy", "metadata": {"name": track, "labels": labels}, "spec": spec})

    assert policy_peers([policy("blue", "10.0.0.0/8")]) == policy_peers([policy("green", "10.0.0.0/8")])
    opened = policy_peers([policy("green", "0.0.0.0/0")])["runner"] - policy_peers([policy("blue", "10.0.0.0/8")])["runner"]
    assert opened == {"to 0.0.0.0/0 at every port"}


def watched(**tracks: tuple[str, float, int]) -> Manifest:
    """By track its bundle, the objective of its p95 and its weight, as the chart's series say them."""
    rules: list[Any] = []
    for track, (bundle, p95, weight) in tracks.items():
        labels = {"track": track, "bundle": bundle}
        rules.append({"record": "bento:weight", "expr": f"vector({weight})", "labels": labels})
        rules.append({"record": "bento:objective:p95", "expr": f"vector({p95})", "labels": {**labels, "component": "api"}})
    alert = {"alert": "BentoLatencyHigh", "expr": "bento:p95 > 1"}
    groups: list[Any] = [{"name": "tickets.facts", "rules": rules}, {"name": "tickets.alerts", "rules": [alert]}]
    return Manifest({"kind": "PrometheusRule", "metadata": {"name": "tickets"}, "spec": {"groups": groups}})


def test_series_that_repeat_weights_bundles_and_tracks_that_come_are_no_difference() -> None:
    assert compared([watched(blue=("1.0.0", 0.5, 100))], [watched(blue=("1.0.1", 0.5, 90), green=("1.1.0", 0.5, 10))]) == ()


def test_a_threshold_that_alerts_compare_with_is_told_by_track_and_component() -> None:
    (change,) = compared([watched(blue=("1.0.0", 0.5, 100))], [watched(blue=("1.0.0", 0.8, 100))])
    (field,) = change.fields
    assert field.pointer == "spec.groups[tickets.facts].rules.bento:objective:p95 blue api"
    assert (field.before, field.after) == ("0.5", "0.8")
