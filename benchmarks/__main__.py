"""`python -m benchmarks`: one run that prints every figure, with what it was measured on and beside the peer."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bento_gitops.cli.console import line, table
from bento_gitops.tools.binaries import find

from benchmarks import made_up_fleet
from benchmarks.measuring import Cost, fitted, median, once, several

REPOSITORY = Path(__file__).resolve().parents[1]
COMMAND = str(Path(sys.executable).with_name("bento-gitops"))
SAMPLE = 40
"""Applications that the peer renders first, to tell how long all of them would take."""
LONGEST = 60
"""Seconds for which the peer may work on all; beyond, the sample is scaled."""
VALIDATED = 25
IDENTITY = ("-c", "user.name=Bench", "-c", "user.email=bench@example.com")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Times render and validate beside the helm CLI.")
    parser.add_argument("--applications", type=int, default=100, help="applications in each of the four environments (100)")
    parser.add_argument("--times", type=int, default=3, help="runs of which the median counts (3)")
    parser.add_argument("--profile", action="store_true", help="instead: where one process spends its time in `render --check`")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bento-gitops-bench-") as scratch:
        if options.profile:
            _profile(_fleet(Path(scratch), options.applications))
        else:
            _measure(Path(scratch), options.applications, options.times)


def _measure(scratch: Path, applications: int, times: int) -> None:
    environments = len(made_up_fleet.ENVIRONMENTS)
    load = ", ".join(f"{number:.1f}" for number in os.getloadavg())
    line(f"{os.cpu_count()} processors, Python {sys.version.split()[0]}, load average {load} before the start")
    line(f"median of {times} runs unless it says otherwise")
    sizes = sorted({max(1, applications // 4), max(1, applications // 2), applications})
    fleets = {size: _fleet(scratch, size) for size in sizes}
    root = fleets[applications]

    checks = {size: median([COMMAND, "-C", str(fleets[size]), "render", "--check"], times) for size in sizes}
    objects = median([COMMAND, "-C", str(root), "render", "--check", "--manifests", str(scratch / "manifests")], times)
    alone, alone_how = _peer(root, 1)
    paired, paired_how = _peer(root, 2)
    line("")
    line(f"{applications} applications x {environments} environments, 3 components on 2 tracks each")
    rows = [
        _row(
            "bento-gitops render --check",
            "sources -> values, compared with what is committed",
            checks[applications],
            alone,
            paired,
        ),
        _row("bento-gitops render --manifests", "sources -> values -> objects", objects, alone, paired),
        _row("helm template, one at a time", f"committed values -> objects; {alone_how}", alone, alone, paired),
        _row("helm template, two at a time", f"committed values -> objects; {paired_how}", paired, alone, paired),
    ]
    headings = ["WHAT", "DOES", "SECONDS", "CPU SECONDS", "PEAK MB", "HELM / THIS", "BY TWOS / THIS", "CPU: HELM / THIS"]
    table(headings, rows, right=headings[2:])
    line("Peak: the largest single process; `render --check` has one process for each processor, eight at most.")

    line("")
    growth = [
        [str(size), str(size * environments), f"{cost.seconds:.2f}", f"{cost.cpu:.2f}", f"{1000 * cost.seconds / size:.1f}"]
        for size, cost in checks.items()
    ]
    headings = ["APPLICATIONS", "WITH ENVIRONMENTS", "SECONDS", "CPU SECONDS", "MS AN APPLICATION"]
    table(headings, growth, right=headings)
    if len(sizes) > 2:
        for name, points in (
            ("seconds", [(size, cost.seconds) for size, cost in checks.items()]),
            ("CPU seconds", [(size, cost.cpu) for size, cost in checks.items()]),
        ):
            fit = fitted(points)
            formula = f"{fit.start:.2f} + {1000 * fit.each:.1f} ms x applications"
            line(f"{name} = {formula}; the farthest from this line is off by {100 * fit.deviation:.0f} %")

    line("")
    target = sorted(path.parent for path in root.glob("environments/prod/*/release.yaml"))[0]
    one = median([COMMAND, "-C", str(root), "render", "--check", f"prod/{target.name}"], 3 * times)
    python = median([sys.executable, "-c", "pass"], 3 * times)
    imports = "import bento_gitops.cli.main, bento_gitops.operations.render"
    imported = median([sys.executable, "-c", imports], 3 * times)
    line(
        f"render of one application: {one.seconds:.2f} s ({python.seconds:.2f} s Python's start, "
        f"{imported.seconds - python.seconds:.2f} s imports), {one.cpu:.2f} CPU s, {one.peak / 1e6:.0f} MB"
    )

    few = _fleet(scratch / "validated", min(VALIDATED, applications))
    number = min(VALIDATED, applications) * environments
    checked = median([COMMAND, "-C", str(few), "validate"], times)
    scaled = checked.seconds * applications * environments / number
    line(
        f"validate of {number} (schemas of four Kubernetes versions, references): {checked.seconds:.1f} s, "
        f"{checked.cpu:.1f} CPU s, {checked.peak / 1e6:.0f} MB; scaled to {applications * environments}: {scaled:.1f} s"
    )

    line("")
    _releases(root, times)


def _releases(root: Path, times: int) -> None:
    """What a release command takes in this fleet, in Git, beside one `helm template` of the same application."""
    for command in (["init", "--quiet"], ["add", "--all"], [*IDENTITY, "commit", "--quiet", "--message", "Made up"]):
        subprocess.run(["git", "-C", str(root), *command], check=True, stdout=subprocess.DEVNULL)
    for name in ("name", "email"):
        subprocess.run(["git", "-C", str(root), "config", f"user.{name}", "bench@example.com"], check=True)
    names = sorted(path.parent.name for path in root.glob("environments/prod/*/release.yaml"))[: times + 2]
    helm, chart = str(find("helm")), str(root / "charts/bento-serving")
    values = root / "environments/prod" / names[0] / "values.yaml"
    alone = median([helm, "template", names[0], chart, "--values", str(values)], times)
    body = root.parent / "body.md"
    runs = {
        "rollback --commit": [["rollback", f"prod/{name}", "--commit"] for name in names],
        "promote --commit --pr-body": [
            ["promote", f"dev/{name}", "1.4.0", "--commit", "--pr-body", str(body), "--break-glass", "measured"] for name in names
        ],
    }
    rows: list[Sequence[str]] = []
    for what, commands in runs.items():
        costs = [once([COMMAND, "-C", str(root), *arguments]) for arguments in commands]
        seconds, cpu = (statistics.median(getattr(cost, name) for cost in costs) for name in ("seconds", "cpu"))
        peak = max(cost.peak for cost in costs)
        rows.append([what, f"{seconds:.2f}", f"{cpu:.2f}", f"{peak / 1e6:.0f}", f"{seconds / alone.seconds:.1f}"])
    rows.append(["helm template of one", f"{alone.seconds:.2f}", f"{alone.cpu:.2f}", f"{alone.peak / 1e6:.0f}", "1.0"])
    headings = ["RELEASE COMMAND", "SECONDS", "CPU SECONDS", "PEAK MB", "THIS / HELM"]
    table(headings, rows, right=headings[1:])
    line("rollback renders with Helm once, promote with a body three times: the new objects, and both sides of the review.")


def _fleet(scratch: Path, applications: int) -> Path:
    """A fleet on disk with its values rendered."""
    root = scratch / str(applications)
    made_up_fleet.write(root, applications, REPOSITORY)
    median([COMMAND, "-C", str(root), "render"], 1)
    return root


def _peer(root: Path, at_a_time: int) -> tuple[Cost, str]:
    """What `helm template` takes for every values.yaml, and how that was found out."""
    helm, chart = str(find("helm")), str(root / "charts/bento-serving")
    files = sorted(root.glob("environments/*/*/values.yaml"))
    commands = [[helm, "template", file.parent.name, chart, "--values", str(file)] for file in files]
    sample = commands[:: max(1, len(commands) // SAMPLE)][:SAMPLE]
    cost = several(sample, at_a_time)
    share = len(commands) / len(sample)
    if share * cost.seconds <= LONGEST:
        return several(commands, at_a_time), f"all {len(commands)}, once"
    return Cost(cost.seconds * share, cost.cpu * share, cost.peak), f"scaled from {len(sample)} of {len(commands)}"


def _row(what: str, does: str, cost: Cost, alone: Cost, paired: Cost) -> Sequence[str]:
    ratios = (alone.seconds / cost.seconds, paired.seconds / cost.seconds, alone.cpu / cost.cpu)
    numbers = [f"{cost.seconds:.2f}", f"{cost.cpu:.2f}", f"{cost.peak / 1e6:.0f}", *(f"{ratio:.1f}" for ratio in ratios)]
    return [what, does, *numbers]


def _profile(root: Path) -> None:
    import cProfile
    import pstats

    from bento_gitops.operations.render import render
    from bento_gitops.repository.files import WorkingTree

    if hasattr(os, "sched_setaffinity"):
        # On one processor nothing is given to other processes, which a profile would not see.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    profile = cProfile.Profile()
    profile.runcall(render, WorkingTree(root), None)
    pstats.Stats(profile).strip_dirs().sort_stats("tottime").print_stats(30).sort_stats("cumulative").print_stats(30)


if __name__ == "__main__":
    main()
