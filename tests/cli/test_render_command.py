"""`bento-gitops render`: its table, its exit codes, and what it writes and does not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TABLE = [
    "ENVIRONMENT APPLICATION TRACK BUNDLE WEIGHT REPLICAS VALUES",
    "dev support-tickets blue (stable) 1.0.0 100 % SupportTickets 1, EmbeddingRunner 1-2, ClassifierRunner 1-2 written",
    "prod support-tickets blue (stable) 1.0.0 90 % SupportTickets 3-12, EmbeddingRunner 6-8, ClassifierRunner 1-8 written",
    "green (candidate) 1.1.0 10 % SupportTickets 2-12, EmbeddingRunner 3-8, ClassifierRunner 2-8",
    "staging support-tickets blue (stable) 1.0.0 100 % SupportTickets 1, EmbeddingRunner 1-2, ClassifierRunner 1-2 written",
]
BEFORE_THE_END = ("--now", "2026-11-02T00:00:00Z")
"""While the override of prod still holds: no note about it."""


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def _table(word: str) -> list[str]:
    return [line.replace("written", word) for line in TABLE]


def _state(root: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


def test_render_tells_what_it_did_in_a_table(run, fleet) -> None:
    done = run("render", *BEFORE_THE_END)
    assert _lines(done.stdout) == TABLE
    assert done.stderr == ""
    assert set(fleet.generated()) == {"dev/support-tickets", "prod/support-tickets", "staging/support-tickets"}


def test_a_second_render_touches_no_file(run, fleet) -> None:
    run("render")
    before = _state(fleet.root)
    done = run("render", *BEFORE_THE_END)
    assert _lines(done.stdout) == _table("unchanged")
    assert _state(fleet.root) == before


def test_render_of_one_target_leaves_the_others_alone(run, fleet) -> None:
    run("render", "dev")
    assert set(fleet.generated()) == {"dev/support-tickets"}
    run("render", "prod/support-tickets")
    assert set(fleet.generated()) == {"dev/support-tickets", "prod/support-tickets"}


def test_check_shows_what_an_edit_by_hand_would_lose(run, fleet) -> None:
    run("render")
    values = "environments/dev/support-tickets/values.yaml"
    fleet.put(values, fleet.text(values).replace("LOG_LEVEL: DEBUG  # environment", "LOG_LEVEL: TRACE  # environment"))
    done = run("render", "--check", "dev", code=3)
    assert "-          LOG_LEVEL: TRACE  # environment" in done.stdout
    assert "+          LOG_LEVEL: DEBUG  # environment" in done.stdout


def test_check_of_stale_values_ends_with_3_and_writes_nothing(run, fleet) -> None:
    before = _state(fleet.root)
    done = run("render", "--check", *BEFORE_THE_END, code=3)
    assert _lines(done.stdout) == _table("stale")
    assert done.stderr == "3 of 3 values.yaml are not what their sources say; run `make render` and commit them\n"
    assert _state(fleet.root) == before


def test_check_of_fresh_values_ends_with_0(run) -> None:
    run("render")
    assert "stale" not in run("render", "--check").stdout


def test_one_changed_byte_is_stale(run, fleet) -> None:
    run("render")
    fleet.change("environments/dev/support-tickets/values.yaml", "stable: blue", "stable:  blue")
    done = run("render", "--check", "--json", code=3)
    assert [one["environment"] for one in json.loads(done.stdout) if one["changed"]] == ["dev"]


def test_json_is_one_document_that_says_the_same_as_the_table(run) -> None:
    document = json.loads(run("render", "prod", "--json", *BEFORE_THE_END).stdout)
    difference = document[0].pop("difference")
    assert difference[:2] == [
        "--- a/environments/prod/support-tickets/values.yaml",
        "+++ b/environments/prod/support-tickets/values.yaml",
    ]
    assert document == [
        {
            "environment": "prod",
            "application": "support-tickets",
            "values": "environments/prod/support-tickets/values.yaml",
            "changed": True,
            "tracks": [
                {
                    "track": "blue",
                    "role": "stable",
                    "bundle": "1.0.0",
                    "weight": 90,
                    "replicas": {"SupportTickets": "3-12", "EmbeddingRunner": "6-8", "ClassifierRunner": "1-8"},
                },
                {
                    "track": "green",
                    "role": "candidate",
                    "bundle": "1.1.0",
                    "weight": 10,
                    "replicas": {"SupportTickets": "2-12", "EmbeddingRunner": "3-8", "ClassifierRunner": "2-8"},
                },
            ],
            "notes": [],
        }
    ]


def test_a_what_if_shows_what_would_change_and_writes_nothing(run, fleet) -> None:
    run("render")
    before = _state(fleet.root)
    done = run("render", "prod", "--set", "services.EmbeddingRunner.scaling.max_replicas=20", *BEFORE_THE_END)
    assert "would change" in done.stdout
    changed = [line for line in done.stdout.splitlines() if line.startswith(("-  ", "+  "))]
    assert changed == [
        "-          maxReplicas: 8  # environment",
        "+          maxReplicas: 20  # runtime",
        "-          maxReplicas: 8  # environment",
        "+          maxReplicas: 20  # runtime",
    ]
    assert _state(fleet.root) == before


def test_a_what_if_takes_back_with_nothing_after_the_equals_sign(run) -> None:
    run("render")
    done = run("render", "prod", "--set", "services.SupportTickets.instance_type=", "--set", 'labels."example.com/x"=z')
    assert '+          cpu: "500m"  # decorator' in done.stdout
    assert "+  example.com/x: z  # runtime" in done.stdout


@pytest.mark.parametrize(
    ("assignment", "error"),
    [
        (
            "labels.owner=no",
            "--set labels.owner=no: labels.owner: not every YAML reader takes this word for the same thing (found no);"
            ' write "no" for text, or a plain true, false or decimal number',
        ),
        ("labels.owner=[", "--set labels.owner=[: labels.owner: not YAML: did not find expected node content; mend the syntax"),
        ("services", "--set services: must be PATH=VALUE; write it like services.EmbeddingRunner.scaling.min_replicas=6"),
        ("a..b=1", "--set a..b=1: must be PATH=VALUE; write it like services.EmbeddingRunner.scaling.min_replicas=6"),
        (
            "services.EmbeddingRunner.worker=1",
            "--set services.EmbeddingRunner.worker=1: services.EmbeddingRunner.worker: no such key (found 'worker');"
            " did you mean 'workers'?",
        ),
        (
            "services.EmbedingRunner.workers=1",
            "--set services.EmbedingRunner.workers=1: services.EmbedingRunner: no such service in any of the bundles 1.0.0, 1.1.0"
            " (found 'EmbedingRunner'); did you mean 'EmbeddingRunner'?",
        ),
    ],
)
def test_a_wrong_what_if_is_an_error(run, assignment: str, error: str) -> None:
    assert run("render", "prod", "--set", assignment, code=1).stderr == f"{error}\n"


def test_an_override_that_ended_is_noted_and_still_counts(run, fleet) -> None:
    done = run("render", "prod", "--now", "2026-12-01T00:00:01Z")
    assert done.stderr == (
        "note: environments/prod/support-tickets/overrides.yaml:4: this override ended 2026-12-01T00:00:00Z and still counts"
        " (owner ml-oncall, reason: launch-day load); remove it or extend it\n"
    )
    assert "minReplicas: 6  # runtime" in fleet.generated()["prod/support-tickets"]


def test_a_render_that_was_killed_between_two_files_is_stale_and_the_next_completes_it(run, fleet) -> None:
    """Killed by the kernel right before the second rename: the first file is new, the others are old, no file is half."""
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from bento_gitops.operations.render import render, write; from bento_gitops.repository.files import WorkingTree\n"
        "replace, done = Path.replace, []\n"
        "def counted(self, target):\n"
        "    if done: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    done.append(replace(self, target))\n"
        "Path.replace = counted\n"
        "root = Path(sys.argv[1]); write(root, render(WorkingTree(root), None))\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(fleet.root)], timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert set(fleet.generated()) == {"dev/support-tickets"}
    whole = fleet.generated()["dev/support-tickets"]
    run("render", "--check", "dev")
    assert "2 of 3" in run("render", "--check", *BEFORE_THE_END, code=3).stderr
    run("render")
    assert len(fleet.generated()) == 3 and fleet.generated()["dev/support-tickets"] == whole
    run("render", "--check")


def test_a_folder_that_cannot_be_written_is_an_error_and_not_a_bug(run, fleet) -> None:
    fleet.path("environments/dev/support-tickets/values.yaml").mkdir()
    assert run("render", "dev", code=5).stderr == (
        "cannot write environments/dev/support-tickets/values.yaml: Is a directory; make the folder writable for you,"
        " or free the place; nothing of this file was changed\n"
    )
    assert len(list(fleet.path("environments/dev/support-tickets").iterdir())) == 3


def test_all_problems_are_on_standard_error_one_a_line(run, fleet) -> None:
    fleet.change("environments/prod/support-tickets/config.yaml", "min_replicas: 3", "min_replicas: 13")
    fleet.change("environments/dev/support-tickets/config.yaml", "EmbeddingRunner", "EmbedingRunner")
    done = run("render", code=1)
    assert done.stdout == ""
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [
        ["environments/dev/support-tickets/config.yaml:4", "services.EmbedingRunner"],
        ["environments/prod/support-tickets/config.yaml:6", "services.SupportTickets.scaling.min_replicas"],
        ["environments/prod/support-tickets/config.yaml:6", "services.SupportTickets.scaling.min_replicas"],
    ]


def test_an_unknown_target_ends_with_1(run) -> None:
    assert run("render", "prd", code=1).stderr == ("environments/prd: no such environment (found 'prd'); did you mean 'prod'?\n")


def test_outside_of_a_repository_the_command_says_so(run, tmp_path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run("render", root=empty, code=1).stderr == (
        "charts/bento-serving/values.yaml: the chart is missing; run in the root of the repository, or name it with --root\n"
    )


def test_a_fleet_without_applications_is_no_error(run, fleet) -> None:
    for target in ("dev", "prod", "staging"):
        shutil.rmtree(fleet.path(f"environments/{target}/support-tickets"))
    done = run("render")
    assert done.stdout == ""
    assert done.stderr == "no application in any environment: there is no environments/*/*/release.yaml\n"
    assert run("render", "--json").stdout == "[]\n"


@pytest.mark.parametrize(
    "arguments", [("render", "--chek"), ("rendr",), ("explain",), ("render", "--now", "yesterday"), ("render", "a", "b")]
)
def test_wrong_usage_ends_with_2(run, arguments: tuple[str, ...]) -> None:
    done = run(*arguments, code=2)
    assert done.stdout == "" and "Usage" in done.stderr


def test_a_root_that_there_is_not_is_wrong_usage(run, tmp_path) -> None:
    run("render", root=tmp_path / "nowhere", code=2)


def _main(body: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command with a failure put into it, as no files can bring it about."""
    code = f"import sys\nfrom bento_gitops.cli import main\n{body}\nsys.argv = ['bento-gitops', *sys.argv[1:]]\nmain.main()\n"
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60)


