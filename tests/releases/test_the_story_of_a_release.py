"""From a bundle in dev to all requests in prod, and every way back, on real Git repositories."""

from __future__ import annotations

from stories import APP, Operator, stale_commits

PROD = f"prod/{APP}"


def test_a_bundle_goes_from_dev_to_prod_fails_there_and_comes_again(olivia: Operator) -> None:
    """The long way: soak, canary, bad metrics, abort, and the second time to the end."""
    olivia.change("promote", f"dev/{APP}", "1.1.0", "--reason", "try it")
    assert olivia.state("dev") == ("steady", {"1.1.0": 100}), "dev puts it there at once"

    unproved = olivia.change("promote", f"staging/{APP}", code=4)
    assert "gate verified: does not pass (found no evidence in dev)" in unproved.err
    olivia.record("dev")
    olivia.change("promote", f"staging/{APP}")
    assert olivia.state("staging") == ("staged", {"1.0.0": 100})
    done = olivia.steps_until("staging", v1_1_0=100)
    assert "gets pods for 100 %" in done[0] and "from 0 % to 100 %" in done[1], done
    assert olivia.state("staging") == ("steady", {"1.1.0": 100})

    olivia.record("staging")
    olivia.later(hours=3)
    olivia.record("staging")
    early = olivia.change("promote", PROD, code=4)
    # It had all requests for eight minutes before it was stable: that was seen, and counts.
    assert "gate soak: does not pass (found seen running in staging for 3h8m of 24h)" in early.err
    assert "wait 20h52m more" in early.err
    assert olivia.state("prod") == ("steady", {"1.0.0": 100}), "nothing was written"

    olivia.later(hours=21)
    olivia.record("staging")
    olivia.change("promote", PROD, "--reason", "better on billing tickets")
    for bundle_weight in (1, 5, 25):
        olivia.steps_until("prod", v1_0_0=100 - bundle_weight, v1_1_0=bundle_weight)

    bad = olivia.step("prod", errors=0.2)
    assert "all requests go to blue (1.0.0); 1.1.0 is held" in bad.out
    assert olivia.state("prod") == ("steady", {"1.0.0": 100})
    held = olivia.change("promote", PROD, code=4)
    assert "bundle 1.1.0 is held here (found by Olivia Operator <olivia@example.com>" in held.err
    assert "20 % of 1000 requests fail" in held.err

    olivia.later(minutes=5)
    olivia.change("unhold", PROD, "1.1.0", "--reason", "the errors were the database's")
    olivia.change("promote", PROD)
    release = olivia.release("prod")
    assert release.candidate == "amber", "green still drains as standby"
    olivia.steps_until("prod", v1_1_0=100)
    release = olivia.release("prod")
    assert (release.stable, release.previous and release.previous.bundle) == ("amber", "1.0.0")
    assert release.standby and (release.standby.track, release.standby.capacity) == ("blue", "full")

    history = olivia.run("history", PROD).out
    for word in ("promote", "prepare", "shift", "abort", "unhold", "finish", "the errors were the database's"):
        assert word in history
    assert stale_commits(olivia.clone) == []
    assert olivia.clone.status == ""
    assert "# what everything began with" in (olivia.clone.text(f"environments/prod/{APP}/release.yaml") or "")


