"""Inspection of a real Bento, and of ones with odd or hostile code: by import in BentoML's own Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.operations.bundle import inspect_bento
from bento_gitops.tools.bento import find_python, opened
from running import Ran, Run
from small_bento import Built

Inspect = Callable[..., Ran]
Variant = Callable[..., Path]


@pytest.fixture
def inspect(run: Run, built: Built, quick_python: Path) -> Inspect:
    def command(bento: str | Path, *options: str) -> Ran:
        return run("bundle", "inspect", bento, "--python", quick_python, "--bentoml-home", built.home, *options)

    return command


@pytest.fixture
def inspect_anew(run: Run, built: Built, bento_python: Path) -> Inspect:
    """In processes that know nothing yet, as everybody's are."""

    def command(bento: str | Path, *options: str) -> Ran:
        return run("bundle", "inspect", bento, "--python", bento_python, "--bentoml-home", built.home, *options)

    return command


def found(ran: Ran) -> dict[str, Any]:
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def unresolved(ran: Ran) -> dict[str, str]:
    return {remark["pointer"]: remark["reason"] for remark in found(ran)["unresolved"]}


@pytest.fixture(scope="module")
def inspected_once(built: Built, bento_python: Path) -> dict[str, Any]:
    """The inspection of the Bento as it was built, for tests that only look."""
    return inspect_bento(built.tag, python=bento_python, home=built.home, timeout=60).model_dump(mode="json")


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_a_folder_and_an_archive_say_what_the_tag_says(
    inspect: Inspect, built: Built, inspected_once: dict[str, Any], kind: str
) -> None:
    by_path = found(inspect(getattr(built, kind)))
    if kind == "archive":  # exporting writes bento.yaml anew
        assert [file["path"] for file in by_path["files"]] == [file["path"] for file in inspected_once["files"]]
        by_path["files"] = inspected_once["files"]
    assert by_path == inspected_once


def test_what_the_decorators_say_is_found(inspected_once: dict[str, Any]) -> None:
    inspection = inspected_once
    assert inspection["unresolved"] == []
    assert inspection["bento"] == "small_app:1.2.0"
    assert inspection["entry"] == "Small"
    assert inspection["python"] == "3.11"
    assert inspection["args"] == {"scorer": "tiny_scorer:3.0.0"}
    small, scorer = inspection["services"]["Small"], inspection["services"]["scores_v2"]
    assert (small["origin"], scorer["origin"]) == ("service:Api", "service:Scorer")
    assert small["dependencies"] == ["scores_v2"]
    assert small["apis"] == {
        "classify": {"route": "/classify", "task": None, "batching": None},
        "report": {"route": "/reports", "task": True, "batching": None},
    }
    # BentoML says the concurrency, because there is a task.
    assert small["traffic"] == {"timeout": 2.5, "max_concurrency": 8, "concurrency": 1}
    assert scorer["resources"]["cpu"] == "500m"
    assert scorer["resources"]["memory"] == "2Gi", "a memory number counts gibibytes"
    assert scorer["labels"] == {"tier": "runner"}
    assert scorer["envs"] == {"OMP_NUM_THREADS": "1"}, "neither one without a value nor one of the build"
    assert {note["pointer"] for note in inspection["notes"]} == {
        "services.Small.traffic.external_queue",
        "services.scores_v2.envs.HF_TOKEN",
    }
    assert inspection["requirements"]["locked"] is True
    assert "src/service.py" in {file["path"] for file in inspection["files"]}
    assert inspection["models"]["tiny_scorer:3.0.0"]["metadata"]["evaluation"]["metrics"] == {"accuracy": 0.94, "drift": 5.9e-08}


def test_a_limits_variable_is_proved_and_its_default_is_what_the_image_has(inspected_once: dict[str, Any]) -> None:
    apis = inspected_once["services"]["scores_v2"]["apis"]
    # The code says 32, but the image sets SCORE_BATCH=48 for every process in it.
    assert apis["score"]["batching"] == {
        "max_batch_size": {"default": 48, "env": "SCORE_BATCH"},
        "max_latency_ms": {"default": 1500, "env": "SCORE_LATENCY_MS"},
    }
    assert apis["fixed"]["batching"] == {"max_batch_size": 16, "max_latency_ms": 60000}


