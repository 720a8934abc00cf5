"""How to take a change back, and what exactly that restores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from bento_gitops.model.release import Release
from bento_gitops.reviewing.comparing import Comparison, Side
from bento_gitops.reviewing.objects import shown
from bento_gitops.reviewing.values import ValueChange, is_of_instance_type

REVERT = "git revert -m 1 MERGE_COMMIT"
"""Of the pull request's merge; a squashed one is a commit with one parent."""
_OF_RELEASE = ("stable", "candidate", "tracks", "standby", "previous")


@dataclass(frozen=True, slots=True)
class Undo:
    """One way back."""

    commands: tuple[str, ...]
    restores: str
    """What is as before afterwards, and what is not."""


def undo(comparison: Comparison) -> tuple[Undo, ...]:
    """The ways back: the release's own first, which is fast; then that of everything else."""
    before, after, target = comparison.before, comparison.after, comparison.target
    if after is None:
        return (_revert(comparison, "the application as it was"),)
    if before is None:
        retire = Undo((f"bento-gitops retire {target}",), "closes its routes, so that nobody calls what is about to go")
        return (retire, _revert(comparison, "the state before: nothing of it runs here"))
    ways: list[Undo] = []
    if _moved(before.release, after.release):
        ways += _of_release(target, before, after)
    override = _of_override(comparison, before, after)
    if override is not None:
        return (*ways, override)
    others = _others(comparison, all_=not ways)
    if others or not ways:
        ways.append(_revert(comparison, others))
    return tuple(ways)


def _moved(before: Release, after: Release) -> bool:
    return any(getattr(before, key) != getattr(after, key) for key in (*_OF_RELEASE, "paused", "held", "retiring"))


def _of_release(target: str, before: Side, after: Side) -> Iterator[Undo]:
    """Of a step of the release; nothing where no command made it (a bundle in place), for then none takes it back."""
    old, new = before.release, after.release
    rollback = f"bento-gitops rollback {target} --push"
    held = sorted((new.held or {}).keys() - (old.held or {}).keys())
    unhold = [f"bento-gitops unhold {target} {tag}" for tag in held]
    if any(name in old.tracks and old.tracks[name].bundle != track.bundle for name, track in new.tracks.items()):
        return
    if old.retiring is None and new.retiring is not None:
        yield Undo((f"bento-gitops retire {target} --undo",), "opens the routes again; nothing else was changed")
    elif after.going_back:
        abort = f"bento-gitops canary abort {target} --no-hold --push"
        yield Undo((abort,), f"leaves {_named(new.stable, new)} with all live requests, as before")
    elif new.candidate is not None:
        yield from _of_candidate(target, rollback, new.candidate, old, new)
    elif new.stable != old.stable and new.stable == old.candidate and not before.going_back:
        yield _after_finish(rollback, old, after)
    elif new.stable != old.stable:
        bad = old.tracks[old.stable].bundle
        one = "in one commit" if after.one_commit_back else "in two commits: its pods have to start first"
        yield Undo((*unhold, rollback), f"gives {bad} all live requests again, {one}; only if it turns out not to be to blame")
    elif old.candidate is not None:
        bundle = old.tracks[old.candidate].bundle
        commands = (*unhold, f"bento-gitops promote {target} {bundle}")
        yield Undo(commands, f"puts {bundle} on trial again, from 0 % on; it does not get back the weight that it had")
    elif held:
        yield Undo(tuple(unhold), "lets it be promoted again")
    elif old.tracks.keys() - new.tracks.keys() and new.previous is not None:
        text = f"prepares {new.previous.bundle} and gives it all live requests, in two commits: no track has its pods any more"
        yield Undo((rollback,), text)


