"""tune on a Bento whose Python is a stand-in: what is started and how, what is measured, and that nothing outlives it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.model.problem import InvalidInput, ToolFailed
from bento_gitops.observing.tuning import Setting
from bento_gitops.operations import tune
from bento_gitops.repository.files import WorkingTree

from tests.bento_stand_in import StandIn, stand_in
from tests.commands import called
from tests.conftest import FleetCopy

ROOT = Path(__file__).parents[2]
REQUESTS = '{"path": "/encode", "body": {"texts": ["a", "b"]}}\n{"path": "/encode", "body": {"texts": ["c"]}}\n'


@pytest.fixture
def tuned_fleet(fleet: FleetCopy, monkeypatch: pytest.MonkeyPatch) -> FleetCopy:
    """The tests' fleet with the real chart; loads are warm at once."""
    shutil.rmtree(fleet.path("charts"))
    shutil.copytree(ROOT / "charts/bento-serving", fleet.path("charts/bento-serving"))
    monkeypatch.setattr(tune, "WARM_UP", 0.1)
    fleet.put("load.jsonl", REQUESTS)
    return fleet


def wanted(fleet: FleetCopy, bento: StandIn, **changed: Any) -> tune.Wanted:
    given: dict[str, Any] = {
        "target": "prod/support-tickets",
        "component": "EmbeddingRunner",
        "bento": str(bento.folder),
        "python": bento.python,
        "home": bento.home,
        "api": None,
        "sizes": (64,),
        "latencies": (1000,),
        "clients": 4,
        "seconds": 0.4,
        "repeat": 1,
        "payloads": fleet.path("load.jsonl"),
        "through_api": False,
        "assignments": (),
        "passed": {},
    }
    return tune.Wanted(**{**given, **changed})


def measured(fleet: FleetCopy, bento: StandIn, **changed: Any) -> tune.Tuned:
    with tune.planned(WorkingTree(fleet.root), wanted(fleet, bento, **changed)) as plan:
        return tune.measure(plan, lambda _: None)


def refused(fleet: FleetCopy, bento: StandIn, **changed: Any) -> str:
    with (
        pytest.raises(InvalidInput) as error,
        tune.planned(WorkingTree(fleet.root), wanted(fleet, bento, **changed)) as plan,
    ):
        tune.measure(plan, lambda _: None)
    return str(error.value)


