"""A fleet of made-up applications, as real ones are written: same input, same bytes.

Every application has an api and two runners, two bundles on two tracks (in dev a standby, elsewhere a canary), and a config of
a dozen settings an environment. `prod-us` extends `prod`, so both configs count there. Every fifth application has an override
in prod.
"""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ENVIRONMENTS = ("dev", "prod", "prod-us", "staging")
_STABLE, _CANDIDATE = "1.4.0", "1.5.0"
_SUBJECTS = ("ticket", "invoice", "review", "claim", "order", "message", "document", "candidate", "product", "call")
_TASKS = ("classifier", "ranker", "search", "moderation", "summary", "forecast", "matching", "routing", "extraction", "scoring")
_SIZES = ("cpu.small", "cpu.medium", "cpu.large")

_ENVIRONMENT = """\
# {name}: made up for measuring.
apiVersion: bento-gitops/v1
kind: Environment
{extends}namespace: models-{name}
cluster: {name}
routing:
  controller: gateway
  gateway: {{name: public, namespace: gateways, pod_labels: {{app.kubernetes.io/name: gateway}}}}
  hostname: "{{application}}.{name}.example.com"
monitoring:
  prometheus: {{namespace: monitoring, pod_labels: {{app.kubernetes.io/name: prometheus}}}}
registries: [registry.example.com/ml]
live_min_replicas: {at_least}
defaults:
  alerts: {{runbooks: "https://git.example.com/fleet/docs/runbooks"}}
  labels: {{stage: {name}}}
  roles:
    api:
      scaling: {{min_replicas: {api}, max_replicas: 12, metrics: {{cpu: {{value: 60}}}}, scale_down_stabilization_window: 600}}
    runner:
      scaling: {{min_replicas: {runner}, max_replicas: 8, metrics: {{cpu: {{value: 70}}}}, scale_down_stabilization_window: 600}}
"""

_INSTANCE_TYPES = """\
apiVersion: bento-gitops/v1
kind: InstanceTypes
currency: EUR
types:
  cpu.small:
    resources: {cpu: 500m, memory: 512Mi}
    price_per_hour: 0.021
  cpu.medium:
    resources: {cpu: "1", memory: 1Gi}
    placement: {node_selector: {pool: general}}
    price_per_hour: 0.042
  cpu.large:
    resources: {cpu: "2", memory: 2Gi, limits: {memory: 3Gi}}
    placement: {node_selector: {pool: compute}, tolerations: [{key: compute, operator: Exists, effect: NoSchedule}]}
    price_per_hour: 0.084
"""

_APPLICATION = """\
# What holds for {name} in every environment.
apiVersion: bento-gitops/v1
kind: Application
description: {name}, made up for measuring.
labels:
  owner: team-{team}
  cost-center: cc-{cost}
  tenant: tenant-{tenant}
services:
  {encoder}:
    probes: {{startup: {{failure_threshold: 60}}}}
"""

_BUNDLE = """\
apiVersion: bento-gitops/v1
kind: Bundle
application: {name}
tag: "{tag}"
created: 2026-11-16T09:00:00Z
bento: {module}:{tag}
image: {{repository: registry.example.com/ml/{name}, digest: sha256:{digest}}}
bentoml: "1.4.39"
python: "3.11"
entry: {api}
services:
  {api}:
    dependencies: [{model}, {encoder}]
    resources: {{cpu: 500m, memory: 512Mi}}
    workers: 1
    traffic: {{timeout: 10, max_concurrency: 64}}
    envs: {{LOG_LEVEL: info}}
    labels: {{tier: api}}
    apis: {{predict: {{route: /predict}}, version: {{route: /version}}}}
  {model}:
    resources: {{cpu: 250m, memory: 256Mi}}
    workers: 1
    traffic: {{timeout: 3, max_concurrency: 64}}
    envs: {{OMP_NUM_THREADS: "1"}}
    apis:
      predict_proba:
        route: /predict_proba
        batching: {{max_batch_size: {{default: 64, env: MODEL_MAX_BATCH_SIZE}}, max_latency_ms: {{default: 1000, env: MODEL_MAX_LATENCY_MS}}}}
  {encoder}:
    resources: {{cpu: "1", memory: 512Mi}}
    workers: 1
    traffic: {{timeout: 5, max_concurrency: 64}}
    envs: {{OMP_NUM_THREADS: "1", TOKENIZERS_PARALLELISM: "false"}}
    apis:
      encode:
        route: /encode
        batching: {{max_batch_size: {{default: 32, env: ENCODER_MAX_BATCH_SIZE}}, max_latency_ms: {{default: 2000, env: ENCODER_MAX_LATENCY_MS}}}}
models:
  {name}:
    tag: {module}:{tag}
    framework: scikit-learn==1.9.1
    dataset: {{snapshot: sha256:{dataset}, rows: {rows}}}
    preprocessing: "2"
    evaluation:
      report: reports/{tag}.json
      sha256: {report}
      metrics: {{accuracy: 0.9375, macro_f1: 0.9371}}
"""  # noqa: E501  (as `bundle create` writes it: one line for what belongs together)

