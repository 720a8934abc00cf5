"""`status --live`: Git against the cluster, an application at a time; what cannot be asked is said, and the others are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path

from bento_gitops.checking.objects import Json, Map, Object
from bento_gitops.checking.policies import Denial, Policies, Policy
from bento_gitops.layers.overriding import entries
from bento_gitops.model.base import duration, moment
from bento_gitops.model.evidence import Observation
from bento_gitops.model.files import Overrides
from bento_gitops.model.layout import overrides_file
from bento_gitops.model.problem import Refused, ToolFailed
from bento_gitops.observing.held import Held, held_in
from bento_gitops.observing.live import APPLICATION
from bento_gitops.observing.rerouting import SERVICE, routes_of
from bento_gitops.observing.syncing import Syncing
from bento_gitops.operations.deciding import Request
from bento_gitops.operations.live import Reach, Scene, positive, scene_of, told
from bento_gitops.operations.status import Standing
from bento_gitops.releasing.evidence import as_in_git
from bento_gitops.releasing.states import weights
from bento_gitops.rendering.guardrails import Guarded
from bento_gitops.repository.files import Tree
from bento_gitops.repository.policies import policies_of
from bento_gitops.tools import git

JUDGED: tuple[tuple[str, str, str, str], ...] = (
    ("autoscaling", "v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    ("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
)
"""What policies look at, and nobody else."""
UNREAD: tuple[tuple[str, str], ...] = (
    ("v1", "ConfigMap"),
    ("v1", "ServiceAccount"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
)
"""What the chart renders besides, and operators may not read."""


@dataclass(frozen=True, slots=True)
class Running:
    """One application in its cluster, beside what Git says."""

    target: str
    git: Mapping[str, int]
    """Weights by track."""
    live: Mapping[str, int] | None
    """None: nobody knows."""
    differs: tuple[str, ...] = ()
    """How the cluster is not what Git says."""
    attention: tuple[str, ...] = ()
    """What is not as it should be, and no difference."""
    notes: tuple[str, ...] = ()
    trouble: str = ""
    """Why nothing is known of the cluster."""
    tracks: Mapping[str, Mapping[str, tuple[int, int]]] | None = None
    """By track and component: ready pods, and those that the values ask for at least."""
    bundles: Mapping[str, str] | None = None
    """By track, live."""
    syncing: Syncing | None = None
    held: Held | None = None
    late: bool = False
    """The live shift is past its end."""
    findings: tuple[Denial, ...] | None = None
    """What policies would say of the objects that run; None: nobody judged them."""
    uncounted: tuple[str, ...] = ()
    """By policy, what the findings leave out of it."""


@dataclass
class Lookout:
    """Looks at applications, one after another."""

    root: Path
    tree: Tree
    reach: Reach
    by: str
    now: datetime
    _silent: dict[str, str] = field(default_factory=dict[str, str])
    """By environment, why its cluster says nothing: to ask it for each application would take as many times as long."""

    def running(self, standing: Standing) -> Running:
        """One application. A cluster that does not answer is its `trouble`."""
        target, in_git = str(standing.target), weights(standing.release)
        environment = standing.target.environment
        if environment in self._silent:
            return Running(target, in_git, None, trouble=self._silent[environment])
        try:
            return self._running(standing)
        except Refused as error:
            problem = error.problems[0]
            found = f"{problem.wrong}{f' (found {problem.found})' if problem.found else ''}; {problem.todo}"
            return Running(target, in_git, None, (found,))
        except ToolFailed as error:
            self._silent[environment] = str(error)
            return Running(target, in_git, None, trouble=str(error))

    def _running(self, standing: Standing) -> Running:
        scene = scene_of(self.tree, Request(target=str(standing.target), now=self.now, by=self.by), self.reach)
        seen = scene.observation(self.by)
        wanted = {track: scene.situation.pods(track) for track in scene.release.tracks}
        held = scene.holding()
        differs = [*as_in_git(seen, scene.release), *_tracks_apart(scene, seen), *self._not_synced(scene)]
        findings, unjudged = self._findings(scene)
        return Running(
            str(standing.target),
            weights(scene.release),
            scene.weights,
            tuple(differs),
            (*_few_pods(seen, wanted), *_troubles_of_sync(scene), *_half_done(scene, held)),
            (*self._overrides(scene), *unjudged),
            tracks={
                track: {name: ((one.ready or {}).get(name, 0), pods) for name, pods in wanted.get(track, {}).items()}
                for track, one in seen.tracks.items()
            },
            bundles={track: one.bundle for track, one in seen.tracks.items()},
            syncing=scene.synced,
            held=held,
            late=held is not None and held.past(self.now),
            findings=findings,
            uncounted=self._uncounted if findings is not None else (),
        )

    def _not_synced(self, scene: Scene) -> Iterator[str]:
        """That the values of the checkout are others than those of the commit that Argo CD compared with."""
        synced = scene.synced
        if synced is None:
            return
        if synced.sync != "Synced":
            yield f"Argo CD says {synced.sync}"
        if not synced.revision or not git.is_repository(self.root):
            return
        path = scene.situation.target.values
        known = git.find(self.root, synced.revision)
        if known is None:
            yield f"Argo CD is at {synced.revision[:10]}, which this clone does not have: git fetch"
        elif git.contents_at(self.root, [known], path)[0] != self.tree.read(path):
            yield f"values.yaml is not what Argo CD has at {synced.revision[:10]}: it is not pushed, or not synced yet"

    def _overrides(self, scene: Scene) -> Iterator[str]:
        file = scene.situation.fleet.file(overrides_file(scene.target), Overrides, needed=False)
        for entry, _ in entries(file) if file else ():
            left = moment(entry.expires) - self.now
            when = f"for {duration(left)} more" if left.total_seconds() > 0 else "and is past its end"
            yield f"an override of {entry.owner} counts {when}: {entry.reason}"

    @cached_property
    def _every_policy(self) -> Sequence[Policy]:
        """Raises InvalidInput."""
        return policies_of(self.tree).policies

    @cached_property
    def _policies(self) -> Policies:
        """Those that say the same of an object wherever they are asked."""
        return Policies([policy for policy in self._every_policy if policy.holds == "both"])

    @cached_property
    def _uncounted(self) -> tuple[str, ...]:
        ours: Map = {"labels": {APPLICATION: "any"}}
        unread = [(kind, Object({"apiVersion": version, "kind": kind, "metadata": ours})) for version, kind in UNREAD]
        told: list[str] = []
        for policy in self._every_policy:
            if policy.holds != "both":
                told.append(f"{policy.name} (holds {policy.holds} alone)")
            elif kinds := [kind for kind, empty in unread if policy.looks_at(empty)]:
                told.append(f"{policy.name} of {', '.join(kinds)}")
        return tuple(told)

    def _findings(self, scene: Scene) -> tuple[tuple[Denial, ...] | None, list[str]]:
        """What the policies would say of what runs, and why something was not judged."""
        if not self._policies.policies:
            return None, []
        parameters = Guarded(scene.situation.fleet.chain(scene.situation.target.environment)).parameters
        try:
            objects = list(_objects(scene))
        except ToolFailed as error:
            return None, [f"no policy was asked about what runs: {error}"]
        return tuple(denial for one in objects for denial in self._policies.judge(one, parameters)), []


def _objects(scene: Scene) -> Iterator[Object]:
    """What runs, with the kinds that lists of the API server leave out."""
    controller, application = scene.situation.environment.value.routing.controller, scene.situation.target.application
    listed: list[tuple[str, str, Sequence[Map]]] = [
        ("apps/v1", "Deployment", scene.seen.deployments),
        ("v1", "Service", scene.seen.services),
    ]
    for of, one in routes_of(scene.seen, controller, application):
        if of != SERVICE:
            listed.append((f"{of[0]}/{of[1]}", of[3], [one]))
    listed += [(f"{of[0]}/{of[1]}", of[3], scene.cluster.listed(of, scene.namespace, application)) for of in JUDGED]
    for version, kind, found in listed:
        for one in found:
            body: Map = {**one, "apiVersion": version, "kind": kind}
            yield Object(body)


def _tracks_apart(scene: Scene, seen: Observation) -> Iterator[str]:
    """Tracks that are in one of the two alone; those with live requests are told by their weights."""
    for name, track in scene.release.tracks.items():
        if name not in seen.tracks and not track.weight:
            yield f"{name} ({track.bundle}) is in Git and not in the cluster"
    for name, track in seen.tracks.items():
        if name not in scene.release.tracks:
            yield f"{name} ({track.bundle}) is in the cluster and not in Git"


def _few_pods(seen: Observation, wanted: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for name, components in wanted.items():
        running = seen.tracks.get(name)
        ready = (running.ready or {}) if running else {}
        few = [f"{component} {ready.get(component, 0)} of {pods}" for component, pods in components.items()]
        lacking = [
            text for text, (component, pods) in zip(few, components.items(), strict=True) if ready.get(component, 0) < pods
        ]
        if running and lacking:
            yield f"{name} lacks ready pods: {', '.join(lacking)}"


def _troubles_of_sync(scene: Scene) -> Iterator[str]:
    synced = scene.synced
    if synced is None:
        return
    yield from synced.errors
    if synced.health not in ("Healthy", "Progressing"):
        yield f"Argo CD says {synced.health}"
    if not synced.automatic and synced.held is None:
        yield f"automatic sync of {scene.argo_name} is off, and no live shift says why"


def _half_done(scene: Scene, held: Held | None) -> Iterator[str]:
    """What a live command left that was killed between two steps."""
    if held is None or not held.readable:
        return
    live = positive(scene.weights)
    on_route = [held_in(one) for _, one in scene.routes()]
    if scene.synced is not None and scene.synced.held is None and scene.synced.automatic:
        yield "the route says that it is held, and is synced all the same: bento-gitops live discard ends that"
    elif not any(on_route) or (live and live != positive(held.weights)):
        yield f"a live shift to {told(held.weights)} was begun and not finished: run it again, or bento-gitops live discard"


def as_document(one: Running) -> dict[str, Json]:
    """For programs."""
    synced, held = one.syncing, one.held
    return {
        "git": dict(one.git),
        "live": dict(one.live) if one.live is not None else None,
        "differs": list(one.differs),
        "attention": list(one.attention),
        "notes": list(one.notes),
        "trouble": one.trouble,
        "bundles": dict(one.bundles) if one.bundles is not None else None,
        "tracks": None
        if one.tracks is None
        else {
            track: {name: {"ready": ready, "wanted": wanted} for name, (ready, wanted) in components.items()}
            for track, components in one.tracks.items()
        },
        "argocd": None
        if synced is None
        else {
            "application": synced.name,
            "sync": synced.sync,
            "health": synced.health,
            "revision": synced.revision,
            "automatic": synced.automatic,
        },
        "held": None
        if held is None
        else {
            "by": held.by,
            "reason": held.reason,
            "at": held.at,
            "until": held.until,
            "weights": dict(held.weights),
            "late": one.late,
        },
        "findings": None if one.findings is None else [{"policy": d.policy, "message": d.message} for d in one.findings],
        "uncounted": list(one.uncounted),
    }
