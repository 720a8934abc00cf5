"""chart release, verify and prune: releases of the chart, as folders that never change."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bento_gitops.checking.chart_files import render_chart_files
from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.layers.marked import parse, place_of, plain
from bento_gitops.model.layout import CHART, RELEASES, released_chart
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused
from bento_gitops.model.versions import is_version, order_of
from bento_gitops.operations.pins import CHART_TRAILER, ahead_of_source, parse_plain, read_environment
from bento_gitops.releasing.message import BY, REASON, TRANSITION, message_of, one_line
from bento_gitops.repository import charts as folders
from bento_gitops.repository.changes import Change, Proposal, change
from bento_gitops.repository.files import GitTree, Tree, WorkingTree, write_atomically
from bento_gitops.repository.fleet import Fleet
from bento_gitops.tools import binaries, git, helm

METADATA = "Chart.yaml"
_VERSION_LINE = re.compile(r"^version:.*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Release:
    """A release of the chart as it is now."""

    version: str
    before: str | None
    """The latest release until now."""
    files: Mapping[str, bytes]
    """Of the new folder, its Chart.yaml last: without that, a folder is no release."""
    source: Mapping[str, bytes]
    """Of the chart as it is now."""
    metadata: bytes
    """The chart's own Chart.yaml, which says the version of its latest release."""
    next: tuple[str, ...]
    """What to run next."""

    @property
    def folder(self) -> str:
        return released_chart(self.version)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every file that it writes."""
        return f"{CHART}/{METADATA}", *self.files

    def proposal(self, tree: Tree, *, by: str, reason: str = "") -> Proposal:
        """As changes of a tree, to be delivered as a commit."""
        changes = [change(tree, f"{CHART}/{METADATA}", self.metadata)]
        changes += [Change(path, None, data) for path, data in self.files.items()]
        body = [f"{self.folder} is {CHART} as it is here, and never changes."]
        if reason:
            body.append(f"Why: {one_line(reason)}")
        trailers = {TRANSITION: "chart-release", CHART_TRAILER: self.version, BY: one_line(by), REASON: one_line(reason)}
        # Who releases has seen this chart: where another one is there by then, somebody has to look again.
        start = {**self.source, f"{self.folder}/{METADATA}": None}
        return Proposal(tuple(changes), message_of(f"Release chart {self.version}", body, trailers), start)


def released(tree: Tree, version: str) -> Release:
    """The chart of the tree as a release; nothing is written.

    Raises InvalidInput for what is no version, and for a chart that cannot be read. Raises Refused with every reason against it:
    the version is not above the latest, generated files are stale, the chart does not lint or has links.
    """
    if not is_version(version):
        raise InvalidInput([Problem(Place(RELEASES), "", "is no semantic version", f"'{version}'", "write one like 1.4.0")])
    charts = folders.Charts(tree)
    problems = [*_not_above(charts.versions(), version), *_linked(tree, CHART)]
    if problems:
        raise Refused(problems)
    charts.layer(CHART)
    charts_files = charts.files(CHART)
    ignore = f"{CHART}/.helmignore"
    paths = folders.shipped(charts_files, CHART, tree.read(ignore).decode() if tree.exists(ignore) else "")
    files = {path: tree.read(path) for path in paths}
    problems = [*_stale(files), *_not_linted(tree, [path for path in charts_files if path.startswith(f"{CHART}/ci/")])]
    if problems:
        raise Refused(problems)
    metadata = _with_version(files[f"{CHART}/{METADATA}"], version)
    copied = {path.replace(CHART, released_chart(version), 1): data for path, data in files.items()}
    del copied[f"{released_chart(version)}/{METADATA}"]
    copied[f"{released_chart(version)}/{METADATA}"] = metadata
    latest = charts.versions()[-1] if charts.versions() else None
    return Release(version, latest, copied, files, metadata, _next(Fleet(tree), version))


def _next(fleet: Fleet, version: str) -> tuple[str, ...]:
    """The pins that may move on to a new release now."""
    following: list[str] = []
    for name in fleet.environments():
        own = read_environment(fleet, name)
        if own.value.chart and ahead_of_source(fleet, name, version).outcome == "passed":
            following.append(f"bento-gitops chart pin {name} {version}")
    return tuple(following) or (f"bento-gitops chart pin ENV {version}",)


def _not_above(versions: Sequence[str], version: str) -> Iterator[Problem]:
    latest = versions[-1] if versions else None
    if version in versions:
        wrong, todo = "this version is there already", f"a release never changes; give this one a number above {latest}"
        yield Problem(Place(released_chart(version)), "", wrong, "", todo)
    elif latest and order_of(version) <= order_of(latest):
        yield Problem(
            Place(released_chart(version)), "", f"is not above {latest}, the latest", f"'{version}'", "count on from that"
        )


def _linked(tree: Tree, folder: str) -> list[Problem]:
    wrong, todo = "a chart has no symbolic links: what they point to can change", "put the file itself here"
    return [Problem(Place(path), "", wrong, "", todo) for path in folders.links(tree, folder)]


def _stale(files: Mapping[str, bytes]) -> list[Problem]:
    """The generated files of the chart that are not what the models say."""
    texts: list[str] = []
    for name in ("values.yaml", "README.md", METADATA):
        path = f"{CHART}/{name}"
        if path not in files:
            raise InvalidInput([Problem(Place(path), "", "the file is missing", "", "a chart needs it")])
        texts.append(files[path].decode())
    try:
        wanted = render_chart_files(*texts[:2])
    except ValueError as error:
        return [Problem(Place(CHART), "", str(error))]
    todo = "run `bento-gitops schemas generate`"
    return [
        Problem(Place(path), "", "is generated, and not what the models say", "", todo)
        for path, text in wanted.items()
        if files.get(path) != text.encode()
    ]


def _not_linted(tree: Tree, values: Sequence[str]) -> list[Problem]:
    """What Helm finds wrong with the chart, with each of its values for tests; without any where it has none."""
    program = binaries.find("helm")
    with tempfile.TemporaryDirectory(prefix="bento-gitops-chart-") as scratch:
        chart = folders.on_disk(tree, CHART, Path(scratch))
        texts = {path: tree.read(path).decode() for path in values} or {f"{CHART}/values.yaml": ""}
        return [
            Problem(Place(path), "", "the chart does not lint with these values", found, "mend the chart, or these values")
            for path, text in texts.items()
            for found in helm.lint(chart, text, helm=program, kube_version=VERSIONS[-1])
        ]


def _with_version(metadata: bytes, version: str) -> bytes:
    """Chart.yaml with another version; the rest as it stands."""
    text, count = _VERSION_LINE.subn(f"version: {version}", metadata.decode())
    place = Place(f"{CHART}/{METADATA}")
    if count != 1 or parse_plain(text.encode(), place.file).get("version") != version:
        raise InvalidInput([Problem(place, "version", "is not said in one line of its own", "", "write `version: 0.0.0`")])
    return text.encode()


def write_release(root: Path, release: Release) -> None:
    """The release in the working tree: first the number in the chart itself, then the folder, by one rename.

    A kill in between leaves a number without a release; to run the command again completes it.
    """
    write_atomically(root, f"{CHART}/{METADATA}", release.metadata)
    folders.install_folder(root, release.folder, release.files)


@dataclass(frozen=True, slots=True)
class Verified:
    """The releases, which are in order."""

    versions: tuple[str, ...]
    pins: Mapping[str, str | None]
    """By environment: the version that it pins."""
    unpinned: tuple[str, ...]
    """Versions that nobody pins."""
    removable: tuple[str, ...]
    """Those of them that nobody will pin: `prune` removes them."""
    compared: int
    """How many were there at the base already."""
    notes: tuple[str, ...]


def verify(root: Path, base: str | None) -> Verified:
    """Checks that releases did not change since `base`, are what their folders say, and that every pin has its folder.

    Raises InvalidInput with everything that is wrong.
    """
    tree = WorkingTree(root)
    fleet = Fleet(tree)
    problems = [*_linked(tree, CHART), *_linked(tree, RELEASES), *_misplaced(root)]
    versions: list[str] = []
    with _collecting(problems):
        versions = fleet.charts.versions()
    for version in versions:
        with _collecting(problems):
            problems += _misnamed(tree, version)
    pins: dict[str, str | None] = {}
    notes: list[str] = []
    for environment in fleet.environments():
        with _collecting(problems):
            folder = fleet.chart_folder(environment)
            pins[environment] = folders.version_in(folder) or None
            fleet.charts.gap(folder)
            notes += _without_a_setting(fleet.charts.layer(folder))
    compared = 0
    if base:
        changed, compared = _changed_since(root, base)
        problems += changed
        problems += _raised_too_early(root, base, fleet)
    if problems:
        raise InvalidInput(problems)
    used = {version for version in pins.values() if version}
    unpinned = tuple(version for version in versions if version not in used)
    return Verified(tuple(versions), pins, unpinned, removable(versions, used), compared, tuple(dict.fromkeys(notes)))


@contextlib.contextmanager
def _collecting(problems: list[Problem]) -> Generator[None]:
    """Adds what is wrong in the block, and goes on after it."""
    try:
        yield
    except InvalidInput as error:
        problems += error.problems


def _without_a_setting(layer: folders.Layer) -> list[str]:
    return [
        f"{place}: {pointer}: nobody can say else any more, this bento-gitops has no such setting"
        for place, pointer in layer.unknown
    ]


def removable(versions: Sequence[str], pins: set[str]) -> tuple[str, ...]:
    """Of the versions, the oldest first, those that nobody will pin.

    Stays: what is pinned, what comes right before a pin (it may have to go back), and what is above all pins (it may come next).
    """
    if not pins:
        return ()
    highest = max(versions.index(pin) for pin in pins)
    before = {versions[versions.index(pin) - 1] for pin in pins if versions.index(pin) > 0}
    return tuple(version for version in versions[:highest] if version not in pins and version not in before)


def prune(root: Path, *, dry_run: bool) -> tuple[str, ...]:
    """Removes the releases that nobody will pin; their versions.

    Raises InvalidInput where `verify` does: who pins what must be known.
    """
    found = verify(root, None).removable
    if not dry_run:
        for version in found:
            folders.remove_folder(root, released_chart(version))
    return found


def _misplaced(root: Path) -> Iterator[Problem]:
    """What lies between the releases and is none."""
    here = root / RELEASES
    for entry in sorted(here.iterdir()) if here.is_dir() else ():
        place = Place(entry.relative_to(root).as_posix())
        if entry.name.startswith(".") and entry.is_dir():
            yield Problem(place, "", "was left by a command that was killed", "", "remove it, no release is missing it")
        elif not is_version(entry.name) or not entry.is_dir():
            yield Problem(place, "", "is no release of the chart", f"'{entry.name}'", "releases are folders named 1.4.0; move it")
        elif not (entry / METADATA).is_file():
            todo = "remove the folder, and release again"
            yield Problem(place, "", f"is no whole release: it has no {METADATA}", "", todo)


def _misnamed(tree: Tree, version: str) -> Iterator[Problem]:
    path = f"{released_chart(version)}/{METADATA}"
    metadata = parse(tree.read(path), path)
    for key, wanted in (("version", version), ("name", CHART.rpartition("/")[2])):
        said = plain(metadata.items[key]) if key in metadata.items else None
        if said != wanted:
            todo = "a release never changes; restore it from Git"
            yield Problem(place_of(metadata, key), key, f"the folder's name says {wanted}", f"'{said}'", todo)


def _changed_since(root: Path, base: str) -> tuple[list[Problem], int]:
    """Files of releases that are not what they were at the base, and how many releases were compared.

    A release that is gone as a whole is no problem here: whoever pins it is one.
    """
    then = {path: entry for path, entry in git.list_files(root, base).items() if path.startswith(f"{RELEASES}/")}
    old = {path.split("/")[3] for path in then if path.count("/") > 3}
    kept = sorted(version for version in old if (root / released_chart(version)).is_dir())
    problems: list[Problem] = []
    for version in kept:
        folder = released_chart(version)
        now = dict(_on_disk(root, folder))
        restore = f"a release never changes: git restore --source {base} -- {folder}, and release another version"
        for path in sorted({*now, *(path for path in then if path.startswith(f"{folder}/"))}):
            if path not in then:
                wrong, todo = f"was not there at {base}", "a release never changes: remove it"
            elif path not in now:
                wrong, todo = f"is gone; it was there at {base}", restore
            elif _blob(now[path], then[path].blob) != then[path].blob:
                wrong, todo = f"is not what it was at {base}", restore
            else:
                continue
            problems.append(Problem(Place(path), "", f"[chart-changed] {wrong}", "", todo))
    return problems, len(kept)


def _on_disk(root: Path, folder: str) -> Iterator[tuple[str, bytes]]:
    """Every file in a folder with its bytes; of a symbolic link where it points to, as Git has it."""
    for at, names, files in os.walk(root / folder):
        links = [name for name in (*names, *files) if Path(at, name).is_symlink()]
        yield from ((Path(at, name).relative_to(root).as_posix(), os.fsencode(Path(at, name).readlink())) for name in links)
        plain_files = [name for name in files if name not in links]
        yield from ((Path(at, name).relative_to(root).as_posix(), Path(at, name).read_bytes()) for name in plain_files)


def _blob(data: bytes, like: str) -> str:
    """The name that Git gives these bytes, in a repository of SHA-1 or of SHA-256 as the other name is."""
    algorithm = "sha1" if len(like) == hashlib.sha1(usedforsecurity=False).digest_size * 2 else "sha256"
    return hashlib.new(algorithm, b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def _raised_too_early(root: Path, base: str, fleet: Fleet) -> Iterator[Problem]:
    """Pins that are others than at the base, and ahead of the environment that bundles come from: as `pinned` refuses."""
    before = Fleet(GitTree(root, base))
    for name in fleet.environments():
        try:
            own = read_environment(fleet, name)
            then = read_environment(before, name).value.chart if name in before.environments() else None
            pin = own.value.chart
            gate = ahead_of_source(fleet, name, pin.version) if pin and pin != then else None
        except InvalidInput:
            continue  # the file now is told of already; that of the base is not here to be mended
        if gate and gate.outcome == "failed":
            yield Problem(
                place_of(own.tree, "chart", "version"),
                "chart.version",
                "[chart-too-early] comes too early",
                gate.evidence,
                gate.mend,
            )