def test_neither_the_callers_environment_nor_the_store_matters_or_is_changed(
    inspect_anew: Inspect, built: Built, inspected_once: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def store() -> list[tuple[str, int]]:
        return sorted((str(path), path.stat().st_mtime_ns) for path in built.home.rglob("*"))

    before = store()
    for name, value in {
        "SCORE_BATCH": "7",
        "SCORE_LATENCY_MS": "9",
        "PYTHONPATH": "/nowhere",
        "BENTOML_CONFIG_OPTIONS": "x=1",
    }.items():
        monkeypatch.setenv(name, value)
    assert found(inspect_anew(built.tag)) == inspected_once
    assert store() == before


def test_an_inspected_bento_becomes_a_bundle(run: Run, inspected_once: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "inspection.json").write_text(json.dumps(inspected_once))
    image = f"registry.example.com/ml/small@sha256:{'c' * 64}"
    ran = run("bundle", "create", "--application", "small", "--inspection", tmp_path / "inspection.json", "--image", image)
    assert ran.code == 0, ran.err
    text = (tmp_path / "bundles" / "small" / "1.2.0.yaml").read_text()
    assert "drift: 0.000000059" in text
    assert "apis: {classify: {route: /classify}, report: {route: /reports, task: true}}" in text
    assert run("bundle", "verify", "small").code == 0


def test_what_is_printed_at_import_does_not_get_into_the_inspection(inspect: Inspect, variant: Variant) -> None:
    noisy = "import os, sys\nprint('{}')\nos.write(1, b'{}')\nprint('loading', file=sys.stderr)\n"
    assert found(inspect(variant(top=noisy)))["entry"] == "Small"


def test_code_that_ends_the_process_is_told_with_its_line(inspect: Inspect, variant: Variant) -> None:
    ran = inspect(variant(top="import sys\nsys.exit('no licence')\n"))
    assert ran.code == 5
    assert ran.out == ""
    assert "src/service.py:2: the code ended the process while it was imported: SystemExit: no licence" in ran.err


def test_code_that_ends_the_process_without_a_word_is_told(inspect_anew: Inspect, variant: Variant) -> None:
    ran = inspect_anew(variant(top="import os\nprint('out of', 'here', flush=True)\nos._exit(0)\n"))
    assert ran.code == 5
    assert "out of here\nthe process ended with exit code 0 before it had told anything" in ran.err


def test_a_missing_package_is_told_with_advice(inspect: Inspect, variant: Variant) -> None:
    ran = inspect(variant(top="import no_such_package\n"))
    assert ran.code == 5
    assert "src/service.py:1: ModuleNotFoundError: No module named 'no_such_package'" in ran.err
    assert "--python" in ran.err


def test_an_import_without_end_is_ended_with_all_its_processes(inspect_anew: Inspect, variant: Variant, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    endless = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(pid)!r}).write_text(str(child.pid))\n"
        "while True: time.sleep(1)\n"
    )
    ran = inspect_anew(variant(top=endless), "--timeout", "8")
    assert ran.code == 5
    assert "did not end within 8 s" in ran.err
    status = Path(f"/proc/{pid.read_text()}/status")
    assert not status.exists() or "State:\tZ" in status.read_text(), "the child of the Bento is still running"


def test_a_thread_of_the_bento_does_not_hold_the_inspection(inspect_anew: Inspect, variant: Variant) -> None:
    held = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    assert found(inspect_anew(variant(top=held), "--timeout", "20"))["unresolved"] == []


def test_a_task_below_a_route_that_ends_in_a_slash_is_told(
    inspect: Inspect, variant: Variant, inspected_once: dict[str, Any]
) -> None:
    ran = inspect(variant('"/reports"', '"/reports/"'))
    assert unresolved(ran) == {}
    notes = [note for note in found(ran)["notes"] if note not in inspected_once["notes"]]
    reason = "BentoML takes its tasks at /reports//submit, where no route leads; end it without a slash"
    assert notes == [{"pointer": "services.Small.apis.report.route", "reason": reason}]


