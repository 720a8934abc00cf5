"""How commands write YAML into files that people read and edit: what is quoted, what stands on one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import cast

import yaml

from bento_gitops.layers.marked import Plain, Scalar, parse, plain
from bento_gitops.model.problem import InvalidInput
from bento_gitops.rendering.text import scalar

WIDTH = 110
"""Columns: what is longer is not written on one line."""
STEP = 2
"""Columns that a level is indented by."""

# Words and phrases that no reader of YAML takes for anything but text. Quoting more than needed is no harm.
_WORDS = re.compile(r"[A-Za-z_/](?:[\w./@%+=()-]| (?=[\w./@%+=()-]))*", re.ASCII)
_QUANTITY = re.compile(r"[0-9]+(?:\.[0-9]+)?[A-Za-z]+")  # 10m, 2Gi: but not 1e3, which is a number to some
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")

Entry = tuple[str, Plain]


def scalar_text(value: Scalar, quote: str | None = None) -> str:
    """One scalar; a text in the quotes of the one that it takes the place of, or in double ones where it needs any."""
    if not isinstance(value, str):
        return scalar(value)
    if quote == "'" and value.isascii() and value.isprintable() and "'" not in value:
        return f"'{value}'"
    if quote != '"' and _is_plain(value):
        return value
    text = scalar(value)
    return f'"{value}"' if text == value else text  # a word that needs no quotes, in the place of a quoted one


def _is_plain(value: str) -> bool:
    if not (_WORDS.fullmatch(value) or _QUANTITY.fullmatch(value) or _TIME.fullmatch(value)):
        return False
    try:
        return plain(parse(f"x: {value}", "")) == {"x": value}
    except InvalidInput:  # a word such as `off`
        return False


def literal_text(value: str, indent: int) -> str | None:
    """A text of several lines as a literal block; None where that cannot hold it."""
    body = value.removesuffix("\n")
    lines = body.split("\n")
    if len(lines) < 2 or any(not line.isprintable() or line[:1] == " " or not line.strip() for line in lines):
        return None
    mark = "|" if value.endswith("\n") else "|-"
    return "\n".join([mark, *(f"{' ' * indent}{line}" for line in lines)])


def flow_text(value: Plain) -> str:
    """The value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{scalar_text(key)}: {flow_text(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(flow_text(inner) for inner in value) + "]"
    return scalar_text(value)


def map_lines(entries: Sequence[Entry], indent: int, like: yaml.Node | None, depth: int) -> list[str]:
    """Entries of a map in block style. `like` is a map whose look they share, `depth` their level in the file."""
    lines: list[str] = []
    for key, value in entries:
        start = f"{' ' * indent}{scalar_text(key)}:"
        lines += _after(start, value, indent + STEP, _like_entry(like, key, value), depth)
    return lines


def list_lines(items: Sequence[Plain], indent: int, like: yaml.Node | None, depth: int) -> list[str]:
    """Items of a list in block style, as `map_lines`."""
    lines: list[str] = []
    for item in items:
        start = f"{' ' * indent}-"
        sample = _like_item(like, item)
        if isinstance(item, dict) and item and not is_flow(item, sample, indent + STEP, depth):
            first, *others = map_lines(list(item.items()), indent + STEP, sample, depth + 1)
            lines += [f"{start} {first.lstrip()}", *others]
        else:
            lines += _after(start, item, indent + STEP, sample, depth)
    return lines


def value_lines(value: Plain, indent: int, like: yaml.Node | None, depth: int) -> list[str]:
    """The lines of a map or list in block style, each entry at the column `indent`."""
    if isinstance(value, dict):
        return map_lines(list(value.items()), indent, like, depth)
    assert isinstance(value, list)
    return list_lines(value, indent, like, depth)


def _after(start: str, value: Plain, indent: int, like: yaml.Node | None, depth: int) -> list[str]:
    if not isinstance(value, dict | list) or is_flow(value, like, len(start) + 1, depth):
        return [f"{start} {flow_text(value)}"]
    return [start, *value_lines(value, indent, like, depth + 1)]


def is_flow(value: Plain, like: yaml.Node | None, column: int, depth: int) -> bool:
    """Whether a map or list stands on one line: as what it is like, else where it is short and simple."""
    if not value:
        return True
    if column + len(flow_text(value)) > WIDTH:
        return False
    if isinstance(like, yaml.CollectionNode):
        return bool(like.flow_style)
    return _is_simple(value, depth)


def _is_simple(value: Plain, depth: int) -> bool:
    inner = list(value.values()) if isinstance(value, dict) else value
    assert isinstance(inner, list)
    if all(_is_flat(item) for item in inner):
        return True
    if depth == 0:
        return False
    if isinstance(value, list):
        return all(not isinstance(item, list) and _is_simple(item, depth) for item in inner if isinstance(item, dict | list))
    return len(inner) == 1 and _is_simple(inner[0], depth)


def _is_flat(value: Plain) -> bool:
    """A scalar, or a list of scalars."""
    return not isinstance(value, dict) and not (isinstance(value, list) and any(isinstance(item, dict | list) for item in value))


def _like_entry(like: yaml.Node | None, key: str, value: Plain) -> yaml.Node | None:
    """What an entry of a map may look like: the entry of the same name, else the last one that holds the same kind."""
    if not isinstance(like, yaml.MappingNode):
        return None
    pairs = cast("list[tuple[yaml.Node, yaml.Node]]", like.value)
    same = [inner for _, inner in pairs if _is_kind(inner, value)]
    named = [inner for name, inner in pairs if name.value == key and _is_kind(inner, value)]
    return (named or same or [None])[-1]


def _like_item(like: yaml.Node | None, value: Plain) -> yaml.Node | None:
    if not isinstance(like, yaml.SequenceNode):
        return None
    same = [inner for inner in cast("list[yaml.Node]", like.value) if _is_kind(inner, value)]
    return same[-1] if same else None


def _is_kind(node: yaml.Node, value: Plain) -> bool:
    kind = yaml.MappingNode if isinstance(value, dict) else yaml.SequenceNode if isinstance(value, list) else yaml.ScalarNode
    return isinstance(node, kind) and (kind is yaml.ScalarNode or bool(node.value))
