"""What a component's batching was measured to do under load, setting by setting, and which setting that speaks for."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from pydantic import JsonValue

from bento_gitops.observing.answers import Answered

MOST_SHED = 0.01
"""Share of the answers that may be 503 or 429, or errors, in a setting that is proposed."""
NEAR_THE_BEST = 0.05
"""How much less than the best throughput is given up for a smaller p95, where no objective decides."""
BUSY_CLIENT = 0.7
"""Share of one CPU that the load takes, above which it may be the load that is slow."""
MUCH_NOISE = 0.25
"""Difference in throughput by noise alone, above which a table is not worth acting on."""
SHORT_DEADLINE = 50
"""Milliseconds below which a deadline was seen to shed most requests of any load worth batching."""
DEADLINE = (
    "max_latency_ms is a deadline, not a waiting time: a request that is predicted to miss it is answered 503 at once. "
    "5 to 25 ms, as tutorials have it, answer most requests of a load with 503"
)
_SHED = (503, 429)


@dataclass(frozen=True, slots=True, order=True)
class Setting:
    """The two limits of a batching API."""

    max_batch_size: int
    """Items."""
    max_latency_ms: int

    def __str__(self) -> str:
        return f"{self.max_batch_size} items, {self.max_latency_ms} ms"


@dataclass(frozen=True, slots=True)
class Batches:
    """What a component counted of its batches since it was started."""

    batches: float = 0
    requests: float = 0

    def since(self, before: Batches) -> Batches:
        """What was counted after an earlier look."""
        return Batches(self.batches - before.batches, self.requests - before.requests)


@dataclass(frozen=True, slots=True)
class Run:
    """One load on one setting."""

    setting: Setting
    seconds: float
    """How long requests were sent."""
    durations: tuple[float, ...]
    """Seconds of each good answer."""
    in_time: int
    """Good answers that came before the last request was sent: what throughput is counted from."""
    items: int | None
    """Items in them; None where the payloads do not tell."""
    statuses: Mapping[int, int]
    """How many answers had which status; 0: no answer."""
    batches: Batches | None
    """None: the component exports no such metric."""
    client_cpu: float
    """CPUs that the load itself took."""
    component_cpu: float | None
    """CPUs that the component took; None where the system does not tell."""

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return self.in_time / self.seconds

    @property
    def p95(self) -> float | None:
        """Seconds."""
        return quantile(self.durations, 0.95)


@dataclass(frozen=True, slots=True)
class Cell:
    """All runs of one setting."""

    setting: Setting
    runs: tuple[Run, ...]
    now: bool
    """Whether it is what the environment runs today."""

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return fmean(run.rate for run in self.runs)

    @property
    def items_rate(self) -> float | None:
        """Items a second."""
        items = [run.items / run.seconds for run in self.runs if run.items is not None]
        return fmean(items) if items else None

    def quantile(self, share: float) -> float | None:
        """Seconds that this share of the good answers of all runs took at most."""
        return quantile([seconds for run in self.runs for seconds in run.durations], share)

    @property
    def answers(self) -> Counter[int]:
        """By status; 0: no answer."""
        total: Counter[int] = Counter()
        for run in self.runs:
            total.update(run.statuses)
        return total

    def share(self, *statuses: int) -> float:
        """The share of all answers that had one of these."""
        answers = self.answers
        return sum(answers[status] for status in statuses) / max(1, answers.total())

    @property
    def shed(self) -> float:
        """The share of 503 and 429."""
        return self.share(*_SHED)

    @property
    def errors(self) -> int:
        """Answers that are neither good nor shed, and requests without one."""
        return sum(number for status, number in self.answers.items() if not 200 <= status < 300 and status not in _SHED)

    @property
    def batch(self) -> float | None:
        """Requests in a batch."""
        counted = [run.batches for run in self.runs if run.batches is not None]
        batches = sum(one.batches for one in counted)
        return sum(one.requests for one in counted) / batches if batches else None

    @property
    def client_cpu(self) -> float:
        """CPUs that the load took."""
        return fmean(run.client_cpu for run in self.runs)

    @property
    def component_cpu(self) -> float | None:
        """CPUs that the component took."""
        told = [run.component_cpu for run in self.runs if run.component_cpu is not None]
        return fmean(told) if told else None

    @property
    def per_cpu_second(self) -> float | None:
        """Good answers for a second of the component's CPU: what other processes on the machine hardly change."""
        cpu = self.component_cpu
        return self.rate / cpu if cpu else None


