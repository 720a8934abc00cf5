"""The report of one import of a Bento's code, as `tools/bento_inspector.py` writes it in the Bento's own Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from pydantic import Field, JsonValue

from bento_gitops.model.base import Model


class Follows(Model):
    """What the syntax tree says of an expression that is more than literals and constants."""

    variables: list[str] = Field(default_factory=list[str])
    """Environment variables that it names."""
    beyond: list[str] = Field(default_factory=list[str])
    """Parts that the tree cannot follow, as written."""


class SeenApi(Model):
    """One API after import."""

    route: str
    task: bool
    batchable: bool
    max_batch_size: int
    max_latency_ms: int


class SeenEnv(Model):
    """An environment variable of a decorator."""

    name: str
    value: str
    stage: str


class SeenService(Model):
    """One service after import."""

    origin: str
    config: dict[str, JsonValue]
    labels: dict[str, JsonValue]
    envs: list[SeenEnv]
    path_prefix: str
    custom_command: bool
    dependencies: list[str]
    external: list[str]
    """Dependencies outside this Bento: URLs and BentoCloud deployments."""
    models: list[str]
    apis: dict[str, SeenApi]
    follows: dict[str, Follows]
    """By what is declared ("resources", "apis.encode.max_batch_size"); what is missing is literal."""


class ImportReport(Model):
    """All that one import told."""

    entry: str
    services: dict[str, SeenService]
    read: list[str]
    """Environment variables that the Bento's own code asked for while it was imported, set or not."""
    read_all: bool
    """It went through the whole environment, so nobody knows which variables matter."""


class ImportFailed(Exception):
    """The Bento's code could not be imported; the message says what it said."""


Importer = Callable[[Mapping[str, str]], ImportReport]
"""Imports the Bento in a fresh process with these environment variables besides the image's own. Raises ImportFailed."""

LIMITS = ("max_batch_size", "max_latency_ms")


def facts(report: ImportReport) -> dict[str, JsonValue]:
    """Every single value that the import told, by its pointer."""
    found: dict[str, JsonValue] = {"entry": report.entry}
    for name, service in report.services.items():
        told = service.model_dump(mode="json", exclude={"follows", "apis", "config"})
        found.update(_leaves(f"services.{name}", {**told, **service.config}))
        for api, seen in service.apis.items():
            at = f"services.{name}.apis.{api}"
            found |= {f"{at}.route": seen.route, f"{at}.task": seen.task, f"{at}.batchable": seen.batchable}
            if seen.batchable:
                found.update({limit_pointer(name, api, limit): getattr(seen, limit) for limit in LIMITS})
    return found


def limit_pointer(service: str, api: str, limit: str) -> str:
    """Where a batching limit stands, in the spelling of bundles."""
    return f"services.{service}.apis.{api}.batching.{limit}"


def _leaves(pointer: str, value: JsonValue) -> Iterator[tuple[str, JsonValue]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(f"{pointer}.{key}", inner)
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from _leaves(f"{pointer}[{index}]", inner)
    else:
        yield pointer, value
