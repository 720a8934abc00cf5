"""Objects of Kubernetes' own kinds against its strict schemas, in each version that a cluster may have.

The definitions come in as data. A kind is compiled when it is first met, together with the definitions that it reaches; versions
in which it is the same share one validator.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import jsonschema_rs

from bento_gitops.checking.objects import Finding, Json, Map, Object, as_map, as_text, finding, maps
from bento_gitops.checking.schema_errors import findings
from bento_gitops.model.problem import did_you_mean

VERSIONS = ("1.34", "1.35", "1.36", "1.37")
"""The Kubernetes versions that everything is checked for."""

CHECK = "kubernetes-schema"

_Kind = tuple[str, str, str]
"""Group, version, kind."""

# The published schema says only "text or number"; the API server refuses what does not parse.
_QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_QUANTITY_SCHEMA: Map = {
    "type": ["string", "number"],
    "description": "write a quantity such as 500m, 2, 512Mi or 4Gi",
    "pattern": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$",
}


@dataclass(frozen=True, slots=True)
class _Compiled:
    """The schema of a kind and the versions in which it is just so."""

    schema: Map
    validator: jsonschema_rs.Validator
    versions: tuple[str, ...]


class KubernetesSchemas:
    """Checks objects of Kubernetes' own kinds.

    `definitions` gives the strict definitions (`$defs` by name) of a version; it is called once for each version, when needed.
    """

    def __init__(self, definitions: Callable[[str], Map], versions: Sequence[str] = VERSIONS) -> None:
        self.versions = tuple(versions)
        self._read = definitions
        self._definitions: dict[str, Map] = {}
        self._names: dict[str, dict[_Kind, str]] = {}
        self._compiled: dict[_Kind, tuple[_Compiled, ...]] = {}
        self._groups: frozenset[str] = frozenset()

    def owns(self, of: Object) -> bool:
        """Whether the object's group is one of Kubernetes' own (whatever its kind)."""
        if not self._groups:
            self._groups = frozenset(group for version in self.versions for group, _, _ in self._kinds(version))
        return of.group in self._groups

    def findings(self, of: Object) -> list[Finding]:
        """All that is wrong with an object of a group that Kubernetes owns; each finding names the versions where it holds."""
        kind = (of.group, of.version, of.kind)
        missing = tuple(version for version in self.versions if kind not in self._kinds(version))
        result = [self._no_such_kind(of, missing)] if missing else []
        where: dict[Finding, tuple[str, ...]] = {}
        for compiled in self._validators(kind):
            for item in findings(compiled.schema, compiled.validator, of, CHECK):
                where[item] = (*where.get(item, ()), *compiled.versions)
        result += [replace(item, versions=self._some(versions)) for item, versions in where.items()]
        return result

    def _no_such_kind(self, of: Object, versions: tuple[str, ...]) -> Finding:
        kinds = self._kinds(versions[-1])
        same = sorted(f"{_joined(group, version)} {kind}" for group, version, kind in kinds if kind == of.kind)
        todo = (
            f"use {' or '.join(same)}" if same else did_you_mean(of.kind, {kind for group, _, kind in kinds if group == of.group})
        )
        wrong, found = "there is no such kind", f"{of.api_version} {of.kind}"
        return finding(of, "", wrong, found=found, todo=todo, check=CHECK, versions=self._some(versions))

    def _some(self, versions: tuple[str, ...]) -> tuple[str, ...]:
        """The versions, or none where that is all of them."""
        return () if set(versions) == set(self.versions) else tuple(sorted(versions))

    def _kinds(self, version: str) -> dict[_Kind, str]:
        """The definition's name of each kind of a version."""
        if version not in self._names:
            definitions = self._definitions[version] = self._read(version)
            self._names[version] = {
                (as_text(kind.get("group")), as_text(kind.get("version")), as_text(kind.get("kind"))): name
                for name, definition in definitions.items()
                for kind in maps(as_map(definition).get("x-kubernetes-group-version-kind"))
                if "apiVersion" in as_map(as_map(definition).get("properties"))
            }
        return self._names[version]

    def _validators(self, kind: _Kind) -> tuple[_Compiled, ...]:
        if kind not in self._compiled:
            same: dict[str, list[str]] = {}
            for version in self.versions:
                if name := self._kinds(version).get(kind):
                    schema = {"$ref": f"#/$defs/{name}", "$defs": _reached(self._definitions[version], name)}
                    same.setdefault(json.dumps(schema, sort_keys=True), []).append(version)
            self._compiled[kind] = tuple(_compiled(text, versions) for text, versions in same.items())
        return self._compiled[kind]


def _compiled(schema: str, versions: Sequence[str]) -> _Compiled:
    return _Compiled(json.loads(schema), jsonschema_rs.Draft202012Validator(schema), tuple(versions))


def _joined(group: str, version: str) -> str:
    return f"{group}/{version}" if group else version


def _reached(definitions: Map, root: str) -> dict[str, Json]:
    """The definitions that one reaches, as facts alone: without descriptions and extensions, so that equal ones are equal."""
    result: dict[str, Json] = {}
    waiting = [root]

    def facts(value: Json) -> Json:
        if isinstance(value, list):
            return [facts(item) for item in value]
        if not isinstance(value, dict):
            return value
        kept: dict[str, Json] = {}
        for key, item in value.items():
            if key == "$ref":
                name = as_text(item).rpartition("/")[2]
                waiting.append(name)
                kept[key] = f"#/$defs/{name}"
            elif key == "properties":
                kept[key] = {name: facts(inner) for name, inner in as_map(item).items()}
            elif key != "description" and not key.startswith("x-kubernetes-"):
                kept[key] = facts(item)
        return kept

    while waiting:
        name = waiting.pop()
        if name not in result:
            result[name] = {}
            result[name] = _QUANTITY_SCHEMA if name == _QUANTITY else facts(definitions[name])
    return result
