"""`bento-gitops verify` and `replay` on the real service, in processes as the chart runs them: what passes, what is found."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import chart_served
import pytest
from chart_served import APPLICATION, CONFIG, ENVIRONMENT, PORT, RELEASE, ROOT, Served, processes

SERVED_FOR = chart_served.__name__

API = "SupportTicketIntelligence"
RUNNERS = ("EmbeddingRunner", "ClassifierRunner")
NOBODY = "127.0.0.1:1"
WITHOUT_DEPENDS, WITHOUT_RUNNER = "an api that was told of no runner", "an api whose runner is not there"


@dataclass(frozen=True)
class Pods:
    """The addresses of two runners and three apis."""

    addresses: dict[str, str]

    def urls(self, api: str = API, **other: str) -> list[str]:
        words = [self.addresses[api], *(f"{name}={other.get(name, self.addresses[name])}" for name in RUNNERS)]
        return [word for address in words for word in ("--url", address)]


@pytest.fixture(scope="module")
def pods(bento: Path, running: dict[str, Served], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pods]:
    """The three processes of the chart, and the api twice more: as it runs where a runner was forgotten, or is gone."""
    api = running[API]
    network, _, _ = api.address.rpartition(".")
    folders = [tmp_path_factory.mktemp("home") for _ in range(2)]
    forgotten, gone = (
        Served(API, f"{network}.{number}", list(api.args), api.env | {"BENTOML_HOME": str(folder)}, folder / "log")
        for number, folder in zip((101, 102), folders, strict=True)
    )
    while "--depends" in forgotten.args:
        place = forgotten.args.index("--depends")
        del forgotten.args[place : place + 2]
    runner = f"{running['EmbeddingRunner'].address}:{PORT}"
    gone.args[:] = [word.replace(runner, NOBODY) for word in gone.args]
    for one in (forgotten, gone):
        one.args[one.args.index(api.address)] = one.address
    more = {WITHOUT_DEPENDS: forgotten, WITHOUT_RUNNER: gone}
    with processes(more, bento):
        yield Pods({name: f"http://{one.address}:{PORT}" for name, one in {**running, **more}.items()})


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """A fleet that runs this bundle, with the example's own checks."""
    for path in ("charts/bento-serving", "examples/support_ticket_intelligence/verification"):
        shutil.copytree(ROOT / path, tmp_path / path)
    for path in (f"applications/{APPLICATION}.yaml", *(f"bundles/{APPLICATION}/{tag}.yaml" for tag in ("1.0.0", "1.1.0"))):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    folder = tmp_path / "environments/test" / APPLICATION
    folder.mkdir(parents=True)
    (folder.parent / "environment.yaml").write_text(ENVIRONMENT)
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "release.yaml").write_text(RELEASE)
    return tmp_path


def verify(fleet: Path, *arguments: str, code: int | None) -> dict[str, tuple[str, str]]:
    """Outcome and what was found, by check. Without a code it passes, or fails because the machine is slow."""
    command = [ROOT / ".venv/bin/bento-gitops", "verify", f"test/{APPLICATION}", "--times", "2", *arguments, "--json"]
    done = subprocess.run(command, cwd=fleet, capture_output=True, text=True, check=False)
    assert done.returncode in ((0, 4) if code is None else (code,)), done.stdout + done.stderr
    return {one["name"]: (one["outcome"], one["found"]) for one in json.loads(done.stdout)["verification"]["checks"]}


