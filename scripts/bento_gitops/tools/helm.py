"""Helm: a chart and values in, rendered documents or the chart's own sentences of refusal out.

Starting Helm costs ten times what a small application costs to render, so many applications are rendered in one process: an
umbrella chart in a temporary folder holds the chart once and names it once per application, by alias.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from bento_gitops.checking.rendered import Document, documents, plain_values
from bento_gitops.model.problem import ToolFailed

AT_A_TIME = 2
"""Processes side by side; each keeps one core busy."""
PER_PROCESS = 50
"""Applications in one process: more save little time and cost about 1 MB each."""
SECONDS = 120
_UMBRELLA = "bulk"


@dataclass(frozen=True, order=True, slots=True)
class Refusal:
    """Why the chart did not render with these values."""

    sentence: str
    pointer: str = ""
    """The path of the value that is wrong, dotted, where Helm says it."""
    template: str = ""
    """The chart's template and line, where Helm says it."""


@dataclass(frozen=True, slots=True)
class Rendering:
    """What became of each application: documents in Helm's order, or refusals."""

    documents: Mapping[str, Sequence[Document]]
    refusals: Mapping[str, Sequence[Refusal]]


class ChartRefused(Exception):
    """The chart does not render with these values."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = refusals
        super().__init__("\n".join(refusal.sentence for refusal in refusals))


def template(
    chart: Path, values: str, release: str, *, helm: Path, kube_version: str, namespace: str = "default"
) -> tuple[Document, ...]:
    """One application as `helm template RELEASE CHART -f VALUES` renders it.

    Raises ChartRefused where the chart refuses the values, ToolFailed where Helm itself fails.
    """
    said = _run(helm, [release, str(chart), "--namespace", namespace], values, kube_version)
    if said.refused:
        raise ChartRefused(_refusals(said.errors, str(_metadata(chart)["name"])))
    return tuple(documents(said.output))


def template_all(
    chart: Path,
    values: Mapping[str, str],
    *,
    helm: Path,
    kube_version: str,
    per_process: int = PER_PROCESS,
    at_a_time: int = AT_A_TIME,
) -> Rendering:
    """Many applications of one chart; `values` holds the text of each application's values file, by any key.

    An application that the chart refuses does not keep the others from being rendered, and each refused one says why.
    Raises ToolFailed where Helm itself fails.
    """
    # Helm takes a null out of a chart's own defaults, but not reliably out of a subchart's: such values are rendered alone.
    alone = sorted(key for key, text in values.items() if _holds_null(text))
    keys = sorted(values.keys() - set(alone))
    batches = max(at_a_time if len(keys) >= 2 * at_a_time else 1, -(-len(keys) // per_process))
    size = max(1, -(-len(keys) // batches))
    with tempfile.TemporaryDirectory(prefix="bento-gitops-helm-") as scratch, ThreadPoolExecutor(at_a_time) as pool:
        works = [
            pool.submit(
                _Batch(chart, Path(scratch) / str(start), helm, kube_version).render,
                {key: values[key] for key in keys[start : start + size]},
            )
            for start in range(0, len(keys), size)
        ]
        works += [pool.submit(_alone, chart, key, values[key], helm, kube_version) for key in alone]
        done: dict[str, Sequence[Document]] = {}
        refused: dict[str, Sequence[Refusal]] = {}
        for work in works:
            rendering = work.result()
            done.update(rendering.documents)
            refused.update(rendering.refusals)
    return Rendering(done, refused)


def lint(chart: Path, values: str, *, helm: Path, kube_version: str) -> tuple[str, ...]:
    """What `helm lint --strict` finds wrong with a chart and values: nothing where it is in order.

    Raises ToolFailed where Helm itself fails.
    """
    said = _run(helm, [str(chart), "--strict", "--quiet"], values, kube_version, verb="lint")
    found = tuple(" ".join(match["what"].split()) for match in _FINDING.finditer(said.output + said.errors))
    if said.refused and not found:
        return (" ".join((said.errors or said.output).split()) or "Helm refused without a word",)
    return found


def _alone(chart: Path, key: str, values: str, helm: Path, kube_version: str) -> Rendering:
    try:
        return Rendering({key: template(chart, values, _UMBRELLA, helm=helm, kube_version=kube_version)}, {})
    except ChartRefused as error:
        return Rendering({}, {key: error.refusals})


def _holds_null(values: str) -> bool:
    """Whether a key of the values has no value. Text that is no YAML has none: Helm will say what is wrong with it."""
    try:
        waiting: list[object] = [plain_values(values)]
    except ValueError:
        return False
    while waiting:
        here = waiting.pop()
        if isinstance(here, dict):
            inner = list(cast("dict[str, object]", here).values())
            if None in inner:
                return True
            waiting += inner
    return False


@dataclass(frozen=True, slots=True)
class _Batch:
    """The applications of one process, and of the further ones that it takes to tell every refusal."""

    chart: Path
    folder: Path
    helm: Path
    kube_version: str

    def render(self, values: Mapping[str, str]) -> Rendering:
        self._copy_chart()
        done: dict[str, Sequence[Document]] = {}
        refused: dict[str, Sequence[Refusal]] = {}
        aliases = {f"a{number:04d}": key for number, key in enumerate(values)}
        waiting = [tuple(aliases)]
        while waiting:
            group = waiting.pop()
            said = self._run(group, {alias: values[aliases[alias]] for alias in group})
            named = {alias for alias in _ALIAS.findall(said.errors) if alias in group}
            if not said.refused:
                done.update(self._by_application(said.output, group, aliases))
            elif len(group) == 1:
                refused[aliases[group[0]]] = _refusals(said.errors, group[0])
            elif named and named != set(group):
                # Helm names some: each tells its refusals alone, the rest renders without them.
                waiting.extend((alias,) for alias in sorted(named))
                waiting.append(tuple(alias for alias in group if alias not in named))
            else:
                waiting.extend((group[: len(group) // 2], group[len(group) // 2 :]))
        return Rendering(done, refused)

    def _copy_chart(self) -> None:
        target = self.folder / "charts" / "chart"
        # ci/ holds values for tests, not templates.
        shutil.copytree(self.chart, target, ignore=shutil.ignore_patterns("ci"))
        schema = target / "values.schema.json"
        if schema.exists():
            # Helm hands every subchart a `global`, which a strict schema of a chart that is used alone does not know.
            content = cast(dict[str, Any], json.loads(schema.read_bytes()))
            content.setdefault("properties", {}).setdefault("global", {})
            schema.write_text(json.dumps(content), encoding="utf-8")

    def _run(self, group: Sequence[str], values: Mapping[str, str]) -> _Said:
        metadata = _metadata(self.chart)
        umbrella: dict[str, Any] = {
            "apiVersion": "v2",
            "name": _UMBRELLA,
            "version": "0.0.0",
            "dependencies": [{"name": metadata["name"], "version": metadata["version"], "alias": alias} for alias in group],
        }
        if "kubeVersion" in metadata:
            umbrella["kubeVersion"] = metadata["kubeVersion"]  # Helm asks it of the outermost chart alone
        (self.folder / "Chart.yaml").write_text(json.dumps(umbrella), encoding="utf-8")
        text = "".join(f"{alias}:\n{textwrap.indent(_body(values[alias]), '  ')}\n" for alias in group)
        return _run(self.helm, ["bulk", str(self.folder)], text, self.kube_version)

    def _by_application(self, output: str, group: Sequence[str], aliases: Mapping[str, str]) -> dict[str, list[Document]]:
        found: dict[str, list[Document]] = {aliases[alias]: [] for alias in group}
        for document in documents(output):
            found[aliases[document.chart.rpartition("/")[2]]].append(document)
        return found


def _metadata(chart: Path) -> Mapping[str, Any]:
    file = chart / "Chart.yaml"
    try:
        return cast(Mapping[str, Any], yaml.load(file.read_bytes(), Loader=yaml.CSafeLoader))
    except (OSError, yaml.YAMLError) as error:
        raise ToolFailed(f"{file} cannot be read: {error}") from None


def _body(values: str) -> str:
    """The text of a values file as it may stand below a key."""
    body = re.sub(r"^---[^\S\n]*\n", "", values, count=1)
    return body if re.search(r"^[^#\s]", body, re.MULTILINE) else "{}"


@dataclass(frozen=True, slots=True)
class _Said:
    """What Helm said: its output, its errors, and whether it refused."""

    output: str
    errors: str
    refused: bool


_IGNORED = re.compile(r"(?:cannot overwrite table with non table|skipped value|destination for) ?.*", re.MULTILINE)


def _run(helm: Path, arguments: Sequence[str], values: str, kube_version: str, *, verb: str = "template") -> _Said:
    command = [str(helm), verb, *arguments, "--kube-version", kube_version, "--values", "-"]
    try:
        ran = subprocess.run(
            command, input=values, capture_output=True, text=True, timeout=SECONDS, check=False, env=_environment()
        )
    except subprocess.TimeoutExpired:
        raise ToolFailed(f"helm did not finish in {SECONDS} s: {' '.join(command)}") from None
    except OSError as error:
        raise ToolFailed(f"helm does not run: {error}; run `make tools`") from None
    if ran.returncode not in (0, 1):
        raise ToolFailed(f"helm ended with {ran.returncode}: {ran.stderr.strip()[-500:]}")
    # A value of the wrong kind is thrown away with a warning alone; then what is rendered is not what the values say.
    return _Said(ran.stdout, ran.stderr, ran.returncode == 1 or bool(_IGNORED.search(ran.stderr)))


def _environment() -> dict[str, str]:
    """Helm as it is everywhere: no plugins, repositories or cluster of whoever runs it; no time spent on collecting garbage."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HELM_") and name != "KUBECONFIG"}
    return kept | {"GOGC": "off", "GOMEMLIMIT": "256MiB", "HELM_PLUGINS": os.devnull}


