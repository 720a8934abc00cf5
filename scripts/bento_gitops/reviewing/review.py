"""A review: what a change does to each application, told from both sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bento_gitops.layers.marked import Plain, place_of
from bento_gitops.layers.merging import PEOPLE
from bento_gitops.model.bundle import Bundle, RecordedModel
from bento_gitops.reviewing.behind import behind
from bento_gitops.reviewing.comparing import Comparison
from bento_gitops.reviewing.headline import headline
from bento_gitops.reviewing.objects import Change
from bento_gitops.reviewing.restarts import Restart, restarts
from bento_gitops.reviewing.risks import LEVELS, Level, Risk, highest, risks
from bento_gitops.reviewing.running import Money, Pods, RunningTrack
from bento_gitops.reviewing.undo import Undo, undo
from bento_gitops.reviewing.values import ValueChange, between, is_of_instance_type, tracks_of

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
class Cost:
    """A month before and after, with what is not in it."""

    before: Money
    after: Money
    gpus_before: Pods
    gpus_after: Pods
    unpriced: tuple[str, ...] = ()
    """Components without a price, each `track component`."""
    known: bool = True
    """Whether any component has a price: without one, nothing is known of the cost."""

    @property
    def difference(self) -> Money:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class ApplicationReview:
    """One application in one environment."""

    environment: str
    application: str
    change: Change
    headline: str
    tracks_before: tuple[RunningTrack, ...]
    tracks_after: tuple[RunningTrack, ...]
    values: tuple[ValueChange, ...]
    new_tracks: tuple[NewTrack, ...]
    objects: tuple[ObjectReview, ...]
    restarts: tuple[Restart, ...]
    risks: tuple[Risk, ...]
    cost: Cost
    undo: tuple[Undo, ...]
    notes: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        return f"{self.environment}/{self.application}"

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
            f"{application.target} {name}" for application in self.applications for name in application.cost.unpriced
        )
        return Cost(
            sum((cost.before for cost in costs), Money(0, 0)),
            sum((cost.after for cost in costs), Money(0, 0)),
            sum((cost.gpus_before for cost in costs), Pods(0, 0)),
            sum((cost.gpus_after for cost in costs), Pods(0, 0)),
            unpriced,
            any(cost.known for cost in costs),
        )


def reviewed(comparison: Comparison, notes: Sequence[str] = ()) -> ApplicationReview | None:
    """What there is to say of an application; None where nothing differs that anybody has to know."""
    found = risks(comparison)
    objects = _objects(comparison)
    new = _new_tracks(comparison)
    before, after = comparison.runs_before, comparison.runs_after
    if not (objects or comparison.values or found or new or notes or before.month != after.month):
        return None
    unpriced = dict.fromkeys((*after.unpriced, *before.unpriced))
    return ApplicationReview(
        environment=comparison.environment,
        application=comparison.application,
        change="added" if comparison.before is None else "removed" if comparison.after is None else "changed",
        headline=headline(comparison),
        tracks_before=tuple(before.tracks.values()),
        tracks_after=tuple(after.tracks.values()),
        values=comparison.values,
        new_tracks=new,
        objects=objects,
        restarts=restarts(comparison),
        risks=found,
        cost=Cost(before.month, after.month, before.gpus, after.gpus, tuple(unpriced), before.is_priced or after.is_priced),
        undo=undo(comparison),
        notes=tuple(notes),
    )


def _objects(comparison: Comparison) -> tuple[ObjectReview, ...]:
    result: list[ObjectReview] = []
    for change in comparison.objects:
        manifest = change.manifest
        fields = tuple(
            FieldReview(item.pointer, item.before, item.after, str(behind(comparison, change, item))) for item in change.fields
        )
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
    return tuple(
        Risk(
            "high",
            "touches many",
            f"{words[kind]} of {number} applications {'changes' if kind != 'pod restart' else 'restart'} at once",
        )
        for kind, number in counted.items()
        if kind in words and number >= MANY
    )