def test_each_setting_is_a_process_of_its_own_with_what_the_pod_would_have(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")

    found = measured(tuned_fleet, bento, latencies=(1000, 2000))

    limits = [
        {name: one["env"][name] for name in ("EMBEDDING_MAX_BATCH_SIZE", "EMBEDDING_MAX_LATENCY_MS")} for one in bento.started()
    ]
    assert sorted(limit["EMBEDDING_MAX_LATENCY_MS"] for limit in limits) == ["1000", "2000"]
    assert {limit["EMBEDDING_MAX_BATCH_SIZE"] for limit in limits} == {"64"}
    for one in bento.started():
        assert one["service"] == "EmbeddingRunner"
        assert one["args"][one["args"].index("--host") + 1] == "127.0.0.1"
        assert int(one["args"][one["args"].index("--port") + 1]) < 32_768, "no port that a connection may get first"
        assert "timeout: 15" in one["config"], "config.yaml says so"
        assert one["models"] == ["encoder"]
        assert one["env"]["IN_THE_IMAGE"] == "yes"
        assert "PYTEST_CURRENT_TEST" not in one["env"], "nothing of this process reaches it"
        assert not one["env"]["BENTOML_HOME"].startswith("/var/lib")
        assert one["env"]["PYTHONDONTWRITEBYTECODE"] == "1", "or caches would be left in the Bento"
    assert [cell.setting for cell in found.cells] == [Setting(64, 1000), Setting(64, 2000)]
    assert [cell.now for cell in found.cells] == [False, True]
    assert bento.left() == []


def test_answers_batches_and_items_are_counted(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0", EmbeddingRunner={"seconds": 0.02})

    (cell, _) = measured(tuned_fleet, bento).cells

    answers = cell.answers
    assert set(answers) == {200}
    assert 4 <= answers[200] <= 4 * 0.4 / 0.02 + 4, "four clients, 20 ms an answer at the least"
    assert cell.batch == 4
    assert cell.items_rate == pytest.approx(cell.rate * 1.5, rel=0.2)
    assert (cell.quantile(0.5) or 0) >= 0.02
    assert cell.component_cpu is not None
    assert 0 < cell.client_cpu < 1.5


def test_a_deadline_that_sheds_is_not_proposed(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")

    found = measured(tuned_fleet, bento, latencies=(10,))

    assert [cell.share(503) for cell in found.cells] == [1.0, 0.0]
    assert found.proposal.setting == Setting(64, 2000)


def test_through_the_api_its_dependencies_are_started_and_asked_on_loopback(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")
    tuned_fleet.put("load.jsonl", '{"path": "/classify_ticket", "body": {"texts": ["a"]}}\n')

    found = measured(tuned_fleet, bento, latencies=(2000,), through_api=True)

    started = {one["service"]: one for one in bento.started()}
    assert set(started) == {"SupportTickets", "EmbeddingRunner", "ClassifierRunner"}
    asked = [word for word in started["SupportTickets"]["args"] if "=http://" in word]
    assert sorted(word.rpartition(":")[0] for word in asked) == [
        "ClassifierRunner=http://127.0.0.1",
        "EmbeddingRunner=http://127.0.0.1",
    ]
    homes = [one["env"]["BENTOML_HOME"] for one in bento.started()]
    assert len(set(homes)) == 3
    (cell,) = found.cells
    assert cell.batch == 4, "of the component, not of the api"
    assert set(cell.answers) == {200}
    assert bento.left() == []


def test_a_what_if_and_a_passed_variable_reach_the_process(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")
    what_if = ("services.EmbeddingRunner.traffic.max_concurrency=99", "services.EmbeddingRunner.envs.SAID=chart")

    measured(tuned_fleet, bento, latencies=(2000,), assignments=what_if, passed={"TOKEN": "mine", "SAID": "mine"})

    (one,) = bento.started()
    assert "max_concurrency: 99" in one["config"]
    assert (one["env"]["TOKEN"], one["env"]["SAID"]) == ("mine", "chart")


def test_a_bento_that_runs_nowhere_yet_gets_the_settings_that_it_would_have(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")

    with tune.planned(WorkingTree(tuned_fleet.root), wanted(tuned_fleet, bento, target="dev/support-tickets")) as plan:
        assert any("dev/support-tickets runs no 1.1.0 yet" in note for note in plan.notes)
        assert plan.limits.now == Setting(48, 2000), "the default of this bundle, not of the one that runs"


def test_more_clients_than_a_pod_takes_is_said_beforehand(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")

    with tune.planned(WorkingTree(tuned_fleet.root), wanted(tuned_fleet, bento, clients=80)) as plan:
        assert any("--set services.EmbeddingRunner.traffic.max_concurrency=80" in note for note in plan.notes)


def test_without_a_number_there_are_as_many_clients_as_one_pod_takes_and_it_is_said(
    tuned_fleet: FleetCopy, tmp_path: Path
) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")

    def clients(*assignments: str) -> tuple[int, str]:
        with tune.planned(
            WorkingTree(tuned_fleet.root), wanted(tuned_fleet, bento, clients=None, assignments=assignments)
        ) as plan:
            return plan.clients, "\n".join(plan.notes)

    number, notes = clients()
    assert number == 64
    assert "64 clients: so many requests does one pod of EmbeddingRunner take at a time (traffic.max_concurrency)" in notes
    assert "429" not in notes
    number, notes = clients("services.EmbeddingRunner.traffic.max_concurrency=100")
    assert (number, notes) == (80, "")


def test_the_objective_is_the_components_own_or_else_the_applications(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")

    def objective(*assignments: str) -> float | None:
        with tune.planned(WorkingTree(tuned_fleet.root), wanted(tuned_fleet, bento, assignments=assignments)) as plan:
            return plan.objective

    assert objective("slo.p95=0.5") == 0.5
    assert objective("slo.p95=0.5", "services.EmbeddingRunner.slo.p95=0.2") == 0.2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"target": "prod"}, "tune needs one application"),
        ({"component": "EmbedingRunner"}, "no such component (found 'EmbedingRunner'); did you mean 'EmbeddingRunner'?"),
        ({"component": "SupportTickets"}, "not one API batches (found none); measure a component that batches"),
        ({"api": "encod"}, "no API of it batches by this name (found 'encod'); did you mean 'encode'?"),
        (
            {"component": "ClassifierRunner"},
            "the code reads no limit of predict_proba from a variable",
        ),
        ({"sizes": tuple(range(2, 60)), "seconds": 30}, "and 30 are the most; take fewer --sizes"),
        ({"payloads": Path("nowhere.jsonl")}, "--payloads: cannot be read"),
        ({"assignments": ("mode=single",)}, "measure it with --through-api"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_starts(
    tuned_fleet: FleetCopy, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")

    assert said in refused(tuned_fleet, bento, **changed)
    assert bento.started() == []


def test_a_bento_without_a_bundle_is_refused(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "9.9.9")

    said = refused(tuned_fleet, bento)

    assert "no bundle of support-tickets records this Bento (found support_tickets:9.9.9)" in said
    assert "1.1.0 (support_tickets:1.1.0)" in said


def test_payloads_that_are_refused_without_load_are_told_with_their_lines(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")
    bad = '{"path": "/encode", "body": {"texts": ["bad"]}}\n'
    tuned_fleet.put("load.jsonl", REQUESTS + bad + bad)

    said = refused(tuned_fleet, bento)

    assert (
        f"{tuned_fleet.path('load.jsonl')}:3: EmbeddingRunner refuses it, and 1 more in the same words (found 400: texts: not"
        in said
    )
    assert bento.left() == []


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ({"ends": 3}, "EmbeddingRunner ended with 3 on loopback; it said:\nthis is EmbeddingRunner"),
        ({"ready": 500}, "EmbeddingRunner not ready on loopback within 1 s; EmbeddingRunner said:\nthis is EmbeddingRunner"),
        ({"status": 500}, "EmbeddingRunner answers no request, also without any load; 500: []"),
    ],
)
def test_a_component_that_does_not_serve_is_a_failure_that_shows_what_it_said(
    tuned_fleet: FleetCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: dict[str, Any], said: str
) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0", EmbeddingRunner=behaviour)
    monkeypatch.setattr(tune, "READY_WITHIN", 1)

    with pytest.raises(ToolFailed) as error:
        measured(tuned_fleet, bento)

    assert str(error.value).startswith(said)
    assert bento.left() == []


def test_a_process_that_does_not_want_to_end_is_ended_with_its_worker(
    tuned_fleet: FleetCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bento_gitops.tools.serving._GRACE", 0.2)
    bento = stand_in(tmp_path / "bento", "1.1.0", EmbeddingRunner={"deaf": True})

    measured(tuned_fleet, bento, latencies=(2000,))

    assert len(bento.started()) == 1
    assert bento.left() == []


def test_time_that_is_over_ends_the_measurement_and_is_said(
    tuned_fleet: FleetCopy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")
    with tune.planned(WorkingTree(tuned_fleet.root), wanted(tuned_fleet, bento, repeat=3)) as plan:
        monkeypatch.setattr(tune, "MOST_SECONDS", plan.seconds_a_run + 0.3)
        found = tune.measure(plan, lambda _: None)

    assert not found.complete
    assert len(bento.started()) == 1


def arguments(fleet: FleetCopy, bento: StandIn, *options: str) -> list[str]:
    return [
        *("tune", "prod/support-tickets", "EmbeddingRunner"),
        *("--bento", str(bento.folder), "--python", str(bento.python), "--bentoml-home", str(bento.home)),
        *("--payloads", str(fleet.path("load.jsonl")), "--clients", "4", "--seconds", "1", "--repeat", "1", *options),
    ]


def test_the_command_prints_a_table_reasons_and_lines_and_draws_a_picture(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0", EmbeddingRunner={"seconds": 0.02})
    drawn = tmp_path / "tuned.svg"

    options = ("--sizes", "32", "--latencies", "10", "--picture", str(drawn))
    done = called(tuned_fleet.root, *arguments(tuned_fleet, bento, *options))

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.splitlines() == [
        "about 10 s: 2 settings, 1 x 1 s of 4 clients, EmbeddingRunner on this machine",
        "1/2: 64 items, 2000 ms",
        "2/2: 32 items, 10 ms",
    ]
    table = done.stdout.splitlines()
    assert table[0].startswith("SIZE  LATENCY MS  OK/S  ITEMS/S  P50 MS  P95 MS  P99 MS")
    assert table[1].split()[:3] == ["32", "10", "0.0"]
    assert table[2].endswith("now, proposed")
    assert "- 1 of 2 settings shed less than 1% and have no more errors than that" in table
    assert "proposed: leave environments/prod/support-tickets/config.yaml as it is" in table
    assert drawn.read_text().startswith("<svg")
    assert bento.left() == []


def test_lines_are_proposed_where_another_setting_is_better(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0", EmbeddingRunner={"shed_below": 1000})
    tuned_fleet.change("environments/prod/support-tickets/config.yaml", "{max_batch_size: 64}", "{max_latency_ms: 999}")

    done = called(tuned_fleet.root, *arguments(tuned_fleet, bento, "--sizes", "32", "--latencies", "2000"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        """\
proposed for environments/prod/support-tickets/config.yaml:
services:
  EmbeddingRunner:
    apis:
      encode:
        batching: {max_batch_size: 32, max_latency_ms: 2000}
next: write the lines, then `bento-gitops render prod/support-tickets` and `bento-gitops diff prod/support-tickets`
"""
        in done.stdout
    )


def test_the_command_prints_one_document(tuned_fleet: FleetCopy, tmp_path: Path) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0", EmbeddingRunner={"seconds": 0.02})

    done = called(tuned_fleet.root, *arguments(tuned_fleet, bento, "--sizes", "64", "--latencies", "2000", "--json"))

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["asked"] == "EmbeddingRunner"
    assert told["config"]["file"] == "environments/prod/support-tickets/config.yaml"
    assert told["cells"][0]["now"] is True
    assert told["complete"] is True


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sizes", "1,8"), "whole numbers from 2 on, with commas between them"),
        (("--latencies", "fast"), "whole numbers from 1 on"),
        (("--picture", "tuned.png"), "is an SVG: tuned.svg"),
        (("--pass", "NOBODY_SETS_THIS"), "not set here: NOBODY_SETS_THIS"),
    ],
)
def test_options_that_make_no_sense_are_wrong_usage(
    tuned_fleet: FleetCopy, tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")

    done = called(tuned_fleet.root, *arguments(tuned_fleet, bento, *options))

    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("\u2502", " ").split())
    assert bento.started() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_whoever_stops_the_command_leaves_no_process_behind(
    tuned_fleet: FleetCopy, tmp_path: Path, number: signal.Signals
) -> None:
    bento = stand_in(tmp_path / "bento", "1.1.0")
    with subprocess.Popen(
        [
            Path(sys.executable).with_name("bento-gitops"),
            "-C",
            tuned_fleet.root,
            *arguments(tuned_fleet, bento, "--seconds", "60"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # Tests that run in the background ignore it, and what they start would too.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            end = time.monotonic() + 30
            while not bento.started():
                assert time.monotonic() < end
                assert process.poll() is None
                time.sleep(0.02)  # between two looks
            process.send_signal(number)
            assert process.wait(30) == 130
        finally:
            process.kill()

    assert bento.left() == []
