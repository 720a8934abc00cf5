"""How to take a change back, and what exactly that restores."""

from __future__ import annotations

from dataclasses import dataclass

from bento_gitops.model.release import Release
from bento_gitops.reviewing.comparing import Comparison, Side
from bento_gitops.reviewing.values import ValueChange

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
    if before is None or after is None:
        return (
            _revert(comparison, "the application as it was" if after is None else "the state before: nothing of it runs here"),
        )
    ways: list[Undo] = []
    if _moved(before.release, after.release):
        way = _of_release(target, before, after)
        if way is not None:
            ways.append(way)
    others = _others(comparison)
    if others or not ways:
        ways.append(_revert(comparison, others))
    return tuple(ways)


def _moved(before: Release, after: Release) -> bool:
    return any(getattr(before, key) != getattr(after, key) for key in (*_OF_RELEASE, "paused", "held", "retiring"))


def _of_release(target: str, before: Side, after: Side) -> Undo | None:
    old, new = before.release, after.release
    rollback = f"bento-gitops rollback {target} --push"
    if any(name in old.tracks and old.tracks[name].bundle != track.bundle for name, track in new.tracks.items()):
        return None  # a bundle in place: no transition made it, and none takes it back
    if old.retiring is None and new.retiring is not None:
        return Undo((f"bento-gitops retire {target} --undo",), "opens the routes again; nothing else was changed")
    if after.going_back:
        abort = f"bento-gitops canary abort {target} --no-hold --push"
        return Undo((abort,), f"leaves {_named(new.stable, new)} with all live requests, as before")
    if new.candidate is not None:
        bundle = new.tracks[new.candidate].bundle
        return Undo(
            (rollback,),
            f"gives stable {_named(new.stable, new)} all live requests in one commit; its pods are all there. {bundle} is held."
            " Restores weights, not config or chart",
        )
    if new.stable != old.stable and new.stable == old.candidate and not before.going_back:
        return _after_finish(rollback, old, after)
    if new.stable != old.stable:
        bad = old.tracks[old.stable].bundle
        commands = (f"bento-gitops unhold {target} {bad}", rollback)
        one = "in one commit" if after.one_commit_back else "in two commits: its pods have to start first"
        return Undo(commands, f"gives {bad} all live requests again, {one}; only if it turns out not to be to blame")
    if old.candidate is not None:
        bundle = old.tracks[old.candidate].bundle
        commands = (f"bento-gitops unhold {target} {bundle}", f"bento-gitops promote {target} {bundle}")
        return Undo(commands, f"puts {bundle} on trial again, from 0 % on; it does not get back the weight that it had")
    if old.paused != new.paused:
        return None
    newly_held = sorted((new.held or {}).keys() - (old.held or {}).keys())
    if newly_held:
        return Undo(tuple(f"bento-gitops unhold {target} {tag}" for tag in newly_held), "lets it be promoted again")
    gone = sorted(old.tracks.keys() - new.tracks.keys())
    if gone and new.previous is not None:
        text = f"prepares {new.previous.bundle} and gives it all live requests, in two commits: no track has its pods any more"
        return Undo((rollback,), text)
    return None


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


def _others(comparison: Comparison) -> str:
    """What differs that no transition of the release takes back."""
    assert comparison.before and comparison.after
    release = comparison.after.sources.release.tree.place.file
    settings = [change for change in comparison.values if not _is_release(change, release)]
    words = [_was(change) for change in settings[:MOST]]
    if len(settings) > MOST:
        words.append(f"{len(settings) - MOST} more settings")
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
    shown = str(change.before.value)
    return f"{change.path} {shown if len(shown) <= 60 else shown[:57] + '...'} ({change.before.place})"


def _revert(comparison: Comparison, restores: str) -> Undo:
    render = f"bento-gitops render {comparison.target}"
    gives = f"gives back {restores}" if restores else "gives back the files as they were"
    return Undo((REVERT, render), f"in a pull request (without -m 1 if it was squashed): {gives}")
