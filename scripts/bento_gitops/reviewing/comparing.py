"""One application in one environment, before and after: everything that the parts of a review are decided from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from bento_gitops.layers.merging import ResolvedMap
from bento_gitops.layers.reading import Read
from bento_gitops.layers.resolving import Sources
from bento_gitops.model.files import Overrides
from bento_gitops.model.names import kebab
from bento_gitops.model.release import Release
from bento_gitops.reviewing import objects, values
from bento_gitops.reviewing.objects import Manifest, ObjectChange
from bento_gitops.reviewing.running import NOT_RUNNING, Running, running
from bento_gitops.reviewing.values import ValueChange


@dataclass(frozen=True, slots=True)
class Chart:
    """The chart that a side is rendered with."""

    folder: str
    version: str
    digest: str
    """Of every file that has a say in what is rendered."""


@dataclass(frozen=True)
class Side:
    """The application as the files of one side say it."""

    sources: Sources
    values: ResolvedMap
    manifests: Sequence[Manifest]
    chart: Chart
    overrides: Read[Overrides] | None = None
    one_commit_back: bool = False
    """Whether `rollback` needs one commit from here: the standby has every pod that it had."""
    going_back: bool = False
    """Whether the candidate is a rollback's own: the bundle that ran before, which is being made ready."""
    keep: str = ""
    """How long the track of a candidate that is taken back stays as standby, like 1h; empty: it does not."""

    @property
    def release(self) -> Release:
        return self.sources.release.value

    @cached_property
    def running(self) -> Running:
        types = self.sources.instance_types
        return running(self.values, self.release, types.value if types else None)


@dataclass(frozen=True)
class Comparison:
    """Both sides, and what differs. None on a side where the application is not there."""

    environment: str
    application: str
    before: Side | None
    after: Side | None

    @property
    def target(self) -> str:
        return f"{self.environment}/{self.application}"

    @cached_property
    def runs_before(self) -> Running:
        return self.before.running if self.before else NOT_RUNNING

    @cached_property
    def runs_after(self) -> Running:
        return self.after.running if self.after else NOT_RUNNING

    @cached_property
    def values(self) -> tuple[ValueChange, ...]:
        """Empty where the application is new or gone: then everything differs."""
        return values.compared(self.before.values, self.after.values) if self.before and self.after else ()

    @cached_property
    def objects(self) -> tuple[ObjectChange, ...]:
        before, after = (side.manifests if side else () for side in (self.before, self.after))
        return objects.compared(before, after)

    @property
    def chart_changed(self) -> bool:
        """Whether the sides are rendered with different charts."""
        return bool(self.before and self.after and self.before.chart.digest != self.after.chart.digest)

    @cached_property
    def in_place(self) -> tuple[str, ...]:
        """Tracks that there are on both sides, with another bundle or another image."""
        return tuple(
            name
            for name in self.runs_after.tracks
            if name in self.runs_before.tracks
            and any(values.is_of_bundle(change) and change.tracks == (name,) for change in self.values)
        )

    @property
    def cut_off(self) -> tuple[str, ...]:
        """Tracks with live requests whose Services select another bundle than before, of which no pod runs yet."""
        before, after = self.runs_before.tracks, self.runs_after.tracks
        return tuple(name for name in self.in_place if before[name].bundle != after[name].bundle and after[name].weight)

    @property
    def pinned_otherwise(self) -> bool:
        """Whether another copy of the chart is pinned."""
        return bool(self.chart_changed and self.before and self.after and self.before.chart.folder != self.after.chart.folder)

    @property
    def objects_differ(self) -> bool:
        """Whether an object differs in more than the label that names the chart."""
        return any(change.change != "changed" or change.fields or change.configuration for change in self.objects)

    @cached_property
    def _services(self) -> Mapping[str, str]:
        tracks = [track for side in (self.runs_before, self.runs_after) for track in side.tracks.values()]
        return {kebab(name): name for track in tracks for name in track.components}

    def service(self, component: str) -> str:
        """The service whose objects carry the component's name in kebab-case; the name itself where none does."""
        return self._services.get(component, component)
