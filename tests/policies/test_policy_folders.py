"""Each folder of policies/ shows what its policy lets pass and what it refuses, and what they share they say alike."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from bento_gitops.checking.objects import Map, Object
from bento_gitops.checking.policies import Policies, Policy, read_policy

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent for path in ROOT.glob("policies/*/policy.yaml"))
JUDGED = [folder for folder in FOLDERS if "bento-gitops/holds: cluster" not in (folder / "policy.yaml").read_text()]
SHARED = {"pod", "containers", "registries", "limits"}
"""Variables that mean the same wherever they are, but for `containers`, which has a second form where debugging is looked at."""
THE_ASKER_S = {"operators-shift-weights-only"}
"""Policies on who changes an object, whose folders hold more than one object a file can say."""


def _each(folders: list[Path]) -> Any:
    return pytest.mark.parametrize("folder", folders, ids=lambda folder: folder.name)


def _file(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=yaml.CSafeLoader)


def _policy(folder: Path) -> Policy:
    return read_policy((folder / "policy.yaml").read_text(), f"policies/{folder.name}/policy.yaml")


def _parameters(folder: Path) -> Mapping[str, str] | None:
    file = folder / "parameters.yaml"
    return _file(file) if file.exists() else None


def _messages(policy: Policy, resource: Path, parameters: Mapping[str, str] | None) -> list[str]:
    return [denial.message for denial in Policies([policy]).judge(Object(_file(resource)), parameters)]


@_each([folder for folder in FOLDERS if folder.name not in THE_ASKER_S])
def test_each_policy_has_resources_that_pass_and_that_fail_and_a_word_on_each(folder: Path) -> None:
    good, bad = sorted(folder.glob("good/*.yaml")), sorted(folder.glob("bad/*.yaml"))
    assert len(good) >= 2, good
    assert set(_file(folder / "expected.yaml")) == {file.name for file in bad}
    assert bad
    for resource in (*good, *bad, *folder.glob("given/*.yaml")):
        first, *others = resource.read_text().splitlines()
        assert re.fullmatch(r"# .+\.", first), f"{resource.relative_to(ROOT)} does not say why: {first}"
        assert "---" not in others, f"{resource.relative_to(ROOT)} is one object"
        assert "namespace" not in _file(resource)["metadata"], f"{resource.relative_to(ROOT)}: any namespace must do"


@_each(FOLDERS)
def test_each_policy_fails_closed_and_says_why_it_is_and_how_to_mend(folder: Path) -> None:
    text = (folder / "policy.yaml").read_text()
    policy = _file(folder / "policy.yaml")
    said = policy["metadata"]["annotations"]
    assert re.match(r"# [A-Z].+\n", text), "it begins with what it is about"
    assert policy["spec"]["failurePolicy"] == "Fail"
    assert said["bento-gitops/holds"] in ("both", "cluster", "offline")
    for key in ("bento-gitops/why", "bento-gitops/mend"):
        assert not said[key].endswith("."), f"{key} stands within a line"
    kind = policy["spec"].get("paramKind", {}).get("kind")
    assert folder.name in THE_ASKER_S or (folder / "parameters.yaml").exists() == (kind == "ConfigMap")
    assert ("bento-gitops/parameters" in said) == (kind not in (None, "ConfigMap"))


@_each(JUDGED)
def test_each_validation_refuses_a_resource_of_its_own_and_none_that_is_good(folder: Path) -> None:
    policy, parameters = _policy(folder), _parameters(folder)
    for validation in policy.validations:
        alone = dataclasses.replace(policy, validations=(validation,))
        refused = [file.name for file in folder.glob("bad/*.yaml") if _messages(alone, file, parameters)]
        assert refused, f"nothing in bad/ shows {validation.message or validation.condition}"
        assert not [file.name for file in folder.glob("good/*.yaml") if _messages(alone, file, parameters)]


@_each([folder for folder in JUDGED if (folder / "parameters.yaml").exists()])
def test_without_a_parameter_there_is_no_such_limit_and_no_error(folder: Path) -> None:
    """A ConfigMap of an older chart lacks a key for as long as an upgrade takes."""
    policy = _policy(folder)
    for resource in (*folder.glob("good/*.yaml"), *folder.glob("bad/*.yaml")):
        with_none, with_empty = (
            _messages(policy, resource, given) for given in ({}, dict.fromkeys(_parameters(folder) or {}, ""))
        )
        assert with_none == with_empty, resource.name
        assert not [message for message in with_none if "error" in message or "no such key" in message], resource.name
        if resource.parent.name == "good":
            assert not with_none, resource.name


def test_what_policies_share_they_say_alike() -> None:
    said: dict[str, set[str]] = {}
    for folder in FOLDERS:
        spec = _file(folder / "policy.yaml")["spec"]
        for part in (*spec.get("variables", ()), *spec.get("matchConditions", ())):
            said.setdefault(part["name"], set()).add(part["expression"])
    assert {name: len(said[name]) for name in SHARED & set(said)} == {"pod": 1, "containers": 3, "registries": 1, "limits": 1}
    assert len(said["not-made-by-a-controller"]) == 1


def test_the_readme_s_table_names_each_policy_and_where_it_holds() -> None:
    rows = re.findall(r"^\| \[([a-z-]+)\]\(([a-z-]+)/policy\.yaml\) \| (\w+) \|", (ROOT / "policies/README.md").read_text(), re.M)
    assert [(name, holds) for name, _, holds in rows] == [
        (folder.name, _file(folder / "policy.yaml")["metadata"]["annotations"]["bento-gitops/holds"]) for folder in FOLDERS
    ]
    assert all(name == path for name, path, _ in rows)


def test_the_policy_that_the_docs_show_is_one() -> None:
    lines = (ROOT / "docs/policies.md").read_text().split("policies/local/team-prefix/policy.yaml\n", 1)[1].split("\n1. ", 1)[0]
    policy = read_policy(textwrap.dedent(lines).strip() + "\n", "policies/local/team-prefix/policy.yaml")
    metadata: Map = {"name": "tickets", "labels": {"bento-gitops/application": "tickets"}}
    deployment = Object({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {}})
    assert [denial.message for denial in Policies([policy]).judge(deployment, {})] == [
        "an application begins with support- (found tickets)"
    ]