@dataclass(frozen=True, slots=True)
class Noise:
    """How far apart two cells may be, as a share of the one, without any meaning."""

    rate: float
    p95: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to set, and why."""

    setting: Setting | None
    """None: none of what was measured is worth proposing."""
    reasons: tuple[str, ...]


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that this share of the values does not exceed; None of nothing."""
    if not values:
        return None
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def grid(sizes: Iterable[int], latencies: Iterable[int], now: Setting) -> list[Setting]:
    """The settings to measure: each size with each latency, and what runs today to compare with."""
    return sorted({*(Setting(size, latency) for size in sizes for latency in latencies), now})


def order(settings: Sequence[Setting], repeat: int) -> list[Setting]:
    """Every setting `repeat` times: forth and back, so that a machine that grows slower is not taken for a setting that is."""
    return [setting for turn in range(repeat) for setting in (settings if turn % 2 == 0 else reversed(settings))]


def run_of(
    setting: Setting,
    answered: Sequence[Answered],
    items: Sequence[int | None],
    seconds: float,
    *,
    batches: Batches | None,
    client_cpu: float,
    component_cpu: float | None,
) -> Run:
    """A run from its answers; `items` tells how many each payload has."""
    good = [one for one in answered if 200 <= one.status < 300]
    in_time = [one for one in good if one.at + one.seconds <= seconds]
    known = [number for number in (items[one.asked] for one in in_time) if number is not None]
    return Run(
        setting,
        seconds,
        tuple(one.seconds for one in good),
        len(in_time),
        sum(known) if len(known) == len(in_time) else None,
        Counter(one.status for one in answered),
        batches,
        client_cpu,
        component_cpu,
    )


def batches_in(metrics: str, method: str) -> Batches | None:
    """The batches of one API in a component's metrics; None where it exports none."""
    found: dict[str, float] = {}
    for kind, labels, value in _BATCH_SIZE.findall(metrics):
        if f'method_name="{method}"' in labels:
            found[kind] = found.get(kind, 0.0) + float(value)
    return Batches(found["count"], found["sum"]) if found.keys() >= {"count", "sum"} else None


_BATCH_SIZE = re.compile(r"^bentoml_service_adaptive_batch_size_(sum|count)\{([^}]*)\} ([0-9.eE+-]+)$", re.MULTILINE)


def cells(runs: Iterable[Run], now: Setting) -> list[Cell]:
    """The runs by setting, in the order of the settings."""
    by_setting: dict[Setting, list[Run]] = {}
    for run in runs:
        by_setting.setdefault(run.setting, []).append(run)
    return [Cell(setting, tuple(found), setting == now) for setting, found in sorted(by_setting.items())]


def noise(measured: Sequence[Cell]) -> Noise | None:
    """Two standard errors of a difference of two cells, from how far runs of one setting are apart; None with one run each.

    Pooled over all cells: two runs of a single one say little.
    """
    repeated = [cell.runs for cell in measured if len(cell.runs) > 1]
    if not repeated:
        return None
    least = min(len(runs) for runs in repeated)
    return Noise(
        _margin([[run.rate for run in runs] for runs in repeated], least),
        _margin([[run.p95 for run in runs if run.p95 is not None] for runs in repeated], least),
    )


def _margin(groups: Sequence[Sequence[float]], runs: int) -> float:
    squares = freedom = 0.0
    for group in groups:
        mean = fmean(group) if len(group) > 1 else 0.0
        if mean > 0:
            squares += sum((value / mean - 1) ** 2 for value in group)
            freedom += len(group) - 1
    return 2 * math.sqrt(squares / freedom * 2 / runs) if freedom else 0.0


