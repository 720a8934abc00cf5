"""What keeps an inspected Bento from becoming a bundle; each refusal has a name in brackets and says how to mend it."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from pydantic import JsonValue, ValidationError

from bento_gitops.model.bundle import RecordedModel, RecordedService
from bento_gitops.model.inspection import BentoFile, InspectedModel, Inspection
from bento_gitops.model.problem import Place, Problem

SIZE_LIMIT = 50 << 20
"""Bytes of one file outside models/; the default."""


@dataclass(frozen=True, slots=True)
class _Stray:
    """Files that have no place in a Bento."""

    what: str
    names: str
    """Patterns; a folder's ends in a slash."""
    why: str


_STRAY = (
    _Stray(
        "a secret",
        ".env .env.* .envrc .netrc .pypirc .npmrc .aws/ .kube/ kubeconfig credentials.json",
        "secrets come from Kubernetes Secrets",
    ),
    _Stray(
        "a key",
        "*.pem *.key *.p12 *.pfx *.jks *.keystore *.kdbx *.ppk .ssh/ id_rsa id_dsa id_ecdsa id_ed25519",
        "keys come from Kubernetes Secrets",
    ),
    _Stray("a notebook", "*.ipynb .ipynb_checkpoints/", "notebooks are not served"),
    _Stray(
        "a data set",
        "*.csv *.tsv *.parquet *.feather *.arrow *.orc *.jsonl *.ndjson *.h5 *.hdf5 *.xls *.xlsx *.sqlite* *.db *.tfrecord",
        "what serving needs of it belongs in a model",
    ),
    _Stray("version control", ".git/ .git .svn/ .hg/", "the commit is recorded, its history is not served"),
    _Stray(
        "a cache",
        "__pycache__/ *.pyc .pytest_cache/ .mypy_cache/ .ruff_cache/ .venv/ venv/ node_modules/ .ds_store",
        "it differs from build to build",
    ),
)
_NO_SECRETS = (".env.example", ".env.sample", ".env.template")


def refusals(inspection: Inspection, file: str, size_limit: int = SIZE_LIMIT) -> list[Problem]:
    """Every reason not to record this Bento."""
    return sorted(
        Problem(Place(file), pointer, f"[{name}] {wrong}", found, todo)
        for name, pointer, wrong, found, todo in (
            *_unresolved(inspection),
            *_graph(inspection),
            *_metadata(inspection.models),
            *_requirements(inspection),
            *_stray(inspection.files, size_limit),
        )
    )


def graph_problems(entry: str, services: Mapping[str, RecordedService], file: str) -> list[Problem]:
    """What is wrong with who depends on whom: a circle, a name that is no service."""
    return [
        Problem(Place(file), pointer, f"[{name}] {wrong}", found, todo)
        for name, pointer, wrong, found, todo in _graph_of(entry, services)
    ]


_Refusal = tuple[str, str, str, str, str]


def _unresolved(inspection: Inspection) -> Iterator[_Refusal]:
    for remark in inspection.unresolved:
        yield "inspection-unresolved", remark.pointer, remark.reason, "", "then build and inspect again"


def _graph(inspection: Inspection) -> Iterator[_Refusal]:
    return _graph_of(inspection.entry, inspection.services)


def _graph_of(entry: str, services: Mapping[str, RecordedService]) -> Iterator[_Refusal]:
    if entry not in services:
        yield "unknown-service", "entry", "is not among the services", f"'{entry}'", f"use one of: {', '.join(services)}"
    for name, service in services.items():
        for wanted in service.dependencies:
            if wanted not in services:
                yield (
                    "unknown-service",
                    f"services.{name}.dependencies",
                    "is not among the services",
                    f"'{wanted}'",
                    f"use one of: {', '.join(services)}",
                )
    for cycle in cycles({name: service.dependencies for name, service in services.items()}):
        yield (
            "dependency-cycle",
            "services",
            "services depend on each other in a circle",
            " -> ".join(cycle),
            "take one of these bentoml.depends out",
        )


