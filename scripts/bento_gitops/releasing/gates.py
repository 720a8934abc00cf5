"""The gates before a promotion and before a weight is raised: each says what it found, and how to mend what failed.

Gates stop mistakes; branch protection stops people.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from bento_gitops.model.base import duration, length, moment
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.evidence import Evidence, Observation
from bento_gitops.model.gate import Gate
from bento_gitops.model.problem import Place, Problem, Refused
from bento_gitops.model.release import Held, Release
from bento_gitops.model.rollout import Bounds, Freeze, Promotion
from bento_gitops.releasing.analysis import judge
from bento_gitops.releasing.evidence import AHEAD, FRESH, Binding, as_in_git, last_verified, not_ready, soaked
from bento_gitops.releasing.plan import Plan

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Origin:
    """The environment that a bundle must have proved itself in: `promotion.from`."""

    name: str
    binding: Binding | None
    """What evidence must be bound to there. None: the bundle cannot be rendered there now."""
    trouble: str
    """Why there is no binding."""
    evidence: Evidence | None
    held: Held | None
    runs: bool = True
    """Whether it runs there now: elsewhere nobody can look at it."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that gates look at, collected by whoever asks."""

    target: str
    now: datetime
    release: Release | None
    """As it is before."""
    bundle: Bundle
    plan: Plan
    promotion: Promotion | None
    origin: Origin | None
    """None: nothing is asked of another environment."""
    unchanged: bool | None
    """Whether the bundle's file is as it was created; None: nobody can tell."""
    created: str
    """The commit that created it; where nobody can tell, why not."""
    thresholds: Mapping[str, Mapping[str, Bounds]]
    """By model and metric."""
    held_elsewhere: Mapping[str, Held]
    """By environment."""
    ended: Sequence[str]
    """Overrides past their end, a line each."""
    renders: Sequence[str] | None
    """What is wrong with the objects afterwards; None: not rendered."""
    objects: int
    """How many there are."""
    policies: int
    """How many policies they were held to."""
    observation: Observation | None
    cluster: str
    pods_are_ready: str = ""
    """Who says so, having looked without an observation."""
    needed: Mapping[str, int] = field(default_factory=dict[str, int])
    """Pods by component of the candidate for the weight it is raised to."""


def before_promotion(facts: Facts) -> list[Gate]:
    """What a bundle must pass to become the candidate."""
    return [
        _live(facts),
        _unchanged(facts),
        Gate("digest", "passed", f"{facts.bundle.image.repository}@{facts.bundle.image.digest[:19]}..."),
        *_evaluated(facts),
        *_proved(facts),
        thawed(facts.promotion, facts.now),
        *_free(facts),
        _overrides(facts),
        _renders(facts),
    ]


def before_raising(facts: Facts) -> list[Gate]:
    """What must hold for the candidate to get more requests."""
    return [
        _live(facts),
        _unchanged(facts),
        thawed(facts.promotion, facts.now),
        *_free(facts),
        *_ready_to_rise(facts),
        _renders(facts),
        *_analysed(facts),
    ]


def ready_alone(facts: Facts) -> list[Gate]:
    """Before a swap to the standby: its pods, where somebody looked, and nothing else."""
    release = facts.release
    assert release and release.standby, "only a standby is swapped to"
    return [_ready(facts, release.standby.track)]


def ready_for_all(facts: Facts) -> list[Gate]:
    """Before rollback's second part: somebody must have looked at its pods since the first, or say that they are ready."""
    release = facts.release
    assert release and release.candidate, "only rollback's candidate gets them all"
    if facts.pods_are_ready:
        return [Gate("ready", "passed", f"said to be ready by {facts.pods_are_ready}")]
    seen, _ = fresh(facts.observation, facts.cluster, facts.now)
    todo = "look (kubectl get deployments), then run it again with --pods-are-ready, or with --live"
    if seen is not None and moment(seen.at) < moment(release.since):
        wrong = f"the observation is of {seen.at}, before its pods were asked for at {release.since}"
        return [Gate("ready", "failed", wrong, todo)]
    gate = _ready(facts, release.candidate)
    if gate.outcome == "not looked":
        return [Gate("ready", "failed", f"the first part is done; {gate.evidence}", todo)]
    return [gate]


