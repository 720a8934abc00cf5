"""Knows how a ticket's text is prepared for the classifier, in each version that a model may have been trained with."""

from __future__ import annotations

import re
from collections.abc import Callable

_SPACE = re.compile(r"\s+")

# A salutation says nothing about the subject, yet it moves the vector of a short ticket. Only what stands at the very start goes,
# and only up to a mark that ends it: "Hello world does not print" keeps its first word.
_SALUTATION = re.compile(
    r"^(?:(?:hello|hi|hey|dear|good (?:morning|afternoon|evening))(?: (?:there|all|team|support|everyone))?[,.!]|urgent[:!])\s*",
    re.IGNORECASE,
)


def _collapsed(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _without_salutations(text: str) -> str:
    text = _collapsed(text)
    while stripped := _SALUTATION.sub("", text, count=1):
        if stripped == text:
            break
        text = stripped
    return text  # a text that is nothing but a salutation stays: an empty one has no vector worth the name


_VERSIONS: dict[str, Callable[[str], str]] = {"1": _collapsed, "2": _without_salutations}


def preprocessing(version: str) -> Callable[[str], str]:
    """The preparation that a model was trained with. Versions are never changed, only added: models in use depend on them."""
    try:
        return _VERSIONS[version]
    except KeyError:
        raise ValueError(
            f"no preprocessing {version!r} in this code (it has {', '.join(map(repr, _VERSIONS))}); "
            "build the Bento from the code that the classifier was trained with"
        ) from None
