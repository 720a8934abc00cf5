"""Each gate: what it finds, by which evidence, and what it tells people to do."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bento_gitops.layers.reading import read
from bento_gitops.model.base import timestamp
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.evidence import Evidence, Observation
from bento_gitops.model.gate import Gate
from bento_gitops.model.release import Held, Standby
from bento_gitops.model.rollout import Bounds, Freeze, Promotion
from bento_gitops.releasing.evidence import Binding, recorded
from bento_gitops.releasing.gates import (
    Facts,
    Origin,
    before_promotion,
    before_raising,
    failing,
    fresh,
    ready_alone,
    ready_for_all,
    refusal,
)
from bento_gitops.releasing.plan import Plan
from release_world import BAD, FEW, HERE, START, Sizes, observation, release_of, verified

NOW = START + timedelta(hours=30)
STEADY = release_of('stable: blue\ntracks: {blue: {bundle: "1.0.0", weight: 100}}\n')
CANARY = release_of(
    'stable: blue\ncandidate: green\ntracks:\n  blue: {bundle: "1.0.0", weight: 75}\n'
    '  green: {bundle: "1.1.0", weight: 25, ready_for: 50}\n'
)
BUNDLE = read(
    f"""\
apiVersion: bento-gitops/v1
kind: Bundle
application: app
tag: "1.1.0"
created: 2026-11-01T09:00:00Z
bento: app:1.1.0
image: {{repository: registry.example.com/ml/app, digest: "sha256:{"a" * 64}"}}
bentoml: "1.4.39"
python: "3.11"
entry: Api
services: {{Api: {{dependencies: []}}}}
models:
  classifier:
    tag: classifier:1.1.0
    framework: scikit-learn==1.7.2
    preprocessing: "2"
    dataset: {{snapshot: "sha256:{"b" * 64}", rows: 720}}
    evaluation: {{report: reports/1.1.0.json, sha256: {"c" * 64}, metrics: {{accuracy: 0.94, p95: 0.3}}}}
