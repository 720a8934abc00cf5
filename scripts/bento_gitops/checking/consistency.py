"""The objects of one application against each other: names that refer to something, selectors that select, weights that add up.

Each check is one small function in `CHECKS`, named as its messages and tests name it. A check passes over what a schema already
reports.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network

from bento_gitops.checking import routes
from bento_gitops.checking.objects import Finding, Json, Map, Object, Pod, as_list, as_map, as_text, finding, get, labels_of, maps
from bento_gitops.model.problem import did_you_mean

ROLE = "bento-gitops/role"
"""The label of pods that says whether they are an `api` or a `runner`."""
APPLICATION = "bento-gitops/application"
"""The label of pods that says whose they are; a policy that names another application's pods is not looked at here."""

TRACK = "bento-gitops/track"
"""The label of pods that says which track they are of."""

_LONGEST = 63
_SCALED = frozenset({"Deployment", "StatefulSet", "ReplicaSet"})


@dataclass(frozen=True)
class Application:
    """The objects of one application, by what checks ask for."""

    objects: Sequence[Object]

    @cached_property
    def by_kind(self) -> Mapping[str, Sequence[Object]]:
        kinds: dict[str, list[Object]] = defaultdict(list)
        for item in self.objects:
            kinds[item.kind].append(item)
        return kinds

    def of(self, *kinds: str) -> Iterator[Object]:
        for kind in kinds:
            yield from self.by_kind.get(kind, ())

    def names(self, kind: str) -> set[str]:
        return {item.name for item in self.of(kind)}

    @cached_property
    def pods(self) -> Sequence[Pod]:
        return [item.pod for item in self.objects if item.pod]

    @cached_property
    def services(self) -> Mapping[str, Object]:
        return {item.name: item for item in self.of("Service")}

    def selected(self, labels: Mapping[str, str]) -> list[Pod]:
        """The pods that carry all of the labels."""
        return [pod for pod in self.pods if labels.items() <= pod.labels.items()]


Check = Callable[[Application], Iterator[Finding]]


def findings(objects: Sequence[Object]) -> list[Finding]:
    """What is wrong with the objects of one application, each finding with the name of its check."""
    application = Application(objects)
    return [replace(item, check=name) for name, check in CHECKS.items() for item in check(application)]


def _object_names_are_unique(app: Application) -> Iterator[Finding]:
    seen: dict[tuple[str, str, str, str], Object] = {}
    for item in app.objects:
        key = (item.group, item.kind, as_text(item.get("metadata", "namespace")), item.name)
        if key in seen:
            wrong = "two objects have this name, and the second would replace the first"
            yield finding(
                item,
                "metadata.name",
                wrong,
                found=f"also in {seen[key].source or 'the same render'}",
                todo="give each a name of its own",
            )
        seen.setdefault(key, item)


def _names_are_short_enough(app: Application) -> Iterator[Finding]:
    for item in app.objects:
        if len(item.name) > _LONGEST:
            yield finding(
                item, "metadata.name", f"is longer than {_LONGEST} characters", found=str(len(item.name)), todo="shorten it"
            )


def _labels_are_valid(app: Application) -> Iterator[Finding]:
    for item in app.objects:
        places: list[tuple[tuple[str, ...], Mapping[str, str]]] = [
            (("metadata", "labels"), labels_of(item.get("metadata", "labels")))
        ]
        if item.pod and item.pod.at:
            places.append(((*item.pod.at, "metadata", "labels"), item.pod.labels))
        for at, labels in places:
            for key, value in labels.items():
                if len(value) > _LONGEST or not _LABEL_VALUE.fullmatch(value):
                    todo = "at most 63 letters, digits, '-', '_' and '.', a letter or digit at both ends"
                    yield finding(item, (*at, key), "is no valid label value", found=repr(value), todo=todo)


