"""How a name of the code becomes the name of an object."""

from __future__ import annotations

import hashlib
import re


def kebab(name: str) -> str:
    """EmbeddingRunner, embedding_runner -> embedding-runner; empty for a name without letters and digits.

    The chart names its objects by the same rule (`bento-serving.kebab` in _names.tpl); a test holds the two together.
    """
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name)
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1-\2", words)
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


_LONGEST = 62
"""Characters of a name: Kubernetes allows 63 for a Service, and one is kept back."""


def object_name(application: str, track: str, service: str) -> str:
    """What the objects of a component are called: support-tickets-blue-embedding-runner.

    As the chart's `bento-serving.objectName`; a test holds the two together.
    """
    return _fitted(f"{application}-{track}-{kebab(service)}", f"{application}/{track}/{service}")


def component_name(service: str) -> str:
    """The value of the label bento-gitops/component. As the chart's `bento-serving.componentName`."""
    return _fitted(kebab(service), service)


def argo_application(environment: str, application: str) -> str:
    """What Argo CD calls an application in an environment: prod.support-tickets. Neither name has a dot, so no two are alike."""
    return f"{environment}.{application}"


def _fitted(text: str, whole: str) -> str:
    """What is too long is cut and gets a hash of the whole, which tells apart what looks alike after the cut."""
    if len(text) <= _LONGEST:
        return text
    return f"{text[:53].rstrip('-')}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
