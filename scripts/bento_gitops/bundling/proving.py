"""Which batching limits follow which environment variable: found in the syntax tree, proved by importing again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from bento_gitops.bundling.imports import LIMITS, Follows, Importer, ImportFailed, ImportReport, facts, limit_pointer
from bento_gitops.model.inspection import Remark

MOST_VARIABLES = 16
"""More are not tried one at a time: each costs a process."""

NEVER_SET = frozenset({"PATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "HOME", "LANG", "TMPDIR", "BENTOML_HOME", "BENTOML_DO_NOT_TRACK"})
"""What an import itself needs: another value would show how Python or BentoML fails, not what the Bento does."""

DECLARED = ("name", "resources", "workers", "traffic", "envs", "labels", "path_prefix")
_ADVICE = "write int(os.environ.get(NAME, DEFAULT)) in the decorator or as a constant of the module, or a plain number"


@dataclass(frozen=True, slots=True)
class Proof:
    """Limits that follow a variable, by pointer, and what could not be proved."""

    variables: Mapping[str, str]
    unresolved: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class _Probe:
    """One more import: what was set, and what differed from the first."""

    set: Mapping[str, str]
    differs: Mapping[str, JsonValue]
    failed: str = ""


def prove(first: ImportReport, importer: Importer) -> Proof:
    """Imports again with other values of the variables that limits may follow, and tells what followed and what did not."""
    limits = _limits(first)
    before = facts(first)
    candidates = sorted({name for follows in limits.values() for name in follows.variables})
    if any(follows.beyond for follows in limits.values()):
        candidates = sorted({*candidates, *first.read} - NEVER_SET)
    probes = _probes(candidates, before, limits, importer)
    proved: dict[str, str] = {}
    unresolved = _declared(first)
    for pointer, follows in limits.items():
        answer = _followed(pointer, follows, probes, before[pointer])
        if isinstance(answer, Remark):
            unresolved.append(answer)
        elif answer:
            proved[pointer] = answer
    elsewhere = [name for name in first.read if name not in proved.values()]
    for pointer, follows in limits.items():
        if follows.beyond and pointer not in proved and (elsewhere or first.read_all):
            unresolved.append(_may_follow(pointer, follows, elsewhere))
    for service, seen in first.services.items():
        for declared, follows in seen.follows.items():
            if declared in DECLARED and follows.beyond and not follows.variables and (elsewhere or first.read_all):
                unresolved.append(_may_follow(f"services.{service}.{declared}", follows, elsewhere))
    for probe in probes:
        for pointer, value in probe.differs.items():
            if pointer not in limits and not any(pointer.startswith(f"{remark.pointer}.") for remark in unresolved):
                text = f"is {before.get(pointer)!r}, but {value!r} with {_shown(probe.set)}; write the value in the code"
                unresolved.append(Remark(pointer=pointer, reason=text))
    told: dict[str, Remark] = {}
    for remark in unresolved:
        told.setdefault(remark.pointer, remark)
    return Proof(proved, tuple(told.values()))


def _limits(report: ImportReport) -> dict[str, Follows]:
    """The limits of every batchable API that are more than a literal or a constant."""
    return {
        limit_pointer(service, api, limit): seen.follows[f"apis.{api}.{limit}"]
        for service, seen in report.services.items()
        for api, told in seen.apis.items()
        for limit in LIMITS
        if told.batchable and f"apis.{api}.{limit}" in seen.follows
    }


def _declared(report: ImportReport) -> list[Remark]:
    """What names an environment variable and yet has no place for one in a bundle."""
    return [
        Remark(
            pointer=f"services.{service}.{declared}",
            reason=f"follows the environment ({', '.join(follows.variables)}); write the value, config.yaml overrides it",
        )
        for service, seen in report.services.items()
        for declared, follows in seen.follows.items()
        if declared in DECLARED and follows.variables
    ]


def _probes(
    candidates: list[str], before: Mapping[str, JsonValue], limits: Mapping[str, Follows], importer: Importer
) -> list[_Probe]:
    """One import with another value for all; where the code refuses that, one for each variable."""
    if not candidates:
        return []
    values = _other_values(candidates, before, limits)
    together = _probe(values, before, importer)
    if not together.failed or len(candidates) == 1:
        return [together]
    return [_probe({name: values[name]}, before, importer) for name in candidates[:MOST_VARIABLES]]


def _other_values(candidates: list[str], before: Mapping[str, JsonValue], limits: Mapping[str, Follows]) -> dict[str, str]:
    """For each variable a value near the limit that names it, unlike every value seen: it is known again when it comes back."""
    taken = {value for value in before.values() if isinstance(value, int)}
    values: dict[str, str] = {}
    for name in candidates:
        near = next((before[pointer] for pointer, follows in limits.items() if name in follows.variables), 32)
        value = near + 1 if isinstance(near, int) else 33
        while value in taken:
            value += 1
        taken.add(value)
        values[name] = str(value)
    return values


def _probe(values: Mapping[str, str], before: Mapping[str, JsonValue], importer: Importer) -> _Probe:
    try:
        after = facts(importer(values))
    except ImportFailed as error:
        return _Probe(values, {}, str(error).strip().splitlines()[-1])
    return _Probe(values, {key: after.get(key) for key in sorted({*before, *after}) if before.get(key) != after.get(key)})


def _followed(pointer: str, follows: Follows, probes: list[_Probe], default: JsonValue) -> str | Remark:
    """The variable that set the limit in a probe; "" if none did and none was named; else why it is not known."""
    came_back = {name for probe in probes for name, value in probe.set.items() if probe.differs.get(pointer) == int(value)}
    if len(came_back) == 1 and (follows.beyond or follows.variables == list(came_back)):
        return came_back.pop()
    moved = [probe for probe in probes if pointer in probe.differs]
    if not follows.variables and not moved:
        return ""
    names = ", ".join(follows.variables) or _shown(moved[0].set)
    for probe in probes:
        if probe.failed and set(follows.variables) & set(probe.set):
            return Remark(pointer=pointer, reason=f"names {names}, but importing with {_shown(probe.set)} failed: {probe.failed}")
    if moved:
        came = f"{default} -> {moved[0].differs[pointer]} with {_shown(moved[0].set)}"
        return Remark(pointer=pointer, reason=f"changes with {names}, but not to the value that is set ({came}); {_ADVICE}")
    tried = ", ".join(_shown({name: probe.set[name]}) for probe in probes for name in follows.variables if name in probe.set)
    return Remark(
        pointer=pointer, reason=f"names {names}, but stays {default} when imported with {tried or 'another value'}; {_ADVICE}"
    )


def _may_follow(pointer: str, follows: Follows, read: list[str]) -> Remark:
    names, parts = ", ".join(read) or "all variables", "`, `".join(follows.beyond)
    reason = f"`{parts}` cannot be followed, and the code reads {names} at import; write a literal or a constant of the module"
    return Remark(pointer=pointer, reason=reason)


def _shown(values: Mapping[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())
