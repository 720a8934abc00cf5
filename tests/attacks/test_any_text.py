"""Whatever text people write is refused, or stands in the objects as exactly that text where it belongs; nothing else differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.checking.rendered import Document, Unreadable, read
from bento_gitops.model.layout import CHART
from bento_gitops.model.problem import InvalidInput
from bento_gitops.observing.live import PODS
from bento_gitops.operations.render import render_one
from bento_gitops.repository.files import WorkingTree
from bento_gitops.repository.fleet import Fleet, Target
from bento_gitops.tools import binaries, helm
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

DEV = Target("dev", "support-tickets")
CONFIG = f"{DEV.folder}/config.yaml"
ENVIRONMENT = "environments/dev/environment.yaml"
BUNDLE = "bundles/support-tickets/1.0.0.yaml"
MARK = "m4rk"
"""A word that every field takes, and nothing else of the objects has."""

APPENDED = {
    "value of a variable": (CONFIG, "  SupportTickets: {envs: {A: TEXT}}\n"),
    "key of a toleration": (CONFIG, "  SupportTickets: {placement: {tolerations: [{key: TEXT, operator: Exists}]}}\n"),
    "value of a toleration": (CONFIG, "  SupportTickets: {placement: {tolerations: [{key: a, value: TEXT}]}}\n"),
    "value of a node's label": (CONFIG, "  SupportTickets: {placement: {node_selector: {pool: TEXT}}}\n"),
    "key of a node's label": (CONFIG, "  SupportTickets: {placement: {node_selector: {TEXT: pool}}}\n"),
    "name of a Secret": (CONFIG, "  SupportTickets: {secrets: [TEXT]}\n"),
    "label of pods beyond": (CONFIG, "  SupportTickets: {egress: {x: {namespace: x, pod_labels: {app: TEXT}}}}\n"),
    "value of a label": (CONFIG, "labels: {team: TEXT}\n"),
    "key of a label": (CONFIG, "labels: {TEXT: team}\n"),
    "address of runbooks": (CONFIG, "alerts: {runbooks: TEXT}\n"),
    "place for traces": (CONFIG, "tracing: {endpoint: TEXT, sample_rate: 0.5, collector: {cidr: 10.0.0.0/8}}\n"),
    "name of a rule": (CONFIG, "routing: {rules: {TEXT: {match: {tenant: [a]}, track: candidate}}}\n"),
    "value that a rule asks for": (CONFIG, "routing: {rules: {a: {match: {tenant: [TEXT]}, track: stable}}}\n"),
    "image's Secret": (ENVIRONMENT, "image_pull_secrets: [TEXT]\n"),
}
REPLACED = {
    "host name": (ENVIRONMENT, '"{application}.dev.example.com"', "TEXT"),
    "cluster": (ENVIRONMENT, "dev-cluster", "TEXT"),
    "Bento": (BUNDLE, "support_tickets:1.0.0", "TEXT"),
    "version of BentoML": (BUNDLE, '"1.4.39"', "TEXT"),
    "name of an API": (BUNDLE, "classify_ticket: {", "TEXT: {"),
    "route of an API": (BUNDLE, "route: /classify_ticket", "route: TEXT"),
    "model's framework": (BUNDLE, "scikit-learn==1.7.2", "TEXT"),
    "model's report": (BUNDLE, "reports/1.0.0.json", "TEXT"),
}
FORMS = {"place for traces": "http://collector:4318/MARK", "route of an API": "/MARK"}
"""How a text must look that the field takes, around any part of it."""

HOSTILE = (
    '{{ .Files.Get "x" }}',
    "{{- fail `x` }}",
    "$labels.track }} {{ $value",
    "x\nprivileged: true",
    "x\n---\nkind: Secret",
    'x", "y": "z',
    "x' y: 'z",
    "x # y",
    "- x",
    "*x",
    "!!int 3",
    "&a x",
    "%(x)s ${HOME} $(A) `id`",
    "true",
    "1e3",
    "null",
    "~",
    "x: y",
    "\u2028\u2029\u0085\ufeff",
    "\x1b[31m\x00",
    "\\n \\u0000",
    "|",
    ">-\n  x",
    "a\x7f",
    "a\x9b31m",
    "a\uffff",
    "yes",
    "0x1",
    "1:30",
    "=",
    "<<",
    "$application $LABELS",
    " leading and trailing ",
    "",
)
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=20), st.text("{}$'\"`\\:#-|>&*!%@,[]\n\t ax", max_size=12))


def quoted(text: str) -> str:
    """A YAML scalar that any reader takes for exactly this text."""
    plain = {*map(chr, range(0x20, 0x7F))} - {'"', "\\"}
    return '"' + "".join(one if one in plain else f"\\U{ord(one):08x}" for one in text) + '"'


def changed(fleet: Fleet, field: str, text: str) -> Mapping[str, bytes | None]:
    """The one file that says the text."""
    path, *how = APPENDED.get(field) or REPLACED[field]
    before = fleet.tree.read(path).decode()
    if field in APPENDED:
        return {path: (before + how[0].replace("TEXT", quoted(text))).encode()}
    assert before.count(how[0]) == 1, field
    return {path: before.replace(how[0], how[1].replace("TEXT", quoted(text))).encode()}


def values_with(fleet: Fleet, field: str, text: str) -> str | None:
    """The values of the application where the field says the text; None where it is refused."""
    try:
        return render_one(fleet.over(changed(fleet, field, text)), DEV)[0].text
    except InvalidInput:
        return None


def objects(documents: Sequence[Document]) -> list[Any] | None:
    """As `validate` reads them; None where it refuses one, because Kubernetes' reader and others take it for different things."""
    try:
        return [found.body for document in documents if (found := read(document)) is not None]
    except Unreadable:
        return None


