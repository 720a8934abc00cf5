"""Edits of YAML files that people edit too: their content becomes what it is to be, and every other byte stays.

A file is not written anew from what was read of it: that would keep neither all comments nor anyone's way of laying it out.
Instead the places that differ are replaced in the text, and the result is read again to see that it says what it must.
"""

from __future__ import annotations

import bisect
import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import yaml

from bento_gitops.layers.marked import Marked, MarkedList, MarkedMap, Plain, parse, plain
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.repository.yaml_look import (
    STEP,
    flow_text,
    is_flow,
    list_lines,
    literal_text,
    map_lines,
    scalar_text,
    value_lines,
)


def fresh(new: Mapping[str, Any], header: str = "") -> str:
    """A new file; the header's lines come first, as comments."""
    comments = [f"# {line}".rstrip() if not line.startswith("#") else line for line in header.splitlines()]
    content = _plain(new)
    lines = map_lines(list(content.items()), 0, None, 0) if content else ["{}"]
    text = "\n".join([*comments, *lines, ""])
    assert _says(text, content), f"written as something else: {text}"
    return text


def edited(text: str, new: Mapping[str, Any], file: str = "the file") -> str:
    """The text with its content made equal to `new`.

    Entries that stay keep their order, their style and their comments; new ones come last, and look like the others. With an
    entry go the comment at its end and those right above it.
    Raises InvalidInput where the text is none that any file may have; `file` is its name in the error.
    """
    content = _plain(new)
    ends = "\r\n" if "\r\n" in text else "\n"
    unified = text.replace("\r\n", "\n")
    mark = "\ufeff" if unified.startswith("\ufeff") else ""
    result = _edited(unified.removeprefix(mark), content, file)
    return mark + result.replace("\n", ends)


def _edited(text: str, new: dict[str, Plain], file: str) -> str:
    root = yaml.compose(text, yaml.CSafeLoader) if text.strip() else None
    if root is None:
        above = f"{text.rstrip()}\n\n" if text.strip() else ""
        return above + fresh(new)
    was = parse(text, file)
    assert isinstance(root, yaml.MappingNode)
    if _same(plain(was), new):
        return text
    _refuse_explicit_keys(text, file)
    editor = _Editor(text if text.endswith("\n") else f"{text}\n")
    editor.edit(_Spot(root, was, -STEP, 0), new)
    result = editor.result()
    shorter = result.rstrip("\n") + "\n"
    if not text.endswith("\n\n") and _says(shorter, new):
        result = shorter  # blank lines that stood before what was removed at the end
    assert _says(result, new), f"edited into something else:\n{text}\n->\n{result}\nwanted: {new}"
    return result


def _refuse_explicit_keys(text: str, file: str) -> None:
    for token in yaml.scan(text, yaml.CSafeLoader):
        at = token.start_mark
        if isinstance(token, yaml.KeyToken) and text[at.index] == "?" and text[at.index + 1 : at.index + 2].isspace():
            todo = "write `key: value`, and run again"
            raise InvalidInput(
                [Problem(Place(file, at.line + 1), "", "a command cannot edit a file with keys like this", "?", todo)]
            )


def _says(text: str, content: dict[str, Plain]) -> bool:
    try:
        return _same(plain(parse(text, "")), content)
    except InvalidInput:
        return False


def _plain(value: Any) -> Any:
    """The value of maps, lists and scalars only. Raises TypeError for anything else."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in cast("Sequence[Any]", value)]
    if value is None or isinstance(value, str | int | float):
        return value
    raise TypeError(f"no value of a YAML file: {value!r}")


def _same(one: Plain, other: Plain) -> bool:
    """Equal, and a truth is no number."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(inner, other[key]) for key, inner in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(*pair) for pair in zip(one, other, strict=True))
    return one == other and isinstance(one, bool) == isinstance(other, bool)


@dataclass(frozen=True, slots=True)
class _Spot:
    """A value in the text."""

    node: yaml.Node
    marked: Marked
    column: int
    """Of the key or dash that it belongs to."""
    depth: int
    """Its level in the file."""
    in_flow: bool = False
    """Whether it stands inside of a map or list in flow style."""
    colon: int | None = None
    """Where it begins in an entry of a map: right after the colon, or after the key that has none."""

    @property
    def is_flow(self) -> bool:
        return isinstance(self.node, yaml.CollectionNode) and bool(self.node.flow_style)

    @property
    def is_block(self) -> bool:
        return isinstance(self.node, yaml.CollectionNode) and not self.node.flow_style

    @property
    def start(self) -> int:
        return self.node.start_mark.index


