"""chart pin and unpin: which release of the chart an environment runs, and the values of its applications for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from bento_gitops.layers.marked import Plain, parse, place_of, plain
from bento_gitops.layers.reading import Read
from bento_gitops.model.files import Environment
from bento_gitops.model.gate import Gate
from bento_gitops.model.layout import CHART, RELEASES, environment_file
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused, did_you_mean
from bento_gitops.model.versions import order_of
from bento_gitops.operations.deciding import stale_before
from bento_gitops.operations.render import Rendered, render_fleet
from bento_gitops.releasing import gates as gating
from bento_gitops.releasing.message import BREAK_GLASS, BY, REASON, TARGET, TRANSITION, message_of, one_line
from bento_gitops.repository.changes import Change, Proposal, change
from bento_gitops.repository.files import OverlayTree, Tree
from bento_gitops.repository.fleet import Fleet

CHART_TRAILER = "Bento-Gitops-Chart"


@dataclass(frozen=True, slots=True)
class PinRequest:
    """What `chart pin` and `chart unpin` are told."""

    environment: str
    version: str | None
    """None: no pin, the chart as it is in charts/bento-serving."""
    now: datetime
    by: str
    """Who asks."""
    reason: str = ""
    break_glass: str = ""
    """Why failing gates are to be passed over."""


@dataclass(frozen=True, slots=True)
class Pin:
    """Another chart for an environment."""

    environment: str
    before: str | None
    """The version that it pins now."""
    after: str | None
    rendered: tuple[Rendered, ...]
    """Every application of the environment, with its values for that chart."""
    gates: tuple[Gate, ...]
    proposal: Proposal | None
    """None: it is pinned so already, and the values are what they should be."""
    trees: tuple[Tree, Tree]
    """All files before and after."""
    notes: tuple[str, ...]
    """What is allowed but worth knowing."""
    next: tuple[str, ...]
    """What to run next."""

    @property
    def says(self) -> str:
        """In a sentence, without its end."""
        if self.before == self.after:
            return f"{self.environment} runs chart {shown(self.after)} already"
        return f"{self.environment}: chart {shown(self.before)} -> {shown(self.after)}"


def shown(version: str | None) -> str:
    """A version as people read it; the chart as it is now goes by its folder."""
    return version or CHART


def pinned(tree: Tree, request: PinRequest) -> Pin:
    """The environment with its pin, and the values of its applications for that chart; nothing is written.

    Raises InvalidInput for what is not there, and for values that the chart does not take. Raises Refused where a gate fails, or
    where values are stale before, or an environment that extends this one must be pinned first.
    """
    from bento_gitops.repository.editing import edited

    fleet = Fleet(tree)
    environment, version = request.environment, request.version
    own = read_environment(fleet, environment)
    before = own.value.chart.version if own.value.chart else None
    _require_release(fleet, version)
    _require_no_left_behind(fleet, environment, version)
    back = bool(before and version and order_of(version) < order_of(before))
    stale = _stale_before(fleet, environment, back)
    gates = tuple(_gates(fleet, request, back)) if version != before else ()
    failed = gating.failing(gates)
    if failed and not request.break_glass:
        raise gating.refusal(gates, environment_file(environment))
    path = environment_file(environment)
    text = tree.read(path)
    after = text if version == before else edited(text.decode(), _with_pin(parse_plain(text, path), version)).encode()
    rendered = tuple(render_fleet(Fleet(OverlayTree(tree, {path: after})), environment, now=request.now))
    changes = (Change(path, text, after), *(change(tree, one.target.values, one.text.encode()) for one in rendered))
    proposal = Proposal(changes, _message(request, before, gates), {path: text})
    return Pin(
        environment,
        before,
        version,
        rendered,
        gates,
        proposal if proposal.effective() else None,
        # The files may be written by the time that somebody compares.
        (
            OverlayTree(tree, {one.path: one.before for one in changes}),
            OverlayTree(tree, {one.path: one.after for one in changes}),
        ),
        tuple(dict.fromkeys((*stale, *(note for one in rendered for note in one.notes)))),
        _next(fleet, environment, version),
    )


def parse_plain(text: bytes, path: str) -> Mapping[str, Plain]:
    said = plain(parse(text, path))
    assert isinstance(said, dict), "parse gives a mapping"
    return said


def _with_pin(said: Mapping[str, Plain], version: str | None) -> dict[str, Plain]:
    kept = {key: value for key, value in said.items() if key != "chart"}
    return kept if version is None else {**said, "chart": {"version": version}}


def _message(request: PinRequest, before: str | None, gates: tuple[Gate, ...]) -> str:
    failed = gating.failing(gates)
    body = [f"Why: {one_line(request.reason)}"] if request.reason else []
    if gates:
        body.append("\n".join(["Gates:", *(f"  {gate.name}: {gate.outcome}, {one_line(gate.evidence)}" for gate in gates)]))
    trailers = {
        TRANSITION: "chart-pin" if request.version else "chart-unpin",
        TARGET: request.environment,
        CHART_TRAILER: shown(request.version),
        BY: one_line(request.by),
        REASON: one_line(request.reason),
        BREAK_GLASS: one_line(request.break_glass) if failed else "",
    }
    return message_of(f"{request.environment}: chart {shown(before)} -> {shown(request.version)}", body, trailers)


def _next(fleet: Fleet, environment: str, version: str | None) -> tuple[str, ...]:
    """The environments that take from this one and are not so far yet."""
    if version is None:
        return ()
    following: list[str] = []
    for name in fleet.environments():
        other = read_environment(fleet, name)
        pin = other.value.chart
        source = _source(fleet, name)
        if source and source[0] == environment and pin and order_of(pin.version) < order_of(version):
            following.append(f"bento-gitops chart pin {name} {version}")
    return tuple(following)


def read_environment(fleet: Fleet, name: str) -> Read[Environment]:
    """The file of an environment. Raises InvalidInput where there is none."""
    known = fleet.environments()
    if name not in known:
        place = Place(f"environments/{name}")
        raise InvalidInput([Problem(place, "", "no such environment", f"'{name}'", did_you_mean(name, known))])
    own = fleet.file(environment_file(name), Environment)
    assert own, "it is there"
    return own


def _require_release(fleet: Fleet, version: str | None) -> None:
    versions = fleet.charts.versions()
    if version is not None and version not in versions:
        todo = did_you_mean(version, versions) if versions else f"make it: `bento-gitops chart release {version}`"
        raise InvalidInput([Problem(Place(RELEASES), "", "there is no such release of the chart", f"'{version}'", todo)])


def _require_no_left_behind(fleet: Fleet, environment: str, version: str | None) -> None:
    """A first pin here would leave environments that extend this one, and pin nothing, with every change of the chart."""
    problems: list[Problem] = []
    for name in fleet.environments() if version else ():
        other = read_environment(fleet, name)
        if other.value.extends == environment and other.value.chart is None:
            wrong = f"extends {environment} and pins no chart; a pin is not inherited"
            todo = f"pin it first: `bento-gitops chart pin {name} {version}`"
            problems.append(Problem(place_of(other.tree, "extends"), "extends", wrong, "", todo))
    if problems:
        raise Refused(problems)


def _source(fleet: Fleet, environment: str) -> tuple[str, str | None] | None:
    """The environment that bundles come from, `promotion.from`, and the chart that it pins."""
    promotion = fleet.promotion(environment)
    if promotion is None or promotion.source is None:
        return None
    there = read_environment(fleet, promotion.source).value.chart
    return promotion.source, there.version if there else None


def ahead_of_source(fleet: Fleet, environment: str, version: str | None) -> Gate:
    """The gate `chart`: a release runs where bundles come from before it runs here.

    An environment without a pin runs what is newer than every release.
    """
    source = _source(fleet, environment)
    if source is None:
        return Gate("chart", "passed", f"{environment} takes from no other environment")
    name, there = source
    evidence = f"{name}, which {environment} takes from, runs chart {shown(there)}"
    if there is None or (version is not None and order_of(there) >= order_of(version)):
        return Gate("chart", "passed", evidence)
    command = f"chart pin {name} {version}" if version else f"chart unpin {name}"
    return Gate("chart", "failed", evidence, f"let it run there first: `bento-gitops {command}`")


def _gates(fleet: Fleet, request: PinRequest, back: bool) -> Iterator[Gate]:
    yield ahead_of_source(fleet, request.environment, request.version)
    if back:
        yield Gate("freeze", "passed", f"back to {request.version}, which needs no time of its own")
    else:
        yield gating.thawed(fleet.promotion(request.environment), request.now)


def _stale_before(fleet: Fleet, environment: str, back: bool) -> list[str]:
    """A note for each values.yaml that is stale already. Raises Refused with all of them, except on the way back: another change
    must not hide among those of the chart."""
    found: list[Problem] = []
    for target in fleet.chosen(environment):
        # A setting that only the next chart knows cannot be rendered before it is pinned; what is wrong afterwards is told then.
        with contextlib.suppress(InvalidInput):
            stale = stale_before(fleet, target, "chart pin")
            found += [stale] if stale else []
    if found and not back:
        raise Refused(found)
    return [f"{stale.place}: {stale.wrong}: see the difference" for stale in found]
