"""Each transition: what it leaves behind, and the sentence with which it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from bento_gitops.model.base import timestamp
from bento_gitops.model.problem import Refused
from bento_gitops.model.release import BrokenGlass, Held, Release
from bento_gitops.releasing import transitions as move
from bento_gitops.releasing.plan import Plan
from bento_gitops.releasing.transitions import Move
from release_world import START, Sizes, check_move, current, release_of, reread

NOW = START + timedelta(minutes=30)
PLAN = Plan()
WARM = Plan(standby="warm")
STEADY = 'stable: blue\nprevious: {bundle: "0.9.3"}\ntracks: {blue: {bundle: "1.0.0", weight: 100}}\n'
HELD = 'held: {"1.1.0": {by: anna, at: 2026-11-01T09:00:00Z, reason: wrong labels}}\n'
RETIRING = "retiring: {by: anna, at: 2026-11-01T09:00:00Z, reason: replaced by search}\n"
PAUSED = "paused: {by: anna, reason: looking}\n"
WHO: dict[str, Any] = {"by": "anna", "reason": "wrong labels"}


def canary(weight: int, ready_for: int | None = None, more: str = "", floor: str = "{Runner: 5}") -> str:
    """Blue stable, green on trial."""
    ready = weight if ready_for is None else ready_for
    return (
        'stable: blue\ncandidate: green\nprevious: {bundle: "0.9.3"}\ntracks:\n'
        f'  blue: {{bundle: "1.0.0", weight: {100 - weight}}}\n'
        f'  green: {{bundle: "1.1.0", weight: {weight}, ready_for: {ready}, floor: {floor}}}\n{more}'
    )


def standby(bundle: str = "1.0.0", capacity: str = "full", previous: str = "1.0.0", track: str = "", more: str = "") -> str:
    """Green stable, blue its standby until an hour after START."""
    return (
        f'stable: green\nprevious: {{bundle: "{previous}"}}\ntracks:\n'
        f'  blue: {{bundle: "{bundle}", weight: 0{track}}}\n  green: {{bundle: "1.1.0", weight: 100}}\n'
        f"standby: {{track: blue, until: {timestamp(START + timedelta(hours=1))}, capacity: {capacity}}}\n{more}"
    )


def restoring(ready_for: int = 100, weight: int = 0, hold: str = "true", more: str = "") -> str:
    """Green stable and bad; blue, which ran before, gets its pods again."""
    return (
        'stable: green\ncandidate: blue\nprevious: {bundle: "1.0.0"}\ntracks:\n'
        f'  blue: {{bundle: "1.0.0", weight: {weight}, ready_for: {ready_for}}}\n'
        f'  green: {{bundle: "1.1.0", weight: {100 - weight}}}\n'
        f"rollback: {{by: anna, reason: wrong labels, hold: {hold}}}\n{more}"
    )


def made(text: str, what: Callable[[move.Current], Move], plan: Plan = PLAN) -> Release:
    """The release after a transition that keeps every invariant."""
    found = what(current(release_of(text)))
    check_move(found, Sizes(live_min=3), plan, NOW)
    return found.after


def refused(text: str | None, what: Callable[[move.Current], Move]) -> list[str]:
    """What a transition says where it refuses: all of it, without the file."""
    with pytest.raises(Refused) as caught:
        what(current(release_of(text) if text is not None else None))
    return [str(problem).removeprefix("environments/prod/app/release.yaml: ") for problem in caught.value.problems]


# install, promote


def test_the_first_bundle_gets_all_requests_on_the_first_colour() -> None:
    release = move.install(current(None), "1.0.0", NOW).after
    assert (release.stable, release.tracks["blue"].bundle, release.tracks["blue"].weight) == ("blue", "1.0.0", 100)
    assert reread(release) == release


def test_an_application_that_runs_is_not_installed_again() -> None:
    assert refused(STEADY, lambda here: move.install(here, "1.1.0", NOW)) == [
        "promote: runs already (found steady); bento-gitops promote prod/app 1.1.0"
    ]


def test_a_promoted_bundle_is_the_candidate_on_a_free_track_without_requests() -> None:
    after = made(STEADY, lambda here: move.promote(here, "1.1.0", PLAN, NOW))
    track = after.tracks["green"]
    assert (after.candidate, track.bundle, track.weight, track.ready_for) == ("green", "1.1.0", 0, 0)
    assert after.tracks["blue"].weight == 100


def test_a_promotion_removes_tracks_that_drained_and_does_not_take_their_names() -> None:
    text = STEADY.replace("}}", '}, green: {bundle: "0.9.3", weight: 0}}')
    after = made(text, lambda here: move.promote(here, "1.1.0", PLAN, NOW))
    assert sorted(after.tracks) == ["amber", "blue"]


def test_with_all_colours_taken_a_track_gets_a_number() -> None:
    others = ", ".join(
        f'{name}: {{bundle: "0.9.3", weight: 0}}' for name in ("green", "amber", "violet", "teal", "coral", "track1")
    )
    text = STEADY.replace("}}", f"}}, {others}}}") + f"since: {timestamp(NOW)}\n"
    assert made(text, lambda here: move.promote(here, "1.1.0", PLAN, NOW)).candidate == "track2"


def test_a_direct_promotion_takes_all_requests_at_once_and_drops_everything_else() -> None:
    plan = Plan(strategy="direct")
    after = made(standby(), lambda here: move.promote(here, "1.2.0", plan, NOW), plan)
    assert list(after.tracks) == [after.stable]
    assert after.tracks[after.stable].bundle == "1.2.0"
    assert after.standby is None
    assert after.previous is not None
    assert after.previous.bundle == "1.1.0"


def test_a_promotion_is_refused_for_all_reasons_at_once() -> None:
    held = HELD.replace("1.1.0", "1.0.0")
    assert refused(STEADY + held, lambda here: move.promote(here, "1.0.0", PLAN, NOW)) == [
        "promote: bundle 1.0.0 is held here (found by anna at 2026-11-01T09:00:00Z: wrong labels);"
        " take another bundle, or, if the reason is gone, bento-gitops unhold prod/app 1.0.0",
        "promote: this bundle is the stable one already (found 1.0.0); name another bundle",
    ]


@pytest.mark.parametrize("verb", ["promote", "retire"])
def test_a_second_candidate_waits_for_the_first(verb: str) -> None:
    what = (
        (lambda here: move.promote(here, "1.2.0", PLAN, NOW)) if verb == "promote" else lambda here: move.retire(here, NOW, **WHO)
    )
    assert refused(canary(25), what) == [
        f"{verb}: a candidate is on trial (found green (1.1.0) at 25 %); end it first: bento-gitops canary finish prod/app, or"
        " bento-gitops canary abort prod/app (with --no-hold if it is not to blame: a hotfix comes before it)"
    ]


def test_a_promotion_waits_for_a_rollback() -> None:
    assert refused(restoring(), lambda here: move.promote(here, "1.2.0", PLAN, NOW)) == [
        "promote: a rollback is under way (found blue (1.0.0) at 0 %); go on with bento-gitops rollback prod/app, or give it up"
        " with bento-gitops canary abort prod/app"
    ]


def test_nothing_is_promoted_into_an_application_that_is_being_retired() -> None:
    assert refused(STEADY + RETIRING, lambda here: move.promote(here, "1.2.0", PLAN, NOW)) == [
        "promote: the application is being retired (found replaced by search); bento-gitops retire prod/app --undo"
    ]


# prepare, shift


def test_prepare_changes_pods_and_no_weight() -> None:
    after = made(canary(5), lambda here: move.prepare(here, 25, {"Api": 3, "Runner": 0}, NOW))
    track = after.tracks["green"]
    assert (track.weight, track.ready_for) == (5, 25)
    assert track.floor == {"Runner": 5, "Api": 3}, "a component keeps what it was given for a smaller weight"


def test_prepare_for_less_than_before_gives_pods_back() -> None:
    after = made(canary(5, 50), lambda here: move.prepare(here, 5, {"Api": 3}, NOW))
    assert after.tracks["green"].floor == {"Api": 3}
    assert after.tracks["green"].ready_for == 5


def test_a_candidate_that_is_prepared_already_is_left_alone() -> None:
    found = move.prepare(current(release_of(canary(5, 25))), 25, {}, NOW)
    assert not found.changes
    assert found.says == "green (1.1.0) is prepared for 25 % already"


def test_prepare_is_refused_for_all_reasons_at_once() -> None:
    assert refused(canary(25, more=PAUSED), lambda here: move.prepare(here, 5, {}, NOW)) == [
        "canary prepare: the candidate gets 25 % already, and needs the pods for it (found 5); prepare 25 or more",
        "canary prepare: the rollout is paused (found by anna: looking); bento-gitops canary resume prod/app",
    ]


def test_rollbacks_own_candidate_is_prepared_for_nothing_less_than_everything() -> None:
    assert refused(restoring(), lambda here: move.prepare(here, 50, {}, NOW)) == [
        "canary prepare: this candidate is rollback's, which gets all requests at once (found 50); go on with"
        " bento-gitops rollback prod/app, or give it up with bento-gitops canary abort prod/app"
    ]


@pytest.mark.parametrize("weight", [-1, 101])
def test_a_weight_is_a_percentage(weight: int) -> None:
    said = f"a weight is a whole percent of the requests (found {weight}); name 0 to 100"
    assert f"canary prepare: {said}" in refused(canary(0), lambda here: move.prepare(here, weight, {}, NOW))
    assert f"canary shift: {said}" in refused(canary(0), lambda here: move.shift(here, weight, NOW))


@pytest.mark.parametrize("weight", [0, 1, 30, 49, 50])
def test_shift_changes_weights_and_no_pods(weight: int) -> None:
    after = made(canary(25, 50), lambda here: move.shift(here, weight, NOW))
    assert (after.tracks["green"].weight, after.tracks["blue"].weight) == (weight, 100 - weight)
    assert {after.tracks[name].shifted for name in ("blue", "green")} == ({timestamp(NOW)} if weight != 25 else {None})


def test_two_shifts_in_one_second_are_two() -> None:
    one = made(canary(5, 50), lambda here: move.shift(here, 50, NOW))
    two = move.shift(current(one), 5, NOW).after
    three = move.shift(current(two), 50, NOW - timedelta(seconds=30)).after
    stamps = [release.tracks["green"].shifted for release in (one, two, three)]
    assert stamps == [timestamp(NOW + timedelta(seconds=number)) for number in range(3)]
    assert [release.since for release in (one, two, three)] == stamps


def test_shift_is_refused_for_all_reasons_at_once() -> None:
    assert refused(canary(5, more=PAUSED), lambda here: move.shift(here, 25, NOW)) == [
        "canary shift: the candidate's pods are for 5 % only (found 25); first bento-gitops canary prepare prod/app 25, and shift"
        " when they are ready",
        "canary shift: the rollout is paused (found by anna: looking); bento-gitops canary resume prod/app",
    ]


def test_a_paused_candidate_may_get_fewer_requests() -> None:
    after = made(canary(25, more=PAUSED), lambda here: move.shift(here, 1, NOW))
    assert after.tracks["green"].weight == 1
    assert after.paused is not None


# finish


def test_finish_makes_the_candidate_stable_and_keeps_the_old_track() -> None:
    after = made(canary(100, more=HELD.replace("1.1.0", "0.8.0")), lambda here: move.finish(here, PLAN, NOW))
    assert (after.stable, after.candidate) == ("green", None)
    assert after.standby is not None
    assert (after.standby.track, after.standby.capacity) == ("blue", "full")
    assert after.standby.until == timestamp(NOW + timedelta(hours=1))
    assert after.previous is not None
    assert after.previous.bundle == "1.0.0"
    assert after.tracks["green"].ready_for is None
    assert after.held, "what is held stays so"


def test_without_a_standby_the_old_track_stays_until_it_drained() -> None:
    plan = Plan(keep=timedelta())
    after = made(canary(100), lambda here: move.finish(here, plan, NOW), plan)
    assert after.standby is None
    assert "blue" in after.tracks
    assert Sizes().of_track(after, "blue") == Sizes().minimum


@pytest.mark.parametrize("capacity", ["warm", "cold"])
def test_finish_takes_no_pods_from_a_track_whose_last_requests_are_on_their_way(capacity) -> None:
    shifted = canary(100).replace("weight: 0}", f"weight: 0, shifted: {timestamp(NOW - timedelta(minutes=4))}}}")
    plan = Plan(standby=capacity)
    assert refused(shifted, lambda here: move.finish(here, plan, NOW)) == [
        f"canary finish: the pods of blue would go ({capacity} standby) while its last requests may be on their way;"
        f" wait until {timestamp(NOW + timedelta(minutes=1))}"
    ]
    after = move.finish(current(release_of(shifted)), plan, NOW + timedelta(minutes=1)).after
    assert after.standby is not None
    assert after.standby.capacity == capacity


def test_a_standby_that_another_takes_the_place_of_goes_when_it_drained() -> None:
    older = canary(100).replace("tracks:\n", 'tracks:\n  amber: {bundle: "0.9.3", weight: 0, shifted: WHEN}\n')
    older += f"standby: {{track: amber, until: {timestamp(NOW + timedelta(hours=1))}, capacity: CAPACITY}}\n"

    def after(minutes: int, capacity: str) -> Release:
        when = timestamp(NOW - timedelta(minutes=minutes))
        text = older.replace("WHEN", when).replace("CAPACITY", capacity)
        return made(text, lambda here: move.finish(here, PLAN, NOW))

    assert "amber" not in after(5, "full").tracks
    assert "amber" in after(4, "full").tracks
    assert "amber" not in after(4, "cold").tracks, "it has no pods"
    assert Sizes().of_track(after(4, "warm"), "amber") == {"Api": 1, "Runner": 1}, "it gets no pods on its way out"


def test_finish_is_refused_for_all_reasons_at_once() -> None:
    assert refused(canary(25, more=PAUSED), lambda here: move.finish(here, PLAN, NOW)) == [
        "canary finish: the candidate does not have all requests yet (found 25 %); go on with bento-gitops canary step prod/app",
        "canary finish: the rollout is paused (found by anna: looking); bento-gitops canary resume prod/app",
    ]


@pytest.mark.parametrize(("hold", "held"), [("true", ["1.1.0"]), ("false", [])])
def test_a_rollback_that_somebody_shifts_and_finishes_holds_what_it_leaves(hold: str, held: list[str]) -> None:
    after = made(restoring(weight=100, hold=hold), lambda here: move.finish(here, PLAN, NOW))
    assert list(after.held or {}) == held
    assert after.rollback is None


# abort


@pytest.mark.parametrize("weight", [0, 1, 25, 99, 100])
@pytest.mark.parametrize("more", ["", PAUSED])
def test_abort_sends_all_requests_back_at_once_without_touching_pods(weight: int, more: str) -> None:
    after = made(canary(weight, more=more), lambda here: move.abort(here, PLAN, NOW, **WHO))
    assert (after.candidate, after.paused, after.tracks["blue"].weight) == (None, None, 100)
    assert (after.held or {})["1.1.0"] == Held(by="anna", at=timestamp(NOW), reason="wrong labels")
    assert after.standby is not None
    assert after.standby.track == "green"
    assert after.previous is not None
    assert after.previous.bundle == "0.9.3", "what rollback goes back to did not change"


def test_an_aborted_candidate_is_not_held_where_it_is_not_to_blame() -> None:
    found = move.abort(current(release_of(canary(25))), PLAN, NOW, **WHO, hold=False)
    assert found.after.held is None
    assert found.says == "all requests go to blue (1.0.0); 1.1.0 is not held"


def test_a_candidate_that_somebody_wrote_without_pods_gets_none_by_its_abort() -> None:
    text = canary(0).replace(", ready_for: 0, floor: {Runner: 5}", "")
    before = release_of(text)
    after = made(text, lambda here: move.abort(here, PLAN, NOW, **WHO))
    assert Sizes().pods(after) == Sizes().pods(before)


def test_abort_leaves_the_standby_for_the_way_back_that_there_was() -> None:
    text = standby().replace("stable: green\n", "stable: green\ncandidate: amber\n")
    text = text.replace("weight: 100}", 'weight: 95}\n  amber: {bundle: "1.2.0", weight: 5, ready_for: 5}')
    after = made(text, lambda here: move.abort(here, PLAN, NOW, **WHO))
    assert after.standby is not None
    assert after.standby.track == "blue"
    assert "amber" in after.tracks


def test_giving_up_a_rollback_holds_nothing_and_leaves_the_way_back_open() -> None:
    """What ran well before must not be the bundle that nobody can go back to."""
    after = made(restoring(), lambda here: move.abort(here, PLAN, NOW, **WHO))
    assert after.held is None
    assert after.rollback is None
    again = move.rollback(current(after), PLAN, {}, NOW, **WHO).after
    assert again.stable == "blue", "its pods are there: one commit"


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("canary abort", lambda here: move.abort(here, PLAN, NOW, **WHO)),
        ("canary finish", lambda here: move.finish(here, PLAN, NOW)),
        ("canary prepare", lambda here: move.prepare(here, 5, {}, NOW)),
        ("canary shift", lambda here: move.shift(here, 5, NOW)),
        ("canary pause", lambda here: move.pause(here, NOW, **WHO)),
    ],
)
def test_without_a_candidate_there_is_nothing_to_do(verb: str, what) -> None:
    assert refused(STEADY, what) == [
        f"{verb}: there is no candidate (found steady); begin with bento-gitops promote prod/app TAG"
    ]


# rollback


def test_rollback_to_a_full_standby_is_one_commit() -> None:
    found = move.rollback(current(release_of(standby())), PLAN, {}, NOW, **WHO)
    check_move(found, Sizes(), PLAN, NOW)
    after = found.after
    assert (after.stable, after.tracks["blue"].weight, after.tracks["green"].weight) == ("blue", 100, 0)
    assert list(after.held or {}) == ["1.1.0"]
    assert found.says == "all requests go to blue (1.0.0); 1.1.0 is held"


def test_rollback_twice_does_not_go_forth_again() -> None:
    after = made(standby(), lambda here: move.rollback(here, PLAN, {}, NOW, **WHO))
    with pytest.raises(Refused) as caught:
        move.rollback(current(after), PLAN, {}, NOW, **WHO)
    assert str(caught.value) == (
        "environments/prod/app/release.yaml: rollback: bundle 1.1.0 is held here (found by anna at 2026-11-02T10:30:00Z:"
        " wrong labels); bento-gitops promote prod/app TAG, or, if the reason is gone, bento-gitops unhold prod/app 1.1.0"
    )


def test_rollback_without_a_hold_can_be_taken_back_in_one_commit() -> None:
    after = made(standby(), lambda here: move.rollback(here, PLAN, {}, NOW, **WHO, hold=False))
    assert move.rollback(current(after), PLAN, {}, NOW, **WHO).after.stable == "green"


@pytest.mark.parametrize("text", [standby(capacity="warm"), standby(capacity="cold"), standby(track=", ready_for: 5")])
def test_rollback_to_a_standby_without_all_its_pods_is_two_commits_on_its_own_track(text: str) -> None:
    one = move.rollback(current(release_of(text)), PLAN, {"Runner": 7}, NOW, **WHO)
    check_move(one, Sizes(), PLAN, NOW)
    assert one.says == "1 of 2: 1.0.0 gets pods for all requests on track blue"
    assert one.after.tracks["blue"].weight == 0
    assert Sizes().of_track(one.after, "blue") == {"Api": 2, "Runner": 7}
    two = move.rollback(current(reread(one.after)), PLAN, {}, NOW, **WHO)
    check_move(two, Sizes(), PLAN, NOW)
    assert two.says == "2 of 2: all requests go to blue (1.0.0); 1.1.0 is held"
    assert (two.after.stable, two.after.tracks["blue"].weight, two.after.rollback) == ("blue", 100, None)


def test_rollback_to_a_bundle_that_is_gone_takes_a_free_track() -> None:
    one = move.rollback(current(release_of(STEADY)), PLAN, {}, NOW, **WHO)
    check_move(one, Sizes(live_min=9), PLAN, NOW)
    assert one.says == "1 of 2: 0.9.3 gets pods for all requests on track green"
    two = move.rollback(current(reread(one.after)), PLAN, {}, NOW, **WHO)
    check_move(two, Sizes(live_min=9), PLAN, NOW)
    assert two.after.tracks[two.after.stable].bundle == "0.9.3"


def test_rollback_takes_the_pods_of_a_track_on_its_way_out() -> None:
    plan = Plan(keep=timedelta())
    finished = made(canary(100), lambda here: move.finish(here, plan, NOW), plan)
    assert finished.standby is None
    assert move.rollback(current(finished), plan, {}, NOW, **WHO).after.candidate == "blue"


def test_the_second_part_keeps_what_the_first_was_told() -> None:
    after = made(restoring(hold="false", more=PAUSED), lambda here: move.rollback(here, PLAN, {}, NOW, by="ben", reason="other"))
    assert after.held is None
    assert after.paused is None, "a pause does not keep anybody from going back"


def test_the_second_part_waits_for_pods_that_somebody_took_away() -> None:
    found = move.rollback(current(release_of(restoring(ready_for=50))), PLAN, {}, NOW, **WHO)
    check_move(found, Sizes(), PLAN, NOW)
    assert found.says == "1 of 2: 1.0.0 gets pods for all requests on track blue"
    assert found.after.tracks["blue"].ready_for == 100


@pytest.mark.parametrize("capacity", ["full", "warm", "cold"])
def test_what_is_left_becomes_the_standby_whatever_was_that_before(capacity: str) -> None:
    text = standby(bundle="1.2.0", capacity=capacity, previous="0.9.3")
    one = made(text, lambda here: move.rollback(here, PLAN, {}, NOW, **WHO))
    two = move.rollback(current(one), PLAN, {}, NOW, **WHO)
    check_move(two, Sizes(), PLAN, NOW)
    assert two.after.standby is not None
    assert two.after.standby.track == "green"


def test_rollback_of_a_candidate_is_its_abort() -> None:
    found = move.rollback(current(release_of(canary(25))), PLAN, {}, NOW, **WHO)
    assert found == move.abort(current(release_of(canary(25))), PLAN, NOW, **WHO)


def test_rollback_is_refused_where_nothing_ran_before() -> None:
    todo = "promote the bundle: bento-gitops promote prod/app TAG"
    text = STEADY.replace('previous: {bundle: "0.9.3"}\n', "")
    assert refused(text, lambda here: move.rollback(here, PLAN, {}, NOW, **WHO)) == [
        f"rollback: there is nothing to go back to: no `previous`; {todo}"
    ]


def test_rollback_is_refused_for_all_reasons_at_once() -> None:
    text = standby(previous="1.1.0", more=HELD + RETIRING)
    assert refused(text, lambda here: move.rollback(here, PLAN, {}, NOW, **WHO)) == [
        "rollback: bundle 1.1.0 is held here (found by anna at 2026-11-01T09:00:00Z: wrong labels);"
        " bento-gitops promote prod/app TAG, or, if the reason is gone, bento-gitops unhold prod/app 1.1.0",
        "rollback: the application is being retired (found replaced by search); bento-gitops retire prod/app --undo",
        "rollback: there is nothing to go back to: `previous` names the bundle that is stable (found 1.1.0);"
        " promote the bundle: bento-gitops promote prod/app TAG",
    ]


@pytest.mark.parametrize(
    ("verb", "what"),
    [
        ("rollback", lambda here: move.rollback(here, PLAN, {}, NOW, **WHO)),
        ("promote", lambda here: move.promote(here, "1.0.0", PLAN, NOW)),
        ("canary abort", lambda here: move.abort(here, PLAN, NOW, **WHO)),
        ("canary step", lambda here: move.tidy(here, NOW)),
        ("canary resume", lambda here: move.resume(here, NOW)),
        ("hold", lambda here: move.hold(here, "1.0.0", NOW, **WHO)),
        ("unhold", lambda here: move.unhold(here, "1.0.0", NOW)),
        ("retire", lambda here: move.unretire(here, NOW)),
    ],
)
def test_nothing_is_done_to_an_application_that_is_not_there(verb: str, what) -> None:
    assert refused(None, what) == [
        f"{verb}: nothing runs here yet (found no release.yaml); begin with bento-gitops promote prod/app TAG"
    ]


# tidy, pause, hold, retire


def test_a_standby_past_its_end_goes_with_the_floor_of_stable() -> None:
    text = standby().replace("weight: 100}", "weight: 100, floor: {Runner: 9}}")
    early = move.tidy(current(release_of(text)), START + timedelta(minutes=59))
    assert not early.changes
    assert early.says == "no track has to go"
    late = START + timedelta(hours=1)
    found = move.tidy(current(release_of(text)), late)
    check_move(found, Sizes(), PLAN, late)
    assert (list(found.after.tracks), found.after.standby) == (["green"], None)
    assert found.after.tracks["green"].floor is None
    assert found.says == "blue (1.0.0) is removed: no request reaches it any more"


def test_a_standby_past_its_end_stays_until_it_drained() -> None:
    end = START + timedelta(hours=1)
    text = standby(track=f", shifted: {timestamp(end - timedelta(minutes=4))}")
    assert not move.tidy(current(release_of(text)), end).changes
    assert move.tidy(current(release_of(text)), end + timedelta(minutes=1)).changes


def test_several_tracks_without_a_part_go_together() -> None:
    text = standby().replace(
        "tracks:\n", 'tracks:\n  amber: {bundle: "0.8.0", weight: 0}\n  teal: {bundle: "0.7.0", weight: 0}\n'
    )
    assert sorted(made(text, lambda here: move.tidy(here, NOW)).tracks) == ["blue", "green"]


def test_the_floor_of_stable_stays_while_a_candidate_is_on_trial() -> None:
    text = canary(5).replace("weight: 95}", "weight: 95, floor: {Runner: 9}}\n  amber: {bundle: '0.8.0', weight: 0}")
    after = made(text, lambda here: move.tidy(here, NOW))
    assert after.tracks["blue"].floor == {"Runner": 9}


def test_pause_and_resume_change_nothing_else() -> None:
    before = release_of(canary(25))
    paused = made(canary(25), lambda here: move.pause(here, NOW, **WHO))
    resumed = move.resume(current(paused), NOW).after
    assert resumed.model_copy(update={"since": before.since}) == before
    assert not move.resume(current(resumed), NOW).changes


def test_a_held_bundle_is_no_longer_promoted_until_it_is_unheld() -> None:
    held = made(STEADY, lambda here: move.hold(here, "1.1.0", NOW, **WHO))
    with pytest.raises(Refused, match="is held here"):
        move.promote(current(held), "1.1.0", PLAN, NOW)
    free = move.unhold(current(held), "1.1.0", NOW).after
    assert free.held is None
    assert not move.unhold(current(free), "1.1.0", NOW).changes
    assert move.promote(current(free), "1.1.0", PLAN, NOW).changes


def test_a_candidate_is_held_by_its_abort_alone() -> None:
    assert refused(canary(5), lambda here: move.hold(here, "1.1.0", NOW, **WHO)) == [
        "hold: this bundle is the candidate (found 1.1.0); bento-gitops canary abort prod/app takes it back and holds it"
    ]
    assert refused(restoring(), lambda here: move.hold(here, "1.0.0", NOW, **WHO)) == [
        "hold: this bundle is the candidate (found 1.0.0); end the rollback first: bento-gitops canary abort prod/app"
    ]


def test_retire_closes_the_routes_and_can_be_undone() -> None:
    after = made(STEADY, lambda here: move.retire(here, NOW, **WHO))
    assert after.retiring is not None
    assert after.retiring.at == timestamp(NOW)
    assert move.unretire(current(after), NOW).after.retiring is None
    assert refused(STEADY + RETIRING, lambda here: move.retire(here, NOW, **WHO)) == [
        "retire: the application is being retired (found replaced by search); bento-gitops retire prod/app --undo"
    ]


# what every transition does


def test_broken_glass_is_recorded_with_its_transition_alone() -> None:
    found = move.promote(current(release_of(STEADY)), "1.1.0", PLAN, NOW).breaking(["soak"], "anna", "the site is down")
    assert found.after.break_glass == BrokenGlass(by="anna", reason="the site is down", gates=["soak"])
    assert reread(found.after) == found.after
    assert move.pause(current(found.after), NOW, **WHO).after.break_glass is None


def test_what_changes_nothing_breaks_no_glass() -> None:
    assert not move.shift(current(release_of(canary(5))), 5, NOW).breaking(["soak"], "anna", "why not").changes


@pytest.mark.parametrize("seconds", [-3600, -1, 0, 0.4])
def test_since_rises_though_a_clock_is_behind(seconds: float) -> None:
    before = release_of(canary(25))
    after = move.pause(current(before), START + timedelta(seconds=seconds), **WHO).after
    assert after.since == timestamp(START + timedelta(seconds=1))
