"""An inspection from bento.yaml, files, model metadata and what importing told; what is not certain is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeVar

from pydantic import JsonValue, ValidationError

from bento_gitops.bundling.imports import LIMITS, ImportReport, SeenApi, SeenService, limit_pointer
from bento_gitops.bundling.manifest import Manifest
from bento_gitops.bundling.proving import Proof
from bento_gitops.model.base import Model
from bento_gitops.model.bundle import RecordedApi, RecordedBatching, RecordedLimit
from bento_gitops.model.inspection import BentoFile, InspectedModel, InspectedService, Inspection, Remark, Requirements
from bento_gitops.model.settings import Resources, Traffic

M = TypeVar("M", bound=Model)

_CAPACITY = ("resources", "workers", "traffic")


def inspection(
    manifest: Manifest,
    report: ImportReport,
    proof: Proof,
    metadata: Mapping[str, dict[str, JsonValue] | None],
    requirements: Requirements,
    files: Iterable[BentoFile],
) -> Inspection:
    """The inspection of a Bento."""
    found = _Findings()
    found.unresolved.extend(proof.unresolved)
    _compare(manifest, report, found)
    services = {name: _service(name, seen, proof, found) for name, seen in report.services.items()}
    unresolved = {remark.pointer: remark for remark in reversed(found.unresolved)}
    return Inspection(
        apiVersion="bento-gitops/v1",
        kind="Inspection",
        bento=f"{manifest.name}:{manifest.version}",
        bentoml=manifest.bentoml_version,
        python=manifest.python,
        entry=manifest.entry_service,
        args=manifest.args,
        services=services,
        models={tag: InspectedModel(metadata=metadata.get(tag)) for tag in manifest.tags},
        requirements=requirements,
        files=list(files),
        unresolved=sorted(unresolved.values(), key=lambda remark: remark.pointer),
        notes=found.notes,
    )


class _Findings:
    """What is noticed on the way."""

    def __init__(self) -> None:
        self.unresolved: list[Remark] = []
        self.notes: list[Remark] = []

    def doubt(self, pointer: str, reason: str) -> None:
        self.unresolved.append(Remark(pointer=pointer, reason=reason))

    def note(self, pointer: str, reason: str) -> None:
        self.notes.append(Remark(pointer=pointer, reason=reason))


def _compare(manifest: Manifest, report: ImportReport, found: _Findings) -> None:
    """What bento.yaml has from the build against what the code says now: a difference comes from outside the Bento."""
    reason = "is {!r} in bento.yaml, from the build, and {!r} on import: it depends on the machine; write the value in the code"
    built = {service.name: service for service in manifest.services}
    pairs: list[tuple[str, JsonValue, JsonValue]] = [
        ("entry", manifest.entry_service, report.entry),
        ("services", list[JsonValue](sorted(built)), list[JsonValue](sorted(report.services))),
    ]
    for name in sorted(built.keys() & report.services.keys()):
        service, seen = built[name], report.services[name]
        pairs.extend((f"services.{name}.{key}", service.config.get(key), seen.config.get(key)) for key in _CAPACITY)
        # `bentoml.depends(url=...)` stands in bento.yaml by its URL; names alone are compared.
        names = sorted({dependency.service for dependency in service.dependencies if dependency.service} - set(seen.external))
        pairs.append((f"services.{name}.dependencies", list[JsonValue](names), list[JsonValue](sorted(seen.dependencies))))
        tags = sorted({model.tag for model in service.models})
        pairs.append((f"services.{name}.models", list[JsonValue](tags), list[JsonValue](sorted(set(seen.models)))))
    for pointer, recorded, imported in pairs:
        if recorded != imported:
            found.doubt(pointer, reason.format(recorded, imported))
    if not manifest.python:
        found.doubt("python", "bento.yaml names no Python version; name it in bentoml.images.Image(python_version=...)")


def _service(name: str, seen: SeenService, proof: Proof, found: _Findings) -> InspectedService:
    at = f"services.{name}"
    if seen.path_prefix:
        found.doubt(f"{at}.path_prefix", "moves the health checks away from where the chart asks; write the prefix in each route")
    if seen.custom_command:
        found.doubt(
            f"{at}.cmd", "starts a command of its own, where the chart starts BentoML's server; serve it with @bentoml.api"
        )
    for url in seen.external:
        found.note(f"{at}.dependencies", f"calls {url}, outside this Bento; allow it in config.yaml with `egress`")
    for api, told in seen.apis.items():
        if told.task and told.route.endswith("/"):
            below = f"{told.route}/submit"
            found.note(
                f"{at}.apis.{api}.route", f"BentoML takes its tasks at {below}, where no route leads; end it without a slash"
            )
    apis = {api: _api(name, api, told, proof) for api, told in seen.apis.items()}
    return InspectedService(
        dependencies=seen.dependencies,
        resources=_resources(at, seen, found),
        workers=_workers(at, seen, found),
        traffic=_traffic(at, seen, found),
        envs=_envs(at, seen, proof, found),
        labels=_labels(at, seen, found),
        apis=apis,
        origin=seen.origin,
        models=list(dict.fromkeys(seen.models)),
    )


def _api(service: str, api: str, told: SeenApi, proof: Proof) -> RecordedApi:
    task = True if told.task else None
    if not told.batchable:
        return RecordedApi(route=told.route, task=task)
    limits: dict[str, int | RecordedLimit] = {}
    for limit in LIMITS:
        default: int = getattr(told, limit)
        variable = proof.variables.get(limit_pointer(service, api, limit))
        limits[limit] = RecordedLimit(default=default, env=variable) if variable else default
    return RecordedApi(route=told.route, task=task, batching=RecordedBatching.model_validate(limits))


def _resources(at: str, seen: SeenService, found: _Findings) -> Resources | None:
    said = _mapping(f"{at}.resources", seen.config.get("resources"), found)
    if not said:
        return None
    values: dict[str, JsonValue] = {}
    for key, value in said.items():
        pointer = f"{at}.resources.{key}"
        match key, value:
            case "cpu", bool():
                found.doubt(pointer, f'is no number of cores ({value}); write "500m" or 2')
            case "cpu", int() | float():
                values["cpu"] = f"{Decimal(str(value)).normalize():f}"
            case "memory", int() | float() if not isinstance(value, bool):
                values["memory"] = _gibibytes(pointer, value, found)
            case "memory", str() if value.isdigit():
                found.doubt(
                    pointer,
                    f'has no unit ({value!r}): gibibytes to BentoML, bytes to Kubernetes; write "{value}Gi" or "{value}Mi"',
                )
            case "gpu", int() | float() if value == int(value):
                values["gpu"] = int(value)
            case "cpu" | "memory" | "gpu", _:
                values[key] = value
            case _:
                found.note(
                    pointer, f"{value!r} has a meaning on BentoCloud alone; choose nodes with an instance type in config.yaml"
                )
    return _valid(f"{at}.resources", Resources, values, found)


def _gibibytes(pointer: str, value: float, found: _Findings) -> JsonValue:
    """A memory number of BentoML's, which counts in Gi, in Kubernetes' words."""
    mebibytes = Decimal(str(value)) * 1024
    if mebibytes != mebibytes.to_integral_value():
        found.doubt(pointer, f"is no whole number of Mi ({value} Gi); write it with its unit")
        return None
    return f"{mebibytes // 1024}Gi" if mebibytes % 1024 == 0 else f"{int(mebibytes)}Mi"


def _workers(at: str, seen: SeenService, found: _Findings) -> int | None:
    value = seen.config.get("workers")
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    found.doubt(f"{at}.workers", f"is {value!r}, which depends on the machine; write a number (1, and more replicas, is best)")
    return None


def _traffic(at: str, seen: SeenService, found: _Findings) -> Traffic | None:
    said = _mapping(f"{at}.traffic", seen.config.get("traffic"), found)
    values: dict[str, JsonValue] = {}
    for key, value in said.items():
        if key in Traffic.model_fields:
            values[key] = value
        else:
            found.note(f"{at}.traffic.{key}", f"{value!r} has a meaning on BentoCloud alone")
    return _valid(f"{at}.traffic", Traffic, values, found) if values else None


def _envs(at: str, seen: SeenService, proof: Proof, found: _Findings) -> dict[str, str] | None:
    envs: dict[str, str] = {}
    for env in seen.envs:
        if env.stage == "build":
            continue  # it is not there when the Bento is served
        if not env.value:
            found.note(
                f"{at}.envs.{env.name}", "the code wants it but gives no value; set it in config.yaml with `envs` or `secrets`"
            )
        elif env.name in proof.variables.values():
            found.doubt(
                f"{at}.envs.{env.name}", "is also the variable of a batching limit: two defaults; keep the one in os.environ.get"
            )
        else:
            envs[env.name] = env.value
    return envs or None


def _labels(at: str, seen: SeenService, found: _Findings) -> dict[str, str] | None:
    labels: dict[str, str] = {}
    for key, value in seen.labels.items():
        if isinstance(value, str):
            labels[key] = value
        else:
            found.doubt(f"{at}.labels.{key}", f"is not text ({value!r}); quote it")
    return labels or None


def _mapping(pointer: str, value: JsonValue, found: _Findings) -> dict[str, JsonValue]:
    if value is None or isinstance(value, dict):
        return value or {}
    found.doubt(pointer, f"is no mapping ({value!r})")
    return {}


def _valid(pointer: str, model: type[M], values: Mapping[str, JsonValue], found: _Findings) -> M | None:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            where = ".".join([pointer, *(str(part) for part in detail["loc"])])
            found.doubt(where, f"{detail['msg'][:1].lower()}{detail['msg'][1:]} (found {detail['input']!r})")
        return None
