"""What was seen of a running track, against what it should be: each check with its outcome and what was found.

BentoML's traps are behind several of them. A component whose `--depends` is missing runs its dependency in its own process and
calls itself ready: so each dependency's own count of requests must rise while the api is asked. What runs may be another Bento
than the pods' labels say: so the metrics' own `service_version` counts.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

from bento_gitops.model.gate import Outcome
from bento_gitops.model.problem import did_you_mean
from bento_gitops.model.settings import Role
from bento_gitops.model.verification import Check
from bento_gitops.observing.answers import Answered
from bento_gitops.observing.expectations import differences, misses
from bento_gitops.observing.exposition import Series, series

_PROBES = frozenset({"/readyz", "/livez", "/healthz", "/metrics", "/schema.json", "/docs.json", "/"})
_REQUESTS = re.compile(r"bentoml_\w*request_total")
_TRACK, _BUNDLE = "x-bento-track", "x-bento-bundle"
_FEWEST_FOR_P95 = 10
"""Good answers below which the slowest of them says nothing of 95 in 100."""
_CAUSES = ("ready", "bundle", "model", "dependency", "answer")
"""Kinds of checks, the cause before what comes of it."""
_MISSING_DEPENDS = "its caller runs it in its own process (is --depends missing?), or no check needs it"


@dataclass(frozen=True, slots=True)
class Component:
    """A component as its bundle has it."""

    service: str
    role: Role
    routes: frozenset[str] = frozenset()
    called: bool = False
    """Another component depends on it, and asks it over the network."""
    needs: frozenset[str] = frozenset()
    """The components that it asks over the network: BentoML calls it ready only while they are."""


@dataclass(frozen=True, slots=True)
class Stable:
    """What the track beside it should be."""

    track: str
    bundle: str
    bento: str
    """The Bento's own name:version."""
    entry: str
    """The service that is asked."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is verified."""

    track: str
    bundle: str
    bento: str
    """The Bento's own name:version."""
    components: tuple[Component, ...]
    p95: float | None = None
    """Seconds: the application's objective."""
    stable: Stable | None = None
    """None: it is the stable track itself."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the pods of a component said; each of the three has an answer from each address."""

    addresses: tuple[str, ...]
    ready: Sequence[Answered]
    before: Sequence[Answered]
    """Their metrics, before anything was asked."""
    after: Sequence[Answered]
    others: int = 0
    """Pods of it that nobody looked at."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a track."""

    components: Mapping[str, Looked]
    """By service; without one that nobody knows how to reach."""
    answers: Mapping[str, Sequence[Answered]]
    """By check: the answer of each round. The first round is a pod's warming up, too."""
    stable: Mapping[str, Answered] | None = None
    """By check, the stable track's answer. None: there is no other track, or nobody asked it."""
    stable_metrics: Sequence[Answered] = ()
    """Of each address of the stable track's api."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of one check."""

    name: str
    outcome: Outcome
    found: str
    seconds: float | None = None
    contradicts: bool = False
    """What answered is something else than the bundle: what was found says nothing about the bundle."""


def verified(subject: Subject, checks: Mapping[str, Check], seen: Seen) -> tuple[Checked, ...]:
    """Every check, in the order in which one looks for the cause of a failure."""
    answers = [answered for rounds in seen.answers.values() for answered in rounds]
    return (
        *(_ready(one, seen) for one in subject.components),
        *(_bundle(one, subject, seen) for one in subject.components),
        *(_model(one, seen) for one in subject.components),
        *(_dependency(one, seen, answers) for one in subject.components if one.called),
        *(_answer(name, check, seen.answers.get(name, ())) for name, check in checks.items()),
        *_same(subject, checks, seen),
        *_latencies(subject, checks, seen),
    )


def undeclared(checks: Mapping[str, Check], routes: Mapping[str, bool]) -> list[str]:
    """Checks of paths that no API declares, for people; `routes`: of all APIs, and whether each is a task.

    A check that expects 404 asks for such a path on purpose. A path of an app that the code mounts is in no bundle either.
    """
    found: list[str] = []
    for name, check in checks.items():
        path = check.request.path.partition("?")[0]
        tasks = (route for route, is_task in routes.items() if is_task)
        known = path in routes or path in _PROBES or any(path.startswith(f"{route}/") for route in tasks)
        if not known and check.expect.status != HTTPStatus.NOT_FOUND:
            found.append(f"check {name} asks {path}, which no bundle of the release declares; {did_you_mean(path, routes)}")
    return found


