"""Where the repository keeps what more than one part of the package looks for."""

from __future__ import annotations

CHART = "charts/bento-serving"
"""The chart that the values are for; its own values.yaml is the lowest layer."""

PLATFORM = "charts/bento-platform"
"""The chart of what a cluster gets once."""

RELEASES = "charts/releases/bento-serving"
"""Copies of the chart that never change, a folder for each version; environments pin them."""


POLICIES = ("policies", "policies/local")
"""Folders that hold a folder for each policy: those that come with the charts, then the fork's own."""

CLUSTERS = "clusters"
"""A folder for each cluster that runs PLATFORM."""


def cluster_values(cluster: str) -> str:
    """What people say of a cluster: values of PLATFORM. A cluster without this file does not run it."""
    return f"{CLUSTERS}/{cluster}/values.yaml"


def cluster_environments(cluster: str) -> str:
    """What PLATFORM gets of the cluster's environments and of the fork's own policies: generated."""
    return f"{CLUSTERS}/{cluster}/environments.yaml"


def released_chart(version: str) -> str:
    """The folder of a version of the chart."""
    return f"{RELEASES}/{version}"


def bundle_file(application: str, tag: str) -> str:
    """Where a bundle is kept."""
    return f"bundles/{application}/{tag}.yaml"


def environment_file(environment: str) -> str:
    """Where the facts of an environment are kept."""
    return f"environments/{environment}/environment.yaml"


def values_file(target: str) -> str:
    """Where the generated values of an application, given as ENV/APP, are kept."""
    return f"environments/{target}/values.yaml"


def release_file(target: str) -> str:
    """Where it stands which bundle of an application, given as ENV/APP, runs on which track."""
    return f"environments/{target}/release.yaml"


def overrides_file(target: str) -> str:
    """Where operators change an application, given as ENV/APP, for a time."""
    return f"environments/{target}/overrides.yaml"


def evidence_file(target: str, tag: str) -> str:
    """Where it is kept what was seen of a bundle of an application, given as ENV/APP."""
    return f"environments/{target}/evidence/{tag}.yaml"
