"""Releases of the chart: made as a whole or not at all, never changed, pinned one environment after another."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from bento_gitops.model.layout import CHART, RELEASES, released_chart
from bento_gitops.model.problem import InvalidInput, Refused, ToolFailed
from bento_gitops.operations import charts
from bento_gitops.operations.charts import Release, released, removable, verify, write_release
from bento_gitops.operations.pins import Pin, PinRequest, pinned
from bento_gitops.operations.schemas import generate
from bento_gitops.repository.changes import write_files
from bento_gitops.repository.charts import shipped
from bento_gitops.repository.files import WorkingTree
from chart_releases import add_real_chart, add_release, without
from git_repositories import Repository, new_origin

NOW = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)
"""A Wednesday."""
DEV_FILE, STAGING_FILE, PROD_FILE = (f"environments/{name}/environment.yaml" for name in ("dev", "staging", "prod"))


def problems_of(error: type[InvalidInput | Refused], call, *arguments, **options) -> list[str]:
    with pytest.raises(error) as raised:
        call(*arguments, **options)
    return [str(problem) for problem in raised.value.problems]


def files_of(root: Path, folder: str) -> dict[str, bytes]:
    here = root / folder
    return {path.relative_to(here).as_posix(): path.read_bytes() for path in here.rglob("*") if path.is_file()}


def release(fleet, version: str) -> Release:
    return released(WorkingTree(fleet.root), version)


@pytest.fixture
def real(fleet):
    """The fleet with the real chart, of whose values for tests two stay: each is linted."""
    chart = add_real_chart(fleet.root)
    for file in sorted((chart / "ci").iterdir())[2:]:
        file.unlink()
    return fleet


def test_a_release_is_the_chart_with_its_version_and_without_what_helm_ignores(real) -> None:
    real.put(f"{CHART}/templates/kept.orig", "left by a merge")
    real.put(f"{CHART}/.hidden/file", "of an editor")
    made = release(real, "0.2.0")
    assert not (real.root / RELEASES).exists()
    write_release(real.root, made)
    live, copy = files_of(real.root, CHART), files_of(real.root, released_chart("0.2.0"))
    assert copy == {
        path: data for path, data in live.items() if not path.startswith(("ci/", ".")) and path != "templates/kept.orig"
    }
    assert yaml.safe_load(copy["Chart.yaml"])["version"] == "0.2.0"
    assert {"values.yaml", "values.schema.json", "templates/NOTES.txt", "templates/track/deployment.yaml"} <= set(copy)
    assert verify(real.root, None).versions == ("0.2.0",)


def test_the_charts_own_version_is_that_of_its_latest_release_and_the_rest_of_its_file_stays(real) -> None:
    before = real.text(f"{CHART}/Chart.yaml")
    real.put(f"{CHART}/Chart.yaml", f"# Ours.\n{before}")
    write_release(real.root, release(real, "3.1.4-rc.1"))
    assert real.text(f"{CHART}/Chart.yaml") == re.sub("(?m)^version: .*$", "version: 3.1.4-rc.1", f"# Ours.\n{before}")


@pytest.mark.parametrize(
    ("version", "wrong"),
    [("0.9.0", "this version is there already"), ("0.8.9", "is not above 0.10.0, the latest"), ("0.10.0-rc.1", "is not above")],
)
def test_a_version_that_is_there_or_below_the_latest_is_refused(real, version: str, wrong: str) -> None:
    add_release(real.root, "0.9.0")
    add_release(real.root, "0.10.0")
    (problem,) = problems_of(Refused, release, real, version)
    assert problem.startswith(f"charts/releases/bento-serving/{version}: {wrong}")


def test_what_is_no_version_is_invalid(real) -> None:
    (problem,) = problems_of(InvalidInput, release, real, "1.0")
    assert problem == "charts/releases/bento-serving: is no semantic version (found '1.0'); write one like 1.4.0"


def test_generated_files_that_are_stale_and_templates_that_do_not_lint_are_refused_together(real) -> None:
    real.put(f"{CHART}/values.schema.json", real.text(f"{CHART}/values.schema.json").replace("whole", "full"))
    real.put(f"{CHART}/templates/bad.yaml", "{{ nope }}\n")
    found = problems_of(Refused, release, real, "0.2.0")
    assert f"{CHART}/values.schema.json: is generated, and not what the models say; run `bento-gitops schemas generate`" in found
    lint = [problem for problem in found if "does not lint" in problem]
    assert len(lint) == len(list((real.root / CHART / "ci").glob("*")))
    assert all('function "nope" not defined' in problem for problem in lint)
    assert len(found) == len(lint) + 1


def test_a_symbolic_link_in_the_chart_is_refused_wherever_it_leads(real) -> None:
    (real.root / CHART / "templates/inside.yaml").symlink_to("track/service.yaml")
    (real.root / CHART / "outside").symlink_to("/etc")
    assert [problem.partition(": ")[0] for problem in problems_of(Refused, release, real, "0.2.0")] == [
        f"{CHART}/outside",
        f"{CHART}/templates/inside.yaml",
    ]


def test_patterns_of_helmignore_that_are_not_understood_are_told() -> None:
    assert shipped(["c/a.yaml", "c/b/a.orig", "c/ci/a.yaml", "c/x/ci"], "c", "ci/\n# why\n\n*.orig\n") == ["c/a.yaml", "c/x/ci"]
    found = problems_of(InvalidInput, shipped, ["c/a"], "c", "a/b\n!c\n/d\nok/\n")
    assert [re.findall(r"found '(.*)'", problem) for problem in found] == [["!c"], ["/d"], ["a/b"]]


KILLED = """
import itertools, json, os, shutil, sys, tempfile
from dataclasses import replace
from pathlib import Path
from bento_gitops.operations.charts import released, write_release
from bento_gitops.repository.files import WorkingTree

