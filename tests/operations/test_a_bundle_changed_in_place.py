"""A track's bundle changed by hand, in the place of one that runs: allowed, and noted once."""

from __future__ import annotations

from bento_gitops.operations.render import render
from bento_gitops.repository.files import WorkingTree

DEV = "dev/support-tickets"
RELEASE = f"environments/{DEV}/release.yaml"


def test_a_bundle_that_takes_the_place_of_a_running_one_is_noted_until_it_is_rendered(fleet) -> None:
    fleet.render()
    fleet.change(RELEASE, 'blue: {bundle: "1.0.0"', 'blue: {bundle: "1.1.0"')
    assert fleet.render()[DEV].notes == (
        f"{RELEASE}:5: tracks.blue.bundle: changes from 1.0.0 to 1.1.0 on a track that runs: it answers nothing until its new"
        " pods are ready; a free track name avoids that",
    )
    assert fleet.render()[DEV].notes == ()


def test_a_bundle_on_a_free_track_name_is_not_noted(fleet) -> None:
    fleet.render()
    fleet.change(RELEASE, "stable: blue", "stable: green")
    fleet.change(RELEASE, 'blue: {bundle: "1.0.0"', 'green: {bundle: "1.1.0"')
    assert fleet.render()[DEV].notes == ()


def test_values_spoilt_by_hand_are_written_anew(fleet) -> None:
    fleet.render()
    fleet.put(f"environments/{DEV}/values.yaml", "tracks: [blue\n")
    (one,) = render(WorkingTree(fleet.root), DEV)
    assert (one.changed, one.notes) == (True, ())
