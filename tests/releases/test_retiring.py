"""What `retire` must know before an application goes: who inherits from it, and who still asks it."""

from __future__ import annotations

from typing import Any

import pytest
from stories import APP, REGION, REGION_ENVIRONMENT, Operator

PROD = f"prod/{APP}"


@pytest.fixture
def region(olivia: Operator) -> Operator:
    """A second region extends prod, and runs the application with what prod says of it."""
    olivia.clone.put("environments/prod-b/environment.yaml", REGION_ENVIRONMENT)
    olivia.clone.put(f"environments/{REGION}/release.yaml", olivia.clone.text(f"environments/{PROD}/release.yaml") or "")
    olivia.run("render")
    olivia.clone.commit("A second region")
    olivia.clone.git("push", "--quiet")
    return olivia


def test_what_another_environment_inherits_is_not_removed(region: Operator) -> None:
    said = region.change("retire", PROD, code=4).err
    assert f"environments/{PROD}/config.yaml: retire: {REGION} takes settings from it" in said
    assert f"say them in environments/{REGION}/config.yaml first" in said
    assert region.release("prod").retiring is None, "told before any route is closed"


def test_what_says_all_of_its_own_is_not_in_the_way(region: Operator) -> None:
    config = region.clone.text(f"environments/{PROD}/config.yaml") or ""
    region.clone.commit("Settings of its own", {f"environments/{REGION}/config.yaml": config})
    region.run("render")
    if region.clone.status:
        region.clone.commit("Rendered")
    region.clone.git("push", "--quiet")
    region.change("retire", PROD)
    region.later(minutes=6)
    region.change("retire", PROD)
    assert not (region.clone.root / "environments" / PROD).exists()
    region.run("render", "--check")


def _closed(olivia: Operator) -> None:
    """prod runs 1.1.0 beside a standby, and its routes have been closed for a while."""
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "this is about what comes after")
    olivia.steps_until("prod", v1_1_0=100)
    olivia.change("retire", PROD)
    olivia.later(minutes=6)


def _seen(olivia: Operator, rates: dict[str, float], **above: Any) -> str:
    tracks = {name: {"bundle": track.bundle} for name, track in olivia.release("prod").tracks.items()}
    counted = {name: said | ({"requests_per_minute": rates[name]} if name in rates else {}) for name, said in tracks.items()}
    return olivia.observe("prod", **{"tracks": counted, "weights": None, **above})


def test_nobody_asks_it_any_more_only_where_every_track_was_counted(olivia: Operator) -> None:
    _closed(olivia)
    one = _seen(olivia, {"blue": 0})
    said = olivia.change("retire", PROD, "--observation", one, "--dry-run").out
    assert "not looked  requests: nobody counted those to green" in said
    both = _seen(olivia, {"blue": 0, "green": 0})
    assert "pass        requests: none arrive" in olivia.change("retire", PROD, "--observation", both, "--dry-run").out
    busy = _seen(olivia, {"green": 2})
    assert "found green 2 a minute" in olivia.change("retire", PROD, "--observation", busy, code=4).err


def test_routes_that_are_seen_open_keep_an_application_from_going(olivia: Operator) -> None:
    _closed(olivia)
    still = _seen(olivia, {"blue": 0, "green": 0}, weights={"green": 100, "blue": 0})
    said = olivia.change("retire", PROD, "--observation", still, code=4).err
    assert "gate closed: does not pass (found green has 100 % live)" in said
    none = _seen(olivia, {"blue": 0, "green": 0}, weights={})
    assert "pass        closed:" in olivia.change("retire", PROD, "--observation", none, "--dry-run").out


def test_requests_that_were_counted_before_the_routes_were_closed_say_nothing(olivia: Operator) -> None:
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "this is about what comes after")
    olivia.steps_until("prod", v1_1_0=100)
    early = _seen(olivia, {"blue": 0, "green": 0})
    olivia.later(seconds=1)
    olivia.change("retire", PROD)
    olivia.later(minutes=6)
    said = olivia.change("retire", PROD, "--observation", early, "--dry-run").out
    assert "not looked  requests: the observation is from before the routes were closed" in said
