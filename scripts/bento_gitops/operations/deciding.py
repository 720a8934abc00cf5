"""What a release command comes to in one tree: a transition, past its gates, as files that change together."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from bento_gitops.layers.reading import read
from bento_gitops.model.evidence import Observation
from bento_gitops.model.gate import Gate
from bento_gitops.model.layout import bundle_file
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused, did_you_mean
from bento_gitops.model.release import Release
from bento_gitops.operations.manifests import refused as refused_by_chart
from bento_gitops.operations.objects import Objects, objects_of
from bento_gitops.operations.render import Rendered, render_one
from bento_gitops.operations.situation import Situation, content
from bento_gitops.releasing import gates as gating
from bento_gitops.releasing.message import message, one_line
from bento_gitops.releasing.plan import Plan
from bento_gitops.releasing.states import Current, state_of
from bento_gitops.releasing.stepping import Step
from bento_gitops.releasing.transitions import Move
from bento_gitops.repository.changes import Proposal, change
from bento_gitops.repository.editing import edited, fresh
from bento_gitops.repository.files import GitTree, OverlayTree, Tree, contents
from bento_gitops.repository.fleet import Fleet, Target
from bento_gitops.tools import git

HEADER = "# Written by commands of bento-gitops; what it may say: schemas/v1/release.schema.json\n"


@dataclass(frozen=True, slots=True)
class Request:
    """What every changing command is told."""

    target: str
    """ENV/APP."""
    now: datetime
    by: str
    """Who asks."""
    reason: str = ""
    observation: Observation | None = None
    break_glass: str = ""
    """Why failing gates are to be passed over."""
    pods_are_ready: bool = False
    """Who asks looked at the pods of rollback's second part."""


@dataclass(frozen=True, slots=True)
class Several:
    """What a change is of that touches no application alone: an environment, or everything."""

    environment: str = ""

    def __str__(self) -> str:
        return self.environment or "all environments"


@dataclass(frozen=True, slots=True)
class Decision:
    """What a command came to in one tree."""

    transition: str
    target: Target | Several
    says: str
    before: Release | None
    after: Release | None
    """None: the application is removed, or the change is of several."""
    proposal: Proposal | None
    """None: nothing changes."""
    gates: tuple[Gate, ...] = ()
    notes: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    """What to run next."""
    trees: tuple[Tree, Tree] | None = None
    """All files before and after."""
    step: Step | None = None
    """What `canary step` decided, and why."""
    steps: tuple[int, ...] = ()
    """The weights of the rollout, where nothing was done yet: how far along it is."""
    good: bool = True
    """Whether what was looked at is as it should be; only `verify` says no without refusing."""
    body: str = ""
    """The text of its pull request, where there are no trees to compare."""
    branch: str = ""
    """The end of the name of its pull request's branch, where that does not follow from the release."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A transition and the gates before it."""

    move: Move
    gates: Callable[[gating.Facts], list[Gate]] | None = None
    bundle: str = ""
    """Whose facts the gates ask for."""
    urgent: bool = False
    """Passes no gate but that the chart renders: abort and rollback."""
    notes: tuple[str, ...] = ()
    remarks: Callable[[str], list[str]] | None = None
    """More notes, from the values that come of it."""
    needed: Mapping[str, int] = field(default_factory=dict[str, int])


Command = Callable[[Situation, Request], Planned]


def observed(situation: Situation, request: Request) -> tuple[Observation | None, str]:
    """The observation if it may be decided by, and why it may not."""
    return gating.fresh(request.observation, situation.environment.value.cluster, request.now)


def decide(tree: Tree, root: Path, request: Request, command: Command) -> Decision:
    """What a command does in a tree; nothing is written.

    Raises Refused with all that the state or the gates forbid, InvalidInput with what is wrong with the files.
    """
    situation = opened(tree, request)
    planned = command(situation, request)
    return decided(situation, root, request, planned)


