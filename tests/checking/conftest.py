"""The checker with the repository's own schemas, compiled once in each test process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bento_gitops.checking.application import Checker
from bento_gitops.checking.custom_resources import CustomResourceSchemas
from bento_gitops.checking.kubernetes_schemas import KubernetesSchemas
from bento_gitops.checking.objects import Map
from bento_gitops.tools import schema_package

ROOT = Path(__file__).resolve().parents[2]


def own_schema(path: str) -> Map | None:
    file = ROOT / "schemas/custom-resources" / path
    return json.loads(file.read_bytes()) if file.is_file() else None


@pytest.fixture(scope="session")
def checker() -> Checker:
    return Checker(KubernetesSchemas(schema_package.definitions), CustomResourceSchemas(own_schema))
