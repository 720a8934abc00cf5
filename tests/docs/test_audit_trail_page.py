"""docs/audit-trail.md: the query that stands beside each access log finds the request in the line that stands there."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from commands import called

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "audit-trail.md").read_text("utf-8")
BLOCK = re.compile(r"^```(json|sh) (\w+)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
LOGS = {found[2]: json.loads(found[3]) for found in BLOCK.finditer(PAGE) if found[1] == "json"}
QUERIES = {found[2]: found[3] for found in BLOCK.finditer(PAGE) if found[1] == "sh"}
QUERY = re.compile(r"""jq -r 'select\((?P<key>\S+) == "(?P<id>\w+)"\) \| \[(?P<keys>.*)\] \| @tsv'""")
REQUEST = "b83d250a5037352c"
FORMATS = {
    "nginx": re.compile(r"log-format-upstream: >-\n(.*?)\n\n", re.DOTALL),
    "istio": re.compile(r"accessLogFormat: >-\n(.*?)\n\n", re.DOTALL),
}


def key(written: str) -> str:
    """A path of jq: .a, or ."a-b"."""
    return written.strip().removeprefix(".").strip('"')


def answer(query: str, line: dict[str, Any]) -> list[Any] | None:
    """What jq prints of a line; None where it is not the one."""
    found = QUERY.fullmatch(query)
    assert found, query
    if line[key(found["key"])] != found["id"]:
        return None
    return [line[key(one)] for one in found["keys"].split(",")]


def test_every_log_has_a_line_and_a_query() -> None:
    assert LOGS.keys() == QUERIES.keys() == {"traefik", "nginx", "istio"}


@pytest.mark.parametrize("controller", LOGS)
def test_the_query_gives_the_time_and_the_track_of_the_request(controller: str) -> None:
    found = answer(QUERIES[controller], LOGS[controller])
    assert found and found[0].startswith("2026-11-21T22:21:49")
    assert "green" in found[1] or "green" in found[2]
    if controller != "nginx":
        assert found[1:] == ["green", "1.1.0"]
    other = {
        name: value.replace(REQUEST, "0" * 16) if isinstance(value, str) else value for name, value in LOGS[controller].items()
    }
    assert answer(QUERIES[controller], other) is None


@pytest.mark.parametrize("controller", FORMATS)
def test_the_line_is_one_of_the_format_above_it(controller: str) -> None:
    found = FORMATS[controller].search(PAGE)
    assert found
    assert json.loads(" ".join(found[1].split())).keys() == LOGS[controller].keys()


def test_traefik_keeps_the_headers_that_the_query_asks_for() -> None:
    kept = set(re.findall(r"fields\.headers\.names\.([\w-]+)=keep", PAGE))
    asked = {name.removeprefix("downstream_") for name in LOGS["traefik"] if name.startswith("downstream_")}
    assert kept == asked


@pytest.mark.parametrize("words", sorted(set(re.findall(r"^    bento-gitops (.*)$", PAGE, re.MULTILINE))))
def test_every_command_knows_its_options(words: str) -> None:
    done = called(ROOT, *shlex.split(words), "--help")
    assert done.returncode == 0 and "Usage: " in done.stdout
    assert called(ROOT, *shlex.split(words), "--no-such-option").returncode == 2


def test_the_labels_that_pods_are_found_by_are_those_of_the_chart() -> None:
    labels = (ROOT / "charts/bento-serving/templates/_labels.tpl").read_text("utf-8")
    for label in re.findall(r"`(bento-gitops/(?:track|bundle))`", PAGE):
        assert label in labels