def propose(measured: Sequence[Cell], objective: float | None) -> Proposal:
    """The setting that the measurement speaks for; `objective` is the p95 in seconds that the component promises.

    Of the cells that shed next to nothing and keep the objective the one with the best throughput; where none keeps it, or there
    is none, the smallest p95 near the best throughput. Of those that noise cannot tell apart: what runs today, else the smallest
    batch (memory) with the latest deadline (it sheds last).
    """
    calm = [cell for cell in measured if cell.shed < MOST_SHED and cell.errors < MOST_SHED * max(1, cell.answers.total())]
    calm = [cell for cell in calm if cell.quantile(0.95) is not None]
    if not calm:
        return Proposal(None, _nothing_fits(measured))
    reasons: list[str] = []
    if len(calm) < len(measured):
        reasons.append(
            f"{len(calm)} of {len(measured)} settings shed less than {MOST_SHED:.0%} and have no more errors than that"
        )
    keeping = [cell for cell in calm if objective is not None and _p95(cell) <= objective]
    if keeping:
        chosen = max(keeping, key=lambda cell: cell.rate)
        reasons.append(
            f"{chosen.setting} answers most of those with a p95 up to the objective of {_ms(objective)}: {_figures(chosen)}"
        )
        candidates = keeping
    else:
        best = max(calm, key=lambda cell: cell.rate)
        candidates = [cell for cell in calm if cell.rate >= best.rate * (1 - NEAR_THE_BEST)]
        chosen = min(candidates, key=_p95)
        if objective is not None:
            reasons.append(
                f"none has a p95 up to the objective of {_ms(objective)}: more replicas would do that, or fewer clients"
            )
        reasons.append(
            f"{chosen.setting} has the smallest p95 within {NEAR_THE_BEST:.0%} of the best throughput: {_figures(chosen)}"
        )
    return _within_noise(chosen, candidates, noise(measured), reasons)


def _within_noise(chosen: Cell, candidates: Sequence[Cell], margin: Noise | None, reasons: list[str]) -> Proposal:
    """The chosen cell, or one that is as good for all that is known and better for another reason."""
    if margin is None:
        reasons.append("one run each says nothing about noise: --repeat 2 tells whether the difference means anything")
        return Proposal(chosen.setting, tuple(reasons))
    alike = [
        cell
        for cell in candidates
        if _alike(cell.rate, chosen.rate, margin.rate) and _alike(_p95(cell), _p95(chosen), margin.p95)
    ]
    reasons.append(f"by noise alone two settings differ by up to {margin.rate:.0%} in throughput and {margin.p95:.0%} in p95")
    if len(alike) > 1:
        others = "; ".join(str(cell.setting) for cell in alike if cell is not chosen)
        reasons.append(f"so nothing tells {chosen.setting} from: {others}")
        kept = next((cell for cell in alike if cell.now), None)
        taken = kept or min(alike, key=lambda cell: (cell.setting.max_batch_size, -cell.setting.max_latency_ms))
        if kept:
            reasons.append(f"what runs today is among them: keep {taken.setting} ({_figures(taken)})")
        elif taken is not chosen:
            reasons.append(
                f"of these {taken.setting} ({_figures(taken)}): the smallest batch takes the least memory, "
                "the latest deadline sheds last"
            )
        chosen = taken
    elif chosen.now:
        reasons.append("that is what runs today")
    return Proposal(chosen.setting, tuple(reasons))


def _alike(one: float, other: float, margin: float) -> bool:
    return abs(one - other) <= margin * max(one, other)


def _nothing_fits(measured: Sequence[Cell]) -> tuple[str, ...]:
    if not measured:
        return ("nothing was measured",)
    least = min(measured, key=lambda cell: (cell.shed + cell.errors / max(1, cell.answers.total()), -cell.rate))
    reasons = [
        f"every setting sheds {MOST_SHED:.0%} or more, or fails as often; least does {least.setting}: "
        f"{least.share(503):.1%} 503, {least.share(429):.1%} 429, {least.errors} errors"
    ]
    if least.share(429) >= least.share(503):
        reasons.append(
            "429 is no matter of batching: more ask at a time than traffic.max_concurrency lets in; take fewer clients, or try a "
            "higher limit with --set services.NAME.traffic.max_concurrency=..."
        )
    else:
        reasons.append("503 means that requests miss max_latency_ms: a later deadline, more replicas, or fewer clients")
    return tuple(reasons)


