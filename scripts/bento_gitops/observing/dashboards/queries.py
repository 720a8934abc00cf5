"""Which series a dashboard asks for: the filters of its variables, and the joins from a pod to the workload it belongs to."""

from __future__ import annotations

FACTS = 'environment=~"$environment",application=~"$application"'
"""Of series that state what the values say (objectives, limits, weights): they come from a rule and have no namespace."""

SERIES = f'{FACTS},namespace=~"$namespace"'
USERS = f'{SERIES},role="api"'
"""What users see. Sums over all components would count a request once for the api and again for each runner."""
COMPONENTS = f'{SERIES},component=~"$component"'
COMPONENT_FACTS = f'{FACTS},component=~"$component"'

STABLE = f"on (application, environment, track) group_left () (bento:stable{{{FACTS}}} == 1)"
CANDIDATE = f"on (application, environment, track) group_left () ((bento:stable{{{FACTS}}} == 0) + 1)"
"""Multiplied with a series: kept are those of the stable track, or of the others. Either way the factor is 1."""

WHOSE = ("application", "environment", "track", "bundle", "component", "role")

WORKLOADS = (
    f"group by (namespace, {', '.join(WHOSE)}) (bento:pods_up{{{SERIES}}})"
    f" * on ({', '.join(WHOSE)}) group_left (workload, tenant, owner, cost_center) bento:workload{{{FACTS}}}"
)
"""1 for each workload, with the name of its Deployment, its namespace and whose it is.

The values know no namespace, so that it comes from the pods.
"""

_PODS = (
    'group by (namespace, pod, workload) (label_replace(kube_pod_owner{owner_kind="ReplicaSet",namespace=~"$namespace"},'
    ' "workload", "$1", "owner_name", "(.+)-[^-]+"))'
)
"""1 for each pod, with the name of its Deployment: that of its ReplicaSet without the hash at its end.

Labels of pods would say more, but kube-state-metrics has none that it was not told to (--metric-labels-allowlist).
"""


def of_workloads(per_pod: str) -> str:
    """A query of series by namespace and pod, with the labels of the workload; pods of others are left out."""
    labels = (*WHOSE, "tenant", "owner", "cost_center")
    return (
        f"({per_pod}) * on (namespace, pod) group_left (workload) {_PODS}"
        f" * on (namespace, workload) group_left ({', '.join(labels)}) ({WORKLOADS})"
    )


def requested(resource: str) -> str:
    """What containers of running pods request: cores, bytes or GPUs."""
    running = 'max by (namespace, pod) (kube_pod_status_phase{phase="Running",namespace=~"$namespace"} == 1)'
    containers = f'kube_pod_container_resource_requests{{resource="{resource}",namespace=~"$namespace"}}'
    return f"{containers} * on (namespace, pod) group_left () {running}"


def quantile(share: float, by: str, where: str) -> str:
    """Seconds that a share of the requests takes at most, from the rate of a minute."""
    return f"histogram_quantile({share}, sum by ({by}, le) (bento:request_duration_seconds_bucket:rate1m{{{where}}}))"
