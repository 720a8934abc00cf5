"""How requests reach the tracks: what the environment's controller needs and can do, and which rules hold in this release."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from bento_gitops.layers.marked import Marked, MarkedMap, Plain, join, place_of, plain
from bento_gitops.layers.merging import ABSENT, Leaf, Resolved, ResolvedMap, Said, leaf_at, leaves_of
from bento_gitops.layers.resolving import Sources
from bento_gitops.model.files import Controller
from bento_gitops.model.problem import Place, Problem
from bento_gitops.rendering.authentication import Surroundings, authentication

NEEDED: Mapping[Controller, Mapping[str, str]] = {
    "gateway": {"gateway": "name the Gateway, or use controller: none"},
    "nginx": {
        "ingress_class": "name the IngressClass",
        "proxy": "name the controller's pods: they alone may reach the api",
    },
    "traefik": {"proxy": "name Traefik's pods: they alone may reach the api"},
    "istio": {
        "gateways": "name Istio's Gateways, like istio-ingress/public",
        "proxy": "name the pods of Istio's gateway: they alone may reach the api",
    },
    "none": {},
}
"""What environment.yaml must say for a controller, and what to do where it does not."""

REFUSED: Mapping[Controller, Mapping[str, str]] = {
    "gateway": {
        "tls": "the certificate is the Gateway's, at its listener",
        "max_body": "the Gateway API knows no limit of bodies; set one for the Gateway, in a policy of its own kind",
        "sticky": "the Gateway API has it in its experimental channel alone",
    },
    "nginx": {
        "rules": "its one canary Ingress is chosen by the preview header and by weight, by nothing else",
        "mirror": "it mirrors by a snippet alone, which is off for good reason",
        "sticky": "its cookie holds clients on a track of weight 0 too, so an abort would not reach them",
    },
    "traefik": {},
    "istio": {
        "tls": "the certificate is that of Istio's Gateway",
        "max_body": "a VirtualService knows no limit of bodies; set one in an EnvoyFilter of the gateway",
        "sticky": "its cookies choose a pod within a track, not the track",
    },
    "none": {
        "tls": "there is no route, only a Service",
        "timeout": "there is no route, only a Service; BentoML's own limit is traffic.timeout of the component",
        "max_body": "there is no route, only a Service",
        "sticky": "there is no route, only a Service",
        "rules": "there is no route, only a Service, which selects one track",
        "mirror": "there is no route, only a Service, which selects one track",
    },
}
"""What a controller cannot do, and why."""

TAKEN: Mapping[Controller, frozenset[str]] = {
    "gateway": frozenset({"gateway", "hostname"}),
    "nginx": frozenset({"ingress_class", "proxy", "tls", "hostname"}),
    "traefik": frozenset({"ingress_class", "entry_points", "proxy", "tls", "hostname"}),
    "istio": frozenset({"gateways", "proxy", "hostname"}),
    "none": frozenset(),
}
"""Which facts of environment.yaml reach the chart; the others are noted."""

_WORDS = ("tenant", "country", "request_type")
_PLACEHOLDER = re.compile(r"\{([a-z]*)\}")
_HOSTNAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*")


def routing(layered: ResolvedMap, sources: Sources, notes: list[str], problems: list[Problem]) -> ResolvedMap:
    """The `routing` of the values: facts of the environment, and of what the layers say of routes whatever is in force.

    Adds a problem for all that the controller needs and is not said, or is said and cannot be done; a note for each rule and
    mirror that waits for a candidate.
    """
    return _Routing(layered, sources, notes, problems).resolved()


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    track: Leaf
    precedence: Leaf | None
    match: Mapping[str, Leaf]
    """By word: the values of which a request must have one."""

    @property
    def pointer(self) -> str:
        return join("routing.rules", self.name)

    @property
    def place(self) -> Place:
        return self.track.source.place

    @property
    def rank(self) -> int:
        return int(str(self.precedence.value)) if self.precedence else 0

    def may_meet(self, other: _Rule) -> bool:
        """Whether one request can match both."""
        shared = self.match.keys() & other.match.keys()
        return all(set(_values(self.match[word])) & set(_values(other.match[word])) for word in shared)


class _Routing:
    def __init__(self, layered: ResolvedMap, sources: Sources, notes: list[str], problems: list[Problem]) -> None:
        self.layered = layered
        self.sources = sources
        self.tree = sources.own.tree
        self.controller: Controller = sources.own.value.routing.controller
        said = self.tree.items["routing"]
        assert isinstance(said, MarkedMap)
        self.known = {key: said.at(key) for key, node in said.items.items() if plain(node) is not None}
        self.chosen = f"the controller is {self.controller} ({said.at('controller')})"
        self.notes = notes
        self.problems = problems

    def resolved(self) -> ResolvedMap:
        self.check_controller()
        self.check_sticky()
        rules = self.rules() if self.can("rules") else []
        self.check_conflicts(rules)
        result: ResolvedMap = {key: value for key, value in self.layered.items() if key not in ("rules", "mirror", "auth")}
        upper: ResolvedMap = {"controller": _from(self.tree, "routing", "controller"), **self.facts()}
        in_force: ResolvedMap = {rule.name: self.placed(rule) for rule in rules if self.holds(rule)}
        if in_force:
            upper["rules"] = in_force
        if self.can("mirror") and (mirror := self.mirror()):
            upper["mirror"] = mirror
        if auth := self.authentication():
            upper["auth"] = auth
        if self.controller == "nginx" and (canary := self.canary()):
            upper["canary"] = canary
        release = self.sources.release
        if release.value.retiring:
            upper["closed"] = _leaf(True, place_of(release.tree, "retiring"), "the application is being retired")
        return laid_over(result, upper)

    # What the controller needs and can do.

    def check_controller(self) -> None:
        for key, todo in NEEDED[self.controller].items():
            if key not in self.known:
                self.add(place_of(self.tree, "routing"), f"routing.{key}", f"is missing, and {self.chosen}", "", todo)
        for key, why in REFUSED[self.controller].items():
            if key in self.known:
                self.add(self.known[key], f"routing.{key}", f"cannot be had: {self.chosen}; {why}", "", "remove it")
            elif key == "rules":
                for name, _, leaf in self.declared():
                    self.refuse(leaf.source.place, join("routing.rules", name), why)
            elif leaf := self.first(key):
                self.refuse(leaf.source.place, f"routing.{key}", why)

        said_already = REFUSED[self.controller].keys() | {"controller", "headers", "auth"}
        for key in sorted(self.known.keys() - TAKEN[self.controller] - said_already):
            self.notes.append(f"{self.known[key]}: routing.{key}: has no effect: {self.chosen}")

    def refuse(self, place: Place, pointer: str, why: str) -> None:
        self.add(place, pointer, f"cannot be had in {self.sources.environment}: {self.chosen}; {why}", "", _BACK)

    def can(self, key: str) -> bool:
        return key not in REFUSED[self.controller]

    def first(self, key: str) -> Leaf | None:
        """The first leaf below a key that people said."""
        found = (leaf for _, leaf in leaves_of(self.layered[key])) if key in self.layered else ()
        return next((leaf for leaf in found if leaf.value is not ABSENT and leaf.source.layer != "chart"), None)

    def check_sticky(self) -> None:
        tree = self.layered.get("sticky", {})
        age = _said(tree, "max_age")
        if age and not _said(tree, "cookie"):
            todo = "name the cookie, or take sticky back with null"
            self.add(age.source.place, "routing.sticky.cookie", "is missing", "", todo)

    def facts(self) -> ResolvedMap:
        """What environment.yaml says for this controller."""
        taken = TAKEN[self.controller]
        keys = ("gateway", "gateways", "ingress_class", "entry_points", "proxy")
        result: ResolvedMap = {key: tree_from(self.tree, "routing", key) for key in keys if key in taken and key in self.known}
        routing = self.sources.own.value.routing
        if "tls" in taken and routing.tls is not None:
            result["tls"] = {"secret": self.filled(routing.tls.secret, "routing", "tls", "secret")}
        if "hostname" in taken and routing.hostname is not None:
            name = self.filled(routing.hostname, "routing", "hostname")
            result["hostnames"] = Leaf([str(name.value)], tuple(_in_list(statement) for statement in name.said))
        return result

    def filled(self, pattern: str, *path: str) -> Leaf:
        """A pattern with the names that its placeholders stand for."""
        known = {"application": self.sources.application, "environment": self.sources.environment}
        place, pointer = place_of(self.tree, *path), ".".join(path)
        text = _PLACEHOLDER.sub(lambda found: known.get(found[1], found[0]), pattern)
        if "{" in text or "}" in text:
            self.add(place, pointer, "knows no such placeholder", pattern, "use {application} and {environment}")
        elif len(text) > 253 or not _HOSTNAME.fullmatch(text):
            wrong = f"becomes {text} for {self.sources.application}, which is no name: 63 letters, digits and hyphens a part"
            self.add(place, pointer, wrong, pattern, "change the pattern")
        return _leaf(text, place)

    def authentication(self) -> ResolvedMap | None:
        facts = tree_from(self.tree, "routing")
        assert isinstance(facts, dict)
        here = Surroundings(self.sources.environment, self.controller, self.chosen, self.tree, facts)
        return authentication(self.layered.get("auth", {}), here, self.notes, self.problems)

    # Rules.

    def declared(self) -> Iterator[tuple[str, Resolved, Leaf]]:
        """Each rule that the layers come to: its name, all of it, and the first that is said of it."""
        trees = self.layered.get("rules", {})
        for name, tree in trees.items() if isinstance(trees, dict) else ():
            said = [leaf for _, leaf in leaves_of(tree) if leaf.value is not ABSENT]
            if said:  # else it was taken back
                yield name, tree, said[0]

    def rules(self) -> list[_Rule]:
        """The rules that are complete."""
        found: list[_Rule] = []
        for name, tree, first in self.declared():
            track = _said(tree, "track")
            match = {word: leaf for word in _WORDS if (leaf := _said(tree, "match", word))}
            for key, missing, todo in (
                ("track", not track, "say stable or candidate"),
                ("match", not match, f"say which requests, by {', '.join(_WORDS)}"),
            ):
                if missing:
                    pointer = f"{join('routing.rules', name)}.{key}"
                    self.add(first.source.place, pointer, "is missing", "", f"{todo}; or take the rule back with null")
            self.check_headers(name, match)
            if track and match:
                found.append(_Rule(name, track, _said(tree, "precedence"), match))
        return found

    def check_headers(self, name: str, match: Mapping[str, Leaf]) -> None:
        for word, leaf in match.items():
            if self.header(word) is None:
                at = place_of(self.tree, *(("routing", "headers") if "headers" in self.known else ("routing",)))
                self.add(
                    leaf.source.place,
                    f"{join('routing.rules', name)}.match.{word}",
                    f"no header of a request says {word} in {self.sources.environment} ({at})",
                    ", ".join(_values(leaf)),
                    f"name it there in routing.headers.{word}, or take the rule back here with null",
                )

    def header(self, word: str) -> str | None:
        """The request header that carries a word."""
        headers = self.sources.own.value.routing.headers
        return None if headers is None else getattr(headers, word)

    def check_conflicts(self, rules: Sequence[_Rule]) -> None:
        """Also of rules that wait for a candidate: a promote must not be what makes them clash."""
        for first, second in combinations(sorted(rules, key=lambda rule: (rule.place, rule.name)), 2):
            if first.track.value != second.track.value and first.rank == second.rank and first.may_meet(second):
                self.add(
                    second.place,
                    second.pointer,
                    f"one request may match this rule and {first.name}, which sends it to {first.track.value} ({first.place})",
                    f"{second.track.value}, both of precedence {first.rank}",
                    "give one of them a higher precedence",
                )

    def holds(self, rule: _Rule) -> bool:
        """A promote must not send live requests to pods that may not be ready; a shift may."""
        if rule.track.value == "stable" or self.weight > 0:
            return True
        self.notes.append(f"{rule.place}: {rule.pointer}: holds once a candidate has weight; {self.situation}")
        return False

    def placed(self, rule: _Rule) -> ResolvedMap:
        release = self.sources.release
        part = str(rule.track.value)
        name = release.value.stable if part == "stable" else str(release.value.candidate)
        track = Said("environment", place_of(release.tree, part), name, part, True)
        headers: ResolvedMap = {str(self.header(word)): leaf for word, leaf in rule.match.items() if self.header(word)}
        result: ResolvedMap = {"track": Leaf(name, (track, *rule.track.said)), "headers": headers}
        return {**result, "precedence": rule.precedence} if rule.precedence else result

    # The candidate.

    @property
    def weight(self) -> int:
        """The candidate's; 0 without one."""
        release = self.sources.release.value
        return release.tracks[release.candidate].weight if release.candidate else 0

    @property
    def situation(self) -> str:
        release = self.sources.release.value
        return f"{release.candidate} has weight {self.weight}" if release.candidate else "there is none"

    def mirror(self) -> ResolvedMap | None:
        """The mirror, where the candidate's pods are enough for it and for the live requests that the candidate answers.

        Controllers copy a part of all requests, those that the candidate answers included.
        """
        tree = self.layered.get("mirror", {})
        percent, track = _said(tree, "percent"), _said(tree, "track")
        if not percent and not track:
            return None
        for key, leaf, other in (("percent", percent, track), ("track", track, percent)):
            if not leaf and other:
                todo = "say how many of 100 requests" if key == "percent" else "say candidate"
                self.add(other.source.place, f"routing.mirror.{key}", "is missing", "", f"{todo}; or take mirror back with null")
        if not percent or not track:
            return None
        gateway = self.sources.own.value.routing.gateway
        if self.controller == "gateway" and gateway and not gateway.mirror:
            self.add(
                percent.source.place,
                "routing.mirror",
                f"the Gateway is not said to mirror requests ({place_of(self.tree, 'routing', 'gateway')})",
                "",
                "add `mirror: true` there if its GatewayClass has the feature HTTPRouteRequestPercentageMirror (one without it"
                " answers the whole route with errors), or take mirror back here with null",
            )
            return None
        release = self.sources.release
        if not release.value.candidate:
            self.notes.append(f"{percent.source.place}: routing.mirror: waits for a candidate; there is none")
            return None
        ready = release.value.tracks[release.value.candidate].ready_for or 0
        needed = self.weight + int(str(percent.value))
        if ready < needed:
            self.notes.append(
                f"{percent.source.place}: routing.mirror: waits for more pods: {release.value.candidate} is ready for {ready} %"
                f" of requests, and {percent.value} % beside a weight of {self.weight} need {needed}"
            )
            return None
        name = Said("environment", place_of(release.tree, "candidate"), release.value.candidate, "candidate", True)
        return {"track": Leaf(release.value.candidate, (name, *track.said)), "percent": percent}

    def canary(self) -> Leaf | None:
        """Where nginx's one canary Ingress leads: to the candidate, else to a standby that has pods."""
        release = self.sources.release
        if release.value.candidate:
            return _leaf(release.value.candidate, place_of(release.tree, "candidate"), "candidate")
        if release.value.standby and release.value.standby.capacity != "cold":
            return _leaf(release.value.standby.track, place_of(release.tree, "standby", "track"), "standby")
        return None

    def add(self, place: Place, pointer: str, wrong: str, found: str, todo: str) -> None:
        self.problems.append(Problem(place, pointer, wrong, found, todo))


