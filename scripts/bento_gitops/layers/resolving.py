"""Which file says what of which component: the stack of layers of one application in one environment, merged.

Lowest first: the chart's defaults by role; the decorator (the bundle); the environment layer (environment.yaml `defaults`,
applications/<application>.yaml, config.yaml, its part for one bundle; where the environment extends another, that one's
defaults and config.yaml come before its own); the runtime layer (overrides in their order).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bento_gitops.layers.constraints import check_component, gpu_count, gpus
from bento_gitops.layers.instance_types import expanded
from bento_gitops.layers.marked import Marked, MarkedMap, MarkedScalar, join, place_of
from bento_gitops.layers.merging import Entry, Layer, Leaf, ResolvedMap, leaf_at, merge
from bento_gitops.layers.reading import Read
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.files import Application, ConfigFile, Environment, InstanceTypes
from bento_gitops.model.problem import InvalidInput, Problem, did_you_mean, nearest
from bento_gitops.model.release import Release
from bento_gitops.model.settings import Role

CAPACITY = ("instance_type", "resources", "placement", "scaling", "probes", "termination")
"""What is said of pods rather than of the process in them."""
APPLICATION_KEYS = ("mode", "labels", "slo", "alerts", "tracing", "routing", "rollout", "evaluation")
"""What is said of the application as a whole rather than of a component."""
OF_RELEASES = ("rollout", "evaluation")
"""Those that commands read; no pod knows them."""


Fact = Literal["monitoring", "registries", "image_pull_secrets", "live_min_replicas", "overrides", "promotion", "guardrails"]
"""What an environment may leave to the one that it extends."""


def saying(environments: Sequence[Read[Environment]], fact: Fact) -> Read[Environment]:
    """Of an environment that another one extends, if any, and itself: the last that says an optional fact, else itself."""
    said = (environment for environment in reversed(environments) if getattr(environment.value, fact) is not None)
    return next(said, environments[-1])


@dataclass(frozen=True, slots=True)
class Sources:
    """Every file that has a say in one application of one environment, read."""

    environment: str
    application: str
    chart: MarkedMap
    """The chart's values.yaml, in snake_case."""
    environments: tuple[Read[Environment], ...]
    """The environment that it extends, if any, then its own."""
    application_file: Read[Application] | None
    configs: tuple[Read[ConfigFile], ...]
    """As the environments."""
    runtime: tuple[MarkedMap, ...]
    """The fragments of overrides.yaml, and of a what-if, in their order."""
    instance_types: Read[InstanceTypes] | None
    release: Read[Release]
    bundles: Mapping[str, Read[Bundle]]
    """By tag: those that the release names and that exist."""
    known_tags: tuple[str, ...]
    """Every bundle that there is."""

    @property
    def own(self) -> Read[Environment]:
        return self.environments[-1]

    def saying(self, fact: Fact) -> Read[Environment]:
        """The environment.yaml that says an optional fact: its own, else the one that it extends."""
        return saying(self.environments, fact)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the layers come to."""

    application: ResolvedMap
    tracks: Mapping[str, Mapping[str, ResolvedMap]]
    """By track, then by component in the order of the bundle."""
    notes: tuple[str, ...]
    """What is allowed but worth knowing."""


@dataclass(frozen=True, slots=True)
class _File:
    """A fragment in config.yaml's model, and the layer that it belongs to."""

    layer: Layer
    tree: MarkedMap

    def services(self, bundle: str | None) -> MarkedMap | None:
        """What it says of components: for every bundle, or for one alone."""
        return _map(self.tree, *_of(bundle))

    @property
    def bundles(self) -> MarkedMap:
        """Its parts for one bundle alone."""
        return _map(self.tree, "bundles") or MarkedMap({}, self.tree.place)

    def parts(self) -> Iterator[tuple[str | None, MarkedMap]]:
        """Each part that says something of components, with the bundle that it is for."""
        for tag in (None, *self.bundles.items):
            services = self.services(tag)
            if services:
                yield tag, services


def _of(bundle: str | None) -> tuple[str, ...]:
    return ("services",) if bundle is None else ("bundles", bundle, "services")


def _prefix(bundle: str | None) -> str:
    """`_of` as errors write it."""
    return "services" if bundle is None else f"{join('bundles', bundle)}.services"


