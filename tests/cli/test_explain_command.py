"""`bento-gitops explain`: what people and programs read."""

from __future__ import annotations

import json

PROD = "prod/support-tickets"
PATH = "tracks.blue.components.EmbeddingRunner.scaling.min_replicas"


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_explain_tells_the_highest_layer_first(run) -> None:
    assert _lines(run("explain", PROD, PATH).stdout) == [
        PATH,
        "VALUE LAYER WHERE",
        "6 runtime environments/prod/support-tickets/overrides.yaml:4 in force",
        "2 environment environments/prod/support-tickets/config.yaml:11 hidden",
        "1 environment environments/prod/environment.yaml:17 hidden",
        "1 chart charts/bento-serving/values.yaml:35 hidden",
    ]


def test_explain_in_json_says_the_same(run) -> None:
    (one,) = json.loads(run("explain", PROD, PATH, "--json").stdout)
    assert (one["path"], one["value"]) == (PATH.split("."), 6)
    assert one["statements"][:2] == [
        {
            "value": 6,
            "layer": "runtime",
            "file": "environments/prod/support-tickets/overrides.yaml",
            "line": 4,
            "is": "in force",
            "note": "",
        },
        {
            "value": 2,
            "layer": "environment",
            "file": "environments/prod/support-tickets/config.yaml",
            "line": 11,
            "is": "hidden",
            "note": "",
        },
    ]


def test_a_value_that_nothing_says_is_told(run) -> None:
    path = "tracks.blue.components.EmbeddingRunner.traffic.concurrency"
    assert run("explain", PROD, path).stdout == f"{path}\n  nothing says it: the chart and BentoML decide\n"
    assert json.loads(run("explain", PROD, path, "--json").stdout) == [{"path": path.split("."), "value": None, "statements": []}]


def test_a_printed_path_can_be_asked_for(run, fleet) -> None:
    fleet.change("applications/support-tickets.yaml", "owner: support-ml", 'owner: support-ml, "example.com/team": a')
    printed = [line for line in run("explain", PROD, "labels").stdout.splitlines() if line.startswith("labels")]
    assert 'labels."example.com/team"' in printed
    for path in printed:
        assert run("explain", PROD, path).stdout.splitlines()[0] == path


def test_a_value_that_would_steer_the_terminal_is_refused_and_one_of_two_lines_is_quoted(run, fleet) -> None:
    file = "applications/support-tickets.yaml"
    fleet.change(file, "DEFAULT_LOCALE: en", 'DEFAULT_LOCALE: "one\\ntwo"')
    shown = run("explain", PROD, "services.SupportTickets.envs.DEFAULT_LOCALE").stdout
    assert '"one\\ntwo"' in shown
    fleet.change(file, "one\\ntwo", "\\e[31mred")
    said = run("explain", PROD, "services.SupportTickets.envs.DEFAULT_LOCALE", code=1).stderr
    assert "\x1b" not in said and "write text without control characters" in said


def test_an_unknown_path_ends_with_1_and_the_nearest_name(run) -> None:
    assert run("explain", PROD, "labels.ownr", code=1).stderr == (
        f"{PROD}: labels.ownr: labels has no such key (found 'ownr'); did you mean 'owner'?\n"
    )


def test_a_long_value_stays_on_one_line_where_there_is_no_terminal(run, fleet) -> None:
    fleet.change("applications/support-tickets.yaml", "DEFAULT_LOCALE: en", f"DEFAULT_LOCALE: {'long ' * 100}end")
    shown = run("explain", PROD, "tracks.blue.components.SupportTickets.envs.DEFAULT_LOCALE").stdout
    assert len(shown.splitlines()) == 3
