"""`live shift`: weights of a live route when Git or Argo CD is down.

It goes in an order in which a kill between two steps leaves an annotation that `status --live` shows and `discard` mends.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bento_gitops.checking.objects import Map, as_map, get
from bento_gitops.model.base import timestamp
from bento_gitops.model.problem import Place, Problem, Refused, ToolFailed
from bento_gitops.observing.held import LIVE, LONGEST, Held, held_in, remembered
from bento_gitops.observing.rerouting import (
    Reroute,
    last_writer,
)
from bento_gitops.observing.syncing import APPLICATIONS, switched_off, switched_on, synced_by
from bento_gitops.operations.deciding import Request
from bento_gitops.operations.live import ATTEMPTS, Outcome, Reach, Scene, objects, patched_application, scene_of, told
from bento_gitops.releasing import live_shift
from bento_gitops.releasing.message import one_line
from bento_gitops.repository.files import Tree

SETTLING = timedelta(seconds=20)
"""How long a sync that is under way may take before the route is changed all the same."""
_ASK_AGAIN = 0.5


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
        scene.application = patched_application(scene, lambda _: switched_off(held))
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
                _, scene.seen = objects(scene.situation, scene.cluster)
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
        _, scene.seen = objects(scene.situation, scene.cluster)
    except (ToolFailed, Refused):
        state = f"automatic sync of {scene.argo_name} is off; " if scene.application is not None else ""
        return f"{state}nobody knows whether the route was changed: look with bento-gitops status --live, then {mend}"
    if any(as_map(get(one, "metadata", "annotations")).get(LIVE) == held.on_route() for _, one in scene.routes()):
        return f"the route was changed all the same, and is held: bento-gitops status {scene.target} --live"
    if scene.application is None:
        return "nothing was changed"
    try:
        if earlier is not None:
            patched_application(scene, lambda _: switched_off(replace(earlier, automated=held.automated)))
            return f"the route is as it was, and still held by {earlier.by}"
        patched_application(scene, lambda _: switched_on(held))
    except ToolFailed as error:
        return f"the route is as it was, and automatic sync of {scene.argo_name} is off, because {error}: {mend}"
    return f"the route is as it was, and automatic sync of {scene.argo_name} is on again"


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
