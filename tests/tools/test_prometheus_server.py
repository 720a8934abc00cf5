"""What tests rely on of the Prometheus that they start: time that runs faster, an end in every case, a reason where it fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_server import Server, prometheus, sped_up, sped_up_expression

MONITOR = {
    "kind": "ServiceMonitor",
    "metadata": {"name": "tickets"},
    "spec": {"selector": {}, "endpoints": [{"port": "http", "interval": "30s"}]},
}


def rules(expression: str) -> dict[str, object]:
    group = {"name": "tickets", "interval": "30s", "rules": [{"record": "it", "expr": expression}]}
    return {"kind": "PrometheusRule", "metadata": {"name": "tickets"}, "spec": {"groups": [group]}}


@pytest.mark.parametrize(
    ("expression", "faster"),
    [
        ("rate(x[1m])", "rate(x[2000ms])"),
        ("sum_over_time(bento:error_ratio:5m[1h])", "sum_over_time(bento:error_ratio:5m[120000ms])"),
        ("max_over_time(rate(x[5m])[1h:30s])", "max_over_time(rate(x[10000ms])[120000ms:1000ms])"),
        ("max_over_time(x[1h:])", "max_over_time(x[120000ms:])"),
        ("x offset 1m30s", "x offset 3000ms"),
        ("x offset -1m", "x offset -2000ms"),
        ("x{a=\"[5m]\",b='offset 1m'} * 30", "x{a=\"[5m]\",b='offset 1m'} * 30"),
        ("rate(x[10ms])", "rate(x[1ms])"),
    ],
)
def test_time_runs_faster_in_ranges_steps_and_offsets_and_nowhere_else(expression: str, faster: str) -> None:
    assert sped_up_expression(expression, 30) == faster
    assert sped_up_expression(expression, 1) == expression


def test_alerts_wait_shorter_where_time_runs_faster() -> None:
    group = {
        "name": "g",
        "rules": [{"alert": "A", "expr": "x > 1", "for": "5m", "keep_firing_for": "1m", "labels": {"for": "5m"}}],
    }
    (rule,) = sped_up(group, 30)["rules"]
    assert (rule["for"], rule["keep_firing_for"], rule["labels"]) == ("10000ms", "2000ms", {"for": "5m"})


def test_it_evaluates_and_answers_and_ends_with_the_test_that_fails(tmp_path: Path) -> None:
    left: list[Server] = []

    def failing() -> None:
        with prometheus(tmp_path, [MONITOR, rules("vector(7)")], [], speed=30) as server:
            left.append(server)
            assert server.query("1 + 1")[0].value == 2
            server.until("it", bool, 20)
            server.until("it", lambda found: found[0].value == 8, 0.2)

    with pytest.raises(AssertionError, match=r"it after 0\.2 s: \[Sample\(labels=\{'__name__': 'it'\}, value=7\.0\)\]\n"):
        failing()
    assert left[0].process.poll() is not None


def test_what_it_does_not_understand_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(AssertionError, match=r"(?s)Prometheus did not start:.*parse error"),
        prometheus(tmp_path, [MONITOR, rules("sum(")], []),
    ):
        pass


def test_objects_that_nobody_scrapes_are_an_error(tmp_path: Path) -> None:
    message = r"no ServiceMonitor was rendered: values need monitoring\.prometheus"
    with pytest.raises(AssertionError, match=message), prometheus(tmp_path, [], []):
        pass
