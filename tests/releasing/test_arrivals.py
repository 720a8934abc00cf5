"""What arrives at once: each transition by itself passes, and several that together raise a weight and change pods do not."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from bento_gitops.model.problem import Place, Problem, Refused
from bento_gitops.model.release import BrokenGlass, Release
from bento_gitops.releasing import transitions
from bento_gitops.releasing.arrivals import Arriving, Served, clashes, passed_over
from bento_gitops.releasing.plan import Plan
from bento_gitops.releasing.transitions import Move
from release_world import FILE, START, Sizes, current, release_of

SIZES = Sizes()
STEADY = """stable: blue
tracks:
  blue: {bundle: "1.0.0", weight: 100, shifted: 2026-11-02T09:00:00Z}
"""
SEEDS = range(12)
PLANS = [
    Plan(),
    Plan(standby="warm", keep=timedelta(minutes=10)),
    Plan(standby="cold", keep=timedelta(minutes=10)),
    Plan(keep=timedelta()),
]


def _served(release: Release, sizes: Sizes = SIZES) -> Served:
    return Served(
        release.stable,
        {name: Arriving(track.bundle, track.weight, sizes.of_track(release, name)) for name, track in release.tracks.items()},
    )


def _told(before: Release, after: Release, *, direct: bool = False, sizes: Sizes = SIZES) -> list[Problem]:
    places = {name: Place(FILE, number) for number, name in enumerate(after.tracks, 4)}
    return clashes("prod/app", _served(before), _served(after, sizes), places, direct=direct)


def _harms(before: Release, after: Release) -> bool:
    """Told without what the module knows: pods and requests by track and bundle, as the cluster has them."""

    def by_bundle(release: Release, what: str) -> dict[tuple[str, str, str], int]:
        bundles = {name: track.bundle for name, track in release.tracks.items()}
        if what == "pods":
            return {(name, bundles[name], part): pods for (name, part), pods in SIZES.pods(release).items() if pods}
        return {(name, bundles[name], ""): track.weight for name, track in release.tracks.items()}

    old, new = (by_bundle(release, "requests") for release in (before, after))
    raised = any(weight > old.get(key, 0) for key, weight in new.items())
    return raised and by_bundle(before, "pods") != by_bundle(after, "pods")


def _ways(choose: random.Random, release: Release, plan: Plan, now: datetime) -> list[Callable[[], Move]]:
    """What somebody may try, what leads to the end of a rollout first."""
    here, weight = current(release), choose.choice([1, 5, 25, 50, 100, 100])
    bundle, anything = choose.choice(["1.1.0", "1.2.0", "1.0.0"]), choose.randint(0, 100)
    floor = {"Runner": choose.randint(1, 9)} if choose.random() < 0.3 else {}
    return [
        lambda: transitions.promote(here, bundle, plan, now),
        lambda: transitions.prepare(here, weight, floor, now, kept=floor),
        lambda: transitions.shift(here, weight, now),
        lambda: transitions.shift(here, anything, now),
        lambda: transitions.finish(here, plan, now),
        lambda: transitions.abort(here, plan, now, by="anna", reason="bad", hold=False),
        lambda: transitions.rollback(here, plan, floor, now, by="anna", reason="bad", hold=False),
        lambda: transitions.tidy(here, now),
        lambda: transitions.pause(here, now, by="anna", reason="lunch"),
        lambda: transitions.resume(here, now),
    ]


def _random_moves(seed: int, plan: Plan) -> list[Move]:
    """A sequence of transitions as they may follow each other, from a steady state."""
    choose = random.Random(seed)
    release, now, moves = release_of(STEADY), START, list[Move]()
    while len(moves) < 40:
        now += timedelta(minutes=choose.choice([1, 6, 30]))
        ways = _ways(choose, release, plan, now)
        try:
            move = choose.choice([*ways[:5], *ways])()
        except Refused:
            continue
        if move.changes:
            moves.append(move)
            release = move.after
    return moves


@pytest.mark.parametrize("plan", PLANS, ids=["full", "warm", "cold", "none"])
def test_every_transition_passes_and_those_that_harm_together_do_not(plan: Plan) -> None:
    harmful = harmless = 0
    for seed in SEEDS:
        moves = _random_moves(seed, plan)
        for number, first in enumerate(moves):
            assert first.before is not None
            assert _told(first.before, first.after) == [], first
            for last in moves[number + 1 : number + 5]:
                harms = _harms(first.before, last.after)
                assert bool(_told(first.before, last.after)) == harms, f"{first} ... {last}"
                harmful += harms
                harmless += not harms
    assert harmful > 100, "the sequences prove something"
    assert harmless > 100


def _chain(*moves: Callable[[Release], Move]) -> tuple[Release, Release]:
    start = release = release_of(STEADY)
    for move in moves:
        release = move(release).after
    return start, release


def _promote(release: Release) -> Move:
    return transitions.promote(current(release), "1.1.0", Plan(), START)


def _prepare(weight: int) -> Callable[[Release], Move]:
    return lambda release: transitions.prepare(current(release), weight, {}, START)


def _shift(weight: int) -> Callable[[Release], Move]:
    return lambda release: transitions.shift(current(release), weight, START)


def _finish(release: Release) -> Move:
    return transitions.finish(current(release), Plan(), START)


def test_promote_prepare_and_shift_at_once_are_told_with_the_commands_that_make_two_of_them() -> None:
    (problem,) = _told(*_chain(_promote, _prepare(100), _shift(100)))
    assert str(problem) == (
        "environments/prod/app/release.yaml:5: tracks.green.weight: gets 100 % instead of 0 % of the requests in the same"
        " change that changes pods: the cluster sees only the end of it, and they are not ready then (found green is new); make"
        " two pull requests, pods first: `bento-gitops promote prod/app 1.1.0` and `bento-gitops canary prepare prod/app 100`;"
        " when they are merged and the pods are ready, `bento-gitops canary shift prod/app 100`"
    )
    assert _told(*_chain(_promote, _prepare(100))) == [], "pods alone may come in one"
    (finished,) = _told(*_chain(_promote, _prepare(100), _shift(100), _finish))
    assert finished.pointer == "tracks.green.weight"


def test_prepare_and_shift_at_once_are_told_with_the_pods_that_are_missing() -> None:
    staged = _chain(_promote, _prepare(25), _shift(25))[1]
    (problem,) = _told(staged, _shift(75)(_prepare(75)(staged).after).after)
    assert problem.found == "pods of green: Api 1 -> 2, Runner 1 -> 3"
    assert problem.todo.startswith("make two pull requests, pods first: `bento-gitops canary prepare prod/app 75`; when")


def test_a_weight_that_rises_while_the_configuration_changes_the_pods_is_told() -> None:
    staged = _chain(_promote, _prepare(25))[1]
    (problem,) = _told(staged, _shift(25)(staged).after, sizes=Sizes(minimum={"Api": 2, "Runner": 8}))
    assert problem.found == "pods of blue: Runner 4 -> 8; pods of green: Runner 1 -> 2"
    back = transitions.abort(current(_shift(25)(staged).after), Plan(), START, by="anna", reason="bad").after
    (problem,) = _told(_shift(25)(staged).after, back, sizes=Sizes(minimum={"Api": 1, "Runner": 4}))
    assert problem.pointer == "tracks.blue.weight"
    assert "one of the weights alone (`bento-gitops canary abort prod/app` or" in problem.todo


def test_another_bundle_under_the_name_of_a_track_with_requests_is_told() -> None:
    before = release_of(STEADY)
    (problem,) = _told(before, release_of(STEADY.replace("1.0.0", "1.1.0")))
    assert problem.found == "blue ran 1.0.0 and is 1.1.0"


def test_direct_is_let_through_where_it_is_allowed_and_nothing_else_is() -> None:
    before = release_of(STEADY)
    after = transitions.promote(current(before), "1.1.0", Plan(strategy="direct"), START).after
    assert _told(before, after)
    assert _told(before, after, direct=True) == []
    assert _told(*_chain(_promote, _prepare(50), _shift(50)), direct=True), "half of the requests is no direct promotion"


def test_a_track_that_goes_is_a_change_of_pods_unless_it_has_none() -> None:
    """As when the end of a standby and a step of the candidate come together."""
    text = """stable: blue
