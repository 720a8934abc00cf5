"""The fingerprint of what runs on a track: the bundle and the values that it runs with, whatever the release gives it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bento_gitops.layers.merging import ResolvedMap, plain_value


def fingerprint(bundle: bytes, components: Mapping[str, ResolvedMap], application: ResolvedMap) -> str:
    """`sha256:...` of a bundle's file, its components as the layers resolve them, and the application's mode.

    Weight, track name and the number of pods for a weight are the release's and do not count: the same bundle with the same
    values is the same on every track and at every step. So are objectives: no pod knows them.
    """
    seen = {
        "bundle": hashlib.sha256(bundle).hexdigest(),
        "components": {name: _running(settings) for name, settings in components.items()},
        "mode": plain_value(application["mode"]) if "mode" in application else None,
    }
    text = json.dumps(seen, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _running(settings: ResolvedMap) -> dict[str, Any]:
    return plain_value({key: said for key, said in settings.items() if key != "slo"})
