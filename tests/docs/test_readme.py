"""README.md: short, its commands real, its links leading somewhere."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^    (?:\$ )?(?:\.venv/bin/)?(bento-gitops|make|helm)( [^#\n]*)?", re.MULTILINE)


def commands(program: str) -> list[str]:
    """The commands of a program that stand in indented blocks, without their comments."""
    return [f"{found[2] or ''}".strip() for found in COMMAND.finditer(README) if found[1] == program]


def gitops(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    start = [sys.executable, "-c", "from bento_gitops.cli.main import main; main()", "--root", str(root), *words]
    return subprocess.run(start, capture_output=True, text=True, check=False)


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 150


@pytest.mark.parametrize("target", sorted({words.split()[0] for words in commands("make") if words}))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    if target == "example" and not (ROOT / "examples").is_dir():
        return  # a fork without the example; its README says so or is its own
    done = subprocess.run(["make", "-C", str(ROOT), "-n", target], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("words", commands("bento-gitops"))
def test_every_command_of_the_readme_works(words: str, tmp_path: Path) -> None:
    """For real on a copy, where the application that the README speaks of is there; else its verb and options are known."""
    verb, *rest = shlex.split(words)
    if not (ROOT / "environments/prod/support-ticket-intelligence").is_dir():
        known = gitops(ROOT, verb, *(["show"] if verb == "bundle" else []), "--help")
        assert known.returncode == 0, known.stderr
        assert all(word in known.stdout for word in rest if word.startswith("--"))
        return
    for folder in ("applications", "bundles", "charts", "environments", "schemas"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    done = gitops(tmp_path, verb, *rest)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" in target or (target.startswith("examples/") and not (ROOT / "examples").is_dir()):
            continue
        assert (page.parent / target).exists(), target