_BACK = "use another controller, or take it back in this environment with null"


def _said(tree: Resolved, *path: str) -> Leaf | None:
    """The leaf at a path, if it has a value."""
    leaf = leaf_at(tree, path)
    return None if leaf is None or leaf.value is ABSENT else leaf


def _values(leaf: Leaf) -> list[str]:
    return [str(item) for item in leaf.value] if isinstance(leaf.value, list) else []


def _leaf(value: Plain, place: Place, note: str = "") -> Leaf:
    return Leaf(value, (Said("environment", place, value, note, True),))


def _in_list(statement: Said) -> Said:
    return Said(statement.layer, statement.place, [str(statement.value)], statement.note, statement.counts)


def _from(tree: MarkedMap, *path: str) -> Leaf:
    found = tree_from(tree, *path)
    assert isinstance(found, Leaf)
    return found


def tree_from(tree: MarkedMap, *path: str) -> Resolved:
    """A subtree of environment.yaml as leaves."""
    node: Marked = tree
    for key in path:
        assert isinstance(node, MarkedMap)
        node = node.items[key]

    def leaves(inner: Marked, place: Place) -> Resolved:
        if isinstance(inner, MarkedMap):
            return {key: leaves(value, inner.at(key)) for key, value in inner.items.items() if plain(value) is not None}
        return _leaf(plain(inner), place)

    return leaves(node, place_of(tree, *path))


def laid_over(lower: ResolvedMap, upper: ResolvedMap) -> ResolvedMap:
    """Both, the upper in force; what it hides stays known."""
    result = {**lower, **upper}
    for key, high in upper.items():
        low = lower.get(key)
        if isinstance(high, Leaf) and isinstance(low, Leaf):
            result[key] = Leaf(high.value, (*high.said, *low.said))
    return result