def _env_names_are_unique(app: Application) -> Iterator[Finding]:
    for pod in app.pods:
        for pointer, container in pod.containers():
            names = Counter(as_text(env.get("name")) for env in maps(container.get("env")))
            for name, times in names.items():
                if times > 1:
                    at = f"{pointer}.env"
                    wrong = "a variable stands more than once, and server-side apply refuses that"
                    yield finding(pod.owner, at, wrong, found=f"{name}, {times} times", todo="keep one")


def _volume_mounts_exist(app: Application) -> Iterator[Finding]:
    for pod in app.pods:
        volumes = {as_text(volume.get("name")) for volume in maps(pod.spec.get("volumes"))}
        for pointer, container in pod.containers():
            for index, mount in enumerate(maps(container.get("volumeMounts"))):
                name = as_text(mount.get("name"))
                if name not in volumes:
                    at = f"{pointer}.volumeMounts[{index}].name"
                    yield finding(pod.owner, at, "no such volume in the pod", found=repr(name), todo=did_you_mean(name, volumes))


def _config_maps_exist(app: Application) -> Iterator[Finding]:
    known = app.names("ConfigMap")
    for pod in app.pods:
        for at, reference in _config_map_references(pod):
            name = as_text(reference.get("name"))
            if reference.get("optional") is not True and name not in known:
                wrong = "no such ConfigMap among the objects, so the pod would not start"
                yield finding(pod.owner, at, wrong, found=repr(name), todo=did_you_mean(name, known))


def _config_map_references(pod: Pod) -> Iterator[tuple[str, Map]]:
    for index, volume in enumerate(maps(pod.spec.get("volumes"))):
        if reference := as_map(volume.get("configMap")):
            yield pod.pointer("volumes", index, "configMap"), reference
        for number, source in enumerate(maps(get(volume, "projected", "sources"))):
            if reference := as_map(source.get("configMap")):
                yield pod.pointer("volumes", index, "projected", "sources", number, "configMap"), reference
    for pointer, container in pod.containers():
        for index, source in enumerate(maps(container.get("envFrom"))):
            if reference := as_map(source.get("configMapRef")):
                yield f"{pointer}.envFrom[{index}].configMapRef", reference
        for index, env in enumerate(maps(container.get("env"))):
            if reference := as_map(get(env, "valueFrom", "configMapKeyRef")):
                yield f"{pointer}.env[{index}].valueFrom.configMapKeyRef", reference


def _service_accounts_exist(app: Application) -> Iterator[Finding]:
    known = app.names("ServiceAccount")
    for pod in app.pods:
        name = as_text(pod.spec.get("serviceAccountName"))
        if name and name != "default" and name not in known:
            at = pod.pointer("serviceAccountName")
            todo = did_you_mean(name, known) if known else "add it to the chart"
            yield finding(pod.owner, at, "no such ServiceAccount among the objects", found=repr(name), todo=todo)


def _requests_are_within_limits(app: Application) -> Iterator[Finding]:
    for pod in app.pods:
        for pointer, container in pod.containers():
            requests, limits = (as_map(get(container, "resources", key)) for key in ("requests", "limits"))
            for name in requests.keys() & limits.keys():
                asked, most = quantity(requests[name]), quantity(limits[name])
                if asked is not None and most is not None and asked > most:
                    at = f"{pointer}.resources.requests.{name}"
                    found = f"{requests[name]} requested, {limits[name]} allowed"
                    yield finding(pod.owner, at, "is above its limit", found=found, todo="raise the limit or request less")


def _probe_ports_exist(app: Application) -> Iterator[Finding]:
    for pod in app.pods:
        for pointer, container in pod.containers():
            known = {as_text(port.get("name")) for port in maps(container.get("ports"))}
            for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
                for action in ("httpGet", "tcpSocket"):
                    port = get(container, probe, action, "port")
                    if isinstance(port, str) and port not in known:
                        at = f"{pointer}.{probe}.{action}.port"
                        yield finding(
                            pod.owner, at, "no such port in the container", found=repr(port), todo=did_you_mean(port, known)
                        )


