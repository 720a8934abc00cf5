"""What a change does, in a sentence: the step of a release first, then settings, then the chart."""

from __future__ import annotations

from collections.abc import Iterator

from bento_gitops.model.release import Release
from bento_gitops.reviewing.comparing import Comparison, Side
from bento_gitops.reviewing.objects import shown
from bento_gitops.reviewing.values import ValueChange, is_of_bundle, is_of_instance_type


def headline(comparison: Comparison) -> str:
    """One sentence without its full stop."""
    before, after = comparison.before, comparison.after
    if after is None:
        assert before, "a comparison has a side"
        return f"the application is removed: {_tracks(before)} no longer runs here"
    if before is None:
        return f"a new application: {_tracks(after)}"
    words = [*_step(comparison, before.release, after.release), *_settings(comparison), *_facts(before, after)]
    if comparison.chart_changed:
        words.append(_chart(before, after))
    if comparison.runs_before.month != comparison.runs_after.month and not words:
        words.append("the price of what it runs on changes")
    return "; ".join(words) or "no object changes"


def _tracks(side: Side) -> str:
    return ", ".join(
        f"bundle {track.bundle} on track {track.name} with {track.weight} % of live requests"
        for track in side.running.tracks.values()
    )


def _named(track: str, release: Release) -> str:
    return f"{track} ({release.tracks[track].bundle})"


def _step(comparison: Comparison, before: Release, after: Release) -> Iterator[str]:
    """What the release does."""
    yield from (
        f"bundle {before.tracks[name].bundle} -> {after.tracks[name].bundle} in place on track {name}"
        for name in comparison.in_place
    )
    if before.retiring is None and after.retiring is not None:
        yield "the application is being retired: its routes close"
    gone, new = before.tracks.keys() - after.tracks.keys(), after.tracks.keys() - before.tracks.keys()
    yield from _change_of_parts(before, after)
    told = {before.stable, before.candidate, after.stable, after.candidate}
    for name in sorted(new - {after.stable, after.candidate}):
        yield f"track {_named(name, after)} is added"
    for name in sorted(gone):
        removed = f"track {_named(name, before)} is removed"
        yield (
            f"{removed}, the last one that could answer at once after a rollback"
            if before.standby and name not in told
            else removed
        )
    if before.paused is None and after.paused is not None:
        yield "the rollout is paused"
    if before.paused is not None and after.paused is None and after.candidate:
        yield "the rollout goes on"
    held = sorted((after.held or {}).keys() - (before.held or {}).keys())
    if held:
        yield f"bundle {', '.join(held)} is held: it must not be promoted"


def _change_of_parts(before: Release, after: Release) -> Iterator[str]:
    stable, candidate = before.stable, after.candidate
    if candidate and candidate != before.candidate:
        track = after.tracks[candidate]
        yield f"bundle {track.bundle} becomes the candidate on track {candidate} with {track.weight} % of live requests"
    elif candidate and after.stable == stable:
        yield from _shift(candidate, before, after)
    if after.stable != stable:
        was_candidate = after.stable == before.candidate
        kept = _kept(stable, after)
        if was_candidate:
            yield f"candidate {_named(after.stable, after)} becomes stable{kept}"
        elif after.stable in before.tracks:
            yield f"back from {_named(stable, before)} to {_named(after.stable, after)}, which gets all live requests{kept}"
        else:
            yield f"{_named(after.stable, after)} takes the place of {_named(stable, before)}{kept}"
    elif before.candidate and not candidate:
        back = before.tracks[before.candidate].weight
        kept = _kept(before.candidate, after)
        yield (
            f"candidate {_named(before.candidate, before)} is taken back: stable {_named(stable, after)} answers"
            f" {'all live requests again' if back else 'all live requests, as before'}{kept}"
        )


def _kept(track: str, release: Release) -> str:
    """That a track stays as standby, how long and with which pods; nothing where it does not."""
    standby = release.standby
    if standby is None or standby.track != track:
        return ""
    pods = {"full": "all its pods", "warm": "one pod of each component", "cold": "no pods"}[standby.capacity]
    return f"; {_named(track, release)} stays as standby with {pods} until {standby.until}"


def _shift(candidate: str, before: Release, after: Release) -> Iterator[str]:
    was, now = before.tracks[candidate], after.tracks[candidate]
    if was.weight != now.weight:
        word = "up" if now.weight > was.weight else "down"
        yield (
            f"candidate {_named(candidate, after)} goes {word} from {was.weight} % to {now.weight} % of live requests;"
            f" stable {_named(after.stable, after)} gets {after.tracks[after.stable].weight} %"
        )
    elif was.ready_for != now.ready_for:
        yield f"candidate {_named(candidate, after)} gets the pods for {now.ready_for} % of live requests; no request moves"


MOST = 3


def _settings(comparison: Comparison) -> Iterator[str]:
    settings = [
        change for change in comparison.values if not _is_of_release(change, comparison) and not is_of_instance_type(change)
    ]
    written = [change for change in settings if not _only_chart(change)]
    words = [
        f"{change.path} {shown(change.before and change.before.value, 40)} -> {shown(change.after and change.after.value, 40)}"
        for change in written
    ]
    if len(words) > MOST:
        yield f"{len(words)} settings change ({'; '.join(words[: MOST - 1])}; ...)"
    elif words:
        yield "; ".join(words)
    defaults = len(settings) - len(written)
    if defaults:
        yield f"{defaults} default{'s' if defaults > 1 else ''} of the chart {'change' if defaults > 1 else 'changes'}"


def _is_of_release(change: ValueChange, comparison: Comparison) -> bool:
    """Whether the release's step says it already: weights, parts, and the pods that follow them."""
    if not change.component and (change.path.startswith("tracks.") or change.path == "stable" or is_of_bundle(change)):
        return True
    release = comparison.after.sources.release.tree.place.file if comparison.after else ""
    files = {side.place.file for side in (change.before, change.after) if side}
    noted = any(side and side.note.startswith(("candidate", "track", "warm standby")) for side in (change.before, change.after))
    bundles = all(side.startswith("bundles/") for side in files)
    return release in files or noted or (bundles and bool(comparison.in_place))


def _only_chart(change: ValueChange) -> bool:
    return all(side is None or side.layer == "chart" for side in (change.before, change.after))


def _facts(before: Side, after: Side) -> Iterator[str]:
    old, new = before.sources.own.value, after.sources.own.value
    for word, was, now in (("namespace", old.namespace, new.namespace), ("cluster", old.cluster, new.cluster)):
        if was != now:
            yield f"the {word} changes from {was} to {now}"


def _chart(before: Side, after: Side) -> str:
    old, new = before.chart, after.chart
    if old.version != new.version:
        return f"the chart goes from {old.version} to {new.version}"
    return f"the chart changes ({new.folder})"
