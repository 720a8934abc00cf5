"""`override` and the changing `render` as people type them: use, output, exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from chart_releases import add_real_chart

ROOT = Path(__file__).parents[2]
PROD = "prod/support-tickets"
MIN = "services.EmbeddingRunner.scaling.min_replicas"
NOW = ("--now", "2026-11-10T09:00:00Z")


@pytest.fixture
def rendered(fleet):
    """The fleet with the real chart, and one override in prod: 6 pods until December."""
    add_real_chart(fleet.root)
    shutil.copytree(ROOT / "schemas" / "custom-resources", fleet.root / "schemas" / "custom-resources")
    fleet.render()
    return fleet


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("set", PROD, f"{MIN}=7", "--for", "1h"), "say why: --reason TEXT"),
        (("set", PROD, f"{MIN}=7", "--reason", "why"), "say once until when"),
        (("set", PROD, f"{MIN}=7", "--reason", "why", "--for", "1h", "--until", "2026-12-01T00:00:00Z"), "say once until when"),
        (("set", PROD, f"{MIN}=7", "--reason", "why", "--for", "1h", "--observation", "x"), "No such option"),
        (("end", PROD), "say which"),
        (("end", PROD, "1", "--ended"), "say which"),
    ],
)
def test_a_wrong_use_ends_with_2_and_says_what_is_missing(rendered, run, arguments: tuple[str, ...], words: str) -> None:
    assert words in run("override", *arguments, code=2).stderr.replace("│", "")


def test_an_override_that_ended_is_told_and_ends(rendered, run) -> None:
    told = run("override", "list", "--now", "2026-12-01T02:00:00Z").stdout
    assert f"{MIN}=6" in told and "launch-day load" in told and "ml-oncall" in told
    assert f"{PROD}: override 1 ended 2h ago and still counts: bento-gitops override end {PROD} {MIN}" in told
    (one,) = json.loads(run("override", "list", "--json", *NOW).stdout)
    assert (one["ended"], one["settings"][0]["state"], one["left_seconds"]) == (False, "in force", 20 * 86400 + 15 * 3600)
    trial = run("override", "end", "--ended", "--dry-run", "--now", "2026-12-01T02:00:00Z").stdout
    assert (
        f"would change: environments/{PROD}/overrides.yaml" in trial
        and rendered.path(f"environments/{PROD}/overrides.yaml").exists()
    )
    document = json.loads(run("override", "end", "--ended", "--json", "--now", "2026-12-01T02:00:00Z").stdout)
    assert document["target"] == "all environments" and document["transition"] == "override-end" and document["changed"]
    assert not rendered.path(f"environments/{PROD}/overrides.yaml").exists()
    assert "no override in any environment" in run("override", "list").stderr
    run("render", "--check")


def test_the_text_of_the_pull_request_reviews_the_override(rendered, run, tmp_path) -> None:
    body = tmp_path / "body.md"
    run("override", "set", PROD, f"{MIN}=7", "--for", "1h", "--reason", "more", "--dry-run", "--pr-body", str(body), *NOW)
    text = body.read_text()
    assert f"For 1h, until 2026-11-10T10:00:00Z: {MIN}=7." in text and "more" in text
    assert rendered.text(f"environments/{PROD}/overrides.yaml").count("- config") == 1, "it was a trial"


def test_render_shows_or_commits_but_not_both(rendered, run) -> None:
    for option in (("--check",), ("--set", f"{MIN}=7"), ("--manifests", "x")):
        assert "it goes with no commit" in run("render", *option, "--commit", code=2).stderr.replace("│", "").replace("\n", " ")
    trial = json.loads(run("render", "--dry-run", "--json", *NOW).stdout)
    assert (trial["changed"], trial["paths"], trial["says"]) == (False, [], "all 3 generated files are what their sources say")
    values = f"environments/{PROD}/values.yaml"
    rendered.put(values, rendered.text(values) + "# by hand\n")
    trial = json.loads(run("render", "--dry-run", "--json", *NOW).stdout)
    assert trial["paths"] == [values] and rendered.text(values).endswith("# by hand\n")


def test_the_text_of_a_repair_shows_the_lines_that_change_whatever_they_hold(rendered, run, tmp_path) -> None:
    values = f"environments/{PROD}/values.yaml"
    rendered.put(values, rendered.text(values) + "# ```` <!-- by hand -->\n")
    body = tmp_path / "body.md"
    run("render", "--dry-run", "--pr-body", str(body))
    text = body.read_text()
    assert text.count("\n`````diff\n") == 1 and text.rstrip().endswith("\n`````") and "-# ```` <!-- by hand -->" in text
