"""Which changed value is behind a changed field of an object; the chart, where none is.

Helm does not say where a value went, so this module knows which settings a field can come from. It names a value only
where that value itself changed, prefers one that reads the same in both places, and otherwise says that it is not sure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bento_gitops.layers.marked import Plain
from bento_gitops.layers.marked import place_of as place_at
from bento_gitops.reviewing.comparing import Comparison
from bento_gitops.reviewing.objects import Field, ObjectChange
from bento_gitops.reviewing.values import Stated, ValueChange
from bento_gitops.reviewing.watching import RULES, is_rule, settings_behind

_ROUTES = r"HTTPRoute|GRPCRoute|Ingress|IngressRoute|TraefikService|Middleware|VirtualService|DestinationRule|Service"
_ASKING = r"forwardAuth|auth-url|auth-response-headers|extensionRef"
_TABLE: tuple[tuple[str, str, str], ...] = (
    (r".*", r"(^|\.)labels(\.|$)|^bundle label$|[sS]elector", r"labels\.|tracks\.\w+\.bundle$"),
    (_ROUTES, r"weight|backendRefs|services\[|route\[|canary|mirror|rules|spec\.selector", r"tracks\.\w+\.weight$|stable$"),
    (
        _ROUTES,
        rf"^(?!.*({_ASKING})).*",
        r"routing\.(?!auth\.)|routing\.auth\.require$|tracks\.\w+\.bundle$|services\..*\.route$|mode$",
    ),
    (_ROUTES, _ASKING, r"^routing\.(auth\.|controller$)"),
    (r"AuthorizationPolicy", r".*", r"^routing\.(auth\.|proxy|hostnames|controller$)"),
    (r".*", r"minReplicas|maxReplicas|replicas|metrics|behavior", r"\.scaling\.|\.ready_for$|\.capacity$"),
    (r".*", r"\.env\[", r"\.envs\.|\.batching\.|\.workers$|\.gpu$|^tracing\.endpoint$|\.traced$"),
    (r".*", r"\.envFrom", r"\.secrets$"),
    (r".*", r"\.resources\.", r"\.resources\.|\.instance_type$"),
    (r".*", r"nodeSelector|tolerations|priorityClassName", r"\.placement\.|\.instance_type$"),
    (r".*", r"Probe|progressDeadlineSeconds", r"\.probes\."),
    (r".*", r"terminationGracePeriodSeconds|preStop", r"\.termination\."),
    (r".*", r"\.image$", r"\.image\.|\.bundle$"),
    (r".*", r"imagePullSecrets", r"image_pull_secrets$"),
    (r".*", r"\.args", r"\.dependencies$|mode$"),
    (r"ConfigMap", r"^data", r"\.traffic\.|\.workers$|mode$|^tracing\.|\.traced$"),
    (r"NetworkPolicy", r"^spec", r"\.egress|routing\.|monitoring\.prometheus|\.dependencies$|mode$|^tracing\.|\.traced$"),
    (r"ServiceMonitor|PodMonitor", r"^spec", r"monitoring\.(?!namespace$)"),
)
"""Kind, field, and the settings that the field can come from."""
_RULES = tuple((re.compile(kind), re.compile(field), re.compile(setting)) for kind, field, setting in _TABLE)


@dataclass(frozen=True, slots=True)
class Origin:
    """What is behind a changed field."""

    sure: tuple[ValueChange, ...] = ()
    """The values that it comes from."""
    tracks: tuple[str, ...] = ()
    """Tracks that come or go, each with the place that says so."""
    chart: bool = False
    """It comes from the chart, which differs."""

    def __str__(self) -> str:
        if self.sure:
            return "; ".join(f"{change.path} ({said_at(change)})" for change in self.sure)
        if self.tracks:
            return "; ".join(self.tracks)
        return "chart" if self.chart else "one of the settings above"


def said_at(change: ValueChange) -> str:
    """Where a value is said: the line after the change, and the one before where that is in another file."""
    before, after = change.before, change.after
    if not before or not after or before.place.file == after.place.file:
        return place_of(after or before)
    return f"{place_of(before)} -> {place_of(after)}"


def place_of(stated: Stated | None) -> str:
    """file:line, as text."""
    return str(stated.place) if stated else ""


def behind(comparison: Comparison, change: ObjectChange, field: Field) -> Origin:
    """What is behind a field that differs."""
    manifest = change.manifest
    if manifest.kind == RULES and is_rule(field):
        settings = settings_behind(comparison, field)
        return Origin(settings) if settings else _of_others(comparison, field)
    own = {comparison.service(manifest.component), *field.path}
    near = [
        value
        for value in comparison.values
        if (not value.component or value.component in own)
        and (not value.tracks or not manifest.track or manifest.track in value.tracks)
    ]
    settings = list(_settings(manifest.kind, field.pointer))
    fitting = [value for value in near if any(setting.search(value.path) for setting in settings)]
    named = [value for value in fitting if _names(value, field)]
    same = [value for value in named or fitting if _reads_the_same(value, field)]
    found = same or named or (fitting if settings else [])
    if found:
        return Origin(tuple(found))
    return _of_others(comparison, field)


def _of_others(comparison: Comparison, field: Field) -> Origin:
    """What is behind a field that no setting is behind."""
    tracks = _tracks_in(field, comparison)
    if tracks:
        return Origin(tracks=tracks)
    if comparison.chart_changed:
        return Origin(chart=True)
    return Origin(comparison.values if len(comparison.values) == 1 else ())


def _tracks_in(field: Field, comparison: Comparison) -> tuple[str, ...]:
    """The tracks that come or go, of which a field speaks."""
    said = json.dumps([field.path, field.before, field.after])
    found: list[str] = []
    for side, other, word in (
        (comparison.after, comparison.runs_before, "is new"),
        (comparison.before, comparison.runs_after, "is removed"),
    ):
        if side is None:
            continue
        found += [
            f"track {name} {word} ({place_at(side.sources.release.tree, 'tracks', name)})"
            for name in side.release.tracks
            if name not in other.tracks and re.search(rf"\b{name}\b", said)
        ]
    return tuple(found)


def _settings(kind: str, pointer: str) -> Iterator[re.Pattern[str]]:
    return (setting for kinds, field, setting in _RULES if kinds.fullmatch(kind) and field.search(pointer))


def _names(value: ValueChange, field: Field) -> bool:
    """Whether the setting's own name stands in the field's path: an env, a label."""
    last = value.path.rpartition(".")[2].strip('"')
    return any(part.strip("[]") == last for part in field.path)


def _reads_the_same(value: ValueChange, field: Field) -> bool:
    return (_word(value.before and value.before.value), _word(value.after and value.after.value)) == (
        _word(field.before),
        _word(field.after),
    )


def _word(value: Plain) -> str:
    return "" if value is None else str(value)
