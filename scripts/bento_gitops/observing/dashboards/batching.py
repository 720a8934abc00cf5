"""Dashboard of batching: does it gather requests, and what does waiting for a batch cost."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from bento_gitops.observing.dashboards.boards import board, of_one_application
from bento_gitops.observing.dashboards.panels import LIMIT, OBJECTIVE, Query, lines
from bento_gitops.observing.dashboards.queries import COMPONENT_FACTS, COMPONENTS

_METHOD = "{{track}} {{component}} {{method_name}}"
_BY_METHOD = "track, component, method_name"


def batching() -> dashboard.Dashboard:
    """Sizes and number of batches by method; what waits, what is shed, how long a component takes."""
    made = board(
        "batching",
        "Bento / Batching",
        "What batching gains and what it costs. BentoML counts requests in a batch, not items; max_latency_ms is no window but a"
        " deadline: a request that it is predicted to miss is answered 503.",
        of_one_application(),
    )
    for panel in _panels():
        made.with_panel(panel)
    return made


def _panels():
    busiest = f"max by (application, environment, track, component) (bento:in_progress{{{COMPONENTS}}})"
    sizes = f"rate(bentoml_service_adaptive_batch_size_bucket{{{COMPONENTS}}}[$__rate_interval])"
    limits = f"bento:limit:max_concurrency{{{COMPONENT_FACTS}}}"
    return [
        lines(
            "Requests in a batch, mean",
            "In 5 minutes. Near 1 under load: batching gains nothing.",
            "none",
            Query(f"max by ({_BY_METHOD}) (bento:batch_size:mean5m{{{COMPONENTS}}})", _METHOD),
            runbooks=["BentoBatchingIneffective"],
        ),
        lines(
            "Batches",
            "A second, by method.",
            "ops",
            Query(f"sum by ({_BY_METHOD}) (bento:batches:rate1m{{{COMPONENTS}}})", _METHOD),
            runbooks=["BentoBatchingIneffective"],
        ),
        # No heatmap: a method's buckets end at its max_batch_size, and sums over methods of different ones are no histogram.
        lines(
            "Requests in a batch, 95 of 100",
            "So large 95 of 100 batches are at most, in a minute; interpolated, since BentoML's buckets double.",
            "none",
            Query(f"histogram_quantile(0.95, sum by ({_BY_METHOD}, le) ({sizes}))", _METHOD),
            runbooks=["BentoBatchingIneffective"],
        ),
        lines(
            "In progress in the busiest pod",
            "Requests that a pod works on or keeps waiting for a batch: BentoML shows no queue, so this is what there is of it.",
            "none",
            Query(f"max by (track, component) (bento:in_progress{{{COMPONENTS}}})", "{{track}} {{component}}"),
            Query(f"min by (component) ({limits})", f"{LIMIT} of {{{{component}}}}"),
            runbooks=["BentoConcurrencyNearLimit"],
        ),
        lines(
            "In progress, of the limit",
            "Of max_concurrency, in the busiest pod. Components without a limit are not in it.",
            "percentunit",
            Query(
                f"max by (track, component) ({busiest} / on (application, environment, track, component) {limits})",
                "{{track}} {{component}}",
            ),
            full=1,
            runbooks=["BentoConcurrencyNearLimit"],
        ),
        lines(
            "Shed, of all requests",
            "Answers 503 and 429 because of overload, in a minute.",
            "percentunit",
            Query(
                f"sum by (track, component) (bento:shed:rate1m{{{COMPONENTS}}})"
                f" / (sum by (track, component) (bento:requests:rate1m{{{COMPONENTS}}}) > 0)",
                "{{track}} {{component}}",
            ),
            runbooks=["BentoRequestsShed"],
        ),
        lines(
            "p95 of runners",
            "Seconds that 95 of 100 calls took at most, in 5 minutes: waiting for a batch, and the model.",
            "s",
            Query(
                f'max by (track, component) (bento:request_duration_seconds:p95_5m{{{COMPONENTS},role="runner"}})',
                "{{track}} {{component}}",
            ),
            Query(
                f'min by (component) (bento:objective:p95{{{COMPONENT_FACTS},role="runner"}})',
                f"{OBJECTIVE} of {{{{component}}}}",
            ),
            width=12,
            runbooks=["BentoRunnerSlow"],
        ),
        lines(
            "Requests to runners",
            "A second. More requests at the same number of batches: larger batches.",
            "reqps",
            Query(f'sum by (track, component) (bento:requests:rate1m{{{COMPONENTS},role="runner"}})', "{{track}} {{component}}"),
            width=12,
        ),
    ]
