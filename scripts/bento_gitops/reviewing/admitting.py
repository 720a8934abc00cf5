"""Who may ask an application: what of a change lets in whom nobody let in before, or keeps out who was."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from bento_gitops.layers.marked import Plain
from bento_gitops.layers.merging import value_at
from bento_gitops.reviewing.behind import said_at
from bento_gitops.reviewing.comparing import Comparison, Side
from bento_gitops.reviewing.objects import shown

_ASKED = ("address", "filter", "provider")
"""Which service is asked, by whatever a controller asks it with."""


@dataclass(frozen=True, slots=True)
class Admission:
    """One thing that changes about who gets in."""

    level: Literal["low", "medium", "high"]
    reason: str
    where: str
    """file:line, where a line of a file is behind it."""


def admissions(comparison: Comparison) -> Iterator[Admission]:
    """What changes about who gets in; nothing for an application that comes or goes."""
    before, after = comparison.before, comparison.after
    if before is None or after is None:
        return
    was, now = required(before), required(after)
    if now == "none":
        if was != "none":
            reason = f"nobody is asked who he is any more ({was} was required): whoever reaches the routes is answered"
            yield Admission("high", reason, _where(comparison, "require"))
        return
    yield from _left_out_by_the_chart(comparison, now)
    if was == "none":
        yield Admission("medium", f"{now} is required: who asks without it is refused from now on", _where(comparison, "require"))
    elif was != now:
        yield Admission("high", f"{now} is required instead of {was}: others get in", _where(comparison, "require"))
    elif now == "external":
        yield from _of_a_service(comparison, before, after)
    else:
        yield from _of_tokens(comparison, before, after)


def required(side: Side) -> str:
    """What an application requires."""
    return str(value_at(side.values, "routing", "auth", "require") or "none")


def _of_a_service(comparison: Comparison, before: Side, after: Side) -> Iterator[Admission]:
    old, new = (_said(side, "external", *_ASKED) for side in (before, after))
    if old != new:
        reason = f"another service decides who gets in: {shown(old, 100, 'none')} -> {shown(new, 100, 'none')}"
        yield Admission("high", reason, _where(comparison, "external"))
    old, new = (_listed(value_at(side.values, "routing", "auth", "external", "headers")) for side in (before, after))
    if lost := [name for name in old if name not in new]:
        reason = f"the api gets {', '.join(lost)} as clients write it, no longer as the service that is asked does"
        yield Admission("high", reason, _where(comparison, "external.headers"))


def _of_tokens(comparison: Comparison, before: Side, after: Side) -> Iterator[Admission]:
    old, new = (str(value_at(side.values, "routing", "auth", "jwt", "issuer")) for side in (before, after))
    if old != new:
        yield Admission("high", f"tokens of another issuer let in: {old} -> {new}", _where(comparison, "jwt.issuer"))
    old_ones, new_ones = (_listed(value_at(side.values, "routing", "auth", "jwt", "audiences")) for side in (before, after))
    where = _where(comparison, "jwt.audiences")
    if more := [name for name in new_ones if name not in old_ones]:
        yield Admission("high", f"tokens for {', '.join(more)} let in too", where)
    if less := [name for name in old_ones if name not in new_ones]:
        yield Admission("medium", f"tokens for {', '.join(less)} let in no longer", where)


def _left_out_by_the_chart(comparison: Comparison, now: str) -> Iterator[Admission]:
    """The object that asks goes although the values still require it. With another controller another object does."""
    if not comparison.chart_changed:
        return
    for change in comparison.objects:
        manifest = change.manifest
        asks = manifest.kind == "AuthorizationPolicy" or (manifest.kind == "Middleware" and manifest.name.endswith(".auth"))
        if asks and change.change == "removed":
            yield Admission("high", f"{manifest.kind}/{manifest.name} goes although {now} is required", "")


def _said(side: Side, *path: str) -> dict[str, Plain]:
    kind, *keys = path
    found: dict[str, Plain] = {}
    for key in keys:
        value = value_at(side.values, "routing", "auth", kind, key)
        parts = {part: value_at(side.values, "routing", "auth", kind, key, part) for part in ("group", "kind", "name")}
        if value is not None or any(parts.values()):
            found[key] = value if value is not None else parts
    return found


def _listed(value: Plain) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _where(comparison: Comparison, key: str) -> str:
    """Where the first change of a key below `routing.auth` is said; of `require`, where any of them is."""
    changes = [change for change in comparison.values if change.path.startswith("routing.auth.")]
    named = [change for change in changes if change.path.startswith(f"routing.auth.{key}")]
    return next((said_at(change) for change in named or changes), "")
