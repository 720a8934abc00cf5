"""What holds of releases whatever commands, clocks, observations, failures and hand edits come in which order."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from bento_gitops.model.base import moment, timestamp
from bento_gitops.model.evidence import Evidence, Measured, Observation
from bento_gitops.model.problem import InvalidInput, Refused
from bento_gitops.model.release import Capacity, Previous, Release, ReleasedTrack, Standby
from bento_gitops.model.rollout import Strategy
from bento_gitops.releasing import transitions
from bento_gitops.releasing.evidence import live_since, recorded, soaked
from bento_gitops.releasing.gates import fresh
from bento_gitops.releasing.plan import Limits, Plan
from bento_gitops.releasing.states import state_of, swaps_back
from bento_gitops.releasing.stepping import Step, next_step
from bento_gitops.releasing.transitions import Move
from hypothesis import given
from hypothesis import strategies as st
from release_world import BAD, FEW, GOOD, HERE, START, Sizes, check_move, check_state, current, observation, reread

BUNDLES = ["1.0.0", "1.1.0", "1.2.0", "1.3.0"]
CAPACITIES: list[Capacity] = ["full", "warm", "cold"]
WORDS = ["anna", "no: 'more'", "yes", "1:30", "# \n\nbad\tanswers é", ""]
FAULTS = ["cluster", "old", "early", "future", "no weights", "weights", "bundle", "unseen", "no pods", "pods", "nobody"]
WAITS = [0, 0.4, 1, 20, 61, 301, 601, 1801, 3700, -0.7, -2, -30]
"""Seconds between two things that happen; clocks of two machines differ, so time also goes back a little."""
SEEDS = range(160)
AT_ONCE = 20
"""Sequences in one test: enough that its set-up does not count, few enough that tests run side by side."""
LENGTH = 24


def _plan(choose: random.Random) -> Plan:
    strategies: list[Strategy] = ["canary", "blue-green", "direct"]
    return Plan(
        strategy=choose.choices(strategies, [6, 2, 1])[0],
        steps=choose.choice([(1, 5, 25, 50, 100), (100,), (50, 100), (33, 100)]),
        interval=choose.choice([timedelta(), timedelta(minutes=1), timedelta(minutes=10)]),
        keep=choose.choice([timedelta(), timedelta(minutes=2), timedelta(hours=1)]),
        standby=choose.choice(["full", "full", "warm", "cold"]),
        limits=Limits(patience=choose.choice([timedelta(), timedelta(minutes=30)])),
    )


def _sizes(choose: random.Random) -> Sizes:
    return Sizes(minimum={"Api": choose.randint(1, 4), "Runner": choose.randint(1, 9)}, live_min=choose.choice([None, 1, 2, 5]))


def _with_fault(seen: Observation, release: Release, fault: str, now: datetime) -> Observation | None:
    """An observation that must not be decided by, for the reason that is named; without one, as it is."""
    name = release.candidate or release.stable
    track = seen.tracks[name]
    weights = seen.weights or {}
    few = {component: pods - 1 for component, pods in (track.ready or {}).items()}
    changes: dict[str, dict[str, object]] = {
        "": {},
        "cluster": {"cluster": "prod-us"},
        "old": {"at": timestamp(now - timedelta(minutes=11))},
        "early": {"at": timestamp(moment(release.tracks[name].shifted or release.since) - timedelta(seconds=5))},
        "future": {"at": timestamp(now + timedelta(minutes=4))},
        "no weights": {"weights": None},
        "weights": {"weights": {**weights, name: (weights[name] + 1) % 101, release.stable: 3}},
        "bundle": {"tracks": {**seen.tracks, name: track.model_copy(update={"bundle": "0.1.0"})}},
        "unseen": {"tracks": {other: one for other, one in seen.tracks.items() if other != name}},
        "no pods": {"tracks": {**seen.tracks, name: track.model_copy(update={"ready": None})}},
        "pods": {"tracks": {**seen.tracks, name: track.model_copy(update={"ready": few})}},
    }
    return None if fault == "nobody" else seen.model_copy(update=changes[fault])


class Releases:
    """An application from its first bundle on: people, a scheduler and clocks, in an order that a seed decides."""

    def __init__(self, seed: int) -> None:
        self.choose = choose = random.Random(seed)
        self.plan, self.sizes, self.now = _plan(choose), _sizes(choose), START
        self.evidence: dict[str, Evidence] = {}
        self.first_live: dict[tuple[str, int, str], datetime] = {}
        self.log = [f"seed {seed}: {self.plan}, {self.sizes}"]
        move = transitions.install(current(None), "1.0.0", self.now)
        check_move(move, self.sizes, self.plan, self.now)
        self.release = move.after

    def happens(self) -> None:
        """Anything that somebody may do; what fits the state more often than what is refused."""
        fits = [
            self.time_passes,
            self.scheduler_comes_by,
            self.scheduler_comes_by,
            self.step,
            self.step,
            self.rollback,
            self.odd_job,
        ]
        if self.release.candidate:
            fits += [self.prepare, self.prepare, self.shift, self.shift, self.finish, self.abort, self.record]
            fits += [self.shift_and_finish, self.somebody_edits_the_candidate]
        else:
            fits += [self.promote] * 6 + [self.somebody_adds_a_track, self.somebody_names_a_standby, self.record]
        if self.choose.random() < 0.1:
            fits = [self.promote, self.prepare, self.shift, self.finish, self.abort]
        one = self.choose.choice(fits)
        self.log.append(f"{self.now:%H:%M:%S.%f} {one.__name__} {self.release.model_dump(exclude_none=True)}")
        one()

    # What happens

    def time_passes(self) -> None:
        self.now += timedelta(seconds=self.choose.choice(WAITS))

    def promote(self) -> None:
        bundle = self.choose.choice(BUNDLES)
        self._try(lambda: transitions.promote(current(self.release), bundle, self.plan, self.now))

    def prepare(self) -> None:
        weight, floor, kept = self._weight(), self._floor(), self._floor()
        before = self.release
        move = self._try(lambda: transitions.prepare(current(self.release), weight, floor, self.now, kept=kept))
        if move and before.candidate and weight >= (before.tracks[before.candidate].ready_for or 0):
            had, has = (self.sizes.of_track(release, before.candidate) for release in (before, move.after))
            assert all(has[name] >= pods for name, pods in had.items()), "prepared for more with fewer pods"

    def shift(self) -> None:
        ready_for = self.release.tracks[self.release.candidate or self.release.stable].ready_for or 0
        weight = self.choose.choice([self._weight(), ready_for, self.choose.randint(0, ready_for)])
        self._try(lambda: transitions.shift(current(self.release), weight, self.now))

    def finish(self) -> None:
        self._try(lambda: transitions.finish(current(self.release), self.plan, self.now))

    def shift_and_finish(self) -> None:
        self._try(lambda: transitions.prepare(current(self.release), 100, self._floor(), self.now))
        self._try(lambda: transitions.shift(current(self.release), 100, self.now))
        self.now += timedelta(seconds=self.choose.choice([0, 400]))
        self.finish()

    def abort(self) -> None:
        self._try(lambda: transitions.abort(current(self.release), self.plan, self.now, **self._said()))

    def rollback(self) -> None:
        floor, said = self._floor(), self._said()
        self._try(lambda: transitions.rollback(current(self.release), self.plan, floor, self.now, **said))

    def odd_job(self) -> None:
        verb = self.choose.choice(["pause", "resume", "retire", "unretire", "unretire", "hold", "unhold", "unhold", "tidy"])
        tag = [self.choose.choice(BUNDLES)] if verb in ("hold", "unhold") else []
        said = {"by": "anna", "reason": "because"} if verb in ("pause", "retire", "hold") else {}
        self._try(lambda: getattr(transitions, verb)(current(self.release), *tag, self.now, **said))

    def scheduler_comes_by(self) -> None:
        """All is well, and it has work."""
        seconds = self.choose.choice([1, 59, 301, 601])
        for _ in range(self.choose.randint(1, 8)):
            self._step("", GOOD, 0)
            self.now += timedelta(seconds=seconds)

    def step(self) -> None:
        """It comes by, some times in a row with the same observation in its hands, and perhaps that is a wrong one."""
        fault, measured = self._look()
        age = self.choose.choice([0, 0, 0, 90])
        seen = self._observed(fault, measured, age)
        for _ in range(self.choose.randint(1, 3)):
            self._decide(seen, fault, measured)

    def record(self) -> None:
        fault, measured = self._look()
        seen = self._observed(fault, measured, 0)
        if seen is not None and fresh(seen, HERE.cluster, self.now)[0] is not None:
            self._record(seen, fault)

    def somebody_edits_the_candidate(self) -> None:
        name, stable = self.release.candidate or "", self.release.stable
        ready_for = self.choose.choice([None, self.choose.randint(0, 100), 100])
        weight = self.choose.randint(0, ready_for) % 100 if ready_for else 0
        changes = {"weight": weight, "ready_for": ready_for, "shifted": None}
        tracks = {
            **self.release.tracks,
            name: self.release.tracks[name].model_copy(update=changes),
            stable: self.release.tracks[stable].model_copy(update={"weight": 100 - weight}),
        }
        self._edit(tracks=tracks, rollback=self.choose.choice([None, self.release.rollback]))

    def somebody_adds_a_track(self) -> None:
        bundle, ready_for = self.choose.choice(BUNDLES), self.choose.choice([None, 0, 5])
        name = self.choose.choice(["amber", "hand1", "hand2"])
        if name not in self.release.tracks:
            track = ReleasedTrack(bundle=bundle, weight=0, ready_for=ready_for)
            self._edit(tracks={**self.release.tracks, name: track}, previous=Previous(bundle=self.choose.choice(BUNDLES)))

    def somebody_names_a_standby(self) -> None:
        others = sorted(self.release.tracks.keys() - {self.release.stable, self.release.candidate})
        if others:
            until = timestamp(self.now + timedelta(minutes=self.choose.randint(-30, 60)))
            capacity = self.choose.choice(CAPACITIES)
            self._edit(standby=Standby(track=self.choose.choice(others), until=until, capacity=capacity))

    def _weight(self) -> int:
        return self.choose.choice([0, 1, 5, 24, 25, 50, 99, 100, 100, -1, 101, self.choose.randint(0, 100)])

    def _floor(self) -> dict[str, int]:
        return {name: self.choose.randint(0, 20) for name in self.choose.choice([(), (), ("Api",), ("Api", "Runner")])}

    def _said(self) -> dict[str, Any]:
        return {"by": "anna", "reason": self.choose.choice(WORDS), "hold": self.choose.random() < 0.6}

    def _look(self) -> tuple[str, Measured | None]:
        fault = self.choose.choice(FAULTS) if self.choose.random() < 0.4 else ""
        return fault, self.choose.choice([GOOD, GOOD, GOOD, BAD, FEW, None])

    def _observed(self, fault: str, measured: Measured | None, age: int) -> Observation | None:
        seen = observation(self.release, self.sizes, self.now - timedelta(seconds=age), measured)
        return _with_fault(seen, self.release, fault, self.now)

    def _step(self, fault: str, measured: Measured | None, age: int) -> None:
        self._decide(self._observed(fault, measured, age), fault, measured)

    def _decide(self, seen: Observation | None, fault: str, measured: Measured | None) -> None:
        before, step = self.release, self._next(seen)
        if step.deed == "record":
            assert seen is not None
            assert not self._record(seen, fault), "a step records what cannot be recorded"
        elif step.deed != "hold":
            move = self._do(step)
            self._allowed(before, move, step, seen, fault, measured)

    # What holds in every state

    def check(self) -> None:
        check_state(self.release, self.sizes)
        if self.release.candidate:
            self.a_candidate_can_always_be_aborted()
            self.no_doubtful_observation_raises_a_weight()
        self.rollback_gets_back_to_what_ran_before()

    def a_candidate_can_always_be_aborted(self) -> None:
        move = transitions.abort(current(self.release), self.plan, self.now, by="anna", reason="bad")
        check_move(move, self.sizes, self.plan, self.now)
        assert state_of(move.after) == "steady"
        assert move.after.tracks[self.release.stable].weight == 100
        assert self.release.candidate in move.after.tracks

    def no_doubtful_observation_raises_a_weight(self) -> None:
        release, name = self.release, self.release.candidate
        assert name is not None
        sound = observation(release, self.sizes, self.now)
        began = moment(release.tracks[name].shifted or release.since)
        for fault in FAULTS:
            seen = _with_fault(sound, release, fault, self.now)
            if seen and fault == "early" and moment(seen.at) >= began:
                continue
            step = self._next(seen)
            # The first part of a rollback asks for pods, which it may without knowing of any.
            asks = release.rollback is not None and release.tracks[name].ready_for != 100
            assert step.deed not in ("shift", "rollback", "finish") or asks, f"{step.deed} by an observation with fault: {fault}"

    def rollback_gets_back_to_what_ran_before(self) -> None:
        release, restores = self.release, self.release.rollback is not None
        if release.candidate and not restores:
            back = self._rollback(release)
            assert state_of(back) == "steady"
            assert back.stable == release.stable
            return
        if release.previous is None or release.retiring:
            return
        bundle, bad = release.previous.bundle, release.tracks[release.stable].bundle
        if not release.candidate and (bundle in (release.held or {}) or bundle == bad):
            with pytest.raises(Refused):
                self._rollback(release)
            return
        one = self._rollback(release)
        assert restores or (one.candidate is None) == swaps_back(release), "swaps_back says whether rollback is one commit"
        done = one if one.candidate is None else self._rollback(one)
        done = self._rollback(done) if restores and done.candidate is not None else done  # somebody took pods away between
        assert done.candidate is None, "a rollback is two commits at most"
        assert done.tracks[done.stable].bundle == bundle
        assert done.tracks[done.stable].weight == 100
        assert done.previous == Previous(bundle=bad)
        if restores and not (release.rollback and release.rollback.hold):
            return
        with pytest.raises(Refused, match=f"bundle {bad} is held here"):
            self._rollback(done)

    # How it ends: from wherever this got to, the scheduler alone brings it to rest

    def it_comes_to_rest(self) -> None:
        start = self.release
        for measured in (GOOD, BAD, FEW, None):
            release = transitions.resume(current(start), self.now).after
            self._drive(release, measured)
        if start.candidate and start.paused is None:
            paused = transitions.pause(current(start), self.now, by="anna", reason="look").after
            assert start.candidate is not None
            held = self._drive(paused, GOOD, until_steady=False)
            assert held.tracks[start.candidate].weight == start.tracks[start.candidate].weight, "a paused candidate rose"
            assert held.paused is not None

    def _drive(self, release: Release, measured: Measured | None, *, until_steady: bool = True) -> Release:
        """Steps with prompt observations until there is nothing left to do."""
        candidate, restores, stable = release.candidate, release.rollback is not None, release.stable
        evidence = dict(self.evidence)
        begin = now = max(self.now, moment(release.since)) + timedelta(seconds=1)
        waited, step = timedelta(), Step("hold", "not looked yet")
        for _ in range(130):
            tag = release.tracks[release.candidate or release.stable].bundle
            seen = observation(release, self.sizes, now, measured)
            needed = self.sizes.of_track(release, release.candidate or release.stable)
            step = next_step(release, self.plan, seen, evidence.get(tag), HERE, needed, now)
            if step.over:
                break
            if step.deed == "record":
                assert release.candidate
                evidence[tag], notes = recorded(evidence.get(tag), seen, release, release.candidate, "app", needed, HERE)
                assert notes == []
            elif step.deed != "hold":
                if step.deed == "abort" and measured in (FEW, None):
                    waited = now - begin
                release = _done(release, step, self.plan, now).after
            if not until_steady and now - begin > timedelta(hours=2):
                return release
            now += timedelta(minutes=5 if step.deed == "hold" else 0, seconds=1)
        if not until_steady:
            return release
        assert step.over, f"does not come to rest: {step}"
        assert release.tracks.keys() == {release.stable}
        if candidate is None:
            return release
        on_trial = not restores
        kept = measured is GOOD or not on_trial
        assert release.stable == (candidate if kept else stable), f"{measured}: {step}"
        if measured in (FEW, None) and on_trial:
            assert waited <= self.plan.interval + self.plan.limits.patience + timedelta(minutes=25)
        return release

    # How it is done

    def _rollback(self, release: Release) -> Release:
        move = transitions.rollback(current(release), self.plan, {}, self.now, by="anna", reason="bad")
        check_move(move, self.sizes, self.plan, self.now)
        return move.after

    def _try(self, what: Callable[[], Move]) -> Move | None:
        try:
            move = what()
        except Refused as refused:
            assert refused.problems
            for problem in refused.problems:
                assert problem.wrong
                assert problem.todo, "a refusal says what to do"
            return None
        check_move(move, self.sizes, self.plan, self.now)
        assert move.before == self.release
        self.release = reread(move.after)
        return move

    def _edit(self, **changes: object) -> None:
        """Somebody writes the file; the reader says whether that may be."""
        since = timestamp(max(self.now, moment(self.release.since)))
        try:
            self.release = reread(self.release.model_copy(update={**changes, "since": since}))
        except InvalidInput:
            return

    def _needed(self) -> dict[str, int]:
        return self.sizes.of_track(self.release, self.release.candidate or self.release.stable)

    def _next(self, seen: Observation | None) -> Step:
        tag = self.release.tracks[self.release.candidate or self.release.stable].bundle
        asked = (self.release, self.plan, seen, self.evidence.get(tag), HERE, self._needed(), self.now)
        step = next_step(*asked)
        assert next_step(*asked) == step, "the same input gives the same answer"
        return step

    def _do(self, step: Step) -> Move:
        move = _done(self.release, step, self.plan, self.now)
        check_move(move, self.sizes, self.plan, self.now)
        assert move.changes, f"a step that does nothing is called {step.deed}"
        self.release = reread(move.after)
        return move

    def _allowed(
        self, before: Release, move: Move, step: Step, seen: Observation | None, fault: str, measured: Measured | None
    ) -> None:
        """What a step may do, judged by what was put into its hands."""
        if before.candidate is None:
            assert step.deed == "retire-standby"
            assert seen is not None and seen.weights is not None, "no pods go before somebody saw that nothing asks them"
            assert fault not in ("cluster", "old", "future", "nobody")
            return
        name = before.candidate
        assert seen is not None
        assert fault not in ("cluster", "old", "future", "nobody"), "decided by an observation that says nothing of here and now"
        if before.rollback is not None:
            assert step.deed == "rollback", "a rollback is finished, not judged"
        if step.deed == "abort":
            assert before.tracks[name].weight, "nothing can be bad without requests"
            assert measured is BAD or measured in (FEW, None) or fault in ("no pods", "pods"), fault
            return
        assert before.paused is None or step.deed == "abort"
        rises = name in move.after.tracks and move.after.tracks[name].weight > before.tracks[name].weight
        if not rises:
            return
        assert fault == "" or (fault == "early" and moment(seen.at) >= moment(before.tracks[name].shifted or before.since))
        track = before.tracks[name]
        if before.rollback is None and track.weight:
            assert measured is GOOD, "raised without a good judgement"
            began = self.first_live[track.bundle, track.weight, track.shifted or before.since]
            assert self.now - began >= self.plan.interval, "raised before the interval was over"

    def _record(self, seen: Observation, fault: str) -> list[str]:
        release, name = self.release, self.release.candidate or self.release.stable
        track = release.tracks[name]
        old = self.evidence.get(track.bundle)
        new, notes = recorded(old, seen, release, name, "app", self._needed(), HERE)
        if new.seen != (old.seen if old else []):
            assert fault in ("", "future", "old", "early"), f"recorded although {fault}"
            shifted = track.shifted or release.since
            assert moment(seen.at) >= moment(shifted), "seen before it was so"
            self.first_live.setdefault((track.bundle, track.weight, shifted), moment(seen.at))
            again, _ = recorded(new, seen, release, name, "app", self._needed(), HERE)
            assert again == new, "the same observation counts once"
        self.evidence[track.bundle] = new
        return notes


def _done(release: Release, step: Step, plan: Plan, now: datetime) -> Move:
    """What `canary step` does with a step's decision; no step is refused."""
    here = current(release)
    said: dict[str, Any] = {"by": "scheduler", "reason": step.reason}
    match step.deed:
        case "prepare":
            return transitions.prepare(here, step.weight or 0, {}, now)
        case "shift":
            return transitions.shift(here, step.weight or 0, now)
        case "finish":
            return transitions.finish(here, plan, now)
        case "abort":
            return transitions.abort(here, plan, now, **said)
        case "rollback":
            return transitions.rollback(here, plan, {}, now, **said)
        case "retire-standby":
            return transitions.tidy(here, now)
        case _:
            raise AssertionError(step)


