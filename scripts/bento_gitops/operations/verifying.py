"""`verify`: asks a running track what its application must answer, and what that makes of an observation."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from bento_gitops.layers.merging import value_at
from bento_gitops.layers.resolving import role_of
from bento_gitops.model.base import timestamp
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.evidence import Observation, ObservedTrack, Verification
from bento_gitops.model.layout import bundle_file, release_file
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused, did_you_mean
from bento_gitops.model.release import Release
from bento_gitops.model.verification import Check
from bento_gitops.observing.answers import Answered, Asked
from bento_gitops.observing.expectations import misses
from bento_gitops.observing.verification import (
    Checked,
    Component,
    Looked,
    Seen,
    Stable,
    Subject,
    begin_with,
    is_the_bundle,
    other_bento,
    undeclared,
    verified,
)
from bento_gitops.operations.deciding import Request, opened
from bento_gitops.operations.observe import ran_by
from bento_gitops.operations.reaching import Reached, WrongOptions, forwarded, named
from bento_gitops.operations.situation import Situation
from bento_gitops.releasing.evidence import Binding
from bento_gitops.repository.files import Tree
from bento_gitops.repository.fleet import Fleet, Target
from bento_gitops.tools import http

TRACK_HEADER = "x-bento-track"
"""Asks a router for one track, also at weight 0; where none is in between it does nothing."""
_LOOKING = 10.0
"""Seconds for a probe or metrics."""
_LIMIT = 30.0
_AT_ONCE = 4
"""Requests of the first round at a time; those whose time counts are sent one by one."""


@dataclass(frozen=True, slots=True)
class Ways:
    """How a track, and the stable one beside it, are reached."""

    urls: Sequence[str] = ()
    """URL (the api's) or SERVICE=URL; none: through the cluster."""
    stable_urls: Sequence[str] = ()
    context: str | None = None
    """Of the kubeconfig."""
    keys: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """Headers of every request to the api: what lets whoever asks in, and stands in no file."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a run of the checks found."""

    target: str
    track: str
    bundle: str
    entry: str
    outcomes: tuple[Checked, ...]
    requests: int
    """That were sent to the api, probes aside."""
    answered: int
    """Of those, how many got an answer."""
    at: datetime
    """When it began."""
    checks: int
    """That the application has."""
    begin_with: Checked | None
    """The failure to look at first."""
    unreached: tuple[str, ...]
    """Components of the track that nobody knew how to reach."""
    silent: tuple[str, ...]
    """Addresses given by hand at which nothing answers, and why: perhaps there is nothing of the bundle at all."""
    bound: Binding | None
    """What Git said when it was asked: for other values it is no evidence. None: that has no binding, and is never evidence."""

    @property
    def failed(self) -> list[str]:
        return [one.name for one in self.outcomes if one.outcome == "failed"]

    @property
    def looked(self) -> list[Checked]:
        """The checks that found something out."""
        return [one for one in self.outcomes if one.outcome != "not looked"]

    @property
    def blind(self) -> bool:
        """Nothing was found out, or nothing of what the application must answer."""
        return not self.looked or (self.checks > 0 and not self.requests)


def run(tree: Tree, request: Request, track: str | None, ways: Ways, *, times: int) -> Run:
    """Runs the checks of a track: without `track` the candidate's, else the stable one's; each `times` times where it is right.

    Raises Refused where nothing runs or the cluster is another one, InvalidInput with what is wrong with files and addresses,
    ToolFailed where the cluster does not answer. That a component does not answer is an outcome.
    """
    situation = opened(tree, request)
    release, name = chosen(situation, track)
    checks = situation.fleet.checks(situation.target.application)
    subject = _subject(situation, release, name)
    with reached(situation, release, name, ways) as (own, stable):
        seen = _seen(subject, checks, own, stable, times, ways.keys)
    outcomes = verified(subject, checks, seen)
    answers = [answered for rounds in seen.answers.values() for answered in rounds]
    return Run(
        str(situation.target),
        name,
        subject.bundle,
        next(one.service for one in subject.components if one.role == "api"),
        outcomes,
        len(answers),
        sum(answered.status != 0 for answered in answers),
        request.now,
        len(checks),
        begin_with(subject, outcomes),
        tuple(one.service for one in subject.components if one.service not in seen.components),
        tuple(_without_answer(subject, seen, stable)) if ways.urls else (),
        _bound(situation, subject.bundle),
    )


def _bound(situation: Situation, bundle: str) -> Binding | None:
    try:
        return situation.binding(bundle)
    except InvalidInput:
        return None  # to look is possible all the same; to record it says what is wrong


def _without_answer(subject: Subject, seen: Seen, stable: Reached | None) -> Iterator[str]:
    for service, looked in seen.components.items():
        for address, ready, metrics in zip(looked.addresses, looked.ready, looked.after, strict=True):
            if not ready.status and not metrics.status:
                yield f"{service} at {address}: {ready.trouble}"
    if stable is not None and subject.stable is not None:
        for address, metrics in zip(stable.addresses, seen.stable_metrics, strict=True):
            if not metrics.status and not any(answered.status for answered in (seen.stable or {}).values()):
                yield f"{subject.stable.track} at {address}: {metrics.trouble}"


def undeclared_paths(fleet: Fleet, target: Target) -> list[str]:
    """Checks that ask what no bundle of the application's release declares: misspelled, they would fail wherever they run."""
    checks = fleet.checks(target.application)
    release = fleet.file(release_file(str(target)), Release, needed=False) if checks else None
    if release is None:
        return []
    routes: dict[str, bool] = {}
    for tag in sorted({track.bundle for track in release.value.tracks.values()}):
        bundle = fleet.file(bundle_file(target.application, tag), Bundle)
        assert bundle, "needed"
        routes |= {api.route: bool(api.task) for api in bundle.value.services[bundle.value.entry].apis.values()}
    return [f"{target}: {text}" for text in undeclared(checks, routes)]


def chosen(situation: Situation, track: str | None) -> tuple[Release, str]:
    """The release and the track that is meant: without a name the candidate, else the stable one. Raises Refused."""
    release = situation.release
    if release is None:
        todo = f"bento-gitops promote {situation.target} TAG"
        raise Refused([Problem(Place(situation.file), "verify", "nothing of this application runs here", "", todo)])
    name = track or release.candidate or release.stable
    if name not in release.tracks:
        todo = did_you_mean(name, release.tracks)
        raise Refused([Problem(Place(situation.file), "verify", "there is no such track", f"'{name}'", todo)])
    return release, name


@contextmanager
def reached(
    situation: Situation, release: Release, track: str, ways: Ways, *, runners: bool = True
) -> Generator[tuple[Mapping[str, Reached], Reached | None]]:
    """The components of a track (or its api alone), and the api of the stable one where that is another and can be reached.

    Raises WrongOptions with what is wrong with the addresses, else as `forwarded` does.
    """
    other = release.stable != track
    bundle = situation.bundle(release.tracks[track].bundle)
    stable = situation.bundle(release.tracks[release.stable].bundle)
    if ways.stable_urls and not other:
        wrong, todo = f"{track} is the stable track: there is no other to compare with", "leave --stable-url out"
        raise WrongOptions([Problem(Place("--stable-url"), "", wrong, "", todo)])
    if ways.stable_urls and not ways.urls:
        raise WrongOptions([Problem(Place("--stable-url"), "", "goes with --url", "", "give --url too, or neither")])
    if ways.urls:
        own = named("--url", ways.urls, bundle)
        asked = named("--stable-url", ways.stable_urls, stable)
        extra = sorted(asked.keys() - {stable.entry})
        if extra:
            wrong, todo = f"of the stable track only {stable.entry} is asked", "leave the others out"
            raise WrongOptions([Problem(Place("--stable-url"), "", wrong, ", ".join(extra), todo)])
        alike = sorted(_addresses(own) & _addresses(asked))
        if alike:
            wrong = "is an address of the other track too: a track that is compared with itself is always the same"
            raise WrongOptions([Problem(Place("--stable-url"), "", wrong, ", ".join(alike), "name two addresses")])
        yield own, asked.get(stable.entry)
        return
    with ExitStack() as stack:
        services = _in_pods(situation, release, track) if runners else [bundle.entry]
        own = stack.enter_context(forwarded(situation, track, services, ways.context))
        beside: Reached | None = None
        if other:
            ways_there = stack.enter_context(forwarded(situation, release.stable, [stable.entry], ways.context))
            beside = ways_there[stable.entry]
        yield own, beside


def _addresses(reached: Mapping[str, Reached]) -> set[str]:
    return {address for found in reached.values() for address in found.addresses}


def _in_pods(situation: Situation, release: Release, track: str) -> list[str]:
    """The services of a track that have pods of their own."""
    bundle = situation.bundle(release.tracks[track].bundle)
    single = value_at(situation.values, "mode") == "single"
    return [name for name in bundle.services if not single or name == bundle.entry]


def _subject(situation: Situation, release: Release, track: str) -> Subject:
    tag = release.tracks[track].bundle
    bundle = situation.bundle(tag)
    services = _in_pods(situation, release, track)
    single = len(services) == 1
    called = {name for service in bundle.services.values() for name in service.dependencies}
    components = [
        Component(
            name,
            role_of(bundle, name),
            frozenset(api.route for api in bundle.services[name].apis.values()),
            called=name in called and not single,
            needs=frozenset(bundle.services[name].dependencies) & frozenset(services),
        )
        for name in services
    ]
    own = value_at(situation.values, "tracks", track, "components", bundle.entry, "slo", "p95")
    p95 = own if own is not None else value_at(situation.values, "slo", "p95")
    return Subject(
        track,
        tag,
        bundle.bento,
        # The api first: it is what people know.
        tuple(sorted(components, key=lambda one: one.role != "api")),
        float(p95) if isinstance(p95, int | float) else None,
        stable_of(situation, release) if track != release.stable else None,
    )


def stable_of(situation: Situation, release: Release) -> Stable:
    """What the stable track should be."""
    tag = release.tracks[release.stable].bundle
    bundle = situation.bundle(tag)
    return Stable(release.stable, tag, bundle.bento, bundle.entry)


def _seen(
    subject: Subject,
    checks: Mapping[str, Check],
    own: Mapping[str, Reached],
    stable: Reached | None,
    times: int,
    keys: Mapping[str, str],
) -> Seen:
    entry = subject.components[0].service
    ready, before = _look(own, "/readyz", subject.track), _look(own, "/metrics", subject.track)
    api = own.get(entry)
    answers = _rounds(checks, api.addresses if api else (), subject.track, times, keys)
    compared = {name: check for name, check in checks.items() if check.compare is not None}
    beside: dict[str, Answered] | None = None
    their_metrics: list[Answered] = []
    if stable is not None and subject.stable is not None:
        rounds = _rounds(compared, stable.addresses, subject.stable.track, 1, keys)
        beside = {name: found[0] for name, found in rounds.items()}
        their_metrics = metrics_of(stable, subject.stable.track)
    after = _look(own, "/metrics", subject.track)
    looked = {
        service: Looked(found.addresses, ready[service], before[service], after[service], found.others)
        for service, found in own.items()
    }
    return Seen(looked, answers, beside, their_metrics)


def metrics_of(reached: Reached, track: str) -> list[Answered]:
    """Of each address. Before anything is asked of a component it has no series that names its Bento: so a probe goes first."""
    _look({"": reached}, "/readyz", track)
    return _look({"": reached}, "/metrics", track)[""]


def _look(own: Mapping[str, Reached], path: str, track: str) -> dict[str, list[Answered]]:
    """What every address of every component answers to a path."""
    pairs = [(service, address) for service, found in own.items() for address in found.addresses]
    header = ((TRACK_HEADER, track),)
    answers = http.ask([Asked("GET", address + path, headers=header) for _, address in pairs], limit=_LOOKING)
    found: dict[str, list[Answered]] = {service: [] for service in own}
    for (service, _), answered in zip(pairs, answers, strict=True):
        found[service].append(answered)
    return found


def _rounds(
    checks: Mapping[str, Check], addresses: Sequence[str], track: str, times: int, keys: Mapping[str, str]
) -> dict[str, list[Answered]]:
    """The answers to every check by round; one that was answered wrong once is not asked again."""
    if not addresses:
        return {}
    found: dict[str, list[Answered]] = {name: [] for name in checks}
    for number in range(times):
        going = [name for name in checks if not any(misses(checks[name].expect, one) for one in found[name])]
        asked = [
            _asked(checks[name], addresses[(place + number) % len(addresses)], {TRACK_HEADER: track, **keys})
            for place, name in enumerate(going)
        ]
        for name, answered in zip(going, http.ask(asked, at_once=1 if number else _AT_ONCE, limit=_LIMIT), strict=True):
            found[name].append(answered)
    return found


def _asked(check: Check, address: str, headers: Mapping[str, str]) -> Asked:
    """What a check says itself goes before what is said of all: so it can ask with a wrong key, or as somebody else."""
    question = check.request
    own = {name.lower() for name in question.headers or {}}
    kept = {name: value for name, value in headers.items() if name.lower() not in own}
    return Asked.of(question.method, address, question.path, question.body, {**kept, **(question.headers or {})})


def with_run(tree: Tree, request: Request, done: Run) -> Request:
    """The request with what a run saw, in the observation that is given already or in one of its own."""
    seen = request.observation or _empty(opened(tree, request), request.by, done.at)
    tracks = dict(seen.tracks)
    if done.track not in tracks and is_the_bundle(done.outcomes, done.entry):
        tracks[done.track] = ObservedTrack(bundle=done.bundle)
    verification = Verification(track=done.track, passed=not done.failed, checks=len(done.looked), failed=done.failed)
    return replace(request, observation=seen.model_copy(update={"tracks": tracks, "verification": verification}))


def require_evidence(tree: Tree, request: Request, done: Run) -> None:
    """Raises Refused where a run is evidence of nothing: nothing answered, or something else than Git says."""
    situation = opened(tree, replace(request, observation=None))
    release, _ = chosen(situation, done.track)
    others = other_bento(done.outcomes)
    if release.tracks[done.track].bundle != done.bundle:
        wrong = f"{done.track} was {done.bundle} when it was asked, and is {release.tracks[done.track].bundle} now"
        found, todo = "", "verify again"
    elif not done.answered:
        wrong = "nothing answered"
        found = f"{done.requests} requests were sent" if done.requests else "the application has no checks, or its api no address"
        todo = "nothing is recorded; say where its checks are (verification in applications/<app>.yaml) and where it answers"
    elif situation.binding(done.bundle) != done.bound:
        wrong = "its values, chart or cluster are others in Git than when it was asked"
        found, todo = "", "nothing is recorded; verify again when what Git says runs"
    elif others:
        wrong = f"what answered is not bundle {done.bundle}, or not the stable track's"
        if all(one.startswith("bundle/") for one in others):
            wrong = f"what answered is not bundle {done.bundle}"
        found, todo = "; ".join(others), "nothing is recorded; look what runs there"
    else:
        problems = _partial(done, Place(situation.file))
        if not problems:
            return
        raise Refused(problems)
    raise Refused([Problem(Place(situation.file), "verify", wrong, found, todo)])


def _partial(done: Run, place: Place) -> list[Problem]:
    """Why the run is no evidence, neither for nor against the bundle: it did not see all of the track, or not the track."""
    todo = "nothing is recorded; "
    problems = [
        Problem(place, "verify", f"an address given by hand does not answer at all: {one}", "", f"{todo}say where it answers")
        for one in done.silent
    ]
    if done.unreached:
        add = " ".join(f"--url {service}=http://..." for service in done.unreached)
        wrong = "not all components of the track were looked at"
        found = f"nobody said where {', '.join(done.unreached)} is"
        problems.append(Problem(place, "verify", wrong, found, f"{todo}add {add}, or leave --url out: through kubectl"))
    return problems


def _empty(situation: Situation, by: str, now: datetime) -> Observation:
    """An observation of an application at which nobody has looked yet."""
    return Observation(
        apiVersion="bento-gitops/v1",
        kind="Observation",
        target=str(situation.target),
        at=timestamp(now),
        cluster=situation.environment.value.cluster,
        run=ran_by(by),
    )
