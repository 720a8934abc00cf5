"""A release that a wrong clock wrote says so, and no other does."""

from __future__ import annotations

from datetime import timedelta

from bento_gitops.releasing import transitions
from bento_gitops.releasing.clocks import of_the_future
from bento_gitops.releasing.plan import Plan
from release_world import START, current, release_of

STEADY = release_of("""stable: blue
tracks:
  blue: {bundle: "1.0.0", weight: 100, shifted: 2026-11-02T09:00:00Z}
""")


def test_a_release_of_the_future_says_which_time_is_wrong_by_how_much_and_what_to_do() -> None:
    promoted = transitions.promote(current(STEADY), "1.1.0", Plan(), START + timedelta(days=1)).after
    assert of_the_future(promoted, START) == (
        "release.yaml is of the future (since; by 24h): a clock was wrong when it was written, and until 2026-11-03T10:00:00Z"
        " nothing counts as seen or drained; write the true time there, in a pull request"
    )
    assert of_the_future(promoted, START + timedelta(days=1)) == ""
    prepared = transitions.prepare(current(promoted), 50, {}, START + timedelta(days=1)).after
    shifted = transitions.shift(current(prepared), 50, START + timedelta(days=1)).after
    assert "(since, tracks.blue.shifted, tracks.green.shifted; by" in of_the_future(shifted, START)


def test_clocks_of_two_machines_may_differ_a_little() -> None:
    written = transitions.hold(current(STEADY), "1.1.0", START + timedelta(minutes=2), by="anna", reason="bad").after
    assert of_the_future(written, START) == ""
    assert of_the_future(written, START - timedelta(seconds=1)) != ""
