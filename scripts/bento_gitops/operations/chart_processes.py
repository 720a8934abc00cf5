"""The components of a track as processes: what their pods run, read from the objects that the chart makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.checking.objects import Map, Object, as_list, as_text, get, labels_of, maps
from bento_gitops.checking.rendered import Unreadable, read
from bento_gitops.model.problem import InvalidInput, Place, ToolFailed
from bento_gitops.operations.manifests import refused
from bento_gitops.operations.render import Rendered
from bento_gitops.repository.charts import on_disk
from bento_gitops.repository.files import Tree
from bento_gitops.tools import binaries, helm
from bento_gitops.tools.serving import Process


def processes(tree: Tree, rendered: Rendered, track: str, scratch: Path) -> dict[str, Process]:
    """By service what its pods run. Raises what `made` raises."""
    return of_track(made(tree, rendered, scratch), track)


def made(tree: Tree, rendered: Rendered, scratch: Path) -> list[Object]:
    """What the chart makes of values.

    Raises InvalidInput where it refuses them, ToolFailed where Helm does not run.
    """
    folder = on_disk(tree, rendered.chart, scratch)
    try:
        documents = helm.template(folder, rendered.text, "made", helm=binaries.find("helm"), kube_version=VERSIONS[-1])
    except helm.ChartRefused as error:
        raise InvalidInput(refused(str(rendered.target), rendered.text, error.refusals)) from None
    try:
        return [found for document in documents if (found := read(document)) is not None]
    except Unreadable as error:
        raise InvalidInput(item.problem(Place(rendered.target.values)) for item in error.findings) from None


def of_track(objects: Sequence[Object], track: str) -> dict[str, Process]:
    """As `processes`, of objects. Raises ToolFailed for pods that are not as this chart makes them."""
    files = {thing.name: labels_of(thing.get("data")) for thing in objects if thing.kind == "ConfigMap"}
    found: dict[str, Process] = {}
    for thing in objects:
        if thing.kind != "Deployment" or thing.pod is None or thing.pod.labels.get("bento-gitops/track") != track:
            continue
        containers = maps(thing.pod.spec.get("containers"))
        if len(containers) != 1:
            raise ToolFailed(f"{thing.identity} has {len(containers)} containers; one was expected: is the chart another one?")
        container = containers[0]
        args = tuple(as_text(word) for word in as_list(container.get("args")))
        if "--service-name" not in args:
            raise ToolFailed(f"{thing.identity} names no service to start: is the chart another one?")
        service = args[args.index("--service-name") + 1]
        environment = {as_text(one.get("name")): as_text(one.get("value")) for one in maps(container.get("env"))}
        secrets = tuple(as_text(get(source, "secretRef", "name")) for source in maps(container.get("envFrom")))
        found[service] = Process(service, args, environment, _mounts(thing.pod.spec, container, files), secrets)
    return found


def needed(all_processes: Mapping[str, Process], first: str) -> list[Process]:
    """A service and all that it asks, directly or not; the first one first."""
    result = [all_processes[first]]
    for one in result:
        result += [all_processes[name] for name in one.dependencies if all_processes[name] not in result]
    return result


def _mounts(pod: Map, container: Map, files: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """The folders that are mounted, by path; those of a ConfigMap with its files."""
    configured = {as_text(one.get("name")): as_text(get(one, "configMap", "name")) for one in maps(pod.get("volumes"))}
    return {
        as_text(mount.get("mountPath")): files.get(configured.get(as_text(mount.get("name")), ""), {})
        for mount in maps(container.get("volumeMounts"))
    }