def before_finish(facts: Facts) -> list[Gate]:
    """Before the old stable track becomes a standby, which may take its pods: nothing may still ask it."""
    return [_live(facts)]


def failing(gates: Iterable[Gate]) -> list[Gate]:
    return [gate for gate in gates if gate.outcome == "failed"]


def refusal(gates: Iterable[Gate], file: str) -> Refused:
    """All failing gates at once, each with its evidence and what to do."""
    return Refused(
        Problem(Place(file), f"gate {gate.name}", "does not pass", gate.evidence, gate.mend) for gate in failing(gates)
    )


def fresh(observation: Observation | None, cluster: str, now: datetime) -> tuple[Observation | None, str]:
    """The observation if it may be decided by, and why it may not."""
    if observation is None:
        return None, "nobody looked at the cluster"
    age = now - moment(observation.at)
    if observation.cluster != cluster:
        return None, f"the observation is of cluster {observation.cluster}, and this is {cluster}"
    if age > FRESH:
        return None, f"the observation is {duration(age)} old, more than {duration(FRESH)}"
    if age < -AHEAD:
        return None, f"the observation is of {observation.at}, which is yet to come"
    return observation, ""


def _live(facts: Facts) -> Gate:
    seen, why = fresh(facts.observation, facts.cluster, facts.now)
    if facts.release is None:
        return Gate("live", "passed", "nothing runs here yet")
    if seen is None or seen.weights is None:
        evidence = why or "nobody looked at the live route"
        return Gate("live", "not looked", evidence, "look: --live")
    differs = as_in_git(seen, facts.release)
    if differs:
        return Gate("live", "failed", "; ".join(differs), "wait until Git's state is live, or mend what keeps it from that")
    return Gate("live", "passed", f"what Git says was live at {seen.at}")


def _unchanged(facts: Facts) -> Gate:
    file = f"bundles/{facts.bundle.application}/{facts.bundle.tag}.yaml"
    if facts.unchanged is None:
        todo = "git fetch --unshallow" if "history" in facts.created else "commit it: then it cannot change unseen"
        return Gate("bundle", "not looked", f"{file}: {facts.created or 'is not in Git yet'}", todo)
    if not facts.unchanged:
        todo = "take back the change; another content needs another tag"
        return Gate("bundle", "failed", f"{file} is not what commit {facts.created} recorded", todo)
    return Gate("bundle", "passed", f"{file} is as recorded in {facts.created}")


def _evaluated(facts: Facts) -> Iterator[Gate]:
    for model, metrics in sorted(facts.thresholds.items()):
        recorded = facts.bundle.models.get(model)
        measured = recorded.evaluation.metrics if recorded and recorded.evaluation else {}
        for metric, bounds in sorted(metrics.items()):
            name, wanted = f"evaluation {model}.{metric}", _bounds(bounds)
            value = measured.get(metric)
            if value is None:
                yield Gate(
                    name,
                    "failed",
                    f"the bundle records none; {wanted} is wanted",
                    "evaluate the model, and record it in a new bundle",
                )
            elif (bounds.min is not None and value < bounds.min) or (bounds.max is not None and value > bounds.max):
                yield Gate(name, "failed", f"is {value:g}; {wanted} is wanted", "promote a better model")
            else:
                yield Gate(name, "passed", f"is {value:g}; {wanted} is wanted")


def _bounds(bounds: Bounds) -> str:
    parts = [
        f"{bounds.min:g} or more" if bounds.min is not None else "",
        f"{bounds.max:g} or less" if bounds.max is not None else "",
    ]
    return " and ".join(part for part in parts if part) or "any value"