def resolve(sources: Sources) -> Resolution:
    """All layers merged.

    Raises InvalidInput with every problem of every file.
    """
    problems: list[Problem] = []
    notes: list[str] = []
    files = list(_files(sources))
    chart = _without_nulls(sources.chart)
    running = _running(sources, problems)
    _check_names(files, sources, notes, problems)
    tracks: dict[str, dict[str, ResolvedMap]] = {}
    for track, bundle in running.items():
        tracks[track] = {
            name: _component(name, track, bundle, chart, files, sources.instance_types, problems)
            for name in _in_order(bundle.value)
        }
    application = {key: merged for key, merged in _application(chart, files, problems).items() if merged}
    mode = leaf_at(application, ("mode",))
    if mode is not None and mode.value == "single":
        _check_single(mode, files, running, tracks, notes, problems)
    _check_split(sources, problems)
    if problems:
        raise InvalidInput(problems)
    return Resolution(application, tracks, tuple(notes))


def _files(sources: Sources) -> Iterator[_File]:
    for environment in sources.environments:
        defaults = _map(environment.tree, "defaults")
        if defaults:
            yield _File("environment", defaults)
    if sources.application_file:
        yield _File("environment", sources.application_file.tree)
    for config in sources.configs:
        yield _File("environment", config.tree)
    for fragment in sources.runtime:
        yield _File("runtime", fragment)


def _check_single(
    mode: Leaf,
    files: Sequence[_File],
    running: Mapping[str, Read[Bundle]],
    tracks: Mapping[str, Mapping[str, ResolvedMap]],
    notes: list[str],
    problems: list[Problem],
) -> None:
    """In one process the pods are the api's: a GPU that only a runner asks for is lost, and so is what people say of its pods."""
    single = f"the application runs in mode single ({mode.source.place})"
    for track, components in tracks.items():
        entry = running[track].value.entry
        given = gpu_count(components[entry])
        for name, component in components.items():
            gpu = leaf_at(component, ("resources", "gpu"))
            if name != entry and gpu is not None and gpu_count(component) > given:
                problems.append(
                    Problem(
                        gpu.source.place,
                        f"{join('services', name)}.resources.gpu",
                        f"{single}, where the pods are those of {entry}, which has {gpus(given)}, on track {track}",
                        str(gpu.value),
                        f"give the GPU to {entry}, or use mode split",
                    )
                )
    entries = {bundle.value.entry for bundle in running.values()}
    for file in files:
        for tag, services in file.parts():
            for name in services.items:
                said = _map(services, name) if name not in entries else None
                for key in CAPACITY:
                    if said and key in said.items and not _is_null(said.items[key]):
                        pointer = f"{join(_prefix(tag), name)}.{key}"
                        notes.append(f"{said.at(key)}: {pointer}: has no effect: {single}, and the pods are its api's")


def _check_split(sources: Sources, problems: list[Problem]) -> None:
    """Without a controller a Service selects one track, so requests cannot be split."""
    release, own = sources.release, sources.own
    if own.value.routing.controller != "none":
        return
    split = [name for name, track in release.value.tracks.items() if 0 < track.weight < 100]
    if split:
        name = release.value.candidate if release.value.candidate in split else split[0]
        problems.append(
            Problem(
                place_of(release.tree, "tracks", name, "weight"),
                f"tracks.{name}.weight",
                f"nothing splits requests here: routing.controller is none ({place_of(own.tree, 'routing', 'controller')})",
                str(release.value.tracks[name].weight),
                "give one track 100, or use a controller that splits",
            )
        )


def _running(sources: Sources, problems: list[Problem]) -> dict[str, Read[Bundle]]:
    """The bundle of each track."""
    tree = sources.release.tree
    result: dict[str, Read[Bundle]] = {}
    for name, track in sources.release.value.tracks.items():
        bundle = _bundle(track.bundle, ("tracks", name, "bundle"), sources, problems)
        if bundle is None:
            continue
        result[name] = bundle
        for component in track.floor or ():
            if component not in bundle.value.services:
                at = place_of(tree, "tracks", name, "floor", component)
                pointer = join(f"tracks.{name}.floor", component)
                known = did_you_mean(component, bundle.value.services)
                problems.append(Problem(at, pointer, f"no such service in bundle {track.bundle}", f"'{component}'", known))
        allowing = sources.saying("registries")
        registries = allowing.value.registries
        repository = bundle.value.image.repository
        if registries is not None and not any(repository.startswith(f"{registry}/") for registry in registries):
            problems.append(
                Problem(
                    place_of(bundle.tree, "image", "repository"),
                    "image.repository",
                    f"the environment {sources.environment} takes images from {', '.join(registries)} only",
                    f"'{repository}'",
                    f"push the image there, or add its registry at {place_of(allowing.tree, 'registries')}",
                )
            )
    if sources.release.value.previous:
        _bundle(sources.release.value.previous.bundle, ("previous", "bundle"), sources, problems)
    return result


