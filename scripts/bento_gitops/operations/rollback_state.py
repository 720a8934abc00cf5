"""What rollback would write, rendered ahead of time: a pull request that breaks or shrinks it fails before anybody needs it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bento_gitops.checking.application import Checker
from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.model.base import moment
from bento_gitops.model.layout import release_file
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused
from bento_gitops.model.release import Release
from bento_gitops.operations.manifests import refused, render_objects
from bento_gitops.operations.render import Rendered, render_one
from bento_gitops.operations.situation import Situation, dumped
from bento_gitops.releasing import transitions
from bento_gitops.releasing.states import Current
from bento_gitops.repository.charts import on_disk
from bento_gitops.repository.fleet import Fleet, Target
from bento_gitops.repository.policies import Guards


@dataclass(frozen=True, slots=True)
class After:
    """One application after a part of its rollback."""

    situation: Situation
    """As the files would be."""
    release: Release
    rendered: Rendered


def rolled_back(fleet: Fleet, target: Target) -> list[After]:
    """The states that `rollback` writes, one or two; none where there is nothing to go back to.

    Raises InvalidInput where one of them cannot be.
    """
    situation = Situation(fleet, target, moment("2000-01-01T00:00:00Z"))
    release = situation.release
    assert release, "a target has a release, or its sources are an error"
    now = moment(release.since)
    result: list[After] = []
    for _ in range(2):
        current = Current(str(target), situation.file, release)
        try:
            move = transitions.rollback(current, situation.plan, {}, now, by="validate", reason="validate")
        except Refused:
            break
        release = move.after
        opened = fleet.over({situation.file: dumped(release)})
        result.append(After(Situation(opened, target, now), release, render_one(opened, target)[0]))
        if release.candidate is None:
            break
    return result


def problems_of_rollback(
    fleet: Fleet, targets: Sequence[Target], checks: Checker, guards: Guards, base: Fleet | None = None
) -> dict[Target, list[Problem]]:
    """What keeps the rollback of a target from being rendered, or makes it smaller than it was at the base and stable is."""
    problems: dict[Target, list[Problem]] = {target: [] for target in targets}
    states: dict[str, After] = {}
    for target in targets:
        try:
            found = rolled_back(fleet, target)
        except InvalidInput as error:
            problems[target] += [_told(target, problem) for problem in error.problems]
            continue
        states |= {f"{target}#{number}": state for number, state in enumerate(found, 1)}
        if found and base is not None:
            problems[target] += _shrunk(fleet, target, found[-1], base)
    for target, problem in _wrong_objects(fleet, states, checks, guards):
        problems[target].append(problem)
    return problems


def _wrong_objects(
    fleet: Fleet, states: Mapping[str, After], checks: Checker, guards: Guards
) -> Iterator[tuple[Target, Problem]]:
    with tempfile.TemporaryDirectory(prefix="bento-gitops-rollback-") as scratch:
        charts = {key: on_disk(fleet.tree, state.rendered.chart, Path(scratch)) for key, state in states.items()}
        texts = {key: state.rendered.text for key, state in states.items()}
        rendering = render_objects(texts, charts, "helm", VERSIONS[-1])
    for key, state in states.items():
        target = state.rendered.target
        for refusal in refused(str(target), state.rendered.text, rendering.refusals.get(key, ())):
            yield target, _told(target, replace(refusal, place=Place(release_file(str(target)))))
        for finding in checks.check(rendering.documents.get(key, ()), guards.of(target.environment)).findings:
            yield target, _told(target, finding.problem(Place(release_file(str(target)))))


def _shrunk(fleet: Fleet, target: Target, after: After, base: Fleet) -> Iterator[Problem]:
    """Components that would have fewer pods than the rollback to the same bundle had at the base, and than stable has now."""
    if target not in base.targets():
        return
    try:
        then = rolled_back(base, target)
    except InvalidInput:
        return  # it was broken before; what is wrong with it now is told already
    if not then or _stable_bundle(then[-1].release) != _stable_bundle(after.release):
        return
    situation = Situation(fleet, target, after.situation.now)
    assert situation.release
    live = situation.pods(situation.release.stable)
    had = then[-1].situation.pods(then[-1].release.stable)
    for name, pods in after.situation.pods(after.release.stable).items():
        if pods < had.get(name, 0) and pods < live.get(name, 0):
            wrong = f"rollback to {_stable_bundle(after.release)} would have fewer pods of {name} than it had before this change"
            found = f"{pods}, was {had[name]}; {live[name]} serve now"
            todo = "keep min_replicas for the bundle that rollback goes back to, until it is no longer `previous`"
            yield Problem(Place(release_file(str(target))), "rollback", wrong, found, todo)


def _stable_bundle(release: Release) -> str:
    return release.tracks[release.stable].bundle


def _told(target: Target, problem: Problem) -> Problem:
    """A problem of the state after a rollback, at the line that causes it; of a release that is not written yet there is none."""
    file = problem.place.file
    place = Place(file) if file == release_file(str(target)) else problem.place
    wrong = f"rollback of {target} would not work: {problem.pointer + ': ' if problem.pointer else ''}{problem.wrong}"
    return Problem(place, "rollback", wrong, problem.found, problem.todo)
