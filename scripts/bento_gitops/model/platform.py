"""The values of the chart bento-platform: what a cluster gets once, in camelCase."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from bento_gitops.model.base import (
    Cidr,
    Cpu,
    Digest,
    DnsLabel,
    Duration,
    LabelKey,
    LabelValue,
    Memory,
    Model,
    OwnLabelKey,
    Repository,
    SecretName,
)
from bento_gitops.model.files import Controller, PodCeiling, PolicyName, Quota

Price = Annotated[float, Field(ge=0)]
Address = Annotated[str, Field(pattern=r"^https?://[^\s]*[^\s/]$")]
"""Of a folder in the web, without a slash at its end."""


class Prices(Model):
    """What the cost dashboard reckons with."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    """Three letters: EUR."""
    cpu_core_hour: Price
    """Of a core that a pod requests, an hour."""
    memory_gib_hour: Price
    """Of a GiB of memory that a pod requests, an hour."""
    gpu_hour: Price
    """Of a GPU that a pod requests, an hour."""


class Boards(Model):
    """Which dashboards there are."""

    application: bool
    """Requests, errors, latency of an application by track; its components."""
    batching: bool
    """Sizes of batches, what waits and what is shed."""
    comparison: bool
    """The candidate beside the stable track."""
    model: bool
    """Confidence, classes, refused inputs."""
    cost: bool
    """By application, bundle, component and tenant."""


class Dashboards(Model):
    """ConfigMaps that Grafana's sidecar picks up."""

    boards: Boards
    labels: dict[OwnLabelKey, LabelValue]
    """By which the sidecar finds them."""
    annotations: dict[LabelKey, str]
    """Like grafana_folder, where the sidecar looks for one."""
    runbooks: Address | None = None
    """Where the alerts' pages are; panels link to them."""
    prices: Prices


ParameterName = Annotated[str, Field(pattern=r"^[a-zA-Z]+$")]
Group = Annotated[str, Field(pattern=r"^[^\s'\"\\]([^\n\r\t'\"\\]*[^\s'\"\\])?$", max_length=253)]
"""A group as the API server's authentication knows it; no sign that would end a text in an expression."""
GitAddress = Annotated[str, Field(pattern=r"^(https|ssh|git|file)://[^\s]+$|^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s]+$")]
"""Of a Git repository: https://..., ssh://..., git@host:path."""
SshAddress = Annotated[str, Field(pattern=r"^ssh://[^\s]+$|^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s]+$")]
"""Of a Git repository, where a key lets somebody in."""
GitBranch = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*$", max_length=200)]
Port = Annotated[int, Field(ge=1, le=65535)]


class EnvironmentRoute(Model):
    """What operators and `canary step` look at."""

    controller: Controller
    gateway_namespace: DnsLabel | None = None
    """Where Istio's gateway runs, where its applications may ask it for authentication: their AuthorizationPolicies go there."""


class PlatformEnvironment(Model):
    """An environment of this cluster, as `render` writes it from its environment.yaml."""

    namespace: DnsLabel
    parameters: dict[ParameterName, str] | None = None
    """What the policies compare with; copied as it is into a ConfigMap."""
    deny: list[PolicyName] | None = None
    """Policies that refuse; the others warn, and write to the audit log."""
    pod: PodCeiling | None = None
    """The most that one container may have (a LimitRange)."""
    quota: Quota | None = None
    """What all pods of the namespace may request together (a ResourceQuota)."""
    routing: EnvironmentRoute


class LocalPolicy(Model):
    """A policy of the fork's own, as `render` writes it from policies/local."""

    holds: Literal["both", "cluster", "offline"]
    """One that holds offline alone is not installed; an environment's `deny` may name it all the same."""
    spec: dict[str, Any]
    """Of the ValidatingAdmissionPolicy."""


class Policies(Model):
    """Admission policies, and a binding of each to each environment."""

    enabled: bool
    """Without them nothing is refused and nobody is warned."""
    break_glass_groups: list[Group]
    """Whose requests no policy looks at."""
    local: dict[PolicyName, LocalPolicy]
    """The fork's own."""


class Namespaces(Model):
    """The environments' namespaces."""

    create: bool
    """False: they are made elsewhere; what is in them comes from here all the same."""
    labels: dict[OwnLabelKey, LabelValue]
    """Beside those of Pod Security."""
    pod_security: Literal["restricted", "baseline", "privileged"]
    """The level that is enforced; what is not restricted is warned about and audited at any level."""
    default_deny: bool
    """A NetworkPolicy that lets no pod of a namespace send or receive anything that no other policy allows."""


class Operators(Model):
    """Who may look at applications and shift weights live."""

    groups: list[Group]


