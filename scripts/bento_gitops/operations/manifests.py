"""manifests: what the chart makes of the values of each application, as documents, or why it refuses them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.checking.rendered import Document
from bento_gitops.layers.marked import Marked, MarkedMap, parse
from bento_gitops.model.layout import values_file
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.repository.files import write_atomically
from bento_gitops.tools import binaries, helm


def write_manifests(values: Mapping[str, str], charts: Mapping[str, Path], folder: Path) -> list[Path]:
    """Writes the objects of each application to `<folder>/<env>/<app>.yaml`; the files that changed.

    `values` holds the text of each application's values by ENV/APP, `charts` the folder of its chart. Files of applications that
    are not among them stay. Raises InvalidInput with all that the charts refuse; then nothing is written.
    """
    rendering = render_objects(values, charts, "helm", VERSIONS[-1])
    problems = [problem for key, refusals in rendering.refusals.items() for problem in refused(key, values[key], refusals)]
    if problems:
        raise InvalidInput(problems)
    folder.mkdir(parents=True, exist_ok=True)
    changed: list[Path] = []
    for key, documents in sorted(rendering.documents.items()):
        text = "".join(f"---\n# Source: {document.template}\n{document.text.strip()}\n" for document in documents)
        if write_atomically(folder, f"{key}.yaml", text.encode()):
            changed.append(folder / f"{key}.yaml")
    return changed


def render_objects(
    values: Mapping[str, str], charts: Mapping[str, Path], program: str, kube_version: str, *, at_a_time: int = helm.AT_A_TIME
) -> helm.Rendering:
    """What the chart of each application (by the same keys) makes of its values.

    One umbrella holds one chart: two versions of it share the names of their templates, and Helm takes the last without a word.
    Raises InvalidInput for a chart with symbolic links: Helm follows them, and a template can print any file of this machine.
    """
    linked = [problem for chart in sorted(set(charts.values())) for problem in links_in(chart)]
    if linked:
        raise InvalidInput(linked)
    done: dict[str, Sequence[Document]] = {}
    refusals: dict[str, Sequence[helm.Refusal]] = {}
    for chart in sorted({charts[key] for key in values}):
        own = {key: text for key, text in values.items() if charts[key] == chart}
        rendering = helm.template_all(chart, own, helm=binaries.find(program), kube_version=kube_version, at_a_time=at_a_time)
        done.update(rendering.documents)
        refusals.update(rendering.refusals)
    return helm.Rendering(done, refusals)


def links_in(chart: Path) -> Iterator[Problem]:
    """The symbolic links of a chart's folder: to be refused before Helm renders it."""
    parts = chart.parts
    # As people know it: from the repository's root, wherever that is.
    known = Path(*parts[len(parts) - 1 - parts[::-1].index("charts") :]) if "charts" in parts else Path(chart.name)
    for at, folders, files in os.walk(chart):
        for name in (*folders, *files):
            path = Path(at, name)
            if path.is_symlink():
                wrong, todo = "a chart has no symbolic links: Helm would read what they lead to", "put the file itself here"
                yield Problem(Place((known / path.relative_to(chart)).as_posix()), "", wrong, "", todo)


def refused(application: str, values: str, refusals: Sequence[helm.Refusal]) -> Iterator[Problem]:
    """The chart's refusals of an application at the lines of its values that they are about."""
    return refused_in(values_file(application), values, refusals)


def refused_in(file: str, values: str, refusals: Sequence[helm.Refusal]) -> Iterator[Problem]:
    """A chart's refusals at the lines of the values file that they are about."""
    for refusal in refusals:
        line = _line(values, refusal.pointer, file) if refusal.pointer else 0
        todo = f"refused by {refusal.template} of the chart" if refusal.template else ""
        yield Problem(Place(file, line), refusal.pointer, refusal.sentence, "", todo)


def _line(values: str, pointer: str, file: str) -> int:
    """The line of a value, or of the nearest mapping around it that is there."""
    try:
        node: Marked = parse(values, file)
    except InvalidInput:
        return 0
    line = node.place.line
    for part in pointer.split("."):
        if not isinstance(node, MarkedMap) or part not in node.items:
            break
        line, node = node.at(part).line, node.items[part]
    return line
