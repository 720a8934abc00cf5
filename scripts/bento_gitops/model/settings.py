"""What may be said of a component or an application, in any layer: the one model behind bundle, config and Helm values.

Every field may be absent ("not said here") and, in files that people write, null ("take back what lower files of the
environment and runtime layers said"). No default lives here: the chart's values.yaml is the lowest layer.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, create_model, model_validator

from bento_gitops.model.base import (
    ENDPOINT,
    FACTOR,
    PAGES,
    RATIO,
    SECONDS,
    Cidr,
    ClaimValue,
    CookieName,
    Cpu,
    DnsLabel,
    Duration,
    EnvName,
    HeaderValue,
    LabelKey,
    LabelValue,
    Memory,
    Model,
    OwnLabelKey,
    SecretName,
    ServiceName,
    Text,
)
from bento_gitops.model.rollout import Bounds, Rollout

Role = Literal["api", "runner"]
MetricType = Literal["cpu", "memory"]
Share = Annotated[float, Field(gt=0, le=1), RATIO]


class Limits(Model):
    """Upper bounds where they differ from what is requested."""

    cpu: Cpu | None = None
    """Cores; without it the component may use what the node has free."""
    memory: Memory | None = None
    """Bytes; without it the same as `resources.memory`."""


class Resources(Model):
    """What one pod of the component requests."""

    cpu: Cpu | None = None
    memory: Memory | None = None
    gpu: Annotated[int, Field(ge=0, le=16)] | None = None
    """Whole GPUs (`nvidia.com/gpu`); 0 says outright that there is none."""
    limits: Limits | None = None


class Metric(Model):
    """A target of the HorizontalPodAutoscaler."""

    value: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Percent of what the pods request."""

    @model_validator(mode="after")
    def _has_a_value(self) -> Metric:
        if not self.model_fields_set:
            raise ValueError("the metric has no value; write {value: 70}, or null to take the metric back")
        return self


class Scaling(Model):
    """How many pods; equal bounds pin the number."""

    min_replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    max_replicas: Annotated[int, Field(ge=1, le=1000)] | None = None
    metrics: dict[MetricType, Metric | None] | None = None
    """By type; people may write BentoCloud's list [{type, value}]."""
    scale_up_stabilization_window: Annotated[int, Field(ge=0, le=3600)] | None = None
    """Seconds."""
    scale_down_stabilization_window: Annotated[int, Field(ge=0, le=3600)] | None = None
    """Seconds."""


class Traffic(Model):
    """BentoML's own limits of a service."""

    timeout: Annotated[float, Field(gt=0, le=86400), SECONDS] | None = None
    """Seconds a request may take."""
    max_concurrency: Annotated[int, Field(ge=1)] | None = None
    """Requests in progress in one pod; one more is answered with 429."""
    concurrency: Annotated[int, Field(ge=1)] | None = None
    """Requests that one pod is meant to handle at a time (what autoscaling aims at)."""


class BatchLimit(Model):
    """A limit of adaptive batching; config.yaml writes the number alone."""

    value: Annotated[int, Field(ge=1)] | None = None
    env: EnvName | None = None
    """The environment variable that the code reads it from; without one it cannot be changed from outside."""


class Batching(Model):
    """Adaptive batching of one API."""

    max_batch_size: BatchLimit | None = None
    """Items (not requests) in a batch."""
    max_latency_ms: BatchLimit | None = None
    """Milliseconds. A shedding deadline, not a window: predicted misses are answered 503 at once."""


class ApiSettings(Model):
    """What may be said of one API of a component."""

    batching: Batching | None = None


class Toleration(Model):
    """A taint that the pods bear."""

    key: LabelKey | None = None
    operator: Literal["Exists", "Equal"] | None = None
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None

    @model_validator(mode="after")
    def _is_one_that_a_pod_may_have(self) -> Toleration:
        if self.operator == "Exists" and self.value is not None:
            raise ValueError("operator Exists bears every value of the taint; remove `value`, or use operator Equal")
        if self.operator != "Exists" and self.key is None:
            raise ValueError("operator Equal, which is the default, needs a key; add `key`, or use operator Exists")
        return self


class Placement(Model):
    """Which nodes the pods run on."""

    node_selector: dict[LabelKey, LabelValue | None] | None = None
    tolerations: list[Toleration] | None = None
    priority_class: DnsLabel | None = None


class Probe(Model):
    """Times of one probe."""

    period_seconds: Annotated[int, Field(ge=1, le=600)] | None = None
    timeout_seconds: Annotated[int, Field(ge=1, le=60)] | None = None
    failure_threshold: Annotated[int, Field(ge=1, le=600)] | None = None


class Probes(Model):
    """The startup probe waits for the model; readiness takes a pod out of its Service; liveness restarts it."""

    startup: Probe | None = None
    readiness: Probe | None = None
    liveness: Probe | None = None


