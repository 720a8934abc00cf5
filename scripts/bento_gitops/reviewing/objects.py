"""Two sets of Kubernetes objects: what was added, changed and removed, field by field and without noise."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Literal, TypeAlias

from bento_gitops.layers.marked import Plain, parse, plain
from bento_gitops.model.problem import InvalidInput

Map: TypeAlias = "dict[str, Plain]"
Change = Literal["added", "changed", "removed"]
Path: TypeAlias = "tuple[str, ...]"
"""Keys, and `[name]` for an item of a list."""

TRACK, COMPONENT, BUNDLE = "bento-gitops/track", "bento-gitops/component", "bento-gitops/bundle"
VERSION = "app.kubernetes.io/version"
"""Labels: the last two follow the track's bundle on every object of it."""
SHORT = 6
"""Items of a list that people take in at once; of a longer one only those that differ are told."""
FACTS = ".facts"
"""How the chart ends the name of the group of rules that say what the values say."""
ALERTS = ".alerts"
"""How it ends that of the group of alerts."""
THRESHOLDS = ("bento:objective:", "bento:limit:")
"""Those of its series that alerts compare with."""
_CHART_LABEL = "helm.sh/chart"
BUNDLE_LABEL = "bundle label"
"""Every place of an object that names its bundle: its labels, those of its pods, selectors of Services and policies."""
_CHECKSUM = re.compile(r"[0-9a-f]{64}")
_WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")


def at(value: Plain, *path: str) -> Plain:
    """What stands at a path of keys; None where nothing does."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def maps(value: Plain) -> list[Map]:
    """The mappings of a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Plain) -> str:
    """The value if it is text, else an empty one."""
    return value if isinstance(value, str) else ""


def shown(value: Plain, longest: int, absent: str = "not set") -> str:
    """A value in a sentence: text as it is, a list of words by commas, everything else as JSON; cut where it is longer."""
    if value is None:
        return absent
    if isinstance(value, list) and value and not any(isinstance(item, dict | list) for item in value):
        found = ", ".join(shown(item, longest) for item in value)
    else:
        found = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return found if len(found) <= longest else f"{found[: longest - 3]}..."


@dataclass(frozen=True)
class Manifest:
    """One rendered object."""

    body: Map

    @cached_property
    def kind(self) -> str:
        return text(self.body.get("kind"))

    @cached_property
    def name(self) -> str:
        return text(at(self.body, "metadata", "name"))

    @cached_property
    def identity(self) -> tuple[str, str, str]:
        """Group, kind and name: an object that only takes another version of its API is the same one."""
        return text(self.body.get("apiVersion")).rpartition("/")[0], self.kind, self.name

    @property
    def track(self) -> str:
        return text(at(self.body, "metadata", "labels", TRACK))

    @property
    def component(self) -> str:
        """In kebab-case, as objects have it."""
        return text(at(self.body, "metadata", "labels", COMPONENT))

    @property
    def is_workload(self) -> bool:
        return self.kind in _WORKLOADS


@dataclass(frozen=True, slots=True)
class Field:
    """A field that differs; None where it is not there."""

    path: Path
    before: Plain
    after: Plain

    @property
    def pointer(self) -> str:
        """The path as people write it: spec.template.spec.containers[bento].env[LOG_LEVEL].value."""
        joined = ""
        for part in self.path:
            joined += part if part.startswith("[") else f".{part}" if joined else part
        return joined


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """An object that is not the same on both sides."""

    change: Change
    before: Manifest | None
    after: Manifest | None
    fields: tuple[Field, ...] = ()
    """What differs where it is there on both sides; empty where all of it was noise."""
    configuration: bool = False
    """Whether a checksum in its pods differs: they restart, because of what another object says."""

    @property
    def manifest(self) -> Manifest:
        found = self.after or self.before
        assert found, "a change has a side"
        return found


def compared(before: Sequence[Manifest], after: Sequence[Manifest]) -> tuple[ObjectChange, ...]:
    """What differs, by kind and name."""
    old, new = ({item.identity: item for item in side} for side in (before, after))
    changes: list[ObjectChange] = []
    for identity in sorted({*old, *new}, key=lambda found: (found[1], found[2], found[0])):
        was, now = old.get(identity), new.get(identity)
        if was is None or now is None:
            changes.append(ObjectChange("added" if was is None else "removed", was, now))
        elif (old_body := _told(was, now)) != (new_body := _told(now, was)):
            fields = tuple(_fields(old_body, new_body))
            changes.append(ObjectChange("changed", was, now, fields, _checksum(was) != _checksum(now)))
    return tuple(changes)


