"""Releases on a real cluster while clients ask all the time: whatever comes and goes, every request is answered."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from conftest import run
from live_release import BUNDLES, CONFIG, FOLDER, TARGET, Live, live, push, tell, with_digest

__all__ = ["live"]

STARTS_NEVER = "1.2.0"


def test_no_request_is_lost_while_releases_come_and_go(live: Live) -> None:
    live.change("promote", TARGET, "1.0.0")
    live.until(lambda: live.clients.ask("hello").good, "1.0.0 answers", 180)
    live.clients.start()
    began = time.time()
    try:
        _a_canary_goes_all_the_way(live)
        _a_full_standby_takes_over_at_once(live)
        live.remove_standby()
        _a_candidate_that_never_starts_gets_no_request(live)
        live.remove_standby()
        _a_rollback_waits_for_pods(live, "none")
        live.remove_standby()
        _a_rollback_waits_for_pods(live, "cold")
        live.remove_standby()
        _bad_numbers_take_a_candidate_back(live)
        live.remove_standby()
    finally:
        live.clients.stop()
        tell(live, live.clients.since(began), time.time() - began)
    asked = live.clients.since(began)
    assert [one for one in asked if not one.good] == []
    mixed = [one for one in asked if one.model != f"ticket_classifier:{one.bundle}"]
    assert mixed == [], "an answer names one bundle, and is another's"
    live.observation()
    assert not any(live.restarts.values()), live.restarts


def _a_canary_goes_all_the_way(live: Live) -> None:
    live.change("promote", TARGET, "1.1.0")
    for weight in (10, 50):
        assert live.steps_until("shift")["release"]["tracks"]["green"]["weight"] == weight
        live.split_is(blue=100 - weight, green=weight)
    assert live.steps_until("shift")["release"]["tracks"]["green"]["weight"] == 100
    live.split_is(green=100)
    live.steps_until("finish")
    release = live.release()
    assert (release["stable"], release["standby"]["track"], release["previous"]) == ("green", "blue", {"bundle": "1.0.0"})


def _a_full_standby_takes_over_at_once(live: Live) -> None:
    back = live.change("rollback", TARGET, "--reason", "wrong queues")
    assert back["release"]["stable"] == "blue", "one commit"
    live.quiet("green", live.seen_at(), "rollback to a full standby")
    live.split_is(blue=100)
    assert "1.1.0" in live.release()["held"]


def _a_candidate_that_never_starts_gets_no_request(live: Live) -> None:
    text = (live.clone.root / BUNDLES / "1.1.0.yaml").read_text().replace("1.1.0", STARTS_NEVER)
    push(live, f"Bundle {STARTS_NEVER}", {f"{BUNDLES}/{STARTS_NEVER}.yaml": with_digest(text, f"sha256:{'0' * 64}")})
    candidate = live.change("promote", TARGET, STARTS_NEVER)["release"]["candidate"]
    live.steps_until("prepare")
    live.until(lambda: _waits_for_its_image(live, candidate), "its pods wait for their image")
    for hours in (0, 1, 24):  # nothing but the pods decides, however long it takes
        live.ahead += timedelta(hours=hours)
        told: dict[str, Any] = {}
        for _ in range(3):
            told = live.step()
            assert (told["transition"], told["changed"]) == ("hold", False), told
            assert told["says"].startswith(f"waiting for pods of {candidate}: "), told
        live.say(f"hold, {hours} hours later: {told['says']}")
    began = time.time()
    live.change("canary", "abort", TARGET, "--reason", "it does not start")
    live.say(f"abort of a candidate that never started: applied {time.time() - began:.1f} s after the command began")
    assert STARTS_NEVER in live.release()["held"]
    live.split_is(blue=100)


def _a_rollback_waits_for_pods(live: Live, standby: str) -> None:
    """With the strategy blue-green: all requests at once, to pods that are ready. `standby`: "cold", or "none" any more."""
    plan = "rollout: {strategy: blue-green, standby: {keep: 1h, capacity: %s}}\n" % ("cold" if standby == "cold" else "full")
    push(live, "Blue/green", {f"{FOLDER}/config.yaml": CONFIG + plan})
    live.change("unhold", TARGET, "1.1.0")
    old = live.release()["stable"]
    bad = live.change("promote", TARGET, "1.1.0")["release"]["candidate"]
    live.steps_until("shift")
    live.split_is(**{bad: 100})
    if standby == "cold":
        live.steps_until("record")
        live.ahead += timedelta(minutes=6)  # its pods go only when the last request to them is long past
    live.steps_until("finish")
    if standby == "cold":
        live.until(lambda: list(live.cluster.pods(old)) == [], f"{old} has no pods", 120)
    else:
        live.remove_standby()
    first = live.change("rollback", TARGET, "--reason", "wrong queues again")
    asked_at = live.seen_at()
    assert first["says"].startswith("1 of 2"), first
    live.steps_until("rollback")
    live.say(f"standby {standby}: the second part of the rollback was pushed {live.seen_at() - asked_at:.1f} s after the first")
    live.quiet(bad, live.seen_at(), f"rollback in two parts, standby {standby}")
    release = live.release()
    stable = release["stable"]
    assert (release["tracks"][stable]["bundle"], release["tracks"][stable]["weight"]) == ("1.0.0", 100)
    live.split_is(**{stable: 100})


def _bad_numbers_take_a_candidate_back(live: Live) -> None:
    push(live, "A canary again", {f"{FOLDER}/config.yaml": CONFIG})
    live.change("unhold", TARGET, "1.1.0")
    candidate = live.change("promote", TARGET, "1.1.0")["release"]["candidate"]
    stable = live.release()["stable"]
    live.steps_until("shift")
    live.steps_until("shift")
    live.split_is(**{stable: 50, candidate: 50})
    _all_pods_are_replaced(live)
    since = live.split_is(**{stable: 50, candidate: 50})
    good = json.loads(Path(live.observation(since)).read_text())["analysis"]
    measured = good["tracks"][candidate]
    bad = {**good, "tracks": {**good["tracks"], candidate: {**measured, "errors": measured["requests"] // 2}}}
    told = live.step(since, analysis=bad)
    assert told["transition"] == "abort", told
    live.quiet(candidate, live.seen_at(), "abort for bad numbers")
    live.split_is(**{stable: 100})


def _all_pods_are_replaced(live: Live) -> None:
    """A change of settings in the middle of a canary restarts both tracks, api and runners."""
    before = {pod.metadata.name for pod in live.cluster.pods()}
    live.clone.git("pull", "--quiet", "--ff-only")
    live.clone.put(f"{FOLDER}/config.yaml", CONFIG.replace("LOG_LEVEL: info", "LOG_LEVEL: warning"))
    run("bento-gitops", "-C", live.clone.root, "render", TARGET)
    push(live, "Quieter logs", {})
    began = time.time()
    live.until(lambda: not before & {pod.metadata.name for pod in live.cluster.pods()}, "all pods are new ones", 240)
    live.say(f"a change of settings replaced {len(before)} pods in {time.time() - began:.0f} s")


def _waits_for_its_image(live: Live, track: str) -> bool:
    waiting = [
        status.state.waiting.reason
        for pod in live.cluster.pods(track)
        for status in pod.status.container_statuses or []
        if status.state.waiting
    ]
    return any(reason in ("ErrImagePull", "ImagePullBackOff") for reason in waiting)