def remarks(measured: Sequence[Cell]) -> list[str]:
    """What a reader of the table should know."""
    result: list[str] = []
    if any(cell.setting.max_latency_ms < SHORT_DEADLINE or cell.share(503) >= MOST_SHED for cell in measured):
        result.append(DEADLINE)
    margin = noise(measured)
    if margin is not None and margin.rate > MUCH_NOISE:
        result.append(
            f"runs of one setting are so far apart that up to {margin.rate:.0%} of throughput may be noise: measure again when "
            "the machine has nothing else to do, with more --seconds or --repeat"
        )
    busy = max((cell.client_cpu for cell in measured), default=0.0)
    if busy >= BUSY_CLIENT:
        result.append(
            f"the load itself took up to {busy:.0%} of a CPU: throughput may be what the client can do, not the component"
        )
    return result


def headings(measured: Sequence[Cell]) -> list[str]:
    """The table's; all but the last column hold numbers."""
    items = ["ITEMS/S"] if any(cell.items_rate is not None for cell in measured) else []
    latencies = ["P50 MS", "P95 MS", "P99 MS"]
    return [
        "SIZE",
        "LATENCY MS",
        "OK/S",
        *items,
        *latencies,
        "503",
        "429",
        "ERRORS",
        "REQUESTS/BATCH",
        "CPU",
        "OK/CPU S",
        "CLIENT CPU",
        "",
    ]


def rows(measured: Sequence[Cell], proposal: Proposal) -> list[list[str]]:
    """The table, a line for each cell."""
    has_items = any(cell.items_rate is not None for cell in measured)
    result: list[list[str]] = []
    for cell in measured:
        marks = ["now"] * cell.now + ["proposed"] * (cell.setting == proposal.setting)
        items = [_number(cell.items_rate)] if has_items else []
        latencies = [_number(None if (found := cell.quantile(share)) is None else found * 1000) for share in (0.5, 0.95, 0.99)]
        result.append(
            [
                str(cell.setting.max_batch_size),
                str(cell.setting.max_latency_ms),
                _number(cell.rate),
                *items,
                *latencies,
                f"{cell.share(503):.1%}",
                f"{cell.share(429):.1%}",
                str(cell.errors),
                "-" if cell.batch is None else f"{cell.batch:.1f}",
                "-" if cell.component_cpu is None else f"{cell.component_cpu:.2f}",
                _number(cell.per_cpu_second),
                f"{cell.client_cpu:.2f}",
                ", ".join(marks),
            ]
        )
    return result


def document(measured: Sequence[Cell], proposal: Proposal) -> dict[str, JsonValue]:
    """The same for programs; seconds, shares and whole numbers."""
    margin = noise(measured)
    found: list[JsonValue] = [
        {
            "max_batch_size": cell.setting.max_batch_size,
            "max_latency_ms": cell.setting.max_latency_ms,
            "now": cell.now,
            "requests_per_second": cell.rate,
            "items_per_second": cell.items_rate,
            "p50": cell.quantile(0.5),
            "p95": cell.quantile(0.95),
            "p99": cell.quantile(0.99),
            "answers": {str(status): number for status, number in sorted(cell.answers.items())},
            "shed_ratio": cell.shed,
            "errors": cell.errors,
            "requests_per_batch": cell.batch,
            "component_cpus": cell.component_cpu,
            "requests_per_cpu_second": cell.per_cpu_second,
            "client_cpus": cell.client_cpu,
            "runs": [{"requests_per_second": run.rate, "p95": run.p95} for run in cell.runs],
        }
        for cell in measured
    ]
    chosen = proposal.setting
    return {
        "cells": found,
        "noise": None if margin is None else {"requests_per_second": margin.rate, "p95": margin.p95},
        "proposal": {
            "max_batch_size": chosen.max_batch_size if chosen else None,
            "max_latency_ms": chosen.max_latency_ms if chosen else None,
            "reasons": list(proposal.reasons),
        },
        "remarks": list(remarks(measured)),
    }


def lines(service: str, api: str, limits: Mapping[str, int]) -> str:
    """What to write into config.yaml."""
    said = ", ".join(f"{name}: {value}" for name, value in limits.items())
    return f"services:\n  {service}:\n    apis:\n      {api}:\n        batching: {{{said}}}\n"


def _p95(cell: Cell) -> float:
    found = cell.quantile(0.95)
    assert found is not None, "a calm cell has good answers"
    return found


def _figures(cell: Cell) -> str:
    return f"{cell.rate:.0f} requests/s, p95 {_ms(_p95(cell))}, {cell.shed:.1%} shed"


def _ms(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"
