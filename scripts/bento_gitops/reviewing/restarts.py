"""Which pods restart, start and stop, and why; how many there may be where nothing but their number changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bento_gitops.reviewing.comparing import Comparison
from bento_gitops.reviewing.objects import ObjectChange, restarted
from bento_gitops.reviewing.running import Pods, RunningComponent

What = Literal["restart", "start", "stop"]
_REASONS = (
    (re.compile(r"^bundle label$"), "another bundle"),
    (re.compile(r"template\..*\.image$"), "image"),
    (re.compile(r"template\..*\.env\["), "environment variables"),
    (re.compile(r"template\..*\.envFrom"), "secrets"),
    (re.compile(r"template\..*\.resources\."), "resources"),
    (re.compile(r"template\..*(nodeSelector|tolerations|priorityClassName|topologySpread)"), "placement"),
    (re.compile(r"template\..*Probe"), "probes"),
    (re.compile(r"template\..*(terminationGracePeriodSeconds|preStop)"), "termination"),
    (re.compile(r"template\..*\.args"), "arguments"),
    (re.compile(r"template\..*[sS]ecurityContext"), "security context"),
    (re.compile(r"template\.metadata\.labels"), "labels"),
    (re.compile(r"template\.metadata\.annotations"), "annotations"),
)
_TEMPLATE = "spec.template."


@dataclass(frozen=True, slots=True)
class Restart:
    """Pods of a component of a track."""

    what: What
    track: str
    component: str
    """The service."""
    weight: int
    """Percent of live requests that the track gets, before or after, whichever is more."""
    pods: Pods
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scaling:
    """A component of a track between whose bounds the autoscaler moves otherwise than before."""

    track: str
    component: str
    """The service."""
    before: Pods
    after: Pods


def restarts(comparison: Comparison) -> tuple[Restart, ...]:
    """Every workload whose pods are replaced, made or removed."""
    return tuple(_found(comparison))


def scalings(comparison: Comparison) -> tuple[Scaling, ...]:
    """Every component that has pods before and after, and other bounds."""
    found: list[Scaling] = []
    for name, after in comparison.runs_after.tracks.items():
        before = comparison.runs_before.track(name)
        for component, now in after.components.items():
            was = before.components.get(component) if before else None
            if was is not None and was.pods != now.pods and was.pods.high and now.pods.high:
                found.append(Scaling(name, component, was.pods, now.pods))
    return tuple(found)


def _found(comparison: Comparison) -> Iterator[Restart]:
    for change in comparison.objects:
        manifest = change.manifest
        if not manifest.is_workload:
            continue
        before, after = (side.track(manifest.track) for side in (comparison.runs_before, comparison.runs_after))
        service = comparison.service(manifest.component)
        weight = max(track.weight if track else 0 for track in (before, after))
        was, now = (_pods(track.components.get(service) if track else None) for track in (before, after))
        if not was.high and not now.high:
            continue
        if not was.high:
            yield Restart("start", manifest.track, service, weight, now, ())
        elif not now.high:
            yield Restart("stop", manifest.track, service, weight, was, ())
        elif restarted(change):
            yield Restart("restart", manifest.track, service, weight, now, _reasons(change))


def _pods(component: RunningComponent | None) -> Pods:
    return component.pods if component else Pods(0, 0)


def _reasons(change: ObjectChange) -> tuple[str, ...]:
    found = ["configuration"] if change.configuration else []
    for field in change.fields:
        known = [reason for pattern, reason in _REASONS if pattern.search(field.pointer)][:1]
        found += known or ([field.path[-1].strip("[]")] if field.pointer.startswith(_TEMPLATE) else [])
    return tuple(dict.fromkeys(found)) or ("labels of the chart",)
