"""`python -m benchmarks.policies`: what judging objects by the repository's policies costs, beside compiling for each object."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bento_gitops.checking.kubernetes_schemas import VERSIONS
from bento_gitops.checking.objects import Object
from bento_gitops.checking.policies import Policies
from bento_gitops.checking.rendered import read
from bento_gitops.cli.console import line, table
from bento_gitops.operations.manifests import render_objects
from bento_gitops.repository.files import WorkingTree
from bento_gitops.repository.policies import policies_of

from benchmarks import made_up_fleet
from benchmarks.measuring import median

REPOSITORY = Path(__file__).resolve().parents[1]
COMMAND = str(Path(sys.executable).with_name("bento-gitops"))
WANTED = 10_000
"""Evaluations: one validation of one policy on one object."""
PARAMETERS = {"registries": "registry.example.com", "maxCpu": "16", "maxMemory": "64Gi", "minReplicas": "2", "maxReplicas": "50"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.policies", description="Times policies judged offline.")
    parser.add_argument("--applications", type=int, default=25, help="applications in each of the four environments (25)")
    parser.add_argument("--times", type=int, default=3, help="runs of which the median counts (3)")
    options = parser.parse_args()
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    line(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, load average {load} before the start")
    with tempfile.TemporaryDirectory(prefix="bento-gitops-bench-") as scratch:
        root = Path(scratch)
        made_up_fleet.write(root, options.applications, REPOSITORY)
        median([COMMAND, "-C", str(root), "render"], 1)
        _evaluations(_objects(root), options.times)
        _validate(root, options.applications, options.times)


def _objects(root: Path) -> list[Object]:
    """Those of one environment, as the chart renders them."""
    files = sorted(root.glob("environments/prod/*/values.yaml"))
    texts = {f"prod/{file.parent.name}": file.read_text() for file in files}
    rendering = render_objects(texts, dict.fromkeys(texts, root / "charts/bento-serving"), "helm", VERSIONS[-1])
    return [item for documents in rendering.documents.values() for item in map(read, documents) if item]


def _evaluations(objects: Sequence[Object], times: int) -> None:
    started = time.perf_counter()
    policies = policies_of(WorkingTree(REPOSITORY))
    compiled = time.perf_counter() - started
    chosen, number = _enough(objects, policies)

    def once_compiled() -> None:
        for item in chosen:
            policies.judge(item, PARAMETERS)

    # A fiftieth is enough to tell what the peer takes for each.
    few, fewer = _enough(objects, policies, WANTED // 50)
    peer_policies = [policy.name for policy in policies.offline]

    def for_each_object() -> None:
        for item in few:
            policies_of(WorkingTree(REPOSITORY)).judge(item, PARAMETERS)

    seconds, peer = _cpu(once_compiled, times), _cpu(for_each_object, 1)
    line("")
    line(f"{len(peer_policies)} policies read and compiled: {compiled:.2f} s, once a command")
    rows = [
        ["compiled once (this)", str(number), f"{seconds:.2f}", f"{1e6 * seconds / number:.0f}", "1.0"],
        [
            "read and compiled for each object (peer)",
            str(fewer),
            f"{peer:.2f}",
            f"{1e6 * peer / fewer:.0f}",
            f"{(peer / fewer) / (seconds / number):.0f}",
        ],
    ]
    table(["WHAT", "EVALUATIONS", "CPU SECONDS", "MICROSECONDS EACH", "PEER / THIS"], rows, right=["EVALUATIONS", "CPU SECONDS"])
    line(f"{WANTED} evaluations: {WANTED * seconds / number:.2f} CPU s, on {len(chosen)} objects as the chart renders them")


def _enough(objects: Sequence[Object], policies: Policies, wanted: int = WANTED) -> tuple[list[Object], int]:
    """Objects, from the first again where they end, for as many evaluations."""
    chosen: list[Object] = []
    number = 0
    while number < wanted:
        item = objects[len(chosen) % len(objects)]
        chosen.append(item)
        number += policies.expressions(item)
    return chosen, number


def _cpu(work: Callable[[], None], times: int) -> float:
    """The median of the processor's seconds: others may work on this machine too."""
    taken: list[float] = []
    for _ in range(times):
        started = time.process_time()
        work()
        taken.append(time.process_time() - started)
    return sorted(taken)[len(taken) // 2]


def _validate(root: Path, applications: int, times: int) -> None:
    command = [COMMAND, "-C", str(root), "validate"]
    shutil.rmtree(root / "policies", ignore_errors=True)
    without = median(command, times)
    shutil.copytree(REPOSITORY / "policies", root / "policies")
    held = median(command, times)
    number = applications * len(made_up_fleet.ENVIRONMENTS)
    rows: Mapping[str, Sequence[str]] = {
        name: [name, f"{cost.seconds:.2f}", f"{cost.cpu:.2f}", f"{cost.peak / 1e6:.0f}"]
        for name, cost in (("without policies", without), ("with policies", held))
    }
    line("")
    line(f"validate of {number} applications and environments")
    table(["VALIDATE", "SECONDS", "CPU SECONDS", "PEAK MB"], list(rows.values()), right=["SECONDS", "CPU SECONDS", "PEAK MB"])


if __name__ == "__main__":
    main()
