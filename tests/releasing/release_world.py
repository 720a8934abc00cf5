"""What tests of release control share: releases, the pods that they come to, observations, and what a transition may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from bento_gitops.layers.marked import MarkedMap
from bento_gitops.layers.merging import Leaf, ResolvedMap, Said, leaf_at
from bento_gitops.layers.reading import read
from bento_gitops.model.base import moment, timestamp
from bento_gitops.model.evidence import Measured, Observation, ObservedAnalysis, ObservedTrack, Verification
from bento_gitops.model.problem import Place, Problem
from bento_gitops.model.release import Release, ReleasedTrack
from bento_gitops.releasing.evidence import Binding
from bento_gitops.releasing.plan import Plan
from bento_gitops.releasing.states import Current
from bento_gitops.releasing.transitions import Move
from bento_gitops.rendering.capacity import with_capacity

FILE = "environments/prod/app/release.yaml"
START = datetime(2026, 11, 2, 10, tzinfo=UTC)
"""A Monday."""
HERE = Binding(fingerprint=f"sha256:{'a' * 64}", chart="1.4.0", cluster="prod-eu")
DRAIN = timedelta(minutes=5)
NOWHERE = MarkedMap({}, Place(FILE, 1))


def release_of(text: str) -> Release:
    """A release as a person wrote it: its body, without the two first lines; `since` is START where it is not said."""
    since = "" if "since:" in text else f"since: {timestamp(START)}\n"
    return read(f"apiVersion: bento-gitops/v1\nkind: Release\n{since}{text}", FILE, Release).value


def current(release: Release | None) -> Current:
    return Current("prod/app", FILE, release)


def reread(release: Release) -> Release:
    """The release as the next command finds it, after it was written. Raises InvalidInput where no reader takes it.

    Equal ones come by again and again on the ways of a rollout; each is written and read once.
    """
    known = _REREAD.get(said := repr(release))
    if known is None:
        known = _REREAD[said] = _reread(release)
    return known


_REREAD: dict[str, Release] = {}


def _reread(release: Release) -> Release:
    text = yaml.dump(release.model_dump(exclude_none=True), Dumper=yaml.CSafeDumper, sort_keys=False)
    return read(text, FILE, Release).value


@dataclass(frozen=True)
class Sizes:
    """Pods by component as config.yaml says them, and the environment's minimum of a candidate."""

    minimum: Mapping[str, int] = field(default_factory=lambda: {"Api": 2, "Runner": 4})
    maximum: int = 20
    live_min: int | None = None
    _known: dict[int, tuple[Release, dict[tuple[str, str], int]]] = field(default_factory=dict, compare=False, repr=False)
    """By the object, which is kept with it: a release never changes, and is asked about dozens of times in a state."""

    def pods(self, release: Release) -> dict[tuple[str, str], int]:
        """Pods by track and component, by the very rule that writes them into values."""
        if id(release) not in self._known:
            self._known[id(release)] = release, self._pods(release)
        return self._known[id(release)][1]

    def _pods(self, release: Release) -> dict[tuple[str, str], int]:
        problems: list[Problem] = []
        result: dict[tuple[str, str], int] = {}
        least = None if self.live_min is None else (self.live_min, Place("environments/prod/environment.yaml", 12))
        for track in release.tracks:
            cold = release.standby and release.standby.track == track and release.standby.capacity == "cold"
            for name, minimum in self.minimum.items():
                component: ResolvedMap = {"scaling": {"min_replicas": _leaf(minimum), "max_replicas": _leaf(self.maximum)}}
                leaf = leaf_at(
                    with_capacity(component, name, track, release, NOWHERE, least, [], problems), ("scaling", "min_replicas")
                )
                assert leaf is not None
                result[track, name] = 0 if cold else int(str(leaf.value))
        assert problems == []
        return result

    def of_track(self, release: Release, track: str) -> dict[str, int]:
        return {component: pods for (name, component), pods in self.pods(release).items() if name == track}


def _leaf(value: int) -> Leaf:
    return Leaf(value, (Said("environment", Place("environments/prod/app/config.yaml", 5), value, "", True),))


GOOD = Measured(requests=1000, errors=1, p95=0.2)
BAD = Measured(requests=1000, errors=500, p95=0.2)
FEW = Measured(requests=3, errors=0, p95=0.2)


def observation(
    release: Release, sizes: Sizes, at: datetime, candidate: Measured | None = GOOD, *, run: str = "ci-1", **changes: Any
) -> Observation:
    """What somebody sees where Git's state is live with all its pods, and the candidate does as said."""
    tracks = {
        name: ObservedTrack(bundle=track.bundle, ready=sizes.of_track(release, name)) for name, track in release.tracks.items()
    }
    measured = {name: GOOD for name, track in release.tracks.items() if track.weight}
    if release.candidate and candidate is not None:
        measured[release.candidate] = candidate
    seen = Observation(
        apiVersion="bento-gitops/v1",
        kind="Observation",
        target="prod/app",
        at=timestamp(at),
        cluster=HERE.cluster,
        run=run,
        weights={name: track.weight for name, track in release.tracks.items()},
        tracks=tracks,
        analysis=None if candidate is None else ObservedAnalysis(window="10m", tracks=measured),
    )
    return seen.model_copy(update=changes)