def differences(marked: Any, found: Any, text: str, mark: str, at: str = "") -> Iterator[str]:
    """Where an object is not what it was with the mark, with the text in the mark's place."""
    if isinstance(marked, dict) and isinstance(found, dict):
        wanted = {key.replace(mark, text): value for key, value in marked.items()}
        if any(not isinstance(key, str) for key in found):
            yield f"{at}: a key that is no text {found.keys()!r}"
        elif wanted.keys() != found.keys():
            yield f"{at}: keys {wanted.keys() ^ found.keys()!r}"
        for key in (key for key in wanted if key in found):
            if key != PODS:  # a checksum of what is compared here
                yield from differences(wanted[key], found[key], text, mark, f"{at}/{key}")
    elif isinstance(marked, list) and isinstance(found, list) and len(marked) == len(found):
        for number, (one, other) in enumerate(zip(marked, found, strict=True)):
            yield from differences(one, other, text, mark, f"{at}/{number}")
    elif isinstance(marked, str) and isinstance(found, str) and mark in marked:
        if _parts(marked.replace(mark, text)) != _parts(found) and not _the_same_inside(marked, found, text, mark):
            yield f"{at}: {found!r} for {marked!r}"
    elif marked != found or type(marked) is not type(found):
        yield f"{at}: {found!r} for {marked!r}"


def _parts(text: str) -> list[str]:
    """Alternatives of an expression stand in the order of their letters, and dots in it are dots."""
    return sorted(text.strip("()?").replace("\\.", ".").split("|"))


def _the_same_inside(marked: str, found: str, text: str, mark: str) -> bool:
    """Whether both hold YAML, such as a configuration file, that differs by the text alone."""
    try:
        one, other = (yaml.load(each, Loader=yaml.CSafeLoader) for each in (marked, found))
    except yaml.YAMLError:
        return False
    return isinstance(one, dict | list) and not list(differences(one, other, text, mark))


@pytest.fixture(scope="module")
def fleet(made_once: Path) -> Fleet:
    opened = Fleet(WorkingTree(made_once))
    with_rules = opened.tree.read(ENVIRONMENT).decode().replace("routing:\n", "routing:\n  headers: {tenant: x-tenant}\n")
    found = opened.over({ENVIRONMENT: with_rules.encode()})
    found.sources(DEV)  # what is read here, each overlay of it need not read again
    return found


def rendered(root: Path, values: Mapping[str, str]) -> helm.Rendering:
    return helm.template_all(root / CHART, values, helm=binaries.find("helm"), kube_version=VERSIONS[-1])