def _workloads_select_their_own_pods(app: Application) -> Iterator[Finding]:
    for item in app.of("Deployment", "StatefulSet", "DaemonSet"):
        selector = labels_of(item.get("spec", "selector", "matchLabels"))
        if not item.pod or not selector:
            continue
        at = "spec.selector.matchLabels"
        for key, value in selector.items():
            if item.pod.labels.get(key) != value:
                found = f"{key}={value}, the pods have {item.pod.labels.get(key, 'no such label')}"
                yield finding(
                    item, (*_SELECTOR, key), "does not match the labels of its own pods", found=found, todo="make them equal"
                )
        others = sorted({pod.owner.identity for pod in app.selected(selector) if pod.owner is not item})
        if others:
            yield finding(
                item, at, "also selects the pods of others", found=", ".join(others), todo="add the label that tells them apart"
            )


_SELECTOR = ("spec", "selector", "matchLabels")


def _no_replicas_beside_an_autoscaler(app: Application) -> Iterator[Finding]:
    workloads = {(item.kind, item.name): item for kind in _SCALED for item in app.of(kind)}
    for scaler in app.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = workloads.get(_scaled(scaler))
        if target and target.get("spec", "replicas") is not None:
            wrong = f"stands beside {scaler.identity}: each sync would set the number of pods back"
            yield finding(target, "spec.replicas", wrong, found=str(target.get("spec", "replicas")), todo="leave it out")


def _autoscalers_have_a_target(app: Application) -> Iterator[Finding]:
    taken: dict[tuple[str, str], Object] = {}
    for scaler in app.of("HorizontalPodAutoscaler", "ScaledObject"):
        kind, name = target = _scaled(scaler)
        if target in taken:
            found = f"{kind}/{name}, already scaled by {taken[target].identity}"
            yield finding(scaler, "spec.scaleTargetRef", "two autoscalers have the same target", found=found, todo="keep one")
        taken.setdefault(target, scaler)
        if kind in _SCALED and name not in app.names(kind):
            todo = did_you_mean(name, app.names(kind))
            yield finding(scaler, "spec.scaleTargetRef.name", f"no such {kind} among the objects", found=repr(name), todo=todo)
        least, most = scaler.get("spec", "minReplicas"), scaler.get("spec", "maxReplicas")
        if isinstance(least, int) and isinstance(most, int) and least > most:
            yield finding(
                scaler, "spec.minReplicas", "is above maxReplicas", found=f"{least} and {most}", todo="swap or raise them"
            )


def _scaled(scaler: Object) -> tuple[str, str]:
    reference = as_map(scaler.get("spec", "scaleTargetRef"))
    return as_text(reference.get("kind")) or "Deployment", as_text(reference.get("name"))


def _services_select_pods(app: Application) -> Iterator[Finding]:
    for service in app.of("Service"):
        selector = labels_of(service.get("spec", "selector"))
        if selector and not app.selected(selector):
            yield finding(
                service, "spec.selector", "selects no pod", found=_words(selector), todo="select labels that pods carry"
            )


def _service_target_ports_exist(app: Application) -> Iterator[Finding]:
    for service in app.of("Service"):
        pods = app.selected(labels_of(service.get("spec", "selector"))) if service.get("spec", "selector") else []
        for index, port in enumerate(maps(service.get("spec", "ports"))):
            target = port.get("targetPort", port.get("port"))
            for pod in pods:
                names, numbers = _container_ports(pod)
                if (isinstance(target, str) and target not in names) or (
                    isinstance(target, int) and numbers and target not in numbers
                ):
                    at = f"spec.ports[{index}].targetPort"
                    wrong = f"no such port in {pod.owner.identity}"
                    known = sorted({*names, *map(str, numbers)})
                    yield finding(service, at, wrong, found=repr(target), todo=did_you_mean(str(target), known))


