"""Files that differ without an effect on any object: what in them differs, and why no object shows it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from bento_gitops.layers.marked import Plain
from bento_gitops.reviewing.objects import Field, differences, shown
from bento_gitops.reviewing.review import ApplicationReview, FileReview

_SHOWN = ("services", "bundles", "mode", "labels", "routing", "defaults", "overrides", "types", "namespace", "cluster", "chart")
"""Keys that the objects, the cost or the risks show where they have an effect."""
_RULES = ("rollout", "evaluation", "promotion", "registries", "guardrails", "extends", "live_min_replicas")
"""What decides how, and which, bundles come in."""
_CLOCKS = ("since", "shifted")
_EVIDENCE = re.compile(r"environments/[^/]+/[^/]+/evidence/")
MOST = 4


Told = Mapping[str, Collection[str]]
"""By file: the paths of values that it is behind, in people's spelling."""


def told_by(applications: Collection[ApplicationReview]) -> Told:
    """The files that a line of the review names already, each with what it says there."""
    told: dict[str, set[str]] = {}
    for one in applications:
        for change in one.values:
            for side in filter(None, (change.before, change.after)):
                told.setdefault(side.place.file, set()).add(change.path)
    return told


def file_review(path: str, before: Plain, after: Plain, told: Told, *, used: bool) -> FileReview | None:
    """What there is to say of a file that differs; None where the applications say it all.

    `before` and `after` are its content, None where it is not there; `told` what values were found to come from it; `used`
    whether an application that reads it has something to say.
    """
    if _EVIDENCE.match(path):
        return FileReview(path, "evidence: what was seen of a bundle; gates read it, no object shows it")
    if before == after:
        return FileReview(path, "comments or layout only")
    if path.startswith("bundles/"):
        if used:
            return None
        return FileReview(
            path, "a bundle that no release names" if after is not None else "a bundle that no release named is removed"
        )
    fields = [field for field in differences(before, after) if field.path and field.path[-1] not in _CLOCKS]
    if path.endswith("/release.yaml"):
        return None if used else FileReview(path, f"no object shows it: {_listed(fields)}", True)
    aside = [field for field in fields if _top(field) not in _SHOWN and not _is_behind(field, told.get(path, ()))]
    if aside:
        return FileReview(path, f"no object shows it: {_listed(aside)}", any(_top(field) in _RULES for field in aside))
    if path in told or used:
        return None
    return FileReview(path, f"hidden by a higher layer, or read by nothing that runs: {_listed(fields)}")


def _is_behind(field: Field, values: Collection[str]) -> bool:
    """Whether the field, or some of it, is behind one of the values."""
    own = field.pointer.removeprefix("defaults.")
    return any(f"{value}.".startswith(f"{own}.") or f"{own}.".startswith(f"{value}.") for value in values)


def _top(field: Field) -> str:
    """The key that the field is below; below `defaults`, the next one, which is the same key for every application."""
    first, *rest = field.path
    return rest[0] if first == "defaults" and rest and rest[0] not in ("roles",) else first


def _listed(fields: Collection[Field]) -> str:
    return "; ".join(_in_words(list(fields))) or "nothing but times"


def _in_words(fields: list[Field]) -> Iterator[str]:
    for field in fields[:MOST]:
        yield f"{field.pointer} {shown(field.before, 60)} -> {shown(field.after, 60)}"
    if len(fields) > MOST:
        yield f"{len(fields) - MOST} more"
