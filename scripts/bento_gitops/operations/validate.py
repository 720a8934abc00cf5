"""validate: the objects of every target against schemas, the policies of its environment, each other, and another Helm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from bento_gitops.checking.application import Warned, readable
from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.checking.objects import Json, Map, pointer_of, shown
from bento_gitops.checking.policies import Guard
from bento_gitops.checking.quotas import Workload, shortages, workloads
from bento_gitops.checking.rendered import Document
from bento_gitops.checking.shares import Share, too_few_pods
from bento_gitops.layers.marked import place_of
from bento_gitops.layers.resolving import saying
from bento_gitops.model.files import Environment
from bento_gitops.model.layout import environment_file, values_file
from bento_gitops.model.problem import Place, Problem
from bento_gitops.operations.arriving import Arrival, arrival
from bento_gitops.operations.clusters import cluster_files
from bento_gitops.operations.manifests import refused, render_objects
from bento_gitops.operations.objects import checker
from bento_gitops.operations.platforms import Platform, platforms
from bento_gitops.operations.render import Rendered, render_fleet
from bento_gitops.operations.rollback_state import problems_of_rollback
from bento_gitops.operations.verifying import undeclared_paths
from bento_gitops.rendering.guardrails import Guarded
from bento_gitops.repository.files import GitTree, WorkingTree
from bento_gitops.repository.fleet import Fleet
from bento_gitops.repository.policies import Guards
from bento_gitops.tools import helm

TIMES = 25
"""Renders that must be the same bytes."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where objects go: two environments may share one."""

    cluster: str
    name: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at for one application."""

    application: str
    """ENV/APP."""
    objects: int
    problems: tuple[Problem, ...]
    unchecked: Mapping[str, int]
    """Objects for which there was no schema, by group, version and kind."""
    notes: tuple[str, ...] = ()
    """What is no problem, and to be known."""
    pods: tuple[Workload, ...] = ()
    warnings: tuple[Warned, ...] = ()
    """What policies say that do not deny in this environment."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was checked."""

    checked: tuple[Checked, ...]
    versions: tuple[str, ...] = VERSIONS
    """Of Kubernetes."""
    policies: int = 0
    """How many policies the objects were held to."""
    platforms: tuple[Platform, ...] = ()
    """What the clusters get once; looked at where everything is."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        return tuple(sorted(problem for one in (*self.checked, *self.platforms) for problem in one.problems))

    @property
    def unchecked(self) -> Mapping[str, int]:
        total: Counter[str] = Counter()
        for one in (*self.checked, *self.platforms):
            total.update(one.unchecked)
        return dict(sorted(total.items()))

    @property
    def warnings(self) -> Mapping[str, Sequence[tuple[str, Warned]]]:
        """By policy what it warns of, each with its ENV/APP."""
        found: dict[str, list[tuple[str, Warned]]] = {}
        for one in self.checked:
            for warned in one.warnings:
                found.setdefault(warned.policy, []).append((one.application, warned))
        return dict(sorted(found.items()))


def validate(root: Path, wanted: str | None, *, thorough: bool = False, base: str | None = None) -> Report:
    """Checks ENV, ENV/APP or everything, as its sources say it now, and as rollback would leave it.

    With `base`, a Git ref, what rollback has is compared with what it had there, and what arrives at the cluster with what runs:
    a weight that rises in the same change as pods is a problem.

    Raises InvalidInput with what is wrong with the sources themselves: without values there are no objects.
    """
    fleet = Fleet(WorkingTree(root))
    rendered = render_fleet(fleet, wanted)
    namespaces: dict[str, Namespace] = {}
    for name in sorted({one.target.environment for one in rendered}):
        environment = fleet.file(environment_file(name), Environment)
        assert environment, "render read it"
        namespaces[name] = Namespace(environment.value.cluster, environment.value.namespace)
    values = {str(one.target): one.text for one in rendered}
    charts = {str(one.target): root / one.chart for one in rendered}
    guards = Guards(fleet)
    by_environment = {name: guards.of(name) for name in sorted(namespaces)}
    report = validate_values(root, values, charts, thorough=thorough, namespaces=namespaces, guards=by_environment)
    before = Fleet(GitTree(root, base)) if base else None
    rollbacks = problems_of_rollback(fleet, [one.target for one in rendered], checker(fleet.tree), guards, before)
    found = {str(target): problems for target, problems in rollbacks.items()}
    arrivals: dict[str, Arrival] = {}
    if before is not None:
        arrivals = {str(one.target): arrival(before, fleet, one.target, one.text) for one in rendered}
    notes = {str(one.target): (*one.notes, *undeclared_paths(fleet, one.target)) for one in rendered}
    for one in rendered:
        found[str(one.target)] = [*found[str(one.target)], *shares_of(fleet, one)]
    checked = (
        _with(one, found[one.application], arrivals.get(one.application, Arrival()), notes[one.application])
        for one in report.checked
    )
    checked = _within_quotas(fleet, list(checked), wanted)
    of_clusters: tuple[Platform, ...] = ()
    if not wanted or "/" not in wanted:
        here = {namespace.cluster for namespace in namespaces.values()}
        files = [one for one in cluster_files(fleet) if not wanted or one.cluster in here]
        of_clusters = platforms(root, files, checker(fleet.tree))
    return replace(report, checked=tuple(checked), platforms=of_clusters)


def _within_quotas(fleet: Fleet, checked: Sequence[Checked], wanted: str | None) -> list[Checked]:
    """With what does not fit into the quota of an environment, told of its first application; one application alone is no sum."""
    result = list(checked)
    if wanted and "/" in wanted:
        return result
    for environment in sorted({one.application.partition("/")[0] for one in checked}):
        chain = fleet.chain(environment)
        quota = Guarded(chain).rules.quota
        if quota is None:
            continue
        tree = saying(chain, "guardrails").tree
        own = [place for place, one in enumerate(result) if one.application.partition("/")[0] == environment]
        pods = [workload for place in own for workload in result[place].pods]
        allowed = {name: str(value) for name, value in quota.model_dump(exclude_none=True).items()}
        for short in shortages(pods, allowed):
            at = place_of(tree, "guardrails", "quota", short.resource)
            pointer, first = f"guardrails.quota.{short.resource}", result[own[0]]
            if short.certain:
                wrong = f"all pods of {environment} request {short.requested} at the fewest, and none above the quota would start"
                problem = Problem(at, pointer, wrong, short.quota, "raise it, or lower what pods request")
                result[own[0]] = replace(first, problems=tuple(sorted({*first.problems, problem})))
            else:
                note = f"{at}: {pointer}: has no room for all autoscalers of {environment} at their maximum: {short.requested}"
                result[own[0]] = replace(first, notes=(*first.notes, f"{note} (found {short.quota})"))
    return result


def shares_of(fleet: Fleet, rendered: Rendered) -> Iterator[Problem]:
    """Where the candidate's pods are too few for its weight."""
    shares = {
        one.role: Share(one.track, one.weight, {name: int(pods.partition("-")[0]) for name, pods in one.replicas.items()})
        for one in rendered.tracks
    }
    if "candidate" in shares:
        tree = fleet.sources(rendered.target).release.tree
        place = place_of(tree, "tracks", shares["candidate"].track, "weight")
        yield from too_few_pods(shares["candidate"], shares["stable"], place)


