"""The whole tree of Helm values of an application in an environment: what the layers say, placed by the release."""

from __future__ import annotations

from dataclasses import replace

from bento_gitops.layers.marked import Marked, MarkedMap, Plain, place_of, plain
from bento_gitops.layers.merging import Layer, Leaf, Resolved, ResolvedMap, Said
from bento_gitops.layers.reading import Read
from bento_gitops.layers.resolving import OF_RELEASES, Resolution, Sources, resolve, role_of
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.model.shape import NOTHING, Shape, shape_of
from bento_gitops.model.values import Values
from bento_gitops.rendering.alerting import alerting_notes
from bento_gitops.rendering.capacity import with_capacity
from bento_gitops.rendering.routing import routing, tree_from
from bento_gitops.rendering.tracing import traced


def build(sources: Sources, resolution: Resolution | None = None) -> tuple[ResolvedMap, Resolution]:
    """The values in snake_case and in the model's order, with the provenance of every leaf; and what the layers came to, unless
    that is known already.

    Raises InvalidInput with every problem at once.
    """
    resolution = resolution or resolve(sources)
    problems: list[Problem] = []
    notes = list(resolution.notes)
    release = sources.release
    start = Place(release.tree.place.file, 1)
    notes += alerting_notes(resolution.application, resolution.tracks, sources)
    silent = traced(resolution.application, resolution.tracks, sources, notes, problems)
    top: ResolvedMap = {
        "application": _leaf(sources.application, "environment", start),
        "environment": _leaf(sources.environment, "environment", start),
        **{key: value for key, value in resolution.application.items() if key not in ("routing", *OF_RELEASES)},
        "stable": _from(release.tree, "environment", "stable"),
        "tracks": {name: _track(name, sources, resolution, silent.get(name), notes, problems) for name in release.value.tracks},
        "routing": routing(_below(resolution.application, "routing"), sources, notes, problems),
        **_surroundings(sources),
    }
    if problems:
        raise InvalidInput(problems)
    ordered = _ordered(top, shape_of(Values))
    assert isinstance(ordered, dict)
    return ordered, replace(resolution, notes=tuple(notes))


def _track(
    name: str, sources: Sources, resolution: Resolution, traces: Leaf | None, notes: list[str], problems: list[Problem]
) -> ResolvedMap:
    release, tree = sources.release.value, sources.release.tree
    bundle = sources.bundles[release.tracks[name].bundle]
    result: ResolvedMap = {
        "bundle": _from(tree, "environment", "tracks", name, "bundle"),
        "weight": _from(tree, "environment", "tracks", name, "weight"),
        "image": {key: _from(bundle.tree, "decorator", "image", key) for key in ("repository", "digest")},
    }
    if release.standby and name == release.standby.track and release.standby.capacity != "full":
        result["capacity"] = _from(tree, "environment", "standby", "capacity")
    if traces is not None:
        result["traced"] = traces
    ruling = sources.saying("live_min_replicas")
    live_min = ruling.value.live_min_replicas
    at_least = None if live_min is None else (live_min, place_of(ruling.tree, "live_min_replicas"))
    result["components"] = {
        component: {
            **_identity(bundle, component),
            **with_capacity(settings, component, name, release, tree, at_least, notes, problems),
        }
        for component, settings in resolution.tracks[name].items()
    }
    return result


def _identity(bundle: Read[Bundle], component: str) -> ResolvedMap:
    """What a component is: its role, and which components it calls."""
    role = role_of(bundle.value, component)
    place = place_of(bundle.tree, "entry") if role == "api" else place_of(bundle.tree, "services", component)
    result: ResolvedMap = {"role": _leaf(role, "decorator", place)}
    if bundle.value.services[component].dependencies:
        result["dependencies"] = _from(bundle.tree, "decorator", "services", component, "dependencies")
    return result


def _surroundings(sources: Sources) -> ResolvedMap:
    watched, pulling = sources.saying("monitoring"), sources.saying("image_pull_secrets")
    result: ResolvedMap = {}
    if watched.value.monitoring is not None:
        monitoring = tree_from(watched.tree, "monitoring")
        assert isinstance(monitoring, dict)
        pods = monitoring.get("prometheus")
        if isinstance(pods, dict):
            monitoring = {**monitoring, "prometheus": {key: leaf for key, leaf in pods.items() if key != "address"}}
            # Series of pods have it; what the values say themselves, of pods that are not there, would not.
            monitoring["namespace"] = _from(sources.own.tree, "environment", "namespace")
        result["monitoring"] = monitoring
    if pulling.value.image_pull_secrets is not None:
        result["image_pull_secrets"] = _from(pulling.tree, "environment", "image_pull_secrets")
    return result


def _leaf(value: Plain, layer: Layer, place: Place) -> Leaf:
    return Leaf(value, (Said(layer, place, value, "", True),))


def _from(tree: MarkedMap, layer: Layer, *path: str) -> Leaf:
    node: Marked = tree
    for key in path:
        assert isinstance(node, MarkedMap)
        node = node.items[key]
    return _leaf(plain(node), layer, place_of(tree, *path))


def _below(tree: ResolvedMap, key: str) -> ResolvedMap:
    value = tree.get(key, {})
    return value if isinstance(value, dict) else {}


def _ordered(tree: Resolved, shape: Shape) -> Resolved:
    """The tree with the keys of models in the models' order; names of people's own keep theirs."""
    if isinstance(tree, Leaf):
        return tree
    result: ResolvedMap = {name: _ordered(tree[name], below) for name, (_, below) in (shape.fields or {}).items() if name in tree}
    for key, value in tree.items():
        if key not in result:
            result[key] = _ordered(value, shape.item or NOTHING)
    return result
