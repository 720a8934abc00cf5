"""What alerts cannot do with what the files say: an objective that nobody can miss, a page that nobody can open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bento_gitops.layers.marked import join, place_of
from bento_gitops.layers.merging import ABSENT, Leaf, ResolvedMap, leaf_at
from bento_gitops.layers.resolving import Sources, role_of
from bento_gitops.model.problem import Place


def alerting_notes(application: ResolvedMap, tracks: Mapping[str, Mapping[str, ResolvedMap]], sources: Sources) -> Iterator[str]:
    """A note for each latency that is no bound, and for alerts whose link leads nowhere. `tracks`: the components of each."""
    told: dict[tuple[Place, str], str] = {}
    for place, pointer, note in _beyond_time_outs(application, tracks, sources):
        told.setdefault((place, pointer), f"{place}: {pointer}: {note}")  # once, though it is so on each track
    yield from told.values()
    yield from _no_pages(application, sources)


def _beyond_time_outs(
    application: ResolvedMap, tracks: Mapping[str, Mapping[str, ResolvedMap]], sources: Sources
) -> Iterator[tuple[Place, str, str]]:
    """A time-out ends what would be slower: a p95 at or above it is kept by whatever runs. Most likely it was meant in ms."""
    for track, components in tracks.items():
        bundle = sources.bundles[sources.release.value.tracks[track].bundle].value
        for name, component in components.items():
            bounds = [(join("services", name) + ".slo.p95", _said(component, "slo", "p95"))]
            if role_of(bundle, name) == "api":
                bounds += [
                    ("slo.p95", _said(application, "slo", "p95")),
                    ("rollout.analysis.max_p95", _said(application, "rollout", "analysis", "max_p95")),
                ]
            timeout = _said(component, "traffic", "timeout")
            for pointer, bound in bounds:
                if bound and timeout and _seconds(bound) >= _seconds(timeout):
                    note = (
                        f"{_seconds(bound):g} seconds is not below the time-out of {name}, {_seconds(timeout):g}"
                        f" ({timeout.source.place}), so nothing can miss it; write seconds, like 0.5"
                    )
                    yield bound.source.place, pointer, note


def _no_pages(application: ResolvedMap, sources: Sources) -> Iterator[str]:
    pages = _said(application, "alerts", "runbooks")
    watched = sources.saying("monitoring")
    monitoring = watched.value.monitoring
    if monitoring is None or monitoring.prometheus is None or monitoring.operator is False:
        return
    if pages is not None and not str(pages.value).startswith(("http://", "https://")):
        # Where Prometheus is named, and not whose alerts these are: so it is said once for all applications.
        yield (
            f"{place_of(watched.tree, 'monitoring')}: alerts.runbooks: alerts link to '{pages.value}', which no pager opens"
            f" ({pages.source.place}); say under defaults: where docs/runbooks is read, with https://"
        )


def _seconds(leaf: Leaf) -> float:
    return float(str(leaf.value))


def _said(tree: ResolvedMap, *path: str) -> Leaf | None:
    leaf = leaf_at(tree, path)
    return None if leaf is None or leaf.value is ABSENT else leaf
