"""What holds of every merge, on generated YAML texts of component fragments, one file for each layer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from bento_gitops.layers.marked import parse
from bento_gitops.layers.merging import ABSENT, PEOPLE, Entry, Layer, Leaf, Resolved, leaf_at, leaves_of, merge
from bento_gitops.model.problem import Problem
from hypothesis import given
from hypothesis import strategies as st

Fragment = dict[str, Any]

# The shape is fixed (a key is always a map, a list or a scalar), as the strict models make sure of before a merge.
_COUNTS = st.integers(0, 9)
# What looks like a time or a number, and is not quoted by PyYAML, the reader refuses: that is another test's.
_WORDS = st.text("abc01: #'\"\\é\n", max_size=6).filter(lambda word: not re.fullmatch("[01:]+", word.strip()))
_LISTS = st.lists(_WORDS, max_size=2)


def _maps(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[Fragment]:
    return st.fixed_dictionaries({}, optional=values)


def fragments(*, nulls: bool) -> st.SearchStrategy[Fragment]:
    """What one file may say of a component."""

    def or_null(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return value | st.none() if nulls else value

    return _maps(
        workers=or_null(_COUNTS),
        secrets=or_null(_LISTS),
        scaling=or_null(_maps(min_replicas=or_null(_COUNTS), max_replicas=or_null(_COUNTS))),
        envs=or_null(_maps(A=or_null(_WORDS), B=or_null(_WORDS), C=or_null(_WORDS))),
        probes=or_null(_maps(startup=or_null(_maps(period_seconds=or_null(_COUNTS))))),
    )


LAYERS: tuple[Layer, ...] = ("chart", "decorator", "environment", "environment", "environment", "runtime", "runtime")
STACKS = st.tuples(*(fragments(nulls=layer in PEOPLE) for layer in LAYERS), st.booleans())
"""A fragment for each layer, lowest first, and whether the files are in block style."""


def _texts(stack: tuple[Any, ...]) -> list[str]:
    *parts, block = stack
    style = False if block else None
    options: dict[str, Any] = {"default_flow_style": style, "sort_keys": False, "allow_unicode": True, "width": 40}
    return [yaml.dump(part, Dumper=yaml.CSafeDumper, **options) for part in parts]


def _merged(texts: list[str], layers: tuple[Layer, ...] = LAYERS, names: list[str] | None = None) -> Resolved:
    files = names or [f"{index}.yaml" for index in range(len(texts))]
    entries = [Entry(layer, parse(text, file)) for layer, text, file in zip(layers, texts, files, strict=True)]
    problems: list[Problem] = []
    merged = merge(entries, "", problems)
    assert problems == []
    return merged


def _values(tree: Resolved) -> dict[tuple[str, ...], Any]:
    return {path: leaf.value for path, leaf in leaves_of(tree) if leaf.value is not ABSENT}


def _leaves(fragment: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(fragment, dict):
        for key, value in fragment.items():
            yield from _leaves(value, (*path, key))
    else:
        yield path, fragment


@given(STACKS)
def test_later_layers_win(stack: tuple[Any, ...]) -> None:
    """The value is what the highest file says that no null above it takes back."""
    *parts, _ = stack
    tree = _merged(_texts(stack))
    for path in {path for part in parts for path, value in _leaves(part) if value is not None}:
        assert _value_at(tree, path) == _expected(parts, path), path


def _value_at(tree: Resolved, path: tuple[str, ...]) -> Any:
    leaf = leaf_at(tree, path)
    return ABSENT if leaf is None else leaf.value


def _expected(parts: list[Fragment], path: tuple[str, ...]) -> Any:
    """Said again in the plainest way: from the highest down, the first that counts; below a null only the code and the chart."""
    taken_back = False
    for layer, part in reversed(list(zip(LAYERS, parts, strict=True))):
        if taken_back and layer in PEOPLE:
            continue
        node: Any = part
        for key in path:
            if not isinstance(node, dict) or key not in node:
                break
            node = node[key]
            if node is None:
                taken_back = True
                break
        else:
            return node
    return ABSENT


@given(STACKS)
def test_the_same_fragment_twice_changes_no_value(stack: tuple[Any, ...]) -> None:
    texts = _texts(stack)
    once = _values(_merged(texts))
    for index in range(len(texts)):
        twice = [*texts[: index + 1], *texts[index:]]
        layers = (*LAYERS[: index + 1], *LAYERS[index:])
        assert _values(_merged(twice, layers)) == once


@given(STACKS)
def test_null_at_every_key_takes_back_what_people_said_and_nothing_else(stack: tuple[Any, ...]) -> None:
    texts = _texts(stack)
    keys = ("workers", "secrets", "scaling", "envs", "probes")
    nulls = "".join(f"{key}: null\n" for key in keys)
    with_nulls = _values(_merged([*texts, nulls], (*LAYERS, "runtime")))
    assert with_nulls == _values(_merged(texts[:2], LAYERS[:2]))


@given(STACKS)
def test_provenance_names_the_file_and_the_line_that_last_set_the_value(stack: tuple[Any, ...]) -> None:
    texts = _texts(stack)
    for path, leaf in leaves_of(_merged(texts)):
        if leaf.value is ABSENT:
            continue
        place = leaf.source.place
        lines = texts[int(Path(place.file).stem)].splitlines()
        line = lines[place.line - 1]
        begins_below_its_key = isinstance(leaf.value, list) and line.lstrip().startswith("- ")
        assert f"{path[-1]}:" in line or (begins_below_its_key and f"{path[-1]}:" in lines[place.line - 2]), (path, lines, line)


@given(STACKS)
def test_changing_the_line_that_provenance_names_changes_the_value(stack: tuple[Any, ...]) -> None:
    """Block style has one value a line; a number there is replaced by one that no file has."""
    *parts, _ = stack
    texts = _texts((*parts, True))
    before = _merged(texts)
    for path, leaf in leaves_of(before):
        if not isinstance(leaf.value, int):
            continue
        place = leaf.source.place
        index = int(Path(place.file).stem)
        lines = texts[index].splitlines()
        assert lines[place.line - 1].strip() == f"{path[-1]}: {leaf.value}"
        lines[place.line - 1] = lines[place.line - 1].replace(f": {leaf.value}", ": 4711")
        after = _merged([*texts[:index], "\n".join(lines) + "\n", *texts[index + 1 :]])
        assert _values(after) == {**_values(before), path: 4711}


@given(STACKS)
def test_no_value_appears_from_nowhere(stack: tuple[Any, ...]) -> None:
    *parts, _ = stack
    for path, leaf in leaves_of(_merged(_texts(stack))):
        for statement in leaf.said:
            part = parts[int(Path(statement.place.file).stem)]
            assert statement.layer == LAYERS[int(Path(statement.place.file).stem)]
            if statement.value is not ABSENT:
                assert (path, statement.value) in list(_leaves(part))
        assert leaf.value is ABSENT or leaf.value == leaf.source.value


@given(STACKS, st.randoms(use_true_random=False))
def test_the_order_of_keys_in_a_file_changes_no_value(stack: tuple[Any, ...], random: Any) -> None:
    *parts, block = stack

    def shuffled(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        keys = list(value)
        random.shuffle(keys)
        return {key: shuffled(value[key]) for key in keys}

    other = _texts((*(shuffled(part) for part in parts), block))
    assert _values(_merged(other)) == _values(_merged(_texts(stack)))


@given(STACKS)
def test_one_statement_at_most_is_in_force_and_it_is_the_value(stack: tuple[Any, ...]) -> None:
    for _, leaf in leaves_of(_merged(_texts(stack))):
        in_force = [statement for statement in leaf.said if statement.counts and statement.value is not ABSENT]
        assert leaf.value == (in_force[0].value if in_force else ABSENT)


def test_leaf_without_a_value_has_no_source() -> None:
    leaf = leaf_at(_merged(["workers: 1", "workers: null"], ("environment", "runtime")), ("workers",))
    assert isinstance(leaf, Leaf) and leaf.value is ABSENT
    assert [statement.counts for statement in leaf.said] == [True, False]
