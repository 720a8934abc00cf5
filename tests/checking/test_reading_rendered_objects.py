"""What Helm renders is read as Kubernetes reads it, or refused."""

from __future__ import annotations

import pytest
import yaml
from bento_gitops.checking.objects import get
from bento_gitops.checking.rendered import Document, Unreadable, documents, read
from hypothesis import example, given
from hypothesis import strategies as st

WORDS = [
    "yes",
    "on",
    "Off",
    "010",
    "0x10",
    "0o7",
    "1:30",
    "1e3",
    "1_000",
    ".5",
    "null",
    "~",
    "y",
    "true",
    "12",
    "",
    " x",
    "a: b",
    "#",
    "- a",
]
AMBIGUOUS = [
    "yes",
    "No",
    "ON",
    "off",
    "y",
    "N",
    "010",
    "0o17",
    "0x1F",
    "1_000",
    "1:30",
    "1:30:05",
    "1e3",
    "1.5e3",
    ".5",
    "1.",
    "<<",
    "=",
]
PLAIN = [
    "+1",
    "true",
    "12",
    "-1",
    "0",
    "1.5",
    "null",
    "3000",
    "500m",
    "1.34",
    "1.1.0",
    "nothing",
    "yesterday",
    "10.0.0.0/8",
    "2026-11-01",
    "sha256:0a",
    "0.5Gi",
]


def config_map(value: str) -> Document:
    return Document("app", "templates/it.yaml", f"apiVersion: v1\nkind: ConfigMap\ndata:\n  key: {value}\n")


@pytest.mark.parametrize("word", WORDS)
def test_quoted_words_are_text(word: str) -> None:
    for quoted in (f'"{word}"', f"'{word}'"):
        item = read(config_map(quoted))
        assert item and item.get("data", "key") == word


FORMS = ["key: {}", "key: {}  # why", "list: [a, {}, b]", "list: [{}]", "list:\n  - {}\n  - b", "map: {{a: {}}}"]
PLACES = [(word, form) for word in AMBIGUOUS for form in FORMS] + [
    (word, "{}: value") for word in AMBIGUOUS if word not in ("<<", "=")
]


@pytest.mark.parametrize(("word", "form"), PLACES)
def test_an_unquoted_word_that_two_yamls_read_differently_is_refused(word: str, form: str) -> None:
    with pytest.raises(Unreadable, match="reader") as refused:
        read(Document("app", "templates/it.yaml", f"first: line\n{form.format(word)}\n"))
    assert refused.value.findings[0].found == word


@pytest.mark.parametrize("word", PLAIN)
def test_a_plain_word_that_all_read_alike_is_read(word: str) -> None:
    assert read(config_map(word)) is not None


def test_words_inside_a_text_are_nobodys_business() -> None:
    item = read(Document("app", "templates/it.yaml", "a: |\n  debug: yes\n  mode: 010\n  list: [on]\nb: 'x: yes'\n"))
    assert item and item.body == {"a": "debug: yes\nmode: 010\nlist: [on]\n", "b": "x: yes"}


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]))
    | st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(codec="ascii", categories=["L", "N", "P"]), min_size=1) | st.sampled_from(WORDS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@example({"data": {"0o0": [None]}})
@given(st.dictionaries(st.sampled_from(["data", "spec", "yes", "010"]), JSON, min_size=1))
def test_the_fast_reader_reads_whatever_is_written_as_it_was(body: dict[str, object]) -> None:
    text = yaml.dump(body, allow_unicode=True, Dumper=yaml.CSafeDumper)
    try:
        item = read(Document("app", "templates/it.yaml", text))
    except Unreadable:
        # Stricter than need be is allowed (PyYAML leaves 1e3 and y unquoted); reading something else is not.
        return
    assert item and item.body == body == yaml.load(text, Loader=yaml.CSafeLoader)


def test_documents_are_told_apart_by_their_source_lines_alone() -> None:
    output = (
        "---\n# Source: bulk/charts/a0001/templates/track/service.yaml\nkind: Service\n"
        "---\n# Source: bulk/charts/a0002/templates/track/service.yaml\nkind: Service\ntext: |\n  ---\n  # Source: no\n"
    )
    first, second = documents(output)
    assert (first.chart, first.template, first.text) == ("bulk/charts/a0001", "templates/track/service.yaml", "kind: Service\n")
    assert second.chart == "bulk/charts/a0002"
    item = read(second)
    assert item and get(item.body, "text") == "---\n# Source: no\n"


def test_a_document_of_comments_alone_is_no_object_and_no_error() -> None:
    assert read(Document("app", "templates/it.yaml", "# nothing: yes\n\n")) is None


def test_a_list_is_no_object() -> None:
    with pytest.raises(Unreadable, match="no object"):
        read(Document("app", "templates/it.yaml", "- a\n"))
