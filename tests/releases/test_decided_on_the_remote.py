"""What a pushed decision rests on: the remote's tree alone, whatever the files of the clone say."""

from __future__ import annotations

from pathlib import Path

import pytest
from git_repositories import Repository
from stories import APP, Operator

PROD, DEV = f"prod/{APP}", f"dev/{APP}"


@pytest.fixture
def behind(olivia: Operator, tmp_path: Path) -> Repository:
    """Somebody else's clone, which nobody brings along."""
    there = tmp_path / "behind"
    Repository(tmp_path).git("clone", "--quiet", str(tmp_path / "origin.git"), str(there))
    return Repository(there)


def test_objects_are_checked_with_the_schemas_of_the_tree_that_is_decided_on(olivia: Operator) -> None:
    schemas = sorted((olivia.clone.root / "schemas" / "custom-resources").rglob("httproute*"))
    assert schemas
    for file in schemas:
        file.write_text("half of a pull", encoding="utf-8")
    assert "not JSON" in olivia.run("promote", DEV, "1.1.0", "--dry-run", code=1).err
    assert "pass        objects:" in olivia.change("promote", DEV, "1.1.0", "--dry-run").out
    olivia.clone.commit("Half of a pull")
    olivia.clone.git("push", "--quiet")
    olivia.clone.git("checkout", "--quiet", "HEAD^", "--", "schemas")
    assert "not JSON" in olivia.change("promote", DEV, "1.1.0", "--dry-run", code=1).err


def test_the_values_of_that_time_are_those_of_the_remote_s_history(olivia: Operator, behind: Repository) -> None:
    olivia.new_bundle("1.2.0")
    olivia.change("promote", PROD, "1.1.0", "--break-glass", "this is about what comes after")
    olivia.steps_until("prod", v1_1_0=100)
    olivia.change("promote", PROD, "1.2.0", "--break-glass", "this is about what comes after")
    olivia.steps_until("prod", v1_2_0=100)
    olivia.clone = behind
    said = olivia.change("rollback", PROD, "--dry-run", "--observation", _seen(olivia, behind)).everything
    assert "1.1.0 comes back with the values that it had in" in said


def _seen(olivia: Operator, behind: Repository) -> str:
    """What is live now, of which the clone knows nothing yet."""
    head = behind.head
    behind.git("pull", "--quiet")
    file = olivia.observe("prod")
    behind.git("reset", "--quiet", "--hard", head)
    return file


def test_a_release_of_the_chart_looks_for_links_where_it_is_made(olivia: Operator, behind: Repository) -> None:
    link = olivia.clone.root / "charts" / "bento-serving" / "templates" / "mine.yaml"
    link.symlink_to("/etc/hostname")
    assert "mine.yaml: a chart has no symbolic links" in olivia.run("chart", "release", "0.9.0", "--dry-run", code=4).err
    olivia.run("chart", "release", "0.9.0", "--push", "--dry-run")
    olivia.clone.commit("A link")
    olivia.clone.git("push", "--quiet")
    olivia.clone = behind
    said = olivia.run("chart", "release", "0.9.0", "--push", "--dry-run", code=4).err
    assert "charts/bento-serving/templates/mine.yaml: a chart has no symbolic links" in said


def test_a_number_of_an_override_is_the_one_that_was_counted_here_or_none(olivia: Operator, behind: Repository) -> None:
    """Between `list` and `end`, somebody else ended the first and set another one."""
    first, second, third = (
        f"services.{name}.scaling.min_replicas" for name in ("EmbeddingRunner", "SupportTickets", "ClassifierRunner")
    )

    def sets(setting: str) -> None:
        olivia.change("override", "set", PROD, setting, "--for", "8h", "--reason", "a launch")

    sets(f"{first}=4")
    sets(f"{second}=5")
    behind.git("pull", "--quiet")
    olivia.change("override", "end", PROD, "1")
    sets(f"{third}=3")
    olivia.clone = behind
    said = olivia.change("override", "end", PROD, "2", code=4).err
    assert (
        f"override 2 of your files is another one where this is decided (found {second}=5 in your files, {third}=3 there)" in said
    )
    assert f"override 1 is ended: {second}=5" in olivia.change("override", "end", PROD, second).out
    assert "1 is ended" in olivia.change("override", "end", PROD, "1").out, "this clone is brought along, so its numbers count"
