"""What the pages of the alerts tell people to run and to change is there to be run and changed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import typer.main
import yaml
from bento_gitops.cli.main import app
from bento_gitops.model.settings import Alerts

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts/bento-serving"
PAGES = sorted((ROOT / "docs/runbooks").glob("*.md"))
TABLE = (ROOT / "docs/alerts.md").read_text()
COMMANDS = typer.main.get_command(app)
SECTIONS = ["First three commands", "Likely causes, in this order", "Roll back", "Silence or change"]


def commands(text: str) -> list[list[str]]:
    """Every bento-gitops command of a page, in its blocks and in its sentences (where a line may break it)."""
    blocks = re.findall(r"(?m)^    (bento-gitops .+)$", text)
    inline = [" ".join(found.split()) for found in re.findall(r"`(bento-gitops [^`]+)`", text)]
    return [shlex.split(each.partition("  #")[0])[1:] for each in blocks + inline]


def parse(words: list[str]) -> None:
    """Fails as the command would on words that it does not know."""
    command: Any = COMMANDS
    while hasattr(command, "commands"):
        assert words[0] in command.commands, words
        command, words = command.commands[words[0]], words[1:]
    command.make_context("bento-gitops", list(words))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_short_and_says_what_to_do(page: Path) -> None:
    text = page.read_text()
    assert len(text.splitlines()) < 40
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"(?m)^## (.+)$", text) == SECTIONS
    assert len(re.findall(r"(?m)^    \S", text)) == 3
    assert "bento-gitops rollback" in text or "canary abort" in text


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs/alerts.md"], ids=lambda page: page.stem)
def test_the_commands_of_a_page_are_commands(page: Path) -> None:
    found = commands(page.read_text())
    assert found
    for words in found:
        if len(words) > 1:  # else it is only spoken of
            parse(words)


def test_a_command_that_is_none_is_found() -> None:
    with pytest.raises(Exception, match="--fast"):
        parse(shlex.split("rollback ENV/APP --fast"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_queries_of_a_page_are_promql_of_series_that_are_recorded(page: Path) -> None:
    known = set(re.findall(r"record: (\S+)", (CHART / "rules/recording.yaml").read_text()))
    known |= {f"bento:{name}" for name in ("workload", "dependency", "weight", "stable", "live")}
    for query in re.findall(r"query '([^']+)'", page.read_text()):
        promql_parser.parse(query)
        patterns = r'__name__=~"([^"]+)"'
        assert set(re.findall(r"bento:[a-z0-9_:]+", re.sub(patterns, "", query))) <= known
        for pattern in re.findall(patterns, query):
            assert sum(1 for name in known if re.fullmatch(pattern, name)) == pattern.count("|") + 1
        assert re.search(r'(application="|pod=~"|name="ENV\.)APP', query), "of every application in the cluster"


def selectors(query: promql_parser.Expr) -> list[list[tuple[str, ...]]]:
    """What each side of each `or` of two selectors chooses by, its name aside."""
    if isinstance(query, promql_parser.ParenExpr):
        return selectors(query.expr)
    if not isinstance(query, promql_parser.BinaryExpr):
        return []
    sides = [query.lhs, query.rhs]
    found = [each for side in sides for each in selectors(side)]
    chosen = [side.matchers.matchers for side in sides if isinstance(side, promql_parser.VectorSelector)]
    if " or " in query.prettify() and len(chosen) == len(sides):
        found.append([tuple(sorted(map(str, matchers))) for matchers in chosen])
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_query_of_a_page_hides_half_of_its_answer(page: Path) -> None:
    """`or` drops what has the labels of something at its left, whatever the names are."""
    for query in re.findall(r"query '([^']+)'", page.read_text()):
        assert all(left != right for left, right in selectors(promql_parser.parse(query))), query


def test_a_query_that_hides_half_of_its_answer_is_found() -> None:
    ((left, right),) = selectors(promql_parser.parse('(a{application="APP"} or b{application="APP"})'))
    assert left == right
    ((left, right),) = selectors(promql_parser.parse('a{track="blue"} or a{track="green"}'))
    assert left != right


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_asks_kubectl_for_what_it_means(page: Path) -> None:
    for command in re.findall(r"(?m)^    (kubectl .+)$", page.read_text()):
        words = shlex.split(command, comments=True)
        assert words[:3] == ["kubectl", "-n", "NAMESPACE"], "an environment's name is not its namespace's"
        if words[3] == "logs" and "-l" in words:
            assert "--tail=-1" in words, "of a selector kubectl shows ten lines a container"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_its_placeholders_stand_for(page: Path) -> None:
    text = page.read_text()
    for used, said in (
        ("    query '", "PROMETHEUS is environment.yaml's"),
        ("services.<Name>", "`<Name>` is the service's name"),
    ):
        assert (used in text) == (said in text), said


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs/alerts.md"], ids=lambda page: page.stem)
def test_the_thresholds_of_a_page_are_settings(page: Path) -> None:
    named = re.findall(r"\balerts\.([a-z0-9_]+)", page.read_text().replace("`alerts.name`", ""))
    assert set(named) <= Alerts.model_fields.keys() | {"md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_table_of_alerts_says_severity_threshold_and_time_as_they_are(page: Path) -> None:
    (row,) = re.findall(rf"(?m)^\| \[{page.stem}\]\(runbooks/{page.stem}\.md\) \|(.+)\|$", TABLE)
    severity, _, threshold, lasting = (cell.strip() for cell in row.split("|"))
    (file,) = ROOT.glob(f"charts/bento-*/alerts/{page.stem}.yaml")
    alert = yaml.safe_load(file.read_text())
    assert (severity, lasting) == (alert["labels"]["severity"], alert["for"])
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for section, name, default in re.findall(r"`(alerts|slo)\.(\w+)` \(([\d.]+)\)", threshold):
        assert values[section][re.sub(r"_([a-z])", lambda found: found[1].upper(), name)] == float(default), name
    used = {re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), name) for name in re.findall(r"\$([a-z]\w+)", alert["expr"])}
    gates = {"application", "objects", "project", "min_requests_per_minute", "min_predictions"}
    assert used - gates == set(re.findall(r"`alerts\.(\w+)`", threshold))
