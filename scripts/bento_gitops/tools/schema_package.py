"""The package kubernetes-validate: its strict schemas of Kubernetes as data (its own check is too slow to use)."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import cast

from bento_gitops.checking.objects import Map
from bento_gitops.model.problem import ToolFailed


def definitions(version: str) -> Map:
    """The strict definitions of a Kubernetes version ("1.37"), by name.

    Raises ToolFailed where the installed package does not have them.
    """
    # Found without importing it: its imports take longer than reading its data.
    package = importlib.util.find_spec("kubernetes_validate")
    if package is None or package.origin is None:
        raise ToolFailed("the Python package kubernetes-validate is not installed; run `make setup`")
    file = Path(package.origin).parent / "kubernetes-json-schema" / f"v{version}.0-local-strict" / "_definitions.json"
    try:
        return cast(Map, json.loads(file.read_bytes())["$defs"])
    except (OSError, ValueError, KeyError) as error:
        raise ToolFailed(f"kubernetes-validate has no schemas of Kubernetes {version}: {error}") from None
