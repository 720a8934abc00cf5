"""What `validate` says of policies without a cluster is what a real API server says, object by object: `make parity`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from api_server import Answer, ApiServer, until
from bento_gitops.checking.decoded import decoded
from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.checking.objects import Json, Map, Object, pointer_of
from bento_gitops.checking.rendered import read
from bento_gitops.cli.console import line, table
from bento_gitops.operations.manifests import render_objects
from bento_gitops.operations.render import render_fleet
from bento_gitops.repository.files import WorkingTree
from bento_gitops.repository.fleet import Fleet
from bento_gitops.repository.policies import Guards
from policy_cases import Case, Folder, folders

ROOT = Path(__file__).resolve().parents[2]
SEMANTICS = Path(__file__).resolve().parents[1] / "policies/semantics"
"""Policies that nobody installs: each shows how CEL and its errors are to be read."""


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    one = ApiServer()
    try:
        yield one
    finally:
        one.close()


@pytest.fixture(scope="module")
def unguarded(server: ApiServer) -> str:
    """A namespace without policies: how the server answers when nothing is in its way."""
    return server.namespace("unguarded")


class InForce:
    """A folder's policy on the server, in a namespace of its own."""

    def __init__(self, server: ApiServer, folder: Folder) -> None:
        self.server, self.folder = server, folder
        self.namespace = server.namespace(folder.path.name)
        for body in folder.given:
            server.make(server.path(body, self.namespace), body)
        spec = folder.body["spec"]
        operations = _operations(spec)
        self.method = "DELETE" if operations == {"DELETE"} else "PUT" if operations == {"UPDATE"} else "POST"
        if self.method == "DELETE":
            for case in folder.cases:
                server.make(server.path(case.body, self.namespace), case.body)
        selected = folder.body["metadata"]["annotations"].get("bento-gitops/parameters", "bento-gitops/application")
        self.name = server.enforce(folder.path.name, spec, self.namespace, folder.parameters, selected)

    def judge(self, case: Case) -> Answer:
        return self.server.judge(self.method, case.body, self.namespace)

    def said(self, answer: Answer) -> list[str]:
        """The policy's messages; what else stood in the way comes first."""
        told = [said for policy, said in answer.warnings if policy == self.name]
        denied = f"ValidatingAdmissionPolicy '{self.name}' with binding '{self.name}.{self.namespace}.deny' denied request: "
        if bool(answer.refused) != bool(told) or (told and f"{denied}{told[0]}" not in answer.refused):
            return [f"(answered {answer.status}: {answer.refused})", *told]
        return told

    def be_there(self) -> None:
        """Waits until the server asks the policy: a moment after it is made it does not yet."""
        bad = next((case for case in self.folder.cases if case.expected), None)
        if bad:
            until(
                lambda: self.name in self.judge(bad).refused and bool(self.judge(bad).warnings), f"{self.name} denies {bad.name}"
            )


def _operations(spec: Mapping[str, Any]) -> set[str]:
    return {operation for rule in spec["matchConstraints"]["resourceRules"] for operation in rule["operations"]}


def _verdict(messages: Sequence[str]) -> str:
    return f"denies ({len(messages)})" if messages else "allows"


@pytest.fixture(scope="module")
def in_force(server: ApiServer) -> list[InForce]:
    """All policies that hold in a cluster; made first and awaited together."""
    found = [
        InForce(server, folder)
        for folder in folders(ROOT / "policies", ROOT / "policies/local", SEMANTICS)
        if folder.policy.holds != "offline"
    ]
    for one in found:
        one.be_there()
    return found


def test_the_server_and_validate_say_the_same_of_every_good_and_bad_resource(in_force: list[InForce]) -> None:
    rows: list[list[str]] = []
    apart: list[str] = []
    for policy in in_force:
        both = policy.folder.policy.holds == "both"
        for case in policy.folder.cases:
            server = policy.said(policy.judge(case))
            offline = policy.folder.offline(case.body) if both else list(case.expected)
            agree = server == offline == list(case.expected)
            rows.append([case.policy, case.name, _verdict(server), _verdict(offline) if both else "-", "yes" if agree else "NO"])
            if not agree:
                apart.append(
                    f"{case.policy}/{case.name}:\n  server   {server}\n  offline  {offline}\n  expected {list(case.expected)}"
                )
    line("")
    table(["POLICY", "RESOURCE", "SERVER", "OFFLINE", "AGREE"], rows)
    line(f"{len(rows)} resources, {len(rows) - len(apart)} agree in verdict and in every message")
    assert not apart, "\n".join(apart)
    assert rows