def begin_with(subject: Subject, outcomes: Iterable[Checked]) -> Checked | None:
    """The failure to look at first, of several: what is not the bundle, then the component that needs none of the broken ones."""
    failed = [one for one in outcomes if one.outcome == "failed"]
    broken = {one.name for one in failed}
    needs = {one.service: one.needs for one in subject.components}

    def rank(one: Checked) -> tuple[bool, int, bool]:
        kind, _, service = one.name.partition("/")
        order = _CAUSES.index(kind) if kind in _CAUSES else len(_CAUSES)
        return not one.contradicts, order, any(f"{kind}/{other}" in broken for other in needs.get(service, ()))

    return min(failed, key=rank, default=None)


def other_bento(outcomes: Iterable[Checked]) -> list[str]:
    """What contradicts that the bundle of Git is the one that answered."""
    return [f"{one.name}: {one.found}" for one in outcomes if one.contradicts]


def is_the_bundle(outcomes: Iterable[Checked], entry: str) -> bool:
    """Whether it is known that the bundle of Git is the one that answered."""
    found = {one.name: one.outcome for one in outcomes}
    return found.get(f"bundle/{entry}") == "passed" and not other_bento(outcomes)


def _unknown(name: str) -> Checked:
    service = name.partition("/")[2]
    return Checked(name, "not looked", f"nobody said where it is; --url {service}=http://...")


def _ready(one: Component, seen: Seen) -> Checked:
    name, looked = f"ready/{one.service}", seen.components.get(one.service)
    if looked is None:
        return _unknown(name)
    if not looked.addresses:
        return Checked(name, "failed", "it has no running pod")
    wrong = [
        f"{answered.trouble or f'/readyz answers {answered.status}'} ({address})"
        for address, answered in zip(looked.addresses, looked.ready, strict=True)
        if answered.status != 200
    ]
    seconds = max(answered.seconds for answered in looked.ready)
    return Checked(name, "failed" if wrong else "passed", "; ".join(wrong) or _pods(looked), seconds)


def _pods(looked: Looked) -> str:
    number = len(looked.addresses)
    rest = f" of {number + looked.others}" if looked.others else ""
    return f"{number}{rest} of its pods" if rest or number > 1 else "one pod"


def _bundle(one: Component, subject: Subject, seen: Seen) -> Checked:
    name, looked = f"bundle/{one.service}", seen.components.get(one.service)
    if looked is None:
        return _unknown(name)
    answers = [answered for rounds in seen.answers.values() for answered in rounds] if one.role == "api" else []
    told = against(looked.after, subject.bento, answers, subject.track, subject.bundle)
    silent = _silent(looked.after, looked)
    if told:
        return Checked(name, "failed", "; ".join(told), contradicts=True)
    if silent:
        return Checked(name, "failed", silent)
    if not names_a_bento(looked.after):
        return Checked(name, "not looked", "its metrics have no series yet that names its Bento")
    return Checked(name, "passed", subject.bento)


def against(metrics: Sequence[Answered], bento: str, answers: Iterable[Answered], track: str, bundle: str) -> list[str]:
    """What says that another Bento, bundle or track answered: a component's metrics, and the headers of a router."""
    others = sorted({found for text in _texts(metrics) for found in _bentos(series(text))} - {bento})
    answered = list(answers)
    told = sorted(
        f"the answer is of {what} {said}, not {wanted}"
        for what, header, wanted in (("track", _TRACK, track), ("bundle", _BUNDLE, bundle))
        for said in {answer.headers.get(header, wanted) for answer in answered} - {wanted}
    )
    return [*(f"it runs {other}, not {bento}" for other in others), *told]


def names_a_bento(metrics: Sequence[Answered]) -> bool:
    """Whether metrics tell which Bento a component is."""
    return any(True for text in _texts(metrics) for _ in _bentos(series(text)))


def _bentos(found: Iterable[Series]) -> Iterator[str]:
    for line in found:
        name, version = line.labels.get("service_name", ""), line.labels.get("service_version", "")
        if line.name.startswith("bentoml_") and name and version:
            yield f"{name}:{version}"


