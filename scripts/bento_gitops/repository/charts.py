"""The chart and its releases in one tree: their files, their values as the lowest layer, what each of them does not know."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from bento_gitops.layers.marked import Marked, MarkedMap, MarkedScalar, join, parse
from bento_gitops.layers.reading import checked
from bento_gitops.layers.spelling import snake
from bento_gitops.model.layout import CHART, RELEASES, released_chart
from bento_gitops.model.problem import InvalidInput, Place, Problem, ToolFailed
from bento_gitops.model.shape import Shape, shape_of
from bento_gitops.model.values import ChartDefaults, Values
from bento_gitops.model.versions import in_order, is_version
from bento_gitops.rendering.chart_keys import Gap, gap_of
from bento_gitops.repository.files import GitTree, OverlayTree, Tree, WorkingTree, inside
from bento_gitops.tools import git

SCHEMA = "values.schema.json"
PIN_ANOTHER = "a release never changes: pin another version, or work with the bento-gitops that this one came with"


@dataclass(frozen=True, slots=True)
class Layer:
    """A chart's values.yaml as the lowest layer."""

    tree: MarkedMap
    """In snake_case."""
    unknown: tuple[tuple[Place, str], ...]
    """Defaults of a release that no model knows any more: nobody can say else, so they hold as the chart has them."""


@lru_cache(maxsize=16)
def _layer(data: bytes, path: str, *, released: bool) -> Layer:
    """The bytes of a chart's values.yaml as the lowest layer: most trees of one command have the same. Raises InvalidInput."""
    written = parse(data, path)
    defaults = written.items.get("defaults")
    if not isinstance(defaults, MarkedMap):
        raise InvalidInput([Problem(written.at("defaults"), "defaults", "is missing", "", "add defaults.roles")])
    unknown: list[tuple[Place, str]] = []
    if released:
        # A key that was renamed or dropped since must not keep a fork from taking the code that did it: nothing can hide it.
        defaults = _known(defaults, shape_of(ChartDefaults), "defaults", unknown)
        written = replace(written, items={**written.items, "defaults": defaults})
    try:
        checked(defaults, ChartDefaults, camel=True)
    except InvalidInput as error:
        raise InvalidInput(
            replace(problem, pointer=f"defaults.{problem.pointer}", todo=PIN_ANOTHER if released else problem.todo)
            for problem in error.problems
        ) from None
    tree = snake(written, shape_of(Values))
    assert isinstance(tree, MarkedMap)
    return Layer(tree, tuple(unknown))


@dataclass
class Charts:
    """The charts of one tree, each read once."""

    tree: Tree
    _layers: dict[str, Layer | InvalidInput] = field(default_factory=dict[str, "Layer | InvalidInput"])
    _gaps: dict[str, Gap | None] = field(default_factory=dict[str, "Gap | None"])
    _versions: list[str] | None = None
    _own: str | None = None
    """The identity of the chart as it is now."""

    def versions(self) -> list[str]:
        """The released versions, the oldest first."""
        if self._versions is None:
            folders = {path.split("/")[-2] for path in self.tree.glob(f"{RELEASES}/*/Chart.yaml")}
            self._versions = in_order(folder for folder in folders if is_version(folder))
        return self._versions

    def layer(self, folder: str) -> Layer:
        """The values of the chart in a folder.

        Raises InvalidInput.
        """
        if folder not in self._layers:
            try:
                self._layers[folder] = self._read(folder)
            except InvalidInput as error:
                self._layers[folder] = error
        result = self._layers[folder]
        if isinstance(result, InvalidInput):
            raise result
        return result

    def _read(self, folder: str) -> Layer:
        path = f"{folder}/values.yaml"
        released = folder != CHART
        if not self.tree.exists(path):
            todo = PIN_ANOTHER if released else "run in the root of the repository, or name it with --root"
            raise InvalidInput([Problem(Place(path), "", "the chart is missing", "", todo)])
        return _layer(self.tree.read(path), path, released=released)

    def gap(self, folder: str) -> Gap | None:
        """What the chart in a folder does not know of all that may be said; nothing of the chart as it is now, whose schema is
        generated from the models.

        Raises InvalidInput.
        """
        if folder == CHART:
            return None
        if folder not in self._gaps:
            self._gaps[folder] = gap_of(shape_of(Values), self._schema(folder))
        return self._gaps[folder]

    def _schema(self, folder: str) -> Mapping[str, Any]:
        path = f"{folder}/{SCHEMA}"
        try:
            found: Any = json.loads(self.tree.read(path))
        except FileNotFoundError:
            raise InvalidInput([Problem(Place(path), "", "the file is missing", "", PIN_ANOTHER)]) from None
        except ValueError as error:
            raise InvalidInput([Problem(Place(path), "", f"is not JSON: {error}", "", PIN_ANOTHER)]) from None
        if not isinstance(found, dict):
            raise InvalidInput([Problem(Place(path), "", "is no JSON Schema of values", "", PIN_ANOTHER)])
        return cast("dict[str, Any]", found)

    def version_of(self, folder: str) -> str:
        """The version that the chart in a folder calls itself.

        Raises InvalidInput.
        """
        path = f"{folder}/Chart.yaml"
        if not self.tree.exists(path):
            raise InvalidInput([Problem(Place(path), "", "the file is missing", "", "restore it")])
        version = parse(self.tree.read(path), path).items.get("version")
        if not isinstance(version, MarkedScalar) or not version.value:
            raise InvalidInput([Problem(Place(path), "version", "is missing", "", "add it")])
        return str(version.value)

    def identity_of(self, folder: str) -> str:
        """What tells the chart in a folder from every other: a release by its version, which never changes; the chart as it is
        now by its version and its content.

        Raises InvalidInput.
        """
        if folder != CHART:
            return self.version_of(folder)
        if self._own is None:
            self._own = f"{self.version_of(folder)}+{self._content(folder)}"
        return self._own

    def _content(self, folder: str) -> str:
        content = hashlib.sha256()
        for path in self.files(folder):
            if not path.startswith(f"{folder}/ci/") and not path.endswith(".md"):
                content.update(f"{path}\0".encode() + hashlib.sha256(self.tree.read(path)).digest())
        return content.hexdigest()[:12]

    def files(self, folder: str) -> list[str]:
        """Every file in a folder, at any depth, sorted."""
        return self.tree.glob(f"{folder}/**/*")