def _bundle(tag: str, named_at: tuple[str, ...], sources: Sources, problems: list[Problem]) -> Read[Bundle] | None:
    """The bundle of a tag that release.yaml names."""
    bundle = sources.bundles.get(tag)
    if bundle is None:
        known = sources.known_tags
        todo = did_you_mean(tag, known) if known else "make it with `bento-gitops bundle create`"
        place = place_of(sources.release.tree, *named_at)
        missing = f"there is no bundles/{sources.application}/{tag}.yaml"
        problems.append(Problem(place, ".".join(named_at), missing, f"'{tag}'", todo))
        return None
    for key, found, wanted in (("application", bundle.value.application, sources.application), ("tag", bundle.value.tag, tag)):
        if found != wanted:
            place = place_of(bundle.tree, key)
            problems.append(Problem(place, key, f"the file's path says '{wanted}'", f"'{found}'", "create the bundle anew"))
    return bundle


def _in_order(bundle: Bundle) -> list[str]:
    """The entry first, then the others as the bundle lists them."""
    return [bundle.entry, *(name for name in bundle.services if name != bundle.entry)]


def role_of(bundle: Bundle, service: str) -> Role:
    """The entry service is the api; all others are runners."""
    return "api" if service == bundle.entry else "runner"


def _component(
    name: str,
    track: str,
    bundle: Read[Bundle],
    chart: MarkedMap,
    files: Sequence[_File],
    instance_types: Read[InstanceTypes] | None,
    problems: list[Problem],
) -> ResolvedMap:
    role = role_of(bundle.value, name)
    pointer = join("services", name)
    apis = bundle.value.services[name].apis
    entries: list[Entry] = []

    def add(layer: Layer, node: Marked | None) -> None:
        if node is not None:
            entries.append(Entry(layer, _with_apis(node, apis)))

    add("chart", _map(chart, "defaults", "roles", role))
    recorded = _map(bundle.tree, "services", name)
    assert recorded is not None
    add("decorator", _without_nulls(decorator(recorded)))
    for file in files:
        add(file.layer, _at(file.tree, "roles", role))
        for of_bundle in (None, bundle.value.tag):
            add(file.layer, _at(file.tree, *_of(of_bundle), name))
    types = _map(instance_types.tree, "types") if instance_types else None
    stack, instance_type = expanded(entries, types, pointer, problems)
    merged = merge(stack, pointer, problems)
    assert isinstance(merged, dict)
    if instance_type is not None:
        merged = {"instance_type": instance_type, **merged}
    check_component(merged, pointer, track, recorded.at("resources"), problems)
    return merged


def decorator(service: MarkedMap) -> MarkedMap:
    """What the code declares of one service, in the spelling of the merge: limits are {value, env}."""
    items = {key: value for key, value in service.items.items() if key not in ("dependencies", "labels")}
    apis = service.items.get("apis")
    if isinstance(apis, MarkedMap):
        items["apis"] = _each(apis, _with_limits)
    return MarkedMap(items, service.place, service.keys)


def _with_limits(api: MarkedMap) -> MarkedMap:
    batching = api.items.get("batching")
    if not isinstance(batching, MarkedMap):
        return api
    limits: dict[str, Marked] = {}
    for key, limit in batching.items.items():
        if isinstance(limit, MarkedMap):
            limits[key] = MarkedMap({"value": limit.items["default"], "env": limit.items["env"]}, limit.place)
        else:
            limits[key] = MarkedMap({"value": limit}, limit.place)
    return MarkedMap({**api.items, "batching": MarkedMap(limits, batching.place, batching.keys)}, api.place, api.keys)


def _with_apis(node: Marked, known: Mapping[str, object]) -> Marked:
    """Without what is said of APIs that this bundle does not have; another bundle of the release does."""
    apis = _map(node, "apis")
    if not isinstance(node, MarkedMap) or not apis or all(name in known for name in apis.items):
        return node
    kept = {name: value for name, value in apis.items.items() if name in known}
    return MarkedMap({**node.items, "apis": MarkedMap(kept, apis.place, apis.keys)}, node.place, node.keys)