@pytest.mark.parametrize("first", [seed for seed in SEEDS if seed % AT_ONCE == 0])
def test_every_invariant_holds_whatever_happens_in_which_order(first: int) -> None:
    for seed in range(first, first + AT_ONCE):
        world = Releases(seed)
        try:
            for _ in range(LENGTH):
                world.happens()
                world.check()
            world.it_comes_to_rest()
        except AssertionError as error:
            error.add_note("\n".join([world.log[0], *world.log[-4:], f"now {world.release.model_dump(exclude_none=True)}"]))
            raise


@given(st.lists(st.tuples(st.integers(0, 90), st.sampled_from("AAAB"), st.booleans()), max_size=12), st.integers(0, 2))
def test_soak_is_the_longest_unbroken_stretch_of_the_same_bundle_and_values(looks, shifts: int) -> None:
    """Looks, some minutes apart: with which values it ran, and whether Git was live."""
    release = transitions.install(current(None), "1.0.0", START).after
    bindings = {"A": HERE, "B": replace(HERE, fingerprint=f"sha256:{'b' * 64}")}
    evidence: Evidence | None = None
    stretch: list[datetime] = []
    last, longest, now = "", timedelta(), START
    for minutes, values, live in looks:
        now += timedelta(minutes=minutes)
        seen = observation(release, Sizes(), now)
        seen = seen if live else seen.model_copy(update={"weights": {"blue": 90}})
        evidence, notes = recorded(evidence, seen, release, "blue", "app", Sizes().of_track(release, "blue"), bindings[values])
        assert bool(notes) != live
        if not live:
            continue
        stretch = [*stretch, now] if values == last else [now]
        last = values
        if values == "A":
            longest = max(longest, stretch[-1] - stretch[0])
        began = live_since(evidence, bindings[values], 100, release.tracks["blue"].shifted or "")
        assert began == stretch[0]
    assert soaked(evidence, HERE) == longest
    assert soaked(evidence, replace(HERE, chart="1.5.0")) == timedelta()
    assert soaked(evidence, replace(HERE, cluster="prod-us")) == timedelta()


@given(st.integers(0, 100), st.integers(1, 30), st.none() | st.integers(1, 9))
def test_a_candidate_has_pods_for_its_share_of_what_stable_has(weight: int, minimum: int, live_min: int | None) -> None:
    sizes = Sizes(minimum={"Runner": minimum}, maximum=40, live_min=live_min)
    release = transitions.install(current(None), "1.0.0", START).after
    staged = transitions.promote(current(release), "1.1.0", Plan(), START).after
    prepared = transitions.prepare(current(staged), weight, {}, START).after
    pods = sizes.of_track(prepared, "green")["Runner"]
    assert pods == max(math.ceil(weight * minimum / 100), live_min or 1)
