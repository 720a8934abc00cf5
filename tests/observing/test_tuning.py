"""What a measurement of batching says: figures of runs and cells, what is noise, which setting is proposed, and why."""

from __future__ import annotations

import re
import sys
from typing import Any
from xml.etree import ElementTree

import pytest
from bento_gitops.layers.marked import parse, plain
from bento_gitops.observing.answers import Answered
from bento_gitops.observing.tuning import (
    DEADLINE,
    Batches,
    Cell,
    Proposal,
    Run,
    Setting,
    batches_in,
    cells,
    document,
    grid,
    headings,
    lines,
    noise,
    order,
    propose,
    quantile,
    remarks,
    rows,
    run_of,
)
from bento_gitops.observing.tuning_picture import picture

NOW = Setting(32, 2000)
METRICS = """\
# TYPE bentoml_service_adaptive_batch_size histogram
bentoml_service_adaptive_batch_size_sum{method_name="encode",runner_name="E",worker_index="1"} 120.0
bentoml_service_adaptive_batch_size_bucket{le="1.0",method_name="encode",runner_name="E",worker_index="1"} 3.0
bentoml_service_adaptive_batch_size_count{method_name="encode",runner_name="E",worker_index="1"} 20.0
bentoml_service_adaptive_batch_size_sum{method_name="encode",runner_name="E",worker_index="2"} 1.2e+01
bentoml_service_adaptive_batch_size_count{method_name="encode",runner_name="E",worker_index="2"} 4.0
bentoml_service_adaptive_batch_size_sum{method_name="encode_all",runner_name="E",worker_index="1"} 999.0
bentoml_service_adaptive_batch_size_count{method_name="encode_all",runner_name="E",worker_index="1"} 1.0
"""


def run(size: int, latency: int, rate: float, p95: float = 0.1, **statuses: int) -> Run:
    """Ten seconds; every good answer took p95; statuses like s503=3 come beside the good ones."""
    good = round(rate * 10)
    shown = {200: good, **{int(name[1:]): number for name, number in statuses.items()}}
    return Run(Setting(size, latency), 10, (p95,) * good, good, good * 2, shown, Batches(10, 70), 0.2, 0.9)


def test_a_quantile_is_a_value_that_was_seen() -> None:
    assert [quantile([4.0, 1.0, 3.0, 2.0], share) for share in (0.5, 0.75, 0.95, 1.0)] == [2.0, 3.0, 4.0, 4.0]
    assert quantile([], 0.5) is None


def test_only_answers_that_came_while_requests_were_sent_count_as_throughput() -> None:
    answered = [
        Answered(0, 200, 0.5, 0.1),
        Answered(1, 200, 0.5, 1.4),
        Answered(1, 200, 0.9, 1.9),  # came after the end
        Answered(0, 503, 0.01, 0.2),
        Answered(0, 0, 0.3, 0.3, trouble="reset"),
    ]

    found = run_of(NOW, answered, [1, 4], 2.0, batches=None, client_cpu=0.1, component_cpu=None)

    assert (found.rate, found.items, len(found.durations)) == (1.0, 5, 3)
    assert found.statuses == {200: 3, 503: 1, 0: 1}


def test_items_that_one_payload_does_not_tell_are_not_told_at_all() -> None:
    answered = [Answered(0, 200, 0.5, 0.1), Answered(1, 200, 0.5, 0.2)]

    assert run_of(NOW, answered, [3, None], 2.0, batches=None, client_cpu=0.1, component_cpu=None).items is None


def test_batches_are_those_of_the_api_over_all_workers() -> None:
    assert batches_in(METRICS, "encode") == Batches(24, 132)
    assert batches_in(METRICS, "other") is None
    assert Batches(24, 132).since(Batches(4, 12)) == Batches(20, 120)


def test_a_cell_joins_its_runs() -> None:
    (cell,) = cells([run(8, 100, 100, 0.1, s503=100), run(8, 100, 120, 0.3, s429=50, s500=7)], NOW)

    assert (cell.rate, cell.items_rate, cell.quantile(0.95), cell.batch) == (110, 220, 0.3, 7)
    assert cell.share(503) == pytest.approx(100 / 2357)
    assert cell.shed == pytest.approx(150 / 2357)
    assert cell.errors == 7
    assert not cell.now