def test_no_verdict_hangs_on_what_the_server_fills_in(server: ApiServer, unguarded: str) -> None:
    """The server judges after it filled in defaults, `validate` judges what is written: both must come to the same."""
    apart: list[str] = []
    judged = 0
    for folder in folders(ROOT / "policies", ROOT / "policies/local"):
        for case in folder.cases if folder.policy.holds == "both" else ():
            answer = server.judge("POST", case.body, unguarded)
            assert not answer.refused, f"{case.policy}/{case.name}: {answer.refused}"
            judged += 1
            apart += [f"{case.policy}/{case.name}: {said}" for said in _unlike(decoded(Object(case.body)), answer.body)]
            filled_in = folder.offline(answer.body)
            if filled_in != list(case.expected):
                apart.append(f"{case.policy}/{case.name}: filled in {filled_in}, as written {list(case.expected)}")
    line(f"{judged} resources: what the server fills in changes no verdict")
    assert not apart, "\n".join(apart)


def test_every_rendered_object_passes_on_the_server_as_it_does_offline(server: ApiServer) -> None:
    fleet = Fleet(WorkingTree(ROOT))
    rendered = render_fleet(fleet, None)
    guards = Guards(fleet)
    texts = {str(one.target): one.text for one in rendered}
    charts = {str(one.target): ROOT / one.chart for one in rendered}
    objects = render_objects(texts, charts, "helm", VERSIONS[-1]).documents
    own = [folder for folder in folders() if folder.policy.holds == "both"]
    namespaces: dict[str, str] = {}
    signs: list[tuple[str, str, list[Map]]] = []
    for environment in sorted({one.target.environment for one in rendered}):
        namespaces[environment] = server.namespace(environment)
        parameters = guards.of(environment).parameters
        for folder in own:
            spec = _with_a_sign(folder.body["spec"], server.name)
            name = server.enforce(f"{folder.path.name}.{environment}", spec, namespaces[environment], parameters)
            looked_at = [_renamed(case.body, server.name) for case in folder.cases if case.expected]
            signs.append((name, namespaces[environment], looked_at))
    for name, namespace, looked_at in signs:
        until(lambda: _shows(server, name, namespace, looked_at), f"{name} is asked in {namespace}")  # noqa: B023  (awaited at once)
    rows: list[list[str]] = []
    apart: list[str] = []
    for key, documents in sorted(objects.items()):
        environment = key.partition("/")[0]
        guard = guards.of(environment)
        for item in filter(None, map(read, documents)):
            answer = server.judge("POST", item.body, namespaces[environment])
            here = [denial.message for denial in guard.policies.judge(item, guard.parameters)]
            there = [said for _, said in answer.warnings] or ([answer.refused] if answer.refused else [])
            unlike = [] if answer.refused else _unlike(decoded(item), answer.body)
            rows.append([key, item.identity, _verdict(there), _verdict(here), "NO" if there or here or unlike else "yes"])
            apart += [f"{key} {item.identity}: {said}" for said in (*there, *here, *unlike)]
    line("")
    table(["APPLICATION", "OBJECT", "SERVER", "OFFLINE", "PASSES ON BOTH"], rows)
    line(f"{len(rows)} objects of {len(rendered)} applications and environments")
    assert not apart, "\n".join(apart)
    assert bool(rows) == bool(rendered)


SIGN = "in force"


def _with_a_sign(spec: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The policy, which also denies objects of this name: where parameters set no limit, nothing else tells that it is asked."""
    return {**spec, "validations": [*spec["validations"], {"expression": f"object.metadata.name != '{name}'", "message": SIGN}]}


def _renamed(body: Map, name: str) -> Map:
    metadata: Any = body["metadata"]
    return {**body, "metadata": {**metadata, "name": name}}


def _shows(server: ApiServer, name: str, namespace: str, looked_at: Sequence[Map]) -> bool:
    return any((name, SIGN) in server.judge("POST", body, namespace).warnings for body in looked_at)


def _unlike(ours: Map, theirs: Map) -> list[str]:
    """Where the server's object has something else than what policies are shown offline, or lacks it."""
    return [
        f"{pointer_of(path)}: policies are shown {here!r} offline, the server has {there!r}"
        for path, here, there in _apart(ours, theirs, ())
    ]


def _apart(ours: Json, theirs: Json, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Json, Json]]:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            if key in theirs:
                yield from _apart(value, theirs[key], (*path, key))
            else:
                yield (*path, key), value, None
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _apart(one, other, (*path, index))
    elif ours != theirs or isinstance(ours, bool) != isinstance(theirs, bool):
        yield path, ours, theirs
