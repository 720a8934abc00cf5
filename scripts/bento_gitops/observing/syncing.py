"""What an Argo CD Application says of itself, and the patches that switch its automatic sync off and on again."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bento_gitops.checking.objects import Json, Map, as_map, as_text, get, maps
from bento_gitops.observing.held import LIVE, Held, held_in, remembered
from bento_gitops.observing.live import APPLICATION

APPLICATIONS = ("argoproj.io", "v1alpha1", "applications")
"""Group, version and plural."""
REFRESH = "argocd.argoproj.io/refresh"
"""The annotation at which Argo CD looks at Git now, and not minutes later; it removes it."""
TRACKING = "argocd.argoproj.io/tracking-id"
"""The annotation of every object that Argo CD syncs."""
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Syncing:
    """An Application."""

    name: str
    sync: str
    """Synced, OutOfSync or Unknown."""
    health: str
    revision: str
    """The commit that was compared with, or nothing; never another word, which Git might take for an option."""
    automated: Map | None
    """Its `syncPolicy.automated`."""
    busy: bool
    """A sync is under way, or asked for."""
    held: Held | None
    ours: bool
    """It is one of the chart's set, which makes none without automatic sync, and does not mend that either."""
    errors: tuple[str, ...]

    @property
    def automatic(self) -> bool:
        return self.automated is not None and self.automated.get("enabled") is not False

    @property
    def heals(self) -> bool:
        """Whether it puts back what is changed in the cluster alone."""
        return self.automatic and as_map(self.automated).get("selfHeal") is True


def syncing(application: Map) -> Syncing:
    status = get(application, "status")
    automated = get(application, "spec", "syncPolicy", "automated")
    phase = get(status, "operationState", "phase")
    revision = as_text(get(status, "sync", "revision"))
    known = bool(_COMMIT.fullmatch(revision))
    return Syncing(
        name=as_text(get(application, "metadata", "name")),
        sync=as_text(get(status, "sync", "status")) or "Unknown",
        health=as_text(get(status, "health", "status")) or "Unknown",
        revision=revision if known else "",
        automated=automated if isinstance(automated, dict) else None,
        busy=bool(get(application, "operation")) or phase in ("Running", "Terminating"),
        held=held_in(application),
        ours=bool(as_text(as_map(get(application, "metadata", "labels")).get(APPLICATION))),
        errors=(
            *_errors(status),
            *([] if known or not revision else [f"its revision is no commit: '{revision[:60]}'"]),
        ),
    )


def _errors(status: Json) -> Iterator[str]:
    for condition in maps(get(status, "conditions")):
        if as_text(condition.get("type")).endswith("Error"):
            yield as_text(condition.get("message"))


def switched_off(held: Held) -> Map:
    """The patch that ends automatic sync, and remembers what it was."""
    return {"metadata": {"annotations": {LIVE: held.on_application()}}, "spec": {"syncPolicy": {"automated": None}}}


def switched_on(held: Held | None) -> Map:
    """The patch that gives automatic sync back as it was, and has Argo CD look at Git now.

    Where nobody wrote down how it was: as the chart's ApplicationSet makes its Applications.
    """
    annotations: Map = {LIVE: None, REFRESH: "normal"}
    patch: Map = {"metadata": {"annotations": annotations}}
    if held is not None and held.readable and held.automated is None:
        return patch  # it was synced by hand before, and is again
    known = held.automated if held is not None else None
    automated: Map = remembered(known) if known is not None else {"enabled": None, "prune": True, "selfHeal": True}
    return {**patch, "spec": {"syncPolicy": {"automated": automated}}}


def synced_by(one: Map) -> str:
    """The Application that syncs an object, as the object says it; empty where none does."""
    annotations: Mapping[str, object] = as_map(get(one, "metadata", "annotations"))
    said = annotations.get(TRACKING)
    return said.partition(":")[0] if isinstance(said, str) else ""
