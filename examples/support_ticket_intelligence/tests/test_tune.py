"""`bento-gitops tune` on the real encoder: run as the chart runs it, under load; and a deadline that is too early sheds."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from chart_served import APPLICATION, BENTO, ENVIRONMENT, HOME, RELEASE, ROOT, command
from make_load import as_lines, files

CONFIG = """\
apiVersion: bento-gitops/v1
kind: Config
services:
  EmbeddingRunner:
    apis: {encode: {batching: {max_batch_size: 32}}}
"""


def test_the_committed_load_is_what_the_generator_makes_byte_for_byte() -> None:
    for path, text in files().items():
        assert path.read_text() == text, "run 'python make_load.py'"


def test_a_request_of_the_load_has_one_to_four_tickets() -> None:
    sizes = {len(json.loads(line)["body"]["texts"]) for line in as_lines("/encode").splitlines()}

    assert sizes == {1, 2, 3, 4}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet with the built Bento: inspected, recorded, released."""
    fleet = tmp_path_factory.mktemp("fleet")
    shutil.copytree(ROOT / "charts/bento-serving", fleet / "charts/bento-serving")
    gitops = ROOT / ".venv/bin/bento-gitops"
    # Without what Pythons that ran the Bento may have left in it: a bundle of that is refused.
    shutil.copytree(BENTO, fleet / "bento", ignore=shutil.ignore_patterns("__pycache__"))
    inspected = command(gitops, "bundle", "inspect", "bento", "--python", sys.executable, "--bentoml-home", HOME, cwd=fleet)
    (fleet / "inspection.json").write_text(inspected)
    image = f"registry.example.com/ml/{APPLICATION}@sha256:{'0' * 64}"
    command(
        *(gitops, "bundle", "create", "--application", APPLICATION, "--inspection", "inspection.json", "--image", image),
        cwd=fleet,
    )
    folder = fleet / "environments/test" / APPLICATION
    folder.mkdir(parents=True)
    (folder.parent / "environment.yaml").write_text(ENVIRONMENT)
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "release.yaml").write_text(RELEASE)
    return fleet


def test_the_encoder_is_measured_and_an_early_deadline_sheds(fleet: Path) -> None:
    done = subprocess.run(
        [
            *(ROOT / ".venv/bin/bento-gitops", "tune", f"test/{APPLICATION}", "EmbeddingRunner", "--bento", "bento"),
            *("--bentoml-home", HOME, "--python", sys.executable, "--payloads", next(iter(files()))),
            *("--sizes", "32", "--latencies", "5", "--clients", "8", "--seconds", "2", "--repeat", "1", "--json"),
        ],
        cwd=fleet,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    early, now = told["cells"]
    assert (early["max_latency_ms"], now["max_latency_ms"], now["now"]) == (5, 2000, True)
    assert early["answers"]["503"] > 0.5 * sum(early["answers"].values())
    assert set(now["answers"]) == {"200"}
    assert now["requests_per_batch"] > 1
    assert now["items_per_second"] > now["requests_per_second"] > 1
    assert now["component_cpus"] > 0.1
    assert 0 < now["p50"] <= now["p95"] <= now["p99"]
    assert told["proposal"]["max_latency_ms"] == 2000
    assert any("deadline" in remark for remark in told["remarks"])
    assert not list((fleet / "bento").rglob("__pycache__")), "the Bento stays as it was built"
