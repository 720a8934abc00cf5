"""`observe`, `--live`: looks at the cluster and at Prometheus, and writes down what was seen at this moment."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from bento_gitops.checking.objects import get
from bento_gitops.model.base import timestamp
from bento_gitops.model.evidence import Observation, ObservedAnalysis
from bento_gitops.model.layout import environment_file
from bento_gitops.model.names import component_name
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused, ToolFailed
from bento_gitops.model.release import Release
from bento_gitops.observing import measuring
from bento_gitops.observing.held import held_in
from bento_gitops.observing.live import Seen, apart, observed_tracks, observed_weights
from bento_gitops.observing.rerouting import routes_of
from bento_gitops.operations.chart_processes import made
from bento_gitops.operations.render import render_one
from bento_gitops.operations.situation import Situation

if TYPE_CHECKING:
    from bento_gitops.tools.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Eyes:
    """With what somebody looks."""

    context: str | None = None
    """Of the kubeconfig."""
    prometheus: str | None = None
    """An address instead of the environment's."""
    by: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen, and what was not looked at and why."""

    observation: Observation
    notes: tuple[str, ...]


def look(situation: Situation, eyes: Eyes) -> Look:
    """An application as it runs now: weights, bundles, ready pods, and what Prometheus measured since the weight was set.

    A Prometheus that does not answer is a note. Raises ToolFailed where the cluster does not answer, Refused where it has
    nothing of the application, or is another environment's.
    """
    release, seen = objects_of(situation, cluster_of(situation, eyes.context))
    now = datetime.now(UTC)
    measured, rates, notes = _measured(situation, release, eyes, now)
    glimpsed = glimpse(situation, seen, eyes.by, now)
    compared, unlike = _compared(situation, release, seen)
    tracks = {
        name: track.model_copy(update={"requests_per_minute": rates.get(name), **compared.get(name, {})})
        for name, track in glimpsed.tracks.items()
    }
    observation = glimpsed.model_copy(update={"tracks": tracks, "analysis": measured})
    return Look(observation, (*_holds(situation, seen), *unlike, *notes))


def glimpse(situation: Situation, seen: Seen, by: str, now: datetime) -> Observation:
    """What the cluster's objects alone say: weights, bundles, ready pods."""
    release, environment = situation.release, situation.environment.value
    assert release, "who looks at objects has a release"
    return Observation(
        apiVersion="bento-gitops/v1",
        kind="Observation",
        target=str(situation.target),
        at=timestamp(now),
        cluster=environment.cluster,
        run=ran_by(by),
        weights=observed_weights(seen, environment.routing.controller, situation.target.application) or {},
        tracks=observed_tracks(seen, _services(situation, release)),
    )


def _compared(situation: Situation, release: Release, seen: Seen) -> tuple[Mapping[str, Mapping[str, object]], list[str]]:
    """By track, what an observation has of whether its pods are made of what Git says; else why nobody compared."""
    rendered, _ = render_one(situation.fleet, situation.target)
    try:
        with tempfile.TemporaryDirectory(prefix="bento-gitops-") as scratch:
            objects = made(situation.tree, rendered, Path(scratch))
    except InvalidInput as error:
        return {}, [f"pods are not compared with Git, whose values make none: {error.problems[0]}"]
    wanted = [one.body for one in objects if one.kind == "Deployment"]
    found = apart(seen.deployments, wanted, _services(situation, release))
    return {
        name: {"apart": found[name], "fingerprint": None if found[name] else situation.binding(track.bundle).fingerprint}
        for name, track in release.tracks.items()
        if name in found
    }, []


def require_cluster(situation: Situation, eyes: Eyes) -> None:
    """Raises what `look` raises, before anything that takes longer is begun."""
    objects_of(situation, cluster_of(situation, eyes.context))


def cluster_of(situation: Situation, context: str | None) -> Cluster:
    """The environment's cluster: of the context that is named, else of the one with the cluster's name, else the current one."""
    from bento_gitops.tools.cluster import opened

    return opened(context, preferred=situation.environment.value.cluster)


