"""A Kubernetes cluster through the kubernetes client: the objects of one application, as data, and patches of its route."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import yaml

from bento_gitops.checking.objects import Map, maps
from bento_gitops.model.files import Controller
from bento_gitops.model.problem import ToolFailed, did_you_mean
from bento_gitops.observing.live import APPLICATION, ROUTES, Seen
from bento_gitops.observing.rerouting import HAND

_WAIT = (5, 15)
"""Seconds for a connection and for an answer: whoever looks has something to decide."""
_MOST = 500
"""Objects in one answer."""


Kind = tuple[str, str, str, str]
"""Group, version, plural and kind, as `observing.live.ROUTES` has them."""


class Overtaken(ToolFailed):
    """Somebody else changed the object since it was read."""


@dataclass(frozen=True)
class Cluster:
    """The cluster of a context of the kubeconfig, or the one that this runs in."""

    api: Any
    name: str
    """As messages call it."""

    def seen(self, namespace: str, application: str, controller: Controller) -> Seen:
        """The objects of an application. Raises ToolFailed where the API server does not answer, or refuses."""
        client = _untyped("kubernetes.client")
        apps, core = client.AppsV1Api(self.api), client.CoreV1Api(self.api)
        custom = client.CustomObjectsApi(self.api)
        chosen = f"{APPLICATION}={application}"
        routes = {
            kind: self._listed(
                f"{plural} of {namespace}",
                partial(custom.list_namespaced_custom_object, group, version, namespace, plural),
                chosen,
                optional=True,
            )
            for group, version, plural, kind in ROUTES[controller]
        }
        return Seen(
            self._listed(f"Deployments of {namespace}", partial(apps.list_namespaced_deployment, namespace), chosen),
            self._listed(f"ReplicaSets of {namespace}", partial(apps.list_namespaced_replica_set, namespace), chosen),
            self._listed(f"Services of {namespace}", partial(core.list_namespaced_service, namespace), chosen),
            routes,
        )

    def listed(self, of: Kind, namespace: str, application: str) -> list[Map]:
        """An application's objects of a custom kind; none where the API server does not know the kind."""
        group, version, plural, _ = of
        custom = _untyped("kubernetes.client").CustomObjectsApi(self.api)
        ask = partial(custom.list_namespaced_custom_object, group, version, namespace, plural)
        return self._listed(f"{plural} of {namespace}", ask, f"{APPLICATION}={application}", optional=True)

    def found(self, of: tuple[str, str, str], namespace: str, name: str) -> Map | None:
        """An object of a custom kind; None where it, or its kind, is not there. Raises ToolFailed."""
        custom = _untyped("kubernetes.client").CustomObjectsApi(self.api)
        group, version, plural = of
        ask = partial(custom.get_namespaced_custom_object, group, version, namespace, plural, name)
        return self._answered(ask, f"does not show {plural}/{name} of {namespace}", absent=(404,))

    def patched(self, of: tuple[str, str, str], namespace: str, name: str, patch: Map) -> Map:
        """The object after a merge patch, which is made in the name of live commands.

        Raises Overtaken where the patch names the resourceVersion of an object that is another by now, ToolFailed for all else.
        """
        client = _untyped("kubernetes.client")
        group, version, plural = of
        if group:
            change = partial(client.CustomObjectsApi(self.api).patch_namespaced_custom_object, group, version, namespace, plural)
            ask = partial(change, name, patch)
        else:
            ask = partial(client.CoreV1Api(self.api).patch_namespaced_service, name, namespace, patch)
        said = partial(ask, field_manager=HAND, _content_type="application/merge-patch+json")
        changed = self._answered(said, f"does not let you change {plural}/{name} of {namespace}")
        assert changed is not None, "no status is an absence here"
        return changed

    def tell(self, namespace: str, event: Map) -> None:
        """Makes an Event. Raises ToolFailed."""
        core = _untyped("kubernetes.client").CoreV1Api(self.api)
        self._answered(partial(core.create_namespaced_event, namespace, event), f"does not take an Event in {namespace}")

    def _answered(self, ask: Callable[..., Any], wrong: str, *, absent: tuple[int, ...] = ()) -> Map | None:
        """What one request comes to; None for the statuses that mean that there is no such thing."""
        from urllib3.exceptions import HTTPError

        refused: type[Exception] = _untyped("kubernetes.client.exceptions").ApiException
        try:
            answer = ask(_preload_content=False, _request_timeout=_WAIT)
        except refused as error:
            status = getattr(error, "status", None)
            if status in absent:
                return None
            failure = Overtaken if status == 409 else ToolFailed
            raise failure(f"the cluster {self.name} {wrong}: {_reason(error)}") from None
        except (HTTPError, OSError) as error:
            raise ToolFailed(f"the cluster {self.name} does not answer: {_last(error)}") from None
        return cast("Map", json.loads(answer.data))

    def _listed(self, what: str, ask: Callable[..., Any], chosen: str, *, optional: bool = False) -> list[Map]:
        """All pages of a list. `optional`: a kind that the API server does not know has no objects."""
        found: list[Map] = []
        onward = ""
        while True:
            said: dict[str, Any] = {"label_selector": chosen, "limit": _MOST, **({"_continue": onward} if onward else {})}
            page = self._answered(partial(ask, **said), f"does not show {what}", absent=(404,) if optional else ())
            if page is None:
                return []
            found += maps(page.get("items"))
            listed = page.get("metadata")
            onward = str(listed.get("continue") or "") if isinstance(listed, dict) else ""
            if not onward:
                return found


