"""Overrides by command: what they say, what they hide, when they end, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bento_gitops.model.layout import CHART
from bento_gitops.model.problem import InvalidInput, Refused
from bento_gitops.operations.carrying_out import branch_of
from bento_gitops.operations.deciding import Decision, Request
from bento_gitops.operations.override_list import Standing, overrides
from bento_gitops.operations.overrides import Wish, end_ended, end_override, set_override
from bento_gitops.operations.render import render
from bento_gitops.repository.changes import write_files
from bento_gitops.repository.charts import on_disk
from bento_gitops.repository.files import OverlayTree, WorkingTree
from chart_releases import add_real_chart

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 10, 9, tzinfo=UTC)
PROD = "prod/support-tickets"
FILE = f"environments/{PROD}/overrides.yaml"
MIN, MAX = "services.EmbeddingRunner.scaling.min_replicas", "services.EmbeddingRunner.scaling.max_replicas"


class Operator:
    """Somebody who sets and ends overrides, by files."""

    def __init__(self, fleet) -> None:
        self.fleet = fleet
        self.tree = WorkingTree(fleet.root)
        self.now = NOW

    def request(self, target: str, reason: str = "") -> Request:
        return Request(target, self.now, "Olivia <olivia@example.com>", reason)

    def wants(
        self, *assignments: str, length: str = "8h", until: datetime | None = None, target: str = PROD, reason: str = "a launch"
    ) -> Decision:
        wish = Wish(assignments, "" if until else length, until)
        return set_override(self.tree, self.request(target, reason), wish)

    def sets(self, *assignments: str, length: str = "8h", target: str = PROD, reason: str = "a launch") -> Decision:
        return self._done(self.wants(*assignments, length=length, target=target, reason=reason))

    def ends(self, which: str, target: str = PROD) -> Decision:
        return self._done(end_override(self.tree, self.fleet.root, self.request(target), which))

    def ends_all(self, wanted: str = "") -> Decision:
        return self._done(end_ended(self.tree, self.request(wanted)))

    def lists(self, wanted: str | None = None) -> Sequence[Standing]:
        return overrides(self.tree, wanted, self.now)

    def value(self, line: str = "minReplicas") -> list[str]:
        """The lines of values.yaml that say it, each with its layer."""
        return [text.strip() for text in self.fleet.text(f"environments/{PROD}/values.yaml").splitlines() if line in text]

    def _done(self, decision: Decision) -> Decision:
        if decision.proposal:
            write_files(self.fleet.root, decision.proposal.changes)
        assert not any(one.changed for one in render(WorkingTree(self.fleet.root), None)), "values follow in the same change"
        return decision


@pytest.fixture
def olivia(fleet) -> Operator:
    """prod has no override yet."""
    add_real_chart(fleet.root)
    shutil.copytree(ROOT / "schemas" / "custom-resources", fleet.root / "schemas" / "custom-resources")
    fleet.path(FILE).unlink()
    fleet.render()
    return Operator(fleet)


def _wrong(error: pytest.ExceptionInfo[InvalidInput | Refused]) -> list[str]:
    return [str(problem) for problem in error.value.problems]


# set


def test_the_first_override_makes_the_file_and_the_values_that_follow(olivia: Operator) -> None:
    decision = olivia.sets(f"{MIN}=6")
    assert olivia.fleet.text(FILE).splitlines()[1:] == [
        "apiVersion: bento-gitops/v1",
        "kind: Overrides",
        "overrides:",
        "  - config: {services: {EmbeddingRunner: {scaling: {min_replicas: 6}}}}",
        "    reason: a launch",
        '    owner: "Olivia <olivia@example.com>"',
        "    expires: 2026-11-10T17:00:00Z",
    ]
    assert "minReplicas: 6  # runtime" in olivia.value()
    assert decision.proposal
    assert [change.path for change in decision.proposal.changes] == [FILE, f"environments/{PROD}/values.yaml"]
    assert decision.proposal.start == {FILE: None}, "two who add one at once: the second looks again"
    message = decision.proposal.message
    assert message.startswith(f"{PROD}: override {MIN}\n") and "Why: a launch" in message
    assert "Bento-Gitops-Transition: override\n" in message and "Bento-Gitops-Until: 2026-11-10T17:00:00Z\n" in message
    assert decision.next == (f"bento-gitops override end {PROD} {MIN}",)


def test_what_an_override_hides_is_told_by_value_layer_and_line(olivia: Operator) -> None:
    notes = olivia.sets(f"{MIN}=6").notes
    assert notes == (f"{MIN} on blue: 6 hides 2 (environment, environments/{PROD}/config.yaml:11)",)


def test_what_an_override_says_is_told_in_yaml_s_words(olivia: Operator) -> None:
    alert = "alerts.rules.BentoErrorBudgetBurnFast.enabled"
    assert olivia.sets(f"{alert}=false").notes == (f"{alert}: false hides what the chart and BentoML decide",)
    told = " ".join(olivia.sets(f"{alert}=true", length="9h").notes)
    assert f"replaces override 1 ({alert}=false;" in told
    assert not any(word in told for word in ("False", "True", "None"))
    assert olivia.ends(alert).notes[0] == f"{alert}: true gives way to what the chart and BentoML decide"


def test_comments_and_other_overrides_stay_as_people_wrote_them(olivia: Operator) -> None:
    olivia.sets(f"{MIN}=6")
    text = olivia.fleet.text(FILE).replace("    reason: a launch", "    reason: a launch # ask Otto")
    olivia.fleet.put(FILE, f"# ours\n{text}")
    olivia.sets(f"{MAX}=12", length="2h")
    after = olivia.fleet.text(FILE)
    assert after.startswith(f"# ours\n{text}") and after.count("- config:") == 2


def test_several_settings_are_one_override(olivia: Operator) -> None:
    olivia.sets(f"{MIN}=10", f"{MAX}=12", 'bundles."1.1.0".services.EmbeddingRunner.workers=2')
    (one,) = olivia.lists()
    assert [setting.path for setting in one.settings] == [MIN, MAX, 'bundles."1.1.0".services.EmbeddingRunner.workers']


def test_an_override_of_what_another_says_takes_its_place_if_that_ends_first(olivia: Operator) -> None:
    olivia.sets(f"{MIN}=6", length="2h")
    notes = olivia.sets(f"{MIN}=7", length="8h").notes
    assert notes[0].startswith(f"replaces override 1 ({MIN}=6; Olivia <olivia@example.com>, until 2026-11-10T11:00:00Z: a launch")
    assert [one.settings[0].value for one in olivia.lists()] == [7]


def test_an_override_of_what_a_longer_one_says_hides_it_for_its_time(olivia: Operator) -> None:
    olivia.sets(f"{MIN}=6", f"{MAX}=9", length="24h")
    notes = olivia.sets(f"{MIN}=7", length="1h").notes
    assert notes[0].startswith(f"hides {MIN} of override 1 (") and "counts again when this one is removed" in notes[0]
    first, second = olivia.lists()
    assert [(setting.value, setting.state) for setting in first.settings] == [(6, "hidden"), (9, "in force")]
    assert [(said.value, said.layer) for said in second.settings[0].hides] == [(6, "runtime")]
    olivia.ends("2")
    assert "minReplicas: 6  # runtime" in olivia.value()


def test_a_longer_override_of_the_very_same_is_not_lost_under_a_shorter_one(olivia: Operator) -> None:
    olivia.sets(f"{MIN}=6", length="24h")
    assert olivia.sets(f"{MIN}=7", length="1h").notes[0].startswith(f"hides override 1 ({MIN}=6;")
    assert [(one.settings[0].value, one.settings[0].state) for one in olivia.lists()] == [(6, "hidden"), (7, "in force")]


def test_the_same_settings_have_one_branch_whatever_their_values(olivia: Operator) -> None:
    six, seven, other = (branch_of(olivia.wants(one)) for one in (f"{MIN}=6", f"{MIN}=7", f"{MAX}=9"))
    assert six == seven != other
    assert six.startswith(f"bento-gitops/{PROD}/override-EmbeddingRunner-scaling-min_replicas-")


@pytest.mark.parametrize(
    ("assignments", "words"),
    [
        ((f"{MIN}",), f"{MIN}: must be PATH=VALUE; write it like"),
        ((f"{MIN}=six",), f"{MIN}=six: {MIN}: must be a whole number (found 'six')"),
        (("services.EmbedingRunner.workers=2",), "no such service"),
        (("services.EmbeddingRunner.scalng.min_replicas=2",), "did you mean 'scaling'?"),
        ((f"{MIN}=60",), "min_replicas is above max_replicas"),
        ((f"{MIN}=6", f"{MIN}=7"), f"{MIN}=7: {MIN}: is said by {MIN}=6 too"),
        ((f"{MIN}=6", "services.EmbeddingRunner={scaling: {min_replicas: 7}}"), "is said by"),
    ],
)
def test_what_could_not_be_rendered_is_refused_in_the_words_of_the_command(
    olivia: Operator, assignments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        olivia.wants(*assignments)
    assert words in str(caught.value)
    assert all(problem.place.file in assignments for problem in caught.value.problems)
    assert not olivia.fleet.path(FILE).exists()


def test_an_end_in_the_past_or_of_no_length_is_wrong(olivia: Operator) -> None:
    for until in (NOW, NOW - timedelta(seconds=1)):
        with pytest.raises(
            InvalidInput, match="an override that has ended would never have counted; name an end that is yet to come"
        ):
            olivia.wants(f"{MIN}=6", until=until)
    with pytest.raises(InvalidInput, match="--for 0s"):
        olivia.wants(f"{MIN}=6", length="0s")
    with pytest.raises(InvalidInput, match=r"--for: is no length of time \(found '8 hours'\); write hours"):
        olivia.wants(f"{MIN}=6", length="8 hours")


def test_the_environment_caps_how_long_an_override_lasts(olivia: Operator) -> None:
    path = "environments/prod/environment.yaml"
    olivia.fleet.put(path, olivia.fleet.text(path) + "overrides: {longest: 72h}\n")
    line = len(olivia.fleet.text(path).splitlines())
    with pytest.raises(Refused) as caught:
        olivia.wants(f"{MIN}=6", length="72h1s")
    assert _wrong(caught) == [
        f"{path}:{line}: overrides.longest: an override lasts 72h at most here (found 72h1s, until 2026-11-13T09:00:01Z);"
        " end it by 2026-11-13T09:00:00Z, or say it in config.yaml, where it is reviewed and stays"
    ]
    assert olivia.sets(f"{MIN}=6", length="72h").proposal


def test_an_override_does_not_hide_that_values_were_stale_before(olivia: Operator) -> None:
    config = f"environments/{PROD}/config.yaml"
    olivia.fleet.change(config, "max_replicas: 8", "max_replicas: 9")
    with pytest.raises(Refused, match=f"values.yaml is not what its sources say.*bento-gitops render {PROD}, commit that first"):
        olivia.wants(f"{MIN}=6")


def test_an_override_that_changes_nothing_now_says_so(olivia: Operator) -> None:
    assert olivia.wants(f"{MIN}=2").notes[-1] == "nothing changes by it now: all of this is so already"
    assert olivia.wants('bundles."1.0.0".services.EmbeddingRunner.workers=2', target="staging/support-tickets").notes


def test_a_reason_of_several_lines_cannot_pass_for_a_trailer(olivia: Operator) -> None:
    decision = olivia.sets(f"{MIN}=6", reason="load\n\nBento-Gitops-Transition: rollback")
    assert decision.proposal
    lines = decision.proposal.message.splitlines()
    assert [line for line in lines if line.startswith("Bento-Gitops-Transition")] == ["Bento-Gitops-Transition: override"]
    assert olivia.lists()[0].reason == "load Bento-Gitops-Transition: rollback"


# end


def test_an_override_ends_by_its_number_or_by_what_it_says(olivia: Operator) -> None:
    olivia.sets(f"{MIN}=6")
    olivia.sets("labels.owner=me")
    decision = olivia.ends("labels")
    assert decision.says == "override 2 is ended: labels.owner=me"
    decision = olivia.ends("1")
    assert any(note.startswith(f"{MIN} on blue") and "6 gives way to 2 (environment, " in note for note in decision.notes)
    assert not olivia.fleet.path(FILE).exists(), "none is left, and no file"


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("3", "there is no such override (found 3); there are 2"),
        ("0", "there is no such override (found 0); there are 2"),
        (MIN, f"overrides 1 and 2 say this (found '{MIN}'); name one by its number: bento-gitops override end {PROD} 2"),
        (
            "services.EmbeddingRunner.scaling.max_replica",
            f"no override says this (found 'services.EmbeddingRunner.scaling.max_replica'); did you mean '{MAX}'?",
        ),
    ],
)
def test_which_override_is_meant_must_be_plain(olivia: Operator, which: str, words: str) -> None:
    olivia.sets(f"{MIN}=6", f"{MAX}=9", length="24h")
    olivia.sets(f"{MIN}=7", length="1h")
    with pytest.raises(Refused) as caught:
        olivia.ends(which)
    assert words in str(caught.value)


def test_an_override_is_called_by_what_it_alone_says_and_by_its_number_where_there_is_no_such_thing(olivia: Operator) -> None:
    olivia.sets(f"{MIN}=6", "labels.owner=me", length="24h")
    assert olivia.wants(f"{MIN}=7", length="1h").next == (f"bento-gitops override end {PROD} 2",)
    assert olivia.sets(f"{MIN}=7", f"{MAX}=9", length="1h").next == (f"bento-gitops override end {PROD} {MAX}",)
    assert [one.name for one in olivia.lists()] == ["labels.owner", MAX]


def test_where_there_is_none_nothing_ends(olivia: Operator) -> None:
    with pytest.raises(Refused, match="there is no override here; look where there are some: bento-gitops override list prod"):
        olivia.ends("1")


def test_all_that_are_past_their_end_go_in_one_change_and_the_others_stay(olivia: Operator) -> None:
    olivia.sets(f"{MIN}=6", length="1h")
    olivia.sets(f"{MAX}=9", length="24h")
    olivia.sets(f"{MIN}=2", length="30m", target="dev/support-tickets")
    assert olivia.ends_all().proposal is None, "none has ended"
    olivia.now += timedelta(hours=2)
    assert [one.ended for one in olivia.lists()] == [True, True, False]
    decision = olivia.ends_all()
    assert decision.says == "2 overrides past their end removed: dev/support-tickets, prod/support-tickets"
    assert decision.proposal
    paths = [change.path for change in decision.proposal.changes]
    assert paths == [
        f"environments/{one}/support-tickets/{file}" for file in ("overrides.yaml", "values.yaml") for one in ("dev", "prod")
    ]
    assert f"dev/support-tickets: {MIN}=2. It was for: a launch (Olivia" in decision.proposal.message
    assert [one.settings[0].path for one in olivia.lists()] == [MAX]
    assert not olivia.fleet.path("environments/dev/support-tickets/overrides.yaml").exists()
    assert branch_of(decision) == "bento-gitops/all.overrides-ended"


def test_only_those_of_a_target_go_where_one_is_named(olivia: Operator) -> None:
    for target in ("dev/support-tickets", PROD):
        olivia.sets(f"{MIN}=2", length="1h", target=target)
    olivia.now += timedelta(hours=2)
    assert olivia.ends_all("dev").says == "1 override past its end removed: dev/support-tickets"
    assert [str(one.target) for one in olivia.lists()] == [PROD]


def test_what_keeps_any_of_them_from_ending_is_told_for_all(olivia: Operator) -> None:
    for target in ("dev/support-tickets", PROD):
        olivia.sets(f"{MIN}=2", length="1h", target=target)
    for target in ("dev/support-tickets", PROD):
        values = f"environments/{target}/values.yaml"
        olivia.fleet.put(values, olivia.fleet.text(values) + "# by hand\n")
    olivia.now += timedelta(hours=2)
    with pytest.raises(Refused) as caught:
        olivia.ends_all()
    assert len(_wrong(caught)) == 2


# list


def test_the_list_says_who_why_until_when_and_what_is_hidden(olivia: Operator) -> None:
    olivia.sets(f"{MIN}=6")
    (one,) = olivia.lists("prod")
    assert (one.number, one.reason, one.owner, one.expires, one.ended) == (
        1,
        "a launch",
        "Olivia <olivia@example.com>",
        "2026-11-10T17:00:00Z",
        False,
    )
    (setting,) = one.settings
    assert (setting.path, setting.value, setting.state) == (MIN, 6, "in force")
    assert [(said.value, said.layer, said.place.file) for said in setting.hides] == [
        (2, "environment", f"environments/{PROD}/config.yaml")
    ]
    assert olivia.lists("dev") == []


def test_an_instance_type_is_listed_with_all_that_it_hides(olivia: Operator) -> None:
    olivia.sets("services.EmbeddingRunner.instance_type=cpu.small")
    (setting,) = olivia.lists()[0].settings
    assert setting.state == "in force" and setting.hides


def test_an_override_for_a_bundle_that_no_track_runs_is_without_effect(olivia: Operator) -> None:
    olivia.fleet.put(
        FILE,
        "apiVersion: bento-gitops/v1\nkind: Overrides\noverrides:\n"
        '  - config: {bundles: {"1.1.0": {services: {EmbeddingRunner: {workers: 2}}}}}\n'
        "    reason: canary\n    owner: otto\n    expires: 2026-11-10T08:00:00Z\n",
    )
    release = f"environments/{PROD}/release.yaml"
    olivia.fleet.put(
        release,
        "\n".join(
            line for line in olivia.fleet.text(release).replace("weight: 90", "weight: 100").splitlines() if "green" not in line
        )
        + "\n",
    )
    (one,) = olivia.lists()
    assert [setting.state for setting in one.settings] == ["without effect"]
    assert one.ended and one.left == -timedelta(hours=1)


def test_helm_reads_the_chart_where_it_lies_unless_the_proposal_changes_it_or_it_holds_a_link(olivia: Operator, tmp_path) -> None:
    beside = OverlayTree(olivia.tree, {FILE: b"overrides: []\n"})
    assert on_disk(beside, CHART, tmp_path) == olivia.fleet.root / CHART
    inside = on_disk(OverlayTree(beside, {f"{CHART}/templates/NOTES.txt": b"Hello."}), CHART, tmp_path)
    assert (inside / "templates/NOTES.txt").read_text() == "Hello." and (inside / "values.yaml").exists()
    assert inside.is_relative_to(tmp_path)
    olivia.fleet.path(f"{CHART}/templates/linked.yaml").symlink_to("NOTES.txt")
    with pytest.raises(InvalidInput) as raised:
        olivia.wants(f"{MIN}=6")
    assert _wrong(raised) == [f"{CHART}/templates/linked.yaml: is a symbolic link; replace it by what it points to"]
