"""An object as an API server has read it when policies look at it: without what its types leave out, with quantities rewritten.

The API server reads a built-in object into its types before policies see it, and what is written out of them again lacks null,
empty lists and maps, and some zeros. Defaults that it puts in are not known here: policies must not depend on them, which
`make parity` proves.
Custom resources have no types, so they stay as they are written.
"""

from __future__ import annotations

from collections.abc import Mapping

from bento_gitops.checking.objects import Json, Map, Object
from bento_gitops.checking.quantities import canonical

_BUILT_IN = frozenset({"", "apps", "batch", "autoscaling", "policy"})
_CUSTOM = frozenset({"gateway.networking.k8s.io"})
"""A group of Kubernetes' own domain that is made of custom resources."""

_QUANTITIES = frozenset({"limits", "requests", "hard"})
_MAPS = frozenset({"annotations", "binaryData", "data", "labels", "matchLabels", "nodeSelector", "stringData", *_QUANTITIES})
"""Fields that are maps: left out where they are empty. Elsewhere {} is an object without fields, and stays: emptyDir: {}."""
_KEPT_LISTS = frozenset({"containers", "rules"})
"""Lists that a type always writes."""
_ZEROS: Mapping[str, Json] = {
    "hostIPC": False,
    "hostNetwork": False,
    "hostPID": False,
    "initialDelaySeconds": 0,
    "minReadySeconds": 0,
    "paused": False,
    "publishNotReadyAddresses": False,
    "readOnly": False,
    "stdin": False,
    "stdinOnce": False,
    "tty": False,
    "value": "",
}
"""Fields that a type leaves out where they have this value."""


def decoded(item: Object) -> Map:
    """The object's body as policies get it."""
    if item.group in _CUSTOM or not (item.group in _BUILT_IN or item.group.endswith(".k8s.io")):
        return {key: _whole(value) for key, value in item.body.items()}
    return _fields(item.body, "")


def _fields(body: Map, of: str) -> Map:
    # What stands in a map of texts is somebody's data: a ConfigMap may well have a key `value` with an empty text.
    data = of in _MAPS
    result: Map = {}
    for key, value in body.items():
        match value:
            case None:
                continue
            case dict():
                fields = _fields(value, key)
                if fields or key not in _MAPS:
                    result[key] = fields
            case list():
                if value or key in _KEPT_LISTS:
                    result[key] = [_fields(part, "") if isinstance(part, dict) else _whole(part) for part in value]
            case _:
                if of in _QUANTITIES or key == "sizeLimit":
                    result[key] = canonical(str(value))
                elif data or key not in _ZEROS or _ZEROS[key] != value:
                    result[key] = _whole(value)
    return result


def _whole(value: Json) -> Json:
    """JSON has one kind of number, and an API server reads 2.0, which is sent as 2, as a whole one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    return value