def opened(context: str | None, environ: Mapping[str, str] = os.environ, *, preferred: str = "") -> Cluster:
    """The cluster of a context, or the one that this pod runs in where there is no kubeconfig.

    Without a context: the one that is called `preferred`, where the kubeconfig has it, else the current one. Raises ToolFailed
    where there is none.
    """
    client, config = _untyped("kubernetes.client"), _untyped("kubernetes.config")
    settings = client.Configuration()
    settings.retries = 0  # what waits asks again by itself; a retry would be told on the screen, as a warning
    file = environ.get("KUBECONFIG") or None  # the client itself reads the variable once, when it is imported
    pod = "KUBERNETES_SERVICE_HOST" in environ and not file and not (Path.home() / ".kube/config").exists()
    try:
        if pod and context is None:
            config.load_incluster_config(client_configuration=settings)
            name = "of this pod"
        else:
            chosen = context or _context(config, file, preferred)
            config.load_kube_config(file, chosen, settings)
            name = f"of context {chosen}"
    except (config.ConfigException, OSError) as error:
        raise ToolFailed(f"there is no cluster to look at: {_no_cluster(config, file, context, error)}") from None
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = f"{file or '~/.kube/config'}{'' if line is None else f', line {line + 1}'}"
        raise ToolFailed(f"the kubeconfig {where} cannot be read: mend it, or set KUBECONFIG to another") from None
    return Cluster(client.ApiClient(settings), name)


def known_context(name: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The context that is called so, where there is a kubeconfig that has it."""
    return name if name in _contexts(_untyped("kubernetes.config"), environ.get("KUBECONFIG") or None) else None


def _contexts(config: Any, file: str | None) -> list[str]:
    """The names of a kubeconfig's contexts; none where it cannot be read, which whoever uses it next says."""
    try:
        return [one["name"] for one in config.list_kube_config_contexts(file)[0]]
    except (config.ConfigException, OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError):
        return []


def _context(config: Any, file: str | None, preferred: str) -> str:
    """The context of a kubeconfig that is called so, else the current one."""
    known, current = config.list_kube_config_contexts(file)
    return preferred if preferred in [one["name"] for one in known] else str(current["name"])


def _no_cluster(config: Any, file: str | None, context: str | None, error: Exception) -> str:
    """Why, and what to do: the client's own words call a kubeconfig invalid that is not there, or lacks a context."""
    if file and not any(Path(one).exists() for one in file.split(os.pathsep)):
        return f"{file} is not there; set KUBECONFIG to a file that is"
    if context is not None:
        known = _contexts(config, file)
        if known and context not in known:
            return f"the kubeconfig has no context '{context}'; {did_you_mean(context, known)}"
    return f"{_last(error)}; set KUBECONFIG, or name a context of it with --context"


def _untyped(module: str) -> Any:
    """A module of the client, which has no types worth the name; it takes half a second to import."""
    return importlib.import_module(module)


def _reason(error: Any) -> str:
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        message = str(error.reason)
    return f"{message} ({error.status})"


def _last(error: BaseException) -> str:
    """The cause, not the chain of retries around it."""
    reason = getattr(error, "reason", None)
    text = str(reason if isinstance(reason, Exception) else error)
    return text.rpartition(": ")[2] or type(error).__name__
