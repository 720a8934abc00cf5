"""schemas: the generated schemas of files and charts, dashboards, copies of policies; the reduced schemas of custom resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bento_gitops.checking.chart_files import CHARTS, POLICY_COPIES, policy_copies, render_chart_files
from bento_gitops.checking.custom_resources import reduced, text_of
from bento_gitops.checking.file_schemas import file_schemas
from bento_gitops.checking.objects import Map, as_text, get, maps
from bento_gitops.checking.rendered import plain_documents
from bento_gitops.model.layout import PLATFORM, POLICIES
from bento_gitops.model.problem import InvalidInput, Place, Problem, did_you_mean
from bento_gitops.repository.files import write_atomically
from bento_gitops.tools import binaries, kubectl

OURS = "schemas/custom-resources"
LOCAL = "policies/local/schemas"


def generate(root: Path, *, check: bool) -> tuple[str, ...]:
    """Writes every generated schema, what is generated of the charts' READMEs, dashboards, and copies of policies; removes the
    copy of a policy that is gone. The paths that differed, sorted.

    With `check` nothing is written. Raises InvalidInput where a chart's files cannot be generated.
    """
    wanted = {**file_schemas(), **_dashboards(), **_policy_copies(root)}
    for chart in CHARTS:
        wanted |= _chart_files(root, chart)
    left = {path.relative_to(root).as_posix() for path in (root / POLICY_COPIES).glob("*")} - wanted.keys()
    differing = tuple(sorted(left.union(path for path, text in wanted.items() if _bytes(root / path) != text.encode())))
    if not check:
        for path in differing:
            if path in left:
                (root / path).unlink()
            else:
                write_atomically(root, path, wanted[path].encode())
    return differing


def _dashboards() -> Mapping[str, str]:
    from bento_gitops.observing.dashboards import dashboard_texts  # Grafana's types, which no other command needs

    return {f"{PLATFORM}/dashboards/{name}": text for name, text in dashboard_texts().items()}


def _policy_copies(root: Path) -> Mapping[str, str]:
    folder, _ = POLICIES
    return policy_copies({path.parent.name: path.read_text("utf-8") for path in (root / folder).glob("*/policy.yaml")})


def _chart_files(root: Path, chart: str) -> Mapping[str, str]:
    values_yaml, readme = (_text(root, f"{chart}/{name}") for name in ("values.yaml", "README.md"))
    try:
        return render_chart_files(values_yaml, readme, chart)
    except ValueError as error:
        raise InvalidInput([Problem(Place(chart), "", str(error))]) from None


def _text(root: Path, path: str) -> str:
    data = _bytes(root / path)
    if data is None:
        todo = "run in the root of the repository, or name it with --root"
        raise InvalidInput([Problem(Place(path), "", "the file is missing", "", todo)])
    return data.decode()


def _bytes(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull found and did."""

    folder: str
    written: tuple[str, ...]
    """Paths below the folder that are new or other than before."""
    unchanged: tuple[str, ...]
    passed_over: tuple[str, ...]
    """Kinds that were there and not asked for."""


def pull(root: Path, source: Path | None, kinds: Sequence[str] = ()) -> Pulled:
    """Reduces CustomResourceDefinitions to the schemas that `validate` uses.

    From a file or a folder of them into this repository's own folder, else from the cluster of the current kubeconfig into the
    fork's, whose schemas win. `kinds` (HTTPRoute, or HTTPRoute_v1 for one version) says which; none says all.
    Raises InvalidInput for definitions without a schema, and for kinds that are not there.
    """
    folder = OURS if source else LOCAL
    where = str(source) if source else "the cluster"
    definitions = (
        _definitions(source)
        if source
        else iter([("", item) for item in kubectl.custom_resource_definitions(binaries.find("kubectl"))])
    )
    problems: list[Problem] = []
    found: dict[str, Map] = {}
    for file, definition in definitions:
        try:
            found.update(reduced(definition))
        except ValueError as error:
            problems.append(Problem(Place(file or where), "", str(error), "", "take it from a release of its project"))
    names = {path: path.rpartition("/")[2].removesuffix(".json") for path in found}
    known = {*names.values(), *(name.partition("_")[0] for name in names.values())}
    problems += [
        Problem(Place(where), "", "no definition of this kind", f"'{kind}'", did_you_mean(kind, known))
        for kind in kinds
        if kind.lower() not in known
    ]
    if not found and not problems:
        problems.append(Problem(Place(where), "", "no CustomResourceDefinition here", "", "name a file or folder that has some"))
    if problems:
        raise InvalidInput(problems)
    wanted = {kind.lower() for kind in kinds}
    chosen = [path for path, name in sorted(names.items()) if not wanted or {name, name.partition("_")[0]} & wanted]
    written = tuple(path for path in chosen if write_atomically(root, f"{folder}/{path}", text_of(found[path]).encode()))
    return Pulled(
        folder,
        written,
        tuple(path for path in chosen if path not in written),
        tuple(path for path in sorted(found) if path not in chosen),
    )


def _definitions(source: Path) -> Iterator[tuple[str, Map]]:
    """The definitions in a file or below a folder, each with its file."""
    if not source.exists():
        raise InvalidInput([Problem(Place(str(source)), "", "no such file or folder", "", "name where the CRD files are")])
    files = (
        sorted(file for file in source.rglob("*") if file.suffix in (".yaml", ".yml", ".json")) if source.is_dir() else [source]
    )
    for file in files:
        try:
            documents = plain_documents(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InvalidInput([Problem(Place(str(file)), "", f"not YAML: {error}", "", "mend or remove it")]) from None
        for document in documents:
            inside = maps(get(document, "items")) if as_text(get(document, "kind")).endswith("List") else maps([document])
            for item in inside:
                if item.get("kind") == "CustomResourceDefinition":
                    yield str(file), item
