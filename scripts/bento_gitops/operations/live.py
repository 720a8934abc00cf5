"""`live shift`, `adopt`, `discard`: weights of a live route when Git or Argo CD is down, and how they come back to Git.

Each goes in an order in which a kill between two steps leaves an annotation that `status --live` shows and `discard` mends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bento_gitops.checking.objects import Map, as_map, as_text, get
from bento_gitops.layers.marked import parse, place_of, plain
from bento_gitops.layers.reading import read
from bento_gitops.model.base import moment, timestamp
from bento_gitops.model.evidence import Observation
from bento_gitops.model.gate import Gate
from bento_gitops.model.layout import cluster_values, release_file
from bento_gitops.model.names import argo_application
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused, ToolFailed
from bento_gitops.model.release import Release
from bento_gitops.observing.held import LIVE, LONGEST, Held, held_in, remembered
from bento_gitops.observing.live import Seen, observed_weights
from bento_gitops.observing.rerouting import (
    BESIDE,
    NoRoute,
    Reroute,
    handed_back,
    last_writer,
    rerouted,
    routes_of,
)
from bento_gitops.observing.syncing import APPLICATIONS, Syncing, switched_off, switched_on, synced_by, syncing
from bento_gitops.operations.carrying_out import Where, tree_of
from bento_gitops.operations.deciding import Decision, Planned, Request, decided, opened
from bento_gitops.operations.observe import cluster_of, glimpse, objects_of
from bento_gitops.operations.situation import Situation
from bento_gitops.releasing import gates as gating
from bento_gitops.releasing import live_shift
from bento_gitops.releasing.message import one_line
from bento_gitops.releasing.states import weights
from bento_gitops.repository.files import GitTree, Tree
from bento_gitops.tools import git

if TYPE_CHECKING:
    from bento_gitops.tools.cluster import Cluster

ATTEMPTS = 5
"""How often a change is tried that somebody else was faster with."""
SETTLING = timedelta(seconds=20)
"""How long a sync that is under way may take before the route is changed all the same."""
_ASK_AGAIN = 0.5


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the clusters are: of the application, and of Argo CD, which may run in another one."""

    context: str | None = None
    argocd: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a live command did, or would do."""

    target: str
    says: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    """Live weights by track; what Argo CD puts back later is not in them."""
    done: tuple[str, ...]
    """Each step, in order."""
    notes: tuple[str, ...] = ()
    held: Held | None = None


@dataclass
class Scene:
    """An application as Git and its cluster have it, and its Argo CD Application."""

    situation: Situation
    cluster: Cluster
    argocd: Cluster
    seen: Seen
    release: Release
    application: Map | None
    """Of Argo CD; None: there is none."""

    @property
    def target(self) -> str:
        return str(self.situation.target)

    @property
    def namespace(self) -> str:
        return self.situation.environment.value.namespace

    @property
    def argo_name(self) -> str:
        return argo_application(self.situation.target.environment, self.situation.target.application)

    @property
    def argo_namespace(self) -> str:
        return argocd_namespace(self.situation)

    @property
    def synced(self) -> Syncing | None:
        return syncing(self.application) if self.application is not None else None

    @property
    def weights(self) -> dict[str, int]:
        """Live, by track."""
        controller, name = self.situation.environment.value.routing.controller, self.situation.target.application
        return observed_weights(self.seen, controller, name) or {}

    def routes(self) -> list[tuple[tuple[str, str, str, str], Map]]:
        controller = self.situation.environment.value.routing.controller
        return routes_of(self.seen, controller, self.situation.target.application)

    def holding(self) -> Held | None:
        """The live shift that holds this application; what the Application says of it goes first."""
        own = held_in(self.application) if self.application is not None else None
        return own or next((held for _, one in self.routes() if (held := held_in(one))), None)

    def observation(self, by: str) -> Observation:
        return glimpse(self.situation, self.seen, by, datetime.now(UTC))

    def rerouted(self, wanted: Mapping[str, int]) -> Reroute:
        """Raises Refused where the route has no place for the weights."""
        controller, name = self.situation.environment.value.routing.controller, self.situation.target.application
        try:
            return rerouted(self.seen, controller, name, wanted)
        except NoRoute as error:
            raise self.refused("live", error.wrong, "", error.todo) from None

    def refused(self, verb: str, wrong: str, found: str, todo: str) -> Refused:
        return Refused([Problem(Place(self.situation.file), verb, wrong, found, todo)])

    def look_again(self) -> None:
        self.release, self.seen = _objects(self.situation, self.cluster)
        self.application = self.argocd.found(APPLICATIONS, self.argo_namespace, self.argo_name)


def scene_of(tree: Tree, request: Request, reach: Reach) -> Scene:
    """Looks. Raises what `observe` raises."""
    from bento_gitops.tools.cluster import opened as context_opened

    situation = opened(tree, request)
    cluster = cluster_of(situation, reach.context)
    release, seen = _objects(situation, cluster)
    argocd = context_opened(reach.argocd) if reach.argocd else cluster
    name = argo_application(situation.target.environment, situation.target.application)
    application = argocd.found(APPLICATIONS, argocd_namespace(situation), name)
    return Scene(situation, cluster, argocd, seen, release, application)


def argocd_namespace(situation: Situation) -> str:
    """Where Argo CD runs: as the values of the cluster say, else where it is installed by default.

    Raises InvalidInput where these are not as they should be.
    """
    path = cluster_values(situation.environment.value.cluster)
    if not situation.tree.exists(path):
        return "argocd"
    said = parse(situation.tree.read(path), path)
    named = get(as_map(plain(said)), "argocd", "namespace")
    if named is not None and not isinstance(named, str):
        todo = "write the name of the namespace that Argo CD runs in"
        raise InvalidInput([Problem(place_of(said, "argocd", "namespace"), "argocd.namespace", "is no name", str(named), todo)])
    return named or "argocd"


def _objects(situation: Situation, cluster: Cluster) -> tuple[Release, Seen]:
    release, seen = objects_of(situation, cluster)
    environment = situation.environment.value
    if environment.routing.controller != "traefik":
        return release, seen
    beside = cluster.listed(BESIDE, environment.namespace, situation.target.application)
    return release, replace(seen, routes={**seen.routes, BESIDE[3]: beside})


# Shift


def shift(
    tree: Tree,
    request: Request,
    reach: Reach,
    weight: int,
    *,
    to: str | None,
    lasting: timedelta,
    dry_run: bool = False,
) -> Outcome:
    """Gives a track a live weight, past Git: switches off automatic sync of this one application, then changes its route.

    Raises Refused where requests would go to what does not answer them, ToolFailed where a step failed, with what is left.
    """
    scene = scene_of(tree, request, reach)
    seen = scene.observation(request.by)
    asked = live_shift.meant(scene.situation.current, weight, to)
    needed = {track: scene.situation.enough(track, share, seen) for track, share in asked.weights.items()}
    against = [*live_shift.against(scene.situation.current, asked, seen, needed), *_elsewhere(scene)]
    if against and not request.break_glass:
        raise Refused(against)
    notes = [*(f"passed over: {problem.wrong}" for problem in against), *live_shift.few_pods(asked, seen, needed)]
    scene.rerouted(asked.weights)
    before, earlier = scene.weights, scene.holding()
    reason = request.reason if not against else f"{request.reason} (break-glass: {request.break_glass})"
    held = Held(
        by=one_line(request.by),
        reason=one_line(reason),
        at=timestamp(request.now),
        until=timestamp(request.now + lasting),
        weights=dict(asked.weights),
        automated=_remembered(scene),
    )
    if len(held.on_application()) > LONGEST:
        wrong, found = "the reason does not fit into an annotation", f"{len(held.reason)} characters"
        raise scene.refused("live shift", wrong, found, "say it in a sentence")
    says = f"{told(asked.weights)} until {held.until}"
    if earlier is not None:
        notes.append(f"a live shift of {earlier.by} ({earlier.reason}) held it; this one takes its place")
    if scene.application is None:
        notes.append(f"there is no Application {scene.argo_name} of Argo CD here: nothing but the route changes")
    if dry_run:
        return Outcome(scene.target, says, before, asked.weights, (), tuple(notes), held)
    own = held_in(scene.application) if scene.application is not None else None
    done = _switch_off(scene, held, notes)
    changed = _change_route(scene, held, asked.weights, own)
    done.append(f"{changed.identity} has {told(asked.weights)}")
    try:
        scene.cluster.tell(scene.namespace, _event(scene, changed, held))
    except ToolFailed as error:
        notes.append(f"no Event tells of it: {error}")
    return Outcome(scene.target, says, before, asked.weights, tuple(done), tuple(notes), held)


def told(of: Mapping[str, int]) -> str:
    """Weights in a sentence."""
    return ", ".join(f"{track} {weight} %" for track, weight in sorted(of.items()) if weight) or "nothing"


def _positive(of: Mapping[str, int]) -> dict[str, int]:
    return {track: weight for track, weight in of.items() if weight}


def _elsewhere(scene: Scene) -> list[Problem]:
    """That something syncs the route which is not here to be switched off: it would take the weights back at once."""
    if scene.application is not None:
        return []
    owners = sorted({owner for _, one in scene.routes() if (owner := synced_by(one))})
    if not owners:
        return []
    wrong = "Argo CD syncs this route, and its Application is not in this cluster: it would put Git's weights back"
    todo = "name the context of Argo CD's cluster with --argocd-context, or --break-glass REASON"
    return [Problem(Place(scene.situation.file), "live shift", wrong, ", ".join(owners), todo)]


def _remembered(scene: Scene) -> Map | None:
    """How it was synced before the first live shift that holds it."""
    own = held_in(scene.application) if scene.application is not None else None
    if own is not None and own.readable:
        return own.automated
    automated = scene.synced.automated if scene.synced else None
    return None if automated is None else remembered(automated)


def _switch_off(scene: Scene, held: Held, notes: list[str]) -> list[str]:
    """Ends automatic sync, and waits for a sync that is under way. The steps that were done."""
    if scene.application is None:
        return []
    try:
        scene.application = _patched_application(scene, lambda _: switched_off(held))
    except ToolFailed as error:
        raise ToolFailed(f"{error}; nothing was changed") from None
    end = time.monotonic() + SETTLING.total_seconds()
    while scene.synced and scene.synced.busy and time.monotonic() < end:
        time.sleep(_ASK_AGAIN)
        scene.application = scene.argocd.found(APPLICATIONS, scene.argo_namespace, scene.argo_name)
    if scene.synced and scene.synced.busy:
        notes.append("a sync that began before is still under way, and may put Git's weights back: look with status --live")
    return [f"automatic sync of {scene.argo_name} is off"]


def _change_route(scene: Scene, held: Held, wanted: Mapping[str, int], earlier: Held | None) -> Reroute:
    """Sends the weights. Raises ToolFailed, with what that leaves."""
    from bento_gitops.tools.cluster import Overtaken

    said = held.on_route()
    writers: list[str] = []
    try:
        for _ in range(ATTEMPTS):
            reroute = scene.rerouted(wanted)
            try:
                scene.cluster.patched(reroute.of[:3], scene.namespace, reroute.name, reroute.annotated(said))
            except Overtaken:
                _, scene.seen = _objects(scene.situation, scene.cluster)
                writers += [last_writer(one) for of, one in scene.routes() if of == reroute.of]
                continue
            return reroute
        names = ", ".join(sorted(set(filter(None, writers)))) or "somebody"
        raise ToolFailed(f"the route was changed by {names} each of the {ATTEMPTS} times that it was to be changed")
    except (ToolFailed, Refused) as error:
        raise ToolFailed(f"{error}; {_undone(scene, held, earlier)}") from None


def _undone(scene: Scene, held: Held, earlier: Held | None) -> str:
    """Switches automatic sync on again, where the route is as it was; says how things are now."""
    mend = f"run it again, or bento-gitops live discard {scene.target}"
    try:
        _, scene.seen = _objects(scene.situation, scene.cluster)
    except (ToolFailed, Refused):
        state = f"automatic sync of {scene.argo_name} is off; " if scene.application is not None else ""
        return f"{state}nobody knows whether the route was changed: look with bento-gitops status --live, then {mend}"
    if any(as_map(get(one, "metadata", "annotations")).get(LIVE) == held.on_route() for _, one in scene.routes()):
        return f"the route was changed all the same, and is held: bento-gitops status {scene.target} --live"
    if scene.application is None:
        return "nothing was changed"
    try:
        if earlier is not None:
            _patched_application(scene, lambda _: switched_off(replace(earlier, automated=held.automated)))
            return f"the route is as it was, and still held by {earlier.by}"
        _patched_application(scene, lambda _: switched_on(held))
    except ToolFailed as error:
        return f"the route is as it was, and automatic sync of {scene.argo_name} is off, because {error}: {mend}"
    return f"the route is as it was, and automatic sync of {scene.argo_name} is on again"


def _patched_application(scene: Scene, patch: Callable[[Map], Map]) -> Map:
    """The Application after a patch, made on what it is now. Raises ToolFailed."""
    from bento_gitops.tools.cluster import Overtaken

    found = scene.application
    for _ in range(ATTEMPTS):
        if found is None:
            raise ToolFailed(f"the Application {scene.argo_name} of Argo CD is gone")
        made = patch(found)
        metadata = {**as_map(made["metadata"]), "resourceVersion": get(found, "metadata", "resourceVersion")}
        try:
            return scene.argocd.patched(APPLICATIONS, scene.argo_namespace, scene.argo_name, {**made, "metadata": metadata})
        except Overtaken:
            # Argo CD writes its status into the same object, every few seconds.
            found = scene.argocd.found(APPLICATIONS, scene.argo_namespace, scene.argo_name)
    raise ToolFailed(f"the Application {scene.argo_name} was changed by somebody else {ATTEMPTS} times in a row")


def _event(scene: Scene, changed: Reroute, held: Held) -> Map:
    """What `kubectl describe` shows of the route."""
    group, version, _, kind = changed.of
    metadata = get(changed.route, "metadata")
    now = timestamp(datetime.now(UTC))
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{changed.name}.", "namespace": scene.namespace},
        "type": "Warning",
        "reason": "LiveShift",
        "message": f"{told(held.weights)} until {held.until}, by {held.by}: {held.reason}"[:1000],
        "involvedObject": {
            "apiVersion": f"{group}/{version}" if group else version,
            "kind": kind,
            "name": changed.name,
            "namespace": scene.namespace,
            "uid": get(metadata, "uid"),
        },
        "source": {"component": "bento-gitops"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }


# Discard


def discard(tree: Tree, request: Request, reach: Reach, *, dry_run: bool = False) -> Outcome:
    """Gives the route back to Git: Argo CD syncs again; where there is none, the weights are set to what Git says.

    Raises ToolFailed where a step failed, with what is left.
    """
    scene = scene_of(tree, request, reach)
    before, held = scene.weights, scene.holding()
    in_git = _positive(weights(scene.release))
    if held is None:
        return _without_a_shift(scene, dry_run=dry_run)
    alone = scene.application is None
    says = f"what Git says goes on: {told(in_git)}"
    if dry_run:
        return Outcome(scene.target, says, before, in_git if alone else before, (), (), held)
    done: list[str] = []
    if alone and _positive(before) != in_git:
        changed = _put_back(scene, in_git)
        done.append(f"{changed.identity} has {told(in_git)}, as Git says")
        scene.look_again()
    done += release(scene)
    notes = [] if alone else [f"Argo CD puts Git's weights back now: bento-gitops status {scene.target} --live shows it"]
    synced = scene.synced
    if synced is not None and not synced.heals:
        notes = [f"{scene.argo_name} is not healed by itself: sync it, so that Git's weights come back"]
    return Outcome(scene.target, says, before, in_git if alone else before, tuple(done), tuple(notes), held)


def _without_a_shift(scene: Scene, *, dry_run: bool) -> Outcome:
    """Sync that somebody switched off in Argo CD itself goes on too, where the chart's set would have it on."""
    live, synced = scene.weights, scene.synced
    says = "no live shift holds it"
    if synced is None or synced.automatic:
        return Outcome(scene.target, says, live, live, ())
    off = f"automatic sync of {scene.argo_name} was off, and not by a live shift"
    if not synced.ours:
        return Outcome(scene.target, says, live, live, (), (f"{off}: no set made it, so it is left as it is",))
    if dry_run:
        return Outcome(scene.target, says, live, live, (), (off,))
    _patched_application(scene, lambda _: switched_on(None))
    return Outcome(scene.target, says, live, live, (f"automatic sync of {scene.argo_name} is on",), (off,))