def _application(chart: MarkedMap, files: Sequence[_File], problems: list[Problem]) -> ResolvedMap:
    result: ResolvedMap = {}
    for key in APPLICATION_KEYS:
        layered = [Entry("chart", chart.items[key])] if key in chart.items else []
        layered += [Entry(file.layer, file.tree.items[key]) for file in files if key in file.tree.items]
        if layered:
            result[key] = merge(layered, key, problems)
    return result


def _check_names(files: Sequence[_File], sources: Sources, notes: list[str], problems: list[Problem]) -> None:
    """Every service and API that a file names exists in the bundle of a track or of `previous`."""
    release = sources.release.value
    tags = {track.bundle for track in release.tracks.values()}
    if release.previous:
        tags.add(release.previous.bundle)
    bundles = {tag: sources.bundles[tag].value for tag in sorted(tags) if tag in sources.bundles}
    if not bundles:
        return
    for file in files:
        _note_role_apis(file, bundles, notes)
        named = file.bundles
        for tag in named.items:
            if tag not in tags:
                close = "" if tag in sources.known_tags else nearest(tag, sources.known_tags)
                todo = f"did you mean '{close}'?" if close else "remove this part"
                notes.append(f"{named.at(tag)}: {join('bundles', tag)}: no track runs this bundle; {todo}")
        for tag, services in file.parts():
            among = bundles if tag is None else {tag: bundles[tag]} if tag in bundles else {}
            if among:
                _check_services(services, _prefix(tag), among, notes, problems)


def _note_role_apis(file: _File, bundles: Mapping[str, Bundle], notes: list[str]) -> None:
    """Defaults by role are for several applications: an API that this one lacks may be another's, or a slip."""
    roles = _map(file.tree, "roles")
    for role in roles.items if roles else ():
        apis = _map(file.tree, "roles", role, "apis")
        having = {
            api
            for bundle in bundles.values()
            for name, service in bundle.services.items()
            if role_of(bundle, name) == role
            for api in service.apis
        }
        for api in apis.items if apis else ():
            if apis and api not in having:
                pointer = join(f"defaults.roles.{role}.apis", api)
                notes.append(f"{apis.at(api)}: {pointer}: no {role} of this release has such an API")


def _check_services(
    services: MarkedMap, prefix: str, bundles: Mapping[str, Bundle], notes: list[str], problems: list[Problem]
) -> None:
    known = {name for bundle in bundles.values() for name in bundle.services}
    where = f"bundle {next(iter(bundles))}" if len(bundles) == 1 else f"any of the bundles {', '.join(bundles)}"
    for name, node in services.items.items():
        pointer, place = join(prefix, name), services.at(name)
        having = {tag: bundle.services[name] for tag, bundle in bundles.items() if name in bundle.services}
        if not having:
            problems.append(Problem(place, pointer, f"no such service in {where}", f"'{name}'", did_you_mean(name, known)))
            continue
        if len(having) < len(bundles):
            lacking = ", ".join(tag for tag in bundles if tag not in having)
            notes.append(f"{place}: {pointer}: applies to {', '.join(having)}; there is no such service in {lacking}")
        apis = _map(node, "apis")
        for api in apis.items if apis else ():
            names = {known_api for service in having.values() for known_api in service.apis}
            if apis and api not in names:
                at = join(f"{pointer}.apis", api)
                problems.append(Problem(apis.at(api), at, f"no such API in {where}", f"'{api}'", did_you_mean(api, names)))


def _at(node: Marked, *path: str) -> Marked | None:
    for key in path:
        if not isinstance(node, MarkedMap) or key not in node.items:
            return None
        node = node.items[key]
    return node


def _map(node: Marked, *path: str) -> MarkedMap | None:
    found = _at(node, *path)
    return found if isinstance(found, MarkedMap) else None


def _is_null(node: Marked) -> bool:
    return isinstance(node, MarkedScalar) and node.value is None


def _each(node: MarkedMap, change: Callable[[MarkedMap], MarkedMap]) -> MarkedMap:
    items = {key: change(value) if isinstance(value, MarkedMap) else value for key, value in node.items.items()}
    return MarkedMap(items, node.place, node.keys)


def _without_nulls(node: MarkedMap) -> MarkedMap:
    """A null of the chart's or of the code's shows a key that exists; it says nothing, and takes nothing back."""
    items = {
        key: _without_nulls(value) if isinstance(value, MarkedMap) else value
        for key, value in node.items.items()
        if not _is_null(value)
    }
    return MarkedMap(items, node.place, node.keys)