_FINDING = re.compile(r"^\[(?:ERROR|WARNING)\] (?P<what>.*(?:\n(?!\[|==>|$|Error:).*)*)", re.MULTILINE)
_ALIAS = re.compile(rf"(?:{_UMBRELLA}/charts/|{_UMBRELLA}\.|^)(a[0-9]{{4}})(?=[/.:]|$)", re.MULTILINE)
_WARNING = re.compile(r"warning: cannot overwrite table with non table for (?P<path>\S+)")
_EXECUTION = re.compile(r"(?:execution|parse) error at \((?P<at>[^)]+)\): (?P<sentence>.*)", re.DOTALL)
_TEMPLATE = re.compile(
    r"^(?:template: )?(?P<at>\S+/templates/\S+?:\d+)(?::\d+)?:?\s+executing \"[^\"]*\" at <.*?>:\s*(?P<sentence>.*)", re.DOTALL
)
_NOT_YAML = re.compile(
    r"YAML parse error on (?P<at>\S+): error converting YAML to JSON: (?:yaml: )?(?:line \d+: )?(?P<sentence>.*)", re.DOTALL
)
_CALLING = re.compile(r"error calling \w+:\s*")
_NESTED = re.compile(r"^(?:template: )?\S+/templates/\S+?:\d+(?::\d+)?:?\s+executing \"[^\"]*\" at <.*?>:\s*", re.DOTALL)
_SCHEMA = re.compile(r"^- at '(?P<path>[^']*)': (?P<sentence>.*)$", re.MULTILINE)
_UNION = re.compile(r"'?(?:anyOf|oneOf|allOf|validation)'? failed")
_UNKNOWN = re.compile(r"additional properties (?P<names>.*) not allowed")
_ANY_OF = re.compile(r"^\s+- at '(?P<path>[^']*)': (?P<sentence>.*)$", re.MULTILINE)


