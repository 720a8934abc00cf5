"""A review: what a change does to each application, told from both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bento_gitops.layers.marked import Plain, join, place_of
from bento_gitops.layers.merging import PEOPLE
from bento_gitops.model.bundle import Bundle, RecordedModel
from bento_gitops.reviewing.behind import behind
from bento_gitops.reviewing.comparing import Comparison, Side
from bento_gitops.reviewing.headline import headline
from bento_gitops.reviewing.objects import Change
from bento_gitops.reviewing.restarts import Restart, Scaling, restarts, scalings
from bento_gitops.reviewing.risks import LEVELS, Level, Risk, highest, risks
from bento_gitops.reviewing.running import Money, Pods, RunningTrack
from bento_gitops.reviewing.undo import Undo, undo
from bento_gitops.reviewing.values import Stated, ValueChange, between, is_of_instance_type, tracks_of
from bento_gitops.reviewing.watching import RULES, folded

SHORT = len("sha256:") + 12
"""Characters of a digest that tell two apart."""
MANY = 5
"""Applications from which on a change of the chart, or of a file that all read, is a risk of its own."""


@dataclass(frozen=True, slots=True)
class FieldReview:
    """A field of an object that differs."""

    pointer: str
    before: Plain
    after: Plain
    origin: str
    """The value behind it with its file and line, or `chart`."""


@dataclass(frozen=True, slots=True)
class ObjectReview:
    """An object that differs."""

    change: Change
    kind: str
    name: str
    track: str
    component: str
    fields: tuple[FieldReview, ...] = ()
    only_checksum: bool = False
    """Nothing of its own differs: its pods restart for what another object says."""

    @property
    def identity(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class BundleFact:
    """What is recorded of one bundle and of another."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class NewTrack:
    """A track that is new, beside the one that it is compared with."""

    track: RunningTrack
    against: str
    """The track that it is compared with: the stable one of before; empty where there is none."""
    differences: tuple[ValueChange, ...]
    bundle: tuple[BundleFact, ...]
    file: str
    """Of its bundle."""
    place: str
    """Where the release names it."""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A component without a price."""

    name: str
    """`track component`."""
    before: Pods
    after: Pods


@dataclass(frozen=True, slots=True)
class Cost:
    """A month before and after, with what is not in it."""

    before: Money
    after: Money
    gpus_before: Pods
    gpus_after: Pods
    unpriced: tuple[Unpriced, ...] = ()
    known: bool = True
    """Whether any component has a price: without one, nothing is known of the cost."""
    same: bool = False
    """Whether no number, size or price of pods changes."""

    @property
    def left_out(self) -> tuple[Unpriced, ...]:
        """What costs more or less than before, nobody knows how much: it is missing in the difference."""
        return tuple(component for component in self.unpriced if component.before != component.after)

    @property
    def difference(self) -> Money:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class ApplicationReview:
    """One application in one environment."""

    environment: str
    application: str
    change: Change
    says: tuple[str, ...]
    """What happens, the most important first."""
    tracks_before: tuple[RunningTrack, ...]
    tracks_after: tuple[RunningTrack, ...]
    values: tuple[ValueChange, ...]
    new_tracks: tuple[NewTrack, ...]
    objects: tuple[ObjectReview, ...]
    restarts: tuple[Restart, ...]
    scalings: tuple[Scaling, ...]
    risks: tuple[Risk, ...]
    cost: Cost
    undo: tuple[Undo, ...]
    notes: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        return f"{self.environment}/{self.application}"

    @property
    def headline(self) -> str:
        """In one sentence."""
        return "; ".join(self.says)

    @property
    def risk(self) -> Level:
        return highest(self.risks)


@dataclass(frozen=True, slots=True)
class FileReview:
    """A file that differs without an effect on any object, and why."""

    path: str
    why: str
    matters: bool = False
    """Whether it changes how releases are made: rules that no object shows."""


@dataclass(frozen=True, slots=True)
class Review:
    """All of a change."""

    base: str
    """What it is compared with: a Git ref."""
    applications: tuple[ApplicationReview, ...]
    files: tuple[FileReview, ...] = ()
    currency: str = ""
    notes: tuple[str, ...] = ()
    looked_at: int = 0
    """Applications whose files differ; the objects of all others are the same."""
    risks: tuple[Risk, ...] = ()
    """Of the change as a whole."""
    chart_files: tuple[str, ...] = ()
    """Files of a chart that differ and that applications are rendered with; a folder for many of them."""

    @property
    def risk(self) -> Level:
        levels = [application.risk for application in self.applications]
        return max([*levels, highest(self.risks)], key=LEVELS.index)

    @property
    def cost(self) -> Cost:
        """Of all applications together."""
        costs = [application.cost for application in self.applications]
        unpriced = tuple(
            replace(found, name=f"{application.target} {found.name}")
            for application in self.applications
            for found in application.cost.unpriced
        )
        return Cost(
            sum((cost.before for cost in costs), Money(0, 0)),
            sum((cost.after for cost in costs), Money(0, 0)),
            sum((cost.gpus_before for cost in costs), Pods(0, 0)),
            sum((cost.gpus_after for cost in costs), Pods(0, 0)),
            unpriced,
            any(cost.known for cost in costs),
            all(cost.same for cost in costs),
        )


def reviewed(comparison: Comparison, notes: Sequence[str] = ()) -> ApplicationReview | None:
    """What there is to say of an application; None where nothing differs that anybody has to know."""
    found = risks(comparison)
    objects = _objects(comparison)
    new = _new_tracks(comparison)
    before, after = comparison.runs_before, comparison.runs_after
    values = (*comparison.values, *released(comparison))
    if not (objects or values or found or new or notes or before.month != after.month):
        return None
    none = Pods(0, 0)
    names = dict.fromkeys((*after.unpriced, *before.unpriced))
    unpriced = tuple(Unpriced(name, before.unpriced.get(name, none), after.unpriced.get(name, none)) for name in names)
    known = before.is_priced or after.is_priced
    same = before.hardware == after.hardware
    return ApplicationReview(
        environment=comparison.environment,
        application=comparison.application,
        change="added" if comparison.before is None else "removed" if comparison.after is None else "changed",
        says=headline(comparison),
        tracks_before=tuple(before.tracks.values()),
        tracks_after=tuple(after.tracks.values()),
        values=values,
        new_tracks=new,
        objects=objects,
        restarts=restarts(comparison),
        scalings=scalings(comparison),
        risks=found,
        cost=Cost(before.month, after.month, before.gpus, after.gpus, unpriced, known, same),
        undo=undo(comparison),
        notes=tuple(notes),
    )


def released(comparison: Comparison) -> tuple[ValueChange, ...]:
    """What of a release no value of a pod shows: the candidate, the standby, what is blocked from promotion."""
    if not comparison.before or not comparison.after:
        return ()
    sides = [_said_of_release(side) for side in (comparison.before, comparison.after)]
    paths = dict.fromkeys(path for side in sides for path in side)
    changes = [ValueChange(path, "", (), sides[0].get(path), sides[1].get(path)) for path in paths]
    return tuple(change for change in changes if (change.before and change.before.value) != (change.after and change.after.value))


def _said_of_release(side: Side) -> dict[str, Stated]:
    release, tree = side.release, side.sources.release.tree
    standby, paused = release.standby, release.paused
    said: list[tuple[tuple[str, ...], str | None]] = [
        (("candidate",), release.candidate),
        (("standby",), f"{standby.track}, {standby.capacity}, until {standby.until}" if standby else None),
        (("previous",), release.previous.bundle if release.previous else None),
        (("paused",), f"{paused.by}: {paused.reason}" if paused else None),
        *((("held", tag), f"{held.by}: {held.reason}") for tag, held in (release.held or {}).items()),
    ]
    return {
        path[0] if len(path) == 1 else join(*path): Stated(value, "environment", place_of(tree, *path))
        for path, value in said
        if value is not None
    }


def _objects(comparison: Comparison) -> tuple[ObjectReview, ...]:
    result: list[ObjectReview] = []
    for change in comparison.objects:
        manifest = change.manifest
        found = [(field, str(behind(comparison, change, field))) for field in change.fields]
        if manifest.kind == RULES:
            fields = tuple(FieldReview(row.pointer, row.before, row.after, row.origin) for row in folded(found))
        else:
            fields = tuple(FieldReview(field.pointer, field.before, field.after, origin) for field, origin in found)
        if change.change == "changed" and not fields and not change.configuration:
            continue  # nothing but noise
        service = comparison.service(manifest.component)
        only = change.configuration and not fields
        result.append(ObjectReview(change.change, manifest.kind, manifest.name, manifest.track, service, fields, only))
    return tuple(result)


def _new_tracks(comparison: Comparison) -> tuple[NewTrack, ...]:
    """Each new track beside the stable one of before; where there is none, with all that people said of it."""
    before, after = comparison.before, comparison.after
    if after is None:
        return ()
    stable = before.release.stable if before else ""
    old, new = (tracks_of(side.values if side else {}) for side in (before, after))
    recorded = before.sources.bundles.get(before.release.tracks[stable].bundle) if before else None
    result: list[NewTrack] = []
    for name in new:
        if name in old:
            continue
        bundle = after.sources.bundles[after.release.tracks[name].bundle]
        differences = between(old.get(stable, {}), new[name])
        if not before:
            said = (change for change in differences if change.after and change.after.layer in PEOPLE)
            differences = tuple(change for change in said if not is_of_instance_type(change))
        result.append(
            NewTrack(
                comparison.runs_after.tracks[name],
                stable,
                differences,
                _bundle_facts(recorded.value if recorded else None, bundle.value),
                bundle.tree.place.file,
                str(place_of(after.sources.release.tree, "tracks", name)),
            )
        )
    return tuple(result)


def _bundle_facts(old: Bundle | None, new: Bundle) -> tuple[BundleFact, ...]:
    """What of two bundles differs and no setting shows: image, code, models."""
    facts = [
        BundleFact("bundle", old.tag if old else "", new.tag),
        BundleFact("image", old.image.repository if old else "", new.image.repository),
        BundleFact("digest", old.image.digest[:SHORT] if old else "", new.image.digest[:SHORT]),
        BundleFact("BentoML", old.bentoml if old else "", new.bentoml),
        BundleFact("Python", old.python if old else "", new.python),
        BundleFact("source", old.source.commit if old and old.source else "", new.source.commit if new.source else ""),
        BundleFact("services", ", ".join(sorted(old.services)) if old else "", ", ".join(sorted(new.services))),
    ]
    facts += [
        BundleFact(f"model {name}", _model(old.models.get(name) if old else None), _model(new.models.get(name)))
        for name in sorted({*(old.models if old else ()), *new.models})
    ]
    return tuple(fact for fact in facts if fact.before != fact.after)


def _model(model: RecordedModel | None) -> str:
    if model is None:
        return ""
    metrics = ", ".join(f"{name} {value}" for name, value in sorted(model.evaluation.metrics.items())) if model.evaluation else ""
    return " ".join(filter(None, (model.tag, f"({metrics})" if metrics else "")))


def of_all(applications: Sequence[ApplicationReview]) -> tuple[Risk, ...]:
    """What is a risk because it happens to many at once."""
    counted = Counter(
        risk.kind for application in applications for risk in {risk.kind: risk for risk in application.risks}.values()
    )
    words = {"chart change": "the chart", "pod restart": "pods", "another place": "the place"}
    environments: dict[str, set[str]] = {}
    for application in applications:
        for risk in application.risks:
            environments.setdefault(risk.kind, set()).add(application.environment)
    return tuple(
        Risk(
            "high",
            "touches many",
            f"{words[kind]} of {number} applications, in {', '.join(sorted(environments[kind]))},"
            f" {'changes' if kind != 'pod restart' else 'restart'} by one merge",
        )
        for kind, number in counted.items()
        if kind in words and number >= MANY
    )