def _with(checked: Checked, rollback: Sequence[Problem], arriving: Arrival, notes: Sequence[str]) -> Checked:
    problems = sorted({*checked.problems, *rollback, *arriving.problems})
    return replace(checked, problems=tuple(problems), notes=(*notes, *arriving.notes))


def validate_values(
    root: Path,
    applications: Mapping[str, str],
    charts: Mapping[str, Path],
    *,
    thorough: bool = False,
    namespaces: Mapping[str, Namespace] | None = None,
    guards: Mapping[str, Guard] | None = None,
) -> Report:
    """Renders each application (ENV/APP: text of its values) with its chart (ENV/APP: the folder) and checks its objects.

    `namespaces` says where each environment's objects go; an environment that it does not name is taken for a place of its own.
    `guards` says which policies guard it; in an environment that it does not name no policy is asked.
    With `thorough`, every application is rendered 25 times and the bytes compared, and Helm 3.19 renders as for the oldest
    Kubernetes what Helm 4 rendered as for the newest: that the objects are the same proves that neither matters. What differs
    there differs by the chart's templates, so it is for their tests and for CI; the objects that are checked are Helm 4's anyway.
    """
    checks = checker(WorkingTree(root))
    new, old = _renderings(applications, charts, thorough=thorough)
    changing = _changing(applications, charts) if thorough else {}
    checked: list[Checked] = []
    makers: dict[tuple[Namespace | str, str], str] = {}
    for key in sorted(applications):
        problems = list(_refused(key, applications[key], new, old))
        problems += changing.get(key, ())
        place = Place(values_file(key))
        guard = (guards or {}).get(key.partition("/")[0])
        outcome = checks.check(new.documents.get(key, ()), guard)
        if old and key in new.documents and key in old.documents:
            problems += _differences(place, new.documents[key], old.documents[key])
        problems += [item.problem(place) for item in outcome.findings]
        environment = key.partition("/")[0]
        where = (namespaces or {}).get(environment, environment)
        problems += _made_twice(key, place, where, [item.identity for item in outcome.objects], makers)
        found = tuple(sorted(set(problems)))
        pods = tuple(workloads(outcome.objects))
        checked.append(Checked(key, len(outcome.objects), found, outcome.unchecked, warnings=outcome.warnings, pods=pods))
    held = max((len(guard.policies.offline) for guard in (guards or {}).values()), default=0)
    return Report(tuple(checked), policies=held)


