"""What is known of a bundle in an environment: what an observation adds to it, and how long and how well it ran.

Evidence is bound to the fingerprint of bundle and values, the chart's version and the cluster. For anything else it is none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bento_gitops.model.base import moment
from bento_gitops.model.evidence import Evidence, Observation, ObservedTrack, Seen, Verification, Verified
from bento_gitops.model.release import Release
from bento_gitops.releasing.states import weights

FRESH = timedelta(minutes=10)
"""How old an observation may be for a decision."""
AHEAD = timedelta(minutes=2)
"""How far two clocks may differ."""


@dataclass(frozen=True, slots=True)
class Binding:
    """What evidence must be bound to, to count."""

    fingerprint: str
    """sha256 of the bundle and the values that it runs with."""
    chart: str
    """The chart's version."""
    cluster: str

    def differs(self, bound: Seen | Verified) -> str:
        """In what it was found to be something else, for people."""
        pairs = (
            ("other values", bound.fingerprint, self.fingerprint),
            (f"chart {bound.chart}, and this is {self.chart}", bound.chart, self.chart),
            (f"cluster {bound.cluster}, and this is {self.cluster}", bound.cluster, self.cluster),
        )
        return ", ".join(what for what, then, now in pairs if then != now) or "a lesser weight, or its checks are not recorded"

    def holds(self, bound: Seen | Verified) -> bool:
        return (bound.fingerprint, bound.chart, bound.cluster) == (self.fingerprint, self.chart, self.cluster)


def soaked(evidence: Evidence | None, binding: Binding) -> timedelta:
    """How long the bundle was seen running with all requests, at the longest stretch."""
    spans = [
        moment(seen.last) - moment(seen.first)
        for seen in (evidence.seen if evidence else ())
        if seen.weight == 100 and binding.holds(seen)
    ]
    return max(spans, default=timedelta())


def live_since(evidence: Evidence | None, binding: Binding, weight: int, shifted: str) -> datetime | None:
    """When the weight, as set at `shifted`, was first seen live; None where something else was seen since."""
    seen = _latest(evidence.seen) if evidence else None
    return moment(seen.first) if seen and _is_of(seen, weight, shifted, binding) else None


def last_verified(evidence: Evidence | None, binding: Binding) -> Verified | None:
    """The last check of its answers; of two at the same time the one that failed."""
    found = [verified for verified in (evidence.verified if evidence else ()) if binding.holds(verified)]
    return max(found, key=lambda verified: (moment(verified.at), not verified.passed), default=None)


def as_in_git(observation: Observation, release: Release) -> list[str]:
    """How what runs differs from what Git says; nothing where it is the same."""
    if observation.weights is None:
        return ["nobody looked at the live route"]
    if not observation.weights and any(weights(release).values()):
        return ["no route is in force that says what Git says"]
    wanted = weights(release)
    names = sorted(name for name in observation.weights.keys() | wanted.keys())
    found = [
        f"{name} has {observation.weights.get(name, 0)} % live and {wanted.get(name, 0)} % in Git"
        for name in names
        if observation.weights.get(name, 0) != wanted.get(name, 0)
    ]
    for name, track in release.tracks.items():
        seen = observation.tracks.get(name)
        if seen is not None and seen.bundle != track.bundle:
            found.append(f"{name} runs {seen.bundle} and is {track.bundle} in Git")
        elif seen is None and track.weight:
            found.append(f"nobody looked at {name}")
        elif seen is not None and seen.apart:
            found.append(_apart(name, seen.apart))
    return found


def _apart(track: str, components: Sequence[str]) -> str:
    return f"the pods of {', '.join(components)} on {track} are not made of what Git says: it is not synced yet"


def _moved(running: ObservedTrack | None, track: str, binding: Binding) -> list[str]:
    """That Git has other values now than those that what was seen was compared with."""
    if running is None or running.fingerprint is None or running.fingerprint == binding.fingerprint:
        return []
    return [f"the values of {track} were others in Git when somebody looked"]


def not_ready(observation: Observation, track: str, needed: dict[str, int]) -> list[str] | None:
    """Components of a track with fewer ready pods than needed; None: nobody looked, or nobody knows how many it takes."""
    seen = observation.tracks.get(track)
    if seen is None or seen.ready is None or not needed:
        return None
    return [f"{name} {seen.ready.get(name, 0)} of {pods}" for name, pods in needed.items() if seen.ready.get(name, 0) < pods]


