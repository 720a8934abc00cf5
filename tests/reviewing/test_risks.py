"""Which risks a change has, and how high: each kind with a change that has it, and quiet ones that have none."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta

import pytest
from bento_gitops.releasing import transitions
from bento_gitops.releasing.plan import Plan
from bento_gitops.reviewing.risks import RULES, highest

from tests.reviewing.scenes import SCENES
from tests.reviewing.sides import CONFIG, NOW, OVERRIDES, PLAN, PROD, RELEASE, Sides

ENVIRONMENT = "environments/prod/environment.yaml"
POLICY = "charts/bento-serving/templates/security/networkpolicy-deny.yaml"


def canary(sides: Sides, weight: int, to: int) -> None:
    SCENES["canary-shift"].make(sides)
    for side, now in ((sides.before, weight), (sides.after, to)):
        side.put(
            RELEASE,
            "apiVersion: bento-gitops/v1\nkind: Release\nstable: blue\ncandidate: green\ntracks:\n"
            f'  blue: {{bundle: "1.0.0", weight: {100 - now}}}\n'
            f'  green: {{bundle: "1.1.0", weight: {now}, ready_for: 100}}\nsince: 2026-11-19T10:20:00Z\n',
        )


def change(path: str, old: str, new: str) -> Callable[[Sides], None]:
    def make(sides: Sides) -> None:
        sides.steady()
        sides.after.change(path, old, new)

    return make


def _track_removed(sides: Sides) -> None:
    SCENES["finish"].make(sides)
    shutil.copy(sides.after.path(RELEASE), sides.before.path(RELEASE))
    sides.move(lambda current: transitions.tidy(current, NOW + timedelta(days=1)))


def _cold(sides: Sides) -> None:
    SCENES["finish"].make(sides)
    shutil.copy(sides.after.path(RELEASE), sides.before.path(RELEASE))
    sides.after.put(RELEASE, sides.after.text(RELEASE).replace("capacity: full", "capacity: cold"))


def _glass(sides: Sides) -> None:
    SCENES["promote"].make(sides)
    shutil.copy(sides.before.path(RELEASE), sides.after.path(RELEASE))
    sides.move(
        lambda current: transitions.promote(current, "1.1.0", Plan(), NOW).breaking(["soak"], "a.berger", "the fair opens")
    )


def _gpu(sides: Sides) -> None:
    sides.steady()
    runner = "    resources: {cpu: 250m, memory: 256Mi}\n    workers: 1\n    traffic: {timeout: 5"
    with_gpu = runner.replace("256Mi}", "256Mi, gpu: 1}")
    sides.both(lambda side: side.change("bundles/support-tickets/1.0.0.yaml", runner, with_gpu))
    sides.after.change(CONFIG, "bundles:\n", "  ClassifierRunner: {resources: {gpu: 0}}\nbundles:\n")


def _task(sides: Sides) -> None:
    """The new bundle answers what the old one did as a task."""
    sides.steady()
    plain = "{route: /classify_ticket}"
    sides.both(lambda side: side.change("bundles/support-tickets/1.1.0.yaml", plain, "{route: /classify_ticket, task: true}"))
    sides.move(lambda current: transitions.promote(current, "1.1.0", PLAN, NOW))


def _retire(sides: Sides) -> None:
    sides.steady()
    sides.move(lambda current: transitions.retire(current, NOW, by="a.berger", reason="replaced"))


CASES: dict[str, tuple[Callable[[Sides], None], str, str, str]] = {
    "a little more traffic": (lambda s: canary(s, 0, 5), "traffic shift", "low", "5 % of live requests move to green"),
    "more traffic": (lambda s: canary(s, 5, 50), "traffic shift", "medium", "45 % of live requests move to green"),
    "most of the traffic": (lambda s: canary(s, 5, 100), "traffic shift", "high", "95 % of live requests move to green"),
    "back to stable": (
        lambda s: canary(s, 25, 0),
        "traffic shift",
        "low",
        "it is the stable track and keeps at least SupportTickets 3",
    ),
    "to the standby": (SCENES["rollback"].make, "traffic shift", "high", "it is the standby and keeps at least SupportTickets 3"),
    "routes closed": (_retire, "traffic shift", "high", "the routes close"),
    "env": (SCENES["environment-variable"].make, "pod restart", "medium", "SupportTickets (environment variables)"),
    "fewer pods": (change(CONFIG, "min_replicas: 3", "min_replicas: 2"), "capacity down", "medium", "3 -> 2 pods at least"),
    "half the pods": (SCENES["capacity-down"].make, "capacity down", "high", "3 -> 1 pods at least (a single pod"),
    "another namespace": (
        change(ENVIRONMENT, "namespace: tickets-prod", "namespace: other"),
        "another place",
        "high",
        "tickets-prod to other",
    ),
    "another host": (change(ENVIRONMENT, ".prod.example.com", ".example.org"), "access", "high", "host names"),
    "egress": (SCENES["bundle-in-place-and-egress"].make, "access", "high", "opens: to 203.0.113.0/24 at port 443"),
    "registry": (
        SCENES["bundle-in-place-and-egress"].make,
        "access",
        "high",
        "images may come from registry.elsewhere",
    ),
    "secrets": (
        change(CONFIG, "[support-ticket-secrets]", "[other]"),
        "access",
        "medium",
        "Secrets that a component reads",
    ),
    "a task": (_task, "access", "medium", "track green answers /classify_ticket (a task: also below it), which no track did"),
    "in place": (
        SCENES["bundle-in-place-and-egress"].make,
        "bundle changed in place",
        "high",
        "100 % of live requests fail until its pods are ready",
    ),
    "a track removed": (_track_removed, "track removed", "low", "a rollback takes two commits from here on"),
    "smaller pods": (
        SCENES["capacity-down"].make,
        "capacity down",
        "high",
        "memory request 8Gi -> 512Mi; memory limit 10Gi -> 512Mi, so that a pod above 512Mi is ended",
    ),
    "other nodes": (
        SCENES["capacity-down"].make,
        "placement",
        "medium",
        "on any node, no longer only on those with pool=serving",
    ),
    "a candidate without requests": (SCENES["promote"].make, "new track", "low", "`x-bento-track: green` reach green (1.1.0)"),
    "a cold standby": (_cold, "standby capacity", "medium", "stands by with no pods"),
    "gates broken": (_glass, "gates broken", "high", "a.berger goes on although these failed: soak"),
    "GPU lost": (_gpu, "GPU lost", "high", "1 -> 0 a pod"),
    "chart": (change(POLICY, "[Ingress, Egress]", "[Ingress]"), "chart change", "medium", "charts/bento-serving"),
    "policy": (change(POLICY, "[Ingress, Egress]", "[Ingress]"), "access", "high", "spec.policyTypes"),
    "removed": (SCENES["application-removed"].make, "application removed", "high", "or callers get errors"),
    "new": (
        SCENES["application-new"].make,
        "application added",
        "medium",
        "/classify_ticket at support-tickets.prod.example.com",
    ),
    "override": (SCENES["override-added"].make, "override added", "low", "mailing to all customers"),
    "override gone": (lambda s: s.after.path(OVERRIDES).unlink(), "override ended", "low", "launch-day load"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_change_has_its_risk(case: str, sides: Sides) -> None:
    make, kind, level, words = CASES[case]
    make(sides)
    (one,) = [found for found in sides.review().applications if found.target == PROD]
    matching = [risk for risk in one.risks if risk.kind == kind and words in risk.reason]
    assert [risk.level for risk in matching] == [level], [str(risk) for risk in one.risks]
    assert one.risk == highest(one.risks)


@pytest.mark.parametrize("scene", ["promote", "canary-prepare", "finish", "capacity-up"])
def test_what_moves_no_request_and_restarts_no_pod_is_low(scene: str, sides: Sides) -> None:
    SCENES[scene].make(sides)
    assert sides.one().risk == "low"
    assert not [restart for restart in sides.one().restarts if restart.what == "restart"]


def test_every_rule_is_in_the_table_once() -> None:
    assert len({rule.__name__ for rule in RULES}) == len(RULES)


def test_a_candidate_s_pods_do_not_open_what_the_stable_track_has_open_already(sides: Sides) -> None:
    sides.steady()
    config = "secrets: [support-ticket-secrets]"
    sides.both(lambda side: side.change(CONFIG, config, f"{config}\n    egress: {{crm: {{cidr: 203.0.113.0/24, ports: [443]}}}}"))
    sides.move(lambda current: transitions.promote(current, "1.1.0", PLAN, NOW))
    assert sides.one().risk == "low"