def opened(tree: Tree, request: Request) -> Situation:
    """The situation of a target. Raises InvalidInput where it is not ENV/APP or there is no such thing."""
    environment, slash, application = request.target.partition("/")
    fleet = Fleet(tree)
    if not slash or not application:
        advice = f"write it like {environment or 'ENV'}/APPLICATION"
        raise InvalidInput([Problem(Place(request.target), "", "this command needs one application", "", advice)])
    fleet.chosen(environment)
    if Target(environment, application) not in fleet.targets() and not fleet.tags(application):
        fleet.chosen(request.target)
    situation = Situation(fleet, Target(environment, application), request.now)
    if request.observation is not None:
        _require_fitting(request.observation, situation)
    return situation


def _require_fitting(observation: Observation, situation: Situation) -> None:
    """Raises InvalidInput for an observation of something else, and for names that nothing here has: a slip of the pen must not
    take back a good candidate."""
    place, target, release = Place("--observation"), str(situation.target), situation.release
    if observation.target != target:
        raise InvalidInput([Problem(place, "target", f"is not {target}", f"'{observation.target}'", "give the one of it")])
    if release is None:
        return
    problems: list[Problem] = []
    named = {f"analysis.tracks.{name}": name for name in (observation.analysis.tracks if observation.analysis else ())}
    if observation.verification:
        named["verification.track"] = observation.verification.track
    for pointer, name in named.items():
        if name not in release.tracks:
            todo = did_you_mean(name, release.tracks)
            problems.append(Problem(place, pointer, "there is no such track", f"'{name}'", todo))
    for name, track in release.tracks.items():
        seen = observation.tracks.get(name)
        known = situation.bundle(track.bundle).services
        for component in (seen.ready or {}) if seen and seen.bundle == track.bundle else ():
            if component not in known:
                todo = did_you_mean(component, known)
                wrong = f"there is no such service in bundle {track.bundle}"
                problems.append(Problem(place, f"tracks.{name}.ready.{component}", wrong, f"'{component}'", todo))
    if problems:
        raise InvalidInput(problems)


def decided(situation: Situation, root: Path, request: Request, planned: Planned) -> Decision:
    move, tree, target = planned.move, situation.tree, situation.target
    if not move.changes:
        return nothing(move.transition, situation, move.says, None)
    text = _release_text(situation, move.after)
    overlay = OverlayTree(tree, {situation.file: text})
    rendered = render_one(situation.fleet.over({situation.file: text}), target)[0]
    notes = [*planned.notes]
    stale = stale_before(situation.fleet, target, move.transition) if situation.release is not None else None
    if stale is not None:
        if not planned.urgent:
            raise Refused([stale])
        notes.append(f"{stale.place}: {stale.wrong}: see the difference")
    objects = Objects(0, (), ()) if not rendered.changed else objects_in(overlay, rendered, urgent=planned.urgent)
    problems = wrong_objects(rendered, objects)
    if planned.urgent and problems:
        raise InvalidInput(problems)
    notes += planned.remarks(rendered.text) if planned.remarks else []
    found: list[Gate] = []
    if planned.gates is not None:
        facts = _facts(situation, root, request, planned, problems, objects)
        found = planned.gates(facts)
    elif problems:
        raise InvalidInput(problems)
    failed = gating.failing(found)
    if failed:
        if not request.break_glass:
            raise gating.refusal(found, situation.file)
        move = move.breaking([gate.name for gate in failed], request.by, one_line(request.break_glass))
        text = _release_text(situation, move.after)
        overlay = OverlayTree(tree, {situation.file: text})
    values = rendered.text.encode()
    changes = (change(tree, situation.file, text), change(tree, target.values, values))
    told = message(
        move,
        str(target),
        by=request.by,
        reason=request.reason,
        gates=found,
        break_glass=request.break_glass if failed else "",
    )
    after = OverlayTree(tree, {situation.file: text, target.values: values})
    return Decision(
        move.transition,
        target,
        move.says,
        move.before,
        move.after,
        Proposal(changes, told, contents(tree, [situation.file])),
        tuple(found),
        tuple(notes),
        next_commands(Current(str(target), situation.file, move.after), situation.plan),
        (tree, after),
        branch=f"{move.transition}-{move.bundle}" if move.bundle else "",
    )


def nothing(transition: str, situation: Situation, says: str, found: Step | None) -> Decision:
    following = next_commands(situation.current, situation.plan)
    release = situation.release
    steps = situation.plan.steps if release else ()
    return Decision(transition, situation.target, says, release, release, None, next=following, step=found, steps=steps)


