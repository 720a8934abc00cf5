"""Where the repository keeps what more than one part of the package looks for."""

from __future__ import annotations

CHART = "charts/bento-serving"
"""The chart that the values are for; its own values.yaml is the lowest layer."""


def bundle_file(application: str, tag: str) -> str:
    """Where a bundle is kept."""
    return f"bundles/{application}/{tag}.yaml"


def environment_file(environment: str) -> str:
    """Where the facts of an environment are kept."""
    return f"environments/{environment}/environment.yaml"


def values_file(target: str) -> str:
    """Where the generated values of an application, given as ENV/APP, are kept."""
    return f"environments/{target}/values.yaml"
