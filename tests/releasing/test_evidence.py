"""What an observation adds to a bundle's evidence, and what evidence is worth later."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from bento_gitops.model.base import timestamp
from bento_gitops.model.evidence import Evidence, Observation
from bento_gitops.releasing.evidence import Binding, as_in_git, last_verified, live_since, not_ready, recorded, soaked
from release_world import HERE, START, Sizes, observation, release_of, verified, without

SHIFTED = timestamp(START)
RELEASE = release_of(
    "stable: blue\ncandidate: green\ntracks:\n"
    f'  blue: {{bundle: "1.0.0", weight: 75, shifted: {SHIFTED}}}\n'
    f'  green: {{bundle: "1.1.0", weight: 25, ready_for: 25, shifted: {SHIFTED}}}\n'
)
NEEDED = Sizes().of_track(RELEASE, "green")
CONFIG = replace(HERE, fingerprint=f"sha256:{'b' * 64}")


def _seen(minutes: float = 1, **changes: Any) -> Observation:
    at = START + timedelta(minutes=minutes)
    return observation(RELEASE, Sizes(), at, run=f"ci-{minutes}").model_copy(update=changes)


def _after(*looks: tuple[Observation, Binding], release=RELEASE) -> Evidence:
    found: Evidence | None = None
    for seen, binding in looks:
        found, notes = recorded(found, seen, release, "green", "app", NEEDED, binding)
        assert notes == []
    assert found is not None
    return found


def _note(seen: Observation, before: Evidence | None = None) -> str:
    """Why nothing was recorded."""
    after, notes = recorded(before, seen, RELEASE, "green", "app", NEEDED, HERE)
    assert after.seen == (before.seen if before else [])
    assert after.verified == []
    (note,) = notes
    return note


def test_a_sighting_says_what_was_seen_where_and_by_whom() -> None:
    (seen,) = _after((_seen(), HERE)).seen
    assert (seen.fingerprint, seen.chart, seen.cluster, seen.run) == (HERE.fingerprint, HERE.chart, HERE.cluster, "ci-1")
    assert (seen.weight, seen.shifted, seen.first, seen.last) == (25, SHIFTED, "2026-11-02T10:01:00Z", "2026-11-02T10:01:00Z")


def test_pods_that_are_made_of_what_git_says_are_seen_as_those_that_nobody_compared_are() -> None:
    tracks = _seen().tracks
    compared = {"apart": list[str](), "fingerprint": HERE.fingerprint}
    seen = _seen(tracks={**tracks, "green": tracks["green"].model_copy(update=compared)})
    assert _after((seen, HERE)) == _after((_seen(), HERE))


def test_another_look_prolongs_the_same_sighting() -> None:
    (seen,) = _after((_seen(1), HERE), (_seen(7), HERE)).seen
    assert (seen.first, seen.last, seen.run) == ("2026-11-02T10:01:00Z", "2026-11-02T10:07:00Z", "ci-7")


def test_the_same_look_twice_is_one() -> None:
    assert _after((_seen(), HERE), (_seen(), HERE)) == _after((_seen(), HERE))


def test_values_that_change_and_change_back_begin_anew() -> None:
    evidence = _after((_seen(1), HERE), (_seen(5), CONFIG), (_seen(9), HERE))
    assert len(evidence.seen) == 3
    assert live_since(evidence, HERE, 25, SHIFTED) == START + timedelta(minutes=9)
    assert live_since(_after((_seen(1), HERE), (_seen(5), CONFIG)), HERE, 25, SHIFTED) is None


def test_the_weight_that_comes_back_later_begins_anew() -> None:
    later = START + timedelta(minutes=20)
    again = without(without(RELEASE, "green", shifted=timestamp(later)), "blue", shifted=timestamp(later))
    before = _after((_seen(1), HERE))
    assert live_since(before, HERE, 25, timestamp(later)) is None
    after, notes = recorded(before, _seen(25), again, "green", "app", NEEDED, HERE)
    assert notes == []
    assert live_since(after, HERE, 25, timestamp(later)) == START + timedelta(minutes=25)


@pytest.mark.parametrize("binding", [CONFIG, replace(HERE, chart="1.5.0"), replace(HERE, cluster="prod-us")])
def test_evidence_of_other_values_another_chart_or_cluster_is_none(binding: Binding) -> None:
    evidence = _after((_seen(1, verification=verified("green")), HERE), (_seen(90), HERE))
    full = evidence.model_copy(update={"seen": [one.model_copy(update={"weight": 100}) for one in evidence.seen]})
    assert soaked(full, HERE) == timedelta(minutes=89)
    assert soaked(full, binding) == timedelta()
    assert last_verified(evidence, HERE) is not None
    assert last_verified(evidence, binding) is None
    assert live_since(evidence, binding, 25, SHIFTED) is None


def test_only_with_all_requests_does_a_bundle_soak() -> None:
    assert soaked(_after((_seen(1), HERE), (_seen(90), HERE)), HERE) == timedelta()
    assert soaked(None, HERE) == timedelta()


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"cluster": "prod-us"}, "it is of cluster prod-us, not prod-eu"),
        ({"weights": None}, "nobody looked at the live route"),
        ({"weights": {"blue": 75}}, "green has 0 % live and 25 % in Git"),
        (
            {"weights": {"blue": 75, "green": 20, "teal": 5}},
            "green has 20 % live and 25 % in Git; teal has 5 % live and 0 % in Git",
        ),
        (
            {"at": timestamp(START - timedelta(seconds=1))},
            f"it is of 2026-11-02T09:59:59Z, before the weight was set at {SHIFTED}",
        ),
    ],
)
def test_what_does_not_show_git_live_is_not_recorded(changes: dict[str, Any], why: str) -> None:
    assert _note(_seen(**changes)) == f"not recorded as seen: {why}"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"bundle": "1.0.9"}, "green runs 1.0.9 and is 1.1.0 in Git"),
        ({"ready": None}, "nobody looked at its pods"),
        ({"ready": {"Api": 1}}, "pods not ready: Runner 0 of 1"),
        ({"ready": {"Api": 0, "Runner": 1}}, "pods not ready: Api 0 of 1"),
        ({"apart": ["Runner"]}, "the pods of Runner on green are not made of what Git says: it is not synced yet"),
        ({"fingerprint": CONFIG.fingerprint}, "the values of green were others in Git when somebody looked"),
    ],
)
def test_a_track_that_is_not_as_git_says_is_not_recorded(changes: dict[str, Any], why: str) -> None:
    tracks = _seen().tracks
    assert _note(_seen(tracks={**tracks, "green": tracks["green"].model_copy(update=changes)})) == f"not recorded as seen: {why}"


def test_a_track_that_nobody_looked_at_is_not_recorded() -> None:
    note = _note(_seen(tracks={"blue": _seen().tracks["blue"]}))
    assert note == "not recorded as seen: nobody looked at green; nobody looked at its pods"


def test_a_look_from_before_the_last_one_is_not_recorded() -> None:
    before = _after((_seen(9), HERE))
    assert _note(_seen(5), before) == (
        "not recorded as seen: it is of 2026-11-02T10:05:00Z, before what is recorded already, at 2026-11-02T10:09:00Z"
    )


def test_how_many_pods_it_takes_must_be_known() -> None:
    assert not_ready(_seen(), "green", {}) is None
    assert not_ready(_seen(), "green", {"Api": 1, "Runner": 1}) == []


def test_a_standby_that_nobody_looked_at_does_not_keep_git_from_being_live() -> None:
    release = release_of('stable: blue\ntracks: {blue: {bundle: "1.0.0", weight: 100}, green: {bundle: "1.1.0", weight: 0}}\n')
    seen = observation(release, Sizes(), START)
    assert as_in_git(seen.model_copy(update={"tracks": {"blue": seen.tracks["blue"]}}), release) == []


# checks of answers


@pytest.mark.parametrize("passed", [True, False])
def test_a_check_of_answers_is_recorded_once(passed: bool) -> None:
    seen = _seen(verification=verified("green", passed=passed))
    (check,) = _after((seen, HERE), (seen, HERE)).verified
    assert (check.passed, check.checks, check.at) == (passed, 12, "2026-11-02T10:01:00Z")


def test_a_check_counts_before_the_weight_is_live() -> None:
    """Verified at weight 0 by the preview header, while the route still changes."""
    evidence, notes = recorded(
        None, _seen(weights={"blue": 100}, verification=verified("green")), RELEASE, "green", "app", NEEDED, HERE
    )
    assert (len(evidence.seen), len(evidence.verified), len(notes)) == (0, 1, 1)


def test_a_check_of_another_track_is_not_this_bundles() -> None:
    assert _after((_seen(verification=verified("blue")), HERE)).verified == []


def test_a_check_of_another_bundle_or_cluster_is_not_recorded() -> None:
    check, tracks = verified("green"), _seen().tracks
    other = {**tracks, "green": tracks["green"].model_copy(update={"bundle": "1.0.9"})}
    apart = {**tracks, "green": tracks["green"].model_copy(update={"apart": ["Runner"]})}
    earlier = {**tracks, "green": tracks["green"].model_copy(update={"fingerprint": CONFIG.fingerprint})}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"tracks": other}, "green runs 1.0.9, not 1.1.0"),
        ({"tracks": apart}, "the pods of Runner on green are not made of what Git says: it is not synced yet"),
        ({"tracks": earlier}, "the values of green were others in Git when somebody looked"),
        ({"tracks": {"blue": tracks["blue"]}}, "nobody looked what runs on green"),
        ({"cluster": "prod-us"}, "it is of cluster prod-us, not prod-eu"),
    ]
    for changes, why in wrong:
        evidence, notes = recorded(None, _seen(verification=check, **changes), RELEASE, "green", "app", NEEDED, HERE)
        assert evidence.verified == []
        assert f"not recorded as verified: {why}" in notes


def test_the_last_check_counts_and_of_two_at_once_the_one_that_failed() -> None:
    looks = [_seen(1, verification=verified("green", passed=False)), _seen(2, verification=verified("green"))]
    found = last_verified(_after(*((look, HERE) for look in looks)), HERE)
    assert found is not None
    assert found.passed
    both = [_seen(2, verification=verified("green", passed=passed)) for passed in (True, False)]
    found = last_verified(_after(*((look, HERE) for look in both)), HERE)
    assert found is not None
    assert not found.passed
