"""A review as one JSON document; docs/review.md describes its shape."""

from __future__ import annotations

from typing import Any

from bento_gitops.reviewing.review import ApplicationReview, Cost, ObjectReview, Review
from bento_gitops.reviewing.risks import Risk
from bento_gitops.reviewing.running import Money, Pods, RunningTrack
from bento_gitops.reviewing.values import Stated, ValueChange

Document = dict[str, Any]


def document(review: Review) -> Document:
    """The whole review."""
    return {
        "base": review.base,
        "currency": review.currency,
        "risk": review.risk,
        "risks": [_risk(risk) for risk in review.risks],
        "cost": _cost(review.cost),
        "applications": [_application(one) for one in review.applications],
        "chart_files": list(review.chart_files),
        "files": [{"file": found.path, "why": found.why, "matters": found.matters} for found in review.files],
        "notes": list(review.notes),
    }


def _application(one: ApplicationReview) -> Document:
    return {
        "environment": one.environment,
        "application": one.application,
        "change": one.change,
        "what": one.headline,
        "risk": one.risk,
        "risks": [_risk(risk) for risk in one.risks],
        "values": [_value(change) for change in one.values],
        "new_tracks": [
            {
                "track": new.track.name,
                "bundle": new.track.bundle,
                "file": new.file,
                "beside": new.against,
                "recorded": [{"what": fact.what, "before": fact.before, "after": fact.after} for fact in new.bundle],
                "values": [_value(change) for change in new.differences],
            }
            for new in one.new_tracks
        ],
        "tracks": {
            "before": [_track(track) for track in one.tracks_before],
            "after": [_track(track) for track in one.tracks_after],
        },
        "pods": [
            {
                "what": restart.what,
                "track": restart.track,
                "component": restart.component,
                "weight": restart.weight,
                "pods": pods(restart.pods),
                "why": list(restart.reasons),
            }
            for restart in one.restarts
        ],
        "scaling": [
            {
                "track": found.track,
                "component": found.component,
                "before": pods(found.before),
                "after": pods(found.after),
            }
            for found in one.scalings
        ],
        "cost": _cost(one.cost),
        "objects": [_object(found) for found in one.objects],
        "undo": [
            {
                "commands": list(way.commands),
                "steps": [{"commands": list(step.commands), "does": step.does} for step in way.steps],
            }
            for way in one.undo
        ],
        "notes": list(one.notes),
    }


def _object(found: ObjectReview) -> Document:
    return {
        "change": found.change,
        "kind": found.kind,
        "name": found.name,
        "track": found.track,
        "component": found.component,
        "restarts_for_another": found.only_checksum,
        "fields": [
            {"path": field.pointer, "before": field.before, "after": field.after, "from": field.origin} for field in found.fields
        ],
    }


def _value(change: ValueChange) -> Document:
    return {
        "path": change.path,
        "component": change.component,
        "tracks": list(change.tracks),
        "before": _stated(change.before),
        "after": _stated(change.after),
    }


def _stated(stated: Stated | None) -> Document | None:
    if stated is None:
        return None
    place = stated.place
    return {"value": stated.value, "layer": stated.layer, "file": place.file, "line": place.line, "note": stated.note}


def _risk(risk: Risk) -> Document:
    return {"level": risk.level, "kind": risk.kind, "reason": risk.reason, "where": risk.where}


def _track(track: RunningTrack) -> Document:
    return {
        "track": track.name,
        "role": track.role,
        "bundle": track.bundle,
        "weight": track.weight,
        "capacity": track.capacity,
        "pods": {name: pods(component.pods) for name, component in track.components.items()},
    }


def pods(found: Pods) -> Document:
    """At least and at most."""
    return {"least": found.low, "most": found.high}


def money(found: Money) -> Document:
    """A month at the least and at the most number of pods, to the cent."""
    return {"least": round(found.low, 2), "most": round(found.high, 2)}


def _cost(cost: Cost) -> Document:
    return {
        "before": money(cost.before),
        "after": money(cost.after),
        "gpus": {"before": pods(cost.gpus_before), "after": pods(cost.gpus_after)},
        "unpriced": [
            {"component": found.name, "before": pods(found.before), "after": pods(found.after)} for found in cost.unpriced
        ],
        "unchanged": cost.same,
    }
