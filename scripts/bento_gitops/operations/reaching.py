"""Where the components of a track answer: at addresses that somebody names, or through the cluster to their pods."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from bento_gitops.checking.objects import Map, as_text, get, labels_of, maps
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.names import object_name
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused, ToolFailed, did_you_mean
from bento_gitops.observing.live import APPLICATION, ENVIRONMENT, TRACK
from bento_gitops.operations.situation import Situation
from bento_gitops.tools import binaries, kubectl

MOST = 4
"""Pods of a component that are looked at: each takes a process here."""
_PORT = 3000


class WrongOptions(InvalidInput):
    """What is wrong is what was typed after the command, and no file: the place of each problem is an option."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A component's addresses."""

    addresses: tuple[str, ...]
    others: int = 0
    """Pods of it that have none here."""


def named(option: str, given: Sequence[str], bundle: Bundle) -> dict[str, Reached]:
    """By service, the addresses that were given as URL (the api's) or SERVICE=URL.

    Raises WrongOptions with all that is wrong with them.
    """
    found: dict[str, list[str]] = {}
    problems: list[Problem] = []
    for text in given:
        name, equals, address = text.partition("=") if not text.startswith(("http://", "https://")) else ("", "=", text)
        service = name or bundle.entry
        if not equals or not address.startswith(("http://", "https://")) or any(sign.isspace() for sign in address):
            todo = "write http://HOST:PORT for the api, or SERVICE=http://HOST:PORT"
            problems.append(Problem(Place(option), "", "is no address", f"'{text}'", todo))
        elif service not in bundle.services:
            wrong = f"there is no such service in bundle {bundle.tag}"
            problems.append(Problem(Place(option), "", wrong, f"'{service}'", did_you_mean(service, bundle.services)))
        else:
            found.setdefault(service, []).append(address.rstrip("/"))
    if problems:
        raise WrongOptions(problems)
    return {service: Reached(tuple(dict.fromkeys(addresses))) for service, addresses in found.items()}


@contextmanager
def forwarded(situation: Situation, track: str, services: Sequence[str], context: str | None) -> Generator[Mapping[str, Reached]]:
    """By service, addresses that lead to the pods behind the track's Services, while it lasts.

    Pods and not Services: a way to a Service is a way to one of its pods, and the requests of an api reach any of them.
    Raises Refused where the cluster has not this application's Services, ToolFailed where it does not answer.
    """
    from bento_gitops.tools.cluster import known_context

    program = binaries.find("kubectl")
    # As `observe` chooses: what is asked here and what is looked at there must be one cluster.
    context = context or known_context(situation.environment.value.cluster)
    namespace = situation.environment.value.namespace
    selector = f"{APPLICATION}={situation.target.application},{TRACK}={track}"
    try:
        live = kubectl.objects(program, "services", namespace, selector, context)
    except kubectl.NoCluster as error:
        raise ToolFailed(f"{error}; or say where it answers: --url") from None
    by_name = {as_text(get(one, "metadata", "name")): one for one in live}
    names = {service: object_name(situation.target.application, track, service) for service in services}
    _require_this_one(situation, names, by_name, context)
    pods = kubectl.objects(program, "pods", namespace, selector, context)
    chosen = {service: _behind(by_name[name], pods) for service, name in names.items()}
    ways = [
        (service, as_text(get(pod, "metadata", "name")), _port(pod)) for service, found in chosen.items() for pod in found[:MOST]
    ]
    with kubectl.forwarded(program, namespace, [(pod, port) for _, pod, port in ways], context) as ports:
        addresses: dict[str, list[str]] = {service: [] for service in services}
        for (service, _, _), port in zip(ways, ports, strict=True):
            addresses[service].append(f"http://127.0.0.1:{port}")
        yield {service: Reached(tuple(found), max(0, len(chosen[service]) - MOST)) for service, found in addresses.items()}


def _require_this_one(situation: Situation, names: Mapping[str, str], live: Mapping[str, Map], context: str | None) -> None:
    """Raises Refused where the Services are not there, or are another environment's: a context is easily the wrong one."""
    namespace, environment = situation.environment.value.namespace, situation.target.environment
    where = f"namespace {namespace} of {f'context {context}' if context else 'the current context'}"
    place = Place(situation.file)
    right = "name the context of the right cluster: --context"
    problems = [
        Problem(place, service, f"there is no Service {name} in {where}", "", f"{right}; or wait until it is deployed")
        for service, name in names.items()
        if name not in live
    ]
    for service, name in names.items():
        said = labels_of(get(live.get(name), "metadata", "labels")).get(ENVIRONMENT, "")
        if name in live and said != environment:
            wrong = f"Service {name} in {where} is of another environment"
            problems.append(Problem(place, service, wrong, said or "no environment", right))
    if problems:
        raise Refused(problems)


def _behind(service: Map, pods: Sequence[Map]) -> list[Map]:
    """The pods that get the Service's requests; where none does, those that run and may tell why."""
    selector = labels_of(get(service, "spec", "selector"))
    running = [
        pod
        for pod in pods
        if selector.items() <= labels_of(get(pod, "metadata", "labels")).items()
        and get(pod, "status", "phase") == "Running"
        and not get(pod, "metadata", "deletionTimestamp")
    ]
    ready = [pod for pod in running if _is_ready(pod)]
    return ready or running


def _is_ready(pod: Map) -> bool:
    conditions = maps(get(pod, "status", "conditions"))
    return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)


def _port(pod: Map) -> int:
    ports = [port for container in maps(get(pod, "spec", "containers")) for port in maps(container.get("ports"))]
    http = [port.get("containerPort") for port in ports if port.get("name") == "http"]
    return http[0] if http and isinstance(http[0], int) else _PORT