root = Path(sys.argv[1])
release = released(WorkingTree(root), "0.2.0")
kept = list(release.files)[-4:]  # a few of them are as many as all
release = replace(release, files={path: release.files[path] for path in kept})
calls = 0

def killing(owner, name, at):
    real = getattr(owner, name)
    def called(*arguments, **options):
        global calls
        calls += 1
        if calls == at:
            os._exit(9)
        result = real(*arguments, **options)
        calls += 1
        if calls == at:
            os._exit(9)
        return result
    setattr(owner, name, called)

for at in itertools.count(1):
    child = os.fork()
    if not child:
        for owner, name in ((os, "fsync"), (tempfile, "mkdtemp"), (Path, "rename"), (Path, "replace"), (Path, "mkdir")):
            killing(owner, name, at)
        write_release(root, release)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    folder = root / release.folder
    print(json.dumps([code, sorted(path.relative_to(root).as_posix() for path in folder.rglob("*") if path.is_file())]))
    if code == 0:
        break
    for left in folder.parent.glob("*"):
        shutil.rmtree(left)
"""


def test_a_release_that_is_killed_at_any_moment_is_there_as_a_whole_or_not_at_all(real) -> None:
    ran = subprocess.run([sys.executable, "-c", KILLED, str(real.root)], capture_output=True, text=True, check=True, timeout=120)
    outcomes = [yaml.safe_load(line) for line in ran.stdout.splitlines()]
    whole = outcomes[-1][1]
    assert len(whole) == 4
    assert outcomes[-1][0] == 0
    assert {code for code, _ in outcomes[:-1]} == {9}
    assert {tuple(files) for _, files in outcomes} == {(), tuple(whole)}
    assert len(outcomes) > 2 * len(whole)
    assert verify(real.root, None).versions == ("0.2.0",)


def test_what_a_killed_release_leaves_is_found_and_does_not_keep_the_next_from_succeeding(real) -> None:
    real.put(f"{RELEASES}/.0.2.0.abc123/Chart.yaml", "name: bento-serving\n")
    real.put(f"{RELEASES}/0.3.0/values.yaml", "{}\n")
    real.put(f"{RELEASES}/notes.txt", "x\n")
    assert [problem.partition(": ")[2].partition(";")[0] for problem in problems_of(InvalidInput, verify, real.root, None)] == [
        "was left by a command that was killed",
        "is no whole release: it has no Chart.yaml",
        "is no release of the chart (found 'notes.txt')",
    ]
    write_release(real.root, release(real, "0.2.0"))
    assert (real.root / released_chart("0.2.0") / "Chart.yaml").is_file()


def test_a_folder_that_someone_else_wrote_meanwhile_is_not_overwritten(real) -> None:
    made = release(real, "0.2.0")
    real.put(f"{released_chart('0.2.0')}/Chart.yaml", "theirs\n")
    with pytest.raises(ToolFailed, match=r"cannot write .*/0\.2\.0: .*nothing of this folder was written"):
        write_release(real.root, made)
    assert files_of(real.root, released_chart("0.2.0")) == {"Chart.yaml": b"theirs\n"}
    assert [path.name for path in (real.root / RELEASES).iterdir()] == ["0.2.0"]


def test_a_release_as_changes_of_a_commit_has_its_metadata_last_so_that_it_is_none_before_it_is_whole(real) -> None:
    proposal = release(real, "0.2.0").proposal(WorkingTree(real.root), by="Olivia", reason="new\nlabels")
    assert proposal.changes[0].path == f"{CHART}/Chart.yaml"
    assert proposal.changes[-1].path == f"{released_chart('0.2.0')}/Chart.yaml"
    assert set(proposal.start) > {f"{CHART}/values.yaml", f"{released_chart('0.2.0')}/Chart.yaml"}
    assert proposal.message.startswith("Release chart 0.2.0\n\n")
    assert "\nBento-Gitops-Transition: chart-release\nBento-Gitops-Chart: 0.2.0\nBento-Gitops-By: Olivia\n" in proposal.message
    assert "\nBento-Gitops-Reason: new labels\n" in proposal.message
    write_files(real.root, proposal.changes)
    assert verify(real.root, None).versions == ("0.2.0",)


# Verify


@pytest.fixture
def committed(fleet, tmp_path) -> Repository:
    """A clone of a fleet with two releases, the first of which prod pins."""
    add_release(fleet.root, "0.1.0")
    add_release(fleet.root, "0.2.0")
    fleet.put(PROD_FILE, fleet.text(PROD_FILE) + "chart: {version: 0.1.0}\n")
    found = {path.relative_to(fleet.root).as_posix(): path.read_text() for path in fleet.root.rglob("*") if path.is_file()}
    return new_origin(tmp_path / "git", found).clone("work")


def test_releases_that_did_not_change_are_in_order(committed: Repository) -> None:
    found = verify(committed.root, "HEAD")
    assert (found.versions, found.compared, found.unpinned, found.removable) == (("0.1.0", "0.2.0"), 2, ("0.2.0",), ())
    assert found.pins == {"dev": None, "prod": "0.1.0", "staging": None}


def test_every_change_of_a_release_is_told_at_once(committed: Repository) -> None:
    folder = released_chart("0.1.0")
    committed.put(f"{folder}/values.yaml", "defaults: {roles: {}}\n")
    committed.put(f"{folder}/templates/new.yaml", "kind: X\n")
    (committed.root / folder / "values.schema.json").unlink()
    (committed.root / released_chart("0.2.0") / "link").symlink_to("values.yaml")
    found = problems_of(InvalidInput, verify, committed.root, "HEAD")
    changed = [problem.partition(";")[0] for problem in found if "[chart-changed]" in problem]
    assert changed == [
        f"{folder}/templates/new.yaml: [chart-changed] was not there at HEAD",
        f"{folder}/values.schema.json: [chart-changed] is gone",
        f"{folder}/values.yaml: [chart-changed] is not what it was at HEAD",
        f"{released_chart('0.2.0')}/link: [chart-changed] was not there at HEAD",
    ]
    assert any(problem.startswith(f"{released_chart('0.2.0')}/link: a chart has no symbolic links") for problem in found)
    committed.commit("Changed in place")
    assert all("[chart-changed]" not in problem for problem in problems_of(InvalidInput, verify, committed.root, "HEAD"))
    assert any("[chart-changed]" in problem for problem in problems_of(InvalidInput, verify, committed.root, "HEAD~1"))


def test_a_release_may_go_as_a_whole_when_nobody_pins_it(committed: Repository) -> None:
    committed.git("rm", "-r", "--quiet", released_chart("0.2.0"))
    assert verify(committed.root, "HEAD").versions == ("0.1.0",)
    committed.git("rm", "-r", "--quiet", released_chart("0.1.0"))
    (problem,) = problems_of(InvalidInput, verify, committed.root, "HEAD")
    assert "chart.version: there is no charts/releases/bento-serving/0.1.0" in problem


def test_a_new_release_is_no_change(committed: Repository) -> None:
    add_release(committed.root, "0.3.0")
    assert verify(committed.root, "HEAD").compared == 2


def test_metadata_that_is_not_what_the_folder_says_is_told(fleet) -> None:
    add_release(fleet.root, "0.1.0")
    fleet.put(f"{released_chart('0.1.0')}/Chart.yaml", "apiVersion: v2\nname: another\nversion: 0.1.1\n")
    folder = "charts/releases/bento-serving/0.1.0/Chart.yaml"
    assert problems_of(InvalidInput, verify, fleet.root, None) == [
        f"{folder}:2: name: the folder's name says bento-serving (found 'another'); a release never changes; restore it from Git",
        f"{folder}:3: version: the folder's name says 0.1.0 (found '0.1.1'); a release never changes; restore it from Git",
    ]


def test_defaults_that_nobody_can_change_any_more_are_noted_where_they_are_pinned(fleet) -> None:
    old = add_release(fleet.root, "0.1.0")
    values = (old / "values.yaml").read_text()
    (old / "values.yaml").write_text(values.replace("      workers: 1\n", "      workers: 1\n      forgotten: 2\n", 1))
    assert verify(fleet.root, None).notes == ()
    fleet.put(PROD_FILE, fleet.text(PROD_FILE) + "chart: {version: 0.1.0}\n")
    (note,) = verify(fleet.root, None).notes
    place = f"{released_chart('0.1.0')}/values.yaml:20"
    assert note.startswith(f"{place}: defaults.roles.api.forgotten: nobody can say else")


def test_a_pin_written_by_hand_that_comes_too_early_is_told_when_compared(committed: Repository) -> None:
    committed.put(PROD_FILE, f"{committed.text(PROD_FILE)}promotion: {{from: staging}}\n")
    committed.put(STAGING_FILE, f"{committed.text(STAGING_FILE)}chart: {{version: 0.1.0}}\n")
    committed.commit("Rules")
    committed.put(PROD_FILE, (committed.text(PROD_FILE) or "").replace("0.1.0", "0.2.0"))
    verify(committed.root, None)
    (problem,) = problems_of(InvalidInput, verify, committed.root, "HEAD")
    assert problem.endswith(
        "chart.version: [chart-too-early] comes too early (found staging, which prod takes from, runs chart 0.1.0); "
        "let it run there first: `bento-gitops chart pin staging 0.2.0`"
    )
    committed.commit("Merged all the same")
    verify(committed.root, "HEAD")


@pytest.mark.parametrize(
    ("pins", "expected"),
    [
        (set(), ()),
        ({"0.1.0"}, ()),
        ({"0.3.0"}, ("0.1.0",)),
        ({"0.4.0"}, ("0.1.0", "0.2.0")),
        ({"0.5.0"}, ("0.1.0", "0.2.0", "0.3.0")),
        ({"0.2.0", "0.5.0"}, ("0.3.0",)),
        ({"0.1.0", "0.4.0"}, ("0.2.0",)),
    ],
)
def test_what_is_pinned_and_what_comes_right_before_or_after_stays(pins: set[str], expected: tuple[str, ...]) -> None:
    assert removable(["0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0"], pins) == expected


def test_prune_removes_what_nobody_will_pin(fleet) -> None:
    for number in range(1, 5):
        add_release(fleet.root, f"0.{number}.0")
    fleet.put(PROD_FILE, fleet.text(PROD_FILE) + "chart: {version: 0.3.0}\n")
    assert charts.prune(fleet.root, dry_run=True) == ("0.1.0",)
    assert (fleet.root / released_chart("0.1.0")).is_dir()
    assert charts.prune(fleet.root, dry_run=False) == ("0.1.0",)
    assert sorted(path.name for path in (fleet.root / RELEASES).iterdir()) == ["0.2.0", "0.3.0", "0.4.0"]
    assert charts.prune(fleet.root, dry_run=False) == ()


# Pin


def asked(environment: str, version: str | None, now: datetime = NOW, **more: str) -> PinRequest:
    return PinRequest(environment, version, now, "Olivia", **more)


def pin(fleet, environment: str, version: str | None, now: datetime = NOW, **more: str) -> Pin:
    """Decided and written."""
    made = pinned(WorkingTree(fleet.root), asked(environment, version, now, **more))
    if made.proposal:
        write_files(fleet.root, made.proposal.changes)
    return made


@pytest.fixture
def released_fleet(fleet):
    """Three releases; staging takes from dev, prod from staging."""
    for number in range(1, 4):
        add_release(fleet.root, f"0.{number}.0")
    fleet.put(STAGING_FILE, fleet.text(STAGING_FILE) + "promotion: {from: dev}\n")
    fleet.put(PROD_FILE, fleet.text(PROD_FILE) + "promotion: {from: staging} # after a day\n")
    fleet.render()
    return fleet


def test_a_pin_changes_one_line_of_people_and_keeps_their_comments(released_fleet) -> None:
    before = released_fleet.text(PROD_FILE)
    made = pin(released_fleet, "prod", "0.1.0")
    after = released_fleet.text(PROD_FILE)
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []
    assert yaml.safe_load(after) == {**yaml.safe_load(before), "chart": {"version": "0.1.0"}}
    assert made.proposal
    assert [change.path for change in made.proposal.effective()] == [PROD_FILE]
    pin(released_fleet, "prod", None)
    assert yaml.safe_load(released_fleet.text(PROD_FILE)) == yaml.safe_load(before)
    assert "# after a day" in released_fleet.text(PROD_FILE)


def test_a_pin_renders_every_application_of_its_environment_and_no_other(released_fleet) -> None:
    config = "environments/prod/support-tickets/config.yaml"
    # 30 is what every component has anyway: a chart that does not know the setting does the same.
    for path in (config, *(f"bundles/support-tickets/{tag}.yaml" for tag in ("1.0.0", "1.1.0"))):
        released_fleet.put(path, re.sub(r"timeout: \d+(?!s)\b", "timeout: 30", released_fleet.text(path)))
    released_fleet.render()
    add_release(released_fleet.root, "0.4.0", without("timeout", "ResolvedRouting", "Traffic"))
    with pytest.raises(InvalidInput, match=r":16: routing\.timeout: the chart 0\.4\.0 that prod pins"):
        pin(released_fleet, "prod", "0.4.0")
    assert "chart" not in yaml.safe_load(released_fleet.text(PROD_FILE))
    released_fleet.change(config, "routing: {timeout: 20s}\n", "")
    released_fleet.render()
    made = pin(released_fleet, "prod", "0.4.0")
    assert made.proposal
    assert [change.path for change in made.proposal.effective()] == [PROD_FILE, "environments/prod/support-tickets/values.yaml"]
    assert [one.changed for one in released_fleet.render().values()] == [False, False, False]


def test_a_pin_does_not_take_other_changes_along_but_the_way_back_does_not_wait_for_them(released_fleet) -> None:
    pin(released_fleet, "prod", "0.2.0")
    config = "environments/prod/support-tickets/config.yaml"
    released_fleet.change(config, "routing: {timeout: 20s}\n", "routing: {timeout: 25s}\n")
    wrong = "values.yaml is not what its sources say, so this would bring more than the transition"
    (problem,) = problems_of(Refused, pin, released_fleet, "prod", "0.3.0")
    assert wrong in problem and "bento-gitops render prod/support-tickets" in problem
    assert any(wrong.partition(",")[0] in note for note in pin(released_fleet, "prod", "0.1.0").notes)


def test_a_pin_may_come_with_the_setting_that_needs_it(released_fleet) -> None:
    add_release(released_fleet.root, "0.4.0", without("timeout", "ResolvedRouting"))
    config = "environments/prod/support-tickets/config.yaml"
    released_fleet.change(config, "routing: {timeout: 20s}\n", "")
    released_fleet.render()
    pin(released_fleet, "prod", "0.4.0")
    released_fleet.put(config, released_fleet.text(config) + "routing: {timeout: 30s}\n")
    add_release(released_fleet.root, "0.5.0")
    assert pin(released_fleet, "prod", "0.5.0").after == "0.5.0"


def test_what_is_pinned_already_changes_nothing(released_fleet) -> None:
    pin(released_fleet, "prod", "0.1.0")
    again = pinned(WorkingTree(released_fleet.root), asked("prod", "0.1.0"))
    assert (again.proposal, again.gates, again.says) == (None, (), "prod runs chart 0.1.0 already")


def test_the_trees_of_a_pin_say_what_was_and_what_is_also_after_it_is_written(released_fleet) -> None:
    made = pin(released_fleet, "prod", "0.1.0")
    before, after = made.trees
    assert b"chart:" not in before.read(PROD_FILE)
    assert b"chart:" in after.read(PROD_FILE)


def test_a_release_reaches_the_environment_that_bundles_come_from_first(released_fleet) -> None:
    pin(released_fleet, "dev", "0.2.0")
    pin(released_fleet, "staging", "0.1.0")
    (problem,) = problems_of(Refused, pin, released_fleet, "prod", "0.2.0")
    assert problem == (
        f"{PROD_FILE}: gate chart: does not pass (found staging, which prod takes from, runs chart 0.1.0); "
        "let it run there first: `bento-gitops chart pin staging 0.2.0`"
    )
    assert pin(released_fleet, "staging", "0.2.0").next == ()
    pin(released_fleet, "prod", "0.1.0")
    assert pin(released_fleet, "staging", "0.2.0").next == ("bento-gitops chart pin prod 0.2.0",)
    assert [(gate.name, gate.outcome) for gate in pin(released_fleet, "prod", "0.2.0").gates] == [
        ("chart", "passed"),
        ("freeze", "passed"),
    ]


def test_an_environment_without_a_pin_has_reached_every_release(released_fleet) -> None:
    assert pin(released_fleet, "prod", "0.3.0").gates[0].outcome == "passed"


def test_a_pin_is_taken_away_only_where_bundles_come_from_an_environment_without_one(released_fleet) -> None:
    pin(released_fleet, "staging", "0.3.0")
    pin(released_fleet, "prod", "0.3.0")
    (problem,) = problems_of(Refused, pin, released_fleet, "prod", None)
    assert problem.endswith("let it run there first: `bento-gitops chart unpin staging`")


def test_a_freeze_holds_for_charts_but_not_for_the_way_back(released_fleet) -> None:
    rule = "promotion: {from: staging, freeze: [{days: [fri, sat, sun], reason: weekend}]} # after a day"
    released_fleet.change(PROD_FILE, "promotion: {from: staging} # after a day", rule)
    pin(released_fleet, "prod", "0.2.0")
    saturday = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    (problem,) = problems_of(Refused, pin, released_fleet, "prod", "0.3.0", saturday)
    assert "gate freeze: does not pass (found frozen until 2026-11-23 00:00 UTC: weekend)" in problem
    assert pin(released_fleet, "prod", "0.1.0", saturday).after == "0.1.0"
    broken = pin(released_fleet, "prod", "0.3.0", saturday, break_glass="a hole\nin 0.2.0")
    assert broken.proposal
    assert broken.proposal.message.startswith("prod: chart 0.1.0 -> 0.3.0\n\nGates:\n  chart: passed")
    assert broken.proposal.message.endswith("Bento-Gitops-By: Olivia\nBento-Gitops-Break-Glass: a hole in 0.2.0\n")


def test_an_environment_that_extends_another_is_pinned_before_it(released_fleet) -> None:
    text = released_fleet.text(PROD_FILE).replace("kind: Environment\n", "kind: Environment\nextends: prod\n")
    released_fleet.put("environments/us/environment.yaml", text.replace("promotion: {from: staging} # after a day\n", ""))
    (problem,) = problems_of(Refused, pin, released_fleet, "prod", "0.1.0")
    assert problem.endswith("pin it first: `bento-gitops chart pin us 0.1.0`")
    # Rules that it does not say itself are those of the one that it extends.
    pin(released_fleet, "staging", "0.2.0")
    assert "staging, which us takes from" in problems_of(Refused, pin, released_fleet, "us", "0.3.0")[0]
    pin(released_fleet, "us", "0.1.0")
    pin(released_fleet, "prod", "0.1.0")


def test_what_is_not_there_cannot_be_pinned(released_fleet) -> None:
    assert problems_of(InvalidInput, pin, released_fleet, "prd", "0.1.0") == [
        "environments/prd: no such environment (found 'prd'); did you mean 'prod'?"
    ]
    assert problems_of(InvalidInput, pin, released_fleet, "prod", "0.1.1") == [
        "charts/releases/bento-serving: there is no such release of the chart (found '0.1.1'); did you mean '0.1.0'?"
    ]


def test_generated_files_of_releases_are_none_of_the_commands_business(real) -> None:
    write_release(real.root, release(real, "0.2.0"))
    real.put(f"{released_chart('0.2.0')}/values.schema.json", "{}")
    assert not [path for path in generate(real.root, check=True) if path.startswith("charts/releases")]
