"""Two trees of resolved values: what differs, in people's spelling, with layer, file and line on both sides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from bento_gitops.layers.marked import Plain, join
from bento_gitops.layers.merging import ABSENT, Layer, Leaf, Resolved, ResolvedMap, leaf_at, leaves_of
from bento_gitops.model.problem import Place

_LIMITS = ("max_batch_size", "max_latency_ms")
_MEMORY, _MEMORY_LIMIT = ("resources", "memory"), ("resources", "limits", "memory")
LIMIT_IS_REQUEST = "no limit is set: it is the request"
_FOLLOWS = ("bundle", "image")
"""What of a track is its bundle."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A value in force, and who says it."""

    value: Plain
    layer: Layer
    place: Place
    note: str = ""


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A value that differs. None on a side where nothing says it."""

    path: str
    """As config.yaml spells it: services.EmbeddingRunner.scaling.min_replicas; what release.yaml says: tracks.green.weight."""
    component: str
    """The service that it is about; empty: the application as a whole."""
    tracks: tuple[str, ...]
    """On which it differs in this way; empty: on none in particular."""
    before: Stated | None
    after: Stated | None

    @property
    def setting(self) -> str:
        """The path below the component: scaling.min_replicas."""
        return self.path.removeprefix(f"{join('services', self.component)}.") if self.component else self.path


def compared(before: ResolvedMap, after: ResolvedMap) -> tuple[ValueChange, ...]:
    """What differs of the application and of the tracks that are there on both sides; the same change of tracks is one."""
    changes = [
        ValueChange(".".join(path), "", (), old, new)
        for path, old, new in _differing(_without_tracks(before), _without_tracks(after))
    ]
    tracks_before, tracks_after = tracks_of(before), tracks_of(after)
    for track in tracks_before.keys() & tracks_after.keys():
        changes += _of_track(track, tracks_before[track], tracks_after[track])
    return tuple(sorted(_joined(changes), key=_order))


def between(one: Resolved, other: Resolved) -> tuple[ValueChange, ...]:
    """How the components of one track differ from those of another."""
    changes = [
        change
        for change in _of_track("", one if isinstance(one, dict) else {}, other if isinstance(other, dict) else {})
        if change.component
    ]
    return tuple(sorted(changes, key=_order))


def tracks_of(values: ResolvedMap) -> Mapping[str, ResolvedMap]:
    """The values of each track."""
    tracks = values.get("tracks")
    return {name: inner for name, inner in tracks.items() if isinstance(inner, dict)} if isinstance(tracks, dict) else {}


def components_of(track: ResolvedMap) -> Mapping[str, ResolvedMap]:
    """The values of each component of a track."""
    inner = track.get("components")
    return {name: found for name, found in inner.items() if isinstance(found, dict)} if isinstance(inner, dict) else {}


def _without_tracks(values: ResolvedMap) -> ResolvedMap:
    return {key: value for key, value in values.items() if key != "tracks"}


def _of_track(track: str, before: ResolvedMap, after: ResolvedMap) -> Iterator[ValueChange]:
    for path, old, new in _differing(before, after):
        where = (track,) if track else ()
        if path[0] != "components":
            yield ValueChange(".".join(("tracks", track, *path)), "", where, old, new)
        elif len(path) > 2:
            if path[2:] == _MEMORY_LIMIT:
                old, new = old or _request(before, path[1]), new or _request(after, path[1])
            yield ValueChange(_people(path[1], path[2:]), path[1], where, old, new)


def _request(track: ResolvedMap, component: str) -> Stated | None:
    """The memory that a component asks for, which is its limit where it sets none: to take a limit away is not to lift it."""
    component_values = components_of(track).get(component)
    stated = _stated(leaf_at(component_values, _MEMORY)) if component_values is not None else None
    if stated is None:
        return None
    note = f"{stated.note}; {LIMIT_IS_REQUEST}" if stated.note else LIMIT_IS_REQUEST
    return Stated(stated.value, stated.layer, stated.place, note)


def _people(component: str, path: tuple[str, ...]) -> str:
    """A path below a component in config.yaml's spelling, where a limit of batching is its number alone."""
    if len(path) > 1 and path[-1] == "value" and path[-2] in _LIMITS:
        path = path[:-1]
    pointer = join("services", component)
    for part in path:
        pointer = join(pointer, part)
    return pointer


def _differing(before: ResolvedMap, after: ResolvedMap) -> Iterator[tuple[tuple[str, ...], Stated | None, Stated | None]]:
    old, new = (dict(leaves_of(side)) for side in (before, after))
    for path in [*old, *(path for path in new if path not in old)]:
        was, now = _stated(old.get(path)), _stated(new.get(path))
        if (was and was.value) != (now and now.value) or (was is None) != (now is None):
            yield path, was, now


def _stated(leaf: Leaf | None) -> Stated | None:
    if leaf is None or leaf.value is ABSENT:
        return None
    source = leaf.source
    return Stated(leaf.value, source.layer, source.place, source.note)


def _joined(changes: Iterable[ValueChange]) -> Iterator[ValueChange]:
    """The same change on several tracks as one."""
    found: dict[object, list[ValueChange]] = {}
    for change in changes:
        key = (change.path, repr(change.before), repr(change.after)) if change.component else change.path
        found.setdefault(key, []).append(change)
    for same in found.values():
        tracks = tuple(sorted({track for change in same for track in change.tracks}))
        first = same[0]
        yield ValueChange(first.path, first.component, tracks, first.before, first.after)


_FIRST = ("weight", "bundle", "stable")
_LEADING = ("enabled", "endpoint", "p95", "error_ratio")
"""What the application's other settings of the same kind only refine."""
_REPEATED = ("monitoring.namespace",)
"""What is said elsewhere, and repeated for the chart."""


def _order(change: ValueChange) -> tuple[int, bool, int, str, tuple[str, ...]]:
    """Requests first, then what people wrote of components, then the rest, by what matters; what the chart says last."""
    last = change.path.rpartition(".")[2]
    said_by_chart = all(side is None or side.layer == "chart" for side in (change.before, change.after))
    rank = 0 if not change.component and last in _FIRST else 1 if change.component else 2
    refines = 2 if change.path in _REPEATED else int(not change.component and last not in _LEADING)
    return (rank + 3 * said_by_chart, change.path.startswith("tracks"), refines, change.path, change.tracks)


def is_of_instance_type(change: ValueChange) -> bool:
    """Whether the change follows from another instance type, which is a change of its own."""
    return all(side is None or side.note.startswith("instance_type ") for side in (change.before, change.after))


def is_of_bundle(change: ValueChange) -> bool:
    """Whether the change is of which bundle a track has, or of what is recorded with it."""
    parts = change.path.split(".")
    return parts[0] == "tracks" and len(parts) > 2 and parts[2] in _FOLLOWS
