"""Edits of YAML files: the content becomes what it is to be, and what stays is kept to the byte."""

from __future__ import annotations

from typing import Any

import pytest
from bento_gitops.layers.marked import parse, plain
from bento_gitops.model.problem import InvalidInput
from bento_gitops.repository.editing import edited, fresh
from hypothesis import given
from hypothesis import strategies as st

OVERRIDES = """\
# Operators: temporary changes.
apiVersion: bento-gitops/v1
kind: Overrides

overrides:
  # the launch
  - config: {services: {EmbeddingRunner: {scaling: {min_replicas: 6}}}}  # twice the usual
    reason: launch-day load
    owner: ml-oncall
    expires: 2026-12-01T00:00:00Z   # Tuesday

  # the sale
  - config: {services: {Api: {scaling: {min_replicas: 9}}}}
    reason: 'sale'
    owner: "shop"
    expires: 2026-12-24T00:00:00Z
"""


def content(text: str) -> Any:
    return plain(parse(text, "x.yaml"))


def test_a_value_changes_and_every_other_byte_stays() -> None:
    new = content(OVERRIDES)
    new["overrides"][0]["expires"] = "2026-12-02T00:00:00Z"
    new["overrides"][0]["config"]["services"]["EmbeddingRunner"]["scaling"]["min_replicas"] = 8
    new["overrides"][1]["reason"] = "long sale"
    new["overrides"][1]["owner"] = "market"
    assert edited(OVERRIDES, new) == (
        OVERRIDES.replace("2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z")
        .replace("min_replicas: 6", "min_replicas: 8")
        .replace("'sale'", "'long sale'")
        .replace('"shop"', '"market"')
    )


def test_an_item_goes_with_its_comments_and_the_others_stay() -> None:
    new = content(OVERRIDES)
    del new["overrides"][0]
    first, second = OVERRIDES.index("  # the launch"), OVERRIDES.index("  # the sale")
    assert edited(OVERRIDES, new) == OVERRIDES[:first] + OVERRIDES[second:]
    new = content(OVERRIDES)
    del new["overrides"][1]
    assert edited(OVERRIDES, new) == OVERRIDES[:second].rstrip() + "\n"


def test_a_new_item_comes_last_and_looks_like_its_siblings() -> None:
    new = content(OVERRIDES)
    new["overrides"].append(
        {"config": {"services": {"Api": {"workers": 2}}}, "reason": "a test: 1", "owner": "me", "expires": "2027-01-01T00:00:00Z"}
    )
    assert edited(OVERRIDES, new) == OVERRIDES + (
        '  - config: {services: {Api: {workers: 2}}}\n    reason: "a test: 1"\n    owner: me\n    expires: 2027-01-01T00:00:00Z\n'
    )


def test_the_last_item_leaves_an_empty_list() -> None:
    new = content(OVERRIDES)
    new["overrides"] = []
    assert edited(OVERRIDES, new).endswith("kind: Overrides\n\noverrides: []\n")


CONFIG = """\
services:
    Api:   # four columns, as this team likes it
        instance_type: cpu.small # small
        scaling: { min_replicas: 3,   max_replicas: 12 }

        # secrets by name
        secrets:
        - one   # the first
        # the second
        - two
    # the runner
    Runner: {workers: 1,
             envs: {A: "1",   # why A
                    B: "2"}}
bundles: {}
"""