def _proved(facts: Facts) -> Iterator[Gate]:
    """Verified and soaked where it comes from, with exactly what would run there now."""
    origin = facts.origin
    if origin is None:
        return
    where = f"{origin.name}/{facts.target.partition('/')[2]}"
    todo = f"bento-gitops verify {where} --record --live"
    if origin.binding is None:
        yield Gate("verified", "failed", f"{origin.name} cannot run it: {origin.trouble}", f"mend {origin.name} first")
        return
    if not origin.runs:
        todo = f"bento-gitops promote {where} {facts.bundle.tag}; when it runs there: {todo}"
    verified = last_verified(origin.evidence, origin.binding)
    found = [*(origin.evidence.verified if origin.evidence else ()), *(origin.evidence.seen if origin.evidence else ())]
    other = f"; what there is was found with {origin.binding.differs(found[-1])}" if found else ""
    if verified is None:
        yield Gate("verified", "failed", f"no evidence in {origin.name}{other}", todo)
    elif not verified.passed:
        failed = f"{len(verified.failed)} of {verified.checks} checks failed in {origin.name} ({verified.run})"
        found = f"{failed}: {', '.join(verified.failed)}"
        yield Gate("verified", "failed", found, "mend the bundle, and verify it again")
    else:
        yield Gate("verified", "passed", f"{verified.checks} checks in {origin.name} at {verified.at} ({verified.run})")
    wanted = facts.promotion.soak if facts.promotion else None
    if wanted is None:
        return
    span = soaked(origin.evidence, origin.binding)
    seen = f"seen running in {origin.name} for {duration(span)} of {wanted}"
    if span < length(wanted):
        left = duration(length(wanted) - span)
        yield Gate(
            "soak", "failed", seen if span else f"{seen}{other}", f"wait {left} more, and record that it still runs: {todo}"
        )
    else:
        yield Gate("soak", "passed", seen)


def thawed(promotion: Promotion | None, now: datetime) -> Gate:
    """The gate `freeze`."""
    windows = (promotion.freeze if promotion else None) or []
    end = thaw(windows, now)
    if end is not None:
        until = end.strftime("%Y-%m-%d %H:%M %Z")
        reasons = "; ".join(window.reason for window in windows if frozen_until(window, now))
        return Gate("freeze", "failed", f"frozen until {until}: {reasons}", "wait, or --break-glass REASON")
    return Gate("freeze", "passed", "no freeze" if windows else "no freeze is set up")


def thaw(windows: Sequence[Freeze], now: datetime) -> datetime | None:
    """When the first moment comes that no window holds, as far as a year ahead; None: no window holds now."""
    thawed: datetime | None = None
    while ends := [end for window in windows if (end := frozen_until(window, thawed or now))]:
        thawed = max(ends)
        if thawed - now > timedelta(days=366):
            break  # every day is frozen
    return thawed


def frozen_until(window: Freeze, now: datetime) -> datetime | None:
    """When the window that is in force now ends; None: it is not."""
    if window.start is not None and window.end is not None:
        return moment(window.end) if moment(window.start) <= now < moment(window.end) else None
    zone = ZoneInfo(window.zone) if window.zone else UTC
    here = now.astimezone(zone)
    if DAYS[here.weekday()] not in (window.days or ()):
        return None
    begin, end = (window.hours or ["00:00", "24:00"])[:2]
    start, stop = (_of_day(here, hour) for hour in (begin, end))
    return stop if start <= here < stop else None


def _of_day(day: datetime, hour: str) -> datetime:
    hours, minutes = (int(part) for part in hour.split(":"))
    if hours == 24:
        return datetime.combine(day.date() + timedelta(days=1), time(), day.tzinfo)
    # Of an hour that comes twice, when clocks are set back, the one that `day` is in.
    return datetime.combine(day.date(), time(hours, minutes, fold=day.fold), day.tzinfo)