def test_a_limit_that_another_variable_decides_is_not_recorded_under_the_one_named(inspect: Inspect, variant: Variant) -> None:
    trick = "import os\nos.environ['SCORE_LATENCY_MS'] = os.environ.get('REAL_LATENCY', '1500')\n"
    ran = inspect(variant(top="import tricks\n", more={"tricks.py": trick}))
    pointer = "services.scores_v2.apis.score.batching.max_latency_ms"
    assert unresolved(ran).keys() == {pointer}
    assert "names SCORE_LATENCY_MS, but stays 1500 when imported with SCORE_LATENCY_MS=1501" in unresolved(ran)[pointer]
    assert found(ran)["services"]["scores_v2"]["apis"]["score"]["batching"]["max_latency_ms"] == 1500
    assert f"unresolved: {pointer}: names SCORE_LATENCY_MS" in ran.err


def test_a_limit_read_by_a_function_is_proved_by_what_comes_back(inspect: Inspect, variant: Variant) -> None:
    limits = "import os\ndef limit(name, default):\n    return int(os.environ.get(name, default))\n"
    bento = variant("LATENCY = int(os.getenv(", "from limits import limit\nLATENCY = limit((", more={"limits.py": limits})
    text = (
        (bento / "src" / "service.py")
        .read_text()
        .replace('limit(("SCORE_LATENCY_MS", "1500"))', 'limit("SCORE_LATENCY_MS", "1500")')
    )
    (bento / "src" / "service.py").write_text(text)
    ran = inspect(bento)
    assert unresolved(ran) == {}
    assert found(ran)["services"]["scores_v2"]["apis"]["score"]["batching"]["max_latency_ms"] == {
        "default": 1500,
        "env": "SCORE_LATENCY_MS",
    }


def test_a_limit_that_is_computed_from_its_variable_is_unresolved(inspect: Inspect, variant: Variant) -> None:
    ran = inspect(variant('int(os.getenv("SCORE_LATENCY_MS", "1500"))', '2 * int(os.getenv("SCORE_LATENCY_MS", "750"))'))
    reason = unresolved(ran)["services.scores_v2.apis.score.batching.max_latency_ms"]
    assert "changes with SCORE_LATENCY_MS, but not to the value that is set (1500 -> 3002 with" in reason


def test_code_that_refuses_one_probe_does_not_keep_the_others_from_being_proved(inspect: Inspect, variant: Variant) -> None:
    strict = "import os\nif os.environ.get('SCORE_LATENCY_MS', '1500') != '1500': raise ValueError('only 1500 will do')\n"
    ran = inspect(variant(top=strict))
    pointer = "services.scores_v2.apis.score.batching.max_latency_ms"
    assert unresolved(ran).keys() == {pointer}
    assert "only 1500 will do" in unresolved(ran)[pointer]
    assert found(ran)["services"]["scores_v2"]["apis"]["score"]["batching"]["max_batch_size"] == {
        "default": 48,
        "env": "SCORE_BATCH",
    }


def test_what_cannot_be_recorded_for_certain_is_named(inspect: Inspect, variant: Variant) -> None:
    """Each row changes one declaration; all are told at once."""
    rows = [
        (
            '{"cpu": "500m", "memory": 2}',
            '{"cpu": os.environ.get("CORES", "500m"), "memory": "2"}',
            "resources",
            "the environment (CORES)",
        ),
        ("", "", "resources.memory", "has no unit ('2')"),
        (
            'labels={"tier": "runner"}',
            'labels={"tier": 1}, workers="cpu_count", path_prefix="/v1"',
            "labels.tier",
            "is not text (1)",
        ),
        ("", "", "workers", "depends on the machine"),
        ("", "", "path_prefix", "health checks"),
        ('{"name": "HF_TOKEN"}', '{"name": "SCORE_LATENCY_MS", "value": "5"}', "envs.SCORE_LATENCY_MS", "two defaults"),
        ("=16)", "=16 + 0 * len(dict(os.environ)))", "apis.fixed.batching.max_batch_size", "`os.environ` cannot be followed"),
    ]
    bento = variant()
    text = (bento / "src" / "service.py").read_text()
    for before, after, _, _ in rows:
        assert not before or text.count(before) == 1, before
        text = text.replace(before, after) if before else text
    (bento / "src" / "service.py").write_text(text)
    told = unresolved(inspect(bento))
    for _, _, pointer, reason in rows:
        assert reason in told.pop(f"services.scores_v2.{pointer}")
    assert told == {}


