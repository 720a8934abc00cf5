"""A small stack of layers written as text: one application `app` with the services Api and Runner, in the environment `prod`.

Every file has one line for what a test is about: the fragment of the component Runner, in flow style.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeVar

from bento_gitops.layers.marked import MarkedMap, parse
from bento_gitops.layers.merging import Leaf, leaf_at
from bento_gitops.layers.overriding import fragments
from bento_gitops.layers.reading import Read, read
from bento_gitops.layers.resolving import Resolution, Sources, resolve
from bento_gitops.layers.spelling import snake
from bento_gitops.model.base import Model
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.files import Application, ConfigFile, Environment, InstanceTypes, Overrides
from bento_gitops.model.release import Release
from bento_gitops.model.shape import shape_of
from bento_gitops.model.values import Values
from bento_gitops.operations.explain import Explanation

TYPES = """\
cpu.large: {resources: {cpu: "4", memory: 8Gi}, placement: {node_selector: {pool: serving}}, price_per_hour: 0.2}
cpu.small: {resources: {cpu: "1", memory: 1Gi}, price_per_hour: 0.1}
gpu.small: {resources: {cpu: "4", memory: 16Gi, gpu: 1}, placement: {node_selector: {pool: gpu}}, price_per_hour: 0.9}
"""
ENCODE = "apis: {encode: {route: /encode, batching: {max_batch_size: {default: 32, env: MAX_BATCH}, max_latency_ms: 500}}}"
"""An API with one limit that follows a variable and one that is fixed in the code."""

M = TypeVar("M", bound=Model)
STEADY = 'stable: blue\ntracks: {blue: {bundle: "1.0.0", weight: 100}}'
TWO_TRACKS = 'stable: blue\ntracks: {blue: {bundle: "1.0.0", weight: 100}, green: {bundle: "1.1.0", weight: 0}}'


@dataclass(frozen=True)
class Stack:
    """What each file says of Runner; empty: nothing. `environment` speaks of all runners."""

    chart: str = "{}"
    decorator: str = "{}"
    base: str = ""
    """`defaults.roles.runner` of the environment that prod extends."""
    base_config: str = ""
    environment: str = ""
    application: str = ""
    config: str = ""
    bundle_config: str = ""
    """What config.yaml says for bundle 1.0.0 alone."""
    overrides: tuple[str, ...] = ()
    app_labels: dict[str, str] = field(default_factory=dict[str, str])
    """By file stem: the labels of the application as a whole."""
    release: str = STEADY
    bundles: tuple[tuple[str, str], ...] = ()
    """More bundles: tag, and the services beside Api."""
    files: dict[str, str] = field(default_factory=dict[str, str])
    """Whole bodies of files, by stem, in place of the above."""
    registries: str = ""

    def but(self, **changes: object) -> Stack:
        return replace(self, **changes)  # pyright: ignore[reportArgumentType]  (a test names fields)

    def sources(self) -> Sources:
        """Every file read. Raises InvalidInput as the reader does."""
        own = self._environment("environment", self.environment, extends=bool(self.base or self.base_config))
        environments = (self._environment("base", self.base), own) if own.value.extends else (own,)
        configs = [self._config("base_config", self.base_config, "")] if self.base_config else []
        configs.append(self._config("config", self.config, self.bundle_config))
        bundles = {"1.0.0": self._bundle("1.0.0", f"Runner: {self.decorator}")}
        bundles |= {tag: self._bundle(tag, services) for tag, services in self.bundles}
        chart = self.files.get("chart", f"defaults: {{roles: {{runner: {self.chart}, api: {{}}}}}}{self._labels('chart')}\n")
        tree = snake(parse(chart, "chart"), shape_of(Values))
        assert isinstance(tree, MarkedMap)
        return Sources(
            environment="prod",
            application="app",
            chart=tree,
            environments=environments,
            application_file=self._file("application", Application, self._services(self.application, "application")),
            configs=tuple(configs),
            runtime=self._runtime(),
            instance_types=self._file("types", InstanceTypes, f"types:\n{_indented(TYPES)}currency: EUR\n"),
            release=self._file("release", Release, f"{self.release}\nsince: 2026-11-01T10:00:00Z\n"),
            bundles=bundles,
            known_tags=tuple(bundles),
        )

    def resolve(self) -> Resolution:
        return resolve(self.sources())

    def leaf(self, *path: str, track: str = "blue") -> Leaf | None:
        return leaf_at(self.resolve().tracks[track]["Runner"], path)

    def _file(self, stem: str, model: type[M], body: str) -> Read[M]:
        kind = model.__name__.removesuffix("File")
        return read(f"{self.files.get(stem, body)}\napiVersion: bento-gitops/v1\nkind: {kind}\n", stem, model)

    def _environment(self, stem: str, runner: str, *, extends: bool = False) -> Read[Environment]:
        roles = f"roles: {{runner: {runner}}}" if runner else ""
        labels = self._labels(stem).lstrip("\n")
        inner = ", ".join(part for part in (roles, labels) if part)
        facts = "namespace: app\ncluster: c\nrouting: {controller: none}\n" + ("extends: base\n" if extends else "")
        return self._file(stem, Environment, f"defaults: {{{inner}}}\n{facts}{self.registries}")

    def _config(self, stem: str, runner: str, for_bundle: str) -> Read[ConfigFile]:
        bundles = f'bundles: {{"1.0.0": {{services: {{Runner: {for_bundle}}}}}}}\n' if for_bundle else ""
        return self._file(stem, ConfigFile, self._services(runner, stem) + bundles)

    def _services(self, runner: str, stem: str) -> str:
        services = f"services: {{Runner: {runner}}}" if runner else ""
        return f"{services}{self._labels(stem)}\n".lstrip("\n")

    def _labels(self, stem: str) -> str:
        return f"\nlabels: {self.app_labels[stem]}" if stem in self.app_labels else ""

    def _runtime(self) -> tuple[MarkedMap, ...]:
        why = "    reason: a test\n    owner: me\n    expires: 2026-12-01T00:00:00Z\n"
        entries = "".join(f"  - config: {{services: {{Runner: {runner}}}}}\n{why}" for runner in self.overrides)
        body = self.files.get("overrides", f"overrides:\n{entries}" if entries else "")
        return fragments(self._file("overrides", Overrides, body)) if body else ()

    def _bundle(self, tag: str, services: str) -> Read[Bundle]:
        body = (
            f"services: {{Api: {{dependencies: []}}, {services}}}\n"
            f'application: app\ntag: "{tag}"\ncreated: 2026-11-01T09:00:00Z\nbento: app:{tag}\n'
            f"image: {{repository: registry.example.com/ml/app, digest: 'sha256:{'a' * 64}'}}\n"
            'bentoml: "1.4.39"\npython: "3.11"\nentry: Api\nmodels: {}\n'
        )
        return self._file(f"bundle {tag}", Bundle, body)


def said(leaf: Leaf | None) -> list[str]:
    """What was said of a leaf, highest first: file:line, value, what became of it, and how it came to stand there."""
    if leaf is None:
        return []
    return [
        f"{statement.place} {_shown(statement.value)} {what}" + (f" ({statement.note})" if statement.note else "")
        for statement, what in Explanation((), leaf).statements()
    ]


def _shown(value: object) -> str:
    return "null" if "ABSENT" in repr(value) else str(value)


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