class Termination(Model):
    """How a pod leaves."""

    pre_stop_seconds: Annotated[int, Field(ge=0, le=600)] | None = None
    """Sleep before SIGTERM, so that no new connection arrives at a pod that drains."""
    grace_period_seconds: Annotated[int, Field(ge=1, le=86400)] | None = None
    """Above `pre_stop_seconds` plus `traffic.timeout`, or requests are cut."""


class Egress(Model):
    """A place outside the application that the component may call; everything else is denied."""

    cidr: Cidr | None = None
    namespace: DnsLabel | None = None
    pod_labels: dict[LabelKey, LabelValue | None] | None = None
    ports: list[Annotated[int, Field(ge=1, le=65535)]] | None = None

    @model_validator(mode="after")
    def _names_a_place(self) -> Egress:
        if not self.model_fields_set:
            raise ValueError("names no place; write a cidr or pods (namespace, pod_labels), or null to take it back")
        return self


class Objective(Model):
    """What a component promises to those who ask it."""

    error_ratio: Annotated[float, Field(gt=0, lt=1), RATIO] | None = None
    """Of its requests, at most, that may fail (5xx, 429) over 30 days: the error budget."""
    p95: Annotated[float, Field(gt=0, le=86400), SECONDS] | None = None
    """Seconds that 95 of 100 requests take at most. Without it nothing is said about latency."""


class ComponentSettings(Model):
    """Everything that may be said of how a component runs."""

    workers: Annotated[int, Field(ge=1, le=64)] | None = None
    """Processes in one pod; more pods are better than more workers."""
    resources: Resources | None = None
    placement: Placement | None = None
    scaling: Scaling | None = None
    traffic: Traffic | None = None
    envs: dict[EnvName, Text | None] | None = None
    """By name; people may write BentoCloud's list [{name, value}]. "" empties what the image sets."""
    secrets: list[SecretName] | None = None
    """Names of Secrets whose keys become environment variables; values never enter Git."""
    probes: Probes | None = None
    termination: Termination | None = None
    egress: dict[DnsLabel, Egress | None] | None = None
    slo: Objective | None = None
    """Where it differs from the application's, which holds for every component otherwise."""


class ConfiguredComponent(ComponentSettings):
    """What files that people write may say of a component."""

    apis: dict[str, ApiSettings | None] | None = None


class ComponentConfig(ConfiguredComponent):
    """What config.yaml says of a component."""

    instance_type: str | None = None
    """A name in environments/instance-types.yaml: resources and placement as one unit."""


class Match(Model):
    """What a request must say: every word here, each with one of its values. environment.yaml names the header of each word."""

    tenant: Annotated[list[HeaderValue], Field(min_length=1)] | None = None
    country: Annotated[list[HeaderValue], Field(min_length=1)] | None = None
    request_type: Annotated[list[HeaderValue], Field(min_length=1)] | None = None


class Rule(Model):
    """Requests that one track answers, whatever the weights are."""

    match: Match | None = None
    track: Literal["stable", "candidate"] | None = None
    """Names of tracks come and go with releases. A rule for the candidate holds while it has weight."""
    precedence: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    """Of two rules for one request the higher decides; without it: 0."""


class Mirror(Model):
    """A part of the live requests that a track gets too; what it answers is thrown away, what it does is not."""

    track: Literal["candidate"] | None = None
    percent: Annotated[int, Field(ge=1, le=100)] | None = None
    """Of all live requests; they come on top of the track's weight."""


class Sticky(Model):
    """A cookie that keeps a client on the track that answered it first, as long as that track has weight."""

    cookie: CookieName | None = None
    max_age: Duration | None = None
    """How long the client keeps it. Without it: until the browser ends."""


AuthKind = Literal["external", "jwt", "none"]
"""`external`: a service of the environment is asked about each request. `jwt`: the proxy itself checks a token. `none`: anybody
may ask."""


class Auth(Model):
    """Who may ask. The environment says where the service or the issuer is (docs/authentication.md)."""

    require: AuthKind | None = None
    audiences: Annotated[list[ClaimValue], Field(min_length=1)] | None = None
    """For `jwt`: whom a token must be made out for, one of these; a token for another application of the issuer opens nothing."""


class ApplicationRouting(Model):
    """What an application says of its routes. What a controller cannot do is an error, which null in that environment mends."""

    timeout: Duration | None = None
    """How long the router waits for an answer."""
    max_body: Memory | None = None
    """The largest request body that the router lets through."""
    auth: Auth | None = None
    sticky: Sticky | None = None
    rules: dict[DnsLabel, Rule | None] | None = None
    """By name."""
    mirror: Mirror | None = None