def _told(manifest: Manifest, other: Manifest) -> Map:
    """The object; of the chart's PrometheusRule the series that repeat values only as far as they are thresholds of tracks that
    are on both sides, each as its number. Weights are told as values, and everything changes its bundle with the track."""
    if manifest.kind != "PrometheusRule":
        return manifest.body
    common = _tracks(manifest) & _tracks(other)
    groups: list[Plain] = []
    for group in maps(at(manifest.body, "spec", "groups")):
        if not text(group.get("name")).endswith(FACTS):
            groups.append({**group, "rules": group.get("rules") or []})  # all turned off: Helm writes nothing
            continue
        thresholds: Map = {}
        for rule in maps(group.get("rules")):
            record, track = text(rule.get("record")), text(at(rule, "labels", "track"))
            if record.startswith(THRESHOLDS) and track in common:
                number = text(rule.get("expr")).removeprefix("vector(").removesuffix(")")
                thresholds[f"{record} {track} {text(at(rule, 'labels', 'component'))}"] = number
        groups.append({**group, "rules": thresholds})
    spec = at(manifest.body, "spec")
    return {**manifest.body, "spec": {**(spec if isinstance(spec, dict) else {}), "groups": groups}}


def _tracks(manifest: Manifest) -> set[str]:
    groups = maps(at(manifest.body, "spec", "groups"))
    return {text(at(rule, "labels", "track")) for group in groups for rule in maps(group.get("rules"))}


def _checksum(manifest: Manifest) -> Plain:
    annotations = at(manifest.body, "spec", "template", "metadata", "annotations")
    items = annotations.items() if isinstance(annotations, dict) else ()
    return {key: value for key, value in items if _CHECKSUM.fullmatch(text(value))}


def _fields(before: Map, after: Map) -> Iterator[Field]:
    """What differs, without checksums and the chart's label; what follows the bundle on every object stands there once."""
    bundles = [at(body, "metadata", "labels", BUNDLE) for body in (before, after)]
    if bundles[0] != bundles[1]:
        yield Field((BUNDLE_LABEL,), *bundles)
        before, after = (_without_bundle(body, text(bundle)) for body, bundle in zip((before, after), bundles, strict=True))
    for field in differences(before, after):
        values = [text(value) for value in (field.before, field.after)]
        if field.path[-1] != _CHART_LABEL and not ("annotations" in field.path and any(map(_CHECKSUM.fullmatch, values))):
            yield field


def _without_bundle(body: Map, bundle: str) -> Map:
    """The object without the labels, and the selectors of its own pods, that name its bundle."""

    def stripped(value: Plain) -> Plain:
        if isinstance(value, dict):
            return {key: stripped(inner) for key, inner in value.items() if key not in (BUNDLE, VERSION) or inner != bundle}
        return [stripped(item) for item in value] if isinstance(value, list) else value

    result = stripped(body)
    assert isinstance(result, dict)
    return result


