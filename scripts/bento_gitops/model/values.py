"""The resolved values of an application in an environment: what the chart bento-serving takes, in camelCase."""

from __future__ import annotations

from typing import Literal

from bento_gitops.model.base import DnsLabel, Duration, LabelKey, LabelValue, Model, Route, SecretName, ServiceName, Tag, Weight
from bento_gitops.model.bundle import Image
from bento_gitops.model.files import Monitoring
from bento_gitops.model.release import Capacity, TrackName
from bento_gitops.model.settings import ApiSettings, ApplicationSettings, ComponentSettings, Role


class ResolvedApi(ApiSettings):
    """One API with its route."""

    route: Route | None = None


class _Identity(Model):
    role: Role
    dependencies: list[ServiceName] | None = None
    apis: dict[str, ResolvedApi | None] | None = None


class Component(ComponentSettings, _Identity):
    """A component of a track. Whatever it leaves out comes from `defaults.roles.<role>`."""


class Track(Model):
    """The api and all runners of one bundle."""

    bundle: Tag
    weight: Weight
    image: Image
    capacity: Capacity | None = None
    """`cold` runs no pods (a standby); `full` and `warm` differ in `scaling.minReplicas` alone."""
    components: dict[ServiceName, Component]


class ResolvedGateway(Model):
    """The Gateway that the HTTPRoute attaches to."""

    name: DnsLabel | None = None
    namespace: DnsLabel | None = None
    listener: DnsLabel | None = None
    pod_namespace: DnsLabel | None = None
    """Where the Gateway's pods run, if not in its namespace."""
    pod_labels: dict[LabelKey, LabelValue] | None = None


class ResolvedRouting(Model):
    """How requests reach the tracks."""

    controller: Literal["gateway", "none"] | None = None
    gateway: ResolvedGateway | None = None
    hostnames: list[str] | None = None
    timeout: Duration | None = None


class RoleDefaults(Model):
    """The chart's defaults by role: layer 0."""

    api: ComponentSettings | None = None
    runner: ComponentSettings | None = None


class ChartDefaults(Model):
    """What every component gets unless it says otherwise."""

    roles: RoleDefaults


class _Place(Model):
    application: DnsLabel | None = None
    """Names every object; the release's name without it."""
    environment: DnsLabel | None = None


class _Release(Model):
    stable: TrackName
    tracks: dict[TrackName, Track]
    routing: ResolvedRouting | None = None
    monitoring: Monitoring | None = None
    image_pull_secrets: list[SecretName] | None = None
    defaults: ChartDefaults | None = None


class Values(_Release, ApplicationSettings, _Place):
    """Values of the chart bento-serving."""