def _renderings(
    applications: Mapping[str, str], charts: Mapping[str, Path], *, thorough: bool
) -> tuple[helm.Rendering, helm.Rendering | None]:
    """Helm 4's, and with `thorough` Helm 3.19's."""
    if not thorough:
        return render_objects(applications, charts, "helm", VERSIONS[-1]), None
    with ThreadPoolExecutor(2) as pool:
        # One process each, side by side: the two together keep two cores busy.
        new = pool.submit(render_objects, applications, charts, "helm", VERSIONS[-1], at_a_time=1)
        old = pool.submit(render_objects, applications, charts, "helm-3.19", VERSIONS[0], at_a_time=1)
        return new.result(), old.result()


def _made_twice(
    key: str, place: Place, where: Namespace | str, objects: Sequence[str], makers: dict[tuple[Namespace | str, str], str]
) -> list[Problem]:
    """Objects that another application makes in the same place (a namespace, or an environment). `makers`: who was first."""
    first = {identity: makers.setdefault((where, identity), key) for identity in objects}
    wrong = "another application of this namespace makes the same object"
    rename, part = "rename an application or a track", "give one of the two environments a namespace of its own"
    return [
        Problem(place, identity, wrong, maker, rename if maker.partition("/")[0] == key.partition("/")[0] else part)
        for identity, maker in first.items()
        if maker != key
    ]


def _refused(key: str, values: str, new: helm.Rendering, old: helm.Rendering | None) -> Iterator[Problem]:
    here = new.refusals.get(key)
    there = old.refusals.get(key) if old else None
    if here:
        yield from refused(key, values, here)
    elif there:
        yield from (replace(item, wrong=f"Helm 3.19 alone refuses it: {item.wrong}") for item in refused(key, values, there))
    if here and old and not there:
        yield Problem(
            Place(values_file(key)), "", "Helm 3.19 renders what Helm 4 refuses", "", "write the template so that both agree"
        )


def _differences(place: Place, new: Sequence[Document], old: Sequence[Document]) -> list[Problem]:
    """Where the objects of the two Helms differ; blank lines do not count."""
    if [_squeezed(document) for document in new] == [_squeezed(document) for document in old]:
        return []
    here, there = ({f"{item.api_version} {item.identity}": item.body for item in readable(found)[0]} for found in (new, old))
    return [
        _difference(place, identity, here.get(identity), there.get(identity))
        for identity in sorted(here.keys() | there.keys())
        if here.get(identity) != there.get(identity)
    ]


def _difference(place: Place, identity: str, new: Map | None, old: Map | None) -> Problem:
    at, one, other = _first_difference(new, old, ())
    wrong = f"Helm 4 (for Kubernetes {VERSIONS[-1]}) and Helm 3.19 (for {VERSIONS[0]}) render different objects"
    return Problem(place, f"{identity} {at}".strip(), wrong, f"{one} and {other}", "let the template depend on values alone")


def _squeezed(document: Document) -> tuple[str, list[str]]:
    return document.template, [line for line in document.text.splitlines() if line.strip()]


def _first_difference(one: Json, other: Json, path: tuple[str | int, ...]) -> tuple[str, str, str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in [*one, *(key for key in other if key not in one)]:
            if one.get(key) != other.get(key) or (key in one) != (key in other):
                return _first_difference(one.get(key), other.get(key), (*path, key))
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, (left, right) in enumerate(zip(one, other, strict=True)):
            if left != right:
                return _first_difference(left, right, (*path, index))
    return pointer_of(path), "nothing" if one is None else shown(one), "nothing" if other is None else shown(other)


def _changing(applications: Mapping[str, str], charts: Mapping[str, Path]) -> dict[str, list[Problem]]:
    """Applications that do not render to the same bytes each time."""
    many = {f"{key}#{number}": text for key, text in applications.items() for number in range(TIMES)}
    theirs = {f"{key}#{number}": charts[key] for key in applications for number in range(TIMES)}
    # In one process as in many: Go starts every walk through a map at another place.
    rendering = render_objects(many, theirs, "helm", VERSIONS[-1])
    result: dict[str, list[Problem]] = {}
    for key in applications:
        renders = [{(item.template, item.text) for item in rendering.documents.get(f"{key}#{n}", ())} for n in range(TIMES)]
        differing = {item for render in renders for item in render ^ renders[0]}
        if differing:
            names = sorted({template for template, _ in differing})
            wrong = f"{TIMES} renders are not the same bytes"
            found = f"they differ in {', '.join(names)}"
            result[key] = [Problem(Place(values_file(key)), "", wrong, found, "let the template walk through maps in order")]
    return result
