"""Knows which environment variables set the batching limits, and refuses a bad value before anything is served."""

from __future__ import annotations

import re
from collections.abc import Mapping

VARIABLES = ("EMBEDDING_MAX_BATCH_SIZE", "EMBEDDING_MAX_LATENCY_MS", "CLASSIFIER_MAX_BATCH_SIZE", "CLASSIFIER_MAX_LATENCY_MS")


def refuse_bad_limits(environ: Mapping[str, str]) -> None:
    """Raises ValueError that names every variable whose value is not a positive integer, with the value found.

    Without it a typing error is "invalid literal for int()" from somewhere in the code, and a 0 is a runner that never answers.
    """
    bad = [
        f"environment: {name}: not a positive integer (found {value!r}); set it to one, or unset it for the default"
        for name in VARIABLES
        if (value := environ.get(name)) is not None and not re.fullmatch(r"[1-9][0-9]{0,8}", value, re.ASCII)
    ]
    if bad:
        raise ValueError("\n".join(bad))
