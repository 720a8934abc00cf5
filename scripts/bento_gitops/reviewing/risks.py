"""What of a change can go wrong: one small function for each kind of risk, in one table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from bento_gitops.layers.constraints import cores, size
from bento_gitops.layers.merging import ResolvedMap, leaves_of, value_at
from bento_gitops.layers.overriding import fragments
from bento_gitops.reviewing.admitting import admissions
from bento_gitops.reviewing.behind import said_at
from bento_gitops.reviewing.comparing import Comparison, Side
from bento_gitops.reviewing.objects import Manifest, policy_peers, shown
from bento_gitops.reviewing.restarts import restarts
from bento_gitops.reviewing.running import RunningComponent, RunningTrack, at_least
from bento_gitops.reviewing.values import ValueChange, components_of, tracks_of
from bento_gitops.reviewing.watching import watched_less

Level = Literal["low", "medium", "high"]
LEVELS: tuple[Level, ...] = ("low", "medium", "high")
ACCESS = "access"
"""The kind of whatever opens or closes: networks, routes, Secrets, images, what a pod may do."""


@dataclass(frozen=True, slots=True)
class Risk:
    """One thing that can go wrong."""

    level: Level
    kind: str
    """A word or two: traffic shift, pod restart."""
    reason: str
    """What exactly, in words that say which track, component and number."""
    where: str = ""
    """file:line, where a line of a file is behind it."""


def risks(comparison: Comparison) -> tuple[Risk, ...]:
    """All of them, the highest first."""
    found = dict.fromkeys(risk for rule in RULES for risk in rule(comparison))
    return tuple(sorted(found, key=lambda risk: (-LEVELS.index(risk.level), _ORDER.get(risk.kind, len(_ORDER)), risk.reason)))


def highest(found: Iterable[Risk]) -> Level:
    """The overall level; low where there is none."""
    levels = {risk.level for risk in found}
    return "high" if "high" in levels else "medium" if "medium" in levels else "low"


def application(comparison: Comparison) -> Iterator[Risk]:
    before, after = comparison.before, comparison.after
    if before is None and after is not None:
        shown = ", ".join(f"{track.name} {track.weight} %" for track in comparison.runs_after.tracks.values())
        paths = sorted({path for track in tracks_of(after.values).values() for path in _public(track)})
        hosts = value_at(after.values, "routing", "hostnames")
        at = ", ".join(map(str, hosts)) if isinstance(hosts, list) else "any host"
        where = f"it answers {', '.join(paths) or 'every path'} at {at}"
        reason = f"it takes live requests at once ({shown}), and nothing ran before to compare it with; {where}"
        yield Risk("medium", "application added", reason, after.sources.release.tree.place.file)
    if before is not None and after is None:
        weight = sum(track.weight for track in comparison.runs_before.tracks.values())
        open_ = before.release.retiring is None
        retire = f"its routes are open: run `bento-gitops retire {comparison.target}` first, or callers get errors"
        why = retire if open_ else "its routes were closed before"
        file = before.sources.release.tree.place.file
        reason = f"its objects leave Git, because its release.yaml was deleted; its pods stop when Argo CD prunes them; {why}"
        yield Risk("high" if open_ and weight else "medium", "application removed", reason, file)


def place(comparison: Comparison) -> Iterator[Risk]:
    """A namespace or a cluster is in no object, and moves all of them."""
    if not comparison.before or not comparison.after:
        return
    old, new = (side.sources.own.value for side in (comparison.before, comparison.after))
    for word, was, now in (("namespace", old.namespace, new.namespace), ("cluster", old.cluster, new.cluster)):
        if was != now:
            file = comparison.after.sources.own.tree
            reason = (
                f"the {word} changes from {was} to {now}: everything is made anew there, and what runs is removed or left behind"
            )
            yield Risk("high", "another place", reason, str(file.at(word)))


def traffic(comparison: Comparison) -> Iterator[Risk]:
    before, after = comparison.before, comparison.after
    if not before or not after:
        return
    where = {
        change.tracks[0]: said_at(change) for change in comparison.values if change.path.endswith(".weight") and change.tracks
    }
    if before.release.retiring is None and after.release.retiring is not None:
        yield Risk(
            "high",
            "traffic shift",
            "the routes close: no live request is answered any more",
            f"{after.sources.release.tree.place.file}",
        )
    for name, track in comparison.runs_after.tracks.items():
        old = comparison.runs_before.track(name)
        was, now = old.weight if old else 0, track.weight
        if now <= was:
            continue
        moved = now - was
        givers = [
            f"{other.name} ({other.bundle}) {other.weight} % -> {_weight(comparison.runs_after.track(other.name))} %"
            for other in comparison.runs_before.tracks.values()
            if other.weight > _weight(comparison.runs_after.track(other.name))
        ]
        level: Level = "high" if moved > 50 else "medium" if moved > 10 else "low"
        reason = f"{moved} % of live requests move to {name} ({track.bundle}), {was} % -> {now} %; {', '.join(givers)}"
        fewest = at_least(track, _from(comparison, name))
        if name == before.release.stable:
            level = "low" if moved <= 50 else "medium"
            reason += f"; it is the stable track and keeps at least {fewest}; the autoscaler adds the rest"
        elif old is not None and old.role == "standby" and old.capacity == "full" and not restarts(comparison):
            all_ = "all requests move at once, as a rollback does; " if moved == 100 else ""
            reason += f"; {all_}it is the standby and keeps at least {fewest}; the autoscaler adds the rest"
        elif level != "low":
            reason += f"; {'more than half' if level == 'high' else 'more than 10 %'} at once"
        yield Risk(level, "traffic shift", reason, where.get(name, ""))


def _from(comparison: Comparison, track: str) -> RunningTrack | None:
    """The track that the most requests leave."""
    others = [other for name, other in comparison.runs_before.tracks.items() if name != track]
    return max(others, key=lambda other: other.weight - _weight(comparison.runs_after.track(other.name)), default=None)


def by_header(comparison: Comparison) -> Iterator[Risk]:
    """A new track without live requests is reached all the same by who asks for it."""
    if not comparison.before or not comparison.after or value_at(comparison.after.values, "routing", "controller") == "none":
        return
    for name, track in comparison.runs_after.tracks.items():
        if comparison.runs_before.track(name) is None and not track.weight:
            reason = f"callers that send `x-bento-track: {name}` reach {name} ({track.bundle}) at weight 0 too; nobody else does"
            yield Risk("low", "new track", reason)


def _weight(track: RunningTrack | None) -> int:
    return track.weight if track else 0


def tracks(comparison: Comparison) -> Iterator[Risk]:
    if not comparison.before or not comparison.after:
        return
    for name in comparison.in_place:
        old, new = (side.tracks[name] for side in (comparison.runs_before, comparison.runs_after))
        what = f"bundle {old.bundle} -> {new.bundle}" if old.bundle != new.bundle else f"the image of bundle {new.bundle}"
        if name in comparison.cut_off:
            lost = f"{new.weight} % of live requests fail until its pods are ready"
        elif new.weight:
            lost = "its pods are replaced one after another, and what answers meanwhile is a mix"
        else:
            lost = "it gets no live requests"
        reason = f"{what} changes on track {name}, which runs: {lost}"
        yield Risk("high" if new.weight or old.weight else "medium", "bundle changed in place", reason)
    for name, track in comparison.runs_before.tracks.items():
        if name in comparison.runs_after.tracks:
            continue
        if track.weight:
            yield Risk(
                "high", "track removed", f"{name} ({track.bundle}) is removed while {track.weight} % of live requests go there"
            )
        else:
            rest = (
                "a rollback takes two commits from here on, because its pods start first"
                if _is_alone(comparison)
                else "it gets no live requests"
            )
            yield Risk(
                "low", "track removed", f"{name} ({track.bundle}, {track.role or 'without a part in the release'}): {rest}"
            )


def _is_alone(comparison: Comparison) -> bool:
    return len(comparison.runs_after.tracks) == 1


def standby(comparison: Comparison) -> Iterator[Risk]:
    if not comparison.before or not comparison.after:
        return
    order = ("cold", "warm", "full")
    said = comparison.after.release.standby
    for name, track in comparison.runs_after.tracks.items():
        if track.role != "standby" or said is None:
            continue
        old = comparison.runs_before.track(name)
        if track.capacity != "full":
            lower = old is not None and order.index(track.capacity) < order.index(old.capacity)
            where = str(comparison.after.sources.release.tree.at("standby"))
            has = "no pods" if track.capacity == "cold" else "one pod of each component"
            reason = f"{name} ({track.bundle}) stands by with {has}: a rollback to it waits for the others"
            if lower or old is None or old.role != "standby":
                yield Risk("medium", "standby capacity", reason, where)


def capacity(comparison: Comparison) -> Iterator[Risk]:
    """Fewer pods, or smaller ones, where live requests go."""
    for old_track, new_track in _on_both(comparison):
        if new_track.weight == 0:
            continue
        share = f"on {new_track.name}, {new_track.weight} % of live requests"
        for name, new in new_track.components.items():
            old = old_track.components.get(name)
            if old is None:
                continue
            smaller = old_track.weight > new_track.weight and new_track.role != "stable"
            for found in (None if smaller else _fewer(old, new), _smaller(old, new)):
                if found is not None:
                    half, what, setting = found
                    where = _where(comparison, name, new_track.name, setting)
                    yield Risk("high" if half else "medium", "capacity down", f"{name} {share}: {what}", where)


_Less = tuple[bool, str, str]
"""Whether it is half or less; what is less, in words; the setting that says so."""


def _fewer(old: RunningComponent, new: RunningComponent) -> _Less | None:
    """Fewer pods."""
    found: list[_Less] = []
    for word, was, now, setting in (
        ("pods at least", old.pods.low, new.pods.low, "scaling.min_replicas"),
        ("pods at most", old.pods.high, new.pods.high, "scaling.max_replicas"),
    ):
        if now < was:
            alone = " (a single pod: whatever ends it is an outage)" if now == 1 and setting == "scaling.min_replicas" else ""
            found.append((2 * now <= was, f"{was} -> {now} {word}{alone}", setting))
    return _together(found)


def _smaller(old: RunningComponent, new: RunningComponent) -> _Less | None:
    """Smaller pods."""
    found: list[_Less] = []
    for word, was, now, amount, setting in (
        ("CPU request", old.cpu, new.cpu, cores, "resources.cpu"),
        ("memory request", old.memory, new.memory, size, "resources.memory"),
        ("memory limit", old.memory_limit, new.memory_limit, size, "resources.limits.memory"),
    ):
        before, after = (Decimal(amount(said)) if said else Decimal(0) for said in (was, now))
        if after < before:
            end = f", so that a pod above {now} is ended (OOM)" if word == "memory limit" else ""
            found.append((2 * after <= before, f"{word} {was} -> {now}{end}", setting))
    return _together(found)


def _together(found: list[_Less]) -> _Less | None:
    if not found:
        return None
    return any(half for half, _, _ in found), "; ".join(what for _, what, _ in found), found[0][2]


def placement(comparison: Comparison) -> Iterator[Risk]:
    """Pods that may run elsewhere than before."""
    key = "placement.node_selector."
    found: dict[tuple[str, tuple[str, ...], str], list[tuple[str, str, str]]] = {}
    for change in comparison.values:
        if change.component and change.setting.startswith(key):
            was, now = (str(side.value) if side else "" for side in (change.before, change.after))
            label = change.setting.removeprefix(key)
            found.setdefault((change.component, change.tracks, said_at(change)), []).append((label, was, now))
    for (component, tracks, where), labels in found.items():
        was, now = (", ".join(f"{label[0]}={label[side]}" for label in labels if label[side]) for side in (1, 2))
        if now:
            what = f"only on nodes with {now}{f', no longer on those with {was}' if was else ''}: pods wait where there is none"
        else:
            what = f"on any node, no longer only on those with {was}"
        yield Risk("medium", "placement", f"{component} on {', '.join(tracks)} runs {what}", where)


def gpus(comparison: Comparison) -> Iterator[Risk]:
    for old_track, new_track in _on_both(comparison):
        for name, new in new_track.components.items():
            old = old_track.components.get(name)
            if old is None or old.gpu == new.gpu:
                continue
            lost = new.gpu < old.gpu
            where = _where(comparison, name, new_track.name, "resources.gpu")
            what = "GPU lost" if lost else "GPU gained"
            why = "what needs one does not start, or is slow" if lost else "pods wait for a node that has one"
            yield Risk(
                "high" if lost else "medium", what, f"{name} on {new_track.name}: {old.gpu} -> {new.gpu} a pod; {why}", where
            )


def _on_both(comparison: Comparison) -> Iterator[tuple[RunningTrack, RunningTrack]]:
    for name, new in comparison.runs_after.tracks.items():
        old = comparison.runs_before.track(name)
        if old is not None:
            yield old, new


def _where(comparison: Comparison, component: str, track: str, setting: str) -> str:
    for change in comparison.values:
        if change.component == component and change.setting == setting and track in change.tracks:
            return said_at(change)
    return ""


def pods(comparison: Comparison) -> Iterator[Risk]:
    """What restarts although it was not asked to change its bundle."""
    by_track: dict[str, list[str]] = {}
    weights: dict[str, int] = {}
    for restart in restarts(comparison):
        if restart.what == "restart":
            by_track.setdefault(restart.track, []).append(f"{restart.component} ({', '.join(restart.reasons)})")
            weights[restart.track] = restart.weight
    for track, components in by_track.items():
        live = weights[track]
        share = f"{live} % of live requests" if live else "no live requests"
        how = "one pod after another, none is taken away before its successor is ready"
        if track in comparison.cut_off:
            how = "the pods that run get no requests meanwhile"
        reason = f"track {track}, {share}: {', '.join(components)}; {how}"
        yield Risk("medium" if live else "low", "pod restart", reason)


def broken_glass(comparison: Comparison) -> Iterator[Risk]:
    old, new = (side.release.break_glass if side else None for side in (comparison.before, comparison.after))
    if new is not None and new != old:
        assert comparison.after, "it says so"
        where = str(comparison.after.sources.release.tree.at("break_glass"))
        yield Risk("high", "gates broken", f"{new.by} goes on although these failed: {', '.join(new.gates)}; {new.reason}", where)


def overrides(comparison: Comparison) -> Iterator[Risk]:
    old, new = (_overrides(side) for side in (comparison.before, comparison.after))
    for key, (reason, where) in new.items():
        if key not in old:
            yield Risk("low", "override added", reason, where)
    for key, (reason, where) in old.items():
        if key not in new and comparison.after:
            yield Risk("low", "override ended", f"{reason}; what the files below it say counts again", f"before: {where}")


def _overrides(side: Side | None) -> dict[str, tuple[str, str]]:
    """By content: who wants it and why, and where it stands."""
    if side is None or side.overrides is None:
        return {}
    found: dict[str, tuple[str, str]] = {}
    entries = zip(side.overrides.value.overrides, fragments(side.overrides), strict=True)
    for entry, fragment in entries:
        end = f"until {entry.expires}, and after that until a pull request removes it"
        said = f"{entry.reason} (owner {entry.owner}; it counts {end})"
        found[repr(entry)] = (said, str(fragment.place))
    return found


_PATH = "a public path"
_EXPOSED: tuple[tuple[re.Pattern[str], Level, str], ...] = (
    (re.compile(r"routing\.hostnames?$"), "high", "host names"),
    (re.compile(r"routing\.(gateway|proxy)(\.|$)"), "high", "who may reach the api"),
    (re.compile(r"routing\.controller$"), "high", "what routes requests"),
    (re.compile(r"routing\.(tls|headers|rules|mirror)(\.|$)"), "medium", "routes"),
    (re.compile(r"routing\.closed$"), "high", "routes"),
    (re.compile(r"routing\.max_body$"), "medium", "the largest body that is let in"),
    (re.compile(r"\.(route|task)$"), "medium", _PATH),
    (re.compile(r"\.egress(\.|$)"), "high", "where a component may call"),
    (re.compile(r"\.secrets$"), "medium", "Secrets that a component reads"),
    (re.compile(r"image_pull_secrets$"), "medium", "Secrets that images are pulled with"),
    (re.compile(r"monitoring\.prometheus(\.|$)"), "medium", "who may read metrics, on the port that takes pickle"),
    (re.compile(r"\.image\.repository$"), "high", "where the image comes from"),
)
_EGRESS = re.compile(r"\.egress(\.|$)")
_HARDENING_WHY = (
    (r"securityContext", "what processes of a pod may do"),
    (r"serviceAccountName|automountServiceAccountToken", "what pods may do in the cluster"),
    (r"host(Network|PID|IPC|Path|Users)", "pods reach into their node"),
    (r"enableServiceLinks", "whether pods are told every Service of their namespace"),
    (r"imagePullPolicy", "whether an image is fetched, and its access checked, at each start"),
    (r"podSelector|policyTypes", "whom and what a network policy holds for"),
    (r"readOnly", "whether files can be written"),
    (r"\.tls(\.|$|\[)", "how connections are encrypted"),
)
_HARDENING = re.compile("|".join(pattern for pattern, _ in _HARDENING_WHY))
_POWERFUL = ("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "Secret", "ExternalSecret")


def authentication(comparison: Comparison) -> Iterator[Risk]:
    for found in admissions(comparison):
        yield Risk(found.level, "authentication", found.reason, found.where)


def security_of_values(comparison: Comparison) -> Iterator[Risk]:
    """What people wrote that opens or closes something; what belongs to one place is told once."""
    found: dict[tuple[Level, str, str], list[ValueChange]] = {}
    opened = _opened(comparison)
    for change in comparison.values:
        if opened.get(change.component) and _EGRESS.search(change.path):
            continue  # told as what its network policy opens
        for pattern, level, what in _EXPOSED:
            if pattern.search(change.path):
                below = change.path.rpartition(".")[0] if ".egress." in change.path else change.path
                if what != _PATH or _is_api(comparison, change):
                    found.setdefault((level, what, below), []).append(change)
                break
    for (level, what, below), changes in found.items():
        words = [f"{change.path.removeprefix(below).lstrip('.')} {_shown(change)}".strip() for change in changes]
        yield Risk(level, ACCESS, f"{what}: {below} {', '.join(words)}", said_at(changes[0]))


def _is_api(comparison: Comparison, change: ValueChange) -> bool:
    return any(
        track.components[change.component].role == "api"
        for track in comparison.runs_after.tracks.values()
        if change.component in track.components
    )


def _shown(change: ValueChange) -> str:
    before, after = (shown(side.value, 100) if side else "not set" for side in (change.before, change.after))
    return f"{before} -> {after}"


def security_of_new_tracks(comparison: Comparison) -> Iterator[Risk]:
    """What a new track may do that no other could: another registry, a new public path."""
    if not comparison.before or not comparison.after:
        return
    old, new = (tracks_of(side.values) for side in (comparison.before, comparison.after))
    repositories = {str(value_at(track, "image", "repository")) for track in old.values()}
    paths = {path for track in old.values() for path in _public(track)}
    for name in new.keys() - old.keys():
        track = new[name]
        repository = str(value_at(track, "image", "repository"))
        if repository not in repositories:
            reason = f"where the image comes from: track {name} runs {repository}, the others {', '.join(sorted(repositories))}"
            yield Risk("high", ACCESS, reason)
        for path in sorted(_public(track) - paths):
            yield Risk("medium", ACCESS, f"a public path: track {name} answers {path}, which no track did")


def _public(track: ResolvedMap) -> set[str]:
    """The routes of the api, and which of them are of tasks, which answer below them too."""
    return {
        f"{leaf.value} (a task: also below it)" if value_at(component, *path[:-1], "task") else str(leaf.value)
        for component in components_of(track).values()
        if value_at(component, "role") == "api"
        for path, leaf in leaves_of(component)
        if path[0] == "apis" and path[-1] == "route"
    }


def security_of_objects(comparison: Comparison) -> Iterator[Risk]:
    """What the objects open that the values do not show, and what comes from the chart."""
    if not comparison.before or not comparison.after:
        return
    for name, added in _opened(comparison).items():
        where = next(
            (said_at(found) for found in comparison.values if found.component == name and _EGRESS.search(found.path)), ""
        )
        opens = f"network policy of {name or 'every component'} opens: {'; '.join(added[:5])}{_more(added, 5)}"
        yield Risk("high", ACCESS, opens, where)
    hardening: dict[str, list[str]] = {}
    for change in comparison.objects:
        manifest = change.manifest
        called = _called(comparison, manifest)
        gone = change.change == "removed"
        if gone and manifest.kind == "NetworkPolicy" and _still_runs(comparison, manifest.track, manifest.component):
            yield Risk("high", ACCESS, f"{called} is removed: what it denied is allowed")
        if manifest.kind in _POWERFUL and not gone and (change.change == "added" or change.fields):
            yield Risk("high", ACCESS, f"{called} is {change.change}")
        for field in change.fields:
            # Who may talk to whom is told above, in words.
            if _HARDENING.search(field.pointer) and not field.pointer.startswith(("spec.ingress", "spec.egress")):
                values = " -> ".join(shown(value, 100, "absent") for value in (field.before, field.after))
                hardening.setdefault(f"{field.pointer} {values} ({_why(field.pointer)})", []).append(called)
    for what, names in hardening.items():
        yield Risk("high", ACCESS, f"{what} in {', '.join(names[:6])}{_more(names, 6)}")


def _opened(comparison: Comparison) -> dict[str, list[str]]:
    """Who may talk to whom that might not before, by service; empty: every component."""
    if not comparison.before or not comparison.after:
        return {}
    if not any(change.manifest.kind == "NetworkPolicy" for change in comparison.objects):
        return {}
    old, new = (policy_peers(side.manifests) for side in (comparison.before, comparison.after))
    added = {component: sorted(peers - old.get(component, peers)) for component, peers in new.items()}
    return {comparison.service(component): peers for component, peers in added.items() if peers}


def _why(pointer: str) -> str:
    """What a field has to do with access."""
    return next(why for pattern, why in _HARDENING_WHY if re.search(pattern, pointer))


def _called(comparison: Comparison, manifest: Manifest) -> str:
    """An object in words that are the same for every application."""
    if manifest.track:
        return f"{manifest.kind} of {manifest.track} {comparison.service(manifest.component)}"
    return f"{manifest.kind}/{manifest.name}"


def _more(items: list[str], shown: int) -> str:
    return f" and {len(items) - shown} more" if len(items) > shown else ""


def _still_runs(comparison: Comparison, track: str, component: str) -> bool:
    if not track:
        return comparison.after is not None
    running = comparison.runs_after.track(track)
    return running is not None and comparison.service(component) in running.components


def registries(comparison: Comparison) -> Iterator[Risk]:
    """Where images may come from is in no object; it decides what may be deployed next."""
    if not comparison.before or not comparison.after:
        return
    old, new = (side.sources.saying("registries") for side in (comparison.before, comparison.after))
    was, now = old.value.registries, new.value.registries
    if was is not None and (now is None or set(now) - set(was)):
        added = "every registry" if now is None else ", ".join(sorted(set(now) - set(was)))
        yield Risk("high", ACCESS, f"images may come from {added} too", str(new.tree.at("registries")))


def watching(comparison: Comparison) -> Iterator[Risk]:
    for less in watched_less(comparison):
        level: Level = "high" if less.everything else "medium"
        yield Risk(level, "watching", less.reason, ", ".join(dict.fromkeys(said_at(cause) for cause in less.causes)))


def charts(comparison: Comparison) -> Iterator[Risk]:
    if comparison.before and comparison.after and comparison.chart_changed:
        old, new = comparison.before.chart, comparison.after.chart
        versions = f"{old.version} -> {new.version}" if old.version != new.version else new.version
        reason = f"the chart changes ({new.folder}, {versions})"
        if comparison.objects_differ:
            yield Risk("medium", "chart change", reason)
        else:
            yield Risk("low", "chart change", f"{reason}; the objects are the same with both")


Rule = Callable[[Comparison], Iterator[Risk]]
RULES: tuple[Rule, ...] = (
    application,
    place,
    broken_glass,
    traffic,
    by_header,
    tracks,
    capacity,
    placement,
    authentication,
    security_of_values,
    security_of_new_tracks,
    security_of_objects,
    registries,
    watching,
    gpus,
    charts,
    pods,
    standby,
    overrides,
)
_KINDS = (
    "application removed",
    "application added",
    "another place",
    "gates broken",
    "guardrails",
    "evidence",
    "traffic shift",
    "bundle changed in place",
    "track removed",
    "authentication",
    "access",
    "watching",
    "capacity down",
    "placement",
    "GPU lost",
    "GPU gained",
    "chart change",
    "pod restart",
    "standby capacity",
    "new track",
    "override ended",
    "override added",
)
_ORDER = {kind: number for number, kind in enumerate(_KINDS)}
