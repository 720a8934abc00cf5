"""`bundle verify`: what a bundle file must be, and that none changes once Git has it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from running import Run

IMAGE = f"registry.example.com/a@sha256:{'a' * 64}"
PATH = "bundles/tickets/1.1.0.yaml"

RELEASE = """\
apiVersion: bento-gitops/v1
kind: Release
stable: blue
tracks:
  blue: {bundle: "1.0.0", weight: 100}
since: 2026-11-01T10:20:00Z
previous: {bundle: "1.1.0"}
"""


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def fleet(run: Run, inspected: dict[str, Any], tmp_path: Path) -> Path:
    """A repository whose only commit has one bundle."""
    (tmp_path / "inspection.json").write_text(json.dumps(inspected))
    ran = run("bundle", "create", "--application", "tickets", "--inspection", tmp_path / "inspection.json", "--image", IMAGE)
    assert ran.code == 0, ran.err
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "bundles")
    git(tmp_path, "commit", "-q", "-m", "a bundle")
    return tmp_path


def edit(fleet: Path, before: str, after: str) -> None:
    text = (fleet / PATH).read_text()
    assert before in text
    (fleet / PATH).write_text(text.replace(before, after, 1))


def test_what_create_wrote_is_in_order(fleet: Path, run: Run) -> None:
    assert run("bundle", "verify").out == "1 bundles in order; not compared with Git (--base REF does)\n"
    assert (
        run("bundle", "verify", "tickets", "1.1.0", "--base", "HEAD").out
        == "1 bundles in order; 1 compared with HEAD, unchanged\n"
    )
    assert json.loads(run("bundle", "verify", "--base", "HEAD", "--json").out) == {
        "bundles": [PATH],
        "base": "HEAD",
        "compared": 1,
    }


@pytest.mark.parametrize(
    ("before", "after", "pointer", "error"),
    [
        ("memory: 512Mi", "memory: 1Gi", "services.SupportTicketIntelligence.resources.memory", "was 512Mi at HEAD (found 1Gi)"),
        ("created: 20", "created: 19", "created", "[bundle-changed] was 20"),
        ("a" * 64, "b" * 64, "image.digest", f"was sha256:{'a' * 64} at HEAD"),
    ],
)
def test_a_changed_bundle_is_refused(fleet: Path, run: Run, before: str, after: str, pointer: str, error: str) -> None:
    edit(fleet, before, after)
    assert run("bundle", "verify").code == 0, "without a base nobody can know"
    ran = run("bundle", "verify", "--base", "HEAD")
    assert ran.code == 4
    assert f"{PATH}: {pointer}: [bundle-changed]" in ran.err
    assert error in ran.err
    assert f"git checkout HEAD -- {PATH}" in ran.err


def test_a_comment_changes_no_bundle(fleet: Path, run: Run) -> None:
    edit(fleet, "kind: Bundle", "kind: Bundle  # one of ours")
    assert run("bundle", "verify", "--base", "HEAD").code == 0


def test_a_new_bundle_needs_no_past(fleet: Path, run: Run) -> None:
    ran = run(
        "bundle",
        "create",
        "--application",
        "tickets",
        "--tag",
        "2.0.0",
        "--inspection",
        fleet / "inspection.json",
        "--image",
        IMAGE,
    )
    assert ran.code == 0
    assert run("bundle", "verify", "--base", "HEAD").out == "2 bundles in order; 1 compared with HEAD, unchanged\n"


def test_a_bundle_may_go_once_no_release_names_it(fleet: Path, run: Run) -> None:
    (fleet / PATH).unlink()
    assert run("bundle", "verify", "--base", "HEAD").code == 0
    release = fleet / "environments" / "prod" / "tickets" / "release.yaml"
    release.parent.mkdir(parents=True)
    release.write_text(RELEASE)
    ran = run("bundle", "verify", "--base", "HEAD")
    assert ran.code == 4
    assert f"{PATH}: [bundle-deleted] is gone, but releases name it (found environments/prod/tickets/release.yaml)" in ran.err
    release.write_text(RELEASE.replace("1.1.0", "0.9.0"))
    assert run("bundle", "verify", "--base", "HEAD").code == 0


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        ("application: tickets", "application: other", ": application: is not the folder's name (found 'other')"),
        ('tag: "1.1.0"', 'tag: "1.2.0"', ": tag: is not the file's name (found '1.2.0')"),
        (
            "entry: SupportTicketIntelligence",
            "entry: Nobody",
            ": entry: no such service in this bundle (found 'Nobody')",
        ),
        (
            "resources: {cpu: 250m",
            "dependencies: [SupportTicketIntelligence]\n    resources: {cpu: 250m",
            ": services: [dependency-cycle]",
        ),
        (
            "workers: 1",
            "wrokers: 1",
            ": services.SupportTicketIntelligence.wrokers: no such key (found 'wrokers'); did you mean 'workers'?",
        ),
        ("image: {", "image: {tag: x, ", ": image.tag: no such key"),
    ],
)
def test_a_bundle_that_is_wrong_in_itself_is_refused(fleet: Path, run: Run, before: str, after: str, error: str) -> None:
    edit(fleet, before, after)
    ran = run("bundle", "verify")
    assert ran.code == 1
    assert error in ran.err
    assert ran.err.startswith(PATH)


def test_a_file_that_is_no_bundle_is_named(fleet: Path, run: Run) -> None:
    (fleet / "bundles" / "tickets" / "1.2.0.yml").write_text("x: 1\n")
    ran = run("bundle", "verify")
    assert ran.code == 1
    assert ran.err.startswith("bundles/tickets/1.2.0.yml: is no bundle;")


def test_a_base_that_git_does_not_know_is_told(fleet: Path, run: Run) -> None:
    ran = run("bundle", "verify", "--base", "no-such-ref")
    assert ran.code == 5
    assert "no-such-ref" in ran.err
