"""What an operator runs when a rollback is decided and Git does not make it live: the words for `live shift`."""

from __future__ import annotations

import shlex
from pathlib import Path

from bento_gitops.layers.reading import read
from bento_gitops.model.layout import release_file
from bento_gitops.model.problem import InvalidInput, ToolFailed
from bento_gitops.model.release import Release
from bento_gitops.releasing.states import live_way_back
from bento_gitops.repository.files import WorkingTree


def words(target: object, release: Release | None, reason: str) -> str:
    """What moves the requests now, past Git; empty where no shift would be the rollback."""
    weight = live_way_back(release) if release else None
    if weight is None:
        return ""
    why = shlex.quote(reason or "rollback, and Git does not make it live")
    return f"if that cannot wait, past Git: bento-gitops live shift {target} {weight} --reason {why}"


def by_the_files(root: Path, target: str, reason: str) -> str:
    """As `words`, by the files that are here: Git itself may be what failed. Empty where they do not say."""
    path = release_file(target)
    try:
        return words(target, read(WorkingTree(root).read(path), path, Release).value, reason)
    except (InvalidInput, ToolFailed, FileNotFoundError):
        return ""
