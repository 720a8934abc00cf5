"""What a change does, in a few words each: an outage first, the step of a release, then settings, then the chart."""

from __future__ import annotations

import json
from collections.abc import Iterator

from bento_gitops.model.release import Release
from bento_gitops.reviewing.behind import behind
from bento_gitops.reviewing.comparing import Comparison, Side
from bento_gitops.reviewing.objects import shown
from bento_gitops.reviewing.values import ValueChange, is_of_bundle, is_of_instance_type


def headline(comparison: Comparison) -> tuple[str, ...]:
    """Sentences without their full stops, the most important first."""
    before, after = comparison.before, comparison.after
    if after is None:
        assert before, "a comparison has a side"
        return (f"the application is removed: {_tracks(before)} no longer runs here",)
    if before is None:
        return (f"a new application: {_tracks(after)}",)
    words = [*_outage(comparison), *_step(comparison, before.release, after.release), *_settings(comparison)]
    words += _facts(before, after)
    if comparison.chart_changed:
        words.append(_chart(comparison, before, after))
    if comparison.runs_before.month != comparison.runs_after.month and not words:
        words.append("the price of what it runs on changes")
    return tuple(words) or ("no object changes",)


def _outage(comparison: Comparison) -> Iterator[str]:
    """That requests will fail, and how they would not."""
    for name in comparison.cut_off:
        track = comparison.runs_after.tracks[name]
        promote = f"`bento-gitops promote {comparison.target} {track.bundle}`"
        share = "every live request fails" if track.weight == 100 else f"{track.weight} % of live requests fail"
        why = f"until the pods of {track.bundle} are ready, because the Services of track {name} switch to them at once"
        yield f"OUTAGE on merge: {share} {why}"
        yield f"to avoid the outage, leave track {name} as it is and put {track.bundle} on a new track: {promote}"


def _tracks(side: Side) -> str:
    return ", ".join(
        f"bundle {track.bundle} on track {track.name} with {track.weight} % of live requests"
        for track in side.running.tracks.values()
    )


def _named(track: str, release: Release) -> str:
    return f"{track} ({release.tracks[track].bundle})"


def _step(comparison: Comparison, before: Release, after: Release) -> Iterator[str]:
    """What the release does."""
    for name in comparison.in_place:
        bundles = f"{before.tracks[name].bundle} -> {after.tracks[name].bundle}"
        yield f"bundle {bundles} in place on track {name}{_image(comparison, name)}"
    if before.retiring is None and after.retiring is not None:
        yield "the application is being retired: its routes close"
    gone, new = before.tracks.keys() - after.tracks.keys(), after.tracks.keys() - before.tracks.keys()
    yield from _change_of_parts(before, after)
    told = {before.stable, before.candidate, after.stable, after.candidate}
    for name in sorted(new - {after.stable, after.candidate}):
        yield f"track {_named(name, after)} is added"
    for name in sorted(gone):
        removed = f"track {_named(name, before)} is removed"
        yield f"{removed}: a rollback takes two commits from here on" if before.standby and name not in told else removed
    if before.paused is None and after.paused is not None:
        yield "the rollout is paused"
    if before.paused is not None and after.paused is None and after.candidate:
        yield "the rollout goes on"
    held = sorted((after.held or {}).keys() - (before.held or {}).keys())
    if held:
        yield f"bundle {', '.join(held)} is blocked from promotion (until `unhold`)"
    freed = sorted((before.held or {}).keys() - (after.held or {}).keys())
    if freed:
        yield f"bundle {', '.join(freed)} may be promoted again"


def _image(comparison: Comparison, track: str) -> str:
    """What becomes of the image where a track's bundle changes."""
    image = f"tracks.{track}.image."
    parts = {change.path.removeprefix(image): change for change in comparison.values if change.path.startswith(image)}
    moved = parts.get("repository")
    if moved is None:
        return "" if "digest" in parts else " (the same image)"
    places = " -> ".join(shown(side and side.value, 120) for side in (moved.before, moved.after))
    return f" ({'another image' if 'digest' in parts else 'the same image digest'} from another registry: {places})"


