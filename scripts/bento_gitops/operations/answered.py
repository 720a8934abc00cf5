"""What answered requests at a moment, as Git had it: tracks, bundles, models, and the commits and people behind them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

from bento_gitops.layers.reading import read
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.layout import bundle_file, release_file
from bento_gitops.model.problem import InvalidInput, Place, Problem, did_you_mean
from bento_gitops.model.release import Release
from bento_gitops.operations.history import Approvals, Entry, entry_of, of, release_of, require_whole
from bento_gitops.releasing.message import pull_request
from bento_gitops.repository.fleet import is_target
from bento_gitops.tools import git, github


@dataclass(frozen=True, slots=True)
class Recorded:
    """The bundle, as it was in Git at that moment, and how it came there."""

    bundle: Bundle
    commit: str
    at: datetime
    """When the branch got it."""
    author: str
    pull_request: str
    let_in: github.Merged | None


@dataclass(frozen=True, slots=True)
class Answering:
    """A track at that moment."""

    track: str
    bundle: str
    weight: int
    since: Entry
    """What put this bundle on the track."""
    answers: Entry | None
    """What let it answer, since when it did without a break; None: at weight 0 only who asks for it by header is answered."""
    weighs: Entry
    """What gave it the weight that it had."""
    recorded: Recorded | str
    """Or why it is not known."""


@dataclass(frozen=True, slots=True)
class Answered:
    """An application at a moment."""

    target: str
    at: datetime
    by: Entry
    """The change of the release that was the last one then."""
    tracks: tuple[Answering, ...]


@dataclass(frozen=True, slots=True)
class _Version:
    """The release from one commit of the branch's own line until the next."""

    entry: Entry
    release: Release | None


def answered(
    root: Path, target: str, at: datetime, *, track: str | None = None, bundle: str | None = None, approvals: bool = False
) -> Answered:
    """What ENV/APP ran at a moment: all its tracks, or the one that a response named (x-bento-track, x-bento-bundle).

    A change counts from when its branch got it. Raises InvalidInput where nothing ran then, or not that.
    """
    require_whole(root)
    if not is_target(target):
        raise InvalidInput(
            [Problem(Place("environments"), "", "no name of an application in an environment", f"'{target}'", "write ENV/APP")]
        )
    versions = _versions(root, target)
    there = [version for version in versions if version.entry.landed.at <= at]
    if not there or there[0].release is None:
        raise InvalidInput([_nothing(target, at, versions, there)])
    now = there[0].release
    names = [
        name
        for name, released in now.tracks.items()
        if (track is None or name == track) and (bundle is None or released.bundle == bundle)
    ]
    if not names:
        raise InvalidInput([_another(target, at, now, track, bundle)])
    github_says = Approvals(root) if approvals else None
    tracks = tuple(_answering(root, name, now, there, github_says) for name in names)
    (by,) = _told([there[0].entry], github_says)
    return Answered(target, at, by, tracks)


def _versions(root: Path, target: str) -> list[_Version]:
    """The releases that the branch had, the newest first, each with the transition that made it."""
    path = release_file(target)
    landings = git.landings(root)
    inside: dict[str, Entry] = {}
    for entry in of(root, target, landings):
        # Of several in one merge the last made what came of it; one that a command made tells more than the merge does.
        known = inside.get(entry.landed.sha)
        if known is None or (known.transition == "by hand" and known.commit == known.landed.sha):
            inside[entry.landed.sha] = entry
    return [
        _Version(inside.get(commit.sha) or entry_of(target, commit, text, landings[commit.sha]), release_of(text, path))
        for commit, text in git.versions(root, path, own=True)
    ]


def _answering(root: Path, name: str, now: Release, versions: Sequence[_Version], github_says: Approvals | None) -> Answering:
    track = now.tracks[name]
    since = _since(versions, lambda release: _has(release, name, track.bundle))
    weighs = _since(versions, lambda release: _has(release, name, track.bundle) and release.tracks[name].weight == track.weight)
    answers = _since(versions, lambda release: _has(release, name, track.bundle) and release.tracks[name].weight > 0)
    since, weighs, answers = _told([since, weighs, answers], github_says)
    recorded = _recorded(root, now, versions[0].entry, name, github_says)
    return Answering(name, track.bundle, track.weight, since, answers if track.weight else None, weighs, recorded)


def _has(release: Release, name: str, bundle: str) -> bool:
    return name in release.tracks and release.tracks[name].bundle == bundle


def _since(versions: Sequence[_Version], holds: Callable[[Release], bool]) -> Entry:
    """The change since when something is so without a break, the newest one at least."""
    found = takewhile(lambda version: version.release is not None and holds(version.release), versions[1:])
    return [versions[0], *found][-1].entry


def _recorded(root: Path, now: Release, entry: Entry, name: str, github_says: Approvals | None) -> Recorded | str:
    application, tag = entry.target.partition("/")[2], now.tracks[name].bundle
    path = bundle_file(application, tag)
    # A bundle never changes: one that came to the branch after it ran tells what ran all the same.
    found = git.added(root, path, entry.landed.sha) or git.added(root, path)
    if found is None:
        return f"no commit of this branch has {path}"
    sha, data = found
    try:
        bundle = read(data, path, Bundle).value
    except InvalidInput as error:
        return f"{path} as commit {sha[:10]} has it cannot be read today: {error.problems[0]}"
    (commit,) = git.log(root, sha, limit=1)
    let_in = github_says.of(sha) if github_says else None
    number = (f"#{let_in.number}" if let_in else "") if github_says else pull_request(commit.subject, commit.body)
    return Recorded(bundle, sha, commit.date, commit.written_by, number, let_in)


def _told(entries: list[Entry], github_says: Approvals | None) -> list[Entry]:
    return github_says.told(entries) if github_says else entries


def _nothing(target: str, at: datetime, versions: Sequence[_Version], there: Sequence[_Version]) -> Problem:
    place = Place(release_file(target))
    when = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    if there:
        gone = there[0].entry
        wrong = f"the application was gone then, or its file cannot be read today ({gone.commit[:10]})"
        return Problem(place, "", wrong, when, f"look at bento-gitops history {target}")
    if not versions:
        return Problem(place, "", "no commit has such a file", "", "name ENV/APP as the folders have it")
    first = f"{versions[-1].entry.landed.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return Problem(place, "", "there was no release yet", when, f"the first came {first}")


def _another(target: str, at: datetime, now: Release, track: str | None, bundle: str | None) -> Problem:
    ran = ", ".join(f"{name} {released.bundle} ({released.weight} %)" for name, released in now.tracks.items())
    asked = " with ".join(filter(None, (f"track {track}" if track else "", f"bundle {bundle}" if bundle else "")))
    todo = f"there were: {ran}; a minute before or after? (--at), else look at the Events of its route for a live shift"
    if track and track not in now.tracks:
        todo = f"{did_you_mean(track, now.tracks)} {todo}"
    when = f"{asked} at {at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    return Problem(Place(release_file(target)), "tracks", "Git had no such track then", when, todo)
