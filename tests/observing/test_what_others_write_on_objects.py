"""What anybody with the right to patch may have written on objects: never a crash, never more than they may say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from bento_gitops.observing.held import LIVE, LONGEST, Held, held_in
from bento_gitops.observing.live import observed_weights
from bento_gitops.observing.syncing import switched_on, syncing
from hypothesis import example, given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "by": "Zoë 👨‍👩‍👧 <z@example.com>",
    "reason": "Git is down",
    "until": "2026-11-01T14:00:00Z",
    "weights": {"blue": 95, "green": 5},
    "at": "2026-11-01T12:00:00Z",
    "automated": {"prune": True, "selfHeal": False},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
PART = JSON | st.sampled_from([*GOOD.values(), "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", 10**400, True, -1])
NEARLY = st.dictionaries(st.sampled_from(list(GOOD)), PART).map(lambda some: {**GOOD, **some})


def noted(annotation: object) -> dict[str, Any]:
    return {"metadata": {"annotations": {LIVE: annotation}}}


def written(**changed: Any) -> Held:
    held = held_in(noted(json.dumps({**GOOD, **changed})))
    assert held
    return held


def test_what_a_live_shift_writes_is_read_as_it_was() -> None:
    held = written()
    assert held.readable and held_in(noted(held.on_application())) == held
    on_route = held_in(noted(held.on_route()))
    assert on_route and on_route.readable and on_route.automated is None and on_route.by == GOOD["by"]


@pytest.mark.parametrize(
    "changed",
    [
        {"until": "0001-01-01T00:00:00+14:00"},
        {"until": "9999-12-31T23:59:59-14:00"},
        {"until": "2026-11-01"},
        {"at": "yesterday"},
        {"at": None},
        {"by": ""},
        {"by": "Olivia\u001b[2J"},
        {"by": "Olivia \u202e drawkcab"},
        {"by": "half \ud800"},
        {"reason": "Git is down\nBento-Gitops-By: Alice"},
        {"reason": 7},
        {"weights": {"blue": True, "green": 99}},
        {"weights": {"blue": 100.0}},
        {"weights": {"blue": 110, "green": -10}},
        {"weights": {"blue": 50}},
        {"weights": {}},
        {"weights": [100]},
        {"weights": {"not a track": 100}},
        {"weights": {"blue": 10**400}},
        {"automated": {"prune": True, "allowEmpty": True}},
        {"automated": {"prune": "yes"}},
        {"automated": []},
        {"automated": {"selfHeal": {}}},
    ],
    ids=str,
)
def test_what_no_live_shift_writes_counts_for_nothing_but_that_it_is_there(changed: dict[str, Any]) -> None:
    held = written(**changed)
    assert not held.readable and (held.by, held.weights, held.automated) == ("somebody", {}, None)
    assert not held.past(NOW)


@pytest.mark.parametrize(
    "annotation",
    [
        "",
        "because",
        "[" * 10_000,
        '{"a":' * 3_000,
        "9" * 5_000,
        "NaN",
        json.dumps({**GOOD, "reason": "x" * LONGEST}),
        None,
        7,
        {},
    ],
    ids=lambda value: f"{value!s:.12}",
)
def test_what_is_no_annotation_of_ours_is_told_as_such(annotation: object) -> None:
    held = held_in(noted(annotation))
    assert held and not held.readable


@given(st.text() | JSON.map(json.dumps) | NEARLY.map(json.dumps))
def test_no_annotation_is_a_crash_and_a_readable_one_is_in_bounds(annotation: str) -> None:
    held = held_in(noted(annotation))
    assert held
    held.past(NOW)
    if held.readable:
        assert sum(held.weights.values()) == 100 and held.by.strip() and "\n" not in held.by + held.reason
        assert held_in(noted(held.on_application())) == held


@given(JSON, JSON, JSON, NEARLY.map(json.dumps) | JSON)
@example({"automated": {"allowEmpty": True, "prune": True}}, {}, {}, json.dumps({**GOOD, "automated": {"allowEmpty": True}}))
@example({}, {"sync": {"revision": "a\0b"}}, [], None)
def test_no_application_is_a_crash_and_none_gets_more_than_the_set_gives(policy: Any, status: Any, meta: Any, note: Any) -> None:
    application = {"metadata": {"name": meta, "labels": meta, "annotations": {LIVE: note}}, "spec": {"syncPolicy": policy}}
    said = syncing({**application, "status": status})
    assert isinstance(said.automatic, bool) and isinstance(said.heals, bool) and "\0" not in said.revision
    patch: Any = switched_on(said.held)
    automated = patch["spec"]["syncPolicy"]["automated"] if "spec" in patch else {}
    assert set(automated) <= {"prune", "selfHeal", "enabled"}
    assert all(value is None or isinstance(value, bool) for value in automated.values())


def test_a_revision_that_is_no_commit_is_told_and_never_asked_of_git() -> None:
    said = syncing({"status": {"sync": {"revision": "--output=x"}}})
    assert said.revision == "" and said.errors == ("its revision is no commit: '--output=x'",)


@pytest.mark.parametrize("weight", ["²", "9" * 5_000, "-1", "ten", ""])
def test_a_canary_weight_that_is_no_number_is_no_weight(weight: str) -> None:
    from bento_gitops.observing.live import Seen

    def ingress(name: str, service: str, **annotations: str) -> dict[str, Any]:
        path = {"backend": {"service": {"name": service}}}
        prefixed = {f"nginx.ingress.kubernetes.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
        return {
            "metadata": {"name": name, "labels": {"bento-gitops/application": "app"}, "annotations": prefixed},
            "spec": {"rules": [{"http": {"paths": [path]}}]},
        }

    services: list[Any] = [
        {"metadata": {"name": f"app-{track}-api", "labels": {"bento-gitops/track": track}}} for track in ("blue", "green")
    ]
    for said, expected in ((weight, None), ("10", {"blue": 90, "green": 10})):
        canary = ingress("app-canary", "app-green-api", canary="true", canary_weight=said)
        seen = Seen([], [], services, {"Ingress": [ingress("app", "app-blue-api"), canary]})
        assert observed_weights(seen, "nginx", "app") == expected
