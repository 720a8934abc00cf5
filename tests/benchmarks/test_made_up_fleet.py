"""The fleet that is measured is one that the commands take, and the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from bento_gitops.operations.render import render
from bento_gitops.repository.files import WorkingTree

from benchmarks import made_up_fleet
from benchmarks.measuring import WrongExit, fitted, once

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made_up_fleet.write(tmp_path, 6, REPOSITORY)
    return tmp_path


def test_every_application_is_in_every_environment_with_three_components_on_two_tracks(root: Path) -> None:
    rendered = render(WorkingTree(root), None)
    assert len(rendered) == 6 * len(made_up_fleet.ENVIRONMENTS)
    assert {len(one.tracks) for one in rendered} == {2}
    assert {len(track.replicas) for one in rendered for track in one.tracks} == {3}
    assert not any(one.notes for one in rendered)


def test_all_layers_have_a_say(root: Path) -> None:
    texts = {str(one.target): one.text for one in render(WorkingTree(root), None)}
    overridden = [target for target, text in texts.items() if "  # runtime" in text]
    assert overridden == ["prod/message-classifier-0005", "prod/ticket-classifier-0000"]
    assert all("  # decorator" in text and "  # environment" in text for text in texts.values())


def test_a_second_region_runs_with_the_config_of_the_first(root: Path) -> None:
    texts = {str(one.target): one.text for one in render(WorkingTree(root), None)}
    text = texts["prod-us/ticket-classifier-0000"]
    assert "REGION: us  # environment" in text
    assert "QUEUE: ticket-classifier-0000-prod  # environment" in text


def test_two_fleets_have_the_same_bytes_and_no_two_applications_do() -> None:
    assert list(made_up_fleet.files(12)) == list(made_up_fleet.files(12))
    bundles = [text for path, text in made_up_fleet.files(12) if path.startswith("bundles/")]
    assert len(set(bundles)) == len(bundles) == 24


def test_a_command_that_fails_is_not_measured() -> None:
    with pytest.raises(WrongExit, match="ended with 3: no such thing"):
        once(["sh", "-c", "echo no such thing >&2; exit 3"])


def test_times_that_grow_with_the_number_lie_on_the_line() -> None:
    line = fitted([(25, 0.75), (50, 1.25), (100, 2.25)])
    assert (round(line.start, 9), round(line.each, 9), round(line.deviation, 9)) == (0.25, 0.02, 0)
    assert fitted([(25, 1.0), (50, 1.0), (100, 4.0)]).deviation > 0.1