def differences(before: Plain, after: Plain, path: Path = ()) -> Iterator[Field]:
    """Where two values differ, as deep as both have the same form. Lists are compared by what their items are called."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            yield from differences(before.get(key), after.get(key), (*path, key))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_lists(before, after, path)
    elif isinstance(before, str) and isinstance(after, str) and before != after and "\n" in before and "\n" in after:
        yield from _of_texts(before, after, path)
    elif before != after or type(before) is not type(after):
        yield Field(path, before, after)


def _of_texts(before: str, after: str, path: Path) -> Iterator[Field]:
    """Where two texts differ: by key where both are YAML (a configuration file in a ConfigMap), else by line."""
    trees = _tree(before), _tree(after)
    if all(isinstance(tree, dict | list) for tree in trees) and trees[0] != trees[1]:
        yield from differences(*trees, path)
        return
    lines = before.split("\n"), after.split("\n")
    for what, start, end, other_start, other_end in SequenceMatcher(None, *lines, autojunk=False).get_opcodes():
        old, new = lines[0][start:end], lines[1][other_start:other_end]
        if what == "equal":
            continue
        if len(old) == len(new):
            for was, now in zip(old, new, strict=True):
                indented = was.strip() == now.strip()
                yield Field(path, was if indented else was.strip(), now if indented else now.strip())
        else:
            yield Field(path, "\n".join(old) if old else None, "\n".join(new) if new else None)


def _tree(text: str) -> Plain:
    try:
        return plain(parse(text, "text"))
    except InvalidInput:
        return None


def _of_lists(before: list[Plain], after: list[Plain], path: Path) -> Iterator[Field]:
    if before == after:
        return
    if not all(isinstance(item, dict) for item in [*before, *after]):
        if max(len(before), len(after)) <= SHORT:
            yield Field(path, before, after)
            return
        only_old, only_new = ([item for item in one if item not in other] for one, other in ((before, after), (after, before)))
        # The same items in another order: the order is the difference.
        yield Field(path, only_old or None, only_new or None) if only_old or only_new else Field(path, before, after)
        return
    old, new = maps(before), maps(after)
    name = _naming(old, new)
    if name is not None:
        named_old, named_new = ({name(item): item for item in side} for side in (old, new))
        for key in [*named_old, *(key for key in named_new if key not in named_old)]:
            yield from differences(named_old.get(key), named_new.get(key), (*path, f"[{key}]"))
        if list(named_old) != list(named_new) and sorted(named_old) == sorted(named_new):
            yield Field((*path, "[order]"), list(named_old), list(named_new))
        return
    only_old, only_new = ([item for item in one if item not in other] for one, other in ((old, new), (new, old)))
    if len(only_old) == len(only_new) == 1:
        yield from differences(only_old[0], only_new[0], (*path, f"[{new.index(only_new[0])}]"))
        return
    for item in only_old:
        yield Field((*path, f"[{old.index(item)}]"), item, None)
    for item in only_new:
        yield Field((*path, f"[{new.index(item)}]"), None, item)
    if not only_old and not only_new:
        yield Field((*path, "[order]"), before, after)


def _naming(old: Sequence[Map], new: Sequence[Map]) -> Callable[[Map], str] | None:
    """What tells the items of both lists apart: the first way that names each item, and none twice."""
    for name in _NAMINGS:
        if all(_unique([name(item) for item in side]) for side in (old, new)):
            return name
    return None


def _unique(names: Sequence[str]) -> bool:
    return all(names) and len(set(names)) == len(names)


def _key(*path: str) -> Callable[[Map], str]:
    def name(item: Map) -> str:
        found = at(item, *path)
        return str(found) if isinstance(found, str | int) else ""

    return name


def _rule(item: Map) -> str:
    """A rule of a route by the headers that it asks for: its paths may change, and it is still the same rule."""
    matches = maps(item.get("matches")) or maps(item.get("match"))
    if not matches:
        return ""
    asked: set[str] = set()
    for match in matches:
        headers = match.get("headers")
        if isinstance(headers, dict):
            asked.update(f"{key}={json.dumps(value)}" for key, value in sorted(headers.items()))
        asked.update(f"{text(header.get('name'))}={text(header.get('value'))}" for header in maps(headers))
    return ", ".join(sorted(asked)) or "every request"


_NAMINGS: tuple[Callable[[Map], str], ...] = (
    _rule,
    _key("name"),
    _key("mountPath"),
    _key("host"),
    _key("destination", "host"),
    _key("key"),
    _key("topologyKey"),
    _key("path", "value"),
    _key("path"),
    _key("type"),
    _key("match"),
    _key("alert"),
    _key("record"),
)


def restarted(change: ObjectChange) -> bool:
    """Whether pods that run are replaced: any difference in the template that they are made from."""
    if change.change != "changed" or not change.before or not change.after or not change.after.is_workload:
        return False
    old, new = change.before.body, change.after.body
    return at(old, "spec", "template") != at(new, "spec", "template") and at(old, "spec", "replicas") != 0 != at(
        new, "spec", "replicas"
    )


def policy_peers(manifests: Sequence[Manifest]) -> Mapping[str, set[str]]:
    """Who may talk to whom, by component: each peer and port that a NetworkPolicy lets in or out.

    Written without track and bundle, so that a new track has the peers that the others have.
    """
    found: dict[str, set[str]] = {}
    for manifest in manifests:
        if manifest.kind != "NetworkPolicy":
            continue
        peers = found.setdefault(manifest.component, set())
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for rule in maps(at(manifest.body, "spec", direction)):
                ports = maps(rule.get("ports")) or [{}]
                for peer in maps(rule.get(side)) or [{}]:
                    peers.update(f"{side} {_said(peer)} at {_port(port)}" for port in ports)
    return found


def _port(port: Map) -> str:
    return f"port {port['port']}" if "port" in port else "every port"


def _said(peer: Map) -> str:
    """A peer in words; tracks and bundles left out."""
    if not peer:
        return "everybody"
    block = at(peer, "ipBlock", "cidr")
    if block:
        return str(block)
    words: list[str] = []
    for selector, word in (("podSelector", "pods"), ("namespaceSelector", "namespace")):
        if selector not in peer:
            continue
        labels = at(peer, selector, "matchLabels")
        kept = {key: value for key, value in labels.items() if key not in (TRACK, BUNDLE)} if isinstance(labels, dict) else {}
        extra = json.dumps(at(peer, selector, "matchExpressions")) if at(peer, selector, "matchExpressions") else ""
        shown = ", ".join(f"{key}={value}" for key, value in sorted(kept.items()))
        words.append(f"{word} {' '.join(filter(None, (shown, extra))) or '(all)'}")
    return " in ".join(words)