def _silent(answers: Sequence[Answered], looked: Looked) -> str:
    """Why metrics cannot be read, where they cannot."""
    wrong = [
        f"{answered.trouble or f'/metrics answers {answered.status}'} ({address})"
        for address, answered in zip(looked.addresses, answers, strict=True)
        if answered.status != 200
    ]
    return f"its metrics cannot be read: {'; '.join(wrong)}" if wrong else "" if looked.addresses else "it has no running pod"


def _texts(answers: Sequence[Answered]) -> list[str]:
    return [(answered.body or b"").decode(errors="replace") for answered in answers if answered.status == 200]


def _model(one: Component, seen: Seen) -> Checked:
    """BentoML is ready only after __init__, which loads the model; an answer shows that the model can be used."""
    name, looked = f"model/{one.service}", seen.components.get(one.service)
    if looked is None:
        return _unknown(name)
    if not _is_ready(looked):
        return Checked(name, "failed", f"not ready: {_why_not_ready(one, looked, seen)}")
    if one.role == "api":
        good = sum(answered.good for rounds in seen.answers.values() for answered in rounds)
        bad = 0  # its errors may be those of a runner; whichever it is, its answers fail
    elif silent := _silent(looked.after, looked):
        return Checked(name, "failed", silent)
    else:
        counts = [_counts(text, one.routes) for text in _texts(looked.after)]
        good = round(sum(value for found in counts for (_, code), value in found.items() if code.startswith("2")))
        bad = round(sum(value for found in counts for (_, code), value in found.items() if code.startswith("5")))
    if good:
        return Checked(name, "passed", "ready, and it has answered")
    if bad:
        return Checked(name, "failed", f"ready, and every one of {bad} requests failed")
    return Checked(name, "not looked", "ready; no good answer of it yet")


def _is_ready(looked: Looked) -> bool:
    return bool(looked.addresses) and all(answered.status == 200 for answered in looked.ready)


def _why_not_ready(one: Component, looked: Looked, seen: Seen) -> str:
    """BentoML's /readyz asks those that a component needs, so its own model may be loaded all the same."""
    if not looked.addresses:
        return "it has no running pod"
    if any(answered.status == 0 for answered in looked.ready):
        return "it does not answer"
    others = {service: seen.components.get(service) for service in sorted(one.needs)}
    broken = [service for service, other in others.items() if other is not None and not _is_ready(other)]
    if broken:
        return f"a runner that it needs is not ({', '.join(broken)})"
    unseen = [service for service, other in others.items() if other is None]
    return f"it is not loaded, or a runner is not ready ({', '.join(unseen)})" if unseen else "it is not loaded"


def _counts(metrics: str, routes: frozenset[str]) -> dict[tuple[str, str], float]:
    """Requests by endpoint and status; of the routes that are declared, else of all that are no probe."""
    found: dict[tuple[str, str], float] = {}
    for line in series(metrics):
        endpoint = line.labels.get("endpoint", "")
        if _REQUESTS.fullmatch(line.name) and (endpoint in routes if routes else endpoint not in _PROBES):
            key = endpoint, line.labels.get("http_response_code", "")
            found[key] = found.get(key, 0.0) + line.value
    return found


def _dependency(one: Component, seen: Seen, answers: Sequence[Answered]) -> Checked:
    name, looked = f"dependency/{one.service}", seen.components.get(one.service)
    if looked is None:
        return _unknown(name)
    silent = _silent(looked.before, looked) or _silent(looked.after, looked)
    if silent:
        return Checked(name, "failed", silent)
    pairs = zip(_texts(looked.before), _texts(looked.after), strict=True)
    rises = [sum(_counts(after, one.routes).values()) - sum(_counts(before, one.routes).values()) for before, after in pairs]
    risen = round(sum(rise for rise in rises if rise > 0))
    if risen:
        return Checked(name, "passed", f"it was asked {risen} times over the network")
    if not any(answered.good for answered in answers):
        return Checked(name, "not looked", "the api gave no good answer, for which it would have been asked")
    if any(answered.failed for answered in answers):
        return Checked(name, "not looked", "no request reached it, but some failed, perhaps before it was its turn")
    if any(rise < 0 for rise in rises):
        return Checked(name, "not looked", "a pod of it restarted meanwhile; try again")
    if looked.others:
        return Checked(name, "not looked", f"no request reached {_pods(looked)}; one of the others may have had them")
    return Checked(name, "failed", f"no request reached it: {_MISSING_DEPENDS}")