def _change_of_parts(before: Release, after: Release) -> Iterator[str]:
    stable, candidate = before.stable, after.candidate
    if candidate and candidate != before.candidate:
        track = after.tracks[candidate]
        yield f"bundle {track.bundle} becomes the candidate on track {candidate} with {track.weight} % of live requests"
    elif candidate and after.stable == stable:
        yield from _shift(candidate, before, after)
    if after.stable != stable:
        was_candidate = after.stable == before.candidate
        if was_candidate:
            moves = "" if before.tracks[after.stable].weight == 100 else " and gets all live requests"
            yield f"candidate {_named(after.stable, after)} becomes stable{moves}"
        elif after.stable in before.tracks:
            yield f"back from {_named(stable, before)} to {_named(after.stable, after)}, which gets all live requests"
        else:
            yield f"{_named(after.stable, after)} takes the place of {_named(stable, before)}"
        yield from _kept(stable, after)
    elif before.candidate and not candidate:
        back = before.tracks[before.candidate].weight
        yield (
            f"candidate {_named(before.candidate, before)} is taken back: stable {_named(stable, after)} answers"
            f" {'all live requests again' if back else 'all live requests, as before'}"
        )
        yield from _kept(before.candidate, after)


def _kept(track: str, release: Release) -> Iterator[str]:
    """That a track stays as standby, how long and with which pods; nothing where it does not."""
    standby = release.standby
    if standby is None or standby.track != track:
        return
    pods = {"full": "at its minimum of pods", "warm": "with one pod of each component", "cold": "without pods"}[standby.capacity]
    then = "after that the next `canary step` or `promote` removes it"
    yield f"{_named(track, release)} stays as standby {pods} until {standby.until}; {then}"


def _shift(candidate: str, before: Release, after: Release) -> Iterator[str]:
    was, now = before.tracks[candidate], after.tracks[candidate]
    if was.weight != now.weight:
        word = "up" if now.weight > was.weight else "down"
        yield (
            f"candidate {_named(candidate, after)} goes {word} from {was.weight} % to {now.weight} % of live requests;"
            f" stable {_named(after.stable, after)} gets {after.tracks[after.stable].weight} %"
        )
    elif was.ready_for != now.ready_for:
        yield f"candidate {_named(candidate, after)} gets the pods for {now.ready_for} % of live requests"
        yield f"no request moves: it stays at {now.weight} %"


MOST = 4
TEMPLATE = "spec.template."
SHORT = 40
"""Characters of a value in a sentence."""


def _settings(comparison: Comparison) -> Iterator[str]:
    settings = [
        change for change in comparison.values if not _is_of_release(change, comparison) and not is_of_instance_type(change)
    ]
    written = [change for change in settings if not _only_chart(change)]
    sides = [(change.path, [shown(side and side.value, SHORT) for side in (change.before, change.after)]) for change in written]
    words = [f"{path} {' -> '.join(values)}" for path, values in sides]
    if len(words) > MOST:
        yield from words[: MOST - 1]
        yield f"{len(words) - MOST + 1} more settings change"
    else:
        yield from words
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


def _chart(comparison: Comparison, before: Side, after: Side) -> str:
    old, new = before.chart, after.chart
    if old.version != new.version:
        words = f"the chart goes from {old.version} to {new.version}"
    else:
        words = f"the chart changes ({new.folder})"
    if not comparison.objects_differ:
        return f"{words}: the same objects with both charts"
    fields = list(dict.fromkeys(_by_chart(comparison)))
    if not fields:
        return words
    more = f" and {len(fields) - MOST} more fields" if len(fields) > MOST else ""
    return f"{words}: {', '.join(fields[:MOST])}{more}"


def _by_chart(comparison: Comparison) -> Iterator[str]:
    """The fields that the chart makes others: what restarts pods first."""
    fields = [
        (not field.pointer.startswith(TEMPLATE), field)
        for change in comparison.objects
        for field in change.fields
        if behind(comparison, change, field).chart
    ]
    for _, field in sorted(fields, key=lambda found: found[0]):
        short = all(len(json.dumps(value)) <= SHORT for value in (field.before, field.after))
        name = field.path[-1].strip("[]")
        values = f" {' -> '.join(shown(value, SHORT, 'absent') for value in (field.before, field.after))}" if short else ""
        yield f"{name}{values}{' (restarts pods)' if field.pointer.startswith(TEMPLATE) else ''}"