RAISE = (
    "from bento_gitops.operations import render\n"
    "from bento_gitops.model.problem import Place, Problem, Refused, ToolFailed\n"
    "def render_(*_): raise {}\n"
    "render.render = render_"
)


def test_a_bug_ends_with_70_and_says_that_it_is_one(fleet) -> None:
    done = _main(RAISE.format("KeyError('lost')"), "-C", str(fleet.root), "render")
    assert done.returncode == 70
    assert "KeyError: 'lost'" in done.stderr
    assert done.stderr.endswith("bento-gitops: this is a bug; please report it with the lines above\n")


def test_what_a_gate_refuses_ends_with_4(fleet) -> None:
    refused = "Refused([Problem(Place('environments/prod/a/release.yaml', 3), 'held', 'is held', '', 'unhold it')])"
    done = _main(RAISE.format(refused), "-C", str(fleet.root), "render")
    assert (done.returncode, done.stderr) == (4, "environments/prod/a/release.yaml:3: held: is held; unhold it\n")


def test_a_tool_that_failed_ends_with_5(fleet) -> None:
    done = _main(RAISE.format("ToolFailed('helm is not there; install it')"), "-C", str(fleet.root), "render")
    assert (done.returncode, done.stderr) == (5, "helm is not there; install it\n")


def test_an_interrupted_command_ends_with_130_and_no_traceback(fleet) -> None:
    done = _main(RAISE.format("KeyboardInterrupt"), "-C", str(fleet.root), "render")
    assert (done.returncode, done.stderr) == (130, "")


def test_a_reader_that_stops_reading_makes_no_traceback(fleet) -> None:
    """`bento-gitops explain ... | head -1`"""
    reading, writing = os.pipe()
    os.close(reading)
    command = [Path(sys.executable).with_name("bento-gitops"), "-C", str(fleet.root), "explain", "prod/support-tickets"]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60)
    os.close(writing)
    assert "Traceback" not in done.stderr and "bug" not in done.stderr
    assert done.returncode not in (0, 70)
