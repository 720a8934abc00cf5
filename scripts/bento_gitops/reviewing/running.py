"""What runs of an application on one side: its tracks, their parts in the release, pods, hardware and price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bento_gitops.layers.merging import ResolvedMap, value_at
from bento_gitops.model.files import InstanceTypes
from bento_gitops.model.release import Release
from bento_gitops.reviewing.values import components_of, tracks_of

HOURS = 730
"""In a month."""


@dataclass(frozen=True, slots=True)
class Pods:
    """At least and at most."""

    low: int
    high: int

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"

    def __add__(self, other: Pods) -> Pods:
        return Pods(self.low + other.low, self.high + other.high)

    def times(self, number: int) -> Pods:
        return Pods(self.low * number, self.high * number)


@dataclass(frozen=True, slots=True)
class Money:
    """A month, at least and at most, in the currency of environments/instance-types.yaml."""

    low: float
    high: float

    def __add__(self, other: Money) -> Money:
        return Money(self.low + other.low, self.high + other.high)

    def __sub__(self, other: Money) -> Money:
        return Money(self.low - other.low, self.high - other.high)

    @property
    def is_nothing(self) -> bool:
        return round(self.low, 2) == 0 == round(self.high, 2)


NOTHING = Money(0, 0)


@dataclass(frozen=True, slots=True)
class RunningComponent:
    """A component of a track that has pods of its own."""

    name: str
    role: str
    pods: Pods
    instance_type: str | None
    price_per_hour: float | None
    """Of one pod; None: no instance type says it."""
    cpu: str
    memory: str
    memory_limit: str
    """What ends a pod that takes more: the request, where no limit is set."""
    gpu: int
    """Of one pod."""

    @property
    def month(self) -> Money | None:
        """What it costs; None where nobody knows. What does not run costs nothing, whatever its price."""
        if self.pods.high == 0:
            return NOTHING
        if self.price_per_hour is None:
            return None
        return Money(self.pods.low * self.price_per_hour * HOURS, self.pods.high * self.price_per_hour * HOURS)


@dataclass(frozen=True, slots=True)
class RunningTrack:
    """The api and the runners of one bundle."""

    name: str
    role: str
    """stable, candidate, standby, or empty."""
    bundle: str
    weight: int
    capacity: str
    """full, warm or cold."""
    components: Mapping[str, RunningComponent]


@dataclass(frozen=True, slots=True)
class Running:
    """Every track."""

    tracks: Mapping[str, RunningTrack]

    def track(self, name: str) -> RunningTrack | None:
        return self.tracks.get(name)

    @property
    def components(self) -> list[RunningComponent]:
        return [component for track in self.tracks.values() for component in track.components.values()]

    @property
    def pods(self) -> Pods:
        return sum((component.pods for component in self.components), Pods(0, 0))

    @property
    def gpus(self) -> Pods:
        return sum((component.pods.times(component.gpu) for component in self.components), Pods(0, 0))

    @property
    def month(self) -> Money:
        """What is known of the price; `unpriced` says what is not in it."""
        return sum((component.month or NOTHING for component in self.components), NOTHING)

    @property
    def is_priced(self) -> bool:
        """Whether any component that has pods has a price."""
        return any(component.month is not None for component in self.components if component.pods.high)

    @property
    def unpriced(self) -> Mapping[str, Pods]:
        """The pods of the components that have pods and no price, by `track component`."""
        return {
            f"{track.name} {component.name}": component.pods
            for track in self.tracks.values()
            for component in track.components.values()
            if component.month is None
        }

    @property
    def hardware(self) -> Mapping[str, tuple[object, ...]]:
        """Whatever has a say in the cost, by `track component`."""
        return {
            f"{track.name} {component.name}": (
                component.pods,
                component.instance_type,
                component.price_per_hour,
                component.cpu,
                component.memory,
                component.gpu,
            )
            for track in self.tracks.values()
            for component in track.components.values()
            if component.pods.high
        }


NOT_RUNNING = Running({})


def at_least(track: RunningTrack, beside: RunningTrack | None) -> str:
    """The fewest pods that a track keeps, and where the track that requests come from keeps more."""
    words: list[str] = []
    for name, component in track.components.items():
        other = beside.components.get(name) if beside else None
        more = f" ({beside.name}: {other.pods.low})" if beside and other and other.pods.low > component.pods.low else ""
        words.append(f"{name} {component.pods.low}{more}")
    return ", ".join(words)


def running(values: ResolvedMap, release: Release, types: InstanceTypes | None) -> Running:
    """What the values of an application come to."""
    single = value_at(values, "mode") == "single"
    return Running({name: _track(name, track, release, types, single) for name, track in tracks_of(values).items()})


def role_of(track: str, release: Release) -> str:
    """The track's part in the release."""
    if track == release.stable:
        return "stable"
    if track == release.candidate:
        return "candidate"
    return "standby" if release.standby and track == release.standby.track else ""


def _track(name: str, track: ResolvedMap, release: Release, types: InstanceTypes | None, single: bool) -> RunningTrack:
    standby = release.standby if release.standby and release.standby.track == name else None
    capacity = standby.capacity if standby else "full"
    components = {
        service: _component(service, component, capacity, types)
        for service, component in components_of(track).items()
        if not single or value_at(component, "role") == "api"  # in one process the pods are the api's
    }
    bundle, weight = value_at(track, "bundle"), value_at(track, "weight")
    return RunningTrack(name, role_of(name, release), str(bundle), int(str(weight)), capacity, components)


def _component(name: str, component: ResolvedMap, capacity: str, types: InstanceTypes | None) -> RunningComponent:
    low, high = (int(str(value_at(component, "scaling", key) or 1)) for key in ("min_replicas", "max_replicas"))
    pods = {"cold": Pods(0, 0), "warm": Pods(1, 1)}.get(capacity, Pods(low, high))
    kind = value_at(component, "instance_type")
    known = types.types.get(str(kind)) if types and kind is not None else None
    memory = str(value_at(component, "resources", "memory") or "")
    return RunningComponent(
        name=name,
        role=str(value_at(component, "role")),
        pods=pods,
        instance_type=None if kind is None else str(kind),
        price_per_hour=known.price_per_hour if known else None,
        cpu=str(value_at(component, "resources", "cpu") or ""),
        memory=memory,
        memory_limit=str(value_at(component, "resources", "limits", "memory") or memory),
        gpu=int(str(value_at(component, "resources", "gpu") or 0)),
    )
