"""An inspection, an image and a name become a bundle; and where two bundles differ."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from bento_gitops.bundling.checks import recorded_model, refusals
from bento_gitops.model.base import ApplicationName, Digest, DnsLabel, Repository, Tag, Timestamp
from bento_gitops.model.bundle import Bundle, Image, RecordedModel, RecordedService, Source
from bento_gitops.model.inspection import Inspection
from bento_gitops.model.names import kebab
from bento_gitops.model.problem import InvalidInput, Place, Problem

_COMMIT = r"[0-9a-f]{7,64}"


def record(
    inspection: Inspection,
    file: str,
    *,
    application: str,
    tag: str | None,
    image: str,
    source: tuple[str | None, str | None],
    created: str,
    size_limit: int,
) -> Bundle:
    """The bundle of an inspected Bento; `file` is the inspection's, for messages.

    Raises InvalidInput with every reason why there cannot be one.
    """
    problems = refusals(inspection, file, size_limit)
    chosen = tag or inspection.bento.partition(":")[2]
    problems += [*_name_problems(application, chosen), *_source_problems(*source)]
    _checked(problems, "--now", Timestamp, created, "is not a time", "write it like 2026-11-01T09:00:00Z")
    recorded_image = _image(image, problems)
    models = _models(inspection, file, problems)
    if problems or recorded_image is None:
        raise InvalidInput(problems)
    return Bundle(
        apiVersion="bento-gitops/v1",
        kind="Bundle",
        application=application,
        tag=chosen,
        created=created,
        bento=inspection.bento,
        image=recorded_image,
        bentoml=inspection.bentoml,
        python=inspection.python,
        traces=inspection.requirements.traces,
        entry=inspection.entry,
        services={name: _service(inspection, name) for name in _order(inspection)},
        models=models,
        source=Source(repository=source[0], commit=source[1]) if source[0] and source[1] else None,
    )


def _name_problems(application: str, tag: str) -> list[Problem]:
    problems: list[Problem] = []
    _checked(
        problems,
        "--application",
        ApplicationName,
        application,
        "is no name for an application",
        "lower-case letters, digits and hyphens, a letter first, as in support-ticket-intelligence",
    )
    if tag == "latest":
        todo = "name a version: bentoml build --version 1.1.0, or --tag 1.1.0"
        problems.append(
            Problem(
                Place("--tag"), "", "[tag-latest] a bundle is one version for ever, `latest` is another each day", "latest", todo
            )
        )
    else:
        _checked(problems, "--tag", Tag, tag, "is no tag", "letters, digits, dots, hyphens and underscores, at most 63")
    return problems


def _checked(problems: list[Problem], option: str, kind: Any, value: str, wrong: str, todo: str) -> None:
    try:
        TypeAdapter[Any](kind).validate_python(value)
    except ValidationError:
        problems.append(Problem(Place(option), "", wrong, f"'{value}'", todo))


def _image(reference: str, problems: list[Problem]) -> Image | None:
    repository, _, digest = reference.partition("@")
    todo = "write REPOSITORY@sha256:..., as the registry answers a push (`crane digest`, `docker buildx imagetools inspect`)"
    if not digest:
        problems.append(
            Problem(
                Place("--image"),
                "",
                "[image-without-digest] a tag can be moved to another image, a digest cannot",
                f"'{reference}'",
                todo,
            )
        )
        return None
    before = len(problems)
    _checked(
        problems, "--image", Digest, digest, "[image-without-digest] the digest is not sha256: and 64 hexadecimal digits", todo
    )
    if ":" in repository.rpartition("/")[2]:
        problems.append(
            Problem(
                Place("--image"),
                "",
                "the image has a tag beside its digest",
                f"'{repository}'",
                "leave the tag out; the digest says which image",
            )
        )
    else:
        _checked(problems, "--image", Repository, repository, "is no name of an image", "write REGISTRY/PATH in lower case")
    return Image(repository=repository, digest=digest) if len(problems) == before else None


def _source_problems(repository: str | None, commit: str | None) -> list[Problem]:
    if bool(repository) != bool(commit):
        return [
            Problem(
                Place("--source-repository"),
                "",
                "repository and commit belong together",
                "one of them",
                "give --source-repository and --source-commit, or neither",
            )
        ]
    if commit and not re.fullmatch(_COMMIT, commit):
        return [Problem(Place("--source-commit"), "", "is no commit", f"'{commit}'", "give the hash: git rev-parse HEAD")]
    return []


def _models(inspection: Inspection, file: str, problems: list[Problem]) -> dict[str, RecordedModel]:
    """By kebab-case name. Models whose metadata cannot be recorded are among the problems already."""
    models: dict[str, RecordedModel] = {}
    for tag, model in inspection.models.items():
        key = kebab(tag.partition(":")[0])
        pointer = f'models."{tag}"'
        if key in models:
            problems.append(
                Problem(
                    Place(file),
                    pointer,
                    "[model-name-twice] two models would have the same name in the bundle",
                    f"'{key}', also {models[key].tag}",
                    "serve one version of a model, or name them apart",
                )
            )
        if model.metadata is not None:
            try:
                models[key] = recorded_model(tag, model.metadata)
            except ValidationError:
                continue  # named by refusals()
        _checked(
            problems,
            f"{file}: {pointer}",
            DnsLabel,
            key,
            "its name is no name for a bundle",
            "name the model with letters, digits, underscores and hyphens",
        )
    return models


def _service(inspection: Inspection, name: str) -> RecordedService:
    inspected = inspection.services[name]
    return RecordedService.model_validate({field: getattr(inspected, field) for field in RecordedService.model_fields})


def _order(inspection: Inspection) -> list[str]:
    """The entry first, then what it depends on, as the code names it."""
    order = [inspection.entry]
    for name in order:
        order.extend(wanted for wanted in inspection.services[name].dependencies if wanted not in order)
    return order + [name for name in inspection.services if name not in order]


def differences(old: Bundle, new: Bundle) -> list[tuple[str, str, str]]:
    """Where two bundles differ, apart from when they were made: pointer, old, new."""
    before, after = (
        dict(_leaves("", bundle.model_dump(mode="json", exclude_none=True, exclude={"created"}))) for bundle in (old, new)
    )
    pointers = sorted(pointer for pointer in {*before, *after} if before.get(pointer) != after.get(pointer))
    return [(pointer, before.get(pointer, "absent"), after.get(pointer, "absent")) for pointer in pointers]


def _leaves(pointer: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        items = cast("Mapping[str, object]", value)
        return [leaf for key, inner in items.items() for leaf in _leaves(f"{pointer}.{key}" if pointer else key, inner)]
    if isinstance(value, list):
        return [(pointer, ", ".join(str(item) for item in cast("list[object]", value)))]
    return [(pointer, str(value))]
