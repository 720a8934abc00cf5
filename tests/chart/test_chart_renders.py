"""The same values give the same objects: each time, with each Helm, alone or among others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from serving_chart import CHART, CI, Map, Rendered, said, same_bytes, tickets, two_tracks

Render = Callable[..., Rendered]


def sorted_objects(text: str) -> list[Map]:
    found = [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]
    return sorted(found, key=lambda each: (each["kind"], each["metadata"]["name"]))


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_helm_4_and_helm_3_give_the_same_objects(template: Callable[..., str], helm_3: Path, file: Path) -> None:
    assert sorted_objects(template(file)) == sorted_objects(template(file, using=helm_3))


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_helm_lint_finds_nothing(helm: Path, file: Path) -> None:
    assert "1 chart(s) linted, 0 chart(s) failed" in said(helm, CHART, file.read_text(), verb=("lint", "--strict"))


@pytest.mark.parametrize("name", ["canary", "traefik", "nginx", "istio"])
def test_ten_renders_give_the_same_bytes(helm: Path, name: str) -> None:
    assert same_bytes(helm, CHART, (CHART / f"ci/{name}-values.yaml").read_text(), 10)


def test_an_application_is_the_same_in_an_umbrella_of_many_as_alone(helm: Path, render: Render, tmp_path: Path) -> None:
    one, other = two_tracks(application="one", environment="prod"), tickets(application="other", mode="single")
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    needed = [{"name": chart["name"], "version": chart["version"], "alias": alias} for alias in ("first", "second")]
    umbrella = {"apiVersion": "v2", "name": "umbrella", "version": "0.0.0", "dependencies": needed}
    shutil.copytree(CHART, tmp_path / "charts" / chart["name"])
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(umbrella))
    both = sorted_objects(said(helm, tmp_path, yaml.safe_dump({"first": one, "second": other, "global": {"x": 1}})))
    alone = [*render(one).objects, *render(other).objects]
    assert both == sorted(alone, key=lambda each: (each["kind"], each["metadata"]["name"]))


def test_the_notes_say_how_to_reach_it_the_weights_and_the_way_back(helm: Path) -> None:
    def notes(name: str) -> str:
        values = (CHART / "ci" / f"{name}-values.yaml").read_text()
        install = said(helm, CHART, values, verb=("install", "--dry-run=client", "tickets"))
        return install[install.index("NOTES:") :]

    canary = notes("canary")
    assert "blue  bundle 1.0.0  90 %  stable" in canary
    assert "green  bundle 1.1.0  10 %\n" in canary
    assert "through the Gateway public at tickets.example.com" in canary
    assert "bento-gitops rollback prod/support-ticket-intelligence --push\n" in canary
    traefik = notes("traefik")
    assert "through Traefik traefik at tickets.example.com, tickets.example.org;" in traefik
    assert "Answers name their bundle" in traefik
    nginx = notes("nginx")
    assert "through the Ingress class nginx at tickets.example.com;" in nginx
    assert "x-bento-track: green asks that track, also at weight 0; no other track" in nginx
    assert "Answers do not name their bundle" in nginx
    assert "through Istio's gateway istio-ingress/public at tickets.example.com;" in notes("istio")
    closed = notes("closed")
    assert "not at all" in closed and "http" not in closed
    minimal = notes("minimal")
    assert "http://tickets.default:3000" in minimal
    assert "helm --namespace default rollback tickets" in minimal
    assert "cold: no pods" in notes("standby")
