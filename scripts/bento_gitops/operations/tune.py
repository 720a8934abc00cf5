"""tune: runs a component of a built Bento on loopback as the chart would, once for each setting of its batching, under load."""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bento_gitops.bundling.manifest import Manifest, read_manifest
from bento_gitops.layers.merging import ResolvedMap, value_at
from bento_gitops.layers.overriding import what_if
from bento_gitops.model.bundle import Bundle, RecordedLimit
from bento_gitops.model.layout import bundle_file, release_file
from bento_gitops.model.problem import InvalidInput, Place, Problem, ToolFailed, did_you_mean
from bento_gitops.model.release import Release
from bento_gitops.observing import tuning
from bento_gitops.observing.answers import Answered, Asked
from bento_gitops.observing.payloads import Payload, few, payloads
from bento_gitops.observing.tuning import Setting
from bento_gitops.operations.chart_processes import needed, processes
from bento_gitops.operations.render import render_one
from bento_gitops.repository.files import Tree
from bento_gitops.repository.fleet import Fleet, Target
from bento_gitops.tools import bento, http, serving

MOST_SECONDS = 30 * 60.0
"""Of a whole measurement."""
WARM_UP = 3.0
"""Seconds of load before what is measured: the batcher learns how long batches take from its first ones."""
READY_WITHIN = 90.0
CLIENTS = 80
"""That send at once where nobody says another number, and one pod takes so many."""
_START = 4.0
"""Seconds that a start is guessed to take, and each further process."""
_FURTHER = 1.5
_TRIED = 200
"""Requests of the payloads that are sent one by one before any load, to see that they are right."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for on the command line."""

    target: str
    component: str
    bento: str
    python: Path | None
    home: Path | None
    api: str | None
    sizes: tuple[int, ...]
    latencies: tuple[int, ...]
    clients: int | None
    """None: as many as one pod takes at a time, and no more than `CLIENTS`."""
    seconds: float
    repeat: int
    payloads: Path
    through_api: bool
    assignments: tuple[str, ...]
    passed: Mapping[str, str]
    """Variables for the processes beside those that the chart sets: what comes from Secrets in a cluster."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What of an API's batching the code reads from variables."""

    service: str
    api: str
    now: Setting
    variables: Mapping[str, str]
    """By limit: max_batch_size, max_latency_ms, or one of the two."""

    def environment(self, setting: Setting) -> dict[str, str]:
        """The variables that make the setting."""
        return {env: str(value) for limit, env in self.variables.items() for value in (self._value(setting, limit),)}

    def lines(self, setting: Setting) -> str:
        """What to write into config.yaml for the setting."""
        return tuning.lines(self.service, self.api, {limit: self._value(setting, limit) for limit in self.variables})

    @staticmethod
    def _value(setting: Setting, limit: str) -> int:
        return setting.max_batch_size if limit == "max_batch_size" else setting.max_latency_ms


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is known before anything is started."""

    wanted: Wanted
    target: Target
    bundle: str
    """The tag of the bundle that records the Bento."""
    limits: Limits
    asked: str
    """The service that the load is sent to."""
    processes: tuple[serving.Process, ...]
    payloads: tuple[Payload, ...]
    clients: int
    settings: tuple[Setting, ...]
    objective: float | None
    """The p95 in seconds that what is asked promises."""
    served: serving.Bento
    notes: tuple[str, ...]

    @property
    def runs(self) -> list[Setting]:
        """In the order in which they are measured. Today's comes first: with it every payload should be answered."""
        others = [setting for setting in self.settings if setting != self.limits.now]
        return tuning.order([self.limits.now, *others], self.wanted.repeat)

    @property
    def seconds(self) -> float:
        """How long it is guessed to take."""
        return len(self.runs) * self.seconds_a_run

    @property
    def seconds_a_run(self) -> float:
        """Start, warm-up, load."""
        return _START + _FURTHER * (len(self.processes) - 1) + WARM_UP + self.wanted.seconds

    @property
    def config(self) -> str:
        """The file that holds the setting."""
        return f"{self.target.folder}/config.yaml"


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was measured."""

    cells: tuple[tuning.Cell, ...]
    proposal: tuning.Proposal
    complete: bool
    """False: time was over before all was measured."""
    load_average: tuple[float, float] | None
    """Of the machine before the first run and after the last one; processes that wanted a CPU in the last minute."""


@contextmanager
def planned(tree: Tree, wanted: Wanted) -> Generator[Plan]:
    """What would be run. An exported Bento is unpacked for as long as this is open.

    Raises InvalidInput with what is wrong with files and options, ToolFailed where a program is missing.
    """
    with bento.opened(wanted.bento, bento.bentoml_home(wanted.home)) as opened, tempfile.TemporaryDirectory() as scratch:
        manifest = read_manifest(opened.text("bento.yaml") or b"", f"{wanted.bento}/bento.yaml")
        served = serving.Bento(opened, tuple(manifest.tags), manifest.image_envs, bento.find_python(wanted.python))
        yield _plan(tree, wanted, manifest, served, Path(scratch))


def measure(plan: Plan, told: Callable[[str], None]) -> Tuned:
    """Runs it all; `told` gets a line before each run. Every process has ended when this returns or raises."""
    before = _load_average()
    deadline = time.monotonic() + MOST_SECONDS
    runs: list[tuning.Run] = []
    todo = plan.runs
    for number, setting in enumerate(todo, 1):
        if time.monotonic() + plan.seconds_a_run > deadline:
            break
        told(f"{number}/{len(todo)}: {setting}")
        runs.append(_run(plan, setting, first=number == 1))
    cells = tuning.cells(runs, plan.limits.now)
    after = _load_average()
    average = (before, after) if before is not None and after is not None else None
    return Tuned(tuple(cells), tuning.propose(cells, plan.objective), len(runs) == len(todo), average)


def _plan(tree: Tree, wanted: Wanted, manifest: Manifest, served: serving.Bento, scratch: Path) -> Plan:
    fleet = Fleet(tree)
    if not wanted.target.partition("/")[2]:
        advice = f"write it like {wanted.target.strip('/')}/APPLICATION"
        place = Place(f"environments/{wanted.target}")
        raise InvalidInput([Problem(place, "", "tune needs one application", f"'{wanted.target}'", advice)])
    target = fleet.chosen(wanted.target)[0]
    notes: list[str] = []
    bundle = _recorded(fleet, target, manifest, wanted.bento)
    fleet, track = _with_bundle(fleet, target, bundle, notes)
    extra = [what_if(assignment) for assignment in wanted.assignments]
    rendered, values = render_one(fleet, target, extra)
    if value_at(values, "tracing", "endpoint") is not None:
        notes.append("traces are not sent: the collector is in the cluster")
        rendered, values = render_one(fleet, target, [*extra, what_if("tracing=null")])
    limits = _limits(bundle, values, track, wanted)
    found = processes(tree, rendered, track, scratch)
    asked = bundle.entry if wanted.through_api else limits.service
    if asked not in found:
        todo = "it runs in the api's process (mode: single): measure it with --through-api"
        raise InvalidInput([Problem(Place(str(target)), asked, "has no pods of its own", "", todo)])
    started = [_passing(one, wanted.passed) for one in needed(found, asked)]
    secrets = dict.fromkeys(name for one in started for name in one.secrets)
    if secrets and not wanted.passed:
        notes.append(f"variables of the Secrets {', '.join(secrets)} are not set here: --pass NAME gives one of yours")
    at_most = {service: _at_a_time(values, track, service) for service in (asked, limits.service)}
    clients = wanted.clients or int(min(CLIENTS, *at_most.values()))
    if wanted.clients is None and clients < CLIENTS:
        narrow = min(at_most, key=lambda service: at_most[service])
        notes.append(
            f"{clients} clients: so many requests does one pod of {narrow} take at a time (traffic.max_concurrency); "
            "--clients says another number"
        )
    notes += [_too_many(service, clients, most) for service, most in at_most.items() if clients > most]
    routes = {api.route for api in bundle.services[asked].apis.values()}
    if asked == limits.service:
        routes = {bundle.services[asked].apis[limits.api].route}
    settings = tuning.grid(wanted.sizes, wanted.latencies, limits.now)
    objective = value_at(values, "tracks", track, "components", asked, "slo", "p95") or value_at(values, "slo", "p95")
    plan = Plan(
        wanted,
        target,
        bundle.tag,
        limits,
        asked,
        tuple(started),
        tuple(_payloads(wanted.payloads, routes)),
        clients,
        tuple(settings),
        float(objective) if isinstance(objective, (int, float)) else None,
        served,
        tuple(notes),
    )
    if plan.seconds > MOST_SECONDS:
        wrong = (
            f"{len(plan.runs)} runs would take about {plan.seconds / 60:.0f} minutes, and {MOST_SECONDS / 60:.0f} are the most"
        )
        todo = "take fewer --sizes and --latencies, fewer --seconds, or --repeat 1"
        raise InvalidInput([Problem(Place("tune"), "", wrong, "", todo)])
    return plan


def _recorded(fleet: Fleet, target: Target, manifest: Manifest, reference: str) -> Bundle:
    """The bundle that records the Bento: it names the variables of the limits."""
    tag = f"{manifest.name}:{manifest.version}"
    known: dict[str, str] = {}
    for name in fleet.tags(target.application):
        read = fleet.file(bundle_file(target.application, name), Bundle)
        assert read, "needed"
        if read.value.bento == tag:
            return read.value
        known[name] = read.value.bento
    recorded = ", ".join(f"{name} ({of})" for name, of in known.items()) or "none"
    todo = f"record it with `bento-gitops bundle create --application {target.application} ...`; recorded are {recorded}"
    raise InvalidInput([Problem(Place(reference), "", f"no bundle of {target.application} records this Bento", tag, todo)])


def _with_bundle(fleet: Fleet, target: Target, bundle: Bundle, notes: list[str]) -> tuple[Fleet, str]:
    """The fleet with the bundle on a track, and the track: the one that runs it, else stable's, as if it had been released."""
    path = release_file(str(target))
    read = fleet.file(path, Release)
    assert read, "needed"
    release = read.value
    for name, track in release.tracks.items():
        if track.bundle == bundle.tag:
            return fleet, name
    notes.append(f"{target} runs no {bundle.tag} yet: its settings are those that it would have there")
    before = release.tracks[release.stable].bundle
    text = (
        f"apiVersion: bento-gitops/v1\nkind: Release\nstable: {release.stable}\n"
        f'tracks: {{{release.stable}: {{bundle: "{bundle.tag}", weight: 100}}}}\n'
        # What config.yaml says of a service that only the older bundle has is no mistake.
        f'previous: {{bundle: "{before}"}}\nsince: {release.since}\n'
    )
    return fleet.over({path: text.encode()}), release.stable