def nobody_answers(observation: Observation, track: str, needed: Mapping[str, int]) -> list[str]:
    """Components of a track that were looked at and have no ready pod at all."""
    seen = observation.tracks.get(track)
    if seen is None or seen.ready is None:
        return []
    return [name for name, pods in needed.items() if pods and not seen.ready.get(name, 0)]


def recorded(
    evidence: Evidence | None,
    observation: Observation,
    release: Release,
    track: str,
    application: str,
    needed: dict[str, int],
    binding: Binding,
) -> tuple[Evidence, list[str]]:
    """The evidence of a track's bundle with what was observed; and why something of it is not recorded.

    A sighting counts only where what is live is what Git says and every component has the pods it needs (`needed`); a check of
    answers only where the bundle is known to be the one that answered. That the observation is fresh is the caller's to know.
    """
    bundle = release.tracks[track].bundle
    before = evidence or Evidence(apiVersion="bento-gitops/v1", kind="Evidence", application=application, bundle=bundle)
    notes: list[str] = []
    seen, verified = list(before.seen), list(before.verified)
    running = observation.tracks.get(track)
    elsewhere = (
        [] if observation.cluster == binding.cluster else [f"it is of cluster {observation.cluster}, not {binding.cluster}"]
    )
    moved = _moved(running, track, binding)
    missing = [*elsewhere, *as_in_git(observation, release), *moved, *_unfit(observation, release, track, needed, seen)]
    if missing:
        notes.append(f"not recorded as seen: {'; '.join(missing)}")
    else:
        seen = _seen(seen, observation, release, track, binding)
    check = observation.verification
    if check is not None and check.track == track:
        other = [] if running is None or running.bundle == bundle else [f"{track} runs {running.bundle}, not {bundle}"]
        unknown = [f"nobody looked what runs on {track}"] if running is None else []
        unlike = [_apart(track, running.apart)] if running is not None and running.apart else []
        doubts = [*elsewhere, *other, *unknown, *unlike, *moved]
        found = _checked(observation, check, binding)
        if doubts:
            notes.append(f"not recorded as verified: {'; '.join(doubts)}")
        elif found not in verified:
            verified.append(found)
    return before.model_copy(update={"seen": seen, "verified": verified}), notes


def _unfit(observation: Observation, release: Release, track: str, needed: dict[str, int], seen: list[Seen]) -> list[str]:
    """Why a sighting of what Git says would still prove nothing."""
    lacking = not_ready(observation, track, needed)
    found = ["nobody looked at its pods"] if lacking is None else [f"pods not ready: {', '.join(lacking)}"] if lacking else []
    shifted = release.tracks[track].shifted or release.since
    latest = _latest(seen)
    if moment(observation.at) < moment(shifted):
        found.append(f"it is of {observation.at}, before the weight was set at {shifted}")
    elif latest and moment(observation.at) < moment(latest.last):
        found.append(f"it is of {observation.at}, before what is recorded already, at {latest.last}")
    return found


def _latest(seen: list[Seen]) -> Seen | None:
    """Of two that end at the same time the one that was written later."""
    return max(reversed(seen), key=lambda one: moment(one.last), default=None)


def _is_of(seen: Seen, weight: int, shifted: str, binding: Binding) -> bool:
    return (seen.weight, seen.shifted) == (weight, shifted) and binding.holds(seen)


def _checked(observation: Observation, check: Verification, binding: Binding) -> Verified:
    return Verified(
        fingerprint=binding.fingerprint,
        chart=binding.chart,
        cluster=binding.cluster,
        run=observation.run,
        at=observation.at,
        passed=check.passed,
        checks=check.checks,
        failed=check.failed,
    )


def _seen(seen: list[Seen], observation: Observation, release: Release, track: str, binding: Binding) -> list[Seen]:
    """The sightings with this one: the last is prolonged where nothing changed since."""
    said = release.tracks[track]
    shifted = said.shifted or release.since
    latest = _latest(seen)
    if latest is not None and _is_of(latest, said.weight, shifted, binding):
        if moment(observation.at) == moment(latest.last):
            return seen
        longer = latest.model_copy(update={"last": observation.at, "run": observation.run})
        return [longer if one is latest else one for one in seen]
    return [
        *seen,
        Seen(
            fingerprint=binding.fingerprint,
            chart=binding.chart,
            cluster=binding.cluster,
            run=observation.run,
            weight=said.weight,
            shifted=shifted,
            first=observation.at,
            last=observation.at,
        ),
    ]
