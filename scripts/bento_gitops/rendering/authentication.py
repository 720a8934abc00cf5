"""Who may ask an application: what it requires, where the environment has it checked, and what the controller can do of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bento_gitops.layers.marked import MarkedMap, place_of
from bento_gitops.layers.merging import ABSENT, Leaf, Resolved, ResolvedMap, leaf_at
from bento_gitops.model.files import Controller
from bento_gitops.model.problem import Problem
from bento_gitops.model.settings import AuthKind

REFUSED: Mapping[Controller, Mapping[AuthKind, str]] = {
    "gateway": {
        "jwt": "the Gateway API knows no tokens; have an external service check them, or a policy of the Gateway's own kind",
    },
    "nginx": {"jwt": "it checks no tokens; have an external service check them"},
    "traefik": {"jwt": "its commercial edition alone checks tokens; have an external service check them"},
    "istio": {},
    "none": {
        "external": "there is no route, only a Service, which everybody in the cluster may ask",
        "jwt": "there is no route, only a Service, which everybody in the cluster may ask",
    },
}
"""What a controller cannot check, and why."""

NEEDED: Mapping[Controller, Mapping[AuthKind, Mapping[str, str]]] = {
    "gateway": {
        "external": {
            "auth.external.filter": "name an object beside the route that the Gateway's class knows as a filter;"
            " the Gateway API's own is in its experimental channel alone",
        },
    },
    "nginx": {"external": {"auth.external.address": "say where the service is asked"}},
    "traefik": {"external": {"auth.external.address": "say where the service is asked"}},
    "istio": {
        "external": {
            "auth.external.provider": "name the service as `extensionProviders` of the mesh does",
            "hostname": "name the hosts: what holds at Istio's gateway holds for hosts",
        },
        "jwt": {
            "auth.jwt.issuer": "name who makes the tokens out",
            "hostname": "name the hosts: what holds at Istio's gateway holds for hosts",
        },
    },
    "none": {},
}
"""What environment.yaml must say, below `routing`, for what an application requires, and what to do where it does not."""

TAKEN: Mapping[Controller, frozenset[str]] = {
    "gateway": frozenset({"filter"}),
    "nginx": frozenset({"address", "headers"}),
    "traefik": frozenset({"address", "headers"}),
    "istio": frozenset({"provider"}),
    "none": frozenset(),
}
"""What of the environment's external service reaches the chart."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an environment says of its routes, as far as it matters here."""

    environment: str
    controller: Controller
    chosen: str
    """The controller and where it is chosen, in words."""
    file: MarkedMap
    """environment.yaml."""
    facts: ResolvedMap
    """`routing` of environment.yaml, as far as something is said."""


def authentication(asked: Resolved, here: Surroundings, notes: list[str], problems: list[Problem]) -> ResolvedMap | None:
    """The `routing.auth` of the values; None where nobody says anything of it.

    Adds a problem for what cannot be checked here: what an application requires is had, or nothing is rendered.
    """
    require = _said(asked, "require")
    if require is None:
        _silent(asked, here, notes, problems)
        return None
    kind = _kind(require)
    if kind == "none":
        return {"require": require}
    at = require.source.place
    if why := REFUSED[here.controller].get(kind):
        wrong = f"cannot be had in {here.environment}: {here.chosen}; {why}"
        todo = "use another controller, or say none if anybody may ask"
        problems.append(Problem(at, "routing.auth.require", wrong, kind, todo))
        return None
    for path, todo in NEEDED[here.controller][kind].items():
        if not _known(path, here):
            pointer = f"routing.{path}"
            wrong = f"is missing, {here.chosen}, and {kind} is required ({at})"
            problems.append(Problem(place_of(here.file, "routing"), pointer, wrong, "", todo))
    result: ResolvedMap = {"require": require}
    facts = _below(_below(here.facts, "auth"), kind)
    if kind == "external":
        result["external"] = {key: value for key, value in facts.items() if key in TAKEN[here.controller]}
    if kind == "jwt":
        audiences = _said(asked, "audiences")
        if audiences is None:
            todo = "say whom tokens are made out for: without it one for any other application of the issuer would do"
            problems.append(Problem(at, "routing.auth.audiences", "is missing, and jwt is required", "", todo))
        else:
            result["jwt"] = {**facts, "audiences": audiences}
    return result


def _silent(asked: Resolved, here: Surroundings, notes: list[str], problems: list[Problem]) -> None:
    """What is to say where nothing is required."""
    audiences = _said(asked, "audiences")
    if audiences is not None:
        todo = "say jwt, or take the audiences back with null"
        problems.append(Problem(audiences.source.place, "routing.auth.require", "is missing", "", todo))
    elif _below(here.facts, "auth") and here.controller != "none":
        known = place_of(here.file, "routing", "auth")
        notes.append(
            f"{known}: routing.auth: anybody may ask: nothing requires it; say routing.auth.require, or none if that is meant"
        )


def _kind(require: Leaf) -> AuthKind:
    value = str(require.value)
    return "external" if value == "external" else "jwt" if value == "jwt" else "none"


def _known(path: str, here: Surroundings) -> bool:
    """Whether environment.yaml says what a path below `routing` stands for."""
    tree: Resolved = here.facts
    for key in path.split("."):
        tree = tree.get(key, {}) if isinstance(tree, dict) else {}
    return isinstance(tree, Leaf) or bool(tree)


def _below(tree: ResolvedMap, key: str) -> ResolvedMap:
    found = tree.get(key, {})
    return found if isinstance(found, dict) else {}


def _said(tree: Resolved, *path: str) -> Leaf | None:
    leaf = leaf_at(tree, path)
    return None if leaf is None or leaf.value is ABSENT else leaf
