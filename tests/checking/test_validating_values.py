"""validate: problems at the lines of the values, differences between two Helms, renders that are not the same bytes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.cli.main import app
from bento_gitops.model.problem import InvalidInput
from bento_gitops.operations.manifests import write_manifests
from bento_gitops.operations.validate import Namespace, Report, validate_values
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "tests/tools/chart"


def chart(folder: Path, **templates: str) -> Path:
    """The tiny chart with further templates."""
    copy = folder / "chart"
    shutil.copytree(TINY, copy)
    for name, text in templates.items():
        (copy / f"templates/{name}.yaml").write_text(text)
    return copy


def problems(values: dict[str, str], of: Path, *, thorough: bool = False) -> list[str]:
    return [str(problem) for problem in report(values, of, thorough=thorough).problems]


def report(values: dict[str, str], of: Path, *, root: Path = ROOT, thorough: bool = False, **options: Any) -> Report:
    """Every application rendered with the one chart."""
    return validate_values(root, values, dict.fromkeys(values, of), thorough=thorough, **options)


def test_right_values_have_no_problem_and_every_object_is_counted() -> None:
    found = report({"dev/one": "application: one\n", "prod/one": "application: one\ntracks: {green: {weight: 0}}\n"}, TINY)
    assert [(one.application, one.objects, one.problems) for one in found.checked] == [("dev/one", 3, ()), ("prod/one", 5, ())]
    assert found.versions == ("1.34", "1.35", "1.36", "1.37")


def test_a_refused_value_is_told_at_its_line() -> None:
    values = {
        "dev/one": "application: one\ntracks:\n  blue:\n    weight: 200\nimag: x\n",
        "dev/two": "refuse: two has no track\n",
        "dev/three": "application: three\n",
    }
    assert problems(values, TINY) == [
        "environments/dev/one/values.yaml:4: tracks.blue.weight: maximum: got 200, want 100",
        "environments/dev/one/values.yaml:5: imag: the chart knows no such value",
        "environments/dev/two/values.yaml: two has no track; refused by templates/deployment.yaml:1 of the chart",
    ]


def test_two_applications_of_an_environment_that_make_the_same_object_are_found() -> None:
    values = {"dev/one": "application: one\n", "dev/two": "application: one\n", "prod/one": "application: one\n"}
    found = problems(values, TINY)
    assert len(found) == 3
    assert found[0] == (
        "environments/dev/two/values.yaml: ConfigMap/one-words: another application of this namespace makes the same object"
        " (found dev/one); rename an application or a track"
    )


def test_environments_of_one_namespace_of_one_cluster_are_compared_and_others_are_not() -> None:
    values = {f"{environment}/one": "application: one\n" for environment in ("blue", "dev", "prod", "qa")}
    namespaces = {
        "dev": Namespace("east", "apps"),
        "prod": Namespace("west", "apps"),
        "qa": Namespace("east", "apps"),
    }
    found = report(values, TINY, namespaces=namespaces)
    assert {(problem.place.file, problem.found) for problem in found.problems} == {("environments/qa/one/values.yaml", "dev/one")}
    assert {problem.todo for problem in found.problems} == {"give one of the two environments a namespace of its own"}
    assert len(found.problems) == 3


def test_a_wrong_object_is_told_with_its_template() -> None:
    assert problems({"dev/one": "application: one\nunquoted: '3000'\nimage: x\n"}, TINY) == [
        "environments/dev/one/values.yaml: Deployment/one-blue-api spec.template.spec.containers[0].env[0].value: "
        "must be text (found 3000); rendered by templates/deployment.yaml"
    ]


def test_what_depends_on_the_cluster_or_on_helm_is_found(tmp_path: Path) -> None:
    template = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\ndata: {minor: {{ .Capabilities.KubeVersion.Minor | quote }}}\n"
    )
    assert problems({"dev/one": "application: one\n"}, chart(tmp_path, capabilities=template), thorough=True) == [
        "environments/dev/one/values.yaml: v1 ConfigMap/it data.minor: Helm 4 (for Kubernetes 1.37) and Helm 3.19 (for 1.34) "
        "render different objects (found '37' and '34'); let the template depend on values alone"
    ]


def test_an_object_that_only_one_helm_renders_is_found(tmp_path: Path) -> None:
    template = '{{ if semverCompare ">=1.36-0" .Capabilities.KubeVersion.Version }}\n'
    template += "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\n{{ end }}\n"
    [problem] = problems({"dev/one": "application: one\n"}, chart(tmp_path, capabilities=template), thorough=True)
    assert "v1 ConfigMap/it: Helm 4" in problem
    assert "(found a mapping and nothing)" in problem


def test_renders_that_differ_from_each_other_are_found_when_asked(tmp_path: Path) -> None:
    template = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: it}\ndata: {salt: "{{ randAlphaNum 8 }}"}\n'
    of = chart(tmp_path, salted=template)
    assert problems({"dev/one": "application: one\n"}, TINY, thorough=True) == []
    found = problems({"dev/one": "application: one\n"}, of, thorough=True)
    assert (
        "environments/dev/one/values.yaml: 25 renders are not the same bytes (found they differ in templates/salted.yaml); "
        "let the template walk through maps in order"
    ) in found


def test_schemas_of_the_fork_win_over_ours_and_kinds_without_any_are_counted(tmp_path: Path) -> None:
    template = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: it}\nspec: {rulez: []}\n"
    template += "---\napiVersion: example.com/v1\nkind: Widget\nmetadata: {name: it}\n"
    of = chart(tmp_path, route=template)
    values = {"dev/one": "application: one\n", "prod/two": "application: two\n"}
    found = report(values, of)
    assert {problem.pointer for problem in found.problems} == {"HTTPRoute/it spec.rulez"}
    assert found.unchecked == {"example.com/v1 Widget": 2}

    local = tmp_path / "policies/local/schemas"
    for path, schema in {"gateway.networking.k8s.io/httproute_v1": {}, "example.com/widget_v1": {"required": ["spec"]}}.items():
        (local / path).parent.mkdir(parents=True, exist_ok=True)
        (local / f"{path}.json").write_text(json.dumps(schema))
    found = report(values, of, root=tmp_path)
    assert {problem.pointer for problem in found.problems} == {"Widget/it spec"}
    assert found.unchecked == {}

    (local / "example.com/widget_v1.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"policies/local/schemas/example\.com/widget_v1\.json: not JSON"):
        report(values, of, root=tmp_path)


def test_manifests_are_one_file_for_each_application_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    values = {"dev/one": "application: one\n", "prod/one": "application: one\ntracks: {green: {weight: 0}}\n"}
    out = tmp_path / "out"
    charts = dict.fromkeys([*values, "dev/two"], TINY)
    assert write_manifests(values, charts, out) == [out / "dev/one.yaml", out / "prod/one.yaml"]
    text = (out / "dev/one.yaml").read_text()
    assert text.startswith("---\n# Source: templates/configmap.yaml\napiVersion: v1\n")
    assert text.count("\n---\n# Source: ") == 2
    assert write_manifests(values, charts, out) == []
    with pytest.raises(InvalidInput, match=r"environments/dev/two/values\.yaml: no; refused by"):
        write_manifests({"dev/one": "application: other\n", "dev/two": "refuse: 'no'\n"}, charts, out)
    assert (out / "dev/one.yaml").read_text() == text


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """The fleet that tests use, with the repository's own charts and schemas."""
    root = tmp_path / "fleet"
    shutil.copytree(ROOT / "tests/fleet", root, ignore=shutil.ignore_patterns("charts"))
    for folder in ("charts/bento-serving", "charts/bento-platform", "schemas"):
        shutil.copytree(ROOT / folder, root / folder)
    return root