def _put_back(scene: Scene, wanted: Mapping[str, int]) -> Reroute:
    """Git's weights, where nobody else writes them. The annotation stays until all is done."""
    from bento_gitops.tools.cluster import Overtaken

    for _ in range(ATTEMPTS):
        reroute = scene.rerouted(wanted)
        said = as_map(get(reroute.route, "metadata", "annotations")).get(LIVE)
        patch = reroute.annotated(said if isinstance(said, str) else None)
        try:
            scene.cluster.patched(reroute.of[:3], scene.namespace, reroute.name, patch)
        except Overtaken:
            scene.look_again()
            continue
        return reroute
    raise ToolFailed(f"the route was changed by somebody else {ATTEMPTS} times in a row; it is still held: run it again")


def release(scene: Scene) -> list[str]:
    """Switches automatic sync on, as it was, and takes the annotations away. The steps that were done.

    Raises ToolFailed, with what is left to do.
    """
    done: list[str] = []
    own = held_in(scene.application) if scene.application is not None else None
    if own is not None:
        scene.application = _patched_application(scene, lambda _: switched_on(own))
        on = scene.synced is not None and scene.synced.automatic
        done.append(f"automatic sync of {scene.argo_name} is on" if on else f"{scene.argo_name} is synced by hand, as before")
    try:
        for of, one in scene.routes():
            if held_in(one) is not None:
                done.append(_let_go(scene, of, one))
    except ToolFailed as error:
        so_far = "; ".join(done) or "nothing was changed"
        raise ToolFailed(f"{error}; {so_far}; its route still says that it is held: bento-gitops live discard again") from None
    return done