def _container_ports(pod: Pod) -> tuple[set[str], set[int]]:
    ports = [port for _, container in pod.containers() for port in maps(container.get("ports"))]
    numbers = {number for port in ports if isinstance(number := port.get("containerPort"), int)}
    return {as_text(port.get("name")) for port in ports} - {""}, numbers


def _dependencies_exist(app: Application) -> Iterator[Finding]:
    """BentoML runs a dependency inside the caller, silently, where it is not told its address; a wrong one fails each request."""
    for pod, at, value in _dependencies(app):
        address = _DEPENDENCY.fullmatch(value)
        if not address:
            todo = "write NAME=http://<service>:<port>"
            yield finding(pod.owner, at, "is no address of a dependency", found=repr(value), todo=todo)
            continue
        host, port = address["host"].split(".")[0], int(address["port"] or 80)
        service = app.services.get(host)
        if not service:
            todo = did_you_mean(host, app.services)
            yield finding(pod.owner, at, "no such Service among the objects", found=repr(host), todo=todo)
        elif port not in _service_ports(service):
            found, known = str(port), ", ".join(map(str, sorted(_service_ports(service))))
            yield finding(pod.owner, at, f"{service.identity} has no such port", found=found, todo=f"use one of: {known}")


def _dependencies(app: Application) -> Iterator[tuple[Pod, str, str]]:
    """What each --depends of a pod says, and where."""
    for pod in app.pods:
        for pointer, container in pod.containers():
            arguments = [as_text(argument) for argument in as_list(container.get("args"))]
            for index, argument in enumerate(arguments):
                if argument == "--depends":
                    value = arguments[index + 1] if index + 1 < len(arguments) else ""
                    yield pod, f"{pointer}.args[{index + 1}]", value


def _tracks_ask_themselves_alone(app: Application) -> Iterator[Finding]:
    """A track is one bundle in lock step: its api with another bundle's runners is what nobody tested."""
    for pod, at, value in _dependencies(app):
        address, own = _DEPENDENCY.fullmatch(value), pod.labels.get(TRACK)
        service = app.services.get(address["host"].split(".")[0]) if address else None
        if own is None or service is None:
            continue
        answering = app.selected(labels_of(service.get("spec", "selector")))
        others = sorted({track for one in answering if (track := one.labels.get(TRACK)) not in (own, None)})
        if others:
            wrong = f"{service.identity} leads to another track than {own}"
            yield finding(pod.owner, at, wrong, found=", ".join(others), todo=f"name the Service of track {own}")


def _live_tracks_have_pods(app: Application) -> Iterator[Finding]:
    """A track that a route gives weight to, and one component of which has no pods: each of its requests fails."""
    scaled = {as_text(item.get("spec", "scaleTargetRef", "name")) for item in app.of("HorizontalPodAutoscaler", "ScaledObject")}
    for route, track, weight in _live_tracks(app):
        for pod in app.pods:
            without = pod.owner.get("spec", "replicas") == 0 and pod.owner.name not in scaled
            if without and pod.labels.get(TRACK) == track:
                wrong = f"has no pods, and {route.identity} gives its track {weight} % of the requests"
                yield finding(pod.owner, "spec.replicas", wrong, found="0", todo="take the weight from the track first")


def _live_tracks(app: Application) -> Iterator[tuple[Object, str, int]]:
    """The tracks that an HTTPRoute gives weight to, beside others."""
    seen: set[tuple[str, str]] = set()
    for route in app.of("HTTPRoute"):
        for rule in maps(route.get("spec", "rules")):
            backends = maps(rule.get("backendRefs"))
            for backend in backends if len(backends) > 1 else ():
                service, weight = app.services.get(as_text(backend.get("name"))), backend.get("weight", 1)
                track = labels_of(service.get("spec", "selector")).get(TRACK) if service else None
                if track and isinstance(weight, int) and weight > 0 and (route.name, track) not in seen:
                    seen.add((route.name, track))
                    yield route, track, weight