def on_disk(tree: Tree, folder: str, scratch: Path) -> Path:
    """A chart's folder for Helm to read: the folder itself in a working tree, else a copy of it below `scratch`."""
    here = standing(tree, folder)
    if here and (isinstance(tree, WorkingTree) or not links(tree, folder)):
        return here
    target = scratch / folder
    for path in Charts(tree).files(folder):
        (scratch / path).parent.mkdir(parents=True, exist_ok=True)
        (scratch / path).write_bytes(tree.read(path))
    return target


def standing(tree: Tree, folder: str) -> Path | None:
    """Where a folder is on disk as the tree has it; None where it would have to be written."""
    while isinstance(tree, OverlayTree) and not tree.changes_below(folder):
        tree = tree.base
    return tree.root / folder if isinstance(tree, WorkingTree) else None


def links(tree: Tree, folder: str) -> list[str]:
    """The symbolic links in a folder, at any depth. What they point to can change, or lie on another machine."""
    if isinstance(tree, OverlayTree):
        return links(tree.base, folder)
    if isinstance(tree, GitTree):
        entries = ((path, tree.entry(path)) for path in tree.glob(f"{folder}/**/*"))
        return [path for path, entry in entries if entry and entry.mode == git.LINK]
    assert isinstance(tree, WorkingTree), "there are three kinds of trees"
    root = tree.root
    found: list[str] = []
    for at, folders, files in os.walk(root / folder):
        found += [Path(at, name).relative_to(root).as_posix() for name in (*folders, *files) if Path(at, name).is_symlink()]
    return sorted(found)


def shipped(paths: Sequence[str], folder: str, ignore: str) -> list[str]:
    """Those of the files in a chart's folder that are part of the chart: not what its .helmignore (`ignore`) leaves out.

    Raises InvalidInput for a pattern that is more than a name or a folder's name.
    """
    patterns = [line.strip() for line in ignore.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    problems = [
        Problem(Place(f"{folder}/.helmignore"), "", "only names and names of folders are understood", f"'{pattern}'", "write one")
        for pattern in patterns
        if pattern.startswith("!") or "/" in pattern.removesuffix("/")
    ]
    if problems:
        raise InvalidInput(problems)

    def ignored(path: str) -> bool:
        *folders, name = path.removeprefix(f"{folder}/").split("/")
        return any(
            any(fnmatch.fnmatchcase(above, pattern.removesuffix("/")) for above in folders)
            or (not pattern.endswith("/") and fnmatch.fnmatchcase(name, pattern))
            for pattern in patterns
        )

    return [path for path in paths if not ignored(path)]


def install_folder(root: Path, folder: str, files: Mapping[str, bytes]) -> None:
    """Writes a folder that is not there yet, by one rename: it is there with all of its files or not at all.

    Raises ToolFailed where the file system refuses, or someone else wrote the folder meanwhile.
    """
    target = inside(root, folder)
    scratch: str | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent)
        for path, data in files.items():
            file = Path(scratch) / Path(path).relative_to(folder)
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
        Path(scratch).chmod(0o755)
        Path(scratch).rename(target)
    except OSError as error:
        raise ToolFailed(f"cannot write {folder}: {error.strerror}; nothing of this folder was written") from error
    finally:
        if scratch:
            shutil.rmtree(scratch, ignore_errors=True)


def remove_folder(root: Path, folder: str) -> None:
    """Removes a folder: gone under its name by one rename, then emptied.

    Raises ToolFailed where the file system refuses.
    """
    target = inside(root, folder)
    try:
        scratch = tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent)
        target.rename(Path(scratch) / target.name)
        shutil.rmtree(scratch)
    except OSError as error:
        raise ToolFailed(f"cannot remove {folder}: {error.strerror}; make the folder writable for you") from error


def version_in(folder: str) -> str:
    """The version that a chart's folder stands for; empty for the chart as it is now."""
    version = folder.rpartition("/")[2]
    return version if folder == released_chart(version) else ""


def _known(node: MarkedMap, shape: Shape, pointer: str, unknown: list[tuple[Place, str]]) -> MarkedMap:
    """The map without the keys that the shape does not know, in camelCase; these are added to `unknown`."""
    if shape.fields is None and shape.item is None:
        return node
    items: dict[str, Marked] = {}
    names = shape.names(camel=True)
    for key, value in node.items.items():
        here = join(pointer, key)
        if shape.fields is not None and key not in names and shape.item is None:
            unknown.append((node.at(key), here))
        else:
            items[key] = _known(value, shape.below(key), here, unknown) if isinstance(value, MarkedMap) else value
    return replace(node, items=items)
