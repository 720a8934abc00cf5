"""The kinds of change that people review, each made on the fleet that tests use."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bento_gitops.model.gate import Gate
from bento_gitops.releasing import transitions

from tests.conftest import FleetCopy
from tests.reviewing.sides import CONFIG, NOW, OVERRIDES, PLAN, PROD, RELEASE, Sides


@dataclass(frozen=True)
class Scene:
    """A change, and what the command that makes it says of it."""

    make: Callable[[Sides], None]
    title: str
    reason: str = ""
    by: str = ""
    gates: tuple[Gate, ...] = ()
    next_steps: tuple[str, ...] = field(default=())


def _promote(sides: Sides) -> None:
    sides.steady()
    sides.move(lambda current: transitions.promote(current, "1.1.0", PLAN, NOW))


def _canary(sides: Sides, weight: int) -> None:
    """1.1.0 is on trial with this much, on both sides, and its pods are there for 25 %."""
    sides.both(
        lambda side: side.put(
            RELEASE,
            "apiVersion: bento-gitops/v1\nkind: Release\nstable: blue\ncandidate: green\ntracks:\n"
            f'  blue: {{bundle: "1.0.0", weight: {100 - weight}}}\n'
            f'  green: {{bundle: "1.1.0", weight: {weight}, ready_for: {max(25, weight)}, floor: {{EmbeddingRunner: 3}}}}\n'
            "since: 2026-11-19T10:20:00Z\n",
        )
    )


def _shift(sides: Sides) -> None:
    _canary(sides, 10)
    sides.move(lambda current: transitions.shift(current, 25, NOW))


def _prepare(sides: Sides) -> None:
    _canary(sides, 25)
    sides.move(lambda current: transitions.prepare(current, 50, {"EmbeddingRunner": 5}, NOW))


def _finish(sides: Sides) -> None:
    _canary(sides, 100)
    sides.move(lambda current: transitions.finish(current, PLAN, NOW))


def _abort(sides: Sides) -> None:
    _canary(sides, 25)
    sides.move(lambda current: transitions.abort(current, PLAN, NOW, by="ml-oncall", reason="error ratio 6 %, stable 0.4 %"))


def _rollback(sides: Sides) -> None:
    _canary(sides, 100)
    sides.move(lambda current: transitions.finish(current, PLAN, NOW), also_before=True)
    later = NOW + timedelta(minutes=20)
    reason = "answers in the wrong language since 12:10"
    sides.move(lambda current: transitions.rollback(current, PLAN, {}, later, by="ml-oncall", reason=reason))


def _capacity_up(sides: Sides) -> None:
    sides.steady()
    sides.after.change(CONFIG, "scaling: {min_replicas: 3, max_replicas: 12}", "scaling: {min_replicas: 5, max_replicas: 20}")


def _capacity_down(sides: Sides) -> None:
    sides.steady()
    sides.after.change(CONFIG, "scaling: {min_replicas: 3, max_replicas: 12}", "scaling: {min_replicas: 1, max_replicas: 6}")
    sides.after.change(CONFIG, "instance_type: cpu.large", "instance_type: cpu.small")


def _environment_variable(sides: Sides) -> None:
    sides.steady()
    sides.after.change(CONFIG, "value: WARNING", "value: DEBUG")


def _watching(sides: Sides) -> None:
    """An alert off, one told later, a threshold and an objective that let more pass."""
    sides.steady()
    sides.both(lambda side: side.put(CONFIG, side.text(CONFIG) + "slo: {p95: 0.5}\nalerts: {shed_ratio: 0.01}\n"))
    sides.after.change(CONFIG, "slo: {p95: 0.5}", "slo: {p95: 2}")
    rules = "{BentoErrorBudgetBurnFast: {enabled: false}, BentoComponentDown: {for: 30m}}"
    sides.after.change(CONFIG, "alerts: {shed_ratio: 0.01}", f"alerts: {{shed_ratio: 0.05, rules: {rules}}}")


def _override(sides: Sides) -> None:
    sides.steady()
    sides.after.put(
        OVERRIDES,
        sides.after.text(OVERRIDES) + "  - config: {services: {SupportTickets: {scaling: {min_replicas: 8}}}}\n"
        "    reason: mailing to all customers at 18:00\n    owner: support-ml\n    expires: 2026-11-21T00:00:00Z\n",
    )


OTHERS = ("billing", "contracts", "invoices", "letters", "returns", "shipping")


def _more_applications(side: FleetCopy) -> None:
    """The same application under other names, in every environment."""
    for name in OTHERS:
        for folder in ("bundles", "environments/dev", "environments/staging", "environments/prod"):
            shutil.copytree(side.root / folder / "support-tickets", side.root / folder / name)
        for tag in ("1.0.0", "1.1.0"):
            side.change(f"bundles/{name}/{tag}.yaml", "application: support-tickets", f"application: {name}")
        shutil.copy(side.root / "applications/support-tickets.yaml", side.root / f"applications/{name}.yaml")


def _chart(sides: Sides) -> None:
    sides.both(_more_applications)
    templates = "charts/bento-serving/templates/track"
    sides.after.change(f"{templates}/deployment.yaml", "revisionHistoryLimit: 3", "revisionHistoryLimit: 5")
    sides.after.change(f"{templates}/_podtemplate.tpl", "enableServiceLinks: false", "enableServiceLinks: true")


def _security(sides: Sides) -> None:
    sides.steady()
    bundle = sides.after.text("bundles/support-tickets/1.0.0.yaml").replace('tag: "1.0.0"', 'tag: "1.0.1"')
    moved = bundle.replace("registry.example.com/ml/support-tickets", "registry.elsewhere.example/ml/support-tickets")
    sides.after.put("bundles/support-tickets/1.0.1.yaml", moved)
    sides.after.change(RELEASE, 'bundle: "1.0.0"', 'bundle: "1.0.1"')
    sides.after.change(
        "environments/prod/environment.yaml",
        "registries: [registry.example.com/ml]",
        "registries: [registry.example.com/ml, registry.elsewhere.example/ml]",
    )
    sides.after.change(
        CONFIG,
        "secrets: [support-ticket-secrets]",
        "secrets: [support-ticket-secrets, crm-token]\n    egress: {crm: {cidr: 203.0.113.0/24, ports: [443]}}",
    )


def _removed(sides: Sides) -> None:
    sides.steady()
    shutil.rmtree(sides.after.root / f"environments/{PROD}")


def _new(sides: Sides) -> None:
    shutil.rmtree(sides.before.root / f"environments/{PROD}")
    sides.after.path(RELEASE).unlink()
    sides.move(lambda current: transitions.install(current, "1.0.0", NOW))


_GATES = (
    Gate("live", "not looked", "no cluster to ask: nobody saw that staging runs what Git says", "run it where the cluster is"),
    Gate("soak", "passed", "1.1.0 ran in staging with all requests for 26h, at least 24h (evidence/1.1.0.yaml)"),
    Gate("evaluation", "passed", "accuracy 0.94, at least 0.9 (bundles/support-tickets/1.1.0.yaml:44)"),
)

SCENES: Mapping[str, Scene] = {
    "promote": Scene(
        _promote,
        "Promote support-tickets 1.1.0 to prod",
        "new training data, fewer tickets in the wrong queue",
        "a.berger",
        _GATES,
        (f"bento-gitops canary prepare {PROD} 1", "Merge: Argo CD brings the pods up; no live request moves."),
    ),
    "canary-shift": Scene(_shift, "support-tickets in prod: 25 % to 1.1.0", "no finding at 10 %", "canary scheduler"),
    "canary-prepare": Scene(_prepare, "support-tickets in prod: pods for 50 %", "no finding at 25 %", "canary scheduler"),
    "finish": Scene(_finish, "support-tickets in prod: 1.1.0 is stable", "", "canary scheduler"),
    "abort": Scene(_abort, "support-tickets in prod: 1.1.0 is taken back", "error ratio 6 %, stable 0.4 %", "ml-oncall"),
    "rollback": Scene(
        _rollback, "Roll back support-tickets in prod to 1.0.0", "answers in the wrong language since 12:10", "ml-oncall"
    ),
    "capacity-up": Scene(_capacity_up, "More room for support-tickets in prod"),
    "capacity-down": Scene(_capacity_down, "Smaller support-tickets in prod"),
    "environment-variable": Scene(_environment_variable, "Debug logs in prod"),
    "watching-less": Scene(_watching, "Quieter alerts in prod", "too many calls at night", "support-ml"),
    "override-added": Scene(_override, "Override for the mailing", "mailing to all customers at 18:00", "support-ml"),
    "chart": Scene(_chart, "Chart: older revisions are kept for longer"),
    "bundle-in-place-and-egress": Scene(_security, "Move to the other registry, connect the CRM"),
    "application-removed": Scene(_removed, "support-tickets leaves prod"),
    "application-new": Scene(_new, "support-tickets comes to prod"),
}
