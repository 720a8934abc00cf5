"""diff: what a change does to every application that it touches, from the files of both sides.

Only applications whose own files differ are rendered, each side with the chart that it pins, and in batches: what is kept of
one is what there is to say of it.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.checking.rendered import Document, Unreadable, read
from bento_gitops.layers.marked import Plain, parse, plain
from bento_gitops.layers.merging import ResolvedMap, value_at
from bento_gitops.layers.resolving import Sources, resolve
from bento_gitops.model.base import duration
from bento_gitops.model.files import Environment, Guardrails, InstanceTypes, Overrides
from bento_gitops.model.layout import CHART, RELEASES, environment_file, release_file
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.model.release import Release
from bento_gitops.model.rollout import Rollout, StandbyPlan
from bento_gitops.operations.manifests import refused, render_objects
from bento_gitops.operations.render import render_one
from bento_gitops.releasing.plan import plan_of
from bento_gitops.releasing.states import restoring, swaps_back
from bento_gitops.rendering.guardrails import Guarded
from bento_gitops.repository.charts import on_disk, standing
from bento_gitops.repository.files import GitTree, OverlayTree, Tree, WorkingTree
from bento_gitops.repository.fleet import INSTANCE_TYPES, Fleet, Target
from bento_gitops.reviewing.comparing import Chart, Comparison, Side
from bento_gitops.reviewing.files import file_review, told_by
from bento_gitops.reviewing.guardrails import FILES, Sides, loosened, of_files
from bento_gitops.reviewing.objects import Manifest, at
from bento_gitops.reviewing.review import ApplicationReview, FileReview, Review, of_all, reviewed
from bento_gitops.reviewing.risks import LEVELS, Risk
from bento_gitops.tools import git

AT_ONCE = 50
"""Applications that are rendered on both sides before any of them is let go: what two Helm processes take at a time."""
_FILES = (
    "environments/*",
    "environments/*/*",
    "environments/*/*/*",
    "environments/*/*/evidence/*",
    "applications/*",
    "bundles/*/*",
)
_WITHOUT_EFFECT = ("README.md", ".helmignore", "templates/NOTES.txt")
"""Files of a chart that no object comes from, as everything in ci/."""
_LINE = re.compile(r":[0-9]+")


def diff(root: Path, wanted: str | None, base: str | None = None) -> Review:
    """The working tree against a Git ref; without one, against where it left the remote's default branch, else HEAD.

    Raises InvalidInput with what is wrong with the files of the working tree.
    """
    ref, name = (base, base) if base else _default_base(root)
    return compare(GitTree(root, ref), WorkingTree(root), wanted, base=name)


def _default_base(root: Path) -> tuple[str, str]:
    """The ref, and how people call it."""
    for remote in git.remotes(root):
        branch = git.default_branch(root, remote)
        if branch is None:
            continue
        found = git.merge_base(root, "HEAD", f"{remote}/{branch}")
        if found:
            return found, f"{remote}/{branch}"
    return "HEAD", "HEAD"


def compare(before: Tree, after: Tree, wanted: str | None, *, base: str) -> Review:
    """Two trees. `base` is what people call the first.

    Raises InvalidInput with what is wrong with the files of the second; what is wrong with the first is a note where it is met.
    """
    with tempfile.TemporaryDirectory(prefix="bento-gitops-diff-") as scratch:
        old, new = (_Opened(tree, Path(scratch) / name) for tree, name in ((before, "before"), (after, "after")))
        changed = _changed(old, new)
        readers = _readers(changed, old, new)
        touched = sorted({target for targets in readers.values() for target in targets})
        chosen = _chosen(touched, wanted, old.fleet, new.fleet)
        applications = [one for some in _batches(chosen) for one in _reviewed(some, old, new)]
        paths = [path for path, targets in readers.items() if not wanted or any(target in chosen for target in targets)]
        return Review(
            base=base,
            applications=tuple(applications),
            files=tuple(_files(paths, readers, old, new, applications)),
            currency=_currency(new.fleet) or _currency(old.fleet),
            looked_at=len(chosen),
            risks=(*of_all(applications), *_guards(old, new, changed, wanted)),
            chart_files=tuple(_chart_files(paths, readers, applications)),
        )


def _guards(old: _Opened, new: _Opened, changed: Sequence[str], wanted: str | None) -> tuple[Risk, ...]:
    """What of the whole change takes away a guard; nothing where somebody asks for a part of it."""
    if wanted:
        return ()
    listed = {path for side in (old, new) for pattern in FILES for path in side.tree.glob(pattern)}
    paths = sorted({path for path in listed if _bytes(old.tree, path) != _bytes(new.tree, path)} | set(changed))
    files = {path: Sides(old.content(path), new.content(path)) for path in paths if not path.startswith(f"{CHART}/")}
    found = list(of_files(files))
    for environment in sorted({*old.fleet.environments(), *new.fleet.environments()}):
        before, after = (_guardrails(side.fleet, environment) for side in (old, new))
        if environment in new.fleet.environments():
            found += loosened(environment, before, after, environment_file(environment))
    return tuple(sorted(found, key=lambda risk: (-LEVELS.index(risk.level), risk.kind, risk.where, risk.reason)))


def _guardrails(fleet: Fleet, environment: str) -> Guardrails | None:
    """What holds in an environment; None where it is not there, or spoilt, which others tell."""
    try:
        return Guarded(fleet.chain(environment)).rules if environment in fleet.environments() else None
    except InvalidInput:
        return None


@dataclass
class _Opened:
    """A tree, its fleet, and its charts where Helm can read them."""

    tree: Tree
    scratch: Path
    fleet: Fleet = field(init=False)
    _charts: dict[str, Chart] = field(default_factory=dict[str, Chart])
    _written: dict[str, Path] = field(default_factory=dict[str, Path])
    _of_charts: dict[str, bytes | None] = field(default_factory=dict[str, "bytes | None"])

    def __post_init__(self) -> None:
        self.fleet = Fleet(self.tree)

    def chart(self, environment: str) -> Chart:
        """The chart of an environment. Raises InvalidInput."""
        folder = self.fleet.chart_folder(environment)
        if folder not in self._charts:
            content = hashlib.sha256()
            for path in self.fleet.charts.files(folder):
                data = self.bytes_of(path) if _has_effect(path.removeprefix(f"{folder}/")) else None
                if data is not None:
                    content.update(f"{path.removeprefix(folder)} {len(data)}\n".encode() + data)
            version = at(self.content(f"{folder}/Chart.yaml"), "version")
            self._charts[folder] = Chart(folder, str(version), content.hexdigest())
        return self._charts[folder]

    def written(self, folder: str) -> Path:
        """A chart's folder, written to disk once."""
        if folder not in self._written:
            self._written[folder] = on_disk(self.tree, folder, self.scratch)
        return self._written[folder]

    def bytes_of(self, path: str) -> bytes | None:
        """A file's bytes; None where it is not there. Charts are looked at twice, for what changed and for what renders."""
        if not path.startswith("charts/"):
            return _bytes(self.tree, path)
        if path not in self._of_charts:
            self._of_charts[path] = _bytes(self.tree, path)
        return self._of_charts[path]

    def content(self, path: str) -> Plain:
        """What a YAML file says; None where it is not there, its text where it cannot be read."""
        if not self.tree.exists(path):
            return None
        data = self.tree.read(path)
        try:
            return plain(parse(data, path))
        except InvalidInput:
            return data.decode("utf-8", errors="replace")


