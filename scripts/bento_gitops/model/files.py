"""The files that people and operators write: applications, instance types, environments, configs, overrides."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bento_gitops.model.base import (
    ADDRESS,
    AuthAddress,
    ClaimValue,
    ClusterName,
    Cpu,
    DnsLabel,
    Duration,
    HeaderName,
    LabelKey,
    LabelValue,
    Memory,
    Model,
    ObjectKind,
    ObjectName,
    OwnLabelKey,
    Registry,
    RepositoryFolder,
    SecretName,
    ServiceName,
    Timestamp,
    Version,
)
from bento_gitops.model.rollout import Promotion
from bento_gitops.model.settings import (
    ApplicationConfig,
    ComponentConfig,
    Config,
    ConfiguredComponent,
    Placement,
    Resources,
    Role,
)


class ApplicationComponent(ConfiguredComponent):
    """What is true of a component in every environment; capacity (scaling, resources, placement) lives in config.yaml only."""

    # Narrower than the base, which the checker calls unsound for mutable fields; models are frozen at run time.
    scaling: None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    resources: None = None  # pyright: ignore[reportIncompatibleVariableOverride]
    placement: None = None  # pyright: ignore[reportIncompatibleVariableOverride]


class Application(ApplicationConfig):
    """`applications/<application>.yaml`: true in every environment."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Application"]
    description: str | None = None
    verification: RepositoryFolder | None = None
    """Where the files (kind: Verification) are that say what it must answer; they are in the repository, like everything."""
    services: dict[ServiceName, ApplicationComponent | None] = Field(default_factory=dict[str, "ApplicationComponent | None"])


class InstanceResources(Resources):
    """What one pod on this hardware requests; complete, as it replaces what the code and the chart say."""

    # Narrower than the base, which the checker calls unsound for mutable fields; models are frozen at run time.
    cpu: Cpu  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]
    memory: Memory  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]


class InstanceType(Model):
    """A hardware profile."""

    resources: InstanceResources
    placement: Placement | None = None
    price_per_hour: Annotated[float, Field(ge=0)]
    """In the file's currency, for one pod."""


class InstanceTypes(Model):
    """`environments/instance-types.yaml`."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["InstanceTypes"]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    types: dict[str, InstanceType]


ScrapeInterval = Literal["5s", "10s", "15s", "20s", "30s"]

Controller = Literal["gateway", "nginx", "traefik", "istio", "none"]
"""What takes requests to the tracks."""


class Gateway(Model):
    """The Gateway that routes attach to, and the pods behind it (they alone may reach an api)."""

    name: DnsLabel
    namespace: DnsLabel
    listener: DnsLabel | None = None
    pod_namespace: DnsLabel | None = None
    """Where the pods run, if not in the Gateway's namespace."""
    pod_labels: dict[LabelKey, LabelValue]
    mirror: bool | None = None
    """Whether its class has the feature HTTPRouteRequestPercentageMirror; one without it answers a mirrored route with errors."""


class Proxy(Model):
    """The pods of nginx, Traefik or Istio's gateway; they alone may reach an api."""

    namespace: DnsLabel
    pod_labels: dict[LabelKey, LabelValue]


class Tls(Model):
    """The certificate of the host names."""

    secret: Annotated[str, Field(pattern=r"^[a-z0-9{}.-]+$")]
    """A pattern with {application} and {environment}: the name of a Secret beside the route."""


class RequestHeaders(Model):
    """Which header of a request carries what `routing.rules` ask for. Clients write what they like: the proxy must set them."""

    tenant: HeaderName | None = None
    country: HeaderName | None = None
    request_type: HeaderName | None = None

    @model_validator(mode="after")
    def _each_has_its_own(self) -> RequestHeaders:
        named = [name for name in (self.tenant, self.country, self.request_type) if name is not None]
        if len(named) > len(set(named)):
            raise ValueError("two words are in the same header; name another one")
        if PREVIEW in named:
            raise ValueError(f"{PREVIEW} asks for a track; name another header")
        return self


PREVIEW = "x-bento-track"
"""The request header that asks for one track, by name."""


class Filter(Model):
    """An object beside the route that the Gateway's class knows as a filter."""

    group: ObjectName
    kind: ObjectKind
    name: ObjectName


class ExternalAuth(Model):
    """The service that is asked about each request. What a controller takes of it: docs/authentication.md."""

    address: AuthAddress | None = None
    """For `nginx` and `traefik`: it answers 2xx for what may pass."""
    headers: list[HeaderName] | None = None
    """For `nginx` and `traefik`: headers of its answer that the api gets, whatever the client wrote there."""
    filter: Filter | None = None
    """For `gateway`: what asks it, in the application's namespace."""
    provider: DnsLabel | None = None
    """For `istio`: its name in `extensionProviders` of the mesh."""


class TokenIssuer(Model):
    """Whose tokens the proxy has checked."""

    issuer: ClaimValue
    """The claim `iss`, exactly."""


class EnvironmentAuth(Model):
    """Where callers are told apart here. Applications ask for it: `routing: {auth: {require: external}}`, also in `defaults`."""

    external: ExternalAuth | None = None
    jwt: TokenIssuer | None = None