def test_what_runs_today_is_measured_too_and_nothing_twice() -> None:
    assert grid((8, 64), (500,), NOW) == [Setting(8, 500), Setting(32, 2000), Setting(64, 500)]
    assert grid((32,), (2000, 500), NOW) == [Setting(32, 500), Setting(32, 2000)]


def test_runs_are_repeated_forth_and_back() -> None:
    one, other = Setting(8, 100), Setting(16, 100)

    assert order([one, other], 3) == [one, other, other, one, one, other]


def test_noise_comes_from_how_far_runs_of_one_setting_are_apart() -> None:
    apart = cells([run(8, 100, 95), run(8, 100, 105), run(16, 100, 200), run(16, 100, 200)], NOW)

    found = noise(apart)

    # (0.05^2 + 0.05^2 + 0 + 0) / 2 degrees of freedom; a mean of two runs; two standard errors of a difference.
    assert found is not None
    assert found.rate == pytest.approx(2 * (0.005 / 2) ** 0.5)
    assert found.p95 == 0
    assert noise(cells([run(8, 100, 95)], NOW)) is None


def proposed(*runs: Run, objective: float | None = None) -> Proposal:
    return propose(cells(runs, NOW), objective)


def test_with_an_objective_the_most_throughput_that_keeps_it_is_proposed() -> None:
    found = proposed(run(8, 100, 100, 0.1), run(16, 100, 150, 0.2), run(64, 100, 200, 0.6), objective=0.25)

    assert found.setting == Setting(16, 100)
    assert "16 items, 100 ms answers most of those with a p95 up to the objective of 250 ms: 150 requests/s" in found.reasons[0]


def test_without_an_objective_the_smallest_p95_near_the_best_throughput_is_proposed() -> None:
    found = proposed(run(8, 100, 100, 0.05), run(16, 100, 192, 0.2), run(64, 100, 200, 0.6))

    assert found.setting == Setting(16, 100)
    assert "smallest p95 within 5% of the best throughput" in found.reasons[0]


def test_where_nothing_keeps_the_objective_that_is_said() -> None:
    found = proposed(run(8, 100, 100, 0.5), run(16, 100, 101, 0.4), objective=0.1)

    assert found.setting == Setting(16, 100)
    assert found.reasons[0].startswith("none has a p95 up to the objective of 100 ms")


def test_a_setting_that_sheds_or_fails_is_not_proposed_however_fast_it_is() -> None:
    found = proposed(run(8, 10, 300, 0.01, s503=200), run(16, 100, 250, 0.02, s500=90), run(32, 500, 100, 0.3))

    assert found.setting == Setting(32, 500)
    assert found.reasons[0].startswith("1 of 3 settings shed less than 1%")


def test_where_everything_sheds_nothing_is_proposed_and_the_cause_is_named() -> None:
    deadline = proposed(run(8, 10, 100, 0.1, s503=900), run(8, 100, 100, 0.1, s503=90))
    clients = proposed(run(8, 10, 100, 0.1, s429=900))

    assert deadline.setting is None
    assert "least does 8 items, 100 ms: 8.3% 503, 0.0% 429, 0 errors" in deadline.reasons[0]
    assert "a later deadline" in deadline.reasons[1]
    assert clients.setting is None
    assert "traffic.max_concurrency" in clients.reasons[1]


def test_a_component_that_answers_nothing_is_not_proposed() -> None:
    assert proposed(run(8, 100, 0, s0=40)).setting is None
    assert proposed().reasons == ("nothing was measured",)


def test_what_runs_today_is_kept_where_noise_cannot_tell_it_from_the_best() -> None:
    runs = [run(32, 2000, 98, 0.11), run(32, 2000, 104, 0.10), run(64, 100, 100, 0.10), run(64, 100, 106, 0.11)]

    found = proposed(*runs)

    assert found.setting == NOW
    assert "what runs today is among them" in found.reasons[-1]


def test_of_settings_that_noise_cannot_tell_apart_the_smallest_batch_with_the_latest_deadline_is_taken() -> None:
    runs = [
        run(size, latency, rate, 0.1)
        for size, latency in ((8, 500), (8, 2000), (64, 2000))
        for rate in (100 + size / 100, 104 + size / 100)
    ]

    found = proposed(*runs, run(32, 2000, 50, 0.4), run(32, 2000, 50, 0.4))

    assert found.setting == Setting(8, 2000)


