"""What watches an application: what of it a change takes away, and which setting is behind a field of its PrometheusRule.

Alerts are found in the objects, not in the settings: a chart can leave one out too, and a component without an objective of its
own has the application's.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from bento_gitops.layers.marked import Plain
from bento_gitops.model.base import length
from bento_gitops.reviewing.comparing import Comparison
from bento_gitops.reviewing.objects import ALERTS, FACTS, Field, Manifest, ObjectChange, Path, at, maps, shown, text
from bento_gitops.reviewing.values import ValueChange

RULES, MONITOR = "PrometheusRule", "ServiceMonitor"
SEVERITIES = ("info", "warning", "critical")
"""The least first."""
FIRE_BELOW = ("batch_size",)
"""Thresholds of `alerts` whose alerts tell what is below them: to lower one is to be told less."""
_THRESHOLD = re.compile(r"alerts\.(?!rules\.|runbooks$)\w+$")
_CHOSEN = re.compile(r"monitoring\.(prometheus|operator)(\.|$)")
"""Whether, and by whom, an application is watched."""
_SETTINGS = {"max_concurrency": "traffic.max_concurrency", "timeout_seconds": "traffic.timeout"}
"""Of components, by the series `bento:limit:...` that repeats them."""
_OBJECTIVE = "bento:objective:"
_ITS_NAME = "(its name)"
_ITS_SERIES = re.compile(r'\{application="[^"]*",environment="[^"]*"\}')
_LINES = 200
"""Characters of a label's value in a sentence."""


@dataclass(frozen=True, slots=True)
class Less:
    """Something that is watched less than before, or not at all."""

    everything: bool
    """Nothing is watched any more."""
    reason: str
    causes: tuple[ValueChange, ...] = ()
    """Settings that do it; none where the chart does."""


@dataclass(frozen=True, slots=True)
class Told:
    """A row of what differs."""

    pointer: str
    before: Plain
    after: Plain
    origin: str


@dataclass(frozen=True, slots=True)
class _Fact:
    """A series that repeats a setting."""

    record: str
    track: str
    component: str
    """In kebab-case."""


@dataclass(frozen=True, slots=True)
class _OfAlert:
    """A place in an alert."""

    alert: str
    inside: Path
    """Empty: all of it."""


def is_rule(field: Field) -> bool:
    """Whether the field is of one rule of a PrometheusRule."""
    return _fact(field) is not None or _alert(field) is not None


def settings_behind(comparison: Comparison, field: Field) -> tuple[ValueChange, ...]:
    """The settings that a rule of a PrometheusRule comes from; empty where none of those that change is behind it."""
    fact, alert = _fact(field), _alert(field)
    if fact:
        return tuple(_behind_fact(comparison, fact))
    return tuple(change for change in comparison.values if alert and _is_behind(change, alert, field))


def _behind_fact(comparison: Comparison, fact: _Fact) -> Iterator[ValueChange]:
    name = fact.record.rpartition(":")[2]
    setting = f"slo.{name}" if fact.record.startswith(_OBJECTIVE) else _SETTINGS.get(name, "")
    component = comparison.service(fact.component)
    own = [
        change
        for change in comparison.values
        if change.component == component and change.setting == setting and fact.track in change.tracks
    ]
    yield from own
    if not any(change.after for change in own):  # with an objective of its own, the application's is none to it
        yield from (change for change in comparison.values if not change.component and change.path == setting)


def _is_behind(change: ValueChange, alert: _OfAlert, field: Field) -> bool:
    match alert.inside:
        case ():
            return change.path == f"alerts.rules.{alert.alert}.enabled"
        case ("for",):
            return change.path == f"alerts.rules.{alert.alert}.for"
        case ("labels", "severity"):
            return change.path == f"alerts.rules.{alert.alert}.severity"
        case ("labels", _):
            return change.path.startswith("labels.")
        case ("annotations", "runbook_url"):
            return change.path == "alerts.runbooks"
        case ("expr",):
            was, now = (_number(side.value) if side else None for side in (change.before, change.after))
            return bool(_THRESHOLD.fullmatch(change.path)) and (was, now) == tuple(_compared(words) for words in _changed(field))
        case _:
            return False


