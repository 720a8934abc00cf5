"""The resolved values of an application in an environment: what the chart bento-serving takes, in camelCase."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from bento_gitops.model.base import (
    ClaimValue,
    DnsLabel,
    Duration,
    HeaderName,
    HeaderValue,
    LabelKey,
    LabelValue,
    Memory,
    Model,
    Route,
    SecretName,
    ServiceName,
    Tag,
    Weight,
)
from bento_gitops.model.bundle import Image
from bento_gitops.model.files import Controller, ExternalAuth, PrometheusPods, WatchedBy
from bento_gitops.model.release import Capacity, TrackName
from bento_gitops.model.settings import ApiSettings, ApplicationSettings, AuthKind, ComponentSettings, Role, Sticky


class ResolvedApi(ApiSettings):
    """One API with its route."""

    route: Route | None = None
    task: Literal[True] | None = None
    """It answers below its route too: /submit, /status, /get, /cancel, /retry."""


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
    """Of a standby: `cold` runs no pods; `warm` tells policies that `scaling.minReplicas` may be below that of other tracks."""
    traced: bool | None = None
    """False: `tracing` is not for this track, because its image lacks the exporter and would not start with it. Absent: it is."""
    components: dict[ServiceName, Component]


class ResolvedGateway(Model):
    """The Gateway that the HTTPRoute attaches to."""

    name: DnsLabel | None = None
    namespace: DnsLabel | None = None
    listener: DnsLabel | None = None
    pod_namespace: DnsLabel | None = None
    """Where the Gateway's pods run, if not in its namespace."""
    pod_labels: dict[LabelKey, LabelValue] | None = None
    mirror: bool | None = None
    """Whether its class has the feature HTTPRouteRequestPercentageMirror."""


class ResolvedProxy(Model):
    """The pods of nginx, Traefik or Istio's gateway."""

    namespace: DnsLabel | None = None
    pod_labels: dict[LabelKey, LabelValue] | None = None


class ResolvedTls(Model):
    """The certificate of the host names."""

    secret: SecretName | None = None


class ResolvedRule(Model):
    """Requests that one track answers, whatever the weights are."""

    track: TrackName
    precedence: int | None = None
    """Higher ones come first; those of the same by name."""
    headers: dict[HeaderName, Annotated[list[HeaderValue], Field(min_length=1)]]
    """Every header must have one of its values."""


class ResolvedMirror(Model):
    """A part of the live requests that a track gets too."""

    track: TrackName
    percent: Annotated[int, Field(ge=1, le=100)]


class ResolvedTokens(Model):
    """Which tokens let a request pass."""

    issuer: ClaimValue
    audiences: Annotated[list[ClaimValue], Field(min_length=1)]


class ResolvedAuth(Model):
    """Who may ask."""

    require: AuthKind
    """Said outright: facts alone would be read as a closed door by people and as an open one by the chart."""
    external: ExternalAuth | None = None
    jwt: ResolvedTokens | None = None


class ResolvedRouting(Model):
    """How requests reach the tracks."""

    controller: Controller | None = None
    closed: bool | None = None
    """No way in: the application is being taken away."""
    gateway: ResolvedGateway | None = None
    gateways: list[str] | None = None
    ingress_class: DnsLabel | None = None
    entry_points: list[DnsLabel] | None = None
    proxy: ResolvedProxy | None = None
    tls: ResolvedTls | None = None
    hostnames: list[str] | None = None
    canary: TrackName | None = None
    """Where nginx's one canary Ingress leads."""
    timeout: Duration | None = None
    max_body: Memory | None = None
    auth: ResolvedAuth | None = None
    sticky: Sticky | None = None
    rules: dict[DnsLabel, ResolvedRule] | None = None
    mirror: ResolvedMirror | None = None


class ResolvedMonitoring(WatchedBy):
    """What watches the application."""

    prometheus: PrometheusPods | None = None
    namespace: DnsLabel | None = None
    """Where the application runs, for alerts on pods that are not there."""


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
    monitoring: ResolvedMonitoring | None = None
    image_pull_secrets: list[SecretName] | None = None
    defaults: ChartDefaults | None = None


class Values(_Release, ApplicationSettings, _Place):
    """Values of the chart bento-serving."""
