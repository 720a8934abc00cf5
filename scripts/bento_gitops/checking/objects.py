"""A Kubernetes object as data, the questions that checks ask of it, and what they find."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from bento_gitops.model.problem import Place, Problem

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Map: TypeAlias = "dict[str, Json]"

_NOTHING: Map = {}
_NONE: list[Json] = []


def as_map(value: Json) -> Map:
    """The value if it is a mapping, else an empty one: schemas report wrong types, checks pass over them."""
    return value if isinstance(value, dict) else _NOTHING


def as_list(value: Json) -> list[Json]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else _NONE


def as_text(value: Json) -> str:
    """The value if it is text, else an empty text."""
    return value if isinstance(value, str) else ""


def get(value: Json, *path: str) -> Json:
    """What stands at a path of keys, or None."""
    for key in path:
        value = as_map(value).get(key)
    return value


def maps(value: Json) -> list[Map]:
    """The mappings of a list."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def labels_of(value: Json) -> dict[str, str]:
    """A mapping of labels as texts."""
    return {key: as_text(item) for key, item in as_map(value).items()}


@dataclass(frozen=True)
class Object:
    """One rendered object."""

    body: Map
    source: str = ""
    """The chart's template that it comes from."""

    @cached_property
    def api_version(self) -> str:
        return as_text(self.body.get("apiVersion"))

    @cached_property
    def kind(self) -> str:
        return as_text(self.body.get("kind"))

    @cached_property
    def name(self) -> str:
        return as_text(get(self.body, "metadata", "name"))

    @cached_property
    def identity(self) -> str:
        """How people and messages call it: `Deployment/app-blue-api`."""
        return f"{self.kind or '(no kind)'}/{self.name or '(no name)'}"

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def version(self) -> str:
        return self.api_version.rpartition("/")[2]

    def get(self, *path: str) -> Json:
        """What stands at a path of keys, or None."""
        return get(self.body, *path)

    @cached_property
    def pod(self) -> Pod | None:
        """The pods that it makes."""
        at = _POD_AT.get(self.kind)
        if at is None:
            return None
        template = self.get(*at) if at else self.body
        return Pod(self, at, labels_of(get(template, "metadata", "labels")), as_map(get(template, "spec")))


_POD_AT: dict[str, tuple[str, ...]] = {
    "Pod": (),
    "Deployment": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "DaemonSet": ("spec", "template"),
    "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}


@dataclass(frozen=True, slots=True)
class Pod:
    """The pods that a workload makes: their labels and their spec."""

    owner: Object
    at: tuple[str, ...]
    labels: Mapping[str, str]
    spec: Map

    def containers(self) -> Iterator[tuple[str, Map]]:
        """Each container with its pointer."""
        for key in ("initContainers", "containers"):
            for index, container in enumerate(as_list(self.spec.get(key))):
                yield pointer_of((*self.at, "spec", key, index)), as_map(container)

    def pointer(self, *path: str | int) -> str:
        """The pointer of a path below the pod's spec."""
        return pointer_of((*self.at, "spec", *path))


def pointer_of(path: Sequence[str | int]) -> str:
    """A path as people write it: spec.containers[0].env."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = f'"{part}"' if "." in part or not part else part
            text += f".{shown}" if text else shown
    return text


def shown(value: Json) -> str:
    """A value in an error message: short, in the spelling of YAML."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return repr(value if len(value) <= 60 else value[:57] + "...")
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case _:
            return str(value)


@dataclass(frozen=True, order=True, slots=True)
class Finding:
    """One thing wrong with one object: which check found it, where in the object, what, and what to do."""

    identity: str
    pointer: str
    wrong: str
    found: str = ""
    todo: str = ""
    check: str = ""
    versions: tuple[str, ...] = ()
    """The Kubernetes versions in which it is wrong; empty where it is wrong in all."""
    source: str = ""

    def problem(self, place: Place) -> Problem:
        """The finding as the one form that every error takes."""
        at = f"{self.identity} {self.pointer}".strip()
        wrong = f"{self.wrong} in Kubernetes {', '.join(self.versions)}" if self.versions else self.wrong
        origin = f"rendered by {self.source}" if self.source else ""
        todo = "; ".join(part for part in (self.todo, origin) if part)
        return Problem(place, at, wrong, self.found, todo)


def finding(
    of: Object,
    path: Sequence[str | int] | str,
    wrong: str,
    *,
    found: str = "",
    todo: str = "",
    check: str = "",
    versions: tuple[str, ...] = (),
) -> Finding:
    """A finding about an object."""
    pointer = path if isinstance(path, str) else pointer_of(path)
    return Finding(of.identity, pointer, wrong, found, todo, check, versions, of.source)