def _of_override(comparison: Comparison, before: Side, after: Side) -> Undo | None:
    """Of overrides that were added and are all that differs beside the release."""
    if after.overrides is None or comparison.chart_changed:
        return None
    file, release = after.overrides.tree.place.file, after.sources.release.tree.place.file
    settings = [change for change in comparison.values if not _is_release(change, release) and not is_of_instance_type(change)]
    if not settings or any(change.after is None or change.after.place.file != file for change in settings):
        return None
    if before.overrides and len(after.overrides.value.overrides) <= len(before.overrides.value.overrides):
        return None  # one was changed or took the place of another: to end it would not give that back
    commands = tuple(f"bento-gitops override end {comparison.target} {change.path}" for change in settings[:MOST])
    return Undo(
        commands,
        f"takes the override back before its end, which gives back {'; '.join(_was(change) for change in settings[:MOST])}",
    )


def _of_candidate(target: str, rollback: str, candidate: str, old: Release, new: Release) -> Iterator[Undo]:
    """The exact opposite of the step where there is one, then the way out of the trial."""
    now, was = new.tracks[candidate], old.tracks.get(candidate)
    if (old.paused is None) != (new.paused is None):
        verb = "resume" if new.paused else "pause"
        yield Undo(
            (f"bento-gitops canary {verb} {target}",), "lets weights rise again" if new.paused else "keeps weights from rising"
        )
    elif was is not None and was.weight != now.weight:
        command = f"bento-gitops canary shift {target} {was.weight} --push"
        yield Undo((command,), f"gives {_named(candidate, new)} {was.weight} % of live requests, as before; the trial goes on")
    elif was is not None and was.ready_for != now.ready_for:
        command = f"bento-gitops canary prepare {target} {max(was.ready_for or 0, was.weight)}"
        yield Undo((command,), "takes the additional pods away again; no request moves, and the trial goes on")
    yield Undo(
        (rollback,),
        f"ends the trial: stable {_named(new.stable, new)} gets all live requests in one commit, its pods are all there."
        f" {now.bundle} is held. Restores weights, not config or chart",
    )


def _after_finish(rollback: str, old: Release, after: Side) -> Undo:
    new = after.release
    assert new.previous is not None or old.stable, "a release that was finished had a stable track"
    back = _named(old.stable, old)
    if after.one_commit_back and new.standby is not None:
        return Undo(
            (rollback,),
            f"gives {back} all live requests again in one commit, until {new.standby.until}: so long its pods stay."
            " Later it takes two commits. Restores the bundle, not config or chart",
        )
    return Undo((rollback,), f"gives {back} all live requests again, in two commits: its pods start first. Not config or chart")


def _named(track: str, release: Release) -> str:
    return f"{track} ({release.tracks[track].bundle})"


MOST = 4


def _others(comparison: Comparison, *, all_: bool) -> str:
    """What differs that no transition of the release takes back; everything where none was made."""
    assert comparison.before and comparison.after
    release = comparison.after.sources.release.tree.place.file
    own = (change for change in comparison.values if all_ or not _is_release(change, release))
    settings = [change for change in own if not is_of_instance_type(change)]
    words = [_was(change) for change in settings[:MOST]]
    if len(settings) > MOST:
        words.append(f"and {len(settings) - MOST} more")
    if comparison.chart_changed:
        words.append(f"the chart as it was ({comparison.before.chart.folder}, {comparison.before.chart.version})")
    return "; ".join(words)


def _is_release(change: ValueChange, release: str) -> bool:
    files = {side.place.file for side in (change.before, change.after) if side}
    return release in files and any(_noted(side.note) or not change.component for side in (change.before, change.after) if side)


def _noted(note: str) -> bool:
    return bool(note)


def _was(change: ValueChange) -> str:
    if change.before is None:
        return f"{change.path} as before: not said"
    return f"{change.path} {shown(change.before.value, 60)} ({change.before.place})"


def _revert(comparison: Comparison, restores: str) -> Undo:
    # A chart is many applications' own.
    render = "bento-gitops render" if comparison.chart_changed else f"bento-gitops render {comparison.target}"
    gives = f"gives back {restores}" if restores else "gives back the files as they were"
    return Undo((REVERT, render), f"in a pull request (without -m 1 if it was squashed): {gives}")
