"""The values of the chart bento-platform: what a cluster gets once, in camelCase."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bento_gitops.model.base import LabelKey, LabelValue, Model, OwnLabelKey

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


class PlatformValues(Model):
    """The values as a whole."""

    dashboards: Dashboards
