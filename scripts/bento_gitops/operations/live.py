"""An application whose route a live command changes: as Git, its cluster and Argo CD have it, looked at once and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bento_gitops.checking.objects import Map, as_map, get
from bento_gitops.layers.marked import parse, place_of, plain
from bento_gitops.model.evidence import Observation
from bento_gitops.model.layout import cluster_values
from bento_gitops.model.names import argo_application
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused, ToolFailed
from bento_gitops.model.release import Release
from bento_gitops.observing.held import Held, held_in
from bento_gitops.observing.live import Seen, observed_weights
from bento_gitops.observing.rerouting import (
    BESIDE,
    NoRoute,
    Reroute,
    rerouted,
    routes_of,
)
from bento_gitops.observing.syncing import APPLICATIONS, Syncing, syncing
from bento_gitops.operations.deciding import Request, opened
from bento_gitops.operations.observe import cluster_of, glimpse, objects_of
from bento_gitops.operations.situation import Situation
from bento_gitops.repository.files import Tree

if TYPE_CHECKING:
    from bento_gitops.tools.cluster import Cluster

ATTEMPTS = 5
"""How often a change is tried that somebody else was faster with."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the clusters are: of the application, and of Argo CD, which may run in another one."""

    context: str | None = None
    argocd: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a live command did, or would do."""

    target: str
    says: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    """Live weights by track; what Argo CD puts back later is not in them."""
    done: tuple[str, ...]
    """Each step, in order."""
    notes: tuple[str, ...] = ()
    held: Held | None = None


@dataclass
class Scene:
    """An application as Git and its cluster have it, and its Argo CD Application."""

    situation: Situation
    cluster: Cluster
    argocd: Cluster
    seen: Seen
    release: Release
    application: Map | None
    """Of Argo CD; None: there is none."""

    @property
    def target(self) -> str:
        return str(self.situation.target)

    @property
    def namespace(self) -> str:
        return self.situation.environment.value.namespace

    @property
    def argo_name(self) -> str:
        return argo_application(self.situation.target.environment, self.situation.target.application)

    @property
    def argo_namespace(self) -> str:
        return argocd_namespace(self.situation)

    @property
    def synced(self) -> Syncing | None:
        return syncing(self.application) if self.application is not None else None

    @property
    def weights(self) -> dict[str, int]:
        """Live, by track."""
        controller, name = self.situation.environment.value.routing.controller, self.situation.target.application
        return observed_weights(self.seen, controller, name) or {}

    def routes(self) -> list[tuple[tuple[str, str, str, str], Map]]:
        controller = self.situation.environment.value.routing.controller
        return routes_of(self.seen, controller, self.situation.target.application)

    def holding(self) -> Held | None:
        """The live shift that holds this application; what the Application says of it goes first."""
        own = held_in(self.application) if self.application is not None else None
        return own or next((held for _, one in self.routes() if (held := held_in(one))), None)

    def observation(self, by: str) -> Observation:
        return glimpse(self.situation, self.seen, by, datetime.now(UTC))

    def rerouted(self, wanted: Mapping[str, int]) -> Reroute:
        """Raises Refused where the route has no place for the weights."""
        controller, name = self.situation.environment.value.routing.controller, self.situation.target.application
        try:
            return rerouted(self.seen, controller, name, wanted)
        except NoRoute as error:
            raise self.refused("live", error.wrong, "", error.todo) from None

    def refused(self, verb: str, wrong: str, found: str, todo: str) -> Refused:
        return Refused([Problem(Place(self.situation.file), verb, wrong, found, todo)])

    def look_again(self) -> None:
        self.release, self.seen = objects(self.situation, self.cluster)
        self.application = self.argocd.found(APPLICATIONS, self.argo_namespace, self.argo_name)


def scene_of(tree: Tree, request: Request, reach: Reach) -> Scene:
    """Looks. Raises what `observe` raises."""
    from bento_gitops.tools.cluster import opened as context_opened

    situation = opened(tree, request)
    cluster = cluster_of(situation, reach.context)
    release, seen = objects(situation, cluster)
    argocd = context_opened(reach.argocd) if reach.argocd else cluster
    name = argo_application(situation.target.environment, situation.target.application)
    application = argocd.found(APPLICATIONS, argocd_namespace(situation), name)
    return Scene(situation, cluster, argocd, seen, release, application)


def argocd_namespace(situation: Situation) -> str:
    """Where Argo CD runs: as the values of the cluster say, else where it is installed by default.

    Raises InvalidInput where these are not as they should be.
    """
    path = cluster_values(situation.environment.value.cluster)
    if not situation.tree.exists(path):
        return "argocd"
    said = parse(situation.tree.read(path), path)
    named = get(as_map(plain(said)), "argocd", "namespace")
    if named is not None and not isinstance(named, str):
        todo = "write the name of the namespace that Argo CD runs in"
        raise InvalidInput([Problem(place_of(said, "argocd", "namespace"), "argocd.namespace", "is no name", str(named), todo)])
    return named or "argocd"


def objects(situation: Situation, cluster: Cluster) -> tuple[Release, Seen]:
    release, seen = objects_of(situation, cluster)
    environment = situation.environment.value
    if environment.routing.controller != "traefik":
        return release, seen
    beside = cluster.listed(BESIDE, environment.namespace, situation.target.application)
    return release, replace(seen, routes={**seen.routes, BESIDE[3]: beside})


def told(of: Mapping[str, int]) -> str:
    """Weights in a sentence."""
    return ", ".join(f"{track} {weight} %" for track, weight in sorted(of.items()) if weight) or "nothing"


def positive(of: Mapping[str, int]) -> dict[str, int]:
    return {track: weight for track, weight in of.items() if weight}


def patched_application(scene: Scene, patch: Callable[[Map], Map]) -> Map:
    """The Application after a patch, made on what it is now. Raises ToolFailed."""
    from bento_gitops.tools.cluster import Overtaken

    found = scene.application
    for _ in range(ATTEMPTS):
        if found is None:
            raise ToolFailed(f"the Application {scene.argo_name} of Argo CD is gone")
        made = patch(found)
        metadata = {**as_map(made["metadata"]), "resourceVersion": get(found, "metadata", "resourceVersion")}
        try:
            return scene.argocd.patched(APPLICATIONS, scene.argo_namespace, scene.argo_name, {**made, "metadata": metadata})
        except Overtaken:
            # Argo CD writes its status into the same object, every few seconds.
            found = scene.argocd.found(APPLICATIONS, scene.argo_namespace, scene.argo_name)
    raise ToolFailed(f"the Application {scene.argo_name} was changed by somebody else {ATTEMPTS} times in a row")