def _let_go(scene: Scene, of: tuple[str, str, str, str], route: Map) -> str:
    from bento_gitops.tools.cluster import Overtaken

    name = as_text(get(route, "metadata", "name"))
    for _ in range(ATTEMPTS):
        try:
            scene.cluster.patched(of[:3], scene.namespace, name, handed_back(route))
        except Overtaken:
            scene.look_again()
            found = [one for kind, one in scene.routes() if kind == of and get(one, "metadata", "name") == name]
            if not found:
                return f"{of[3]}/{name} is gone"
            (route,) = found
            continue
        return f"{of[3]}/{name} is no longer held"
    raise ToolFailed(f"{of[3]}/{name} was changed by {last_writer(route) or 'somebody'} {ATTEMPTS} times in a row")


# Adopt


def adoption(tree: Tree, root: Path, request: Request, reach: Reach, *, hold: bool) -> Decision:
    """What writes the live weights into Git: a transition of the release, decided on a tree; nothing is written.

    Raises Refused where no transition leads to what is live.
    """
    scene = scene_of(tree, request, reach)
    seen = scene.observation(request.by)
    held = scene.holding()
    # Whoever may patch the route wrote that: it is no more than what the annotation says. Who adopts answers for it.
    said = f"; its annotation says {held.by}: {held.reason}" if held and held.readable else ""
    reason = request.reason or "adopted from what was live"
    reason = f"{reason}{said}"
    now = max(request.now, moment(seen.at))
    if not scene.weights:
        todo = f"look what became of it: bento-gitops status {scene.target} --live"
        raise scene.refused("live adopt", "no route is in force, so there is nothing to adopt", "", todo)
    current = scene.situation.current
    move = live_shift.adopted(current, scene.situation.plan, scene.weights, now, by=request.by, reason=reason, hold=hold)
    asked = replace(request, now=now, observation=seen, reason=reason)
    candidate = scene.release.candidate
    if move.transition != "shift" or candidate is None or not _raises(scene, candidate):
        return decided(scene.situation, root, asked, Planned(move, urgent=True))

    def gates(facts: gating.Facts) -> list[Gate]:
        # That Git's state is live is what adopting mends. All else asks for --break-glass: a shift is no way past gates.
        return [gate for gate in gating.before_raising(facts) if gate.name != "live"]

    bundle = scene.release.tracks[candidate].bundle
    planned = Planned(move, gates, bundle, urgent=True, needed=scene.situation.pods(candidate))
    return decided(scene.situation, root, asked, planned)


