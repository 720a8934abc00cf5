"""diff on files: what is rendered and what not, which side reads which chart, what has no effect, and what cannot be read."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.model.problem import InvalidInput, ToolFailed
from bento_gitops.operations import diff as operation
from bento_gitops.operations.diff import compare, diff
from bento_gitops.repository.files import OverlayTree, WorkingTree
from bento_gitops.reviewing.body import body
from bento_gitops.reviewing.document import document
from bento_gitops.reviewing.review import Review

from tests.git_repositories import Repository
from tests.reviewing.scenes import SCENES
from tests.reviewing.sides import CONFIG, PROD, RELEASE, Sides

DEV = "environments/dev/support-tickets/config.yaml"


@pytest.fixture
def sides(tmp_path: Path) -> Sides:
    return Sides(tmp_path)


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Helm was asked for."""
    asked: list[str] = []
    real = operation.render_objects

    def counting(values: dict[str, str], *arguments: Any) -> Any:
        asked.extend(values)
        return real(values, *arguments)

    monkeypatch.setattr(operation, "render_objects", counting)
    return asked


def targets(review: Review) -> list[str]:
    return [one.target for one in review.applications]


def test_equal_sides_have_nothing_to_review(sides: Sides, rendered: list[str]) -> None:
    review = sides.review()
    assert (review.applications, review.files, review.looked_at) == ((), (), 0)
    assert rendered == []


def test_only_an_application_whose_files_differ_is_rendered(sides: Sides, rendered: list[str]) -> None:
    sides.after.change(CONFIG, "value: WARNING", "value: ERROR")
    assert targets(sides.review()) == [PROD]
    assert rendered == [f"before {PROD}", f"after {PROD}"]


def test_an_environment_s_file_is_that_of_its_applications_and_of_those_that_extend_it(sides: Sides) -> None:
    own = sides.before.text("environments/prod/environment.yaml")
    head, _, _ = own.partition("defaults:")
    region = head.replace("kind: Environment\n", "kind: Environment\nextends: prod\n").replace("tickets-prod", "tickets-us")
    sides.both(lambda side: side.put("environments/prod-us/environment.yaml", region))
    sides.both(
        lambda side: side.put(
            "environments/prod-us/support-tickets/release.yaml", side.text("environments/dev/support-tickets/release.yaml")
        )
    )
    sides.after.change("environments/prod/environment.yaml", "tenant: internal", "tenant: everybody")
    assert targets(sides.review()) == [PROD, "prod-us/support-tickets"]
    sides.after.change(CONFIG, "value: WARNING", "value: ERROR")
    assert targets(sides.review()) == [PROD, "prod-us/support-tickets"]


def test_a_bundle_is_read_by_the_releases_that_name_it(sides: Sides) -> None:
    sides.after.change(
        "bundles/support-tickets/1.1.0.yaml", "workers: 1\n    traffic: {timeout: 5", "workers: 2\n    traffic: {timeout: 5"
    )
    assert targets(sides.review()) == [PROD]
    bundle = sides.before.text("bundles/support-tickets/1.0.0.yaml").replace('tag: "1.0.0"', 'tag: "2.0.0"')
    sides.after.put("bundles/support-tickets/2.0.0.yaml", bundle)
    (found,) = [file for file in sides.review().files if file.path.endswith("2.0.0.yaml")]
    assert found.why == "a bundle that no release names"


def test_a_price_changes_the_cost_and_no_object(sides: Sides, rendered: list[str]) -> None:
    sides.after.change("environments/instance-types.yaml", "price_per_hour: 0.02", "price_per_hour: 0.04")
    review = sides.review()
    assert rendered == []
    assert review.cost.difference.low == pytest.approx(5 * 0.02 * 730)  # 3 pods on blue, 2 on green
    assert [(one.target, one.headline) for one in review.applications] == [(PROD, "the price of what it runs on changes")]