candidate: green
tracks:
  blue: {bundle: "1.0.0", weight: 100, shifted: 2026-11-02T09:00:00Z}
  green: {bundle: "1.1.0", weight: 0, ready_for: 25}
  amber: {bundle: "0.9.0", weight: 0, shifted: 2026-11-02T09:00:00Z}
standby: {track: amber, until: 2026-11-02T09:30:00Z, capacity: cold}
"""
    for capacity, found in (("cold", None), ("warm", "amber is gone"), ("full", "amber is gone")):
        before = release_of(text.replace("cold", capacity))
        after = _shift(25)(transitions.tidy(current(before), START).after).after
        assert after.tracks.keys() == {"blue", "green"}
        assert [problem.found for problem in _told(before, after)] == ([found] if found else [])
    full, cold = release_of(text.replace("cold", "full")), release_of(text)
    (problem,) = _told(full, _shift(25)(cold).after)
    assert problem.found == "amber loses its pods"
    (problem,) = _told(cold, _shift(25)(full).after)
    assert problem.found == "amber had no pods"


def test_glass_that_this_change_breaks_for_its_arrival_lets_it_pass_and_no_other() -> None:
    here = BrokenGlass(by="anna", reason="nothing answers anyway", gates=["arrival"])
    other = here.model_copy(update={"gates": ["soak"]})
    assert passed_over(None, here) == here
    assert passed_over(here, here) is None, "that was an earlier change"
    assert passed_over(other, here) == here
    assert passed_over(None, other) is None
    assert passed_over(here, None) is None