def test_a_difference_beyond_noise_is_one() -> None:
    runs = [run(32, 2000, 98), run(32, 2000, 102), run(64, 100, 198), run(64, 100, 202)]

    found = proposed(*runs)

    assert found.setting == Setting(64, 100)
    assert not any("tells" in reason for reason in found.reasons)


def test_one_run_each_is_said_to_tell_nothing_about_noise() -> None:
    assert "--repeat 2" in proposed(run(8, 100, 100), run(16, 100, 101)).reasons[-1]


def test_the_table_has_a_cell_for_each_heading_and_marks_today_and_the_proposal() -> None:
    measured = cells([run(8, 100, 100, 0.1, s503=40), run(32, 2000, 7.25, 1.5)], NOW)
    proposal = Proposal(Setting(32, 2000), ())

    table = rows(measured, proposal)

    assert all(len(row) == len(headings(measured)) for row in table)
    first = dict(zip(headings(measured), table[0], strict=True))
    assert first["OK/S"] == "100"
    assert first["ITEMS/S"] == "200"
    assert first["P95 MS"] == "100"
    assert first["503"] == "3.8%"
    assert first["REQUESTS/BATCH"] == "7.0"
    assert first["OK/CPU S"] == "111", "100 a second with 0.9 of a CPU"
    assert table[1][2] == "7.2"
    assert [row[-1] for row in table] == ["", "now, proposed"]


def test_the_deadline_is_explained_where_it_sheds_or_is_short() -> None:
    assert remarks(cells([run(8, 100, 100, 0.1, s503=40)], NOW)) == [DEADLINE]
    assert remarks(cells([run(8, 25, 100)], NOW)) == [DEADLINE]
    assert remarks(cells([run(8, 100, 100)], NOW)) == []


def test_a_measurement_that_is_mostly_noise_says_so() -> None:
    apart = [run(8, 100, 50), run(8, 100, 100), run(32, 2000, 80), run(32, 2000, 40)]

    assert "measure again when the machine has nothing else to do" in remarks(cells(apart, NOW))[0]


def test_a_load_that_is_itself_slow_is_told() -> None:
    busy = Run(NOW, 10, (0.1,), 1, None, {200: 1}, None, 0.8, None)

    assert "the load itself took up to 80% of a CPU" in remarks(cells([busy], NOW))[0]


def test_the_document_holds_what_the_table_holds() -> None:
    measured = cells([run(8, 100, 100, 0.1, s503=40), run(8, 100, 110, 0.1)], NOW)

    told: dict[str, Any] = document(measured, Proposal(Setting(8, 100), ("because",)))

    (cell,) = told["cells"]
    assert cell["answers"] == {"200": 2100, "503": 40}
    assert [one["requests_per_second"] for one in cell["runs"]] == [100, 110]
    assert told["proposal"] == {"max_batch_size": 8, "max_latency_ms": 100, "reasons": ["because"]}


def test_the_lines_are_what_config_yaml_takes() -> None:
    read = plain(parse(lines("EmbeddingRunner", "encode", {"max_batch_size": 64}), "config.yaml"))

    assert read == {"services": {"EmbeddingRunner": {"apis": {"encode": {"batching": {"max_batch_size": 64}}}}}}


def measured_grid() -> list[Cell]:
    return cells([run(size, latency, size * 2) for size in (8, 64) for latency in (100, 2000)], NOW)


def test_the_picture_has_a_bar_for_each_cell_in_each_panel_and_loads_nothing() -> None:
    drawn = picture(measured_grid(), "encode")

    root = ElementTree.fromstring(drawn)
    panels = root.findall("{http://www.w3.org/2000/svg}svg")
    assert len(panels) == 2
    assert all(len(re.findall('class="rect ', ElementTree.tostring(panel).decode())) == 4 for panel in panels)
    assert "128" in drawn
    addresses = set(re.findall(r"https?://[^\"' <)]+", drawn))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_drawing_leaves_no_finder_of_imports_behind_that_python_warns_of() -> None:
    picture(measured_grid(), "encode")

    assert all(hasattr(finder, "find_spec") for finder in sys.meta_path)


def test_the_same_figures_are_the_same_picture() -> None:
    assert picture(measured_grid(), "encode") == picture(measured_grid(), "encode")


def test_what_was_shed_gets_a_panel_where_anything_was() -> None:
    drawn = picture([*measured_grid(), *cells([run(16, 100, 10, s503=3)], NOW)], "encode")

    assert drawn.count("<svg x=") == 3
