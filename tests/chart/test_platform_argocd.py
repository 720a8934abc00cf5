"""What Argo CD may do and is told: kinds and places of the project, and each application's place, chart and way of syncing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from bento_gitops.model.layout import CHART, PLATFORM, RELEASES, released_chart, values_file
from bento_gitops.model.names import argo_application
from serving_chart import CI, ROOT, Map, Rendered, said

HERE = "https://kubernetes.default.svc"
VALUES: Map = {
    "environments": {
        "prod": {"namespace": "tickets-prod", "routing": {"controller": "gateway"}},
        "dev": {"namespace": "tickets-dev", "routing": {"controller": "gateway"}},
    },
    "argocd": {
        "enabled": True,
        "repository": "https://git.example.com/ml/fleet.git",
        "destinations": {"eu": {"server": HERE}, "us": {"name": "us-1", "namespaces": ["tickets-us"]}},
    },
}
ENVIRONMENT = {"cluster": "eu", "namespace": "tickets-prod", "environment": {"path": {"basename": "prod"}}}
PARAMETERS = {**ENVIRONMENT, "application": {"path": {"basename": "tickets"}}}
SCRATCH = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: said}
data:
{{- range $key, $text := .Values.texts }}
  {{ $key }}: {{ tpl $text (merge (dict "Template" $.Template) $.Values.parameters) | quote }}
{{- end }}
"""


@pytest.fixture(scope="module")
def platform(helm: Path) -> Rendered:
    text = said(helm, ROOT / PLATFORM, json.dumps(VALUES), "--namespace", "bento-platform")
    return Rendered(tuple(found for found in yaml.load_all(text, Loader=yaml.CSafeLoader) if found))


@pytest.fixture(scope="module")
def project(platform: Rendered) -> Map:
    return platform.one("AppProject", "bento")["spec"]


@pytest.fixture(scope="module")
def applications(platform: Rendered) -> Map:
    return platform.one("ApplicationSet", "bento")["spec"]