def run(root: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["--root", str(root), *arguments])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_the_command_checks_every_application_of_the_fleet(fleet: Path) -> None:
    code, said = run(fleet, "validate", "--json")
    report = json.loads(said)
    assert (code, report["problems"], report["unchecked"]) == (0, [], {})
    assert {one["environment"] for one in report["applications"]} == {"dev", "staging", "prod"}
    assert all(one["objects"] > 5 for one in report["applications"])


def test_the_command_knows_from_the_environments_which_of_them_share_a_namespace(fleet: Path) -> None:
    dev, staging = (fleet / f"environments/{name}/environment.yaml" for name in ("dev", "staging"))
    said_of_dev = re.findall(r"^(?:cluster|namespace): .*$", dev.read_text(), re.MULTILINE)
    assert len(said_of_dev) == 2
    kept = re.sub(r"^(?:cluster|namespace): .*\n", "", staging.read_text(), flags=re.MULTILINE)
    staging.write_text("\n".join([*said_of_dev, kept]))
    code, said = run(fleet, "validate", "--json")
    problems = json.loads(said)["problems"]
    assert code == 1
    assert {problem["wrong"] for problem in problems} == {"another application of this namespace makes the same object"}
    assert {problem["file"].split("/")[1] for problem in problems} == {"staging"}


def test_a_check_that_asks_what_no_bundle_declares_is_a_note(fleet: Path) -> None:
    file = fleet / "applications/support-tickets.yaml"
    file.write_text(file.read_text() + "verification: checks\n")
    (fleet / "checks").mkdir()
    check = "{request: {method: GET, path: /clasify_ticket}, expect: {status: 200}}"
    (fleet / "checks/a.yaml").write_text(f"apiVersion: bento-gitops/v1\nkind: Verification\nchecks:\n  typo: {check}\n")
    code, said = run(fleet, "validate", "prod", "--json")
    (one,) = json.loads(said)["applications"]
    said_of_it = "prod/support-tickets: check typo asks /clasify_ticket, which no bundle of the release declares"
    assert (code, f"{said_of_it}; did you mean '/classify_ticket'?" in one["notes"]) == (0, True), one["notes"]


def test_the_command_prints_a_line_for_each_problem_and_exits_1(fleet: Path) -> None:
    service = fleet / "charts/bento-serving/templates/track/service.yaml"
    service.write_text(service.read_text().replace("kind: Service\n", "kind: Servce\n"))
    code, said = run(fleet, "validate", "prod")
    assert code == 1
    assert "PROBLEMS" in said
    assert "there is no such kind (found v1 Servce); did you mean 'Service'?; rendered by templates/track/service.yaml" in said


def test_generated_schemas_are_checked_and_written(fleet: Path) -> None:
    run(fleet, "schemas", "generate")
    assert run(fleet, "schemas", "generate", "--check")[0] == 0
    schema = fleet / "schemas/v1/config.schema.json"
    before = schema.read_text()
    schema.write_text("{}")
    dashboard = "charts/bento-platform/dashboards/bento-cost.json"
    gone = "schemas/v1/release.schema.json"
    for path in (dashboard, gone):
        (fleet / path).unlink()
    code, said = run(fleet, "schemas", "generate", "--check")
    assert code == 3
    assert said.splitlines() == [f"stale: {path}" for path in (dashboard, "schemas/v1/config.schema.json", gone)]
    assert schema.read_text() == "{}"
    assert run(fleet, "schemas", "generate")[0] == 0
    assert schema.read_text() == before
    assert run(fleet, "schemas", "generate", "--check")[0] == 0


def test_the_committed_schemas_and_chart_files_are_what_the_models_say() -> None:
    assert run(ROOT, "schemas", "generate", "--check") == (0, "all generated schemas are what the models say\n")