def _has_effect(path: str) -> bool:
    return path not in _WITHOUT_EFFECT and not path.startswith("ci/")


def _changed(old: _Opened, new: _Opened) -> list[str]:
    """Every file of the fleet or of a chart that is not the same."""
    (below, ours), (base, theirs) = (_over(side.tree) for side in (old, new))
    if base is below:
        paths: Iterable[str] = [
            path for path in {*ours, *theirs} if path.startswith(("environments/", "applications/", "bundles/", "charts/"))
        ]
    else:
        paths = {path for side in (old, new) for path in _listed(side)}
    return sorted(path for path in paths if old.bytes_of(path) != new.bytes_of(path))


def _over(tree: Tree) -> tuple[Tree, Collection[str]]:
    """A tree of files, and the paths at which others lie over them."""
    return (tree.base, tree.changes.keys()) if isinstance(tree, OverlayTree) else (tree, ())


def _listed(side: _Opened) -> Iterator[str]:
    for pattern in _FILES:
        yield from (path for path in side.tree.glob(pattern) if path.endswith((".yaml", ".yml")))
    folders = {CHART, *(path.rpartition("/")[0] for path in side.tree.glob(f"{RELEASES}/*/Chart.yaml"))}
    for folder in sorted(folders):
        yield from side.fleet.charts.files(folder)