SECRETS = "secrets:\n        - one   # the first\n        # the second\n        - two"


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        (("services", "Api", "scaling", "min_replicas"), 4, "min_replicas: 3", "min_replicas: 4"),
        (("services", "Api", "scaling", "metrics"), [{"type": "cpu"}], "12 }", "12, metrics: [{type: cpu}] }"),
        (("services", "Api", "workers"), 2, "        - two\n", "        - two\n        workers: 2\n"),
        (("services", "Other"), {"workers": 1}, '"2"}}\n', '"2"}}\n    Other: {workers: 1}\n'),
        (("services", "Api", "instance_type"), "gpu.t4", "cpu.small", "gpu.t4"),
        (("services", "Api", "instance_type"), None, "cpu.small", "null"),
        (("services", "Api", "secrets"), ["one", "two", "3"], "        - two\n", '        - two\n        - "3"\n'),
        (("services", "Api", "secrets"), ["two"], "        - one   # the first\n", ""),
        (("services", "Api", "secrets"), ["zero", "one", "two"], "        - one", "        - zero\n        - one"),
        (("services", "Api", "secrets"), "all", SECRETS, "secrets: all"),
        (("services", "Api", "secrets"), [], SECRETS, "secrets: []"),
        (("services", "Runner", "envs"), {"A": "1"}, 'B: "2"', ""),
        (("services", "Runner", "envs"), {"B": "2"}, 'A: "1",   # why A\n                    B', "B"),
        (("bundles",), {"1.10": {"workers": 1}}, "bundles: {}", 'bundles: {"1.10": {workers: 1}}'),
        (("slo",), {"availability": 99.9}, "bundles: {}\n", "bundles: {}\nslo:\n  availability: 99.9\n"),
    ],
)  # fmt: skip
def test_one_change_in_a_file_of_ones_own_style(path: tuple[str, ...], value: Any, old: str, new: str) -> None:
    wanted = content(CONFIG)
    node = wanted
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = value
    assert CONFIG.count(old) == 1
    assert edited(CONFIG, wanted) == CONFIG.replace(old, new)


@pytest.mark.parametrize(
    ("text", "new", "result"),
    [
        ("a: 1\n\n# b\nb: 2\n\n# c\nc: 3\n", {"a": 1, "c": 3}, "a: 1\n\n# c\nc: 3\n"),
        ("# head\na: 1\nb: 2\n", {"b": 2}, "# head\nb: 2\n"),
        ("a:\n  x: 1\n  # y: 2\nb: 2\n", {"b": 2}, "b: 2\n"),
        ("a: # why\n  x: 1\n", {"a": 5}, "a: 5 # why\n"),
        ("a: 5 # why\n", {"a": {"b": {"c": 1, "d": {"e": 1}}}}, "a:\n  b:\n    c: 1\n    d: {e: 1} # why\n"),
        ("a:   # nothing yet\nb:\n", {"a": 1, "b": {"c": 2}}, "a: 1   # nothing yet\nb: {c: 2}\n"),
        ("a: |\n  one\n  two\n\nb: 1\n", {"a": "one\nthree\n", "b": 1}, "a: |\n  one\n  three\n\nb: 1\n"),
        ("a: |+\n  one\n\nb: 1\n", {"a": "one\n\n"}, "a: |+\n  one\n\n"),
        ("a: |+\n  one\n\n", {"a": "one\n\n", "b": 1}, "a: |+\n  one\n\nb: 1\n"),
        ("x:\n- - 1\n  - 2\n- - 3\n", {"x": [[2], [3]]}, "x:\n- - 2\n- - 3\n"),
        ("x:\n-\n  # why\n  a: 1\n  b: 2\n-\n", {"x": [{"b": 2}, 5]}, "x:\n-\n  b: 2\n- 5\n"),
        ("x:\n -\n  - 1\n  - 2\n", {"x": [{"a": 1, "b": {}}]}, "x:\n -\n  a: 1\n  b: {}\n"),
        ("x:\n  - a: 1\n    # why\n    b: 2\n", {"x": [{"b": 2}]}, "x:\n  - # why\n    b: 2\n"),
        ("{a: 1, b: 2}\n", {"a": 1, "c": "x"}, "{a: 1, c: x}\n"),
        ("---\na: 1\n...\n", {"a": 2}, "---\na: 2\n...\n"),
        ("a: 1", {"a": 1, "b": 2}, "a: 1\nb: 2\n"),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 3, "c": 4}, "a: 1\r\nb: 3\r\nc: 4\r\n"),
        ("\ufeffa: 1\n", {"a": 2}, "\ufeffa: 2\n"),
        ("# Only a comment\n", {"a": 1}, "# Only a comment\n\na: 1\n"),
        ("", {"a": {"b": {"c": 1}, "d": {"e": 1}}}, "a:\n  b: {c: 1}\n  d: {e: 1}\n"),
        ("a: 1\n", {}, "{}\n"),
        ("a: [x, {b: 1}]\n", {"a": [{"b": 1}, "z"]}, "a: [{b: 1}, z]\n"),
        ("a: {b, c: 1}\n", {"a": {"b": 2, "c": 1}}, "a: {b: 2, c: 1}\n"),
        ("größe: 1 # ü\nb: 2\n", {"größe": 2, "b": "ß"}, 'größe: 2 # ü\nb: "ß"\n'),
        ("a: true\n", {"a": 1}, "a: 1\n"),
        ("a: 1.50\n", {"a": 1.5, "b": 1}, "a: 1.50\nb: 1\n"),
    ],
)  # fmt: skip
def test_small_files(text: str, new: dict[str, Any], result: str) -> None:
    assert edited(text, new) == result


