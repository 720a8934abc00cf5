"""YAML text as a tree in which every node knows its file and line.

One reader for every file: UTF-8, one document, no duplicate keys, no tags, no aliases, and no unquoted word that YAML 1.1
and YAML 1.2 read differently.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import yaml

from bento_gitops.model.problem import InvalidInput, Place, Problem

Scalar: TypeAlias = str | int | float | bool | None
Plain: TypeAlias = "Scalar | list[Plain] | dict[str, Plain]"

DEEPEST = 64
"""Levels that a file may nest: several times what any model needs, and far from what would exhaust the stack."""

LARGEST = 1_000_000
"""Bytes of a file: a hundred times what people write, and read in a second or two and 100 MB."""


@dataclass(frozen=True, slots=True)
class MarkedScalar:
    """A single value and where it stands."""

    value: Scalar
    place: Place
    note: str = ""
    """How the value came to stand here, where that is not plain: an instance type."""
    text: str = field(default="", compare=False)
    """As it stands in the file, where it is not text: 1.10 is the number 1.1."""


@dataclass(frozen=True, slots=True)
class MarkedList:
    """A sequence and where it begins."""

    items: tuple[Marked, ...]
    place: Place
    note: str = ""


@dataclass(frozen=True, slots=True)
class MarkedMap:
    """A mapping, where it begins, and where each key stands."""

    items: dict[str, Marked]
    place: Place
    keys: dict[str, Place] = field(default_factory=dict[str, Place])

    def at(self, key: str) -> Place:
        """Where the key stands, else where the map begins."""
        return self.keys.get(key, self.place)


@dataclass(frozen=True, slots=True)
class Reset:
    """Hides what lower layers said of a subtree. No file can say this; an instance type is written out with it."""

    place: Place
    note: str


Marked: TypeAlias = MarkedScalar | MarkedList | MarkedMap | Reset

# Plain (unquoted) scalars that YAML 1.1 and 1.2 agree on; everything else that looks like a number or a truth is ambiguous.
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")  # longer ones are floats to some readers
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+([eE][-+][0-9]+)?")
_AMBIGUOUS = re.compile(
    r"(?i:y|n|yes|no|on|off|[-+]?\.inf|\.nan)"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"  # base 60
    r"|[-+]?0[xX][0-9a-fA-F_]+|[-+]?0[oO]?[0-7_]+|[-+]?0[bB][01_]+|[-+]?0[0-9_]+(\.[0-9_]*)?"
    r"|[-+]?[0-9][0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?|[-+]?\.[0-9_]+([eE][-+]?[0-9]+)?"
    r"|=|<<"
)


def _scalar(text: str, place: Place, pointer: str, problems: list[Problem]) -> Scalar:
    first = text[:1]
    if first.isalpha():
        if text in _BOOL:
            return _BOOL[text]
        if text in _NULL:
            return None
        if len(text) > 4 or not _AMBIGUOUS.fullmatch(text):
            return text
    elif text in _NULL:
        return None
    elif _INT.fullmatch(text):
        return int(text)
    elif _FLOAT.fullmatch(text):
        return float(text)
    elif not _AMBIGUOUS.fullmatch(text):
        return text
    problems.append(
        Problem(
            place,
            pointer,
            "not every YAML reader takes this word for the same thing",
            text,
            f'write "{text}" for text, or a plain true, false or decimal number',
        )
    )
    return text


class _Builder:
    """Turns libyaml's events into the tree; collects problems instead of stopping at the first."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        self.depth = 0

    def place(self, event: yaml.Event) -> Place:
        return Place(self.file, event.start_mark.line + 1 if event.start_mark else 0)

    def node(self, event: yaml.Event, events: Iterator[yaml.Event], pointer: str) -> Marked:
        place = self.place(event)
        self.refuse_properties(event, place, pointer)
        if isinstance(event, yaml.ScalarEvent):
            text = event.value
            if event.style or not event.implicit[0]:
                return MarkedScalar(text, place)
            return MarkedScalar(_scalar(text, place, pointer, self.problems), place, "", text)
        if isinstance(event, yaml.CollectionStartEvent):
            if self.depth == DEEPEST:
                wrong = f"the file nests deeper than {DEEPEST} levels"
                raise InvalidInput([*self.problems, Problem(place, "", wrong, "", "write it flatter")])
            self.depth += 1
            is_list = isinstance(event, yaml.SequenceStartEvent)
            node = self.sequence(events, place, pointer) if is_list else self.mapping(events, place, pointer)
            self.depth -= 1
            return node
        return MarkedScalar(None, place)

    def refuse_properties(self, event: yaml.Event, place: Place, pointer: str) -> None:
        """Tags make a value something else than it looks like, and aliases make a short file endless."""
        tag: str | None = getattr(event, "tag", None)
        anchor: str | None = getattr(event, "anchor", None)
        if tag is not None:
            self.problems.append(Problem(place, pointer, "tags are not allowed", tag, "write the plain value"))
        if anchor is not None:
            todo = "write the value out; layers share by merging"
            self.problems.append(Problem(place, pointer, "anchors and aliases are not allowed", anchor, todo))

    def sequence(self, events: Iterator[yaml.Event], place: Place, pointer: str) -> MarkedList:
        items: list[Marked] = []
        while not isinstance(inner := next(events), yaml.SequenceEndEvent):
            items.append(self.node(inner, events, f"{pointer}[{len(items)}]"))
        return MarkedList(tuple(items), place)

    def mapping(self, events: Iterator[yaml.Event], place: Place, pointer: str) -> MarkedMap:
        result: dict[str, Marked] = {}
        keys: dict[str, Place] = {}
        while not isinstance(event := next(events), yaml.MappingEndEvent):
            at = self.place(event)
            key = self.key(event, events, pointer)
            inner = join(pointer, key)
            value = self.node(next(events), events, inner)
            if key in keys:
                self.problems.append(Problem(at, inner, "the key stands twice", f"first in line {keys[key].line}", "keep one"))
                continue
            keys[key], result[key] = at, value
        return MarkedMap(result, place, keys)

    def key(self, event: yaml.Event, events: Iterator[yaml.Event], pointer: str) -> str:
        at = self.place(event)
        if not isinstance(event, yaml.ScalarEvent):
            self.node(event, events, pointer)
            self.problems.append(Problem(at, pointer, "a key must be text", "", "write `name: value`"))
            return "?"
        self.refuse_properties(event, at, pointer)
        text = event.value
        if event.implicit[0] and not event.style:
            value = _scalar(text, at, join(pointer, text), self.problems)
            if not isinstance(value, str):
                self.problems.append(Problem(at, pointer, "a key must be text", text or "nothing", f'write "{text}":'))
        return text