def _limits(bundle: Bundle, values: ResolvedMap, track: str, wanted: Wanted) -> Limits:
    """Raises InvalidInput where there is nothing to measure."""
    place = Place(bundle_file(bundle.application, bundle.tag))
    service = bundle.services.get(wanted.component)
    if service is None:
        advice = did_you_mean(wanted.component, bundle.services)
        raise InvalidInput([Problem(place, "services", "no such component", f"'{wanted.component}'", advice)])
    batching = {name: api.batching for name, api in service.apis.items() if api.batching is not None}
    if wanted.api is not None and wanted.api not in batching:
        advice = did_you_mean(wanted.api, batching) if batching else "measure a component that batches"
        raise InvalidInput(
            [Problem(place, f"services.{wanted.component}.apis", "no API of it batches by this name", f"'{wanted.api}'", advice)]
        )
    if len(batching) != 1 and wanted.api is None:
        found = ", ".join(batching) or "none"
        advice = "say which with --api" if batching else "measure a component that batches"
        raise InvalidInput([Problem(place, f"services.{wanted.component}.apis", "not one API batches", found, advice)])
    api = wanted.api or next(iter(batching))
    recorded = batching[api]
    at = ("tracks", track, "components", wanted.component, "apis", api, "batching")
    variables: dict[str, str] = {}
    now: dict[str, int] = {}
    problems: list[Problem] = []
    for limit, option, asked in (
        ("max_batch_size", "--sizes", wanted.sizes),
        ("max_latency_ms", "--latencies", wanted.latencies),
    ):
        said: int | RecordedLimit = getattr(recorded, limit)
        set_now = value_at(values, *at, limit, "value")
        if isinstance(said, RecordedLimit):
            variables[limit] = said.env
            now[limit] = set_now if isinstance(set_now, int) else said.default
        else:
            now[limit] = said
            if set(asked) != {said}:
                wrong = f"the code reads {limit} of {api} from no variable, so it is always {said}"
                problems.append(Problem(Place(option), "", wrong, "", f"give {option} {said}, or let the code read one"))
    if not variables:
        wrong = f"the code reads no limit of {api} from a variable, so nothing can be set from outside"
        todo = "read them like int(os.environ.get('MAX_BATCH_SIZE', '32')) in the decorator"
        raise InvalidInput([Problem(place, f"services.{wanted.component}.apis.{api}.batching", wrong, "", todo)])
    if problems:
        raise InvalidInput(problems)
    return Limits(wanted.component, api, Setting(now["max_batch_size"], now["max_latency_ms"]), variables)


