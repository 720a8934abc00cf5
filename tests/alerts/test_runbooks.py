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
        assert set(re.findall(r"bento:[a-z0-9_:]+", query)) <= known


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs/alerts.md"], ids=lambda page: page.stem)
def test_the_thresholds_of_a_page_are_settings(page: Path) -> None:
    named = re.findall(r"\balerts\.([a-z0-9_]+)", page.read_text().replace("`alerts.name`", ""))
    assert set(named) <= Alerts.model_fields.keys() | {"md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_table_of_alerts_says_severity_threshold_and_time_as_they_are(page: Path) -> None:
    (row,) = re.findall(rf"(?m)^\| \[{page.stem}\]\(runbooks/{page.stem}\.md\) \|(.+)\|$", TABLE)
    severity, _, threshold, lasting = (cell.strip() for cell in row.split("|"))
    alert = yaml.safe_load((CHART / f"alerts/{page.stem}.yaml").read_text())
    assert (severity, lasting) == (alert["labels"]["severity"], alert["for"])
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for section, name, default in re.findall(r"`(alerts|slo)\.(\w+)` \(([\d.]+)\)", threshold):
        assert values[section][re.sub(r"_([a-z])", lambda found: found[1].upper(), name)] == float(default), name
    used = {re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), name) for name in re.findall(r"\$([a-z]\w+)", alert["expr"])}
    gates = {"application", "objects", "min_requests_per_minute", "min_predictions"}
    assert used - gates == set(re.findall(r"`alerts\.(\w+)`", threshold))
