"""Dashboard of a model's behaviour: how sure it is, what it answers, what it refuses."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from bento_gitops.observing.dashboards.boards import board, of_one_application, some
from bento_gitops.observing.dashboards.panels import Query, buckets, lines
from bento_gitops.observing.dashboards.queries import SERIES

_TRACKS = f'{SERIES},track=~"$track"'


def model() -> dashboard.Dashboard:
    """Confidence, shares of classes, inputs refused, by track; of services that export bento_model_* metrics."""
    made = board(
        "model",
        "Bento / Model behaviour",
        "What can be seen of a model without knowing the right answers. For services that export bento_model_confidence,"
        " bento_model_predictions_total and bento_model_rejected_inputs_total.",
        [*of_one_application()[:3], some("track", "Track", SERIES)],
    )
    for panel in _panels():
        made.with_panel(panel)
    return made


def _panels():
    predictions = f"bento:model_predictions:rate5m{{{_TRACKS}}}"
    confidence = f"bento:model_confidence_bucket:rate5m{{{_TRACKS}}}"
    rejected = f"bento:model_rejected_inputs:rate5m{{{_TRACKS}}}"
    return [
        buckets(
            "Confidence, track $track",
            "How many predictions a second were how sure of the answered class, in 5 minutes. One for each track.",
            "percentunit",
            Query(f"sum by (le) ({confidence})", "{{le}}"),
            width=24,
            repeat="track",
            runbooks=["BentoModelConfidenceDrift"],
        ),
        lines(
            "Mean confidence",
            "Of the answered class, in 5 minutes. A fall without a new bundle: the inputs have changed.",
            "percentunit",
            Query(f"max by (track, model) (bento:model_confidence:mean5m{{{_TRACKS}}})", "{{track}} {{model}}"),
            tracks=True,
            full=1,
            runbooks=["BentoModelConfidenceDrift"],
        ),
        lines(
            "Confidence of the least sure tenth",
            "One of ten predictions is less sure than this (interpolated between the metric's buckets).",
            "percentunit",
            Query(f"histogram_quantile(0.1, sum by (track, model, le) ({confidence}))", "{{track}} {{model}}"),
            tracks=True,
            full=1,
            runbooks=["BentoModelConfidenceDrift"],
        ),
        lines(
            "Predictions",
            "A second. One request may ask for many.",
            "ops",
            Query(f"sum by (track, model) ({predictions})", "{{track}} {{model}}"),
            tracks=True,
        ),
        lines(
            "Share of classes",
            "Of all predictions in 5 minutes, by track.",
            "percentunit",
            Query(
                f"sum by (track, model, class) ({predictions})"
                f" / on (track, model) group_left () (sum by (track, model) ({predictions}) > 0)",
                "{{track}} {{class}}",
            ),
            width=12,
            runbooks=["BentoModelClassDrift"],
        ),
        lines(
            "Refused inputs",
            "A second, by track and reason: they never reached the model.",
            "reqps",
            Query(f"sum by (track, reason) ({rejected})", "{{track}} {{reason}}"),
            width=6,
            runbooks=["BentoModelInputsRejected"],
        ),
        lines(
            "Refused, of all requests",
            "Of the requests to the api, by track.",
            "percentunit",
            Query(
                f"sum by (track) ({rejected})"
                f' / (sum by (track) (avg_over_time(bento:requests:rate1m{{{_TRACKS},role="api"}}[5m])) > 0)',
                "{{track}}",
            ),
            width=6,
            tracks=True,
            runbooks=["BentoModelInputsRejected"],
        ),
    ]
