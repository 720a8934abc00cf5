"""kubectl: what the cluster of the current kubeconfig has, as objects."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import cast

from bento_gitops.checking.objects import Json, Map, maps
from bento_gitops.model.problem import ToolFailed


def custom_resource_definitions(kubectl: Path) -> list[Map]:
    """The cluster's CustomResourceDefinitions.

    Raises ToolFailed with what kubectl said.
    """
    command = [str(kubectl), "get", "customresourcedefinitions.apiextensions.k8s.io", "--output=json", "--request-timeout=30s"]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolFailed(f"kubectl does not answer: {error}") from None
    if ran.returncode != 0:
        said = ran.stderr.decode(errors="replace").strip().splitlines()
        raise ToolFailed(f"the cluster of the current kubeconfig does not answer: {said[-1] if said else 'kubectl said nothing'}")
    answer = cast(Json, json.loads(ran.stdout))
    return maps(answer.get("items")) if isinstance(answer, dict) else []