MISTAKABLE = """
1.10 1.1.0 2026-11-01 off no 1e3 010 0x1f 1:30 1_000 null ~ {a *a &a !a %a @a `a x: +1 .5 = << true 12e5 0b1
"""


@pytest.mark.parametrize("word", [*MISTAKABLE.split(), "", " x", "a: b", "a #b", "- a", "a\nb", "\x85", "\t"])
def test_a_text_that_a_reader_could_take_for_something_else_is_quoted(word: str) -> None:
    import yaml

    text = fresh({"a": word, word: 1, "b": [word]})
    assert content(text) == {"a": word, word: 1, "b": [word]}
    assert yaml.safe_load(text)["a"] == word
    assert text.startswith('a: "')


@pytest.mark.parametrize(
    "word", ["500m", "2Gi", "10m", "cpu.small", "launch-day load", "ml-oncall", "/encode", "LOG_LEVEL", "a@b.example"]
)
def test_a_text_that_nobody_can_mistake_is_not_quoted(word: str) -> None:
    assert fresh({"a": word}) == f"a: {word}\n"


def test_a_new_file_has_the_look_of_the_others() -> None:
    release = {
        "apiVersion": "bento-gitops/v1",
        "kind": "Release",
        "stable": "blue",
        "tracks": {"blue": {"bundle": "1.0.0", "weight": 100}},
        "since": "2026-11-01T10:20:00Z",
        "previous": {"bundle": "0.9.3"},
        "overrides": [{"config": {"services": {"A": {"scaling": {"min_replicas": 6}}}}, "reason": "x", "owner": "me"}],
    }
    assert fresh(release, "Written by commands.\nDo not edit.") == (
        "# Written by commands.\n# Do not edit.\napiVersion: bento-gitops/v1\nkind: Release\nstable: blue\ntracks:\n"
        '  blue: {bundle: "1.0.0", weight: 100}\nsince: 2026-11-01T10:20:00Z\nprevious: {bundle: "0.9.3"}\noverrides:\n'
        "  - config: {services: {A: {scaling: {min_replicas: 6}}}}\n    reason: x\n    owner: me\n"
    )


def test_a_file_that_no_reader_takes_is_refused_with_its_line() -> None:
    with pytest.raises(InvalidInput, match=r"^x\.yaml:2: a: the key stands twice"):
        edited("a: 1\na: 2\n", {"a": 1}, "x.yaml")
    with pytest.raises(InvalidInput, match=r"^x\.yaml:2: a command cannot edit a file with keys like this"):
        edited("a: 1\n? b\n: 2\n", {"a": 2, "b": 2}, "x.yaml")


def test_a_value_that_no_file_can_hold_is_a_bug_of_the_caller() -> None:
    with pytest.raises(TypeError, match="no value of a YAML file"):
        edited("a: 1\n", {"a": object()})


# Random files in random styles, changed at random

