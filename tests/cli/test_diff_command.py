"""`diff` and `cost` as people run them."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "environments/prod/support-tickets/config.yaml"


@pytest.fixture
def changed(fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The fleet with its chart in a commit, and a change in the working tree."""
    shutil.copytree(ROOT / "charts/bento-serving", fleet.root / "charts/bento-serving", dirs_exist_ok=True)
    for name in ("GIT_AUTHOR", "GIT_COMMITTER"):
        monkeypatch.setenv(f"{name}_NAME", "O")
        monkeypatch.setenv(f"{name}_EMAIL", "o@example.com")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run(["git", "-C", str(fleet.root), *arguments], check=True, timeout=60)
    fleet.change(CONFIG, "value: WARNING", "value: ERROR")
    fleet.change(CONFIG, "instance_type: cpu.small", "instance_type: cpu.large")
    return fleet


def test_diff_says_what_from_where_how_risky_how_much_and_how_back(changed, run) -> None:
    said = run("diff").stdout
    assert "services.SupportTickets.envs.LOG_LEVEL" in said
    assert f"{CONFIG}:7" in said
    assert "medium: pod restart" in said
    assert "cost: +511.00 EUR a month at the fewest pods, +2,452.80 at the most" in said
    assert "undo: Gives back every value as it was" in said
    assert "\n    git revert --no-commit -m 1 MERGE_COMMIT\n" in said
    assert "spec.template.spec.containers[bento].env[LOG_LEVEL].value" not in said
    assert "spec.template.spec.containers[bento].env[LOG_LEVEL].value: WARNING -> ERROR" in run("diff", "--full").stdout


def test_diff_as_markdown_is_the_body_of_a_pull_request(changed, run) -> None:
    said = run("diff", "prod", "--markdown").stdout
    assert said.startswith("<!-- bento-gitops:diff -->\n")
    assert "compared with `HEAD`" in said


def test_diff_as_json_is_one_document(changed, run) -> None:
    found = json.loads(run("diff", "prod/support-tickets", "--json").stdout)
    assert [one["application"] for one in found["applications"]] == ["support-tickets"]
    assert found["currency"] == "EUR"


def test_diff_of_nothing_says_so(changed, run) -> None:
    assert run("diff", "dev").stdout == "no object of any application changes, compared with HEAD\n"


def test_two_forms_at_once_are_wrong_usage(changed, run) -> None:
    run("diff", "--json", "--markdown", code=2)


def test_a_wrong_ref_fails_outside(changed, run) -> None:
    assert "nowhere" in run("diff", "--base", "nowhere", code=5).stderr


def test_cost_names_what_has_no_price(fleet, run) -> None:
    done = run("cost", "dev")
    assert "no price" in done.stdout
    assert "is in no total" in done.stderr
    found = json.loads(run("cost", "--by", "cost-center", "--json").stdout)
    assert [total["group"] for total in found["totals"]] == ["cc-1234"]
    assert found["all"]["month"]["most"] == 2219.2
