"""`chart` as people run it: files, commits, pushes, what is printed and with which exit code."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml
from bento_gitops.model.layout import CHART, released_chart
from chart_releases import ROOT, add_real_chart, add_real_release
from git_repositories import Repository, git_settings, new_origin

__all__ = ["git_settings"]

PROD_FILE = "environments/prod/environment.yaml"
NOW = ("--now", "2026-11-18T12:00:00Z")


@pytest.fixture
def clone(fleet, tmp_path, git_settings) -> Repository:
    """A clone of the fleet with the real chart and a release of it, which prod pins; its own chart sets another label."""
    chart = add_real_chart(fleet.root)
    for file in sorted((chart / "ci").iterdir())[1:]:
        file.unlink()
    shutil.copytree(ROOT / "schemas", fleet.root / "schemas", dirs_exist_ok=True)
    add_real_release(fleet.root, "0.0.9")
    labels = f"{CHART}/templates/_labels.tpl"
    fleet.change(labels, '"app.kubernetes.io/managed-by" "Helm"', '"app.kubernetes.io/managed-by" "Helm" "tier" "ml"')
    fleet.put(PROD_FILE, "# Live traffic.\n" + fleet.text(PROD_FILE) + "chart: {version: 0.0.9} # slowly\n")
    fleet.render()
    files = {path.relative_to(fleet.root).as_posix(): path.read_text() for path in fleet.root.rglob("*") if path.is_file()}
    return new_origin(tmp_path / "git", files).clone("work")


def test_a_release_and_its_pin_travel_from_the_files_to_the_objects_of_prod(clone: Repository, run) -> None:
    done = run("chart", "release", "0.2.0", root=clone.root)
    assert done.stdout.splitlines()[0].startswith("chart 0.2.0 is charts/releases/bento-serving/0.2.0 (")
    assert done.stdout.splitlines()[-1] == "next: bento-gitops chart pin prod 0.2.0"
    clone.commit("Release")

    tried = run("chart", "pin", "prod", "0.2.0", "--dry-run", *NOW, root=clone.root)
    assert clone.status == ""
    pinned = run("chart", "pin", "prod", "0.2.0", *NOW, root=clone.root)
    assert pinned.stdout == tried.stdout.replace("would change", "changed")
    lines = pinned.stdout.splitlines()
    assert lines[:4] == [
        "prod: chart 0.0.9 -> 0.2.0",
        "  pass        chart: prod takes from no other environment",
        "  pass        freeze: no freeze is set up",
        f"  changed: {PROD_FILE}",
    ]
    assert "support-tickets" in pinned.stdout
    assert "restart" in pinned.stdout
    assert clone.status == f" M {PROD_FILE}"
    text = clone.text(PROD_FILE) or ""
    assert text.startswith("# Live traffic.\n")
    assert "# slowly" in text
    assert yaml.safe_load(text)["chart"] == {"version": "0.2.0"}
    assert run("render", "--check", root=clone.root)
    assert run("chart", "pin", "prod", "0.2.0", *NOW, root=clone.root).stdout == "prod runs chart 0.2.0 already\n"


def test_the_json_of_a_pin_holds_the_review_of_every_application_that_it_touches(clone: Repository, run) -> None:
    run("chart", "release", "0.2.0", root=clone.root)
    told = json.loads(run("chart", "pin", "prod", "0.2.0", "--dry-run", "--json", *NOW, root=clone.root).stdout)
    assert (told["before"], told["after"], told["changed"], told["paths"]) == ("0.0.9", "0.2.0", False, [PROD_FILE])
    assert [one["application"] for one in told["review"]["applications"]] == ["support-tickets"]


def test_a_release_and_a_pin_as_commits_on_the_remote(clone: Repository, run) -> None:
    made = json.loads(run("chart", "release", "0.2.0", "--push", "--reason", "labels", "--json", root=clone.root).stdout)
    assert made["pushed"] == "origin/main"
    files = clone.git("show", "--name-only", "--format=", "origin/main").splitlines()
    assert set(files) == set(made["paths"])
    assert clone.at("origin/main", f"{CHART}/Chart.yaml") == clone.at("origin/main", f"{released_chart('0.2.0')}/Chart.yaml")
    body = clone.root / "body.md"
    run("chart", "pin", "prod", "0.2.0", "--commit", "--reason", "labels", "--pr-body", str(body), *NOW, root=clone.root)
    assert clone.subjects()[:2] == ["prod: chart 0.0.9 -> 0.2.0", "Release chart 0.2.0"]
    assert clone.git("show", "--name-only", "--format=", "HEAD").splitlines() == [PROD_FILE]
    trailers = clone.git("log", "-1", "--format=%(trailers:only,unfold)").splitlines()
    assert trailers[:3] == ["Bento-Gitops-Transition: chart-pin", "Bento-Gitops-Target: prod", "Bento-Gitops-Chart: 0.2.0"]
    assert "0.0.9 -> 0.2.0" in body.read_text().splitlines()[1] + body.read_text().splitlines()[2]
    body.unlink()
    assert clone.status == ""
    assert (
        run("chart", "verify", "--base", "HEAD~1", root=clone.root).stdout
        == "2 releases of the chart in order; 2 compared with HEAD~1, unchanged\n"
    )


def test_what_is_refused_and_what_is_invalid_have_exit_codes_of_their_own(clone: Repository, run) -> None:
    assert "is no semantic version" in run("chart", "release", "1", code=1, root=clone.root).stderr
    assert "is not above 0.0.9" in run("chart", "release", "0.0.8", code=4, root=clone.root).stderr
    assert "no such release of the chart" in run("chart", "pin", "prod", "0.0.8", code=1, root=clone.root).stderr
    assert "comes" not in run("chart", "pin", "prod", "--help", root=clone.root).stderr
    seen = ("--observation", str(clone.root / "seen.yaml"))
    clone.put("seen.yaml", "x\n")
    run("chart", "pin", "prod", "0.0.9", *seen, code=1, root=clone.root)
    assert "no gate to pass" in run("chart", "release", "0.2.0", "--break-glass", "why not", code=2, root=clone.root).stderr
    clone.put(f"{released_chart('0.0.9')}/values.yaml", "defaults: {roles: {}}\n")
    assert "[chart-changed]" in run("chart", "verify", "--base", "HEAD", code=1, root=clone.root).stderr


def test_verify_and_prune_name_what_nobody_pins(clone: Repository, run) -> None:
    for version in ("0.0.7", "0.0.8", "0.1.0"):
        add_real_release(clone.root, version)
    done = run("chart", "verify", root=clone.root)
    assert done.stdout == "4 releases of the chart in order; not compared with Git (--base REF does)\n"
    assert done.stderr.splitlines() == [
        "note: no environment pins 0.0.7; `bento-gitops chart prune` removes it",
        "note: no environment pins 0.0.8",
        "note: no environment pins 0.1.0",
    ]
    told = json.loads(run("chart", "verify", "--json", root=clone.root).stdout)
    assert told["pins"] == {"dev": None, "prod": "0.0.9", "staging": None}
    assert run("chart", "prune", "--dry-run", root=clone.root).stdout == "would remove: charts/releases/bento-serving/0.0.7\n"
    assert json.loads(run("chart", "prune", "--json", root=clone.root).stdout) == {"removed": ["0.0.7"], "removable": ["0.0.7"]}
    assert (
        run("chart", "prune", root=clone.root).stdout == "every release is pinned, may be gone back to, or may be pinned next\n"
    )