def failed(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {name: what for name, (outcome, what) in found.items() if outcome == "failed"}


def test_the_service_as_the_chart_runs_it_passes_every_check(fleet: Path, pods: Pods) -> None:
    found = verify(fleet, *pods.urls(), code=None)
    # How fast it is, is the machine's; that there is a word on it is not.
    assert {outcome for name, (outcome, _) in found.items() if not name.startswith("latency/")} == {"passed"}, found
    assert "latency/refund-request" in found
    assert found["bundle/EmbeddingRunner"] == ("passed", "support_ticket_intelligence:1.1.0")
    assert {name for name in found if name.startswith("dependency/")} == {f"dependency/{name}" for name in RUNNERS}


def test_a_forgotten_depends_is_found_though_every_answer_is_right(fleet: Path, pods: Pods) -> None:
    found = verify(fleet, *pods.urls(WITHOUT_DEPENDS), code=4)
    assert {name for name in failed(found) if not name.startswith("latency/")} == {f"dependency/{name}" for name in RUNNERS}
    assert all("is --depends missing?" in found[f"dependency/{name}"][1] for name in RUNNERS)
    assert {outcome for name, (outcome, _) in found.items() if name.startswith("answer/")} == {"passed"}


def test_a_runner_that_is_gone_is_named(fleet: Path, pods: Pods) -> None:
    found = failed(verify(fleet, *pods.urls(WITHOUT_RUNNER, EmbeddingRunner=f"http://{NOBODY}"), code=4))
    assert found["ready/EmbeddingRunner"] == f"no connection to {NOBODY}: Connection refused (http://{NOBODY})"
    assert found["answer/refund-request"].startswith("answered 503, not 200")
    assert "answer/version" not in found, "what takes no runner still answers"
    assert not any("ClassifierRunner" in name or name.startswith("bundle/Support") for name in found)


def test_recorded_requests_are_answered_alike_by_two_tracks_of_the_same_model(fleet: Path, pods: Pods) -> None:
    release = fleet / "environments/test" / APPLICATION / "release.yaml"
    blue = 'blue: {bundle: "1.1.0", weight: 100}'
    assert blue in release.read_text()
    both = '{blue: {bundle: "1.1.0", weight: 100}, green: {bundle: "1.1.0", weight: 0, ready_for: 0}}'
    release.write_text(release.read_text().replace(f"{{{blue}}}", f"{both}\ncandidate: green"))
    recorded = "examples/support_ticket_intelligence/verification/replay.jsonl"
    addresses = ["--url", pods.addresses[API], "--stable-url", pods.addresses[WITHOUT_DEPENDS]]
    pace = ["--rate", "4", "--for", "6s"]
    command = [ROOT / ".venv/bin/bento-gitops", "replay", f"test/{APPLICATION}", recorded, *addresses, *pace, "--json"]
    done = subprocess.run(command, cwd=fleet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert (found["requests"], found["same_status"], found["same_answer"]) == (24, 24, 24), found
    assert [one["quantile"] for one in found["latency"]] == ["p50", "p95"]
    assert all(one["says"] for one in found["latency"])


BROKEN = """\
apiVersion: bento-gitops/v1
kind: Verification
checks:
  wanted:
    request: {method: POST, path: /classify_ticket, body: {tickets: [{text: "I was charged twice"}]}}
    expect: {%s}
"""


@pytest.mark.parametrize(
    ("expected", "check", "words"),
    [
        ("status: 200, json: {/classifications/0/label: {equals: nonsense}}", "answer/wanted", "/classifications/0/label"),
        ("status: 400", "answer/wanted", "answered 200, not 400"),
        ("status: 200, within: 0.0001", "latency/wanted", "ms"),
    ],
)
def test_what_is_not_as_it_must_be_fails_its_own_check_alone(
    fleet: Path, pods: Pods, expected: str, check: str, words: str
) -> None:
    """An answer that is another, a status that is another, an answer that comes too late."""
    folder = fleet / "examples/support_ticket_intelligence/verification"
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "broken.yaml").write_text(BROKEN % expected)
    found = failed(verify(fleet, *pods.urls(), code=4))
    assert found.keys() == {check} and words in found[check], found


def test_another_bundle_than_git_says_is_found_at_every_component(fleet: Path, pods: Pods) -> None:
    release = fleet / "environments/test" / APPLICATION / "release.yaml"
    release.write_text(release.read_text().replace("1.1.0", "1.0.0"))
    found = failed(verify(fleet, *pods.urls(), code=4))
    assert {f"bundle/{name}" for name in (API, *RUNNERS)} <= found.keys()
    assert all("support_ticket_intelligence:1.1.0" in found[f"bundle/{name}"] for name in (API, *RUNNERS)), found


def test_an_objective_that_is_missed_is_found_though_every_answer_is_right(fleet: Path, pods: Pods) -> None:
    config = fleet / "environments/test" / APPLICATION / "config.yaml"
    config.write_text(config.read_text() + "slo: {p95: 0.0001}\n")
    found = failed(verify(fleet, *pods.urls(), "--times", "5", code=4))
    assert "latency/p95" in found and not any(name.startswith("answer/") for name in found), found
