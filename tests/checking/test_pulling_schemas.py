"""schemas pull: from files into the repository, from a cluster into the fork's folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from bento_gitops.model.problem import InvalidInput, ToolFailed
from bento_gitops.operations import schemas
from bento_gitops.tools import kubectl


def definition(kind: str, *versions: str) -> dict[str, object]:
    schema = {"openAPIV3Schema": {"type": "object", "description": "prose", "properties": {"spec": {"type": "object"}}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind.lower()}s.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"kind": kind},
            "versions": [{"name": version, "served": True, "schema": schema} for version in versions],
        },
    }


@pytest.fixture
def crds(tmp_path: Path) -> Path:
    folder = tmp_path / "crds"
    (folder / "deep").mkdir(parents=True)
    (folder / "one.yaml").write_text(yaml.safe_dump_all([definition("Widget", "v1", "v1beta1"), {"kind": "ConfigMap"}, None]))
    (folder / "deep/list.json").write_text(json.dumps({"kind": "List", "items": [definition("Gadget", "v2")]}))
    (folder / "README.md").write_text("not: [yaml")
    return folder


def test_all_definitions_below_a_folder_become_schemas_and_the_second_time_nothing_changes(crds: Path, tmp_path: Path) -> None:
    every = ("example.com/gadget_v2.json", "example.com/widget_v1.json", "example.com/widget_v1beta1.json")
    assert schemas.pull(tmp_path, crds) == schemas.Pulled("schemas/custom-resources", every, (), ())
    assert schemas.pull(tmp_path, crds) == schemas.Pulled("schemas/custom-resources", (), every, ())
    schema = json.loads((tmp_path / "schemas/custom-resources/example.com/gadget_v2.json").read_text())
    assert schema["x-source"] == {"definition": "gadgets.example.com"}
    assert "prose" not in json.dumps(schema)


@pytest.mark.parametrize(
    ("kinds", "written"),
    [
        (["Widget"], ["widget_v1.json", "widget_v1beta1.json"]),
        (["Widget_v1"], ["widget_v1.json"]),
        (["widget_v1", "Gadget"], ["gadget_v2.json", "widget_v1.json"]),
    ],
)
def test_only_the_kinds_that_are_asked_for_are_written(kinds: list[str], written: list[str], crds: Path, tmp_path: Path) -> None:
    pulled = schemas.pull(tmp_path, crds, kinds)
    assert [path.rpartition("/")[2] for path in pulled.written] == written
    assert len(pulled.passed_over) == 3 - len(written)
    assert sorted(file.name for file in tmp_path.glob("schemas/custom-resources/*/*")) == written


def test_a_kind_that_is_not_there_and_a_path_that_is_not_there_are_errors(crds: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"crds: no definition of this kind \(found 'Wigdet'\); did you mean 'widget'\?"):
        schemas.pull(tmp_path, crds, ["Wigdet"])
    with pytest.raises(InvalidInput, match="no such file or folder"):
        schemas.pull(tmp_path, tmp_path / "nowhere")
    (nothing := tmp_path / "nothing.yaml").write_text("a: 1\n")
    with pytest.raises(InvalidInput, match="no CustomResourceDefinition here"):
        schemas.pull(tmp_path, nothing)
    assert not (tmp_path / "schemas").exists()


def fake_kubectl(folder: Path, script: str) -> Path:
    file = folder / "kubectl"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def test_without_a_path_they_come_from_the_cluster_into_the_folder_of_the_fork(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "answer.json").write_text(json.dumps({"kind": "List", "items": [definition("Widget", "v1")]}))
    program = fake_kubectl(
        tmp_path, f'[ "$1 $2" = "get customresourcedefinitions.apiextensions.k8s.io" ] && cat {tmp_path}/answer.json'
    )
    monkeypatch.setattr(schemas.binaries, "find", lambda _name: program)
    assert schemas.pull(tmp_path, None) == schemas.Pulled("policies/local/schemas", ("example.com/widget_v1.json",), (), ())
    assert (tmp_path / "policies/local/schemas/example.com/widget_v1.json").is_file()


def test_a_cluster_that_does_not_answer_is_told_in_a_sentence(tmp_path: Path) -> None:
    program = fake_kubectl(tmp_path, "echo E1121 noise >&2; echo 'The connection to the server was refused' >&2; exit 1")
    with pytest.raises(ToolFailed, match="does not answer: The connection to the server was refused"):
        kubectl.custom_resource_definitions(program)
