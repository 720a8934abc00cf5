"""Which pods restart, start and stop, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bento_gitops.reviewing.comparing import Comparison
from bento_gitops.reviewing.objects import ObjectChange, restarted

What = Literal["restart", "start", "stop"]
_REASONS = (
    (re.compile(r"labels and selectors"), "another bundle"),
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
    (re.compile(r"spec\.template"), "pod template"),
)


@dataclass(frozen=True, slots=True)
class Restart:
    """Pods of a component of a track."""

    what: What
    track: str
    component: str
    """The service."""
    weight: int
    """Percent of live requests that the track gets, before or after, whichever is more."""
    pods: str
    reasons: tuple[str, ...]


def restarts(comparison: Comparison) -> tuple[Restart, ...]:
    """Every workload whose pods are replaced, made or removed."""
    return tuple(_found(comparison))


def _found(comparison: Comparison) -> Iterator[Restart]:
    for change in comparison.objects:
        manifest = change.manifest
        if not manifest.is_workload:
            continue
        before, after = (side.track(manifest.track) for side in (comparison.runs_before, comparison.runs_after))
        service = comparison.service(manifest.component)
        weight = max(track.weight if track else 0 for track in (before, after))
        was, now = (_pods(track.components.get(service) if track else None) for track in (before, after))
        if was == now == "0":
            continue
        if was == "0":
            yield Restart("start", manifest.track, service, weight, now, ())
        elif now == "0":
            yield Restart("stop", manifest.track, service, weight, was, ())
        elif restarted(change):
            yield Restart("restart", manifest.track, service, weight, now, _reasons(change))


def _pods(component: object) -> str:
    return str(getattr(component, "pods", "0"))


def _reasons(change: ObjectChange) -> tuple[str, ...]:
    found = ["configuration"] if change.configuration else []
    for field in change.fields:
        found += [reason for pattern, reason in _REASONS if pattern.search(field.pointer)][:1]
    return tuple(dict.fromkeys(found)) or ("pod template",)
