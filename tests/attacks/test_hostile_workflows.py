"""A workflow that reaches for secrets breaks a rule with a name; the project's own break none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from workflow_rules import RULES

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HOSTILE = sorted(path.name for path in (HERE / "workflows").iterdir())
OWN = sorted(path.name for path in (ROOT / ".github" / "workflows").glob("*.y*ml"))


def read(path: Path) -> dict[str, Any]:
    # YAML 1.1 takes the key `on` for a truth; GitHub does not.
    said = yaml.safe_load(path.read_text("utf-8"))
    return {"on" if key is True else key: value for key, value in said.items()}


def broken(workflow: dict[str, Any]) -> set[str]:
    return {name for name, rule in RULES.items() if list(rule(workflow))}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_workflow_breaks_the_rule_that_it_names(name: str, record_property: Callable[[str, object], None]) -> None:
    path = HERE / "workflows" / name
    rule = path.read_text("utf-8").partition("\n")[0].removeprefix("# breaks: ")
    record_property("attack", f"workflow {name.removesuffix('.yml')} | {rule} | tests/attacks/workflow_rules.py")
    assert rule in broken(read(path))
    assert broken(read(path)) <= {rule, "secrets-of-an-environment"}, "an attack tries one thing"


@pytest.mark.parametrize("name", OWN)
def test_a_workflow_of_the_project_breaks_none(name: str) -> None:
    said = read(ROOT / ".github" / "workflows" / name)
    assert [line for rule in RULES.values() for line in rule(said)] == []


def test_every_rule_is_tried() -> None:
    tried = {(HERE / "workflows" / name).read_text("utf-8").partition("\n")[0].removeprefix("# breaks: ") for name in HOSTILE}
    assert tried == set(RULES)