_DEPENDENCY = re.compile(r"[^=]+=https?://(?P<host>[^:/]+)(?::(?P<port>[0-9]+))?/?")


def _service_ports(service: Object) -> set[int]:
    return {number for port in maps(service.get("spec", "ports")) if isinstance(number := port.get("port"), int)}


def _route_paths_are_valid(app: Application) -> Iterator[Finding]:
    """What the Gateway API and an Ingress ask of a path, which the schema cannot say; of regular expressions they ask nothing."""
    for route in app.of("HTTPRoute", "Ingress"):
        for at, value in routes.paths(route):
            if not _PATH.fullmatch(value) or _NOT_IN_A_PATH.search(value):
                todo = "begin with '/'; letters, digits, -._~!$&'()*+,;=:@ and %XX only, no '//', '/./', '/../' and '%2F'"
                yield finding(route, at, "is no path that a route may match", found=repr(value), todo=todo)


_PATH = re.compile(r"/(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%[0-9a-fA-F]{2})*")
_NOT_IN_A_PATH = re.compile(r"//|/\.{1,2}(?:/|\Z)|%2[fF]")


def _routes_lead_to_services(app: Application) -> Iterator[Finding]:
    for backend in routes.backends(app.objects):
        service = app.services.get(backend.name)
        if not backend.name:
            continue  # a schema says so
        if not service:
            todo = did_you_mean(backend.name, app.services)
            yield finding(
                backend.route, backend.name_at, "no such Service among the objects", found=repr(backend.name), todo=todo
            )
        elif backend.port not in {*_service_ports(service), *_port_names(service)}:
            known = ", ".join(map(str, sorted(_service_ports(service))))
            wrong = f"{service.identity} has no such port"
            yield finding(backend.route, backend.port_at, wrong, found=str(backend.port), todo=f"use one of: {known}")


def _port_names(service: Object) -> set[str]:
    return {as_text(port.get("name")) for port in maps(service.get("spec", "ports"))} - {""}


def _routes_find_what_they_name(app: Application) -> Iterator[Finding]:
    """Traefik drops a route, and all of its requests, for one object that is not there."""
    for reference in routes.references(app.objects):
        known = app.names(reference.kind)
        if reference.name not in known:
            todo = did_you_mean(reference.name, known) if known else "add it to the chart"
            wrong = f"no such {reference.kind} among the objects"
            yield finding(reference.route, reference.at, wrong, found=repr(reference.name), todo=todo)


def _no_runner_in_a_route(app: Application) -> Iterator[Finding]:
    for backend in routes.backends(app.objects):
        service = app.services.get(backend.name)
        if service and any(pod.labels.get(ROLE) == "runner" for pod in app.selected(labels_of(service.get("spec", "selector")))):
            wrong = "a route leads to a runner, which unpickles what it is sent"
            yield finding(backend.route, backend.name_at, wrong, found=repr(service.name), todo="route to an api alone")


def _weights_add_up(app: Application) -> Iterator[Finding]:
    for split in routes.splits(app.objects):
        weights = split.weights
        if len(weights) > 1 and sum(weights) != 100:
            found = f"{' + '.join(map(str, weights))} = {sum(weights)}"
            yield finding(split.route, split.at, "weights do not add up to 100", found=found, todo="weights are whole percent")
        elif weights == (0,) and split.route.kind != "VirtualService":
            wrong = "the only backend has weight 0, so every request fails"
            yield finding(split.route, split.at, wrong, found="0", todo="give it a weight")
    for ingress in app.of("Ingress"):
        weight = as_text(get(ingress.get("metadata", "annotations"), f"{routes.CANARY}-weight")) or "0"
        if not _PERCENT.fullmatch(weight):
            at = ("metadata", "annotations", f"{routes.CANARY}-weight")
            yield finding(ingress, at, "is no whole percent", found=repr(weight), todo="write 0 to 100")