def _bytes(tree: Tree, path: str) -> bytes | None:
    return tree.read(path) if tree.exists(path) else None


def _readers(changed: Sequence[str], old: _Opened, new: _Opened) -> dict[str, tuple[Target, ...]]:
    """By file that differs: the applications, of either side, that read it. Generated values are nobody's source."""
    environments = {environment for side in (old, new) for environment in side.fleet.environments()}
    extending: dict[str, set[str]] = {name: {name} for name in environments}
    charts: dict[str, set[str]] = {}
    for side in (old, new):
        for name in side.fleet.environments():
            base = _extended(side.fleet, name)
            if base:
                extending.setdefault(base, {base}).add(name)
            charts.setdefault(_chart_folder(side.fleet, name), set()).add(name)
    targets = sorted({target for side in (old, new) for target in side.fleet.targets() if _is_released(target, old, new)})
    return {
        path: tuple(target for target in targets if _reads(target, path, extending, charts, (old, new)))
        for path in changed
        if not path.endswith("/values.yaml") or path.startswith("charts/")
    }


def _is_released(target: Target, old: _Opened, new: _Opened) -> bool:
    return any(side.tree.exists(release_file(str(target))) for side in (old, new))


def _extended(fleet: Fleet, environment: str) -> str | None:
    try:
        own = fleet.file(environment_file(environment), Environment)
    except InvalidInput:
        return None  # told when an application of it is rendered
    return own.value.extends if own else None


def _chart_folder(fleet: Fleet, environment: str) -> str:
    try:
        return fleet.chart_folder(environment)
    except InvalidInput:
        return ""  # told when an application of it is rendered


def _reads(
    target: Target,
    path: str,
    extending: Mapping[str, Collection[str]],
    charts: Mapping[str, Collection[str]],
    sides: Sequence[_Opened],
) -> bool:
    match path.split("/"):
        case ["environments", _]:
            return path == INSTANCE_TYPES
        case ["environments", environment, _]:
            return target.environment in extending.get(environment, ())
        case ["environments", environment, application, "config.yaml"]:
            return target.application == application and target.environment in extending.get(environment, ())
        case ["environments", environment, application, *_]:
            return target == Target(environment, application)
        case ["applications", name]:
            return name == f"{target.application}.yaml"
        case ["bundles", application, name]:
            return target.application == application and any(name.removesuffix(".yaml") in _named(target, side) for side in sides)
        case _:
            folder = next((folder for folder in charts if folder and path.startswith(f"{folder}/")), None)
            return folder is not None and target.environment in charts[folder] and _has_effect(path.removeprefix(f"{folder}/"))


def _named(target: Target, side: _Opened) -> set[str]:
    """The bundles that the release names."""
    try:
        release = side.fleet.file(release_file(str(target)), Release, needed=False)
    except InvalidInput:
        return set()  # told when the application is rendered
    if release is None:
        return set()
    return {track.bundle for track in release.value.tracks.values()}


def _chosen(touched: Sequence[Target], wanted: str | None, old: Fleet, new: Fleet) -> list[Target]:
    """Those of the touched applications that ENV or ENV/APP names. Raises InvalidInput for a name that is on neither side."""
    if not wanted:
        return list(touched)
    try:
        named = set(new.chosen(wanted))
    except InvalidInput:
        named = set[Target]()
        try:
            named = set(old.chosen(wanted))
        except InvalidInput:
            new.chosen(wanted)
    named.update(target for target in old.targets() if wanted in (target.environment, str(target)))
    return [target for target in touched if target in named]


