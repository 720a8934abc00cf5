"""cost: instance type x pods x a month; what has no price is said, a standby costs what it runs."""

from __future__ import annotations

import pytest
from bento_gitops.operations.cost import Bill, cost
from bento_gitops.repository.files import WorkingTree
from bento_gitops.reviewing.running import HOURS

PROD = "environments/prod/support-tickets/release.yaml"


def bill(fleet, wanted: str | None = "prod", by: str = "environment") -> Bill:
    return cost(WorkingTree(fleet.root), wanted, by)


def lines(found: Bill) -> dict[str, object]:
    return {f"{line.track.name} {line.component.name}": line.component.month for line in found.lines}


def test_a_component_costs_its_instance_type_times_its_pods(fleet) -> None:
    found = {f"{line.track.name} {line.component.name}": line.component for line in bill(fleet).lines}
    api = found["blue SupportTickets"].month
    assert api is not None
    assert (api.low, api.high) == pytest.approx((3 * 0.02 * HOURS, 12 * 0.02 * HOURS))
    candidate = found["green SupportTickets"].month
    assert candidate is not None
    assert candidate.low == pytest.approx(2 * 0.02 * HOURS), "live_min_replicas"


def test_what_has_no_instance_type_has_no_price_and_is_counted(fleet) -> None:
    found = bill(fleet)
    assert lines(found)["blue ClassifierRunner"] is None
    assert (found.everything.priced, found.everything.unpriced) == (4, 2)
    dev = bill(fleet, "dev").everything
    assert (dev.priced, dev.unpriced) == (0, 3)


@pytest.mark.parametrize(("capacity", "api"), [("full", (3, 12)), ("warm", (1, 1)), ("cold", (0, 0))])
def test_a_standby_costs_what_it_runs(fleet, capacity: str, api: tuple[int, int]) -> None:
    fleet.put(
        PROD,
        "apiVersion: bento-gitops/v1\nkind: Release\nstable: green\ntracks:\n"
        '  blue: {bundle: "1.0.0", weight: 0}\n  green: {bundle: "1.1.0", weight: 100}\nsince: 2026-11-01T10:20:00Z\n'
        f"standby: {{track: blue, until: 2026-11-02T10:20:00Z, capacity: {capacity}}}\n",
    )
    month = next(line.component.month for line in bill(fleet).lines if line.track.name == "blue" and line.component.role == "api")
    assert month is not None
    assert (month.low, month.high) == pytest.approx((api[0] * 0.02 * HOURS, api[1] * 0.02 * HOURS))
    unpriced = bill(fleet).everything.unpriced
    assert unpriced == (1 if capacity == "cold" else 2), "what does not run costs nothing, with a price or without"


def test_in_one_process_the_pods_are_the_api_s(fleet) -> None:
    fleet.change(
        "environments/prod/support-tickets/config.yaml", "routing: {timeout: 20s}", "routing: {timeout: 20s}\nmode: single"
    )
    assert {line.component.name for line in bill(fleet).lines} == {"SupportTickets"}


def test_gpus_are_counted_by_pod(fleet) -> None:
    config = "environments/prod/support-tickets/config.yaml"
    fleet.change(config, "instance_type: cpu.large", "instance_type: gpu.small\n    resources: {gpu: 1}")
    found = bill(fleet).everything.gpus
    assert (found.low, found.high) == (6 + 3, 8 + 8)


def test_totals_by_environment_and_by_label_are_the_sum_of_their_lines(fleet) -> None:
    fleet.change("environments/dev/environment.yaml", "labels: {tenant: internal}", "labels: {tenant: playground}")
    for by, groups in (
        ("environment", ["dev", "prod", "staging"]),
        ("tenant", ["internal", "playground"]),
        ("team", ["(no such label)"]),
    ):
        found = bill(fleet, None, by)
        assert [total.group for total in found.totals] == groups
        assert sum(total.month.high for total in found.totals) == pytest.approx(found.everything.month.high)
        assert sum(total.pods.low for total in found.totals) == found.everything.pods.low
        assert sum(total.unpriced for total in found.totals) == found.everything.unpriced