_PERCENT = re.compile(r"[0-9]{1,2}|100")


def _canaries_are_of_an_ingress(app: Application) -> Iterator[Finding]:
    """nginx passes over a canary whose host and path no other Ingress has, and the second canary of one."""
    ingresses: dict[bool, list[Object]] = {True: [], False: []}
    for ingress in app.of("Ingress"):
        ingresses[get(ingress.get("metadata", "annotations"), routes.CANARY) == "true"].append(ingress)
    served = {place for ingress in ingresses[False] for place in routes.places(ingress)}
    taken: set[tuple[str, str, str]] = set()
    for canary in ingresses[True]:
        own = routes.places(canary)
        for host, path, _ in sorted(own - served):
            yield finding(
                canary, "spec.rules", "no other Ingress has this host and path", found=f"{host}{path}", todo="make them equal"
            )
        for host, path, _ in sorted(own & taken):
            yield finding(canary, "spec.rules", "another canary has this host and path", found=f"{host}{path}", todo="keep one")
        taken |= own


def _network_policies_select_pods(app: Application) -> Iterator[Finding]:
    own = {pod.labels[APPLICATION] for pod in app.pods if APPLICATION in pod.labels}
    for policy in app.of("NetworkPolicy"):
        selector = labels_of(policy.get("spec", "podSelector", "matchLabels"))
        if selector and not app.selected(selector):
            at = "spec.podSelector.matchLabels"
            yield finding(
                policy, at, "selects no pod, so it protects none", found=_words(selector), todo="select labels that pods carry"
            )
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for index, rule in enumerate(maps(policy.get("spec", direction))):
                for number, peer in enumerate(maps(rule.get(peers))):
                    labels = labels_of(get(peer, "podSelector", "matchLabels"))
                    if labels.get(APPLICATION) in own and "namespaceSelector" not in peer and not app.selected(labels):
                        at = f"spec.{direction}[{index}].{peers}[{number}].podSelector.matchLabels"
                        wrong = "selects no pod of this application"
                        yield finding(policy, at, wrong, found=_words(labels), todo="select labels that pods carry")


def _address_ranges_are_valid(app: Application) -> Iterator[Finding]:
    for policy in app.of("NetworkPolicy"):
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for index, rule in enumerate(maps(policy.get("spec", direction))):
                for number, peer in enumerate(maps(rule.get(peers))):
                    at = f"spec.{direction}[{index}].{peers}[{number}].ipBlock"
                    yield from _wrong_ranges(policy, at, as_map(peer.get("ipBlock")))


def _wrong_ranges(policy: Object, at: str, block: Map) -> Iterator[Finding]:
    if not isinstance(text := block.get("cidr"), str):
        return
    whole = _network(text)
    excepted = [(f"{at}.except[{index}]", as_text(item)) for index, item in enumerate(as_list(block.get("except")))]
    for place, written in ((f"{at}.cidr", text), *excepted):
        if not _network(written):
            todo = "write an address and a length, like 10.0.0.0/8 or 2001:db8::/32"
            yield finding(policy, place, "is no range of addresses", found=repr(written), todo=todo)
    for place, written in excepted:
        inner = _network(written)
        if whole and inner and not (inner != whole and _within(inner, whole)):
            wrong = f"is no part of {text}"
            yield finding(policy, place, wrong, found=repr(written), todo="except a smaller range inside of it")


def _network(text: str) -> IPv4Network | IPv6Network | None:
    """The range, or None. Of the ways to write one that Python knows, an API server takes this one."""
    if not _RANGE.fullmatch(text):
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


_RANGE = re.compile(r"[0-9a-fA-F:.]+/[0-9]{1,3}")