def test_what_a_function_makes_of_the_environment_is_not_recorded(inspect: Inspect, variant: Variant) -> None:
    bento = variant('"cpu": "500m"', '"cpu": (lambda: "4" if os.environ.get("BIG") == "yes" else "500m")()')
    assert "cannot be followed, and the code reads BIG at import" in unresolved(inspect(bento))["services.scores_v2.resources"]


def test_what_the_build_recorded_otherwise_is_not_recorded_again(inspect: Inspect, variant: Variant) -> None:
    told = unresolved(inspect(variant('"cpu": "500m"', '"cpu": "4"')))
    assert "is {'cpu': '500m', 'memory': 2} in bento.yaml, from the build" in told["services.scores_v2.resources"]


def test_two_services_of_one_name_are_told(inspect: Inspect, variant: Variant) -> None:
    second = '@bentoml.service(name="scores_v2")\nclass Twin:\n    pass\n\n'
    bento = variant("scorer = bentoml.depends(Scorer)", "scorer = bentoml.depends(Scorer)\n    twin = bentoml.depends(Twin)")
    text = (
        (bento / "src" / "service.py")
        .read_text()
        .replace('@bentoml.service(name="Small"', second + '@bentoml.service(name="Small"')
    )
    (bento / "src" / "service.py").write_text(text)
    ran = inspect(bento)
    assert ran.code == 5
    assert "Dependency conflict: scores_v2 is already defined by <class 'service.Scorer'>" in ran.err


def test_a_private_key_is_seen_whatever_its_name(variant: Variant, tmp_path: Path) -> None:
    key = "-----BEGIN EC " + "PRIVATE KEY-----\nabc\n-----END EC " + "PRIVATE KEY-----\n"
    with opened(str(variant(more={"notes.txt": key})), tmp_path) as bento:
        assert [file.path for file in bento.files() if file.private_key] == ["src/notes.txt"]


def test_a_model_in_no_store_has_no_metadata(
    run: Run, built: Built, quick_python: Path, tmp_path: Path, variant: Variant
) -> None:
    ran = run("bundle", "inspect", variant(), "--python", quick_python, "--bentoml-home", tmp_path / "empty")
    assert found(ran)["models"] == {"tiny_scorer:3.0.0": {"metadata": None}}


def test_a_bento_that_is_nowhere_is_told_with_what_the_store_has(inspect: Inspect) -> None:
    ran = inspect("small_app:9.9.9")
    assert ran.code == 1
    assert "small_app:9.9.9: no such Bento" in ran.err
    assert "the store has small_app:1.2.0" in ran.err


def test_an_archive_cannot_write_outside_its_folder(inspect: Inspect, tmp_path: Path) -> None:
    archive = tmp_path / "evil.bento"
    with tarfile.open(archive, "w:gz") as tar:
        entry = tarfile.TarInfo("../escaped")
        entry.size = 1
        tar.addfile(entry, BytesIO(b"x"))
    ran = inspect(archive)
    assert ran.code == 1
    assert "evil.bento: is not an exported Bento" in ran.err
    assert not (tmp_path.parent / "escaped").exists()


def test_a_python_without_bentoml_is_refused_with_advice(run: Run, built: Built) -> None:
    ran = run("bundle", "inspect", built.tag, "--bentoml-home", built.home, "--python", sys.executable)
    assert ran.code == 5
    assert "no bentoml there" in ran.err
    assert "--python PATH/bin/python" in ran.err


def test_a_relative_python_is_found_as_the_link_that_it_is(bento_python: Path) -> None:
    assert find_python(Path(os.path.relpath(bento_python))) == Path.cwd() / os.path.relpath(bento_python)


def test_the_inspector_runs_alone(built: Built, bento_python: Path, tmp_path: Path) -> None:
    import bento_gitops.tools.bento_inspector as inspector

    report = tmp_path / "report.json"
    environment = {"PATH": os.environ["PATH"], "BENTOML_HOME": str(tmp_path / "home"), "HOME": str(tmp_path)}
    command = [bento_python, "-I", "-B", inspector.__file__, built.folder, report]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=30)
    told = json.loads(report.read_text())
    assert told["services"]["scores_v2"]["follows"] == {
        "apis.score.max_batch_size": {"variables": ["SCORE_BATCH"], "beyond": []},
        "apis.score.max_latency_ms": {"variables": ["SCORE_LATENCY_MS"], "beyond": []},
    }
    assert told["read"] == ["SCORE_BATCH", "SCORE_LATENCY_MS"]