_CONFIG = """\
# How {name} runs in {environment}.
apiVersion: bento-gitops/v1
kind: Config
routing: {{timeout: 12s}} # a little above the api's own timeout
services:
  {api}:
    instance_type: {size}
    scaling: {{min_replicas: {api_least}, max_replicas: {api_most}}}
    envs: {{LOG_LEVEL: {level}, QUEUE: {name}-{environment}}}
    secrets: [{name}]
    termination: {{grace_period_seconds: 45}}
    egress: {{feature-store: {{cidr: 192.0.2.0/24, ports: [443]}}}}
  {encoder}:
    instance_type: cpu.large # the encoder is what takes the time
    scaling: {{min_replicas: {encoder_least}}}
    apis:
      encode:
        batching: {{max_batch_size: {batch}}}
  {model}:
    resources: {{memory: 384Mi}}
    traffic: {{max_concurrency: {concurrency}}}
"""

_CONFIG_OF_A_SECOND_REGION = """\
# What differs from prod.
apiVersion: bento-gitops/v1
kind: Config
services:
  {api}:
    envs: {{REGION: us}}
    scaling: {{max_replicas: {api_most}}}
"""

_RELEASE = """\
apiVersion: bento-gitops/v1
kind: Release
stable: blue
{tracks}since: 2026-11-20T10:20:00Z
"""

_CANARY = """\
candidate: green
tracks:
  blue: {{bundle: "{stable}", weight: {rest}}}
  green: {{bundle: "{candidate}", weight: {weight}, ready_for: 25, floor: {{{encoder}: 2}}}}
"""

_BLUE_GREEN = """\
tracks:
  blue: {{bundle: "{candidate}", weight: 100}}
  green: {{bundle: "{stable}", weight: 0}}
standby: {{track: green, until: 2026-11-21T10:20:00Z, capacity: warm}}
previous: {{bundle: "{stable}"}}
"""

_OVERRIDES = """\
apiVersion: bento-gitops/v1
kind: Overrides
overrides:
  - config: {{services: {{{encoder}: {{scaling: {{min_replicas: 5}}}}}}}}
    reason: twice the usual load
    owner: team-{team}-oncall
    expires: 2027-01-15T00:00:00Z
"""


@dataclass(frozen=True, slots=True)
class _Application:
    """The names and numbers that tell one application from another."""

    name: str
    words: Mapping[str, str | int]

    def fill(self, text: str, **more: str | int) -> str:
        return text.format(**{**self.words, **more})


def write(root: Path, applications: int, repository: Path) -> None:
    """Writes the fleet into a folder, with the chart and the schemas of custom resources that the repository has.

    `applications` is how many there are in each of the four environments.
    """
    for folder in ("charts/bento-serving", "schemas/custom-resources"):
        shutil.copytree(repository / folder, root / folder)
    for path, text in files(applications):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def files(applications: int) -> Iterator[tuple[str, str]]:
    """Every file of the fleet: its path and its text."""
    yield "environments/instance-types.yaml", _INSTANCE_TYPES
    for environment in ENVIRONMENTS:
        live = environment.startswith("prod")
        words = {
            "name": environment,
            "extends": "extends: prod\n" if environment == "prod-us" else "",
            "at_least": 2 if live else 1,
            "api": 3 if live else 1,
            "runner": 2 if live else 1,
        }
        yield f"environments/{environment}/environment.yaml", _ENVIRONMENT.format(**words)
    for number in range(applications):
        yield from _files_of(_application(number), has_override=number % 5 == 0)


def _application(number: int) -> _Application:
    chance = random.Random(number)
    subject = _SUBJECTS[number % len(_SUBJECTS)]
    task = _TASKS[number // len(_SUBJECTS) % len(_TASKS)]
    name = f"{subject}-{task}-{number:04d}"
    words: dict[str, str | int] = {
        "name": name,
        "module": name.replace("-", "_"),
        "api": f"{subject.title()}{task.title()}",
        "model": f"{subject.title()}Model",
        "encoder": "EmbeddingRunner",
        "team": chance.randrange(20),
        "cost": chance.randrange(1000, 9999),
        "tenant": chance.randrange(8),
        "rows": chance.randrange(500, 50_000),
        "size": chance.choice(_SIZES),
        "api_least": chance.randrange(2, 4),
        "api_most": chance.randrange(6, 20),
        "encoder_least": chance.randrange(2, 5),
        "batch": chance.choice((32, 64, 128)),
        "concurrency": chance.choice((32, 48, 64)),
        "weight": (weight := chance.choice((1, 5, 10, 25))),
        "rest": 100 - weight,
        "stable": _STABLE,
        "candidate": _CANDIDATE,
    }
    return _Application(name, words)


def _files_of(application: _Application, *, has_override: bool) -> Iterator[tuple[str, str]]:
    name = application.name
    yield f"applications/{name}.yaml", application.fill(_APPLICATION)
    for tag in (_STABLE, _CANDIDATE):
        digests = {what: hashlib.sha256(f"{name}:{tag}:{what}".encode()).hexdigest() for what in ("digest", "dataset", "report")}
        yield f"bundles/{name}/{tag}.yaml", application.fill(_BUNDLE, tag=tag, **digests)
    for environment in ENVIRONMENTS:
        folder = f"environments/{environment}/{name}"
        config = _CONFIG_OF_A_SECOND_REGION if environment == "prod-us" else _CONFIG
        level = "warning" if environment == "prod" else "debug"
        yield f"{folder}/config.yaml", application.fill(config, environment=environment, level=level)
        tracks = _BLUE_GREEN if environment == "dev" else _CANARY
        yield f"{folder}/release.yaml", _RELEASE.format(tracks=application.fill(tracks))
    if has_override:
        yield f"environments/prod/{name}/overrides.yaml", application.fill(_OVERRIDES)
