"""What BentoML itself wrote into a built Bento: bento.yaml, and model.yaml of each model."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue, ValidationError

from bento_gitops.model.problem import InvalidInput, Place, Problem


def _or_empty(value: Any) -> Any:
    return {} if value is None else value


class _Foreign(BaseModel):
    """A file of another program's: what is needed is checked, the rest is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class ManifestDependency(_Foreign):
    service: str | None = None


class ManifestModel(_Foreign):
    tag: str


class ManifestService(_Foreign):
    name: str
    models: list[ManifestModel] = []
    dependencies: list[ManifestDependency] = []
    config: Annotated[dict[str, JsonValue], BeforeValidator(_or_empty)] = {}


class ManifestEnv(_Foreign):
    name: str
    value: str = ""
    stage: str = "all"


class _Python(_Foreign):
    python_version: str | None = None


class Manifest(_Foreign):
    """bento.yaml."""

    name: str
    version: str
    bentoml_version: str
    entry_service: str = ""
    services: list[ManifestService] = []
    models: list[ManifestModel] = []
    envs: list[ManifestEnv] = []
    args: Annotated[dict[str, JsonValue], BeforeValidator(_or_empty)] = {}
    image: _Python | None = None
    docker: _Python | None = None
    """Where Bentos without an `image` in the code say it."""

    @property
    def python(self) -> str:
        """The Python version of the image, or nothing."""
        return next((said.python_version for said in (self.image, self.docker) if said and said.python_version), "")

    @property
    def tags(self) -> list[str]:
        """Tags of all models, each once."""
        every = [model.tag for model in self.models] + [model.tag for service in self.services for model in service.models]
        return list(dict.fromkeys(every))

    @property
    def image_envs(self) -> dict[str, str]:
        """What the image sets for every process in it."""
        return {env.name: env.value for env in self.envs if env.stage != "build" and env.value}


class _ModelFile(_Foreign):
    metadata: Annotated[dict[str, JsonValue], BeforeValidator(_or_empty)] = {}


def read_manifest(text: bytes, file: str) -> Manifest:
    """bento.yaml. Raises InvalidInput."""
    return _read(text, file, Manifest)


def read_model_metadata(text: bytes, file: str) -> dict[str, JsonValue]:
    """The `metadata` of a model.yaml. Raises InvalidInput."""
    return _read(text, file, _ModelFile).metadata


M = TypeVar("M", bound=_Foreign)


def _read(text: bytes, file: str, model: type[M]) -> M:
    # BentoML writes YAML aliases here, which the project's own reader refuses; its safe loader never builds objects.
    try:
        return model.model_validate(yaml.load(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError as error:
        raise InvalidInput(
            [Problem(Place(file), "", f"not YAML: {str(error).splitlines()[0]}", "", "build the Bento again")]
        ) from None
    except ValidationError as error:
        raise InvalidInput(
            Problem(
                Place(file),
                ".".join(str(part) for part in detail["loc"]),
                detail["msg"],
                "",
                "build the Bento again with BentoML 1.4",
            )
            for detail in error.errors(include_url=False)
        ) from None