def _at_a_time(values: ResolvedMap, track: str, service: str) -> float:
    """How many requests one pod of a service takes at a time; infinity where nothing limits them."""
    at_most = value_at(values, "tracks", track, "components", service, "traffic", "max_concurrency")
    return at_most if isinstance(at_most, int) else math.inf


def _too_many(service: str, clients: int, at_most: float) -> str:
    """What should be known beforehand of a load of which a part is refused."""
    return (
        f"{clients} clients, and one pod of {service} takes {at_most:.0f} requests at a time (traffic.max_concurrency): "
        f"the rest is answered 429, whatever the batching; take --clients {at_most:.0f}, or see what a higher limit does: "
        f"--set services.{service}.traffic.max_concurrency={clients}"
    )


def _payloads(file: Path, routes: set[str]) -> list[Payload]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput([Problem(Place(str(file)), "--payloads", f"cannot be read: {error}", "", "name a file")]) from None
    return payloads(text, str(file), routes)


def _passing(one: serving.Process, passed: Mapping[str, str]) -> serving.Process:
    # What the chart sets wins, as it does over a Secret's keys.
    return replace(one, environment={**passed, **one.environment})


def _run(plan: Plan, setting: Setting, *, first: bool) -> tuning.Run:
    """One load on freshly started processes: what a batcher has learned of another setting is gone."""
    variables = plan.limits.environment(setting)
    started = [replace(one, environment={**one.environment, **variables}) for one in plan.processes]
    with serving.served(plan.served, started, limit=READY_WITHIN) as served:
        address = served.addresses[plan.asked]
        asked = [Asked.of("POST", address, payload.path, payload.body) for payload in plan.payloads]
        if first:
            _try(plan, asked)
        http.load(asked, clients=plan.clients, seconds=WARM_UP)
        served.check()
        batching = plan.limits.service if plan.limits.service in served.addresses else plan.asked
        before, cpu = _batches(served, batching, plan.limits.api), served.cpu_seconds(batching)
        begin, own = time.monotonic(), time.process_time()
        answered = http.load(asked, clients=plan.clients, seconds=plan.wanted.seconds)
        took, own_took = time.monotonic() - begin, time.process_time() - own
        served.check()
        cpu_after, after = served.cpu_seconds(batching), _batches(served, batching, plan.limits.api)
    return tuning.run_of(
        setting,
        answered,
        [payload.items for payload in plan.payloads],
        plan.wanted.seconds,
        batches=after.since(before or tuning.Batches()) if after else None,
        client_cpu=own_took / took,
        component_cpu=(cpu_after - cpu) / took if cpu is not None and cpu_after is not None else None,
    )


