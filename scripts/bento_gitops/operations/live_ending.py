"""`live discard` and `live adopt`: the two ways in which a live shift ends, and what it held goes back to Git and Argo CD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bento_gitops.checking.objects import Map, as_map, as_text, get
from bento_gitops.layers.reading import read
from bento_gitops.model.base import moment
from bento_gitops.model.gate import Gate
from bento_gitops.model.layout import release_file
from bento_gitops.model.problem import ToolFailed
from bento_gitops.model.release import Release
from bento_gitops.observing.held import LIVE, held_in
from bento_gitops.observing.rerouting import (
    Reroute,
    handed_back,
    last_writer,
)
from bento_gitops.observing.syncing import switched_on
from bento_gitops.operations.carrying_out import Where, tree_of
from bento_gitops.operations.deciding import Decision, Planned, Request, decided
from bento_gitops.operations.live import ATTEMPTS, Outcome, Reach, Scene, patched_application, positive, scene_of, told
from bento_gitops.releasing import gates as gating
from bento_gitops.releasing import live_shift
from bento_gitops.releasing.states import weights
from bento_gitops.repository.files import GitTree, Tree
from bento_gitops.tools import git

# Discard


def discard(tree: Tree, request: Request, reach: Reach, *, dry_run: bool = False) -> Outcome:
    """Gives the route back to Git: Argo CD syncs again; where there is none, the weights are set to what Git says.

    Raises ToolFailed where a step failed, with what is left.
    """
    scene = scene_of(tree, request, reach)
    before, held = scene.weights, scene.holding()
    in_git = positive(weights(scene.release))
    if held is None:
        return _without_a_shift(scene, dry_run=dry_run)
    alone = scene.application is None
    says = f"what Git says goes on: {told(in_git)}"
    if dry_run:
        return Outcome(scene.target, says, before, in_git if alone else before, (), (), held)
    done: list[str] = []
    if alone and positive(before) != in_git:
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
    patched_application(scene, lambda _: switched_on(None))
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
        scene.application = patched_application(scene, lambda _: switched_on(own))
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
    return positive(said) == positive(live), name


def released(tree: Tree, request: Request, reach: Reach, wanted: Mapping[str, int]) -> list[str]:
    """Gives an application back to Argo CD whose live weights Git says now. The steps that were done.

    Raises Refused where somebody shifted it again meanwhile.
    """
    scene = scene_of(tree, request, reach)
    if positive(scene.weights) != positive(wanted):
        todo = f"run it again: bento-gitops live adopt {scene.target}"
        raise scene.refused("live adopt", "it was shifted again meanwhile, so it stays held", told(scene.weights), todo)
    return release(scene)
