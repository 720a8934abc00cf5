"""What must hold between the parts of one file: a release's tracks and weights, a bundle's services and dependencies."""

from __future__ import annotations

from collections.abc import Iterator

from bento_gitops.layers.marked import MarkedMap, join, place_of
from bento_gitops.model.base import Model
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.names import kebab
from bento_gitops.model.problem import Problem, did_you_mean
from bento_gitops.model.release import Release


def broken_rules(value: Model, tree: MarkedMap) -> Iterator[Problem]:
    """A problem for each rule that the file breaks; `tree` is the file with its lines."""
    if isinstance(value, Release):
        yield from _release(value, tree)
    elif isinstance(value, Bundle):
        yield from _bundle(value, tree)


def _release(release: Release, tree: MarkedMap) -> Iterator[Problem]:
    named = {"stable": release.stable, "candidate": release.candidate}
    for word, track in named.items():
        if track is not None and track not in release.tracks:
            advice = did_you_mean(track, release.tracks) if release.tracks else "add the track"
            yield Problem(place_of(tree, word), word, "there is no such track", f"'{track}'", advice)
    if release.candidate == release.stable:
        stable = place_of(tree, "stable")
        yield Problem(
            place_of(tree, "candidate"),
            "candidate",
            f"the same track as stable ({stable})",
            f"'{release.candidate}'",
            "name another track, or remove the key",
        )
    yield from _standby(release, tree)
    yield from _weights(release, tree)
    yield from _for_others_than_stable(release, tree)
    yield from _retiring(release, tree)
    yield from _rolling_back(release, tree)
    if release.candidate in release.tracks:
        yield from _candidate(release, release.candidate, tree)


def _standby(release: Release, tree: MarkedMap) -> Iterator[Problem]:
    if release.standby is None:
        return
    track, place = release.standby.track, place_of(tree, "standby", "track")
    if track not in release.tracks:
        yield Problem(place, "standby.track", "there is no such track", f"'{track}'", did_you_mean(track, release.tracks))
    for word, other in (("stable", release.stable), ("candidate", release.candidate)):
        if track == other:
            at = place_of(tree, word)
            yield Problem(place, "standby.track", f"is {word} already ({at})", f"'{track}'", "name another track")


def _weights(release: Release, tree: MarkedMap) -> Iterator[Problem]:
    total = sum(track.weight for track in release.tracks.values())
    if total != 100:
        parts = " + ".join(
            f"{track.weight} ({name}, {place_of(tree, 'tracks', name, 'weight')})" for name, track in release.tracks.items()
        )
        found = f"{parts} = {total}" if parts else "no track"
        yield Problem(place_of(tree, "tracks"), "tracks", "the weights must add up to 100", found, "mend the weights")
    if any(track not in release.tracks for track in (release.stable, release.candidate) if track):
        return  # said already; which track is neither cannot be told
    for name, track in release.tracks.items():
        if track.weight and name not in (release.stable, release.candidate):
            yield Problem(
                place_of(tree, "tracks", name, "weight"),
                f"tracks.{name}.weight",
                "only stable and candidate get live requests",
                str(track.weight),
                "set it to 0, or make the track the candidate",
            )


def _for_others_than_stable(release: Release, tree: MarkedMap) -> Iterator[Problem]:
    """`ready_for` makes a track smaller, which the stable one never is."""
    track = release.tracks.get(release.stable)
    if track is not None and track.ready_for is not None:
        yield Problem(
            place_of(tree, "tracks", release.stable, "ready_for"),
            f"tracks.{release.stable}.ready_for",
            f"the stable track always has its full capacity ({place_of(tree, 'stable')})",
            str(track.ready_for),
            "remove it; how many pods it has stands in config.yaml",
        )


def _retiring(release: Release, tree: MarkedMap) -> Iterator[Problem]:
    if release.retiring and release.candidate:
        yield Problem(
            place_of(tree, "candidate"),
            "candidate",
            f"the application is being retired ({place_of(tree, 'retiring')})",
            f"'{release.candidate}'",
            "remove one of the two",
        )


def _rolling_back(release: Release, tree: MarkedMap) -> Iterator[Problem]:
    """Rollback's own candidate gets all requests without a trial: it must be what ran before."""
    if release.rollback is None:
        return
    place = place_of(tree, "rollback")
    if release.candidate is None:
        todo = "remove it, or name the candidate"
        yield Problem(place, "rollback", "there is no candidate that it goes back to", "", todo)
    elif release.candidate in release.tracks:
        bundle = release.tracks[release.candidate].bundle
        wrong, todo = "the candidate is not what `previous` names", "remove it: the candidate is on trial"
        if release.previous is None:
            yield Problem(place, "rollback", "there is no `previous`, and only that is gone back to", f"'{bundle}'", todo)
        elif release.previous.bundle != bundle:
            at = place_of(tree, "previous", "bundle")
            yield Problem(place, "rollback", f"{wrong} ({at}: {release.previous.bundle})", f"'{bundle}'", todo)


def _candidate(release: Release, name: str, tree: MarkedMap) -> Iterator[Problem]:
    track = release.tracks[name]
    ready = track.ready_for or 0
    if track.weight > ready:
        yield Problem(
            place_of(tree, "tracks", name, "weight"),
            f"tracks.{name}.weight",
            f"is above what the track's pods are for: ready_for is {ready} ({place_of(tree, 'tracks', name, 'ready_for')})",
            str(track.weight),
            "raise ready_for first, and the weight when its pods are ready",
        )
    if release.held and track.bundle in release.held:
        held = place_of(tree, "held", track.bundle)
        yield Problem(
            place_of(tree, "tracks", name, "bundle"),
            f"tracks.{name}.bundle",
            f"a held bundle cannot be the candidate ({held}: {release.held[track.bundle].reason})",
            f"'{track.bundle}'",
            "unhold it, or take another bundle",
        )


def _bundle(bundle: Bundle, tree: MarkedMap) -> Iterator[Problem]:
    if bundle.entry not in bundle.services:
        advice = did_you_mean(bundle.entry, bundle.services)
        yield Problem(place_of(tree, "entry"), "entry", "no such service in this bundle", f"'{bundle.entry}'", advice)
    yield from _object_names(bundle, tree)
    for name, service in bundle.services.items():
        for dependency in service.dependencies:
            if dependency not in bundle.services:
                yield Problem(
                    place_of(tree, "services", name, "dependencies"),
                    f"{join('services', name)}.dependencies",
                    "no such service in this bundle",
                    f"'{dependency}'",
                    did_you_mean(dependency, bundle.services),
                )


def _object_names(bundle: Bundle, tree: MarkedMap) -> Iterator[Problem]:
    """Each service becomes the name of objects in kebab-case, which two cannot share."""
    first: dict[str, str] = {}
    for name in bundle.services:
        becomes, place, pointer = kebab(name), place_of(tree, "services", name), join("services", name)
        if not becomes:
            yield Problem(
                place, pointer, "a name without letters and digits is no object's", f"'{name}'", "rename it in the code"
            )
        elif becomes in first:
            other = first[becomes]
            wrong = f"becomes the object name {becomes}, as {other} does ({place_of(tree, 'services', other)})"
            yield Problem(place, pointer, wrong, f"'{name}'", "rename one of them in the code")
        first.setdefault(becomes, name)
