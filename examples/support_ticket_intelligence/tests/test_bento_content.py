"""Knows that a Bento holds what is served, all of it and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import yaml
from conftest import EXAMPLE


def imported(module: Path) -> set[Path]:
    """The example's modules that a module imports, and those that they import."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
    own = {EXAMPLE / f"{name}.py" for name in names if (EXAMPLE / f"{name}.py").exists()}
    return own.union(*map(imported, own))


def test_the_bento_includes_the_service_and_every_module_it_needs_and_nothing_else() -> None:
    service = EXAMPLE / "service.py"

    needed = {path.name for path in {service} | imported(service)} | {"requirements.txt"}

    assert set(yaml.safe_load((EXAMPLE / "bentofile.yaml").read_text())["include"]) == needed


def test_every_requirement_is_locked_with_its_hashes() -> None:
    for name in ("requirements.txt", "requirements-build.txt", "requirements-tokenizer.txt"):
        text = (EXAMPLE / name).read_text().replace("\\\n", " ")
        requirements = [line for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]
        assert requirements
        assert all("==" in line and "--hash=sha256:" in line for line in requirements), name
