"""`canary step`: finds out what comes next, and does that one thing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bento_gitops.model.layout import release_file
from bento_gitops.model.problem import InvalidInput, Refused
from bento_gitops.model.release import Release
from bento_gitops.operations import releases
from bento_gitops.operations.deciding import Decision, Planned, Request, decided, nothing, opened
from bento_gitops.operations.recording import recorded
from bento_gitops.operations.situation import Situation
from bento_gitops.releasing import stepping, transitions
from bento_gitops.repository.files import Tree
from bento_gitops.repository.fleet import Fleet


def step(tree: Tree, root: Path, request: Request) -> Decision:
    """`canary step`: at most one thing, what comes next."""
    situation = opened(tree, request)
    release = situation.release
    if release is None:
        transitions.resume(situation.current, request.now)  # refuses with the words for an application that is not there
        raise AssertionError("an application that is not there cannot be resumed")
    found = _next_step(situation, release, request)
    asked = replace(request, reason=request.reason or found.reason)
    if found.deed == "hold":
        return nothing("hold", situation, found.reason, found)
    if found.deed == "record":
        assert release.candidate is not None
        return replace(recorded(tree, asked, release.candidate), step=found)
    if found.deed == "prepare":
        planned = releases.prepare(situation, asked, found.weight)
    elif found.deed == "shift":
        planned = releases.shift(situation, asked, found.weight)
    elif found.deed == "finish":
        planned = releases.finish(situation, asked)
    elif found.deed == "abort":
        planned = releases.abort(situation, asked, hold=found.to_blame)
    elif found.deed == "rollback":
        planned = releases.rollback(situation, asked, hold=True, root=root)
    else:
        planned = Planned(transitions.tidy(situation.current, request.now))
    try:
        return replace(decided(situation, root, asked, planned), step=found)
    except Refused as error:
        # A gate that does not open is no failure of a job that comes again: it waits, and says for what.
        waits = "; ".join(f"{problem.pointer}: {problem.found or problem.wrong}" for problem in error.problems)
        return nothing("hold", situation, waits, replace(found, deed="hold", reason=waits))


def on_their_way(tree: Tree, wanted: str | None) -> list[str]:
    """The applications of ENV/APP, ENV or everything that are not done: with a candidate, or a track that will be removed.

    A release that cannot be read is among them, for its step to say why.
    """
    fleet = Fleet(tree)
    found: list[str] = []
    for target in map(str, fleet.chosen(wanted)):
        try:
            release = fleet.file(release_file(target), Release, needed=False)
        except InvalidInput:
            found.append(target)
            continue
        if release is not None and len(release.value.tracks) > 1:
            found.append(target)
    return found


def _next_step(situation: Situation, release: Release, request: Request) -> stepping.Step:
    track = release.candidate or release.stable
    tag = release.tracks[track].bundle
    return stepping.next_step(
        release,
        situation.plan,
        request.observation,
        situation.evidence(tag),
        situation.binding(tag),
        situation.pods(track),
        request.now,
    )
