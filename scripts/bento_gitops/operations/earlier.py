"""What a bundle ran with when it last was stable: rollback brings back the bundle, not the values of that time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bento_gitops.checking.objects import Json, as_map, as_text
from bento_gitops.checking.rendered import plain_values
from bento_gitops.model.layout import release_file
from bento_gitops.repository.files import GitTree, Tree
from bento_gitops.repository.fleet import Target
from bento_gitops.tools import git

MOST_COMMITS = 200
"""How far back the last time is looked for."""
MOST_SHOWN = 8


def other_than_then(tree: Tree, root: Path, target: Target, values: str, tag: str) -> list[str]:
    """A line for each value that a bundle will run with, and did not when it was last stable; `values` is what comes."""
    if not git.has_history(root):
        return [f"what {tag} ran with before is not known: there is no history here (git fetch --unshallow)"]
    # A clone may be behind the branch that is decided on, or ahead of it.
    found = _last_stable(root, tree.commit if isinstance(tree, GitTree) else "HEAD", target, tag)
    if found is None:
        return [f"what {tag} ran with before is not known: no commit has it as the stable bundle here"]
    commit, before = found
    differences = sorted(_differences(before, _components(values, tag), ""))
    if not differences:
        return [f"{tag} comes back with the values that it had in {commit[:10]}"]
    more = [f"  and {len(differences) - MOST_SHOWN} values more"] if len(differences) > MOST_SHOWN else []
    head = f"{tag} comes back, but not all values that it ran with in {commit[:10]} (then, now):"
    return [head, *(f"  {line}" for line in differences[:MOST_SHOWN]), *more]


def _last_stable(root: Path, ref: str, target: Target, tag: str) -> tuple[str, Json] | None:
    """The last commit before a ref in which the bundle was stable, and what its components ran with."""
    for commit, text in git.versions(root, release_file(str(target)), ref, limit=MOST_COMMITS):
        release = as_map(_read(text))
        track = as_map(as_map(release.get("tracks")).get(as_text(release.get("stable"))))
        if as_text(track.get("bundle")) == tag:
            (values,) = git.contents_at(root, [commit.sha], target.values)
            return commit.sha, _components((values or b"").decode(errors="replace"), tag)
    return None


def _read(text: bytes | None) -> Json:
    """A file of some earlier day; one that cannot be read says nothing."""
    try:
        return plain_values((text or b"").decode(errors="replace"))
    except ValueError:
        return None


def _components(values: str, tag: str) -> Json:
    """The components of the track that runs the bundle, the one with the most requests where there are two."""
    tracks = as_map(as_map(_read(values.encode())).get("tracks"))
    running = [as_map(track) for track in tracks.values() if as_text(as_map(track).get("bundle")) == tag]
    running.sort(key=lambda track: int(str(track.get("weight") or 0)), reverse=True)
    return running[0].get("components") if running else None


def _differences(before: Json, now: Json, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted(before.keys() | now.keys()):
            yield from _differences(before.get(key), now.get(key), f"{path}.{key}" if path else key)
    elif before != now:
        yield f"{path}: {_shown(before)}, {_shown(now)}"


def _shown(value: Json) -> str:
    return "nothing" if value is None else str(value)