""",
    "bundle",
    Bundle,
).value
ANNA = Held(by="anna", at="2026-11-01T09:00:00Z", reason="wrong labels")
STAGING = Binding(fingerprint=f"sha256:{'c' * 64}", chart="1.4.0", cluster="staging-eu")


def _evidence(binding: Binding = STAGING, *, hours: int = 24, passed: bool | None = True) -> Evidence:
    """Seen in staging with all requests for so long, and verified at the end."""
    release = release_of('stable: blue\ntracks: {blue: {bundle: "1.1.0", weight: 100}}\n')
    found: Evidence | None = None
    for after in (0, hours):
        at = START + timedelta(hours=after)
        seen = observation(release, Sizes(), at, cluster=binding.cluster, run=f"ci-{after}")
        if after and passed is not None:
            seen = seen.model_copy(update={"verification": verified("blue", passed=passed)})
        found, notes = recorded(found, seen, release, "blue", "app", Sizes().of_track(release, "blue"), binding)
        assert notes == []
    assert found is not None
    return found


PROVED = Origin(name="staging", binding=STAGING, trouble="", evidence=_evidence(), held=None)


def facts(**changes: Any) -> Facts:
    """What lets every gate pass."""
    all_well = Facts(
        target="prod/app",
        now=NOW,
        release=STEADY,
        bundle=BUNDLE,
        plan=Plan(),
        promotion=Promotion(soak="24h"),
        origin=PROVED,
        unchanged=True,
        created="1234abc",
        thresholds={"classifier": {"accuracy": Bounds(min=0.9), "p95": Bounds(max=0.5)}},
        held_elsewhere={},
        ended=(),
        renders=(),
        objects=14,
        policies=12,
        observation=observation(STEADY, Sizes(), NOW),
        cluster=HERE.cluster,
    )
    return replace(all_well, **changes)


def raising(**changes: Any) -> Facts:
    """The same for a candidate that is to get more requests."""
    said: dict[str, Any] = {
        "release": CANARY,
        "observation": observation(CANARY, Sizes(), NOW),
        "needed": Sizes().of_track(CANARY, "green"),
    }
    return facts(**{**said, **changes})


def _one(gates: list[Gate], name: str) -> Gate:
    (found,) = [gate for gate in gates if gate.name == name]
    return found


def promotion(name: str, **changes: Any) -> Gate:
    return _one(before_promotion(facts(**changes)), name)


def raised(name: str, **changes: Any) -> Gate:
    return _one(before_raising(raising(**changes)), name)


def test_a_bundle_that_proved_itself_passes_every_gate_each_with_its_evidence() -> None:
    assert [(gate.name, gate.outcome, gate.evidence) for gate in before_promotion(facts())] == [
        ("live", "passed", "what Git says was live at 2026-11-03T16:00:00Z"),
        ("bundle", "passed", "bundles/app/1.1.0.yaml is as recorded in 1234abc"),
        ("digest", "passed", "registry.example.com/ml/app@sha256:aaaaaaaaaaaa..."),
        ("evaluation classifier.accuracy", "passed", "is 0.94; 0.9 or more is wanted"),
        ("evaluation classifier.p95", "passed", "is 0.3; 0.5 or less is wanted"),
        ("verified", "passed", "12 checks in staging at 2026-11-03T10:00:00Z (ci-24)"),
        ("soak", "passed", "seen running in staging for 24h of 24h"),
        ("freeze", "passed", "no freeze is set up"),
        ("held", "passed", "held nowhere"),
        ("overrides", "passed", "none has ended"),
        ("objects", "passed", "14 objects render, fit their schemas and pass what denies of 12 policies"),
    ]


def test_a_candidate_that_does_well_passes_every_gate_each_with_its_evidence() -> None:
    assert [(gate.name, gate.outcome, gate.evidence) for gate in before_raising(raising())] == [
        ("live", "passed", "what Git says was live at 2026-11-03T16:00:00Z"),
        ("bundle", "passed", "bundles/app/1.1.0.yaml is as recorded in 1234abc"),
        ("freeze", "passed", "no freeze is set up"),
        ("held", "passed", "held nowhere"),
        ("ready", "passed", "every component has the pods it needs (Api 1, Runner 2)"),
        ("objects", "passed", "14 objects render, fit their schemas and pass what denies of 12 policies"),
        ("analysis", "passed", "1000 requests in 10m: 0.1 % errors, p95 0.2 s"),
    ]


def test_a_refusal_tells_every_failing_gate_with_evidence_and_what_to_do() -> None:
    wrong = facts(unchanged=False, ended=("override 1 ended yesterday",), origin=replace(PROVED, held=ANNA))
    gates = before_promotion(wrong)
    assert [gate.name for gate in failing(gates)] == ["bundle", "held in staging", "overrides"]
    assert str(refusal(gates, "environments/prod/app/release.yaml")).splitlines() == [
        "environments/prod/app/release.yaml: gate bundle: does not pass (found bundles/app/1.1.0.yaml is not what commit 1234abc"
        " recorded); take back the change; another content needs another tag",
        "environments/prod/app/release.yaml: gate held in staging: does not pass (found by anna: wrong labels); take another"
        " bundle, or, if the reason is gone, bento-gitops unhold staging/app 1.1.0",
        "environments/prod/app/release.yaml: gate overrides: does not pass (found override 1 ended yesterday); remove them, or"
        " give them a new end",
    ]


@pytest.mark.parametrize("gates", [before_promotion, before_raising])
@pytest.mark.parametrize(
    "changes",
    [
        {"unchanged": False},
        {"unchanged": None},
        {"observation": None},
        {"renders": None},
        {"renders": ("Deployment a: wrong",)},
        {"thresholds": {"classifier": {"recall": Bounds(min=0.5)}}},
        {"origin": replace(PROVED, evidence=None)},
        {"origin": replace(PROVED, binding=None, trouble="no such chart")},
        {"ended": ("override 1",)},
        {"needed": {"Runner": 99}},
        {"promotion": Promotion(soak="24h", freeze=[Freeze(reason="launch", days=["tue"])])},
    ],
)
def test_what_does_not_pass_says_what_to_do(gates, changes: dict[str, Any]) -> None:
    for gate in gates(raising(**changes)):
        assert gate.evidence
        assert bool(gate.mend) == (gate.outcome != "passed")


# live


def test_nothing_has_to_be_live_before_the_first_bundle() -> None:
    assert promotion("live", release=None).evidence == "nothing runs here yet"


def test_git_must_be_live_before_more_is_asked_of_it() -> None:
    seen = observation(CANARY, Sizes(), NOW, weights={"blue": 90, "green": 10})
    gate = raised("live", observation=seen)
    assert gate.outcome == "failed"
    assert gate.evidence == "blue has 90 % live and 75 % in Git; green has 10 % live and 25 % in Git"


def _observed(**changes: Any) -> Observation:
    return observation(CANARY, Sizes(), NOW).model_copy(update=changes)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (None, "nobody looked at the cluster"),
        (_observed(cluster="prod-us"), "the observation is of cluster prod-us, and this is prod-eu"),
        (_observed(at=timestamp(NOW - timedelta(seconds=601))), "the observation is 10m1s old, more than 10m"),
        (
            _observed(at=timestamp(NOW + timedelta(seconds=121))),
            "the observation is of 2026-11-03T16:02:01Z, which is yet to come",
        ),
    ],
)
def test_an_observation_of_elsewhere_or_another_time_decides_nothing(seen: Observation | None, why: str) -> None:
    assert fresh(seen, HERE.cluster, NOW) == (None, why)
    for name in ("live", "ready", "analysis"):
        gate = raised(name, observation=seen)
        assert (gate.outcome, gate.evidence) == ("not looked", why)


@pytest.mark.parametrize("seconds", [600, 0, -120])
def test_an_observation_of_now_decides(seconds: int) -> None:
    seen = _observed(at=timestamp(NOW - timedelta(seconds=seconds)))
    assert fresh(seen, HERE.cluster, NOW) == (seen, "")


def test_a_route_that_nobody_looked_at_is_not_taken_for_live() -> None:
    gate = raised("live", observation=_observed(weights=None))
    assert (gate.outcome, gate.evidence) == ("not looked", "nobody looked at the live route")


# bundle, evaluation


def test_a_bundle_that_is_not_in_git_could_change_unseen() -> None:
    gate = promotion("bundle", unchanged=None)
    assert (gate.outcome, gate.mend) == ("not looked", "commit it: then it cannot change unseen")


@pytest.mark.parametrize(
    ("metric", "bounds", "outcome", "evidence"),
    [
        ("accuracy", Bounds(min=0.94), "passed", "is 0.94; 0.94 or more is wanted"),
        ("accuracy", Bounds(min=0.95), "failed", "is 0.94; 0.95 or more is wanted"),
        ("p95", Bounds(max=0.3), "passed", "is 0.3; 0.3 or less is wanted"),
        ("p95", Bounds(min=0.1, max=0.2), "failed", "is 0.3; 0.1 or more and 0.2 or less is wanted"),
        ("recall", Bounds(min=0.5), "failed", "the bundle records none; 0.5 or more is wanted"),
    ],
)
def test_a_model_must_have_been_evaluated_well_enough(metric: str, bounds: Bounds, outcome: str, evidence: str) -> None:
    gate = promotion(f"evaluation classifier.{metric}", thresholds={"classifier": {metric: bounds}})
    assert (gate.outcome, gate.evidence) == (outcome, evidence)


def test_a_model_that_the_bundle_does_not_have_is_no_success() -> None:
    gate = promotion("evaluation ranker.ndcg", thresholds={"ranker": {"ndcg": Bounds(min=0.5)}})
    assert gate.outcome == "failed"


# verified, soak


def test_without_a_source_nothing_is_asked_of_another_environment() -> None:
    names = [gate.name for gate in before_promotion(facts(origin=None))]
    assert "verified" not in names
    assert "soak" not in names


@pytest.mark.parametrize(
    ("evidence", "found"),
    [
        (None, "no evidence in staging"),
        (
            _evidence(replace(STAGING, fingerprint=f"sha256:{'d' * 64}")),
            "no evidence in staging; what there is was found with other values",
        ),
        (
            _evidence(replace(STAGING, chart="1.3.0")),
            f"no evidence in staging; what there is was found with chart 1.3.0, and this is {STAGING.chart}",
        ),
        (
            _evidence(replace(STAGING, cluster="staging-us")),
            f"no evidence in staging; what there is was found with cluster staging-us, and this is {STAGING.cluster}",
        ),
    ],
)
def test_evidence_of_something_else_is_none(evidence: Evidence | None, found: str) -> None:
    origin = replace(PROVED, evidence=evidence)
    gate = promotion("verified", origin=origin)
    assert (gate.outcome, gate.evidence) == ("failed", found)
    assert gate.mend == "bento-gitops verify staging/app --record --live"
    soak = promotion("soak", origin=origin)
    assert soak.outcome == "failed"
    assert soak.evidence.startswith("seen running in staging for 0s of 24h")
    assert soak.mend.endswith("bento-gitops verify staging/app --record --live")


def test_the_last_check_of_answers_counts() -> None:
    gate = promotion("verified", origin=replace(PROVED, evidence=_evidence(passed=False)))
    assert (gate.outcome, gate.evidence) == ("failed", "1 of 12 checks failed in staging (ci-24): classify_ticket")


def test_a_bundle_that_its_source_cannot_run_is_not_verified_there() -> None:
    gate = promotion("verified", origin=replace(PROVED, binding=None, trouble="no such service"))
    assert (gate.outcome, gate.evidence) == ("failed", "staging cannot run it: no such service")


@pytest.mark.parametrize(("hours", "outcome"), [(23, "failed"), (24, "passed"), (30, "passed")])
def test_a_bundle_soaks_as_long_as_the_environment_asks(hours: int, outcome: str) -> None:
    gate = promotion("soak", origin=replace(PROVED, evidence=_evidence(hours=hours)))
    assert gate.outcome == outcome
    assert gate.evidence == f"seen running in staging for {hours}h of 24h"
    assert gate.mend.startswith("wait 1h more" if hours == 23 else "")


def test_a_short_soak_of_checks_alone_is_none() -> None:
    gate = promotion("soak", origin=replace(PROVED, evidence=_evidence().model_copy(update={"seen": []})))
    assert gate.outcome == "failed"


# freeze, held, overrides, objects


def test_a_freeze_stops_promotions_and_steps_and_says_until_when() -> None:
    windows = [
        Freeze(reason="launch", days=["tue"], hours=["15:00", "24:00"]),
        Freeze(reason="audit", start="2026-11-03T20:00:00Z", end="2026-11-05T08:00:00Z"),
        Freeze(reason="weekend", days=["sat"]),
    ]
    frozen = Promotion(soak="24h", freeze=windows)
    for gate in (promotion("freeze", promotion=frozen), raised("freeze", promotion=frozen)):
        assert gate.outcome == "failed"
        assert gate.evidence == "frozen until 2026-11-05 08:00 UTC: launch"
        assert gate.mend == "wait, or --break-glass REASON"


def test_between_freezes_things_go_on() -> None:
    gate = promotion("freeze", promotion=Promotion(soak="24h", freeze=[Freeze(reason="weekend", days=["sat"])]))
    assert (gate.outcome, gate.evidence) == ("passed", "no freeze")


def test_a_bundle_held_where_it_comes_from_is_refused() -> None:
    gate = promotion("held in staging", origin=replace(PROVED, held=ANNA), held_elsewhere={"staging": ANNA})
    assert (gate.outcome, gate.evidence) == ("failed", "by anna: wrong labels")


def test_a_bundle_held_here_and_where_it_comes_from_says_both() -> None:
    release = STEADY.model_copy(update={"held": {"1.1.0": ANNA}})
    gates = before_promotion(facts(release=release, origin=replace(PROVED, held=ANNA)))
    assert [gate.name for gate in failing(gates)] == ["held", "held in staging"]
    assert _one(gates, "held").mend == "take another bundle, or, if the reason is gone, bento-gitops unhold prod/app 1.1.0"


def test_a_bundle_held_elsewhere_is_a_warning() -> None:
    gate = promotion("held", held_elsewhere={"prodeu": ANNA, "dev": ANNA})
    assert gate.outcome == "passed"
    assert gate.evidence == "warning: not here, but held in dev by anna: wrong labels; in prodeu by anna: wrong labels"


def test_another_bundle_that_is_held_is_no_matter() -> None:
    assert promotion("held", release=STEADY.model_copy(update={"held": {"1.0.9": ANNA}})).evidence == "held nowhere"


def test_what_no_longer_renders_is_not_promoted() -> None:
    gate = promotion("objects", renders=("Deployment a: no such key", "Service b: no port"))
    assert (gate.outcome, gate.evidence) == ("failed", "Deployment a: no such key; Service b: no port")


# ready, analysis


def test_every_component_of_the_candidate_has_its_pods_before_it_gets_requests() -> None:
    gate = raised("ready", needed={"Api": 1, "Runner": 7})
    assert (gate.outcome, gate.evidence) == ("failed", "ready pods: Runner 2 of 7")
    standby = {"standby": Standby(track="green", until="2026-12-01T00:00:00Z", capacity="full"), "candidate": None}
    swapped = raising(needed={"Api": 1, "Runner": 7}, release=CANARY.model_copy(update=standby))
    assert ready_alone(swapped) == [gate]


def test_the_second_part_of_a_rollback_wants_pods_that_somebody_saw_since_the_first() -> None:
    facts = raising()
    assert [gate.outcome for gate in ready_for_all(facts)] == ["passed"]
    for nobody in (None, _observed().model_copy(update={"tracks": {}})):
        (gate,) = ready_for_all(replace(facts, observation=nobody))
        assert gate.outcome == "failed" and "--pods-are-ready" in gate.mend, gate
    later = facts.release.model_copy(update={"since": "2027-01-01T00:00:00Z"}) if facts.release else None
    (gate,) = ready_for_all(replace(facts, release=later))
    assert gate.outcome == "failed" and "before its pods were asked for" in gate.evidence
    (gate,) = ready_for_all(replace(facts, observation=None, pods_are_ready="anna"))
    assert (gate.outcome, gate.evidence) == ("passed", "said to be ready by anna")


def test_pods_that_nobody_counted_are_no_success() -> None:
    seen = _observed()
    unseen = {"green": seen.tracks["green"].model_copy(update={"ready": None})}
    assert raised("ready", observation=seen.model_copy(update={"tracks": {**seen.tracks, **unseen}})).outcome == "not looked"
    assert raised("ready", needed={}).outcome == "not looked"


def test_a_candidate_without_requests_has_nothing_to_be_judged_by() -> None:
    release = CANARY.model_copy(
        update={
            "tracks": {
                name: track.model_copy(update={"weight": 100 if name == "blue" else 0}) for name, track in CANARY.tracks.items()
            }
        }
    )
    assert "analysis" not in [gate.name for gate in before_raising(raising(release=release))]


def test_a_bad_candidate_gets_no_more_requests() -> None:
    gate = raised("analysis", observation=observation(CANARY, Sizes(), NOW, BAD))
    assert (gate.outcome, gate.evidence) == ("failed", "50 % of 1000 requests fail (at least 43.2 %), above 2 %")
    assert gate.mend == "bento-gitops canary abort prod/app"


def test_a_candidate_that_nobody_can_judge_yet_waits() -> None:
    gate = raised("analysis", observation=observation(CANARY, Sizes(), NOW, FEW))
    assert (gate.outcome, gate.mend) == ("failed", "wait for more requests")
    assert raised("analysis", observation=observation(CANARY, Sizes(), NOW, None)).evidence == "nobody measured"
