"""What is asked of Prometheus about the tracks of an application, and what its answers come to.

It reads the chart's recording rules. Counts of a window are
sum_over_time(bento:...:rate1m[WINDOW]) * 30, because the rules are evaluated every 30 s.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bento_gitops.model.base import duration, moment
from bento_gitops.model.evidence import Measured, ObservedAnalysis
from bento_gitops.model.release import Release
from bento_gitops.model.rollout import WORD, WORDS, Query

EVALUATED = 30
"""Seconds between two evaluations of the recording rules."""
SETTLING = timedelta(minutes=1)
"""A rate of a minute holds requests of the minute before: the first one after a shift is half of the weight before."""
LONGEST = timedelta(hours=1)
SHORTEST = timedelta(seconds=EVALUATED)


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an answer, at one moment."""

    labels: Mapping[str, str]
    value: float
    """NaN where a division by nothing was asked for."""


Answers = Mapping[str, Sequence[Sample]]
"""By the name of the question."""


def window_of(release: Release, now: datetime) -> timedelta | None:
    """Since the candidate's weight was set, an hour at most, in whole seconds; None while that is too short to hold anything."""
    track = release.tracks[release.candidate or release.stable]
    since = moment(track.shifted or release.since) + SETTLING
    span = min(now - since, LONGEST)
    return None if span < SHORTEST else timedelta(seconds=int(span.total_seconds()))


def questions(application: str, environment: str, window: timedelta | None) -> dict[str, str]:
    """By name, the queries for requests now and, where there is a window, for what each track did in it."""
    chosen = f'application="{application}",environment="{environment}",role="api"'
    asked = {"now": f"sum by (track, bundle) (bento:requests:rate1m{{{chosen}}}) * 60"}
    if window is not None:
        span = f"{{{chosen}}}[{_promql(window)}]"
        for name, series in (("requests", "bento:requests:rate1m"), ("errors", "bento:errors:rate1m")):
            asked[name] = f"sum by (track, bundle) (sum_over_time({series}{span})) * {EVALUATED}"
        buckets = f"sum_over_time(bento:request_duration_seconds_bucket:rate1m{span})"
        asked["durations"] = f"sum by (track, bundle, le) ({buckets}) * {EVALUATED}"
    return asked


def business_questions(
    queries: Mapping[str, Query], release: Release, application: str, environment: str, window: timedelta
) -> dict[str, str]:
    """By name, the application's own queries with the words of `model.rollout.WORDS` filled in."""
    track = release.candidate or release.stable
    words = {
        "track": track,
        "bundle": release.tracks[track].bundle,
        "stable": release.stable,
        "application": application,
        "environment": environment,
        "window": _promql(window),
    }
    assert words.keys() == WORDS
    return {name: WORD.sub(lambda found: words[found[1]], query.query) for name, query in queries.items()}


def requests_per_minute(answers: Answers, release: Release) -> dict[str, float]:
    """By track of the release; of other bundles that ran under its name nothing."""
    found: dict[str, float] = {}
    for sample in answers.get("now", ()):
        track = _track(sample, release)
        if track and math.isfinite(sample.value):
            found[track] = max(0.0, round(sample.value, 3))
    return found


def analysis(answers: Answers, business: Answers, release: Release, window: timedelta) -> ObservedAnalysis:
    """What each track did in the window. A track of which Prometheus does not know both is left out: no data is not nothing, and
    the rules write a 0 where nothing failed."""
    counts: dict[str, dict[str, float]] = {}
    durations: dict[str, dict[str, float]] = {}
    for name in ("requests", "errors"):
        for sample in answers.get(name, ()):
            track = _track(sample, release)
            if track and math.isfinite(sample.value):
                counts.setdefault(track, {})[name] = sample.value
    for sample in answers.get("durations", ()):
        track = _track(sample, release)
        if track and "le" in sample.labels and math.isfinite(sample.value):
            durations.setdefault(track, {})[sample.labels["le"]] = sample.value
    return ObservedAnalysis(
        window=duration(window),
        tracks={
            track: measured(found["requests"], found["errors"], durations.get(track, {}))
            for track, found in counts.items()
            if {"requests", "errors"} <= found.keys()
        },
        queries={name: _number(found) for name, found in business.items()},
    )


def measured(requests: float, errors: float, durations: Mapping[str, float]) -> Measured:
    """Whole requests, of which no more fail than there are. `durations`: cumulative requests by upper bound in seconds.

    Rates are extrapolated, each series for itself, so a lower bound may have a fraction more than a higher one.
    """
    whole = max(0, round(requests))
    counted: dict[str, int] = {}
    most = 0
    for bound in sorted(durations, key=float):
        most = counted[bound] = max(most, round(durations[bound]))
    complete = counted if "+Inf" in counted else None
    return Measured(requests=whole, errors=min(whole, max(0, round(errors))), durations=complete)


def _number(samples: Sequence[Sample]) -> float | None:
    """The one number of an answer; None for no series, several, or no number."""
    return samples[0].value if len(samples) == 1 and math.isfinite(samples[0].value) else None


def _track(sample: Sample, release: Release) -> str:
    track = sample.labels.get("track", "")
    known = release.tracks.get(track)
    return track if known is not None and sample.labels.get("bundle") == known.bundle else ""


def _promql(window: timedelta) -> str:
    return f"{int(window.total_seconds())}s"
