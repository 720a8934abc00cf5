"""What `verify --record` writes down, and when it writes nothing."""

from __future__ import annotations

from stories import APP, Operator

PROD = f"prod/{APP}"


def test_nothing_is_pushed_where_git_is_not_live(olivia: Operator) -> None:
    checks = {"track": "blue", "passed": True, "checks": 12, "failed": []}
    file = olivia.observe("prod", verification=checks, weights={"blue": 75, "green": 25})
    head = olivia.clone.head
    said = olivia.change("verify", PROD, "--record", "--observation", file, code=4)
    assert "gate live: does not pass (found blue has 75 % live and 100 % in Git" in said.err
    assert olivia.clone.git("ls-remote", "origin", "main").split()[0] == head


def test_a_failed_check_is_evidence_against_the_bundle(olivia: Operator) -> None:
    file = olivia.observe("prod", verified=False)
    assert "commit: " in olivia.change("verify", PROD, "--record", "--observation", file, code=4).out
    assert "passed: false" in (olivia.clone.text(f"environments/{PROD}/evidence/1.0.0.yaml") or "")