def _release_text(situation: Situation, release: Release) -> bytes:
    data = content(release)
    tree = situation.tree
    text = edited(tree.read(situation.file).decode(), data) if tree.exists(situation.file) else fresh(data, HEADER)
    read(text, situation.file, Release)  # the rules of the file are the last to say that a state can be
    return text.encode()


def stale_before(fleet: Fleet, target: Target, transition: str) -> Problem | None:
    """That values.yaml says something else than its sources do before the transition, which then must not hide in it."""
    if not render_one(fleet, target)[0].changed:
        return None
    stale = "values.yaml is not what its sources say, so this would bring more than the transition"
    return Problem(Place(target.values), transition, stale, "", f"bento-gitops render {target}, commit that first")


def objects_in(tree: Tree, rendered: Rendered, *, urgent: bool = False) -> Objects:
    """The objects of the values, checked; for what is urgent only whether the chart renders them."""
    with tempfile.TemporaryDirectory(prefix="bento-gitops-") as scratch:
        return objects_of(tree, rendered, Path(scratch), checked=not urgent)


def wrong_objects(rendered: Rendered, objects: Objects) -> list[Problem]:
    """Why the chart refuses the values, else what is wrong with their objects."""
    if objects.refusals:
        return list(refused_by_chart(str(rendered.target), rendered.text, objects.refusals))
    return list(objects.problems)


def _facts(
    situation: Situation, root: Path, request: Request, planned: Planned, problems: Sequence[Problem], objects: Objects
) -> gating.Facts:
    tag = planned.bundle
    promoting = planned.gates is gating.before_promotion
    created, unchanged = _recording(situation, root, tag)
    return gating.Facts(
        target=str(situation.target),
        now=request.now,
        release=situation.release,
        bundle=situation.bundle(tag),
        plan=situation.plan,
        promotion=situation.promotion,
        origin=situation.origin(tag),
        unchanged=unchanged,
        created=created,
        thresholds=situation.thresholds(tag) if promoting else {},
        held_elsewhere=situation.held_elsewhere(tag),
        ended=situation.ended() if promoting else (),
        renders=[str(problem) for problem in problems],
        objects=objects.objects,
        policies=objects.policies,
        observation=request.observation,
        cluster=situation.environment.value.cluster,
        needed=planned.needed,
        pods_are_ready=request.by if request.pods_are_ready else "",
    )


def _recording(situation: Situation, root: Path, tag: str) -> tuple[str, bool | None]:
    """The commit that created a bundle's file, and whether the file is as it was then; None where Git cannot tell."""
    path, tree = bundle_file(situation.target.application, tag), situation.tree
    whole = git.has_history(root)
    if whole is None:
        return "", None
    if not whole:
        return "this clone lacks the history that knows how it was recorded", None
    found = git.added(root, path, tree.commit if isinstance(tree, GitTree) else "HEAD", whole=True)
    if found is None:
        return "", None
    commit, recorded = found
    return commit[:10], recorded == tree.read(path)


def next_commands(current: Current, plan: Plan) -> tuple[str, ...]:
    """What somebody would run next, most likely first."""
    release, target = current.release, current.target
    state = state_of(release)
    if release is None:
        return (f"bento-gitops promote {target} TAG",)
    if release.retiring is not None:
        return (f"bento-gitops retire {target}", f"bento-gitops retire {target} --undo")
    if release.rollback is not None:
        return (f"bento-gitops rollback {target} --pods-are-ready", f"bento-gitops rollback {target} --live")
    if release.candidate is None:
        return ()
    track = release.tracks[release.candidate]
    if release.paused is not None:
        return (f"bento-gitops canary resume {target}", f"bento-gitops canary abort {target}")
    if state == "full":
        return (f"bento-gitops canary finish {target}", f"bento-gitops canary abort {target}")
    following = plan.after(track.weight)
    verb = "shift" if (track.ready_for or 0) >= following else "prepare"
    return (f"bento-gitops canary {verb} {target} {following}", f"bento-gitops canary abort {target}")