def _try(plan: Plan, asked: Sequence[Asked]) -> None:
    """Sends payloads without any load. Raises InvalidInput for those that are refused, ToolFailed if none is answered."""
    tried = http.ask(asked[:_TRIED], at_once=2)
    if not any(200 <= one.status < 300 for one in tried):
        raise ToolFailed(f"{plan.asked} answers no request, also without any load; {_said(tried[0])}")
    refused: dict[str, list[int]] = {}
    for one in tried:
        # 503 is about time, not about the request: on a busy machine today's deadline may be missed once.
        if not 200 <= one.status < 300 and one.status != 503:
            refused.setdefault(_said(one), []).append(plan.payloads[one.asked].line)
    if refused:
        file = str(plan.wanted.payloads)
        problems = [
            Problem(Place(file, found[0]), "", _with_others(f"{plan.asked} refuses it", found), said, "correct the request")
            for said, found in refused.items()
        ]
        raise InvalidInput(few(problems))


def _with_others(wrong: str, found: Sequence[int]) -> str:
    return wrong if len(found) == 1 else f"{wrong}, and {len(found) - 1} more in the same words"


def _said(one: Answered) -> str:
    text = (one.body or b"").decode("utf-8", "replace").strip()[:200]
    return f"{one.status}: {text}" if one.status else one.trouble


def _batches(served: serving.Served, service: str, api: str) -> tuning.Batches | None:
    (answered,) = http.ask([Asked("GET", f"{served.addresses[service]}/metrics")])
    if answered.status != 200:
        raise ToolFailed(f"{service} does not tell its metrics: {answered.status or answered.trouble}")
    return tuning.batches_in((answered.body or b"").decode("utf-8", "replace"), api)


def _load_average() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None  # the system has none
