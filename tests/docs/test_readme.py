"""README.md: short, its commands real, its links leading somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from commands import called

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLE = (ROOT / "examples/support_ticket_intelligence/service.py").is_file()
COMMAND = re.compile(r"^    (?:\$ )?(?:\.venv/bin/)?(bento-gitops|make|helm)( [^#\n]*)?", re.MULTILINE)
LOOKING = ("verify", "replay", "observe", "tune", "canary run", "live ", "status prod --live")
"""They look at a cluster, or start a Bento: tests of their own do that."""


def commands(program: str) -> list[str]:
    """The commands of a program that stand in indented blocks, without their comments."""
    return [f"{found[2] or ''}".strip() for found in COMMAND.finditer(README) if found[1] == program]


def gitops(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return called(root, *words)


def committed(root: Path) -> None:
    """Everything in a Git repository of its own."""
    who = ("-c", "user.name=Reader", "-c", "user.email=reader@example.com")
    for words in (("init", "--quiet"), ("add", "--all"), (*who, "commit", "--quiet", "--message", "As the README tells it")):
        subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=True)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150


@pytest.mark.parametrize("target", sorted({words.split()[0] for words in commands("make") if words}))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    if target == "example" and not EXAMPLE:
        return  # a fork without the example; its README says so or is its own
    listed = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^make {target} ", listed, re.MULTILINE), listed


@pytest.mark.parametrize("words", [words for words in commands("bento-gitops") if words.startswith(LOOKING)])
def test_every_command_of_the_readme_that_wants_something_running_knows_its_options(words: str) -> None:
    done = gitops(ROOT, *shlex.split(words.replace(" ...", "")), "--help")
    assert done.returncode == 0 and "Usage: " in done.stdout, f"{words}\n{done.stdout}\n{done.stderr}"
    wrong = gitops(ROOT, *shlex.split(words.replace(" ...", "")), "--no-such-option", "--help")
    assert wrong.returncode == 2, "an option that is not there would be seen"


@pytest.mark.parametrize("words", [words for words in commands("bento-gitops") if not words.startswith(LOOKING)])
def test_every_command_of_the_readme_works(words: str, tmp_path: Path) -> None:
    """On the fleet that tests use, whose application has another name: what a fork runs is its own business."""
    shutil.copytree(ROOT / "tests/fleet", tmp_path, dirs_exist_ok=True)
    for folder in ("charts", "schemas"):
        shutil.copytree(ROOT / folder, tmp_path / folder, dirs_exist_ok=True)
    # As the README tells it: dev runs 1.1.0, and the pods of prod's candidate are for a quarter of the requests.
    for environment, old, new in (("dev", '"1.0.0"', '"1.1.0"'), ("prod", "ready_for: 10", "ready_for: 25")):
        release = tmp_path / "environments" / environment / "support-tickets" / "release.yaml"
        release.write_text(release.read_text("utf-8").replace(old, new), "utf-8")
    gitops(tmp_path, "render")
    committed(tmp_path)
    done = gitops(tmp_path, *shlex.split(words.replace("support-ticket-intelligence", "support-tickets")))
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" in target or (target.startswith("examples/") and not EXAMPLE):
            continue
        assert (page.parent / target).exists(), target