_WORD = re.compile(r"[\w/<?-]+")


def join(pointer: str, key: str) -> str:
    """The pointer of a key below another; keys that are not one plain word are quoted."""
    shown = _shown(key)
    return f"{pointer}.{shown}" if pointer else shown


@functools.lru_cache(4096)
def _shown(key: str) -> str:
    return key if _WORD.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def pointer(path: Iterable[str]) -> str:
    """A path in the form that people write and that errors have."""
    return functools.reduce(join, path, "")


def parse(text: str | bytes, file: str) -> MarkedMap:
    """The one document of a file, which must be a mapping.

    Raises InvalidInput with everything that is wrong with the text as YAML.
    """
    problems: list[Problem] = []
    if len(text) > LARGEST:
        found, todo = f"{len(text):,} bytes", "nothing that is read here grows so long; look what wrote it"
        raise InvalidInput([Problem(Place(file), "", f"the file is larger than {LARGEST:,} bytes", found, todo)])
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8")
        except UnicodeDecodeError as error:
            line = text[: error.start].count(b"\n") + 1
            raise InvalidInput(
                [Problem(Place(file, line), "", "the file is not UTF-8", f"byte 0x{text[error.start]:02x}", "save it as UTF-8")]
            ) from None
    builder = _Builder(file, problems)
    root: Marked | None = None
    try:
        # As yaml.parse does, without a generator in between.
        events: Iterator[yaml.Event] = iter(yaml.CSafeLoader(text).get_event, None)
        for event in events:
            if isinstance(event, yaml.StreamStartEvent | yaml.StreamEndEvent | yaml.DocumentStartEvent | yaml.DocumentEndEvent):
                continue
            if root is not None:
                problems.append(
                    Problem(builder.place(event), "", "a second document in the file", "---", "keep one document in a file")
                )
                break
            root = builder.node(event, events, "")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise InvalidInput(
            [*problems, Problem(Place(file, line), "", f"not YAML: {error.problem or error.context}", "", "mend the syntax")]
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.encode("utf-8", errors="replace")[: error.position].count(b"\n") + 1
        wrong = f"not YAML: {error.reason}"
        raise InvalidInput(
            [*problems, Problem(Place(file, line), "", wrong, f"U+{int(error.character):04X}", "remove the character")]
        ) from None
    if root is None:
        problems.append(Problem(Place(file), "", "the file is empty", "", "write the keys of its kind"))
    elif not isinstance(root, MarkedMap):
        problems.append(Problem(root.place, "", "the file must be a mapping", kind_of(root), "write `key: value` lines"))
    if problems or not isinstance(root, MarkedMap):
        raise InvalidInput(problems)
    return root


def place_of(tree: MarkedMap, *path: str) -> Place:
    """Where the key at the end of a path stands, or the nearest one above it."""
    place = tree.place
    node: Marked = tree
    for key in path:
        if not isinstance(node, MarkedMap) or key not in node.items:
            break
        place, node = node.at(key), node.items[key]
    return place


def plain(node: Marked) -> Plain:
    """The node without its marks."""
    match node:
        case MarkedScalar():
            return node.value
        case MarkedList():
            return [plain(item) for item in node.items]
        case MarkedMap():
            return {key: plain(item) for key, item in node.items.items()}
        case Reset():
            return None


def kind_of(node: Marked) -> str:
    """The node in the words of an error message."""
    match node:
        case MarkedMap():
            return "a mapping"
        case MarkedList():
            return "a list"
        case MarkedScalar(value=None) | Reset():
            return "nothing"
        case MarkedScalar():
            return repr(node.value) if isinstance(node.value, str) else node.text or str(node.value)
