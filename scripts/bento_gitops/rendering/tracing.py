"""Which tracks send traces, and what keeps traces from arriving anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from bento_gitops.layers.marked import join, place_of
from bento_gitops.layers.merging import ABSENT, PEOPLE, Leaf, ResolvedMap, Said, leaf_at, leaves_of
from bento_gitops.layers.reading import Read
from bento_gitops.layers.resolving import Sources
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.problem import Problem

_OURS = "OTEL_RESOURCE_ATTRIBUTES"
"""The variable in which the chart says whose spans these are; it is free where nothing is traced."""
_GRPC_PORT = 4317


def traced(
    application: ResolvedMap,
    tracks: Mapping[str, Mapping[str, ResolvedMap]],
    sources: Sources,
    notes: list[str],
    problems: list[Problem],
) -> dict[str, Leaf]:
    """`traced: false` for each track whose bundle records no exporter: its pods would not start with one configured.

    `tracks`: the components of each. Adds a problem for what cannot arrive, a note for each track that sends nothing.
    """
    endpoint = _said(application, "tracing", "endpoint")
    if endpoint is None:
        return {}
    _check_endpoint(endpoint, notes, problems)
    _check_collector(application, endpoint, problems)
    silent: dict[str, Leaf] = {}
    for name, components in tracks.items():
        bundle = sources.bundles[sources.release.value.tracks[name].bundle]
        if bundle.value.traces != "otlp-http":
            silent[name] = _silent(bundle)
            place = silent[name].source.place
            why = f"bundle {bundle.value.tag} records no exporter of traces in its image ({place})"
            notes.append(f"{endpoint.source.place}: tracing.endpoint: nothing is traced on track {name}: {why}")
        else:
            _check_variables(name, components, endpoint, problems)
    return silent


def _silent(bundle: Read[Bundle]) -> Leaf:
    place = place_of(bundle.tree, "traces" if bundle.value.traces else "image")
    return Leaf(False, (Said("decorator", place, False, "", True),))


def _check_endpoint(endpoint: Leaf, notes: list[str], problems: list[Problem]) -> None:
    url = urlsplit(str(endpoint.value))
    pointer, place = "tracing.endpoint", endpoint.source.place
    if not url.path.strip("/"):
        todo = f"add the path, mostly {url.scheme}://{url.netloc}/v1/traces"
        problems.append(Problem(place, pointer, "has no path, and is asked as it stands", str(endpoint.value), todo))
    try:
        port = url.port
    except ValueError:
        problems.append(Problem(place, pointer, "names no port", str(endpoint.value), "write a number from 1 to 65535"))
        return
    if port == _GRPC_PORT:
        notes.append(f"{place}: {pointer}: {_GRPC_PORT} is the port of OTLP over gRPC, mostly; traces go by HTTP, mostly to 4318")


def _check_collector(application: ResolvedMap, endpoint: Leaf, problems: list[Problem]) -> None:
    """Traces leave only where a network policy lets them."""
    cidr = _said(application, "tracing", "collector", "cidr")
    pods = _said(application, "tracing", "collector", "namespace") or _first_label(application)
    pointer = "tracing.collector"
    if cidr and pods:
        wrong = f"a network and pods at once; the pods stand at {pods.source.place}"
        todo = "keep one; null takes the other back"
        problems.append(Problem(cidr.source.place, f"{pointer}.cidr", wrong, str(cidr.value), todo))
    elif not cidr and not pods:
        todo = "add namespace and pod_labels of its pods, or its cidr"
        wrong = "is missing, so the network policies would let no trace out"
        problems.append(Problem(endpoint.source.place, pointer, wrong, "", todo))


def _check_variables(track: str, components: Mapping[str, ResolvedMap], endpoint: Leaf, problems: list[Problem]) -> None:
    for name, component in components.items():
        said = _said(component, "envs", _OURS)
        if said:
            wrong = f"the chart itself sets this variable, because traces are sent ({endpoint.source.place}), on track {track}"
            people = said.source.layer in PEOPLE
            todo = "remove it" if people else "take it out of the code, build, and create a new bundle"
            pointer = f"{join('services', name)}.envs.{_OURS}"
            problems.append(Problem(said.source.place, pointer, wrong, str(said.value), todo))


def _first_label(application: ResolvedMap) -> Leaf | None:
    labels = (leaf for path, leaf in leaves_of(application["tracing"]) if path[:2] == ("collector", "pod_labels"))
    return next((leaf for leaf in labels if leaf.value is not ABSENT), None)


def _said(tree: ResolvedMap, *path: str) -> Leaf | None:
    leaf = leaf_at(tree, path)
    return None if leaf is None or leaf.value is ABSENT else leaf