def _refusals(errors: str, chart: str) -> list[Refusal]:
    """Helm's errors without its noise: one sentence each, with the value or the template that it is about."""
    found = {
        Refusal(
            "Helm would ignore this value: a single value stands where the chart has a mapping", _dotted(match["path"], chart)
        )
        for match in _WARNING.finditer(errors)
    }
    text = errors[errors.find("Error: ") + len("Error: ") :] if "Error: " in errors else ""
    text = text.replace("\nUse --debug flag to render out invalid YAML", "").strip()
    if "meet the specifications of the schema" in text:
        # A union's own line says only that none of its branches fits; the indented lines below say why.
        lines = [*_SCHEMA.finditer(text), *_ANY_OF.finditer(text)]
        for match in lines:
            found.update(_schema_refusals(match["path"].strip("/").replace("/", "."), match["sentence"]))
    elif match := _EXECUTION.search(text):
        found.update(_chart_refusals(match["sentence"].strip(), _inside(match["at"])))
    elif match := _TEMPLATE.search(text):
        sentence = _CALLING.sub("", match["sentence"]).strip()
        while nested := _NESTED.match(sentence):
            sentence = sentence[nested.end() :]
        found.add(Refusal(" ".join(sentence.split()), template=_inside(match["at"])))
    elif match := _NOT_YAML.search(text):
        found.add(Refusal(f"the template does not give YAML: {match['sentence']}", template=_inside(match["at"])))
    elif text:
        found.add(Refusal(" ".join(text.split())))
    return sorted(found) or [Refusal(" ".join(errors.split()) or "Helm refused without a word")]


def _schema_refusals(pointer: str, sentence: str) -> Iterator[Refusal]:
    if _UNION.match(sentence):
        return
    if unknown := _UNKNOWN.fullmatch(sentence):
        for name in re.findall(r"'([^']*)'", unknown["names"]):
            yield Refusal("the chart knows no such value", f"{pointer}.{name}".lstrip("."))
    else:
        yield Refusal(sentence, pointer)


def _chart_refusals(text: str, template: str) -> Iterator[Refusal]:
    """What the chart's own checks say: one sentence, or a heading and an indented line `pointer: sentence` for each."""
    heading, *lines = text.splitlines()
    if not lines or not all(line.startswith("  ") for line in lines if line.strip()):
        yield Refusal(text, template=template)
        return
    for line in filter(None, map(str.strip, lines)):
        pointer, separator, sentence = line.partition(": ")
        pointed = bool(separator) and not re.search(r"\s", pointer)
        yield Refusal(sentence, pointer, template) if pointed else Refusal(f"{heading} {line}", template=template)


def _inside(path: str) -> str:
    """A template's path inside its chart, with the line and without the column."""
    inside = path[path.find("/templates/") + 1 :] if "/templates/" in path else path
    return re.sub(r"^(.*?:\d+):\d+$", r"\1", inside)


def _dotted(path: str, chart: str) -> str:
    """The path of a value without the names of the charts before it."""
    parts = path.split(".")
    return ".".join(parts[parts.index(chart) + 1 :] if chart in parts else parts[1:])
