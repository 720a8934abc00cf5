"""Helm in bulk: the same as one by one, and each refused application says why without keeping the others from rendering."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from bento_gitops.checking.rendered import Document, read
from bento_gitops.model.problem import ToolFailed
from bento_gitops.tools import binaries, helm
from bento_gitops.tools.helm import Refusal

CHART = Path(__file__).parent / "chart"
KUBE = "1.34"
WORDS = 'words: {A: "yes", B: "on", C: "010", D: "1:30", E: "1e3", "N": "", Q: "line\\nline2"}\n'
HELMS = ["helm", "helm-3.19"]
pytestmark = pytest.mark.usefixtures("fresh_renders")


def rendered(values: dict[str, str], program: str = "helm", **options: int) -> helm.Rendering:
    return helm.template_all(CHART, values, helm=binaries.find(program), kube_version=KUBE, **options)


def alone(values: str, program: str = "helm") -> Sequence[Document]:
    return helm.template(CHART, values, "alone", helm=binaries.find(program), kube_version=KUBE)


def bodies(documents: Sequence[Document]) -> list[object]:
    return [item.body for document in documents if (item := read(document))]


@pytest.mark.parametrize("program", HELMS)
def test_many_in_one_process_are_what_each_is_alone(program: str) -> None:
    values = {
        "prod/plain": "application: plain\n",
        "prod/words": f"application: words\n{WORDS}",
        "dev/with a header": "---\n# generated\napplication: headed\ntracks:\n  blue: {weight: 90}\n  green: {weight: 10}\n",
        "dev/null": "application: nulled\ndefaults: {labels: {owner: null}}\n",
        "dev/text": 'application: text\nwords:\n  A: |\n    one\n\n    two\n  B: "a\n    b"\n',
        "dev/empty map": "application: mapped\nwords: {}\n",
    }
    together = rendered(values, program, at_a_time=1)
    assert together.refusals == {}
    for key, text in values.items():
        assert bodies(together.documents[key]) == bodies(alone(text, program)), key


@pytest.mark.parametrize("program", HELMS)
def test_a_null_takes_out_a_default_also_in_bulk(program: str) -> None:
    values = {"one": "application: one\ndefaults: {labels: {owner: null}}\n", "two": "application: two\n"}
    documents = rendered(values, program).documents
    labels = [
        item.get("metadata", "labels")
        for key in values
        for item in map(read, documents[key])
        if item and item.kind == "Deployment"
    ]
    assert labels == [{"tier": "base"}, {"owner": "nobody", "tier": "base"}]


def test_both_helms_make_the_same_objects() -> None:
    values = {f"app-{number}": f"application: app-{number}\n{WORDS}" for number in range(3)}
    new, old = (rendered(values, program) for program in HELMS)
    assert {key: bodies(found) for key, found in new.documents.items()} == {
        key: bodies(found) for key, found in old.documents.items()
    }


def test_words_that_look_like_something_else_arrive_as_text() -> None:
    config = next(item for item in map(read, alone(WORDS)) if item and item.kind == "ConfigMap")
    assert config.get("data") == {
        "A": "yes",
        "B": "on",
        "C": "010",
        "D": "1:30",
        "E": "1e3",
        "N": "",
        "Q": "line\nline2",
        "settings.yaml": "# a text in a text: these words are nobody's business here\ndebug: yes\nat: 1:30\n---\nmode: 010\n",
    }


def test_the_same_values_give_the_same_bytes_every_time() -> None:
    many = {f"app-{number}": f"application: same\n{WORDS}" for number in range(25)}
    renders = {tuple(documents) for documents in map(strip_chart, rendered(many).documents.values())}
    assert len(renders) == 1


def strip_chart(documents: Sequence[Document]) -> list[tuple[str, str]]:
    return [(document.template, document.text) for document in documents]


@pytest.mark.parametrize("program", HELMS)
def test_every_refused_application_tells_its_own_reason_and_the_others_render(program: str) -> None:
    values = {f"good-{number}": f"application: good-{number}\n" for number in range(9)} | {
        "says no": "refuse: 'runner embed: needs 1 GPU (found 0): raise resources.gpu'\n",
        "says no too": "refuse: also bad\n",
        "says no thrice": 'refuse: "The values are wrong:\\n  tracks.blue: bad; mend it\\n  application: bad too\\n  no place"\n',
        "unknown": "applicaton: x\ntracks: {blue: {weight: 200, wieght: 1}}\n",
        "wrong type": "application: 5\n",
        "not a map": "tracks: {blue: 5}\n",
        "no yaml": "application: [1\n",
    }
    result = rendered(values, program)
    assert sorted(result.documents) == [f"good-{number}" for number in range(9)]
    assert {key: list(found) for key, found in result.refusals.items() if key != "no yaml"} == {
        "says no": [Refusal("runner embed: needs 1 GPU (found 0): raise resources.gpu", "", "templates/deployment.yaml:1")],
        "says no too": [Refusal("also bad", "", "templates/deployment.yaml:1")],
        "says no thrice": [
            Refusal("The values are wrong: no place", "", "templates/deployment.yaml:1"),
            Refusal("bad too", "application", "templates/deployment.yaml:1"),
            Refusal("bad; mend it", "tracks.blue", "templates/deployment.yaml:1"),
        ],
        "unknown": [
            Refusal("maximum: got 200, want 100", "tracks.blue.weight"),
            Refusal("the chart knows no such value", "applicaton"),
            Refusal("the chart knows no such value", "tracks.blue.wieght"),
        ],
        "wrong type": [Refusal("got number, want null or string", "application")],
        "not a map": [
            Refusal("Helm would ignore this value: a single value stands where the chart has a mapping", "tracks.blue"),
            Refusal("got number, want object", "tracks.blue"),
        ],
    }
    [reason] = result.refusals["no yaml"]
    assert "did not find expected" in reason.sentence


def broken_chart(folder: Path, template: str) -> Path:
    chart = folder / "broken"
    shutil.copytree(CHART, chart)
    (chart / "templates/broken.yaml").write_text(template)
    return chart


@pytest.mark.parametrize(
    ("template", "refusal"),
    [
        (
            "a: {{ .Values.tracks.blue.weight.x }}\n",
            Refusal("can't evaluate field x in type interface {}", "", "templates/broken.yaml:1"),
        ),
        (
            '{{ include "nope" . }}\n',
            Refusal('template: no template "nope" associated with template "gotpl"', "", "templates/broken.yaml:1"),
        ),
        ('a: 1\n{{ required "say which" .Values.refuse }}\n', Refusal("say which", "", "templates/broken.yaml:2")),
        ("a: 1\n{{ if }}\n", Refusal("missing value for if", "", "templates/broken.yaml:2")),
        (
            "a: [1\n",
            Refusal("the template does not give YAML: did not find expected ',' or ']'", "", "templates/broken.yaml"),
        ),
    ],
    ids=["a field of a number", "no such helper", "required", "no template", "no YAML"],
)
@pytest.mark.parametrize("program", HELMS)
def test_a_template_that_cannot_work_is_told_by_its_file_and_line(
    template: str, refusal: Refusal, program: str, tmp_path: Path
) -> None:
    chart = broken_chart(tmp_path, template)
    values = {"one": "application: one\nwords: {a: b}\n", "two": "application: two\nwords: {a: b}\n"}
    result = helm.template_all(chart, values, helm=binaries.find(program), kube_version=KUBE)
    assert {key: list(found) for key, found in result.refusals.items()} == {"one": [refusal], "two": [refusal]}


def test_a_chart_for_newer_clusters_refuses_older_ones_also_in_bulk() -> None:
    result = helm.template_all(CHART, {"a": "", "b": ""}, helm=binaries.find("helm"), kube_version="1.33")
    assert [refusal.sentence for found in result.refusals.values() for refusal in found] == [
        "chart requires kubeVersion: >=1.34.0-0 which is incompatible with Kubernetes v1.33"
    ] * 2


def test_nothing_to_render_is_nothing() -> None:
    assert rendered({}) == helm.Rendering({}, {})


def test_each_process_gets_its_share_and_all_are_there() -> None:
    values = {f"app-{number}": f"application: app-{number}\n" for number in range(11)}
    few = rendered(values, per_process=3)
    assert {key: strip_chart(found) for key, found in few.documents.items()} == {
        key: strip_chart(found) for key, found in rendered(values).documents.items()
    }
    assert sorted(few.documents) == sorted(values)


def test_whoever_runs_it_has_no_say_in_what_is_rendered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HELM_DEBUG", "HELM_NAMESPACE", "HELM_KUBECONTEXT", "KUBECONFIG"):
        monkeypatch.setenv(name, "true")
    assert strip_chart(rendered({"a": "application: a\n"}).documents["a"]) == strip_chart(
        helm.template_all(CHART, {"a": "application: a\n"}, helm=binaries.find("helm"), kube_version=KUBE).documents["a"]
    )


def test_a_helm_that_fails_is_no_refusal(tmp_path: Path) -> None:
    crashing = tmp_path / "helm"
    crashing.write_text("#!/bin/sh\necho panic: out of luck >&2\nexit 2\n")
    crashing.chmod(crashing.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(ToolFailed, match="helm ended with 2: panic: out of luck"):
        helm.template_all(CHART, {"a": ""}, helm=crashing, kube_version=KUBE)
    with pytest.raises(ToolFailed, match="helm does not run"):
        helm.template(CHART, "", "a", helm=tmp_path / "absent", kube_version=KUBE)


def test_lint_tells_each_finding_in_a_line_and_nothing_of_a_chart_in_order(tmp_path: Path) -> None:
    def findings(chart: Path, values: str) -> tuple[str, ...]:
        return helm.lint(chart, values, helm=binaries.find("helm"), kube_version=KUBE)

    assert findings(CHART, "application: one\n") == ()
    (schema, *_) = findings(CHART, "imag: x\n")
    assert "additional properties 'imag' not allowed" in schema
    assert "\n" not in schema
    chart = tmp_path / "chart"
    shutil.copytree(CHART, chart)
    (chart / "templates/bad.yaml").write_text("a: [\n")
    (found,) = findings(chart, "application: one\n")
    assert found.startswith("templates/bad.yaml: unable to parse YAML")