def folded(fields: Sequence[tuple[Field, str]]) -> Iterator[Told]:
    """Fields of a PrometheusRule, each with what is behind it: the same change of several rules as one row."""
    groups: dict[object, list[Field]] = {}
    origins: dict[object, str] = {}
    for field, origin in fields:
        fact, alert = _fact(field), _alert(field)
        if fact:
            key: object = (fact.record, repr(field.before), repr(field.after), origin)
        elif alert and alert.inside:
            key = (alert.inside, *(repr(side) for side in _without_name(field, alert)), origin)
        else:
            key = (field.path, repr(field.before), repr(field.after))
        groups.setdefault(key, []).append(field)
        origins[key] = origin
    for key, same in groups.items():
        yield _row(same, origins[key])


def _row(same: Sequence[Field], origin: str) -> Told:
    first = same[0]
    facts = [fact for fact in map(_fact, same) if fact]
    if facts:
        return Told(f"{facts[0].record} {_who(facts)}", first.before, first.after, origin)
    alerts = list(dict.fromkeys(alert.alert for alert in map(_alert, same) if alert))
    of_first = _alert(first)
    if of_first is None or len(alerts) == 1:
        return Told(first.pointer, *_shorter(first), origin)
    return Told(f"{'.'.join(of_first.inside)} of {', '.join(alerts)}", *_without_name(first, of_first), origin)


def _shorter(field: Field) -> tuple[Plain, Plain]:
    """Both sides, without the labels that choose the application's series, which every selector has: room for what changes."""
    before, after = (_ITS_SERIES.sub("{...}", side) if isinstance(side, str) else side for side in (field.before, field.after))
    return (before, after) if before != after else (field.before, field.after)


def _who(facts: Collection[_Fact]) -> str:
    """On blue, green of api, runner."""
    by_track: dict[str, list[str]] = {}
    for fact in facts:
        by_track.setdefault(fact.track, []).append(fact.component)
    by_components: dict[tuple[str, ...], list[str]] = {}
    for track, components in by_track.items():
        by_components.setdefault(tuple(sorted(components)), []).append(track)
    return "; ".join(f"on {', '.join(tracks)} of {', '.join(components)}" for components, tracks in by_components.items())


def _fact(field: Field) -> _Fact | None:
    match field.path:
        case ("spec", "groups", group, "rules", name) if group.endswith(f"{FACTS}]"):
            record, track, component = name.split(" ")
            return _Fact(record, track, component)
        case _:
            return None


def _alert(field: Field) -> _OfAlert | None:
    match field.path:
        case ("spec", "groups", group, "rules", name, *inside) if group.endswith(f"{ALERTS}]") and name.startswith("["):
            return _OfAlert(name.strip("[]"), tuple(inside))
        case _:
            return None


def _without_name(field: Field, alert: _OfAlert) -> tuple[Plain, Plain]:
    """Both sides as they are the same for other alerts: an expr by the words that change, a page without the alert's name."""
    if alert.inside == ("expr",) and isinstance(field.before, str) and isinstance(field.after, str):
        before, after = _changed(field)
        return before, after
    before, after = (
        side.replace(alert.alert, _ITS_NAME) if isinstance(side, str) else side for side in (field.before, field.after)
    )
    return before, after


def _changed(field: Field) -> tuple[str, str]:
    """The words of a line that change, with the one before them: `> 0.5`."""
    old, new = text(field.before).split(), text(field.after).split()
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    before, after = (" ".join(words[max(0, start - 1) : len(words) - end]).rstrip(",)") for words in (old, new))
    return before, after


def _compared(words: str) -> float | None:
    """The number at the end of changed words."""
    return _number(words.rpartition(" ")[2])