def _batches(targets: Sequence[Target]) -> Iterator[Sequence[Target]]:
    return (targets[start : start + AT_ONCE] for start in range(0, len(targets), AT_ONCE))


@dataclass(frozen=True, slots=True)
class _Values:
    """One application on one side, before Helm."""

    text: str
    values: ResolvedMap
    chart: Chart
    notes: tuple[str, ...]
    stale: bool
    """Whether the generated values that are there, which the cluster runs, say something else."""


def _reviewed(targets: Sequence[Target], old: _Opened, new: _Opened) -> Iterator[ApplicationReview]:
    problems: list[Problem] = []
    notes: dict[Target, list[str]] = {target: [] for target in targets}
    befores: dict[Target, _Values] = {}
    afters: dict[Target, _Values] = {}
    for target in targets:
        try:
            if old.tree.exists(release_file(str(target))):
                befores[target] = _values(old, target)
        except InvalidInput as error:
            notes[target].append(_unknown_before(error))
        try:
            if new.tree.exists(release_file(str(target))):
                afters[target] = _values(new, target)
        except InvalidInput as error:
            problems += error.problems
    if problems:
        raise InvalidInput(problems)
    manifests = _manifests({"before": old, "after": new}, befores, afters, notes)
    for target in targets:
        spoilt = bool(notes[target])
        before = _side(old, target, befores.get(target), manifests.get(("before", target), ()))
        after = _side(new, target, afters.get(target), manifests.get(("after", target), ()))
        if before and after and after.release.candidate and before.release != after.release:
            after = replace(after, keep=_keep(after.sources))
        if before is None and after is None:
            continue
        if target in befores and befores[target].stale:
            notes[target].append(
                f"{target.values} of the base is not what its sources say: what runs may differ from what stands here"
            )
        if target in afters and afters[target].stale:
            notes[target].append(f"{target.values} is not what its sources say: run `bento-gitops render {target}`")
        if after is not None:
            known = {_LINE.sub("", note) for note in (befores[target].notes if target in befores else ())}
            notes[target] += [note for note in afters[target].notes if _LINE.sub("", note) not in known]
        comparison = Comparison(target.environment, target.application, None if spoilt else before, after)
        review = reviewed(comparison, notes[target])
        if review is not None:
            yield review


def _unknown_before(error: InvalidInput) -> str:
    first, *others = error.problems
    more = f" (and {len(others)} more)" if others else ""
    return f"what it is compared with cannot be rendered, so all of it is shown as new: {first}{more}"


def _values(side: _Opened, target: Target) -> _Values:
    chart = side.chart(target.environment)
    rendered, values = render_one(side.fleet, target)
    stale = bool(rendered.before) and rendered.changed
    return _Values(rendered.text, values, chart, rendered.notes, stale)


def _side(opened: _Opened, target: Target, found: _Values | None, manifests: Sequence[Manifest]) -> Side | None:
    if found is None:
        return None
    sources = opened.fleet.sources(target)
    return Side(
        sources=sources,
        values=found.values,
        manifests=manifests,
        chart=found.chart,
        overrides=opened.fleet.file(f"{target.folder}/overrides.yaml", Overrides, needed=False),
        one_commit_back=swaps_back(sources.release.value),
        going_back=restoring(sources.release.value),
    )


def _keep(sources: Sources) -> str:
    """How long the track of a candidate stays that is taken back; empty where it does not."""
    said = value_at(resolve(sources).application, "rollout", "standby", "keep")
    standby = StandbyPlan.model_validate({"keep": said}) if said is not None else None
    keep = plan_of(Rollout(standby=standby)).keep
    return duration(keep) if keep else ""


_Key = tuple[str, Target]


