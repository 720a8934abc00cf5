"""CustomResourceDefinitions reduced to facts, and objects against them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bento_gitops.checking.application import Checker
from bento_gitops.checking.custom_resources import CustomResourceSchemas, compiled_schema, path_of, reduced, text_of
from bento_gitops.checking.objects import Json, Map, Object
from bento_gitops.checking.rendered import Document

ROOT = Path(__file__).resolve().parents[2]
SCHEMAS = sorted((ROOT / "schemas/custom-resources").glob("*/*.json"))


def definition(spec: Json, *, group: str = "example.com", version: str = "v1") -> Map:
    schema: Json = {
        "type": "object",
        "description": "A widget.",
        "required": ["spec"],
        "properties": {"spec": spec, "status": {"type": "object"}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"widgets.{group}",
            "annotations": {"controller-gen.kubebuilder.io/version": "v0.19.0", "note": "x"},
        },
        "spec": {
            "group": group,
            "names": {"kind": "Widget", "plural": "widgets"},
            "versions": [
                {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}},
                {"name": "v0", "served": False, "schema": {"openAPIV3Schema": {"type": "object"}}},
            ],
        },
    }


SPEC: Json = {
    "type": "object",
    "description": "What is wanted.",
    "required": ["size"],
    "x-kubernetes-validations": [{"rule": "self.size > 0"}],
    "properties": {
        "size": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 9, "default": 3},
        "mode": {"type": "string", "enum": ["Fast", "Slow"], "nullable": True},
        "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"known": {"type": "string"}}},
        "labels": {"type": "object", "minProperties": 1, "additionalProperties": {"type": "string"}},
        "items": {
            "type": "array",
            "maxItems": 2,
            "items": {"type": "object", "properties": {"name": {"type": "string", "pattern": "^a+$", "maxLength": 3}}},
        },
        "empty": {"type": "object"},
        "description": {"type": "string"},
        "template": {"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True},
    },
}


def found(spec: Json, **more: Json) -> list[str] | None:
    schemas = dict(reduced(definition(SPEC)))
    body: Map = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec, **more}
    findings = CustomResourceSchemas(schemas.get).findings(Object(body))
    return None if findings is None else sorted(f"{item.pointer} {item.wrong}" for item in findings)


def test_what_the_definition_allows_is_right() -> None:
    everything: Json = {
        "size": 9,
        "mode": None,
        "port": "http",
        "free": {"known": "a", "other": {"any": [1]}},
        "labels": {"a": "b"},
        "items": [{"name": "aaa"}, {}],
        "empty": {},
        "description": "kept, for it is a field",
        "template": {"kind": "Pod", "spec": {}},
    }
    assert found(everything) == []
    assert found({"size": 1, "port": 80, "mode": "Fast"}) == []


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        ({}, "spec.size is missing"),
        ({"size": 0}, "spec.size is below the least that is allowed"),
        ({"size": 10}, "spec.size is above the most that is allowed"),
        ({"size": "3"}, "spec.size must be a whole number"),
        ({"size": None}, "spec.size must be a whole number"),
        ({"size": 1, "mode": "Medium"}, "spec.mode is not one of what is allowed"),
        ({"size": 1, "port": 1.5}, "spec.port must be a whole number or text"),
        ({"size": 1, "sise": 1}, "spec.sise no such field"),
        ({"size": 1, "free": {"known": 1}}, "spec.free.known must be text"),
        ({"size": 1, "labels": {"a": 1}}, "spec.labels.a must be text"),
        ({"size": 1, "items": [{}, {}, {}]}, "spec.items has more items than allowed"),
        ({"size": 1, "items": [{"nam": "a"}]}, "spec.items[0].nam no such field"),
        ({"size": 1, "items": [{"name": "b"}]}, "spec.items[0].name is not of the right form"),
        ({"size": 1, "items": [{"name": ""}]}, "spec.items[0].name is not of the right form"),
        ({"size": 1, "items": [{"name": "a\n"}]}, "spec.items[0].name is not of the right form"),
        ({"size": 1, "items": [{"name": "aaaa"}]}, "spec.items[0].name is longer than what is allowed"),
        ({"size": 1, "labels": {}}, "spec.labels has fewer keys than needed"),
        ({"size": 1, "empty": {"a": 1, "b": 2}}, "spec.empty.a no such field, spec.empty.b no such field"),
    ],
)
def test_what_it_does_not_allow_is_told(spec: Json, wrong: str) -> None:
    assert found(spec) == wrong.split(", ")


def test_status_belongs_to_the_controller_and_metadata_has_a_name() -> None:
    assert found({"size": 1}, status={}) == ["status no such field"]
    assert found({"size": 1}, metadata={"nme": "w"}) == ["metadata.name is missing", "metadata.nme no such field"]


def test_a_reduced_schema_holds_facts_and_its_source_and_no_prose() -> None:
    [(path, schema)] = reduced(definition(SPEC))
    assert path == "example.com/widget_v1.json" == path_of("example.com", "Widget", "v1")
    assert schema["x-source"] == {"definition": "widgets.example.com", "controller-gen.kubebuilder.io/version": "v0.19.0"}
    text = text_of(schema)
    for absent in ("What is wanted", "A widget", "rule", "default", "format"):
        assert absent not in text
    assert text == text_of(json.loads(text))


def test_a_large_part_that_comes_twice_stands_once_and_says_the_same() -> None:
    large: Map = {"type": "object", "properties": {f"field{number:03}": {"type": "integer"} for number in range(60)}}
    spec: Map = {"type": "object", "properties": {"one": large, "many": {"type": "array", "items": large}}}
    [(path, schema)] = reduced(definition(spec))
    assert text_of(schema).count("field042") == 1
    body: Map = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}}
    body["spec"] = {"one": {"field001": "x"}, "many": [{"field002": 2}, {"feld003": 3}]}
    findings = CustomResourceSchemas({path: schema}.get).findings(Object(body)) or []
    assert sorted(f"{item.pointer} {item.wrong} {item.todo}" for item in findings) == [
        "spec.many[1].feld003 no such field did you mean 'field003'?",
        "spec.one.field001 must be a whole number ",
    ]


def test_what_is_no_definition_or_has_no_schema_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match=r"not a CustomResourceDefinition of apiextensions\.k8s\.io/v1: old"):
        list(
            reduced(
                {"apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "CustomResourceDefinition", "metadata": {"name": "old"}}
            )
        )
    bare = definition(SPEC)
    bare["spec"]["versions"][0].pop("schema")  # type: ignore[index,call-overload,union-attr]
    with pytest.raises(ValueError, match=r"widgets\.example\.com has no schema of its version v1"):
        list(reduced(bare))


@pytest.mark.parametrize(
    ("pattern", "right", "wrong"),
    [
        (r"^[\w-]+$", "a-1", "é"),  # \w, \d and \s are of ASCII alone in Go
        (r"^\d+$", "12", "\u0663"),
        (r"^(?i:abc)\z", "ABC", "abcd"),
        (r"(a+)+$", "a" * 5000, "a" * 5000 + "!"),  # an engine that goes back to try again would not end
    ],
)
def test_patterns_mean_what_they_mean_to_the_api_server(pattern: str, right: str, wrong: str) -> None:
    spec: Json = {"type": "object", "properties": {"word": {"type": "string", "pattern": pattern}}}
    schemas = CustomResourceSchemas(dict(reduced(definition(spec))).get)
    for word, expected in ((right, []), (wrong, [f"it must match {pattern}"])):
        body: Map = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"word": word}}
        assert [item.todo for item in schemas.findings(Object(body)) or []] == expected, word


@pytest.mark.parametrize(("pattern", "told"), [("(?=a)a", r"\(\?=a\)"), ("^[[:alpha:]]+$", r"the class \[:alpha:\]")])
def test_a_pattern_that_cannot_be_read_is_told_when_the_schema_is_pulled(pattern: str, told: str) -> None:
    spec: Json = {"type": "object", "properties": {"word": {"type": "string", "pattern": pattern}}}
    with pytest.raises(ValueError, match=rf"the schema of widgets\.example\.com v1 cannot be used: .*{told}"):
        list(reduced(definition(spec)))


def test_an_object_without_a_schema_is_named_and_counted(checker: Checker) -> None:
    widget = "apiVersion: example.com/v1\nkind: Widget\nmetadata: {name: %s}\n"
    outcome = checker.check([Document("app", "templates/it.yaml", widget % name) for name in ("one", "two")])
    assert (outcome.findings, outcome.unchecked) == ((), {"example.com/v1 Widget": 2})


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.stem)
def test_the_repositorys_schemas_can_be_compiled_and_know_every_field(file: Path) -> None:
    schema = json.loads(file.read_text())
    assert schema["additionalProperties"] is schema["properties"]["spec"]["additionalProperties"] is False
    compiled_schema(schema)


def test_the_repository_has_the_schema_of_the_route_that_its_chart_emits() -> None:
    schema = json.loads((ROOT / "schemas/custom-resources/gateway.networking.k8s.io/httproute_v1.json").read_bytes())
    assert schema["x-source"]["definition"] == "httproutes.gateway.networking.k8s.io"
    rule = schema["properties"]["spec"]["properties"]["rules"]["items"]
    assert rule["additionalProperties"] is False
    assert "pattern" in schema["properties"]["spec"]["properties"]["hostnames"]["items"]
    assert rule["properties"]["backendRefs"]["items"]["properties"]["weight"] == {
        "type": "integer",
        "minimum": 0,
        "maximum": 1000000,
    }