AlertName = Literal[
    "BentoLatencyHigh",
    "BentoErrorBudgetBurnFast",
    "BentoErrorBudgetBurnSlow",
    "BentoRequestsShed",
    "BentoConcurrencyNearLimit",
    "BentoBatchingIneffective",
    "BentoRunnerSlow",
    "BentoRunnerUnreachable",
    "BentoComponentDown",
    "BentoPodsRestarting",
    "BentoAutoscalerAtMaximum",
    "BentoCandidateWorse",
    "BentoGpuMemoryHigh",
    "BentoModelConfidenceDrift",
    "BentoModelClassDrift",
    "BentoModelInputsRejected",
]
"""A file in the chart's alerts/, a page in docs/runbooks/."""


# `for` is a word of Python's, which no class can name a field.
_LASTING: Any = {"for": (Annotated[Duration | None, Field(description="How long it must hold before somebody is told.")], None)}
_Lasting: type[Model] = create_model("_Lasting", __base__=Model, **_LASTING)


class AlertRule(_Lasting):
    """What differs for one alert."""

    enabled: bool | None = None
    severity: Literal["critical", "warning", "info"] | None = None


class Alerts(Model):
    """Thresholds of the alerts. Objectives are in `slo`."""

    min_requests_per_minute: Annotated[float, Field(ge=0)] | None = None
    """Below it ratios and latencies alert nobody."""
    shed_ratio: Share | None = None
    """Requests answered 503 or 429, of all."""
    concurrency_ratio: Share | None = None
    """Requests in progress in a pod, of its traffic.max_concurrency."""
    runner_timeout_ratio: Share | None = None
    """A runner's p95, of its traffic.timeout."""
    restarts_per_hour: Annotated[int, Field(ge=1)] | None = None
    """Of a component's pods together."""
    batch_size: Annotated[float, Field(ge=1)] | None = None
    """Requests in a batch on average, below which batching gains nothing under load."""
    error_ratio_over_stable: Share | None = None
    """How much higher the candidate's error ratio may be than stable's."""
    p95_over_stable: Annotated[float, Field(ge=1), FACTOR] | None = None
    """Times stable's p95 that the candidate's may be."""
    gpu_memory_ratio: Share | None = None
    """Of a GPU's memory."""
    min_predictions: Annotated[int, Field(ge=1)] | None = None
    """In an hour, below which nothing is said about the model."""
    confidence_drop: Share | None = None
    """How far the mean confidence may fall below that of the day before."""
    class_share_change: Share | None = None
    """How far a class's share may be from that of the day before."""
    rejected_ratio: Share | None = None
    """Inputs that the model's service refused, of all."""
    runbooks: Annotated[str, Field(pattern=PAGES, max_length=500)] | None = None
    """Where the pages are that alerts link to: the address of docs/runbooks in the team's repository."""
    rules: dict[AlertName, AlertRule | None] | None = None
    """By alert: what differs for it."""


class Collector(Model):
    """Where traces go, as the network policies must know it: pods, or addresses."""

    namespace: DnsLabel | None = None
    pod_labels: dict[LabelKey, LabelValue | None] | None = None
    cidr: Cidr | None = None
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """Of the pods behind the endpoint's Service."""


class Tracing(Model):
    """Traces of requests through the api and the runners, sent by OTLP over HTTP."""

    endpoint: Annotated[str, Field(pattern=ENDPOINT)] | None = None
    """Like http://otel-collector.observability:4318/v1/traces. Without it nothing is traced."""
    sample_rate: Annotated[float, Field(ge=0, le=1), RATIO] | None = None
    """Of the requests."""
    collector: Collector | None = None


class ApplicationSettings(Model):
    """What may be said of an application as a whole."""

    mode: Literal["split", "single"] | None = None
    """`split`: each component in pods of its own. `single`: the whole Bento in one process per pod."""
    labels: dict[OwnLabelKey, LabelValue | None] | None = None
    """On every object: owner, cost-center, tenant."""
    slo: Objective | None = None
    """What the application promises to its users; what a runner promises, unless `services` says otherwise."""
    alerts: Alerts | None = None
    tracing: Tracing | None = None


class ApplicationConfig(ApplicationSettings):
    """What files that people write may say of an application as a whole."""

    rollout: Rollout | None = None
    evaluation: dict[DnsLabel, dict[str, Bounds | None] | None] | None = None
    """By model and metric: what a bundle's recorded evaluation must be before it is promoted."""

    routing: ApplicationRouting | None = None


class BundleConfig(Model):
    """What holds for one bundle only."""

    services: dict[ServiceName, ComponentConfig | None]


class Config(ApplicationConfig):
    """What one file of the environment layer, or one override, says of an application."""

    services: dict[ServiceName, ComponentConfig | None] = Field(default_factory=dict[str, "ComponentConfig | None"])
    """Null at a name takes back all that lower files said of the component; nothing at all here is a slip, and refused."""
    bundles: dict[str, BundleConfig] = Field(default_factory=dict[str, "BundleConfig"])
    """By bundle tag."""