class Destination(Model):
    """A cluster, as Argo CD knows it: by `server` or by `name`."""

    server: Annotated[str, Field(pattern=r"^https://[^\s'\"\\\\{}]+$")] | None = None
    """https://kubernetes.default.svc is the one that Argo CD itself runs in."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=253)] | None = None
    namespaces: list[DnsLabel] | None = None
    """Where applications may go there. Without it: the namespaces of `environments`, which are of one cluster."""


class Argocd(Model):
    """The project and the set of applications."""

    enabled: bool
    namespace: DnsLabel
    """Where Argo CD runs."""
    project: DnsLabel
    repository: GitAddress | None = None
    """This repository, as Argo CD reads it."""
    revision: GitBranch
    destinations: dict[DnsLabel, Destination]
    """By the environments' `cluster`: where Argo CD finds it."""
    requeue_after_seconds: Annotated[int, Field(ge=10, le=86400)]
    """After which Git is looked at for applications that are new, where no webhook says so."""
    annotations: dict[LabelKey, str]
    """On every Application."""


class SecretStore(Model):
    """A SecretStore of External Secrets, one in each environment's namespace."""

    environments: list[DnsLabel] | None = None
    """Without it: all."""
    provider: Annotated[dict[str, Any], Field(min_length=1, max_length=1)]
    """As External Secrets has it: {vault: {...}}."""


class Listener(Model):
    """A port of the gateway."""

    port: Port
    protocol: Literal["HTTP", "HTTPS"]
    hostname: Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?$", max_length=253)] | None = None
    """Only these hosts: *.example.com."""
    certificate: SecretName | None = None
    """A TLS Secret in the gateway's namespace; HTTPS needs one."""


class PlatformGateway(Model):
    """A Gateway for the HTTPRoutes of all environments of the cluster."""

    enabled: bool
    name: DnsLabel
    namespace: DnsLabel | None = None
    """Without it: where the chart is installed."""
    class_name: DnsLabel | None = None
    """The GatewayClass of the controller that runs here."""
    annotations: dict[LabelKey, str]
    listeners: dict[DnsLabel, Listener]


class StepImage(Model):
    """The image with this repository's tools, git and ssh."""

    repository: Repository | None = None
    digest: Digest | None = None
    home: Annotated[str, Field(pattern=r"^/[A-Za-z0-9/._-]+$")]
    """The folder in it that `make tools` was run in."""


class DeployKey(Model):
    """The key that may push to the repository."""

    secret: SecretName
    """In the namespace where the chart is installed."""
    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=253)]


class Author(Model):
    """Who the commits are by."""

    name: Annotated[str, Field(min_length=1)]
    email: Annotated[str, Field(pattern=r"^[^\s@]+@[^\s@]+$")]


class StepResources(Model):
    """What the pod of a run gets."""

    cpu: Cpu
    memory: Memory


class StepEgress(Model):
    """A place that a run may reach: addresses, or pods."""

    cidr: Cidr | None = None
    namespace: DnsLabel | None = None
    pod_labels: dict[LabelKey, LabelValue] | None = None
    ports: list[Port] | None = None


class Stepping(Model):
    """A CronJob for each environment that runs `canary step`."""

    enabled: bool
    environments: list[DnsLabel] | None = None
    """Without it: all of this cluster."""
    schedule: Annotated[str, Field(pattern=r"^(\S+\s+){4}\S+$")]
    suspend: bool
    """True: made, and not run."""
    image: StepImage
    image_pull_secrets: list[SecretName]
    repository: SshAddress | None = None
    """This repository, where the key may push: git@git.example.com:ml/fleet.git."""
    branch: GitBranch
    deploy_key: DeployKey
    known_hosts: str | None = None
    """Lines of ssh's known_hosts for the repository's host; a host that is not there is not talked to."""
    author: Author
    deadline_seconds: Annotated[int, Field(ge=60, le=3600)]
    """After which a run is ended."""
    resources: StepResources
    egress: dict[DnsLabel, StepEgress]
    """By name: all that a run may reach, beside DNS."""


class PlatformAlertRule(Model):
    """What differs for one alert."""

    enabled: bool | None = None
    severity: Literal["critical", "warning", "info"] | None = None
    for_: Annotated[Duration | None, Field(alias="for")] = None


PlatformAlertName = Literal["BentoLiveShiftHeld"]


class PlatformAlerts(Model):
    """Alerts on the platform itself, as a PrometheusRule."""

    enabled: bool
    """Needs the Prometheus operator's kinds, and metrics of Argo CD's application controller."""
    labels: dict[OwnLabelKey, LabelValue]
    """By which Prometheus finds the rule."""
    rules: dict[PlatformAlertName, PlatformAlertRule]
    """By alert: what differs for it."""


class PlatformValues(Model):
    """The values as a whole."""

    environments: dict[DnsLabel, PlatformEnvironment]
    policies: Policies
    namespaces: Namespaces
    operators: Operators
    argocd: Argocd
    secret_stores: dict[DnsLabel, SecretStore]
    gateway: PlatformGateway
    stepping: Stepping
    alerts: PlatformAlerts
    dashboards: Dashboards