@dataclass(frozen=True)
class Marked:
    """An object with the mark in it, and all of it as text."""

    body: Any
    shown: str


@pytest.fixture(scope="module")
def marked(fleet: Fleet, made_once: Path) -> Mapping[str, tuple[str, list[Marked]]]:
    """By field: the mark that it takes, and the objects with it."""
    marks = {field: FORMS.get(field, "MARK").replace("MARK", MARK) for field in (*APPENDED, *REPLACED)}
    values = {field: values_with(fleet, field, mark) for field, mark in marks.items()}
    refused = [field for field, text in values.items() if text is None]
    assert not refused, f"the mark itself is refused: {refused}"
    done = rendered(made_once, {field: text for field, text in values.items() if text})
    assert not done.refusals, done.refusals
    return {field: (marks[field], [Marked(one, repr(one)) for one in objects(done.documents[field]) or []]) for field in marks}


def test_the_mark_shows_where_a_text_belongs(marked: Mapping[str, tuple[str, list[Marked]]]) -> None:
    shown = {field for field, (mark, found) in marked.items() if mark in str(found)}
    assert {"value of a variable", "value of a label", "key of a toleration", "address of runbooks", "host name"} <= shown
    assert "cluster" not in shown and "model's report" not in shown, "the objects have no such thing"


# What fails is shown as it is found: to make it smaller would render thousands of applications.
@settings(
    max_examples=4,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(texts=st.lists(TEXTS, min_size=6, max_size=6, unique=True))
def test_any_text_is_refused_or_stays_that_text(
    texts: list[str], fleet: Fleet, made_once: Path, marked: Mapping[str, tuple[str, list[Marked]]]
) -> None:
    check(texts, fleet, made_once, marked)


@pytest.mark.parametrize("start", range(0, len(HOSTILE), 5))
def test_a_hostile_text_is_refused_or_stays_that_text(
    start: int, fleet: Fleet, made_once: Path, marked: Mapping[str, tuple[str, list[Marked]]]
) -> None:
    check(list(HOSTILE[start : start + 5]), fleet, made_once, marked)


def check(texts: list[str], fleet: Fleet, root: Path, marked: Mapping[str, tuple[str, list[Marked]]]) -> None:
    said = {
        (field, number): FORMS.get(field, "MARK").replace("MARK", text) for field in marked for number, text in enumerate(texts)
    }
    values = {key: values_with(fleet, key[0], text) for key, text in said.items()}
    names = {key: f"{number}" for number, key in enumerate(values)}
    done = rendered(root, {names[key]: text for key, text in values.items() if text is not None})
    for key, name in names.items():
        if name not in done.documents:
            continue  # refused, by the files' own form or by the chart's
        mark, expected = marked[key[0]]
        found = objects(done.documents[name])
        if found is None:
            continue  # refused by `validate`
        if key[0] == "key of a label":
            # Prometheus takes fewer names for labels than Kubernetes does: alerts have a part of them, on purpose.
            assert not any(line for one in found for line in differences(one, one, "", MARK)), said[key]
            expected = [one for one in expected if one.body["kind"] != "PrometheusRule"]
            found = [one for one in found if one["kind"] != "PrometheusRule"]
        assert len(found) == len(expected), f"{key[0]}: {said[key]!r} makes other objects"
        wrong = [
            line
            for one, other in zip(expected, found, strict=True)
            if mark in one.shown or one.shown != repr(other)  # the dearest look is for what can differ
            for line in differences(one.body, other, said[key], mark)
        ]
        assert not wrong, f"{key[0]}: {said[key]!r}\n" + "\n".join(wrong)


def test_a_difference_would_be_seen() -> None:
    assert list(differences({"a": MARK}, {"a": "x", "b": "y"}, "x\nb: y", MARK))
    assert list(differences([f"a {MARK}"], ["a x "], "x", MARK))
    assert list(differences({"a": "1"}, {"a": 1}, "x", MARK))
    assert not list(differences({MARK: f"{{k: {MARK}}}"}, {"y": '{"k": "y"}'}, "y", MARK))