def cycles(dependencies: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Each circle once, from its alphabetically first name back to it."""
    found: dict[tuple[str, ...], list[str]] = {}
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> None:
        if name in path:
            circle = path[path.index(name) :]
            first = circle.index(min(circle))
            turned = circle[first:] + circle[:first]
            found[tuple(turned)] = [*turned, turned[0]]
        elif name not in done:
            for wanted in dependencies.get(name, ()):
                visit(wanted, [*path, name])
            done.add(name)

    for name in sorted(dependencies):
        visit(name, [])
    return list(found.values())


def _metadata(models: Mapping[str, InspectedModel]) -> Iterator[_Refusal]:
    for tag, model in models.items():
        pointer = f'models."{tag}"'
        version = tag.partition(":")[2]
        if version in ("", "latest"):
            yield (
                "model-version-missing",
                pointer,
                "the model's version is not fixed",
                f"'{tag}'",
                "name an exact version in BentoModel(...)",
            )
        if model.metadata is None:
            yield (
                "model-metadata-missing",
                pointer,
                "no model store had the model, so nothing is known of it",
                "",
                "inspect the Bento where it was built, or its exported archive",
            )
            continue
        problems = metadata_problems(tag, model.metadata)
        if problems:
            keys = "; ".join(f"{key}: {said}" for key, said in problems)
            todo = "write it with bentoml.models.create(..., metadata=...) when the model is trained, and build again"
            yield "model-metadata-missing", f"{pointer}.metadata", f"does not say who made the model from what: {keys}", "", todo


def metadata_problems(tag: str, metadata: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
    """The keys of a model's metadata that are missing or wrong, each with what is wrong."""
    try:
        recorded_model(tag, metadata)
    except ValidationError as error:
        problems = [
            (".".join(str(part) for part in detail["loc"]), "is missing" if detail["type"] == "missing" else detail["msg"])
            for detail in error.errors(include_url=False)
        ]
        return [(key or "dataset, evaluation or pretrained", said.removeprefix("Value error, ")) for key, said in problems]
    return []


def recorded_model(tag: str, metadata: Mapping[str, JsonValue]) -> RecordedModel:
    """What a bundle records of a model; training may write more into the metadata. Raises ValidationError."""
    known = {key: _known(key, metadata[key]) for key in RecordedModel.model_fields if key in metadata and key != "tag"}
    return RecordedModel.model_validate({**known, "tag": tag})


def _known(key: str, value: JsonValue) -> JsonValue:
    """The keys inside `dataset`, `evaluation` and `pretrained` that a bundle records."""
    wanted = {
        "dataset": ("snapshot", "rows"),
        "evaluation": ("report", "sha256", "metrics"),
        "pretrained": ("source", "sha256"),
    }.get(key)
    return {inner: said for inner, said in value.items() if inner in wanted} if wanted and isinstance(value, dict) else value


def _requirements(inspection: Inspection) -> Iterator[_Refusal]:
    found = inspection.requirements
    if not found.count:
        yield (
            "requirements-unlocked",
            "requirements",
            "the Bento names none, so the image gets whatever is newest",
            "",
            "lock them: bentoml.images.Image().requirements_file(...)",
        )
    elif not found.locked:
        shown = ", ".join(found.loose[:8]) + (f" and {len(found.loose) - 8} more" if len(found.loose) > 8 else "")
        todo = "pin every line with == or --hash: `uv pip compile --generate-hashes requirements.in -o requirements.txt`"
        yield "requirements-unlocked", "requirements", "not every requirement is exact", shown, todo


def _stray(files: Iterable[BentoFile], size_limit: int) -> Iterator[_Refusal]:
    for file in files:
        todo = "leave it out with `include` in bentofile.yaml (or .bentoignore)"
        kinds = stray_kinds(file.path)
        if file.private_key and not any(kind == "a key" for kind, _ in kinds):
            kinds = [("a private key", "keys come from Kubernetes Secrets"), *kinds]
        for kind, why in kinds:
            yield "stray-content", f'files."{file.path}"', f"{kind} does not belong in a Bento: {why}", file.path, todo
        if file.size > size_limit:
            found = f"{file.size / (1 << 20):.1f} MiB, the limit is {size_limit / (1 << 20):g} MiB"
            yield (
                "stray-content",
                f'files."{file.path}"',
                "the file is too large to be code",
                found,
                "put it in a model, or leave it out with `include`",
            )


def stray_kinds(path: str) -> list[tuple[str, str]]:
    """What a file must be by its name and folders that does not belong in a Bento, and why."""
    parts = [part.lower() for part in PurePosixPath(path).parts]
    if parts[-1] in _NO_SECRETS:
        return []
    return [(stray.what, stray.why) for stray in _STRAY if any(_matches(parts, pattern) for pattern in stray.names.split())]


def _matches(parts: Sequence[str], pattern: str) -> bool:
    if pattern.endswith("/"):
        return pattern[:-1] in parts[:-1]
    return fnmatch.fnmatchcase(parts[-1], pattern)
