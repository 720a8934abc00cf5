"""bundle inspect, create, show, verify: what each reads and writes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bento_gitops.bundling.checks import graph_problems
from bento_gitops.bundling.imports import ImportFailed
from bento_gitops.bundling.inspecting import inspection
from bento_gitops.bundling.manifest import read_manifest, read_model_metadata
from bento_gitops.bundling.proving import prove
from bento_gitops.bundling.recording import differences, record
from bento_gitops.bundling.requirements import read_requirements
from bento_gitops.bundling.writing import to_yaml
from bento_gitops.layers.reading import read
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.inspection import BentoFile, Inspection
from bento_gitops.model.layout import bundle_file
from bento_gitops.model.problem import InvalidInput, Place, Problem, Refused, ToolFailed, did_you_mean
from bento_gitops.model.release import Release
from bento_gitops.repository.files import GitTree, Tree, WorkingTree, write_atomically
from bento_gitops.tools import bento

_REQUIREMENTS = ("env/python/requirements.lock.txt", "env/python/requirements.txt")
"""The lock that `bentoml build` made is what its image installs; else what the Bento names."""


def inspect_bento(reference: str, *, python: Path | None, home: Path | None, timeout: float) -> Inspection:
    """Inspects a Bento by tag, folder or archive; this runs its code. `timeout`: seconds for all imports together.

    Raises InvalidInput if there is no such Bento, ToolFailed if it cannot be imported.
    """
    store = bento.bentoml_home(home)
    with bento.opened(reference, store) as opened:
        manifest = read_manifest(opened.text("bento.yaml") or b"", f"{reference}/bento.yaml")
        if not manifest.entry_service:
            todo = "write it with @bentoml.service, and build again with BentoML 1.4"
            raise InvalidInput(
                [Problem(Place(reference), "entry_service", "a Bento of the old kind, with bentoml.Service", "", todo)]
            )
        importer = bento.Importing(
            opened, tuple(manifest.tags), bento.find_python(python), manifest.image_envs, time.monotonic() + timeout, timeout
        )
        try:
            report = importer({})
        except ImportFailed as error:
            todo = f"Is {importer.python} where its dependencies are installed? (another: --python)"
            raise ToolFailed(f"bundle inspect: importing {reference} failed: {error}\n{todo}") from None
        requirements = next((text for path in _REQUIREMENTS if (text := opened.text(path)) is not None), b"")
        models = {tag: opened.model(tag) for tag in manifest.tags}
        metadata = {
            tag: read_model_metadata((folder / "model.yaml").read_bytes(), f"{tag}/model.yaml") if folder else None
            for tag, folder in models.items()
        }
        files = [BentoFile(path=file.path, size=file.size, private_key=file.private_key) for file in opened.files()]
        return inspection(
            manifest, report, prove(report, importer), metadata, read_requirements(requirements.decode("utf-8", "replace")), files
        )


def read_inspection(file: Path) -> Inspection:
    """An inspection file. Raises InvalidInput."""
    todo = "make it with `bento-gitops bundle inspect BENTO > inspection.json`"
    try:
        return Inspection.model_validate(json.loads(file.read_bytes()))
    except OSError as error:
        raise InvalidInput([Problem(Place(str(file)), "", "cannot be read", error.strerror or str(error), todo)]) from None
    except ValueError as error:
        if not isinstance(error, ValidationError):
            raise InvalidInput([Problem(Place(str(file)), "", "is not JSON", str(error), todo)]) from None
        raise InvalidInput(
            Problem(Place(str(file)), ".".join(str(part) for part in detail["loc"]), detail["msg"], "", todo)
            for detail in error.errors(include_url=False)
        ) from None


@dataclass(frozen=True, slots=True)
class Created:
    """What `bundle create` did."""

    path: str
    bundle: Bundle
    text: str
    changed: bool
    """False: the same bundle stands there already (made at another time, perhaps)."""


def create(
    root: Path,
    *,
    inspection_file: Path,
    application: str,
    tag: str | None,
    image: str,
    source: tuple[str | None, str | None],
    created: str,
    size_limit: int,
    dry_run: bool,
) -> Created:
    """Records an inspected Bento.

    Raises InvalidInput with every reason against it, Refused if another bundle stands under its tag.
    """
    bundle = record(
        read_inspection(inspection_file),
        str(inspection_file),
        application=application,
        tag=tag,
        image=image,
        source=source,
        created=created,
        size_limit=size_limit,
    )
    path, text = bundle_file(application, bundle.tag), to_yaml(bundle)
    tree = WorkingTree(root)
    if tree.exists(path):
        old = read(tree.read(path), path, Bundle).value
        # What nobody looked at when the bundle was recorded cannot be compared with what stands there.
        changed = differences(old, bundle if old.traces else bundle.model_copy(update={"traces": None}))
        if changed:
            todo = "a bundle never changes: give this Bento a tag of its own (--tag), as builds with a new --version have"
            raise Refused(
                Problem(
                    Place(path), pointer, f"[bundle-changed] is {before} in the bundle that stands under this tag", after, todo
                )
                for pointer, before, after in changed
            )
        return Created(path, old, text, changed=False)
    if not dry_run:
        write_atomically(root, path, text.encode())
    return Created(path, bundle, text, changed=True)


def show(root: Path, application: str, tag: str) -> Bundle:
    """One bundle. Raises InvalidInput."""
    tree = WorkingTree(root)
    (path,) = _chosen(tree, application, tag)
    return read(tree.read(path), path, Bundle).value


@dataclass(frozen=True, slots=True)
class Verified:
    """What `bundle verify` looked at."""

    bundles: tuple[str, ...]
    """Paths."""
    compared: int
    """How many of them existed at the base already."""


def verify(root: Path, application: str | None, tag: str | None, base: str | None) -> Verified:
    """Checks bundles: their schema, that path and content agree, their graph, and that none changed since `base`.

    Raises InvalidInput with everything that is wrong, Refused if that is only changed or deleted bundles.
    """
    tree = WorkingTree(root)
    before: Tree | None = GitTree(root, base) if base else None
    paths = _chosen(tree, application, tag, also=before)
    invalid: list[Problem] = []
    changed: list[Problem] = []
    compared = 0
    for path in paths:
        then = before.read(path) if before and before.exists(path) else None
        compared += then is not None
        if not tree.exists(path):
            changed += _deleted(tree, path, base or "", invalid)
            continue
        try:
            bundle = read(tree.read(path), path, Bundle).value
        except InvalidInput as error:
            invalid += error.problems
            continue
        invalid += _misplaced(path, bundle)
        invalid += graph_problems(bundle.entry, bundle.services, path)
        if then is not None:
            changed += _changed(path, bundle, then, base or "")
    if application is None:
        invalid += [
            Problem(Place(path), "", "is no bundle", "", "bundles are bundles/<application>/<tag>.yaml; move or remove it")
            for path in tree.glob("bundles/**/*")
            if path not in paths
        ]
    if invalid:
        raise InvalidInput([*invalid, *changed])
    if changed:
        raise Refused(changed)
    return Verified(tuple(paths), compared)


def _chosen(tree: Tree, application: str | None, tag: str | None, also: Tree | None = None) -> list[str]:
    """Paths of the bundles that are meant, in `tree` or in `also`. Raises InvalidInput if a name fits none."""
    every = sorted({path for there in (tree, also) if there for path in there.glob("bundles/*/*.yaml")})
    of_application = [path for path in every if application is None or path.split("/")[1] == application]
    if application is not None and not of_application:
        known = {path.split("/")[1] for path in every}
        raise InvalidInput(
            [
                Problem(
                    Place("bundles"),
                    "",
                    "no such application",
                    f"'{application}'",
                    did_you_mean(application, known) if known else "create its first bundle with `bundle create`",
                )
            ]
        )
    chosen = [path for path in of_application if tag is None or path == bundle_file(application or "", tag)]
    if tag is not None and not chosen:
        known = {path.split("/")[2].removesuffix(".yaml") for path in of_application}
        raise InvalidInput([Problem(Place(f"bundles/{application}"), "", "no such bundle", f"'{tag}'", did_you_mean(tag, known))])
    return chosen


def _misplaced(path: str, bundle: Bundle) -> list[Problem]:
    problems: list[Problem] = []
    _, folder, name = path.split("/")
    if bundle.application != folder:
        problems.append(
            Problem(
                Place(path),
                "application",
                "is not the folder's name",
                f"'{bundle.application}'",
                f"bundles are never edited or moved; restore it, or create it anew ('{folder}')",
            )
        )
    if bundle.tag != name.removesuffix(".yaml"):
        problems.append(
            Problem(
                Place(path),
                "tag",
                "is not the file's name",
                f"'{bundle.tag}'",
                "bundles are never edited or moved; restore it, or create it anew",
            )
        )
    return problems


def _changed(path: str, bundle: Bundle, then: bytes, base: str) -> list[Problem]:
    todo = f"a bundle never changes: git checkout {base} -- {path}, and create another under a tag of its own"
    try:
        old = read(then, f"{base}:{path}", Bundle).value
    except InvalidInput:
        return [Problem(Place(path), "", f"[bundle-changed] differs from what it was at {base}, which is no bundle", "", todo)]
    problems = [
        Problem(Place(path), pointer, f"[bundle-changed] was {was} at {base}", now, todo)
        for pointer, was, now in differences(old, bundle)
    ]
    if old.created != bundle.created:
        problems.append(Problem(Place(path), "created", f"[bundle-changed] was {old.created} at {base}", bundle.created, todo))
    return problems


def _deleted(tree: Tree, path: str, base: str, invalid: list[Problem]) -> list[Problem]:
    """A bundle may go once no release needs it: as a track's, or as what rollback returns to."""
    _, application, name = path.split("/")
    tag = name.removesuffix(".yaml")
    used: list[str] = []
    for file in tree.glob(f"environments/*/{application}/release.yaml"):
        try:
            release = read(tree.read(file), file, Release).value
        except InvalidInput as error:
            invalid += error.problems
            continue
        needed = [track.bundle for track in release.tracks.values()] + ([release.previous.bundle] if release.previous else [])
        if tag in needed:
            used.append(file)
    if not used:
        return []
    todo = f"restore it: git checkout {base} -- {path}"
    return [Problem(Place(path), "", "[bundle-deleted] is gone, but releases name it", ", ".join(used), todo)]