def _raises(scene: Scene, candidate: str) -> bool:
    return scene.weights.get(candidate, 0) > scene.release.tracks[candidate].weight


def arrived(root: Path, where: Where, target: str, live: Mapping[str, int]) -> tuple[bool, str]:
    """Whether what Argo CD reads says what is live, and what that is called.

    Raises ToolFailed where the remote does not answer.
    """
    if not git.is_repository(root):
        return False, "Git, which this folder is not in"
    remote = bool(git.remotes(root))
    tree = tree_of(root, Where("push", where.branch, where.remote)) if remote else GitTree(root, "HEAD")
    path = release_file(target)
    name = "the remote's branch" if remote else "HEAD"
    if not tree.exists(path):
        return False, name
    said = weights(read(tree.read(path), path, Release).value)
    return _positive(said) == _positive(live), name


def released(tree: Tree, request: Request, reach: Reach, wanted: Mapping[str, int]) -> list[str]:
    """Gives an application back to Argo CD whose live weights Git says now. The steps that were done.

    Raises Refused where somebody shifted it again meanwhile.
    """
    scene = scene_of(tree, request, reach)
    if _positive(scene.weights) != _positive(wanted):
        todo = f"run it again: bento-gitops live adopt {scene.target}"
        raise scene.refused("live adopt", "it was shifted again meanwhile, so it stays held", told(scene.weights), todo)
    return release(scene)