def test_a_hotfix_comes_before_a_canary_and_rollback_is_one_commit_with_a_standby_and_two_without(olivia: Operator) -> None:
    for tag in ("1.1.1", "1.2.0"):
        olivia.new_bundle(tag)
    olivia.prove("1.2.0")
    olivia.prove("1.1.1")
    # What runs in staging now is 1.1.1; evidence of 1.2.0 stays, for its values there are what they were.
    olivia.change("promote", PROD, "1.2.0")
    olivia.steps_until("prod", v1_0_0=95, v1_2_0=5)

    busy = olivia.change("promote", PROD, "1.1.1", code=4)
    assert "canary abort prod/support-tickets" in busy.err and "--no-hold" in busy.err
    olivia.change("canary", "abort", PROD, "--no-hold", "--reason", "hotfix 1.1.1 first")
    assert olivia.release("prod").held is None
    olivia.change("promote", PROD, "1.1.1")
    assert olivia.release("prod").candidate == "amber"
    olivia.steps_until("prod", v1_1_1=100)

    back = olivia.change("rollback", PROD, "--reason", "3 a.m.: customers see wrong queues")
    assert "all requests go to blue (1.0.0); 1.1.1 is held" in back.out
    assert olivia.state("prod") == ("steady", {"1.0.0": 100})
    again = olivia.change("rollback", PROD, code=4)
    assert "1.1.1 is held" in again.err, "a second rollback must not bring back what was bad"

    olivia.change("unhold", PROD, "1.1.1", "--reason", "it was the upstream feed")
    olivia.later(hours=2)
    assert "amber (1.1.1)" in olivia.step("prod").out, "the standby is past its end"
    first = olivia.change("rollback", PROD, "--no-hold", "--reason", "1.0.0 is slower")
    assert "1 of 2: 1.1.1 gets pods for all requests" in first.out
    assert f"next: bento-gitops rollback {PROD} --pods-are-ready" in first.out
    assert olivia.state("prod") == ("staged", {"1.0.0": 100}), "no request meets pods that are not there"
    olivia.later(minutes=1)
    waiting = olivia.observe("prod")
    pods = olivia.pods("prod", olivia.release("prod").candidate or "")
    assert pods == olivia.pods("prod", "blue") | {"ClassifierRunner": pods["ClassifierRunner"]}
    second = olivia.change("rollback", PROD, "--observation", waiting)
    assert "2 of 2: all requests go to" in second.out
    assert olivia.state("prod") == ("steady", {"1.1.1": 100})
    assert stale_commits(olivia.clone) == []


def test_a_renamed_service_can_be_rolled_out_and_back(olivia: Operator) -> None:
    olivia.new_bundle("2.0.0", ("EmbeddingRunner", "Embedder"))
    told = olivia.change("promote", PROD, "2.0.0", "--break-glass", "the story is about names")
    assert "prod/support-tickets: 2.0.0 is the candidate" in told.out
    glass = olivia.release("prod").break_glass
    assert glass and glass.gates == ["verified", "soak"]
    olivia.steps_until("prod", v2_0_0=100)
    assert set(olivia.pods("prod", olivia.release("prod").stable)) == {"SupportTickets", "Embedder", "ClassifierRunner"}
    olivia.change("rollback", PROD)
    assert olivia.state("prod") == ("steady", {"1.0.0": 100})
    assert stale_commits(olivia.clone) == []


def test_no_gate_is_passed_in_a_freeze_without_breaking_the_glass_and_history_remembers_who_did(olivia: Operator) -> None:
    olivia.prove("1.1.0")
    olivia.later(days=39)
    frozen = olivia.change("promote", PROD, code=4)
    assert "gate freeze: does not pass (found frozen until 2027-01-02 00:00 UTC: end of year)" in frozen.err
    olivia.change("promote", PROD, "--break-glass", "the old one leaks memory")
    told = olivia.run("history", PROD, "-n", "1").out
    assert "GATES PASSED OVER: the old one leaks memory" in told
    assert "gates were passed over (freeze)" in olivia.run("status", PROD).err


def test_an_application_is_retired_in_two_parts(olivia: Operator) -> None:
    target = f"dev/{APP}"
    olivia.change("retire", target, "--reason", "replaced by search")
    values = olivia.clone.text(f"environments/dev/{APP}/values.yaml") or ""
    assert "closed: true" in values
    soon = olivia.change("retire", target, code=4)
    assert "gate drained: does not pass (found routes closed for 0s of 5m)" in soon.err
    olivia.later(minutes=6)
    busy = olivia.observe("dev", tracks={"blue": {"bundle": "1.0.0", "requests_per_minute": 3}})
    assert "blue 3 a minute" in olivia.change("retire", target, "--observation", busy, code=4).err
    olivia.change("retire", target)
    assert not (olivia.clone.root / "environments" / "dev" / APP).exists()
    assert "retired" in olivia.clone.git("log", "-1", "--format=%B")
    assert olivia.run("history", target).out.count("retire") >= 1