def test_each_side_is_rendered_with_the_chart_that_it_pins(sides: Sides) -> None:
    def release(side: Any) -> None:
        for version in ("0.1.0", "0.2.0"):
            folder = side.root / f"charts/releases/bento-serving/{version}"
            shutil.copytree(side.root / "charts/bento-serving", folder)
            chart = folder / "Chart.yaml"
            chart.write_text(chart.read_text().replace("version: 0.1.0", f"version: {version}"))
        new = side.root / "charts/releases/bento-serving/0.2.0/templates/track/deployment.yaml"
        new.write_text(new.read_text().replace("revisionHistoryLimit: 3", "revisionHistoryLimit: 7"))
        side.change(
            "environments/prod/environment.yaml", "namespace: tickets-prod", "namespace: tickets-prod\nchart: {version: 0.1.0}"
        )

    sides.both(release)
    sides.after.change("environments/prod/environment.yaml", "version: 0.1.0", "version: 0.2.0")
    (one,) = sides.review().applications
    assert one.target == PROD
    assert one.headline == "the chart goes from 0.1.0 to 0.2.0: revisionHistoryLimit 3 -> 7"
    fields = {(field.pointer, field.before, field.after, field.origin) for found in one.objects for field in found.fields}
    assert fields == {("spec.revisionHistoryLimit", 3, 7, "chart")}
    assert {risk.kind for risk in one.risks} == {"chart change"}


def test_a_chart_s_readme_is_no_reason_to_render(sides: Sides, rendered: list[str]) -> None:
    path = "charts/bento-serving/README.md"
    sides.after.put(path, sides.after.text(path) + "\nMore words.\n")
    review = sides.review()
    assert rendered == []
    assert [(found.path, found.why) for found in review.files] == [
        (path, "of a chart: no object that any environment runs changes by it")
    ]


@pytest.mark.parametrize(
    ("path", "old", "new", "why", "matters"),
    [
        (CONFIG, "kind: Config\n", "kind: Config\n# Why so many: see the runbook.\n", "comments or layout only", False),
        (CONFIG, "routing: {", "rollout: {steps: [1, 100]}\nrouting: {", "no object shows it: rollout not set", True),
        (
            "environments/prod/environment.yaml",
            "live_min_replicas: 2\n",
            "live_min_replicas: 2\npromotion: {from: staging, soak: 1h}\n",
            "no object shows it: promotion not set",
            True,
        ),
        (
            CONFIG,
            "scaling: {min_replicas: 2, max_replicas: 8",
            "scaling: {min_replicas: 3, max_replicas: 8",
            "hidden by a higher layer",
            False,
        ),
    ],
    ids=["comment", "rollout", "promotion", "hidden by the override"],
)
def test_a_file_without_an_effect_on_objects_says_why(
    path: str, old: str, new: str, why: str, matters: bool, sides: Sides
) -> None:
    sides.steady()
    sides.after.change(path, old, new)
    review = sides.review()
    assert review.applications == ()
    (found,) = review.files
    assert found.path == path
    assert why in found.why
    assert found.matters is matters
    assert why.split(":")[0] in body(review)


def test_evidence_is_told_as_evidence(sides: Sides) -> None:
    sides.after.put("environments/prod/support-tickets/evidence/1.1.0.yaml", "apiVersion: bento-gitops/v1\nkind: Evidence\n")
    (found,) = sides.review().files
    assert found.why.startswith("evidence:")


def test_generated_values_are_nobody_s_source(sides: Sides) -> None:
    sides.after.put("environments/prod/support-tickets/values.yaml", "stale: true\n")
    assert sides.review().files == ()


def test_stale_values_of_what_changes_are_noted(sides: Sides) -> None:
    values = f"environments/{PROD}/values.yaml"
    sides.after.change(CONFIG, "value: WARNING", "value: ERROR")
    sides.both(lambda side: side.render(PROD))
    assert sides.one().notes == ()
    sides.after.put(values, sides.before.text(values))
    (note,) = sides.one().notes
    assert note == f"{values} is not what its sources say: run `bento-gitops render {PROD}`"
    sides.after.render(PROD)
    sides.before.put(values, sides.after.text(values))
    (note,) = sides.one().notes
    assert "of the base is not what its sources say" in note


def test_a_base_that_cannot_be_rendered_is_said_and_the_rest_is_reviewed(sides: Sides) -> None:
    sides.before.change(CONFIG, "LOG_LEVEL, value", "LOG LEVEL, value")
    (one,) = sides.review().applications
    assert one.change == "added"
    assert "what it is compared with cannot be rendered" in one.notes[0]
    assert "config.yaml:7" in one.notes[0]


def test_what_is_wrong_with_the_files_themselves_is_an_error_with_every_problem(sides: Sides) -> None:
    sides.after.change(CONFIG, "LOG_LEVEL, value", "LOG LEVEL, value")
    sides.after.put(DEV, "apiVersion: bento-gitops/v1\nkind: Config\nservices: {Nobody: {workers: 1}}\n")
    with pytest.raises(InvalidInput) as caught:
        sides.review()
    assert {problem.place.file for problem in caught.value.problems} == {CONFIG, DEV}


