"""What is installed into a Bento's image: whether every requirement is exact (a version or a hash), and what sends traces."""

from __future__ import annotations

import re

from bento_gitops.model.inspection import Requirements

_PINNED = re.compile(r"===?\s*(?!.*\*)[^\s,;=<>!~]+\s*(;.*)?$")
_COMMIT = re.compile(r"@[0-9a-f]{40}(#.*)?$")
# Options that choose where packages come from or how they are built, not which.
_SOURCES = (
    "-i ",
    "-f ",
    "--index-url",
    "--extra-index-url",
    "--find-links",
    "--no-index",
    "--no-binary",
    "--only-binary",
    "--prefer-binary",
)
_CHECKS = ("--require-hashes", "--trusted-host")
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^]]*)\])?")
_EXPORTERS = frozenset({"opentelemetry-exporter-otlp-proto-http", "opentelemetry-exporter-otlp"})
_EXTRAS_WITH_EXPORTER = frozenset({"tracing", "tracing-otlp", "monitor-otlp", "all"})
"""Of bentoml itself; a lock file names the exporter besides, other files may not."""


def read_requirements(text: str) -> Requirements:
    """Reads a requirements.txt as pip does: continued lines joined, comments dropped."""
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = [re.sub(r"(^|\s)#.*$", "", line).strip() for line in joined.splitlines()]
    wanted = [line for line in lines if line and not line.startswith(_SOURCES + _CHECKS)]
    loose = [line for line in wanted if not _exact(line)]
    traces = "otlp-http" if any(_is_exporter(line) for line in wanted) else "none"
    return Requirements(locked=not loose, count=len(wanted), loose=loose, traces=traces)


def _is_exporter(line: str) -> bool:
    found = _NAME.match(line)
    if not found:
        return False
    name = re.sub(r"[-_.]+", "-", found[1]).lower()
    extras = {extra.strip().lower() for extra in (found[2] or "").split(",")}
    return name in _EXPORTERS or (name == "bentoml" and bool(extras & _EXTRAS_WITH_EXPORTER))


def _exact(line: str) -> bool:
    if "--hash=" in line:
        return True
    if line.startswith("-"):  # -e, -r, -c: another file or a folder decides
        return False
    if "#sha256=" in line or (line.endswith(".whl") and "://" not in line):  # a wheel inside the Bento
        return True
    if "git+" in line:
        return bool(_COMMIT.search(line))
    return bool(_PINNED.search(line)) and "," not in line.split(";")[0].rpartition("]")[2]