def _number(value: Plain) -> float | None:
    """Helm writes numbers in its own way: 1000000 becomes 1e+06."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def watched_less(comparison: Comparison) -> Iterator[Less]:
    """What nobody is told any more, or later, or less loudly, of an application that stays."""
    if not comparison.before or not comparison.after:
        return
    changes = {kind: [change for change in comparison.objects if change.manifest.kind == kind] for kind in (RULES, MONITOR)}
    gone = [change for kind in (RULES, MONITOR) for change in changes[kind] if change.change == "removed"]
    if gone:
        kinds = " and ".join(change.manifest.kind for change in gone)
        number = sum(len(_alerts(manifest)) for manifest in comparison.before.manifests if manifest.kind == RULES)
        behind = tuple(change for change in comparison.values if _CHOSEN.match(change.path))
        verb = "is" if len(gone) == 1 else "are"
        yield Less(True, f"{kinds} {verb} removed: {number} alerts, dashboards and canary analysis end", behind)
        return
    kept = [change for kind in (RULES, MONITOR) for change in changes[kind] if change.before and change.after]
    yield from _unlabelled(comparison, kept)
    for change in kept:
        if change.manifest.kind == RULES:
            yield from _alerts_less(comparison, change)
            yield from _objectives_less(comparison, change)
    if any(manifest.kind == RULES for manifest in comparison.after.manifests):
        yield from _thresholds_less(comparison)


def _unlabelled(comparison: Comparison, kept: Sequence[ObjectChange]) -> Iterator[Less]:
    """Labels of `monitoring.labels`, by which a Prometheus chooses what it reads."""
    for value in comparison.values:
        if not value.path.startswith("monitoring.labels.") or value.before is None:
            continue
        label = value.path.removeprefix("monitoring.labels.").strip('"')
        on = [change.manifest.kind for change in kept if any(field.path[-1] == label for field in change.fields)]
        if on:
            both = " -> ".join(shown(side and side.value, _LINES) for side in (value.before, value.after))
            why = "a Prometheus that chooses by it does so no more"
            yield Less(False, f"label {label} {both} on {', '.join(on)}: {why}", (value,))


def _alerts_less(comparison: Comparison, change: ObjectChange) -> Iterator[Less]:
    assert change.before and change.after, "it is on both sides"
    old, new = _alerts(change.before), _alerts(change.after)
    for name, was in old.items():
        now = new.get(name)

        def behind(setting: str, alert: str = name) -> tuple[ValueChange, ...]:
            return tuple(value for value in comparison.values if value.path == f"alerts.rules.{alert}.{setting}")

        if now is None:
            yield Less(False, f"alert {name} ({was.severity}) is turned off", behind("enabled"))
            continue
        if _rank(now.severity) < _rank(was.severity):
            yield Less(False, f"alert {name}: severity {was.severity} -> {now.severity}", behind("severity"))
        if length(now.lasting) > length(was.lasting):
            reason = f"alert {name}: somebody is told after {now.lasting}, before after {was.lasting}"
            yield Less(False, reason, behind("for"))


def _objectives_less(comparison: Comparison, change: ObjectChange) -> Iterator[Less]:
    assert change.after, "it is on both sides"
    running = {
        (text(at(rule, "labels", "track")), text(at(rule, "labels", "component")))
        for rule in _rules(change.after, FACTS)
        if rule.get("record") == "bento:workload"
    }
    found: dict[tuple[str, Plain, Plain], list[tuple[_Fact, Field]]] = {}
    for field in change.fields:
        fact = _fact(field)
        was, now = _number(field.before), _number(field.after)
        if fact is None or not fact.record.startswith(_OBJECTIVE) or was is None:
            continue
        # A component without pods has no objective, and needs none.
        if (fact.track, fact.component) in running and (now is None or now > was):
            found.setdefault((fact.record, field.before, field.after), []).append((fact, field))
    for (record, was, now), same in found.items():
        on = ", ".join(dict.fromkeys(fact.track for fact, _ in same))
        components = ", ".join(sorted({fact.component for fact, _ in same}))
        causes = dict.fromkeys(cause for _, field in same for cause in settings_behind(comparison, field))
        name = record.removeprefix(_OBJECTIVE)
        yield Less(False, f"objective {name} {was} -> {now or 'none'} for {components} on {on}", tuple(causes))


def _thresholds_less(comparison: Comparison) -> Iterator[Less]:
    for change in comparison.values:
        if not _THRESHOLD.fullmatch(change.path) or change.before is None:
            continue
        was, now = (_number(side.value) if side else None for side in (change.before, change.after))
        below = change.path.removeprefix("alerts.") in FIRE_BELOW
        if was is None or now is None or (now < was if below else now > was):
            values = " -> ".join(shown(side and side.value, _LINES) for side in (change.before, change.after))
            yield Less(False, f"{change.path} {values}: less is told", (change,))


@dataclass(frozen=True, slots=True)
class _Alert:
    severity: str
    lasting: str
    """How long it must hold: `for`."""


def _alerts(manifest: Manifest) -> dict[str, _Alert]:
    return {
        text(rule.get("alert")): _Alert(text(at(rule, "labels", "severity")), text(rule.get("for")))
        for rule in _rules(manifest, ALERTS)
    }


def _rules(manifest: Manifest, ending: str) -> Iterator[dict[str, Plain]]:
    for group in maps(at(manifest.body, "spec", "groups")):
        if text(group.get("name")).endswith(ending):
            yield from maps(group.get("rules"))


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)
