"""How a name of the code becomes the name of an object."""

from __future__ import annotations

import re


def kebab(name: str) -> str:
    """EmbeddingRunner, embedding_runner -> embedding-runner; empty for a name without letters and digits.

    The chart names its objects by the same rule (`bento-serving.kebab` in _names.tpl); a test holds the two together.
    """
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", name)
    words = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1-\2", words)
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")
