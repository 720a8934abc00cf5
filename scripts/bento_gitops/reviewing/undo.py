"""How to take a change back: each way complete, with its commands in order, what they do, and what they do not."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from bento_gitops.layers.overriding import fragments
from bento_gitops.model.layout import RELEASES
from bento_gitops.model.release import Release
from bento_gitops.reviewing.comparing import Comparison, Side
from bento_gitops.reviewing.objects import shown
from bento_gitops.reviewing.restarts import restarts
from bento_gitops.reviewing.running import at_least
from bento_gitops.reviewing.values import ValueChange, is_of_instance_type

MERGE = "MERGE_COMMIT"
"""Nobody knows it before the merge."""
_OF_RELEASE = ("stable", "candidate", "tracks", "standby", "previous")
_STAYS = "A rollback moves requests only: config and chart changes merged since then stay"
_REMOVED = "the next `canary step` or `promote` removes"


@dataclass(frozen=True, slots=True)
class Step:
    """Commands that belong together."""

    commands: tuple[str, ...]
    does: str
    """Sentences without the last full stop: what it gives back, and what else happens."""


@dataclass(frozen=True, slots=True)
class Undo:
    """One way back, complete: its steps one after another."""

    steps: tuple[Step, ...]

    @property
    def commands(self) -> tuple[str, ...]:
        return tuple(command for step in self.steps for command in step.commands)


def undo(comparison: Comparison) -> tuple[Undo, ...]:
    """The ways back, any of which will do: each takes back a step of the release first, which is fast, then everything else."""
    before, after, target = comparison.before, comparison.after, comparison.target
    if after is None:
        gone = "If somebody deleted its Application in Argo CD by then"
        again = f"{gone}, all its pods start anew, and callers get errors until they are ready"
        return (Undo((_revert(comparison, f"Gives back the files of the application. {again}"),)),)
    if before is None:
        return (_retire(target),)
    ways = [Undo(steps) for steps in _of_release(comparison, before, after)] if _moved(before.release, after.release) else []
    others = _of_the_rest(comparison, before, after, moved=bool(ways))
    if not ways:
        ways = [Undo((step,)) for step in _without_outage(comparison)]
        return (*ways, Undo((others or _revert(comparison, _gives(comparison)),)))
    return tuple(Undo((*way.steps, others)) for way in ways) if others else tuple(ways)


def _moved(before: Release, after: Release) -> bool:
    return any(getattr(before, key) != getattr(after, key) for key in (*_OF_RELEASE, "paused", "held", "retiring"))


def _retire(target: str) -> Undo:
    """Of an application that is new: to revert files that commands write meanwhile would be a conflict."""
    command = f"bento-gitops retire {target} --push"
    closes = Step((command,), "Closes its routes: nobody reaches it from then on, and its pods stay")
    removes = f"The same again, five minutes later or more: removes environments/{target} from Git. Its objects stay"
    return Undo((closes, Step((command,), f"{removes} until somebody deletes its Application; bundles and applications/ stay")))


def _of_release(comparison: Comparison, before: Side, after: Side) -> Iterator[tuple[Step, ...]]:
    """Of a step of the release; nothing where no command made it (a bundle in place), for then none takes it back."""
    target, old, new = comparison.target, before.release, after.release
    rollback = f"bento-gitops rollback {target} --push"
    held = sorted((new.held or {}).keys() - (old.held or {}).keys())
    unhold = tuple(f"bento-gitops unhold {target} {tag} --push" for tag in held)
    blamed = f"Only if {', '.join(held)} turns out not to be to blame: lets it be promoted again"
    allows = (Step(unhold, blamed),) if unhold else ()
    if any(name in old.tracks and old.tracks[name].bundle != track.bundle for name, track in new.tracks.items()):
        return
    if old.retiring is None and new.retiring is not None:
        yield (Step((f"bento-gitops retire {target} --undo --push",), "Opens the routes again; nothing else was changed"),)
    elif after.going_back:
        abort = f"bento-gitops canary abort {target} --no-hold --push"
        yield (Step((abort,), f"Ends the rollback: {_named(new.stable, new)} keeps all live requests, as before"),)
    elif new.candidate is not None:
        yield from _of_candidate(comparison, rollback, new.candidate, before, after)
    elif new.stable != old.stable and new.stable == old.candidate and not before.going_back:
        yield (_back_to(comparison, rollback, old, after),)
    elif new.stable != old.stable:
        yield (*allows, _back_to(comparison, rollback, old, after))
    elif old.candidate is not None:
        bundle = old.tracks[old.candidate].bundle
        again = f"Puts {bundle} on trial again, through the gates, with new pods on a new track and from 0 % of live requests on"
        yield (*allows, Step((f"bento-gitops promote {target} {bundle} --pr",), again))
    elif held:
        yield allows
    elif freed := sorted((old.held or {}).keys() - (new.held or {}).keys()):
        again = tuple(f"bento-gitops hold {target} {tag} --push --reason REASON" for tag in freed)
        yield (Step(again, f"Blocks {', '.join(freed)} from promotion again"),)
    elif old.tracks.keys() - new.tracks.keys() and new.previous is not None:
        text = (
            f"Gives {new.previous.bundle} all live requests in two commits: no track has its pods any more, so they start first"
        )
        yield (Step((rollback,), f"{text}. {_blocks(new.tracks[new.stable].bundle)}. {_STAYS}"),)


def _of_candidate(comparison: Comparison, rollback: str, candidate: str, before: Side, after: Side) -> Iterator[tuple[Step, ...]]:
    """The exact opposite of the step where there is one, then the way out of the trial."""
    target, old, new = comparison.target, before.release, after.release
    now, was = new.tracks[candidate], old.tracks.get(candidate)
    if (old.paused is None) != (new.paused is None):
        verb, does = ("resume", "Lets weights rise again") if new.paused else ("pause", "Keeps weights from rising")
        yield (Step((f"bento-gitops canary {verb} {target} --push",), does),)
    elif was is not None and was.weight != now.weight:
        does = f"Gives {_named(candidate, new)} {was.weight} % of live requests, as before; the trial goes on"
        yield (Step((f"bento-gitops canary shift {target} {was.weight} --push",), does),)
    elif was is not None and was.ready_for != now.ready_for:
        command = f"bento-gitops canary prepare {target} {max(was.ready_for or 0, was.weight)} --push"
        yield (Step((command,), "Lets the additional pods go; no request moves, and the trial goes on"),)
    stable = comparison.runs_after.tracks[new.stable]
    if now.weight:
        fewest = at_least(stable, comparison.runs_after.track(candidate))
        moves = f"{_named(new.stable, new)} gets all live requests in one commit; it keeps at least {fewest}, and the autoscaler"
        moves += " adds the rest"
    else:
        moves = f"no live request moves, all are on {_named(new.stable, new)}"
    yield (Step((rollback,), f"Ends the trial: {moves}. {_leaves(candidate, after)}. {_blocks(now.bundle)}. {_STAYS}"),)


def _leaves(candidate: str, after: Side) -> str:
    """When the pods of a candidate that is taken back go."""
    if after.keep and after.release.standby is None:
        return f"{candidate} keeps its pods, and their cost, as standby for {after.keep}; then {_REMOVED} it"
    return f"{candidate} keeps its pods, and their cost, until {_REMOVED} it"


def _back_to(comparison: Comparison, rollback: str, old: Release, after: Side) -> Step:
    """`rollback` to the track that was stable."""
    new, stable = after.release, _named(old.stable, old)
    two = "it takes two commits, because its pods start first"
    if after.one_commit_back and new.standby is not None:
        fewest = at_least(comparison.runs_after.tracks[old.stable], comparison.runs_after.track(new.stable))
        when = f"in one commit until {new.standby.until}; after that {_REMOVED} {old.stable}, and then {two}"
        does = f"Gives {stable} all live requests again, {when}. It keeps at least {fewest}; the autoscaler adds the rest"
    else:
        does = f"Gives {stable} all live requests again; {two}"
    return Step((rollback,), f"{does}. {_blocks(new.tracks[new.stable].bundle)}. {_STAYS}")


def _blocks(bundle: str) -> str:
    return f"{bundle} is blocked from promotion until `unhold`, unless you add --no-hold"


def _named(track: str, release: Release) -> str:
    return f"{track} ({release.tracks[track].bundle})"


def _of_the_rest(comparison: Comparison, before: Side, after: Side, *, moved: bool) -> Step | None:
    """The way back of what differs beside the release; None where nothing does."""
    release = after.sources.release.tree.place.file
    own = (change for change in comparison.values if not moved or not _is_release(change, release))
    settings = [change for change in own if not is_of_instance_type(change)]
    if comparison.pinned_otherwise and not [change for change in settings if not _only_chart(change)]:
        return _pin(comparison, before)
    override = _of_override(comparison, before, after, settings)
    if override is not None:
        return override
    if not settings and not comparison.chart_changed:
        return None
    if not moved:
        return _revert(comparison, _gives(comparison))
    does = "Gives back what this change says beside the release, which stays as the step above leaves it"
    return _revert(comparison, does, keeping=release)


def _pin(comparison: Comparison, before: Side) -> Step:
    folder, environment = before.chart.folder, comparison.environment
    released = folder.startswith(f"{RELEASES}/")
    command = f"pin {environment} {folder.rpartition('/')[2]}" if released else f"unpin {environment}"
    again = f". {_again(comparison)}" if _again(comparison) else ""
    does = f"Opens a pull request with the chart as it was, for all of {environment}{again}"
    return Step((f"bento-gitops chart {command} --pr",), does)


def _of_override(comparison: Comparison, before: Side, after: Side, settings: list[ValueChange]) -> Step | None:
    """Of overrides that were added and are all that differs beside the release."""
    if after.overrides is None or comparison.chart_changed:
        return None
    file = after.overrides.tree.place.file
    if not settings or any(change.after is None or change.after.place.file != file for change in settings):
        return None
    if before.overrides and len(after.overrides.value.overrides) <= len(before.overrides.value.overrides):
        return None  # one was changed or took the place of another: to end it would not give that back
    lines = [fragment.place.line for fragment in fragments(after.overrides)]
    first: dict[int, str] = {}  # an override ends by any path of its own
    for change in settings:
        assert change.after, "it is of the overrides"
        first.setdefault(max((line for line in lines if line <= change.after.place.line), default=0), change.path)
    commands = tuple(f"bento-gitops override end {comparison.target} {shlex.quote(path)} --pr" for path in first.values())
    restores = "; ".join(f"{change.path} {shown(change.before and change.before.value, 60)}" for change in settings)
    return Step(commands, f"Opens a pull request that takes the override back before its end, which gives back {restores}")


def _is_release(change: ValueChange, release: str) -> bool:
    sides = [side for side in (change.before, change.after) if side]
    return release in {side.place.file for side in sides} and any(side.note or not change.component for side in sides)


def _only_chart(change: ValueChange) -> bool:
    return all(side is None or side.layer == "chart" for side in (change.before, change.after))


def _gives(comparison: Comparison) -> str:
    """What a revert of all of it gives back, and what it costs."""
    gives = "Gives back every value as it was"
    if comparison.cut_off:
        bundles = ", ".join(comparison.runs_before.tracks[name].bundle for name in comparison.cut_off)
        return f"{gives}. Causes the same OUTAGE again: live requests fail until the pods of {bundles} are ready"
    again = _again(comparison)
    return f"{gives}. {again}" if again else gives


def _without_outage(comparison: Comparison) -> Iterator[Step]:
    """The way back to a bundle that was changed in place, without doing that once more."""
    assert comparison.after, "an application that is gone has no track"
    if len(comparison.cut_off) == 1 and comparison.cut_off[0] == comparison.after.release.stable:
        bundle = comparison.runs_before.tracks[comparison.cut_off[0]].bundle
        does = f"Without an outage: puts {bundle} on a new track without live requests; the steps of a canary give it those"
        command = f"bento-gitops promote {comparison.target} {bundle} --pr"
        yield Step((command,), f"{does}. Everything else that was merged stays")


def _again(comparison: Comparison) -> str:
    """What becomes of the pods; empty where they stay as they are."""
    found = {restart.what for restart in restarts(comparison)}
    if "restart" in found:
        return "The same pods restart again, one after another"
    return "The pods that start now stop again" if found == {"start"} else "The pods that stop now start again" if found else ""


def _revert(comparison: Comparison, does: str, keeping: str = "") -> Step:
    """A pull request that takes the merge back.

    What was merged since then may have written release.yaml and values.yaml: those conflicts end with the lines that follow.
    """
    everything = comparison.chart_changed  # a chart is many applications' own
    name = "chart" if everything else comparison.target.replace("/", "-")
    commands = [
        f"git fetch origin && git switch --no-track -c undo-{name} origin/HEAD",
        f"git revert --no-commit -m 1 {MERGE}",
        *([f"git checkout HEAD -- {keeping}"] if keeping else []),
        f"bento-gitops render{'' if everything else f' {comparison.target}'}",
        f'git commit --all -m "Undo {MERGE}" && git push -u origin HEAD && gh pr create --fill',
    ]
    return Step(tuple(commands), does)