KEYS = st.sampled_from(["a", "b", "c", "d e", "1.10", "off", "é", "long-name", "x/y"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.sampled_from([0.5, 99.9, -1.25]),
    st.sampled_from(
        ["", "x", "two words", "1.10", "yes", "a: b", "# no", "it's", 'say "x"', "l\n# 1\nl2\n", "\n\nx ", "ü", "[", "-"]
    ),
    st.text(max_size=8),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=12
)
ROOTS = st.dictionaries(KEYS, VALUES, max_size=5)


class Writer:
    """Writes content in a style drawn at random, with a comment of its own at every other place."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.comments = 0

    def comment(self) -> str:
        self.comments += 1
        return f"# comment {self.comments}."

    def maybe(self) -> bool:
        return self.draw(st.booleans())

    def scalar(self, value: Any) -> str:
        if value is None:
            return self.draw(st.sampled_from(["null", "~"]))
        if isinstance(value, str) and value and self.maybe() and "'" not in value and value.isprintable():
            return f"'{value}'"
        return fresh({"a": value}).removeprefix("a: ").removesuffix("\n")

    def flow(self, value: Any) -> str:
        if isinstance(value, dict):
            inner = [f"{self.scalar(key)}: {self.flow(item)}" for key, item in value.items()]
        elif isinstance(value, list):
            inner = [self.flow(item) for item in value]
        else:
            return self.scalar(value)
        space = self.draw(st.sampled_from(["", " "]))
        start, end = "{}" if isinstance(value, dict) else "[]"
        return start + space + self.draw(st.sampled_from([", ", ",", " , "])).join(inner) + space + end

    def below(self, value: Any, indent: int) -> str:
        """What follows a key or a dash."""
        end = f"  {self.comment()}" if self.maybe() else ""
        if isinstance(value, dict | list) and value and self.maybe():
            step = self.draw(st.sampled_from([1, 2, 4]))
            return f"{end}\n{self.block(value, indent + step)}"
        if isinstance(value, str) and value.endswith("\n") and value.strip() and value[0] not in "\n #" and self.maybe():
            lines = "".join(f"{' ' * (indent + 2)}{line}\n" for line in value.removesuffix("\n").split("\n"))
            if value.isascii() and all(letter.isprintable() or letter == "\n" for letter in value) and "\n\n" not in value:
                return f" |{end}\n{lines}"
        return f" {self.flow(value)}{end}\n"

    def block(self, value: Any, indent: int) -> str:
        parts: list[str] = []
        items = value.items() if isinstance(value, dict) else [(None, item) for item in value]
        for key, item in items:
            above = self.draw(st.sampled_from(["", "", "\n", "comment", "\ncomment"]))
            start = above.replace("comment", f"{' ' * indent}{self.comment()}\n") + " " * indent
            parts.append(start + (f"{self.scalar(key)}:" if key is not None else "-") + self.below(item, indent))
        return "".join(parts)


@st.composite
def files(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A text and what it says."""
    value = draw(ROOTS)
    text = Writer(draw).block(value, 0) if value else "{}\n"
    return text, value


@st.composite
def changed(draw: st.DrawFn, value: Any, depth: int = 0) -> Any:
    """A value that is mostly the same."""
    kind = draw(st.sampled_from(["same", "same", "inside", "inside", "other"] if depth else ["inside"]))
    if kind == "same":
        return value
    if kind == "inside" and isinstance(value, dict):
        kept = {key: draw(changed(item, depth + 1)) for key, item in value.items() if draw(st.integers(0, 3))}
        return {**kept, **draw(st.dictionaries(KEYS, VALUES, max_size=1))}
    if kind == "inside" and isinstance(value, list):
        kept = [draw(changed(item, depth + 1)) for item in value if draw(st.integers(0, 3))]
        at = draw(st.integers(0, len(kept)))
        return [*kept[:at], *draw(st.lists(VALUES, max_size=1)), *kept[at:]]
    return draw(VALUES)


@given(data=st.data(), file=files())
def test_any_edit_says_what_it_must_and_is_nothing_the_second_time(data: st.DataObject, file: tuple[str, dict[str, Any]]) -> None:
    text, value = file
    assert content(text) == value
    assert edited(text, value) == text
    new = data.draw(changed(value))
    result = edited(text, new)  # it reads what it wrote, and fails where that says something else
    assert content(result) == new
    assert edited(result, new) == result


@given(data=st.data(), file=files())
def test_what_an_edit_does_not_touch_keeps_its_bytes_and_comments(data: st.DataObject, file: tuple[str, dict[str, Any]]) -> None:
    text, value = file
    keys = list(value)
    if not keys:
        return
    touched = data.draw(st.sampled_from(keys))
    new = {**value, touched: data.draw(changed(value[touched], 1))} if data.draw(st.booleans()) else dict(value)
    if new == value:
        del new[touched]
    if not new:
        return
    result = edited(text, new)
    first = {key: parse(text, "").keys[key].line - 1 for key in keys}
    lines = text.split("\n")
    for key, following in zip(keys, [*keys[1:], None], strict=True):
        if key == touched or (following == touched and touched not in new):
            continue  # with the entry that goes go the comments above it
        own = "\n".join(lines[first[key] : first[following] if following else None]).strip("\n")
        assert own in result