@dataclass(frozen=True, slots=True)
class _Item:
    """An entry of a map or an item of a list."""

    start: int
    """Of its key or dash; in flow style of the item itself."""
    end: int
    """Of its content, without a comment behind it."""
    spot: _Spot
    key: str = ""


@dataclass(frozen=True, slots=True)
class _Gap:
    """What happens between two items that stay (or before the first, after the last)."""

    before: _Item | None
    dropped: list[_Item]
    added: list[tuple[str, Plain]]
    """With their keys, in a map."""
    after: _Item | None


class _Editor:
    """Collects replacements of a text. None reaches into another; those at one place follow each other as they came."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.edits: list[tuple[int, int, str]] = []
        self.lines = [0, *(index + 1 for index, letter in enumerate(text) if letter == "\n")]

    def result(self) -> str:
        pieces: list[str] = []
        done = 0
        for start, end, new in sorted(self.edits, key=lambda edit: edit[:2]):
            assert start >= done, "one edit reaches into another"
            pieces += [self.text[done:start], new]
            done = end
        return "".join([*pieces, self.text[done:]])

    def replace(self, start: int, end: int, new: str) -> None:
        if start < end or new:
            self.edits.append((start, end, new))

    # Where lines are

    def line_start(self, at: int) -> int:
        return self.lines[bisect.bisect_right(self.lines, at) - 1]

    def line_end(self, at: int) -> int:
        return self.text.index("\n", at) if at < len(self.text) else at

    def column(self, at: int) -> int:
        return at - self.line_start(at)

    def is_first_on_its_line(self, at: int) -> bool:
        return not self.text[self.line_start(at) : at].strip(" ")

    def comment_column(self, line: int) -> int | None:
        """The column of the comment that is all there is in the line; None where there is another thing."""
        text = self.text[line : self.line_end(line)]
        return len(text) - len(text.lstrip()) if text.lstrip().startswith("#") else None

    def tail(self, end: int, column: int) -> int:
        """The end of the last line of an item at the column, with the comments below that are indented deeper."""
        last = self.line_end(end)
        at = last + 1
        while at < len(self.text):
            there = self.comment_column(at)
            if there is not None and there > column:
                last = self.line_end(at)
            elif self.text[at : self.line_end(at)].strip():
                break
            at = self.line_end(at) + 1
        return last

    def lead(self, item: _Item, previous: int) -> int:
        """The start of the first line of an item, with the comments right above it; none above `previous` are its own."""
        first = self.line_start(item.start)
        column = self.column(item.start)
        while first > previous and (above := self.line_start(first - 1)) >= previous:
            if self.comment_column(above) != column:
                break
            first = above
        return first

    def content_end(self, node: yaml.Node) -> int:
        start, end = node.start_mark.index, node.end_mark.index
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            head = self.text[start : self.line_end(start)].partition("#")[0]
            whole = self.text[start:end]
            return start + len(whole.removesuffix("\n") if "+" in head else whole.rstrip("\n"))
        if isinstance(node, yaml.MappingNode) and not node.flow_style:
            key, value = cast("tuple[yaml.Node, yaml.Node]", node.value[-1])
            return max(key.end_mark.index, self.content_end(value))
        if isinstance(node, yaml.SequenceNode) and not node.flow_style:
            return self.content_end(cast("yaml.Node", node.value[-1]))
        return end

    # What is in a collection

    def items(self, spot: _Spot) -> list[_Item]:
        if isinstance(spot.node, yaml.MappingNode):
            assert isinstance(spot.marked, MarkedMap)
            pairs = cast("list[tuple[yaml.Node, yaml.Node]]", spot.node.value)
            return [
                self.entry(key, value, marked, spot)
                for (key, value), marked in zip(pairs, spot.marked.items.values(), strict=True)
            ]
        assert isinstance(spot.marked, MarkedList)
        nodes = cast("list[yaml.Node]", spot.node.value)
        return [self.item(node, marked, spot) for node, marked in zip(nodes, spot.marked.items, strict=True)]

    def entry(self, key: yaml.Node, value: yaml.Node, marked: Marked, spot: _Spot) -> _Item:
        after_key = key.end_mark.index
        colon = self.text.find(":", after_key, max(after_key, value.start_mark.index))
        end = max(after_key, self.content_end(value))
        inside = spot.in_flow or spot.is_flow
        begins = colon + 1 if colon >= 0 else after_key
        start = key.start_mark.index
        return _Item(start, end, _Spot(value, marked, self.column(start), spot.depth + 1, inside, begins), str(key.value))

    def item(self, node: yaml.Node, marked: Marked, spot: _Spot) -> _Item:
        column = self.column(spot.start)
        start = node.start_mark.index
        if spot.is_block:
            line = self.line_start(start)
            # The dash may stand on a line of its own, with comments between it and the item.
            while self.text[line + column] != "-" or line + column >= max(start, 1) or self.comment_column(line) is not None:
                line = self.line_start(line - 1)
            dash = line + column
        else:
            dash = start
        return _Item(dash, self.content_end(node), _Spot(node, marked, column, spot.depth + 1, spot.in_flow or spot.is_flow))

    # Editing

    def edit(self, spot: _Spot, new: Plain) -> None:
        """Makes the value at a spot the new one."""
        old = plain(spot.marked)
        if _same(old, new):
            return
        gaps = None
        if isinstance(old, dict) and isinstance(new, dict):
            gaps = self.gaps_of_map(spot, new)
        elif isinstance(old, list) and isinstance(new, list):
            gaps = self.gaps_of_list(spot, old, new)
        is_pair = spot.is_flow and self.text[spot.start] not in "{["  # [a: 1], a map without braces
        if gaps is None or is_pair:
            self.rewrite(spot, new)
        elif spot.is_flow:
            self.edit_flow(gaps, isinstance(new, dict))
        else:
            self.edit_block(spot, gaps, isinstance(new, dict))

    def gaps_of_map(self, spot: _Spot, new: dict[str, Plain]) -> list[_Gap] | None:
        """Edits the entries that stay; what happens between them. None where none stays."""
        gaps = [_Gap(None, [], [], None)]
        items = self.items(spot)
        for item in items:
            if item.key in new:
                self.edit(item.spot, new[item.key])
                gaps.append(_Gap(item, [], [], None))
            else:
                gaps[-1].dropped.append(item)
        old = {item.key for item in items}
        gaps[-1].added.extend((key, value) for key, value in new.items() if key not in old)
        return _linked(gaps)

    def gaps_of_list(self, spot: _Spot, old: list[Plain], new: list[Plain]) -> list[_Gap] | None:
        """As `gaps_of_map`; an item stays where it is the same, or stands between the same items as its successor."""
        items = self.items(spot)
        gaps = [_Gap(None, [], [], None)]
        matcher = difflib.SequenceMatcher(None, [_word(item) for item in old], [_word(item) for item in new], autojunk=False)
        for _, first, last, new_first, new_last in matcher.get_opcodes():
            pairs = min(last - first, new_last - new_first)
            for item, value in zip(items[first : first + pairs], new[new_first : new_first + pairs], strict=True):
                self.edit(item.spot, value)
                gaps.append(_Gap(item, [], [], None))
            gaps[-1].dropped.extend(items[first + pairs : last])
            gaps[-1].added.extend(("", value) for value in new[new_first + pairs : new_last])
        return _linked(gaps)

    def edit_flow(self, gaps: Sequence[_Gap], is_map: bool) -> None:
        for gap in gaps:
            new = [f"{scalar_text(key)}: {flow_text(value)}" if is_map else flow_text(value) for key, value in gap.added]
            if gap.after:
                start = gap.dropped[0].start if gap.dropped else gap.after.start
                self.replace(start, gap.after.start, "".join(f"{text}, " for text in new))
                continue
            assert gap.before
            end = gap.before.end
            if gap.dropped and "#" in self.text[end : gap.dropped[0].start]:
                # The comment stays, and with it the comma before it: one at the end is no harm.
                self.replace(gap.dropped[0].start, gap.dropped[-1].end, ", ".join(new))
            else:
                self.replace(end, gap.dropped[-1].end if gap.dropped else end, "".join(f", {text}" for text in new))

    def edit_block(self, spot: _Spot, gaps: Sequence[_Gap], is_map: bool) -> None:
        column = self.column(spot.start)
        for gap in gaps:
            if is_map:
                lines = map_lines(gap.added, column, spot.node, spot.depth)
            else:
                lines = list_lines([value for _, value in gap.added], column, spot.node, spot.depth)
            new = "".join(f"{line}\n" for line in lines)
            if gap.before:
                below = self.tail(gap.before.end, column) + 1
                self.drop_lines(gap.dropped, below)
                self.replace(below, below, new)
                continue
            assert gap.after
            first = gap.dropped[0] if gap.dropped else gap.after
            if self.is_first_on_its_line(first.start):
                previous = self.line_start(first.start) if spot.depth == 0 else self.parents_line_end(first)
                self.drop_lines(gap.dropped, previous, are_first=True)
                at = self.lead(gap.after, self.tail(gap.dropped[-1].end, column) + 1 if gap.dropped else previous)
                self.replace(at, at, new)
            else:
                # The first item stands behind the dash of the list around: the next one takes its place there.
                end = first.start
                if gap.dropped:
                    end = self.tail(gap.dropped[-1].end, column) + 1
                    end += len(self.text[end:]) - len(self.text[end:].lstrip())
                indented = new.removeprefix(" " * column) + " " * column if new else ""
                self.replace(first.start, end, indented)

    def parents_line_end(self, first: _Item) -> int:
        """The start of the line below the one that says whose first item this is."""
        at = self.line_start(first.start)
        while at and self.comment_column(above := self.line_start(at - 1)) is not None:
            at = above
        return at

    def drop_lines(self, items: Sequence[_Item], previous: int, *, are_first: bool = False) -> None:
        """Removes the items with their comments; of the blank lines around them, those above stay."""
        for item in items:
            column = self.column(item.start)
            start = self.lead(item, previous)
            end = previous = self.tail(item.end, column) + 1
            if are_first or not self.text[self.line_start(start - 1) : start].strip():
                while end < len(self.text) and not self.text[end : self.line_end(end)].strip():
                    end = self.line_end(end) + 1
            self.replace(start, min(end, len(self.text)), "")

    def rewrite(self, spot: _Spot, new: Plain) -> None:
        """Writes a value anew: nothing of the old one stays."""
        node, start = spot.node, spot.start
        # An item of a list stays at the column where it stands, which need not be the one right after its dash.
        indent = self.column(start) if spot.colon is None and start < node.end_mark.index else spot.column + STEP
        if spot.depth == 0:
            lines = value_lines(new, 0, None, 0) if new else ["{}"]
            self.replace(
                start, self.content_end(node) if spot.is_flow else self.tail(self.content_end(node), -1), "\n".join(lines)
            )
            return
        text = self.written(spot, new, indent)
        if spot.is_block and spot.colon is not None and self.line_start(start) > spot.colon:
            # Its lines stand below the key, whose comment stays.
            end = self.tail(self.content_end(node), spot.column)
            line_end = self.line_end(spot.colon)
            if text.startswith("\n"):
                self.replace(line_end, end, text)
            else:
                self.replace(spot.colon, spot.colon, f" {text}")
                self.replace(line_end, end, "")
            return
        end = self.tail(self.content_end(node), spot.column) if spot.is_block else self.content_end(node)
        if spot.colon is None:
            lead = " " if start and not self.text[start - 1].isspace() and self.text[start - 1] not in "[," else ""
            self.replace(start, end, lead + text.removeprefix("\n").removeprefix(" " * indent))
            return
        lead = "" if self.text[spot.colon - 1] == ":" else ":"
        if text.startswith("\n"):
            start = min(start, spot.colon) if not self.text[spot.colon : start].strip() else start
            self.replace(start, end, lead + text)
        elif start == end or start == spot.colon:
            self.replace(start, end, f"{lead} {text}")
        else:
            self.replace(start, end, text)

    def written(self, spot: _Spot, new: Plain, indent: int) -> str:
        """The new value's text: behind its key or dash, or (with a line end first) in lines below."""
        node = spot.node
        if isinstance(new, dict | list):
            sample = node if type(node) is (yaml.MappingNode if isinstance(new, dict) else yaml.SequenceNode) else None
            if spot.in_flow or is_flow(new, sample if node.value else None, indent, spot.depth):
                return flow_text(new)
            return "\n" + "\n".join(value_lines(new, indent, sample, spot.depth))
        style = cast("str | None", node.style) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(new, str) and style == "|" and (literal := literal_text(new, indent)):
            return literal
        return scalar_text(new, style)


def _linked(gaps: list[_Gap]) -> list[_Gap] | None:
    """Each gap with the item after it; None where no item stays."""
    if len(gaps) == 1:
        return None
    after = [gap.before for gap in gaps[1:]]
    return [_Gap(gap.before, gap.dropped, gap.added, item) for gap, item in zip(gaps, [*after, None], strict=True)]


def _word(value: Plain) -> str:
    """The same for the same values only."""
    return json.dumps(value, sort_keys=True)
