"""`canary step`: what to do next, at most one thing; the same input gives the same answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bento_gitops.model.base import duration, moment
from bento_gitops.model.evidence import Evidence, Observation
from bento_gitops.model.release import Release
from bento_gitops.releasing.analysis import judge
from bento_gitops.releasing.clocks import of_the_future
from bento_gitops.releasing.evidence import Binding, as_in_git, live_since, nobody_answers, not_ready
from bento_gitops.releasing.gates import fresh
from bento_gitops.releasing.plan import Plan
from bento_gitops.releasing.states import drained, fully_ready, leftovers, removable, restoring
from bento_gitops.releasing.transitions import shrinks

STARTING = timedelta(minutes=2)
"""How long a track with requests may be without any pod of a component: longer than a node needs to go."""

Deed = Literal["hold", "record", "prepare", "shift", "finish", "abort", "rollback", "retire-standby"]


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next, and why.

    `hold` is to wait; `record` writes down that the weight was seen live; `rollback` is the second part of one.
    """

    deed: Deed
    reason: str
    weight: int | None = None
    """Of prepare and shift."""
    to_blame: bool = True
    """Of abort: whether the bundle was found bad, and is to be held. One that nobody could judge may come again."""
    over: bool = False
    """Nothing more will come of waiting: there is no candidate and nothing to remove."""


def next_step(
    release: Release,
    plan: Plan,
    observation: Observation | None,
    evidence: Evidence | None,
    binding: Binding,
    needed: Mapping[str, int],
    now: datetime,
) -> Step:
    """`evidence` is the candidate's in this environment; `needed` its pods by component as its values say now."""
    seen, why = fresh(observation, binding.cluster, now)
    if release.candidate is None:
        return _without_candidate(release, seen, why, now)
    name = release.candidate
    track = release.tracks[name]
    if seen is None:
        return Step("hold", f"{why}: no data is not success")
    found = judge(seen.analysis, name, release.stable, plan.limits) if track.weight else None
    differs = as_in_git(seen, release)
    running = seen.tracks.get(name)
    # The measurements are of the candidate whether or not the last weight has arrived: bad is bad. But not if another bundle
    # still runs under this name; and what somebody decided to go back to is not on trial.
    measured = running is None or running.bundle == track.bundle
    if found is not None and found.verdict == "bad" and measured and not restoring(release):
        return Step("abort", "; ".join(found.reasons))
    if release.paused is not None:
        return Step("hold", f"paused by {release.paused.by}: {release.paused.reason}")
    if ahead := of_the_future(release, now):
        return Step("hold", ahead)
    if moment(seen.at) < moment(track.shifted or release.since):
        return Step("hold", f"the observation is of {seen.at}, before what Git says now: no data is not success")
    if differs:
        return Step("hold", f"Git is not live yet: {'; '.join(differs)}")
    lacking = not_ready(seen, name, dict(needed))
    if restoring(release):
        if not fully_ready(release):
            return Step("rollback", f"{name} needs pods for all requests")
        waiting = ", ".join(lacking) if lacking else "nobody looked" if lacking is None else ""
        why = f"waiting for pods of {name}: {waiting}" if waiting else f"the pods of {name} are ready for all requests"
        return Step("hold" if waiting else "rollback", why)
    following = plan.after(track.weight)
    if track.weight:
        waited = moment(seen.at) - moment(track.shifted or release.since)
        gone = nobody_answers(seen, name, needed)
        if gone and waited >= STARTING:
            return Step("abort", f"{name} has {track.weight} % of the requests and no ready pod of {', '.join(gone)}")
        since = live_since(evidence, binding, track.weight, track.shifted or release.since)
        if since is None:
            if lacking and waited >= plan.interval + plan.limits.patience:
                missing = f"{name} lacks ready pods after {duration(waited)} at {track.weight} %: {', '.join(lacking)}"
                return Step("abort", missing, to_blame=False)
            if lacking is None or lacking:
                return Step("hold", f"{name} lacks ready pods: {', '.join(lacking or ['nobody looked'])}")
            return Step("record", f"{name} is live with {track.weight} %: the interval begins", track.weight)
        watched = now - since
        assert found is not None
        if found.verdict == "unclear" and watched >= plan.interval + plan.limits.patience:
            waited = f"no judgement after {duration(watched)} at {track.weight} %: {'; '.join(found.reasons)}"
            return Step("abort", waited, to_blame=False)
        if watched < plan.interval:
            return Step(
                "hold", f"{track.weight} % for {duration(watched)} of {duration(plan.interval)}; {'; '.join(found.reasons)}"
            )
        if found.verdict == "unclear":
            return Step("hold", "; ".join(found.reasons))
    if track.weight and lacking:
        return Step("hold", f"waiting for pods of {name}: {', '.join(lacking)}")
    if track.weight < 100 and (track.ready_for or 0) < following:
        return Step("prepare", f"pods for the next weight, {following} %", following)
    if lacking is None:
        return Step("hold", f"nobody looked at the pods of {name}")
    if lacking:
        return Step("hold", f"waiting for pods of {name}: {', '.join(lacking)}")
    if track.weight < 100:
        return Step("shift", "; ".join(found.reasons) if found else f"the pods of {name} are ready", following)
    if shrinks(plan) and not drained(release, release.stable, now):
        return Step("hold", f"the last requests to {release.stable} may be on their way, and finish takes its pods")
    return Step("finish", "; ".join(found.reasons) if found else "all requests")


def _without_candidate(release: Release, seen: Observation | None, why: str, now: datetime) -> Step:
    if (ahead := of_the_future(release, now)) and len(release.tracks) > 1:
        return Step("hold", f"no candidate; {ahead}")
    gone = removable(release, now)
    if gone and (seen is None or not seen.weights):
        return Step(
            "hold", f"no candidate; {', '.join(gone)} may go when somebody saw that no request reaches it: {why or 'weights'}"
        )
    live = (seen.weights or {}) if seen else {}
    busy = [name for name in gone if live.get(name)]
    if busy:
        return Step("hold", f"no candidate; {', '.join(f'{name} still has {live[name]} % live' for name in busy)}")
    if gone:
        return Step("retire-standby", f"{', '.join(gone)} drained and past its end")
    waits = [f"{name} stays until it drained" for name, _ in leftovers(release)]
    if release.standby:
        end = moment(release.standby.until)
        waits.append(f"{release.standby.track} stays {f'until {release.standby.until}' if end > now else 'until it drained'}")
    return Step("hold", "; ".join(["no candidate", *waits]), over=not waits)