def _manifests(
    sides: Mapping[str, _Opened],
    befores: Mapping[Target, _Values],
    afters: Mapping[Target, _Values],
    notes: Mapping[Target, list[str]],
) -> dict[_Key, list[Manifest]]:
    """The objects of both sides, where the values or the chart differ: else they are the same.

    Raises InvalidInput where the second side is refused; where the first is, a note says so.
    """
    wanted: dict[str, tuple[_Key, _Values]] = {}
    for target in {**befores, **afters}:
        before, after = befores.get(target), afters.get(target)
        if before and after and (before.text, before.chart.digest) == (after.text, after.chart.digest):
            continue
        for name, found in (("before", before), ("after", after)):
            if found:
                wanted[f"{name} {target}"] = (name, target), found
    if not wanted:
        return {}
    place = _places([(sides[name], found.chart) for (name, _), found in wanted.values()])
    texts = {key: found.text for key, (_, found) in wanted.items()}
    charts = {key: place[found.chart.digest] for key, (_, found) in wanted.items()}
    rendering = render_objects(texts, charts, "helm", VERSIONS[-1])
    problems: list[Problem] = []
    for key, refusals in sorted(rendering.refusals.items()):
        (name, target), found = wanted[key]
        said = list(refused(str(target), found.text, refusals))
        if name == "after":
            problems += said
        else:
            notes[target].append(_unknown_before(InvalidInput(said)))
    known: dict[str, Manifest | None] = {}
    result: dict[_Key, list[Manifest]] = {}
    for key, documents in rendering.documents.items():
        side, target = wanted[key][0]
        try:
            result[side, target] = [item for document in documents if (item := _manifest(document, known))]
        except Unreadable as error:
            place_of_values = Place(target.values)
            problems += [finding.problem(place_of_values) for finding in error.findings]
    if problems:
        raise InvalidInput(problems)
    return result


def _places(having: Sequence[tuple[_Opened, Chart]]) -> Mapping[str, Path]:
    """Where each chart is on disk, by its content: charts of the same content are one to Helm, and one process renders both
    sides. One that lies on disk already on either side need not be written.
    """
    place: dict[str, Path] = {}
    for side, chart in having:
        here = standing(side.tree, chart.folder)
        if here:
            place.setdefault(chart.digest, here)
    for side, chart in having:
        if chart.digest not in place:
            place[chart.digest] = side.written(chart.folder)
    return place


def _manifest(document: Document, known: dict[str, Manifest | None]) -> Manifest | None:
    """The object of a document; most of them are the same on both sides, and read once."""
    if document.text not in known:
        found = read(document)
        known[document.text] = Manifest(found.body) if found else None
    return known[document.text]


def _files(
    paths: Sequence[str],
    readers: Mapping[str, Collection[Target]],
    old: _Opened,
    new: _Opened,
    applications: Sequence[ApplicationReview],
) -> Iterator[FileReview]:
    """The files that differ, and whose difference no application shows."""
    told = told_by(applications)
    showing = {one.target for one in applications}
    for path in paths:
        used = any(str(target) in showing for target in readers[path])
        if path.startswith("charts/"):
            if not used:
                yield FileReview(path, "of a chart: no object that any environment runs changes by it")
            continue
        found = file_review(path, old.content(path), new.content(path), told, used=used)
        if found is not None:
            yield found


MOST_OF_A_CHART = 10
"""Files of a chart that are named one by one."""


def _chart_files(
    paths: Sequence[str], readers: Mapping[str, Collection[Target]], applications: Sequence[ApplicationReview]
) -> Iterator[str]:
    """The files of charts that something is rendered with; those of a new version as their folder."""
    showing = {one.target for one in applications}
    folders: dict[str, list[str]] = {}
    for path in paths:
        if path.startswith("charts/") and any(str(target) in showing for target in readers[path]):
            depth = 4 if path.startswith(f"{RELEASES}/") else 2
            folders.setdefault("/".join(path.split("/")[:depth]), []).append(path)
    for folder, found in folders.items():
        yield from found if len(found) <= MOST_OF_A_CHART else [f"{folder} ({len(found)} files)"]


def _currency(fleet: Fleet) -> str:
    try:
        types = fleet.file(INSTANCE_TYPES, InstanceTypes, needed=False)
    except InvalidInput:
        return ""
    return types.value.currency if types else ""
