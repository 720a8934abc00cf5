"""What ships in the chart's folder: generated files are current, and ci/ reaches every branch of every template."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from bento_gitops.checking.chart_files import render_chart_files, values_table
from bento_gitops.layers.marked import parse
from bento_gitops.layers.reading import checked
from bento_gitops.model.values import Values
from branches import reached
from serving_chart import CHART, CI, ROOT, laid_over, tickets

TEMPLATES = sorted(path for path in (CHART / "templates").rglob("*") if path.is_file())


def test_the_schema_and_the_table_of_values_are_current() -> None:
    expected = render_chart_files((CHART / "values.yaml").read_text(), (CHART / "README.md").read_text())
    stale = [path for path, text in expected.items() if (ROOT / path).read_text() != text]
    assert not stale, f"generate them anew: {stale}"


def test_the_chart_s_own_values_are_values_of_the_model() -> None:
    values = checked(parse((CHART / "values.yaml").read_text(), "values.yaml"), Values, camel=True)
    assert values.defaults and values.defaults.roles.api and values.defaults.roles.runner


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_ci_values_are_values_of_the_model(file: Path) -> None:
    def without_null(node: object) -> object:
        return {key: without_null(value) for key, value in node.items() if value is not None} if isinstance(node, dict) else node

    values = laid_over(yaml.safe_load((CHART / "values.yaml").read_text()), yaml.safe_load(file.read_text()))
    assert Values.model_validate_json(json.dumps(without_null(values)), by_alias=True, by_name=False).tracks


def test_a_key_without_a_description_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=r"values\.yaml: a\.c: has no description"):
        values_table("a:\n  # -- told\n  b: 1\n  c: 2\n")


def test_the_table_takes_the_first_paragraph_and_tells_of_keys_without_a_default() -> None:
    text = "# -- One\n# line.\n#\n#   example: {}\na: {b: 1}\n# -- Absent.\n#c: {d: 1}\n"
    assert values_table(text).splitlines()[2:] == ['| `a` | `{"b": 1}` | One line. |', "| `c` | none | Absent. |"]


@pytest.mark.parametrize("chart", ["bento-serving", "bento-platform"])
def test_no_two_templates_have_one_name(chart: str) -> None:
    """Helm would take the last of them, for both."""
    texts = [path.read_text() for path in sorted((ROOT / "charts" / chart).rglob("*")) if path.suffix in (".tpl", ".yaml")]
    names = [name for text in texts for name in re.findall(r'\{\{-? define "([^"]+)"', text)]
    assert names and len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_is_short_and_leaves_nothing_to_the_release(path: Path) -> None:
    text = path.read_text()
    if path.suffix == ".yaml":
        assert len(text.splitlines()) <= 85
        assert text.count("\nkind:") + text.startswith("kind:") == 1, "one object a file"
    assert not re.search(r"(?m)^\s*#", text), "a comment that ships to the cluster"
    assert ".Capabilities" not in text
    assert ".Chart" not in text
    assert ".Template" not in text
    if path.name not in ("NOTES.txt", "_names.tpl"):
        assert ".Release" not in text


def test_every_template_gives_an_object_for_some_values_of_ci(template: object) -> None:
    rendered = "".join(template(file) for file in CI)  # type: ignore[operator]
    wanted = [path.relative_to(CHART.parent).as_posix() for path in TEMPLATES if path.suffix == ".yaml"]
    assert wanted
    assert not [path for path in wanted if not re.search(rf"# Source: {re.escape(path)}\n\w", rendered)]


def test_the_values_of_ci_reach_every_branch_that_does_not_refuse(helm: Path, tmp_path: Path) -> None:
    every, entered = reached(helm, tmp_path, CHART, [file.read_text() for file in CI], refusing=False)
    assert len(every) > 80
    assert not every - entered


def test_the_refused_values_reach_every_branch_that_refuses(helm: Path, tmp_path: Path) -> None:
    files = sorted((Path(__file__).parent / "refused").glob("*.yaml"))
    refused = [json.dumps(laid_over(tickets(), yaml.safe_load(file.read_text()))) for file in files]
    every, entered = reached(helm, tmp_path, CHART, [*refused, "{}"], refusing=True)
    assert len(every) > 15
    assert not every - entered
