"""What a command may load: the order of the package's parts, and a light start-up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = (
    "kubernetes",
    "aiohttp",
    "scipy",
    "numpy",
    "pygal",
    "hypothesis",
    "pytest",
    "jsonschema_rs",
    "kubernetes_validate",
    "requests",
)
ONLY_FOR_WORK = ("yaml", "bento_gitops.operations", "bento_gitops.layers", "bento_gitops.model.base")


def test_each_part_of_the_package_imports_only_what_is_below_it(tmp_path) -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--cache-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


def _loaded(*arguments: str) -> set[str]:
    code = (
        "import sys; from bento_gitops.cli.main import main; sys.argv = ['bento-gitops', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit as end:\n"
        "    if end.code not in (0, None): raise\n"
        "print('LOADED', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.rpartition("LOADED ")[2].split())


@pytest.mark.parametrize("arguments", [("--help",), ("render", "--help"), ("explain", "--help")])
def test_help_loads_no_library_that_only_commands_need(arguments: tuple[str, ...]) -> None:
    loaded = _loaded(*arguments)
    assert loaded.isdisjoint((*HEAVY, *ONLY_FOR_WORK))
    assert "bento_gitops.cli.render" in loaded


@pytest.mark.parametrize("arguments", [("render",), ("explain", "prod/support-tickets")])
def test_render_and_explain_load_no_library_for_clusters_schemas_or_templates(fleet, arguments: tuple[str, ...]) -> None:
    loaded = _loaded("-C", str(fleet.root), *arguments)
    assert loaded.isdisjoint(HEAVY)
    assert "bento_gitops.layers.merging" in loaded