class EnvironmentRouting(Model):
    """How requests come into this environment. Which of these a controller needs, takes or refuses: docs/routing.md."""

    controller: Controller
    """`gateway`: an HTTPRoute; `nginx`: Ingresses; `traefik`: an IngressRoute; `istio`: a VirtualService; all with weights.
    `none`: a Service that selects one track."""
    gateway: Gateway | None = None
    """The Gateway that a route of controller `gateway` attaches to."""
    gateways: list[Annotated[str, Field(pattern=r"^([a-z0-9-]+/)?[a-z0-9-]+$")]] | None = None
    """Istio's Gateways that a VirtualService belongs to: a name, or a namespace, a slash and a name."""
    ingress_class: DnsLabel | None = None
    entry_points: list[DnsLabel] | None = None
    """Traefik's, by name. Without it: all that are its default."""
    proxy: Proxy | None = None
    """The pods behind `nginx`, `traefik` and `istio`."""
    tls: Tls | None = None
    """The certificate, where the route itself names it."""
    hostname: Annotated[str, Field(pattern=r"^[a-z0-9{}.-]+$")] | None = None
    """A pattern with {application} and {environment}."""
    headers: RequestHeaders | None = None
    auth: EnvironmentAuth | None = None
    """Facts; nobody is asked who he is before an application, or `defaults`, requires it."""


class PrometheusPods(Model):
    """The pods that scrape; they alone may reach the metrics, which share the runners' port."""

    namespace: DnsLabel
    pod_labels: dict[LabelKey, LabelValue]


class WatchedBy(Model):
    """What the objects for the Prometheus operator need."""

    operator: bool | None = None
    """Whether it is there: with false there is no ServiceMonitor and no PrometheusRule."""
    labels: dict[LabelKey, LabelValue] | None = None
    """On ServiceMonitor and PrometheusRule, by which Prometheus picks them: {release: kube-prometheus-stack}."""
    scrape_interval: ScrapeInterval | None = None
    """15s or 30s: rates are over a minute."""


class Prometheus(PrometheusPods):
    """Who scrapes, and where commands ask."""

    address: Annotated[str, Field(pattern=ADDRESS)] | None = None
    """Like https://prometheus.example.com: where `canary step` and other commands ask. No object has it."""


class Monitoring(WatchedBy):
    """What watches this environment."""

    prometheus: Prometheus | None = None


class Roles(Model):
    """Defaults by role."""

    api: ComponentConfig | None = None
    runner: ComponentConfig | None = None

    def of(self, role: Role) -> ComponentConfig | None:
        return self.api if role == "api" else self.runner


class Defaults(ApplicationConfig):
    """What holds for every application of the environment unless its own files say otherwise."""

    roles: Roles = Field(default_factory=Roles)


class ChartPin(Model):
    """Which release of the chart runs here."""

    version: Version
    """A folder below charts/releases/bento-serving."""


PolicyName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,51}[a-z0-9])?$")]
"""The folder of a policy below policies/ or policies/local/; with what the chart puts around it a name of Kubernetes."""


class PodCeiling(Model):
    """The most that one container may ask for, as a request or as a limit."""

    cpu: Cpu | None = None
    memory: Memory | None = None
    gpu: Annotated[int, Field(ge=0)] | None = None
    """GPUs (nvidia.com/gpu); 0: none may be had here."""


class ReplicaBounds(Model):
    """What an autoscaler's bounds must keep to."""

    min: Annotated[int, Field(ge=1)] | None = None
    """Pods of each component of a track with live requests, at least."""
    max: Annotated[int, Field(ge=1)] | None = None
    """Pods of one component, at most."""

    @model_validator(mode="after")
    def _in_order(self) -> ReplicaBounds:
        if self.min and self.max and self.min > self.max:
            raise ValueError("min is above max; swap them")
        return self


class Quota(Model):
    """What all pods of the namespace may request together."""

    cpu: Cpu | None = None
    memory: Memory | None = None
    gpu: Annotated[int, Field(ge=0)] | None = None
    pods: Annotated[int, Field(ge=1)] | None = None


class Guardrails(Model):
    """What policies hold the objects of this environment to."""

    deny: list[PolicyName] = Field(default_factory=list[str])
    """Policies that refuse what breaks them; the others warn, and write to the API server's audit log."""
    pod: PodCeiling | None = None
    replicas: ReplicaBounds | None = None
    labels: list[OwnLabelKey] | None = None
    """What every object must carry, like owner and cost-center."""
    quota: Quota | None = None


class OverrideRules(Model):
    """What an operator's temporary changes must keep to here."""

    longest: Duration
    """From now to the end, when `override set` writes one."""


class Environment(Model):
    """`environments/<env>/environment.yaml`: facts of the cluster, defaults, rules."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Environment"]
    extends: DnsLabel | None = None
    """Another environment whose defaults, rules and config.yaml hold here too (never its release, overrides or evidence)."""
    namespace: DnsLabel
    cluster: ClusterName
    chart: ChartPin | None = None
    """Without it: the chart as it is in charts/bento-serving now. Never inherited: Argo CD reads it in this very file."""
    routing: EnvironmentRouting
    monitoring: Monitoring | None = None
    registries: list[Registry] | None = None
    """Where images may come from: a host, or a host and a folder."""
    image_pull_secrets: list[SecretName] | None = None
    live_min_replicas: Annotated[int, Field(ge=1, le=100)] | None = None
    """Pods of each component that a candidate has at least."""
    promotion: Promotion | None = None
    """What must hold before a bundle comes here."""
    guardrails: Guardrails | None = None
    """What policies refuse here, and the bounds that they know."""
    overrides: OverrideRules | None = None
    """Without it: an override ends when its author says."""
    defaults: Defaults | None = None


class ConfigFile(Config):
    """`environments/<env>/<application>/config.yaml`: how the application runs here."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Config"]


class Override(Model):
    """One temporary change by an operator."""

    config: Config
    reason: Annotated[str, Field(min_length=3)]
    owner: Annotated[str, Field(min_length=1)]
    expires: Timestamp
    """When it should have been removed. It counts until it is."""


class Overrides(Model):
    """`environments/<env>/<application>/overrides.yaml`; later entries win."""

    apiVersion: Literal["bento-gitops/v1"]
    kind: Literal["Overrides"]
    overrides: list[Override]