def _within(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    if isinstance(inner, IPv4Network):
        return isinstance(outer, IPv4Network) and inner.subnet_of(outer)
    return isinstance(outer, IPv6Network) and inner.subnet_of(outer)


def _tolerations_are_valid(app: Application) -> Iterator[Finding]:
    for pod in app.pods:
        for index, toleration in enumerate(maps(pod.spec.get("tolerations"))):
            at = pod.pointer("tolerations", index)
            operator = as_text(toleration.get("operator")) or "Equal"
            value = as_text(toleration.get("value"))
            if not toleration.get("key") and operator != "Exists":
                todo = "name the key, or write operator Exists to tolerate every taint"
                yield finding(pod.owner, f"{at}.key", f"is missing, and operator {operator} needs one", todo=todo)
            if operator == "Exists" and value:
                todo = "remove the value, or write operator Equal"
                yield finding(pod.owner, f"{at}.value", "stands beside operator Exists", found=repr(value), todo=todo)
            if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
                effect = as_text(toleration.get("effect")) or "no effect"
                todo = "write effect NoExecute, or remove the seconds"
                yield finding(pod.owner, f"{at}.tolerationSeconds", "needs effect NoExecute", found=effect, todo=todo)


def _budgets_select_pods(app: Application) -> Iterator[Finding]:
    guarded: dict[str, Object] = {}
    for budget in app.of("PodDisruptionBudget"):
        selector = labels_of(budget.get("spec", "selector", "matchLabels"))
        pods = app.selected(selector) if selector else []
        at = "spec.selector.matchLabels"
        if selector and not pods:
            yield finding(
                budget, at, "selects no pod, so it guards none", found=_words(selector), todo="select labels that pods carry"
            )
        for pod in pods:
            if pod.owner.identity in guarded:
                other = guarded[pod.owner.identity].identity
                wrong = (
                    f"guards the pods of {pod.owner.identity}, which {other} guards already: such pods cannot be evicted at all"
                )
                yield finding(budget, at, wrong, found=_words(selector), todo="one budget for each workload")
            guarded.setdefault(pod.owner.identity, budget)


def _words(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items())


_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?")
_QUANTITY = re.compile(r"([+-]?[0-9.]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?")
_UNITS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    **{unit: Decimal(1000) ** (power + 1) for power, unit in enumerate("kMGTPE")},
    **{f"{unit}i": Decimal(1024) ** (power + 1) for power, unit in enumerate("KMGTPE")},
}


def quantity(value: Json) -> Decimal | None:
    """A Kubernetes quantity as a number; None where it is none."""
    found = _QUANTITY.fullmatch(str(value))
    if not found or isinstance(value, bool):
        return None
    number, unit = found.groups(default="")
    exponent = unit[:1] in ("e", "E") and unit[1:] not in ("", "i")
    try:
        return Decimal(number + unit) if exponent else Decimal(number) * _UNITS.get(unit, Decimal(1))
    except ArithmeticError:
        return None


def _named(checks: Iterable[Check]) -> dict[str, Check]:
    return {check.__name__.strip("_").replace("_", "-"): check for check in checks}


CHECKS: Mapping[str, Check] = _named(
    (
        _object_names_are_unique,
        _names_are_short_enough,
        _labels_are_valid,
        _env_names_are_unique,
        _volume_mounts_exist,
        _config_maps_exist,
        _service_accounts_exist,
        _requests_are_within_limits,
        _probe_ports_exist,
        _workloads_select_their_own_pods,
        _no_replicas_beside_an_autoscaler,
        _autoscalers_have_a_target,
        _services_select_pods,
        _service_target_ports_exist,
        _dependencies_exist,
        _tracks_ask_themselves_alone,
        _live_tracks_have_pods,
        _route_paths_are_valid,
        _routes_lead_to_services,
        _routes_find_what_they_name,
        _canaries_are_of_an_ingress,
        _no_runner_in_a_route,
        _weights_add_up,
        _network_policies_select_pods,
        _address_ranges_are_valid,
        _tolerations_are_valid,
        _budgets_select_pods,
    )
)
"""By name."""
