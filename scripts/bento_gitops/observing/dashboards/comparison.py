"""Dashboard of a canary: the candidate beside the stable track, and the difference."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard, timeseries

from bento_gitops.observing.dashboards.boards import board, of_one_application
from bento_gitops.observing.dashboards.panels import OBJECTIVE, Query, lines, number, weights
from bento_gitops.observing.dashboards.queries import CANDIDATE, COMPONENT_FACTS, COMPONENTS, STABLE, USERS

_RUNBOOKS = ["BentoCandidateWorse"]
_CALLED = "{{component}} ({{bundle}})"


def comparison() -> dashboard.Dashboard:
    """Rows of three: stable, the other tracks, the difference, each for the same quantity and by component."""
    made = board(
        "comparison",
        "Bento / Candidate against stable",
        "The same of the stable track and of the others (the candidate; a standby has no requests), in the same window.",
        of_one_application(),
    )
    for panel in _head():
        made.with_panel(panel)
    for title, description, unit, series, limit in _QUANTITIES:
        made.with_row(dashboard.Row(title))
        for panel in _beside(title, description, unit, series, limit):
            made.with_panel(panel)
    made.with_row(dashboard.Row("The model"))
    for panel in _model():
        made.with_panel(panel)
    return made


_QUANTITIES = (
    (
        "Error ratio",
        "Answers 5xx and 429 of all, in 5 minutes.",
        "percentunit",
        f"bento:error_ratio:5m{{{COMPONENTS}}}",
        f"bento:objective:error_ratio{{{COMPONENT_FACTS}}}",
    ),
    (
        "p95",
        "Seconds that 95 of 100 requests took at most, in 5 minutes.",
        "s",
        f"bento:request_duration_seconds:p95_5m{{{COMPONENTS}}}",
        f"bento:objective:p95{{{COMPONENT_FACTS}}}",
    ),
    ("Requests", "Requests a second, in a minute.", "reqps", f"bento:requests:rate1m{{{COMPONENTS}}}", ""),
    ("Shed", "Requests a second answered 503 or 429 because of overload.", "reqps", f"bento:shed:rate1m{{{COMPONENTS}}}", ""),
)


def _head():
    counted = f"increase(bentoml_service_request_total{{{USERS}}}[10m])"
    return [
        weights(width=16),
        number(
            "Stable, in 10 minutes",
            "Requests that the api of the stable track answered: what the candidate is compared with.",
            "short",
            Query(f"sum by (track) ({counted} * {STABLE})", "{{track}}"),
            decimals=0,
        ),
        number(
            "Candidate, in 10 minutes",
            "Requests that the api of the other tracks answered. Below the analysis's min_requests nothing is judged.",
            "short",
            Query(f"sum by (track) ({counted} * {CANDIDATE})", "{{track}}"),
            decimals=0,
        ),
    ]


def _beside(title: str, description: str, unit: str, series: str, limit: str) -> list[timeseries.Panel]:
    objective = [Query(f"min by (component) ({limit})", f"{OBJECTIVE} of {{{{component}}}}")] if limit else []
    stable, candidate = f"{series} * {STABLE}", f"{series} * {CANDIDATE}"
    return [
        lines(
            f"{title}, stable",
            description,
            unit,
            Query(f"max by (component, bundle) ({stable})", _CALLED),
            *objective,
            runbooks=_RUNBOOKS,
        ),
        lines(
            f"{title}, candidate",
            description,
            unit,
            Query(f"max by (component, bundle) ({candidate})", _CALLED),
            *objective,
            runbooks=_RUNBOOKS,
        ),
        lines(
            f"{title}, candidate minus stable",
            f"{description} Above zero: the candidate has more.",
            unit,
            Query(f"max by (component) ({candidate}) - on (component) max by (component) ({stable})", "{{component}}"),
            signed=True,
            runbooks=_RUNBOOKS,
        ),
    ]


def _model():
    mean = f"bento:model_confidence:mean5m{{{COMPONENTS}}}"
    return [
        lines(
            "Mean confidence",
            "Of the answered class, by track, in 5 minutes.",
            "percentunit",
            Query(f"max by (track, model) ({mean})", "{{track}} {{model}}"),
            tracks=True,
            runbooks=["BentoModelConfidenceDrift"],
        ),
        lines(
            "Mean confidence, candidate minus stable",
            "Above zero: the candidate is surer, which does not say that it is right.",
            "percentunit",
            Query(f"max by (model) ({mean} * {CANDIDATE}) - on (model) max by (model) ({mean} * {STABLE})", "{{model}}"),
            signed=True,
            runbooks=["BentoModelConfidenceDrift"],
        ),
        lines(
            "Share of classes, candidate minus stable",
            "The same users on both tracks: a share that differs is the model's doing.",
            "percentunit",
            Query(f"{_shares(CANDIDATE)} - on (model, class) {_shares(STABLE)}", "{{model}} {{class}}"),
            signed=True,
            runbooks=["BentoModelClassDrift"],
        ),
    ]


def _shares(track: str) -> str:
    predictions = f"bento:model_predictions:rate5m{{{COMPONENTS}}} * {track}"
    return f"sum by (model, class) ({predictions}) / on (model) group_left () (sum by (model) ({predictions}) > 0)"
