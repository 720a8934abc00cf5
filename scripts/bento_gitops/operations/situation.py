"""What a release command finds in one tree: the release, its plan, and the facts that gates look at."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import yaml
from pydantic import TypeAdapter

from bento_gitops.layers.merging import ABSENT, ResolvedMap, leaf_at, plain_value, value_at
from bento_gitops.layers.overriding import ended
from bento_gitops.layers.reading import Read
from bento_gitops.layers.resolving import Resolution, Sources, resolve
from bento_gitops.model.base import moment
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.evidence import Evidence, Observation
from bento_gitops.model.files import Environment, Overrides
from bento_gitops.model.layout import bundle_file, environment_file, evidence_file, release_file
from bento_gitops.model.problem import InvalidInput, Place, Problem, did_you_mean
from bento_gitops.model.release import Held, Release, ReleasedTrack
from bento_gitops.model.rollout import Bounds, Promotion, Rollout
from bento_gitops.releasing.evidence import Binding
from bento_gitops.releasing.gates import Origin
from bento_gitops.releasing.plan import Plan, plan_of
from bento_gitops.releasing.states import Current, free_name
from bento_gitops.releasing.transitions import install
from bento_gitops.rendering.fingerprint import fingerprint
from bento_gitops.repository.files import Tree
from bento_gitops.repository.fleet import Fleet, Target

_HELPFUL = "make it with `bento-gitops bundle create`"


@dataclass
class Situation:
    """One application in one environment, as a tree has it."""

    fleet: Fleet
    target: Target
    now: datetime

    @property
    def tree(self) -> Tree:
        return self.fleet.tree

    @property
    def file(self) -> str:
        return release_file(str(self.target))

    @cached_property
    def environment(self) -> Read[Environment]:
        found = self.fleet.file(environment_file(self.target.environment), Environment)
        assert found, "a file that is needed is there, or an error"
        return found

    @cached_property
    def release(self) -> Release | None:
        found = self.fleet.file(self.file, Release, needed=False)
        return found.value if found else None

    @property
    def current(self) -> Current:
        return Current(str(self.target), self.file, self.release)

    @cached_property
    def sources(self) -> Sources:
        """As the files say it now. Raises InvalidInput."""
        return self.fleet.sources(self.target)

    @cached_property
    def resolution(self) -> Resolution:
        return self.fleet.resolution(self.target)

    @cached_property
    def values(self) -> ResolvedMap:
        """The values that these files give."""
        return self.fleet.built(self.target)[0]

    def with_bundle(self, tag: str) -> tuple[Sources, str]:
        """The sources if one track more (or a first one) ran this bundle, and that track: what the layers would say of it."""
        release = self.release
        if release is None:
            release = install(self.current, tag, self.now).after
            track = release.stable
        else:
            running = next((name for name, said in release.tracks.items() if said.bundle == tag), None)
            if running is not None:
                return self.sources, running
            track = free_name(release)
            release = release.model_copy(
                update={"tracks": {**release.tracks, track: ReleasedTrack(bundle=tag, weight=0, ready_for=0)}}
            )
        return self.fleet.over({self.file: dumped(release)}).sources(self.target), track

    def _resolution_with(self, sources: Sources) -> Resolution:
        own = self.release is not None and sources is self.sources
        return self.resolution if own else resolve(sources)

    @cached_property
    def plan(self) -> Plan:
        """How the application is rolled out here; where nothing runs yet, as nobody says otherwise."""
        if self.release is None:
            return Plan()
        said = self.resolution.application.get("rollout")
        return plan_of(Rollout.model_validate(plain_value(said)) if said else None)

    def thresholds(self, tag: str) -> Mapping[str, Mapping[str, Bounds]]:
        """By model and metric: what an evaluation must be."""
        resolution = self._resolution_with(self.with_bundle(tag)[0])
        said = TypeAdapter(dict[str, dict[str, Bounds | None] | None]).validate_python(
            plain_value(resolution.application.get("evaluation", {}))
        )
        return {
            model: {metric: bounds for metric, bounds in metrics.items() if bounds} for model, metrics in said.items() if metrics
        }

    def bundle(self, tag: str) -> Bundle:
        """A bundle of this application. Raises InvalidInput where there is none."""
        path = bundle_file(self.target.application, tag)
        found = self.fleet.file(path, Bundle, needed=False)
        if found is None:
            known = self.fleet.tags(self.target.application)
            todo = did_you_mean(tag, known) if known else _HELPFUL
            raise InvalidInput([Problem(Place(path), "", "there is no such bundle", f"'{tag}'", todo)])
        return found.value

    def next_bundle(self) -> str:
        """The bundle that would come next: what is stable in `promotion.from`, else the newest one.

        Raises InvalidInput where there is none.
        """
        application = self.target.application
        promotion = self.promotion
        if promotion is not None and promotion.source is not None:
            release = self.fleet.file(release_file(f"{promotion.source}/{application}"), Release, needed=False)
            if release is not None:
                return release.value.tracks[release.value.stable].bundle
        tags = self.fleet.tags(application)
        if not tags:
            place = Place(f"bundles/{application}")
            raise InvalidInput([Problem(place, "", "there is no bundle of this application", "", _HELPFUL)])
        return max(tags, key=lambda tag: moment(self.bundle(tag).created))

    def binding(self, tag: str) -> Binding:
        """What evidence of a bundle must be bound to, here and now. Raises InvalidInput where it cannot run here."""
        sources, track = self.with_bundle(tag)
        resolution = self._resolution_with(sources)
        content = self.tree.read(bundle_file(self.target.application, tag))
        seen = fingerprint(content, resolution.tracks[track], resolution.application)
        return Binding(
            seen, self.fleet.charts.identity_of(self.fleet.chart_folder(self.target.environment)), self.environment.value.cluster
        )

    def evidence(self, tag: str) -> Evidence | None:
        found = self.fleet.file(evidence_file(str(self.target), tag), Evidence, needed=False)
        return found.value if found else None

    @property
    def promotion(self) -> Promotion | None:
        """What must hold before a bundle comes here."""
        return self.fleet.promotion(self.target.environment)

    def origin(self, tag: str) -> Origin | None:
        """The environment where the bundle must have proved itself first."""
        promotion = self.promotion
        if promotion is None or promotion.source is None:
            return None
        known = self.fleet.environments()
        if promotion.source not in known:
            place = Place(environment_file(self.target.environment))
            todo = did_you_mean(promotion.source, known)
            raise InvalidInput([Problem(place, "promotion.from", "no such environment", f"'{promotion.source}'", todo)])
        there = Situation(self.fleet, Target(promotion.source, self.target.application), self.now)
        binding, trouble = None, ""
        try:
            binding = there.binding(tag)
        except InvalidInput as error:
            trouble = str(error.problems[0])
        held = (there.release.held or {}).get(tag) if there.release else None
        runs = any(track.bundle == tag for track in there.release.tracks.values()) if there.release else False
        return Origin(promotion.source, binding, trouble, there.evidence(tag), held, runs)

    def held_elsewhere(self, tag: str) -> Mapping[str, Held]:
        """By environment, where the bundle is held; not here."""
        found: dict[str, Held] = {}
        for name in self.fleet.environments():
            if name == self.target.environment:
                continue
            release = self.fleet.file(release_file(f"{name}/{self.target.application}"), Release, needed=False)
            if release and tag in (release.value.held or {}):
                found[name] = (release.value.held or {})[tag]
        return found

    def ended(self) -> list[str]:
        """A line for each override past its end."""
        overrides = self.fleet.file(f"{self.target.folder}/overrides.yaml", Overrides, needed=False)
        return ended(overrides, self.now) if overrides else []

    def pods(self, track: str) -> dict[str, int]:
        """Pods by component that a track's values ask for at least; none for a cold standby."""
        tracks = self.values["tracks"]
        assert isinstance(tracks, dict)
        here = tracks[track]
        assert isinstance(here, dict)
        components = here["components"]
        assert isinstance(components, dict)
        if value_at(here, "capacity") == "cold":
            return dict.fromkeys(components, 0)
        single = value_at(self.values, "mode") == "single"
        return {
            name: int(str(value_at(component, "scaling", "min_replicas")))
            for name, component in components.items()
            if not single or value_at(component, "role") == "api"
        }

    def floor(self, tag: str, weight: int, observation: Observation | None) -> dict[str, int]:
        """Pods by component that a weight takes, as the ready pods of the live tracks show; only what is above the configuration.

        Autoscalers may have given the live tracks more than their minimum: a candidate for half of the requests needs half.
        """
        return {
            component: min(needed, most)
            for component, (ready, least, most) in self._needs(tag, observation).items()
            if (needed := math.ceil(weight * ready / 100)) > math.ceil(weight * least / 100)
        }

    def enough(self, track: str, weight: int, observation: Observation) -> dict[str, int]:
        """Pods by component with which a track of the release takes a weight, by the ready pods of the live tracks."""
        assert self.release, "only what runs gets a weight"
        return {
            component: max(1, min(math.ceil(weight * max(ready, least) / 100), most))
            for component, (ready, least, most) in self._needs(self.release.tracks[track].bundle, observation).items()
            if component in self.pods(track)
        }

    def kept(self, observation: Observation | None) -> dict[str, int]:
        """Pods by component of the stable track with which it takes all requests; what nobody looked at is not there."""
        if self.release is None:
            return {}
        needs = self._needs(self.release.tracks[self.release.stable].bundle, observation)
        return {component: min(max(ready, least), most) for component, (ready, least, most) in needs.items() if ready}

    def _needs(self, tag: str, observation: Observation | None) -> dict[str, tuple[int, int, int]]:
        """By component of a bundle the ready pods that all requests take, and the least and the most that it may have."""
        release = self.release
        if observation is None or release is None:
            return {}
        stable = release.tracks[release.stable]
        kept = (stable.floor or {}) if stable.weight else {}
        ready: dict[str, int] = {}
        for name, said in release.tracks.items():
            seen = observation.tracks.get(name)
            for component, pods in (seen.ready or {}).items() if said.weight and seen else ():
                # What stable keeps is for all requests: the candidate's pods for some of them would count these twice.
                if name == release.stable or component not in kept:
                    ready[component] = ready.get(component, 0) + pods
        sources, track = self.with_bundle(tag)
        result: dict[str, tuple[int, int, int]] = {}
        for component, settings in resolve(sources).tracks[track].items():
            low, high = (leaf_at(settings, ("scaling", bound)) for bound in ("min_replicas", "max_replicas"))
            pods = ready.get(component, 0)
            least = int(str(low.value)) if low and low.value is not ABSENT else 1
            most = int(str(high.value)) if high and high.value is not ABSENT else max(pods, least)
            result[component] = pods, least, most
        return result


def content(release: Release) -> dict[str, Any]:
    """What stands in its file."""
    return release.model_dump(exclude_none=True)


def dumped(release: Release) -> bytes:
    """A release as YAML for a tree that nobody sees."""
    return yaml.safe_dump(content(release), sort_keys=False).encode()
