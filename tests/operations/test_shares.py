"""validate over the whole render: a candidate's pods beside the share of the requests that it gets."""

from __future__ import annotations

import pytest
from bento_gitops.checking.shares import Share, too_few_pods
from bento_gitops.model.problem import Place
from bento_gitops.operations.validate import shares_of
from bento_gitops.repository.files import WorkingTree
from bento_gitops.repository.fleet import Fleet

PROD = "environments/prod/support-tickets"


def found(weight: int, own: dict[str, int], stable: dict[str, int]) -> list[str]:
    problems = too_few_pods(Share("green", weight, own), Share("blue", 100 - weight, stable), Place("release.yaml", 7))
    return [str(one) for one in problems]


@pytest.mark.parametrize(("weight", "pods"), [(0, 1), (10, 1), (25, 3), (50, 5), (100, 10), (1, 1)])
def test_enough_pods_are_enough(weight: int, pods: int) -> None:
    assert found(weight, {"api": pods}, {"api": 10}) == []


@pytest.mark.parametrize(("weight", "pods"), [(11, 1), (25, 2), (50, 4), (100, 9)])
def test_one_pod_less_is_too_few(weight: int, pods: int) -> None:
    assert len(found(weight, {"api": pods}, {"api": 10})) == 1


def test_a_component_that_only_one_track_has_needs_nothing() -> None:
    assert found(50, {"reranker": 1}, {"classifier": 10}) == []


def test_a_candidate_whose_scaling_is_said_for_its_bundle_alone_is_found(fleet) -> None:
    def shortages() -> list[str]:
        opened = Fleet(WorkingTree(fleet.root))
        return [str(problem) for one in fleet.render("prod").values() for problem in shares_of(opened, one)]

    assert shortages() == []
    fleet.change(f"{PROD}/release.yaml", "weight: 90}", "weight: 50}")
    fleet.change(f"{PROD}/release.yaml", "weight: 10, ready_for: 10,", "weight: 50, ready_for: 50,")
    fleet.change(
        f"{PROD}/config.yaml",
        '"1.1.0": {services: {',
        '"1.0.0": {services: {SupportTickets: {scaling: {min_replicas: 9}}}}\n  "1.1.0": {services: {',
    )
    assert shortages() == [
        f"{PROD}/release.yaml:7: tracks.green.weight: 50 % of requests need 5 pods of SupportTickets: blue keeps 9 for all"
        " (found green keeps 2); prepare it again (canary prepare), or lower the weight; scaling that is said for one bundle"
        " alone may be why"
    ]
