"""Renders the chart with real Helm: values in, objects out. Each render is done once."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import serving_chart
import yaml
from bento_gitops.checking.application import Checker, Outcome
from bento_gitops.checking.custom_resources import CustomResourceSchemas
from bento_gitops.checking.kubernetes_schemas import KubernetesSchemas
from bento_gitops.checking.rendered import Document
from bento_gitops.tools import schema_package
from helm_renders import folder_of_this_run
from serving_chart import CHART, ROOT, Map, Rendered, binary, said


@functools.cache
def _text(helm: Path, chart: Path, values: str, release: str, arguments: tuple[str, ...]) -> str:
    return said(helm, chart, values, *arguments, verb=("template", release))


@functools.cache
def _objects(text: str) -> tuple[Map, ...]:
    return tuple(found for found in yaml.load_all(text, Loader=yaml.CSafeLoader) if found)


@pytest.fixture(scope="session", autouse=True)
def remembered_calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = folder_of_this_run(tmp_path_factory) / "helm-calls"
    folder.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving_chart, "CALLS", folder)
        yield


@pytest.fixture(scope="session")
def helm() -> Path:
    return binary("HELM", "helm")


@pytest.fixture(scope="session")
def helm_3() -> Path:
    return binary("HELM3", "helm-3.19")


@pytest.fixture(scope="session")
def template(helm: Path) -> Callable[..., str]:
    """What `helm template` prints for values, given as a map or as a file."""

    def text(values: Mapping[str, Any] | Path, *arguments: str, release: str = "tickets", using: Path = helm) -> str:
        content = values.read_text() if isinstance(values, Path) else json.dumps(values)
        return _text(using, CHART, content, release, arguments)

    return text


@pytest.fixture(scope="session")
def render(template: Callable[..., str]) -> Callable[..., Rendered]:
    """The objects for values, given as a map or as a file."""
    return lambda values, *arguments, **options: Rendered(_objects(template(values, *arguments, **options)))


@pytest.fixture(scope="session")
def checks() -> Callable[[Sequence[Map]], Outcome]:
    """All that is wrong with the objects of a render, by the repository's own schemas."""

    def schema(path: str) -> Map | None:
        file = ROOT / "schemas/custom-resources" / path
        return json.loads(file.read_bytes()) if file.is_file() else None

    checker = Checker(KubernetesSchemas(schema_package.definitions), CustomResourceSchemas(schema))
    return lambda objects: checker.check([Document("app", "", json.dumps(found)) for found in objects])
