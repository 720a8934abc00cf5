"""A bundle as text: the field order of the model, small maps on one line, and the same bytes for the same bundle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import cast

from bento_gitops.layers.marked import MarkedMap, MarkedScalar, parse
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.problem import InvalidInput

MODELINE = "# yaml-language-server: $schema=../../schemas/v1/bundle.schema.json"
WIDTH = 160
"""The longest line that a map may take to stand on one."""

_PLAIN = re.compile(r"[A-Za-z0-9/_.][A-Za-z0-9/_.:@=+-]*")
_VERSION = re.compile(r"[0-9.]+")


def to_yaml(bundle: Bundle) -> str:
    """The text of a bundle file."""
    content = cast("dict[str, object]", bundle.model_dump(mode="json", exclude_none=True))
    for service in cast("dict[str, dict[str, object]]", content["services"]).values():
        for key in ("dependencies", "apis"):
            if not service[key]:
                del service[key]  # the model's default; the file says only what is there
    return "\n".join([MODELINE, *_block(content, 0)]) + "\n"


def _block(content: Mapping[str, object], depth: int) -> Iterator[str]:
    indent = "  " * depth
    for key, value in content.items():
        name = _scalar(key)
        line = f"{indent}{name}: {_flow(value)}"
        if isinstance(value, Mapping) and value and (_opens(key, depth) or len(line) > WIDTH):
            yield f"{indent}{name}:"
            yield from _block(cast("Mapping[str, object]", value), depth + 1)
        else:
            yield line


def _opens(key: str, depth: int) -> bool:
    return depth == 1 or (depth == 0 and key in ("services", "models"))


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value).items()
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(inner)}" for key, inner in items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(item) for item in cast("Sequence[object]", value)) + "]"
    return _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _number(value)
    text = str(value)
    return text if _is_plain(text) else _quoted(text)


def _quoted(text: str) -> str:
    """In double quotes, as JSON and YAML both read it; what is not printable (line separators, marks) as an escape."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in json.dumps(text, ensure_ascii=False))


def _number(value: float) -> str:
    """Without an exponent: YAML 1.1 and 1.2 disagree on those. Whole numbers as such, while every reader can count them."""
    if value == int(value) and abs(value) < 1 << 53:
        return str(int(value))
    text = f"{Decimal(repr(value)):f}"
    return text if "." in text else f"{text}.0"


def _is_plain(text: str) -> bool:
    """Whether the text needs no quotes. Versions get them though YAML could do without, since 1.10 would be a number."""
    if not _PLAIN.fullmatch(text) or text.endswith(":") or _VERSION.fullmatch(text):
        return False
    try:
        inner = parse(f"a: {{b: {text}}}", "").items["a"]
    except InvalidInput:
        return False
    return isinstance(inner, MarkedMap) and isinstance(found := inner.items["b"], MarkedScalar) and found.value == text