def _holds(situation: Situation, seen: Seen) -> Iterator[str]:
    """A note for a live shift that holds the route."""
    environment, target = situation.environment.value, situation.target
    for of, one in routes_of(seen, environment.routing.controller, target.application):
        if held := held_in(one):
            found = f"{of[3]}/{get(one, 'metadata', 'name')} is held by a live shift of {held.by} ({held.reason})"
            release = f"bento-gitops live adopt {target}, or bento-gitops live discard {target}"
            yield f"{found}: what Git says does not reach it; to release it: {release}"


def objects_of(situation: Situation, cluster: Cluster) -> tuple[Release, Seen]:
    """The release, and its objects in the cluster. Raises what `look` raises."""
    release = situation.release
    environment = situation.environment.value
    if release is None:
        wrong = "nothing of this application runs here, so there is nothing to look at"
        raise Refused([Problem(Place(situation.file), "observe", wrong, "", f"bento-gitops promote {situation.target} TAG")])
    seen = cluster.seen(environment.namespace, situation.target.application, environment.routing.controller)
    _require_this_one(seen, situation, cluster.name)
    return release, seen


def _measured(
    situation: Situation, release: Release, eyes: Eyes, now: datetime
) -> tuple[ObservedAnalysis | None, Mapping[str, float], list[str]]:
    from bento_gitops.tools.prometheus import asked

    target = situation.target
    address = eyes.prometheus or _address(situation)
    if address is None:
        file = environment_file(target.environment)
        return None, {}, [f"nobody asked Prometheus: name it with --prometheus, or in {file}, monitoring.prometheus.address"]
    window = measuring.window_of(release, now)
    try:
        answers = asked(address, measuring.questions(target.application, target.environment, window), now)
    except ToolFailed as error:
        # Weights and pods were seen all the same, and a step that has no numbers for too long takes the candidate back.
        return None, {}, [f"nothing is measured: {error}"]
    rates = measuring.requests_per_minute(answers, release)
    if not rates:
        todo = "are its PrometheusRule and ServiceMonitor picked up?"
        return None, {}, [f"Prometheus at {address} knows no bento:requests:rate1m of {target}; {todo}"]
    if window is None:
        return None, rates, ["the weight was set just now: nothing is measured yet"]
    queries = measuring.business_questions(situation.plan.limits.queries, release, target.application, target.environment, window)
    notes: list[str] = []
    business: dict[str, list[measuring.Sample]] = {}
    for name, query in queries.items():
        try:
            business |= asked(address, {name: query}, now)
        except ToolFailed as error:
            business[name] = []  # no number: the analysis says so, and nothing is good without it
            notes.append(f"query {name}: {error}")
    return measuring.analysis(answers, business, release, window), rates, notes


def _address(situation: Situation) -> str | None:
    watched = situation.sources.saying("monitoring").value.monitoring
    return watched.prometheus.address if watched and watched.prometheus else None


def _services(situation: Situation, release: Release) -> dict[str, str]:
    """By the label of components, the services of all bundles of the release."""
    tags = {track.bundle for track in release.tracks.values()}
    return {component_name(name): name for tag in sorted(tags) for name in situation.bundle(tag).services}


def _require_this_one(seen: Seen, situation: Situation, cluster: str) -> None:
    """Raises Refused where there are no objects, or they say that they are another environment's: a context is easily the wrong
    one, and what was not found there must not pass for what nobody looked at."""
    here = f"{situation.target.application} in namespace {situation.environment.value.namespace} of the cluster {cluster}"
    if not seen.deployments:
        wrong = f"there is no Deployment of {here}"
        todo = "is that the right cluster (--context), and is Git synced?"
        raise Refused([Problem(Place(situation.file), "observe", wrong, "", todo)])
    others = seen.environments - {situation.target.environment}
    if others:
        found = ", ".join(sorted(other or "no environment" for other in others))
        todo = "name the context of the right cluster: --context"
        raise Refused([Problem(Place(situation.file), "observe", f"{here} is of another environment", found, todo)])


def ran_by(by: str) -> str:
    """The address of the CI run, or who looks."""
    server, repository, run = (os.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID"))
    return f"{server}/{repository}/actions/runs/{run}" if server and repository and run else by or "somebody"