def _answer(name: str, check: Check, rounds: Sequence[Answered]) -> Checked:
    name = f"answer/{name}"
    if not rounds:
        return Checked(name, "not looked", "it was not asked")
    for number, answered in enumerate(rounds, 1):
        found = misses(check.expect, answered)
        if found:
            when = f" (time {number} of {len(rounds)})" if number > 1 else ""
            return Checked(name, "failed", "; ".join(found) + when, answered.seconds)
    times = f", {len(rounds)} times" if len(rounds) > 1 else ""
    return Checked(name, "passed", f"{check.expect.status}, as expected{times}", rounds[0].seconds)


def _same(subject: Subject, checks: Mapping[str, Check], seen: Seen) -> Iterator[Checked]:
    """With stable's answers, and first whether they are: a track that is compared with itself is always the same."""
    compared = {name: check.compare for name, check in checks.items() if check.compare is not None}
    if seen.stable is None or subject.stable is None or not compared:
        return
    stable = _stable(subject.stable, seen, seen.stable)
    yield stable
    for name, compare in compared.items():
        if stable.contradicts:
            yield Checked(f"same/{name}", "not looked", f"what answered as {subject.stable.track} is something else")
            continue
        rounds, other = seen.answers.get(name, ()), seen.stable.get(name)
        if not rounds or other is None:
            yield Checked(f"same/{name}", "not looked", "one of the two was not asked")
            continue
        found = differences(compare, rounds[0], other)
        yield Checked(f"same/{name}", "failed" if found else "passed", "; ".join(found) or "as stable answers")


def _stable(stable: Stable, seen: Seen, answers: Mapping[str, Answered]) -> Checked:
    name = f"stable/{stable.entry}"
    told = against(seen.stable_metrics, stable.bento, answers.values(), stable.track, stable.bundle)
    if told:
        return Checked(name, "failed", "; ".join(told), contradicts=True)
    if names_a_bento(seen.stable_metrics):
        return Checked(name, "passed", stable.bento)
    return Checked(name, "not looked", "its metrics do not tell which Bento it is")


def _latencies(subject: Subject, checks: Mapping[str, Check], seen: Seen) -> Iterator[Checked]:
    """Times of answers that are as expected: how fast an error comes says nothing."""
    right = {
        name: [answered.seconds for answered in timed(seen.answers.get(name, ())) if not misses(check.expect, answered)]
        for name, check in checks.items()
    }
    for name, check in checks.items():
        within, times = check.expect.within, right[name]
        if within is None:
            continue
        if not times:
            yield Checked(f"latency/{name}", "not looked", "no answer was as expected")
            continue
        # One hiccup of the network between here and there is none of the service's; a slow service is slow most of the time.
        middle = statistics.median(times)
        late = middle > within
        found = f"{_ms(middle)}{' in the middle' if len(times) > 1 else ''}, {'more than' if late else 'within'} {_ms(within)}"
        yield Checked(f"latency/{name}", "failed" if late else "passed", found, middle)
    # What users wait for is a good answer; that a refusal comes fast, as a check expects it, says nothing.
    every = sorted(time for name, times in right.items() for time in times if 200 <= checks[name].expect.status < 300)
    if subject.p95 is not None and checks:
        if len(every) < _FEWEST_FOR_P95:
            said = f"{len(every)} good answers whose time counts; it takes {_FEWEST_FOR_P95}: more with --times"
            yield Checked("latency/p95", "not looked", said)
            return
        slow = every[math.ceil(0.95 * len(every)) - 1]
        late = slow > subject.p95
        found = f"{_ms(slow)} of {len(every)} good answers, {'more than' if late else 'within'} slo.p95 {_ms(subject.p95)}"
        yield Checked("latency/p95", "failed" if late else "passed", found, slow)


def timed(rounds: Sequence[Answered]) -> Sequence[Answered]:
    """Those whose time counts: a first request warms caches and connections up, where there are more."""
    return rounds[1:] or rounds


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