def _free(facts: Facts) -> Iterator[Gate]:
    """Held nowhere: here and where it comes from refuse, elsewhere warns."""
    tag, application = facts.bundle.tag, facts.bundle.application
    here = (facts.release.held or {}).get(tag) if facts.release else None
    there = facts.origin.held if facts.origin else None
    if here is not None:
        todo = f"take another bundle, or, if the reason is gone, bento-gitops unhold {facts.target} {tag}"
        yield Gate("held", "failed", f"held here by {here.by}: {here.reason}", todo)
    if there is not None and facts.origin is not None:
        name = facts.origin.name
        todo = f"take another bundle, or, if the reason is gone, bento-gitops unhold {name}/{application} {tag}"
        yield Gate(f"held in {name}", "failed", f"by {there.by}: {there.reason}", todo)
    if here is not None or there is not None:
        return
    if facts.held_elsewhere:
        where = "; ".join(f"in {name} by {one.by}: {one.reason}" for name, one in sorted(facts.held_elsewhere.items()))
        yield Gate("held", "passed", f"warning: not here, but held {where}")
    else:
        yield Gate("held", "passed", "held nowhere")


def _overrides(facts: Facts) -> Gate:
    if facts.ended:
        return Gate("overrides", "failed", "; ".join(facts.ended), "remove them, or give them a new end")
    return Gate("overrides", "passed", "none has ended")


def _ready_to_rise(facts: Facts) -> Iterator[Gate]:
    """The candidate's pods are enough for the weight that it is to get."""
    assert facts.release and facts.release.candidate, "only a candidate is raised"
    yield _ready(facts, facts.release.candidate)


def _ready(facts: Facts, track: str) -> Gate:
    """The track has the pods that it needs."""
    seen, why = fresh(facts.observation, facts.cluster, facts.now)
    lacking = not_ready(seen, track, dict(facts.needed)) if seen else None
    if lacking is None:
        return Gate("ready", "not looked", why or "nobody looked at its pods", "look: --live, or kubectl get deployments")
    if lacking:
        return Gate("ready", "failed", f"ready pods: {', '.join(lacking)}", "wait for the pods, or look why they do not start")
    pods = ", ".join(f"{name} {count}" for name, count in facts.needed.items())
    return Gate("ready", "passed", f"every component has the pods it needs ({pods})")


def _renders(facts: Facts) -> Gate:
    if facts.renders is None:
        return Gate("objects", "not looked", "not rendered", "bento-gitops validate")
    if facts.renders:
        return Gate("objects", "failed", "; ".join(facts.renders), "mend what is wrong, or promote something else")
    if facts.policies:
        return Gate(
            "objects",
            "passed",
            f"{facts.objects} objects render, fit their schemas and pass what denies of {facts.policies} policies",
        )
    return Gate("objects", "passed", f"{facts.objects} objects render and fit their schemas; there are no policies")


def _analysed(facts: Facts) -> Iterator[Gate]:
    """The candidate was good with the requests that it has; without any there is nothing to judge."""
    release = facts.release
    assert release and release.candidate, "only a candidate is raised"
    if release.tracks[release.candidate].weight == 0:
        return
    seen, why = fresh(facts.observation, facts.cluster, facts.now)
    if seen is None or seen.analysis is None:
        yield Gate("analysis", "not looked", why or "nobody measured", "look: --live, or at errors and latency of both tracks")
        return
    found = judge(seen.analysis, release.candidate, release.stable, facts.plan.limits)
    reasons = "; ".join(found.reasons)
    if found.verdict == "good":
        yield Gate("analysis", "passed", reasons)
    else:
        todo = f"bento-gitops canary abort {facts.target}" if found.verdict == "bad" else "wait for more requests"
        yield Gate("analysis", "failed", reasons, todo)
