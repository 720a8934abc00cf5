"""Dashboard of an application: is it well, as its users see it and by component."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from bento_gitops.observing.dashboards.boards import board, of_one_application
from bento_gitops.observing.dashboards.panels import LIMIT, OBJECTIVE, Query, lines, rows, weights
from bento_gitops.observing.dashboards.queries import (
    COMPONENT_FACTS,
    COMPONENTS,
    FACTS,
    SERIES,
    USERS,
    WORKLOADS,
    of_workloads,
    quantile,
)

_OBJECTIVES = f"on (application, environment, track, component) group_left () bento:objective:error_ratio{{{FACTS}}}"


def application() -> dashboard.Dashboard:
    """Requests, errors, latency, weights of its tracks; then load, shedding, pods of its components."""
    made = board("application", "Bento / Application", "What users see, and the components behind it.", of_one_application())
    made.with_row(dashboard.Row("As its users see it: requests to the api"))
    for panel in _users():
        made.with_panel(panel)
    made.with_row(dashboard.Row("Components"))
    for panel in _components():
        made.with_panel(panel)
    return made


def _users():
    return [
        lines(
            "Requests",
            "Requests a second that the api answered, by track. Probes and unknown paths are not counted.",
            "reqps",
            Query(f"sum by (track) (bento:requests:rate1m{{{USERS}}})", "{{track}}"),
            tracks=True,
            runbooks=["BentoComponentDown"],
        ),
        lines(
            "Error ratio",
            "Answers 5xx and 429 of all, in 5 minutes, by track. 429: over max_concurrency; other 4xx are the client's.",
            "percentunit",
            Query(f"max by (track) (bento:error_ratio:5m{{{USERS}}})", "{{track}}"),
            Query(f'min(bento:objective:error_ratio{{{FACTS},role="api"}})', OBJECTIVE),
            tracks=True,
            runbooks=["BentoErrorBudgetBurnFast", "BentoErrorBudgetBurnSlow"],
        ),
        lines(
            "Latency",
            "Seconds that 50, 95 and 99 of 100 requests take at most, by track, in a minute. The objective is for p95.",
            "s",
            Query(quantile(0.5, "track", USERS), "{{track}} p50"),
            Query(quantile(0.95, "track", USERS), "{{track}} p95"),
            Query(quantile(0.99, "track", USERS), "{{track}} p99"),
            Query(f'min(bento:objective:p95{{{FACTS},role="api"}})', OBJECTIVE),
            runbooks=["BentoLatencyHigh"],
        ),
        lines(
            "Burn rate of the error budget",
            "Error ratio over its objective: at 1 the budget of 30 days lasts 30 days; an hour at 14.4 takes 2 % of it.",
            "none",
            Query(f"max by (track) (bento:error_ratio:1h{{{USERS}}} / {_OBJECTIVES})", "{{track}} 1 h"),
            Query(f"max by (track) (bento:error_ratio:6h{{{USERS}}} / {_OBJECTIVES})", "{{track}} 6 h"),
            thresholds=[6, 14.4],
            runbooks=["BentoErrorBudgetBurnFast", "BentoErrorBudgetBurnSlow"],
        ),
        lines(
            "Answers by status",
            "A second, by HTTP status. 503: overloaded, shed by batching; 429: over max_concurrency; 400: the client's input.",
            "reqps",
            Query(
                f"sum by (http_response_code) (rate(bentoml_service_request_total{{{USERS}}}[$__rate_interval]))",
                "{{http_response_code}}",
            ),
            stacked=True,
            runbooks=["BentoRequestsShed"],
        ),
        rows(
            "What runs",
            "Each track: its bundle, its weight by the values, whether it is the stable one, its pods that answer Prometheus.",
            [
                (Query(f"sum by (track, bundle) (bento:weight{{{FACTS}}})", "weight"), "percent"),
                (Query(f"max by (track, bundle) (bento:stable{{{FACTS}}})", "stable"), "bool_yes_no"),
                (Query(f"sum by (track, bundle) (bento:pods_up{{{SERIES}}})", "pods"), "none"),
            ],
            width=8,
        ),
        weights(width=12),
        lines(
            "Share of requests",
            "Percent of live requests that each track did get, in a minute: as the weights, or routes do not do what they say.",
            "percent",
            Query(
                f"100 * sum by (track) (bento:requests:rate1m{{{USERS}}})"
                f" / ignoring (track) group_left () (sum(bento:requests:rate1m{{{USERS}}}) > 0)",
                "{{track}}",
            ),
            tracks=True,
            stacked=True,
            full=100,
            width=12,
        ),
    ]


def _components():
    by = "track, component"
    called = "{{track}} {{component}}"
    restarts = of_workloads('increase(kube_pod_container_status_restarts_total{namespace=~"$namespace"}[1h])')
    used, free = (f'DCGM_FI_DEV_FB_{which}{{namespace=~"$namespace"}}' for which in ("USED", "FREE"))
    workloads = f'label_replace({WORKLOADS}, "horizontalpodautoscaler", "$1", "workload", "(.*)")'
    return [
        lines(
            "Requests",
            "Requests a second that each component answered, of users and of other components.",
            "reqps",
            Query(f"sum by ({by}) (bento:requests:rate1m{{{COMPONENTS}}})", called),
            runbooks=["BentoComponentDown"],
        ),
        lines(
            "Error ratio",
            "Answers 5xx and 429 of all, in 5 minutes.",
            "percentunit",
            Query(f"max by ({by}) (bento:error_ratio:5m{{{COMPONENTS}}})", called),
            Query(f"min by (component) (bento:objective:error_ratio{{{COMPONENT_FACTS}}})", f"{OBJECTIVE} of {{{{component}}}}"),
            runbooks=["BentoRunnerUnreachable"],
        ),
        lines(
            "p95",
            "Seconds that 95 of 100 requests took at most, in 5 minutes.",
            "s",
            Query(f"max by ({by}) (bento:request_duration_seconds:p95_5m{{{COMPONENTS}}})", called),
            Query(f"min by (component) (bento:objective:p95{{{COMPONENT_FACTS}}})", f"{OBJECTIVE} of {{{{component}}}}"),
            runbooks=["BentoLatencyHigh", "BentoRunnerSlow"],
        ),
        lines(
            "In progress in the busiest pod",
            "Requests that a pod works on or keeps waiting. Above max_concurrency it answers 429.",
            "none",
            Query(f"max by ({by}) (bento:in_progress{{{COMPONENTS}}})", called),
            Query(f"min by (component) (bento:limit:max_concurrency{{{COMPONENT_FACTS}}})", f"{LIMIT} of {{{{component}}}}"),
            runbooks=["BentoConcurrencyNearLimit"],
        ),
        lines(
            "Shed",
            "Requests a second answered 503 or 429 because of overload.",
            "reqps",
            Query(f"sum by ({by}) (bento:shed:rate1m{{{COMPONENTS}}})", called),
            runbooks=["BentoRequestsShed"],
        ),
        lines(
            "Pods that answer Prometheus",
            "How many pods of each component were scraped, and the most that its autoscaler may have.",
            "none",
            Query(f"sum by ({by}) (bento:pods_up{{{COMPONENTS}}})", called),
            Query(
                f'min by ({by}) (kube_horizontalpodautoscaler_spec_max_replicas{{namespace=~"$namespace"}}'
                f" * on (namespace, horizontalpodautoscaler) group_left ({by}) ({workloads}))",
                f"{LIMIT} of {called}",
            ),
            runbooks=["BentoAutoscalerAtMaximum", "BentoComponentDown"],
        ),
        lines(
            "Restarts in an hour",
            "Restarts of containers, by component.",
            "none",
            Query(
                f"sum by ({by}) ({restarts})",
                called,
            ),
            width=12,
            runbooks=["BentoPodsRestarting"],
        ),
        lines(
            "GPU memory",
            "Of each GPU that a pod of the application holds, as NVIDIA's DCGM exporter says it. Empty without GPUs.",
            "percentunit",
            Query(
                "max by (track, component, pod, gpu) ("
                f"{used} / ({used} + {free})"
                f" * on (namespace, pod) group_left ({by}) group by (namespace, pod, {by}) (bento:in_progress{{{COMPONENTS}}}))",
                "{{track}} {{pod}} gpu {{gpu}}",
            ),
            width=12,
            full=1,
            runbooks=["BentoGpuMemoryHigh"],
        ),
    ]