def test_what_the_chart_refuses_is_an_error_at_the_values(sides: Sides) -> None:
    sides.after.change("charts/bento-serving/templates/track/service.yaml", "apiVersion: v1", 'apiVersion: {{ fail "never" }}')
    with pytest.raises(InvalidInput, match="never"):
        sides.review(PROD)


def test_env_or_application_narrows_the_review(sides: Sides) -> None:
    sides.after.change(CONFIG, "value: WARNING", "value: ERROR")
    sides.after.change(DEV, "memory: 1Gi", "memory: 3Gi")
    assert targets(sides.review()) == ["dev/support-tickets", PROD]
    assert targets(sides.review("dev")) == ["dev/support-tickets"]
    assert targets(sides.review(PROD)) == [PROD]
    with pytest.raises(InvalidInput, match="did you mean 'prod'"):
        sides.review("prd")


def test_an_application_that_is_gone_can_still_be_named(sides: Sides) -> None:
    SCENES["application-removed"].make(sides)
    (one,) = sides.review(PROD).applications
    assert one.change == "removed"


def test_a_proposal_on_top_of_a_tree_is_reviewed_as_the_files_that_it_would_write(sides: Sides) -> None:
    sides.after.change(CONFIG, "value: WARNING", "value: ERROR")
    base = WorkingTree(sides.before.root)
    proposed = OverlayTree(base, {CONFIG: sides.after.path(CONFIG).read_bytes(), "unrelated.txt": b"x"})
    assert compare(base, proposed, None, base="main") == sides.review()
    gone = OverlayTree(base, {RELEASE: None, CONFIG: None, "environments/prod/support-tickets/overrides.yaml": None})
    assert [one.change for one in compare(base, gone, None, base="main").applications] == ["removed"]


def test_many_applications_are_rendered_in_batches(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    SCENES["chart"].make(sides)
    whole = sides.review("prod")
    monkeypatch.setattr(operation, "AT_ONCE", 3)
    assert sides.review("prod") == whole
    assert len(whole.applications) == 7


@pytest.fixture
def repository(sides: Sides, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The first side as a commit."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text("[user]\n\tname = O\n\temail = o@example.com\n[init]\n\tdefaultBranch = main\n")
    found = Repository(sides.before.root)
    found.git("init", "--quiet")
    found.commit("start")
    return found


def test_the_working_tree_is_compared_with_head_where_there_is_no_remote(repository: Repository, sides: Sides) -> None:
    assert diff(repository.root, None).base == "HEAD"
    sides.before.change(CONFIG, "value: WARNING", "value: ERROR")
    assert targets(diff(repository.root, None)) == [PROD]
    repository.commit("change")
    assert targets(diff(repository.root, None)) == []
    assert targets(diff(repository.root, None, "HEAD~1")) == [PROD]


def test_a_branch_is_compared_with_where_it_left_the_remote_s_main(repository: Repository, sides: Sides, tmp_path: Path) -> None:
    repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "origin.git"))
    repository.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    sides.before.change(DEV, "memory: 1Gi", "memory: 3Gi")
    repository.commit("somebody else's, merged meanwhile")
    repository.git("push", "--quiet", "origin", "main")
    repository.git("remote", "set-head", "origin", "main")
    repository.git("switch", "--quiet", "--create", "mine", "HEAD~1")
    sides.before.change(CONFIG, "value: WARNING", "value: ERROR")
    repository.commit("mine")
    review = diff(repository.root, None)
    assert (review.base, targets(review)) == ("origin/main", [PROD])


def test_a_ref_that_is_not_there_is_told(repository: Repository) -> None:
    with pytest.raises(ToolFailed, match="nowhere"):
        diff(repository.root, None, "nowhere")


@pytest.mark.parametrize("scene", ["promote", "chart", "bundle-in-place-and-egress", "application-new", "application-removed"])
def test_the_json_document_says_what_the_review_does(scene: str, sides: Sides) -> None:
    import json

    SCENES[scene].make(sides)
    review = sides.review()
    found = json.loads(json.dumps(document(review)))
    assert [(one["environment"], one["application"], one["risk"]) for one in found["applications"]] == [
        (one.environment, one.application, one.risk) for one in review.applications
    ]
    for one, expected in zip(found["applications"], review.applications, strict=True):
        assert len(one["objects"]) == len(expected.objects)
        assert [way["commands"] for way in one["undo"]] == [list(way.commands) for way in expected.undo]
        assert {value["path"] for value in one["values"]} == {value.path for value in expected.values}