def verified(track: str, *, passed: bool = True) -> Verification:
    return Verification(track=track, passed=passed, checks=12, failed=[] if passed else ["classify_ticket"])


def check_move(move: Move, sizes: Sizes, plan: Plan, now: datetime) -> None:
    """Every invariant that holds of one transition, whatever it is."""
    before, after = move.before, move.after
    if not move.changes:
        assert before == after
        return
    check_state(after, sizes)
    if before is None:
        assert move.transition == "install"
        return
    assert moment(after.since) > moment(before.since), "since rises, so that of two that race one does not fit"
    assert after.break_glass is None, "broken glass is of one transition"
    for name in before.tracks.keys() & after.tracks.keys():
        assert before.tracks[name].bundle == after.tracks[name].bundle, f"{name} got another bundle"
    assert move.transition != "direct" or plan.strategy == "direct"
    if move.transition != "direct":
        _pods_or_weight(move, before, sizes)
        _what_goes(before, after, now)
        _way_back(before, after, sizes)
        if after.stable != before.stable:
            _old_stable(before, after, plan, now)
    _shifted(before, after)


def check_state(release: Release, sizes: Sizes) -> None:
    """Every invariant that holds of a state."""
    assert reread(release) == release
    weights = [track.weight for track in release.tracks.values()]
    assert sum(weights) == 100
    assert all(type(weight) is int and 0 <= weight <= 100 for weight in weights)
    live = {name for name, track in release.tracks.items() if track.weight}
    assert live <= {release.stable, release.candidate}, "only stable and the one candidate get requests"
    for component, pods in sizes.of_track(release, release.stable).items():
        assert pods >= sizes.minimum[component], "stable has its full capacity in every state"
    if release.candidate:
        assert release.tracks[release.candidate].bundle not in (release.held or {}), "a held bundle is no candidate"


def _pods_or_weight(move: Move, before: Release, sizes: Sizes) -> None:
    old, new = before.tracks, move.after.tracks
    raised = [name for name, track in new.items() if track.weight > (old[name].weight if name in old else 0)]
    had, has = ({key: pods for key, pods in sizes.pods(release).items() if pods} for release in (before, move.after))
    assert not raised or had == has, f"{move.transition} raises {raised} and changes pods: {had} -> {has}"


def _way_back(before: Release, after: Release, sizes: Sizes) -> None:
    """Where all requests would go back to keeps its pods: the stable track beside a candidate, then as a full standby."""
    back = before.stable
    standby = after.standby is not None and (after.standby.track, after.standby.capacity) == (back, "full")
    if before.candidate and (after.stable == back or standby):
        had, has = sizes.of_track(before, back), sizes.of_track(after, back)
        assert all(has[component] >= pods for component, pods in had.items()), f"{back} loses pods: {had} -> {has}"


def _what_goes(before: Release, after: Release, now: datetime) -> None:
    for name in before.tracks.keys() - after.tracks.keys():
        track = before.tracks[name]
        assert track.weight == 0, f"{name} is removed with requests"
        standby = before.standby if before.standby and before.standby.track == name else None
        cold = standby is not None and standby.capacity == "cold"
        assert cold or now >= moment(track.shifted or before.since) + DRAIN, f"{name} is removed before it drained"
        displaced = after.candidate != before.candidate or after.stable != before.stable
        assert standby is None or displaced or now >= moment(standby.until), f"{name} is removed before its end"


def _old_stable(before: Release, after: Release, plan: Plan, now: datetime) -> None:
    old = before.stable
    assert old in after.tracks, "the old stable track is gone at once"
    assert after.tracks[old].weight == 0
    assert after.previous is not None
    assert after.previous.bundle == before.tracks[old].bundle
    if plan.keep:
        assert after.standby is not None
        assert after.standby.track == old, "the old stable track is not kept"
        assert moment(after.standby.until) >= now.replace(microsecond=0) + plan.keep
    if after.standby and after.standby.track == old and after.standby.capacity != "full":
        assert now >= moment(before.tracks[old].shifted or before.since) + DRAIN, "pods go while requests may be on their way"


def _shifted(before: Release, after: Release) -> None:
    """A weight that changes says when, and never what it said before: what was seen of it then is not seen of it now."""
    for name, track in after.tracks.items():
        old = before.tracks.get(name)
        if old is not None and old.weight != track.weight:
            assert track.shifted is not None
            assert moment(track.shifted) > moment(before.since)


def without(release: Release, track: str, **changes: Any) -> Release:
    """The release as somebody edited it by hand: a track with other things said of it."""
    tracks: dict[str, ReleasedTrack] = dict(release.tracks)
    tracks[track] = tracks[track].model_copy(update=changes)
    return release.model_copy(update={"tracks": tracks})


def with_plan(plan: Plan, **changes: Any) -> Plan:
    return replace(plan, **changes)