@pytest.fixture
def generated(helm: Path, tmp_path: Path, applications: Map) -> Callable[..., Map]:
    """An Application as the set makes it of what Git's files say; Helm speaks the templates' language too."""

    def application(**files: Any) -> Map:
        (tmp_path / "templates").mkdir(exist_ok=True)
        (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: scratch\nversion: 0.0.0\n")
        (tmp_path / "templates/said.yaml").write_text(SCRATCH)
        texts = dict(_texts(applications["template"]))
        values = {"texts": texts, "parameters": {**PARAMETERS, **files}}
        filled = yaml.safe_load(said(helm, tmp_path, json.dumps(values)))["data"]
        return json.loads(_replaced(json.dumps(applications["template"]), texts, filled))

    return application


def _texts(template: object, found: list[str] | None = None) -> dict[str, str]:
    """Each text of a template, under a name of its own."""
    found = [] if found is None else found
    if isinstance(template, Mapping):
        for value in template.values():
            _texts(value, found)
    elif isinstance(template, list):
        for value in template:
            _texts(value, found)
    elif isinstance(template, str) and "{{" in template:
        found.append(template)
    return {f"t{number}": text for number, text in enumerate(dict.fromkeys(found))}


def _replaced(document: str, texts: Mapping[str, str], filled: Mapping[str, str]) -> str:
    for key, text in texts.items():
        document = document.replace(json.dumps(text), json.dumps(filled[key]))
    return document


def test_a_project_reaches_the_environments_namespaces_on_their_clusters_and_nothing_else(project: Map) -> None:
    assert project["sourceRepos"] == [VALUES["argocd"]["repository"]]
    assert project["clusterResourceWhitelist"] == []
    assert project["destinations"] == [
        {"server": HERE, "namespace": "tickets-dev"},
        {"server": HERE, "namespace": "tickets-prod"},
        {"name": "us-1", "namespace": "tickets-us"},
    ]


def test_a_project_reaches_istio_s_gateway_only_where_its_applications_may_ask_it(helm: Path) -> None:
    route = {"controller": "istio", "gatewayNamespace": "istio-ingress"}
    values = {**VALUES, "environments": {**VALUES["environments"], "mesh": {"namespace": "tickets-mesh", "routing": route}}}
    text = said(helm, ROOT / PLATFORM, json.dumps(values), "--namespace", "bento-platform")
    found = Rendered(tuple(one for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one)).one("AppProject", "bento")
    here = [one["namespace"] for one in found["spec"]["destinations"] if one.get("server") == HERE]
    assert here == ["istio-ingress", "tickets-dev", "tickets-mesh", "tickets-prod"]


def test_a_project_allows_the_kinds_that_the_chart_renders_and_no_other(project: Map, render: Callable[..., Rendered]) -> None:
    rendered = {
        (each["apiVersion"].rpartition("/")[0], each["kind"]) for file in CI for each in render(file, release="tickets").objects
    }
    allowed = [(each["group"], each["kind"]) for each in project["namespaceResourceWhitelist"]]
    assert allowed == sorted(rendered)


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_no_object_has_a_wave_or_is_a_hook(file: Path, render: Callable[..., Rendered]) -> None:
    for each in render(file, release="tickets").objects:
        annotations = each["metadata"].get("annotations", {})
        assert not [key for key in annotations if "hook" in key or key.endswith(("/sync-wave", "/sync-options"))], each[
            "metadata"
        ]


@pytest.mark.parametrize("chart", [CHART, PLATFORM])
def test_no_template_speaks_of_waves_or_hooks(chart: str) -> None:
    for file in (ROOT / chart / "templates").rglob("*"):
        if file.is_file():
            assert not any(word in file.read_text() for word in ("sync-wave", "argocd.argoproj.io/hook", "helm.sh/hook")), file


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_no_number_of_pods_stands_beside_an_autoscaler(file: Path, render: Callable[..., Rendered]) -> None:
    """So nothing has to be ignored: Argo CD and the autoscaler own different fields."""
    found = render(file, release="tickets")
    scaled = {each["spec"]["scaleTargetRef"]["name"] for each in found.all("HorizontalPodAutoscaler")}
    both = [each["metadata"]["name"] for each in found.all("Deployment") if "replicas" in each["spec"]]
    assert not scaled & set(both)


def test_an_application_is_named_after_environment_and_application(generated: Callable[..., Map]) -> None:
    made = generated()
    assert made["metadata"]["name"] == argo_application("prod", "tickets")
    assert made["metadata"]["labels"] == {"bento-gitops/environment": "prod", "bento-gitops/application": "tickets"}
    assert made["spec"]["source"]["helm"]["valueFiles"] == [f"/{values_file('prod/tickets')}"]


def test_a_release_has_a_name_that_helm_takes_however_long_the_application_s_is(generated: Callable[..., Map]) -> None:
    made = generated(application={"path": {"basename": "a" * 52 + "-" + "b" * 10}})
    assert made["spec"]["source"]["helm"]["releaseName"] == "a" * 52


@pytest.mark.parametrize(
    ("files", "folder"),
    [
        ({}, CHART),
        ({"chart": None}, CHART),
        ({"chart": {"version": "1.4.0"}}, released_chart("1.4.0")),
    ],
)
def test_the_chart_is_the_one_that_the_environment_pins(files: Map, folder: str, generated: Callable[..., Map]) -> None:
    made = generated(**files)
    assert made["spec"]["source"]["path"] == folder
    watched = made["metadata"]["annotations"]["argocd.argoproj.io/manifest-generate-paths"].split(";")
    assert watched == [f"/{values_file('prod/tickets')}", f"/{folder}"]
    assert RELEASES.startswith("charts/releases/")


@pytest.mark.parametrize(
    ("cluster", "server", "name"),
    [("eu", HERE, ""), ("us", "", "us-1")],
)
def test_a_cluster_is_where_the_values_say(cluster: str, server: str, name: str, generated: Callable[..., Map]) -> None:
    made = generated(cluster=cluster)
    assert made["spec"]["destination"] == {"server": server, "name": name, "namespace": "tickets-prod"}


def test_environments_of_other_clusters_are_left_out(applications: Map) -> None:
    (generator,) = applications["generators"]
    environments, releases = generator["matrix"]["generators"]
    assert environments["selector"] == {"matchExpressions": [{"key": "cluster", "operator": "In", "values": ["eu", "us"]}]}
    assert "selector" not in releases


@pytest.mark.parametrize(
    ("files", "last"),
    [
        ({}, "true"),
        ({"promotion": None}, "true"),
        ({"promotion": {"from": "staging"}}, "true"),
        ({"promotion": {"direct": False}}, "true"),
        ({"promotion": {"direct": True}}, "false"),
    ],
)
def test_pruning_is_last_but_where_pods_come_and_go_in_one_commit(files: Map, last: str, generated: Callable[..., Map]) -> None:
    options = generated(**files)["spec"]["syncPolicy"]["syncOptions"]
    assert options == ["ServerSideApply=true", "RespectIgnoreDifferences=true", "ApplyOutOfSyncOnly=true", f"PruneLast={last}"]


def test_nothing_that_git_lacks_is_deleted_and_a_live_shift_stays(applications: Map) -> None:
    assert applications["syncPolicy"] == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}
    assert applications["ignoreApplicationDifferences"] == [{"jsonPointers": ["/spec/syncPolicy/automated"]}]
    assert applications["preservedFields"] == {"annotations": ["bento-gitops/live"]}
    assert applications["goTemplateOptions"] == ["missingkey=error"]
    assert applications["template"]["spec"]["syncPolicy"]["retry"]["refresh"] is True, "a retry takes the mend"
