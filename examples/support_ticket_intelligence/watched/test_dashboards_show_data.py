"""Every panel of every dashboard shows data of the example: two tracks under load, scraped by a real Prometheus."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

import pytest
from bento_gitops.observing.answers import Answered
from dashboard_queries import Panel, Target, boards, panels
from shown import CHOSEN, Shown, shown
from tracks import CANDIDATE, MOST_AT_ONCE, OBJECTIVE, ROUTE, SPEED, STABLE, Phase, Watched, run, watched

BOARDS = boards()
QUERIES = [
    pytest.param(panel, target, id=f"{panel}: {target.legend}")
    for board in BOARDS.values()
    for panel in panels(board)
    for target in panel.targets
]

# Alike in every second, but for what is classified: on a busy machine scrapes are late, and rates of seconds leave requests out.
PHASES = [
    Phase(5, {STABLE: 16, CANDIDATE: 4}, at_once=2 * MOST_AT_ONCE),
    Phase(5, {STABLE: 16, CANDIDATE: 4}, strange=0.6, at_once=2 * MOST_AT_ONCE),
]


@dataclass(frozen=True)
class Seen:
    """The tracks after the load."""

    running: Watched
    begin: float
    end: float
    answers: Sequence[tuple[str, Answered]]

    def shown(self, board: str, title: str, legend: str = "") -> dict[str, Shown]:
        """What the panel of this title shows of the query with this legend, by the names that the legend gives."""
        ((panel, target),) = [
            (panel, target)
            for panel in panels(BOARDS[board])
            for target in panel.targets
            if panel.title == title and target.legend == legend
        ]
        return {series.name: series for series in shown(self.running.prometheus, panel, target, self.begin, self.end)}


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    with watched(tmp_path_factory.mktemp("watched")) as running:
        # Prometheus has to know the tracks before their first requests: a rate is the difference of two looks.
        running.prometheus.until("bento:pods_up", lambda found: sum(one.value for one in found) == 6)
        begin = time.time()
        answers = run(running, PHASES)
        statuses = Counter(answer.status for _, answer in answers)
        # 500 and 503: of batching, on a machine that is busy with other things.
        assert {200, 400, 429} <= set(statuses) <= {200, 400, 429, 500, 503}, statuses
        # Rates see the last requests, and rules what rates saw.
        latest = f"timestamp(bento:error_ratio:1h) > {time.time() + 2 * 60 / SPEED}"
        running.prometheus.until(latest, bool)
        yield Seen(running, begin, time.time(), answers)


@pytest.mark.parametrize(("panel", "target"), QUERIES)
def test_a_panel_shows_data(panel: Panel, target: Target, seen: Seen) -> None:
    found = shown(seen.running.prometheus, panel, target, seen.begin, seen.end)
    assert found, f"{panel}: {target.expression}"
    assert any(value for series in found for _, value in series.points), f"{panel}: nothing but 0"
    for series in found:
        missing = [name for name in re.findall(r"\{\{\s*(\w+)\s*\}\}", target.legend) if not series.labels.get(name)]
        assert not missing, f"{panel}: a series without {missing}: {dict(series.labels)}"


def test_shares_of_requests_are_those_that_were_sent(seen: Seen) -> None:
    """Of users: what runners were asked does not count again."""
    found = seen.shown("bento-application", "Share of requests", "{{track}}")
    sent = Counter(track for track, _ in seen.answers)
    assert mean(share for _, share in found[STABLE].points) == pytest.approx(100 * sent[STABLE] / sent.total(), abs=10)
    for (_, stable), (_, candidate) in zip(found[STABLE].points, found[CANDIDATE].points, strict=True):
        assert stable + candidate == pytest.approx(100, abs=0.1)


def test_errors_are_requests_that_were_turned_away_and_not_those_that_were_invalid(seen: Seen) -> None:
    """Over the whole run, which is shorter than an hour is here."""
    burned = seen.shown("bento-application", "Burn rate of the error budget", "{{track}} 1 h")
    for track in (STABLE, CANDIDATE):
        counted = _counted(seen, track)
        turned_away = sum(counted[code] for code in ("429", "500", "503")) / counted.total()
        invalid = counted["400"] / counted.total()
        assert turned_away > 0.03 and invalid > 0.1
        assert abs(burned[f"{track} 1 h"].at(seen.end) * OBJECTIVE - turned_away) < invalid / 2


def _counted(seen: Seen, track: str) -> Counter[str]:
    """What Prometheus saw of the track's requests to its api since their first, by status."""
    series = f'bentoml_service_request_total{{endpoint="{ROUTE}",track="{track}"}}[10m]'
    found: Counter[str] = Counter()
    for one in seen.running.prometheus.ask("query", query=series)["result"]:
        values = [float(value) for _, value in one["values"]]
        found[one["metric"]["http_response_code"]] += round(values[-1] - values[0])
    return found


def test_the_difference_of_tracks_is_that_of_their_own_lines(seen: Seen) -> None:
    both = seen.shown("bento-comparison", "Mean confidence", "{{track}} {{model}}")
    stable, candidate = (both[f"{track} ticket_classifier"].at(seen.end) for track in (STABLE, CANDIDATE))
    difference = seen.shown("bento-comparison", "Mean confidence, candidate minus stable", "{{model}}")["ticket_classifier"]
    assert difference.at(seen.end) == pytest.approx(candidate - stable)
    # The candidate got more tickets that are like no class.
    assert 0.2 < candidate < stable - 0.03 < 1


def test_cost_is_what_pods_request_at_the_chosen_prices(seen: Seen) -> None:
    (series,) = seen.shown("bento-cost", "By tenant, an hour, in $currency", "{{tenant}}").values()
    cores, gib, gpus = 2 * (0.5 + 2 + 0.25), 2 * (0.5 + 2 + 0.375), 2
    cpu, memory, gpu = (float(CHOSEN[f"price_{name}"]) for name in ("cpu", "memory", "gpu"))
    assert series.name == "support"
    assert series.at(seen.end) == pytest.approx(cores * cpu + gib * memory + gpus * gpu)
