"""`verify` against servers that imitate BentoML's: what it asks, what it says of each way to be broken, what it writes down."""

from __future__ import annotations

import json
import subprocess
import xml.etree.ElementTree as Xml
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.model.problem import Refused
from bento_gitops.operations.deciding import Request
from bento_gitops.operations.verifying import Ways, require_evidence, run
from bento_gitops.repository.files import WorkingTree
from commands import called, unboxed
from track_stand_in import API, Track, running

PROD = "prod/support-tickets"
EVIDENCE = f"environments/{PROD}/evidence/1.1.0.yaml"
CHECKS = """\
apiVersion: bento-gitops/v1
kind: Verification
checks:
  refund:
    request: {method: POST, path: /classify_ticket, body: {text: refund, please}}
    expect: {status: 200, within: 1, json: {/label: {equals: billing}, /confidence: {min: 0.5, max: 1}}}
    compare: {/label: {}, /confidence: {tolerance: 0.1}}
  empty: {request: {method: POST, path: /classify_ticket}, expect: {status: 400}}
"""


@pytest.fixture
def checked(fleet) -> Any:
    """The fleet with checks, and with a chart that evidence can be bound to."""
    fleet.put("charts/bento-serving/Chart.yaml", "apiVersion: v2\nname: bento-serving\nversion: 0.1.0\n")
    file = "applications/support-tickets.yaml"
    fleet.put(file, fleet.text(file) + "verification: checks\n")
    fleet.put("checks/tickets.yaml", CHECKS.replace("{text: refund, please}", '{text: "refund, please"}'))
    return fleet


@pytest.fixture
def green() -> Iterator[Track]:
    with running("1.1.0") as track:
        yield track


@pytest.fixture
def blue() -> Iterator[Track]:
    with running("1.0.0") as track:
        yield track


def verify(fleet: Any, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    ran = called(fleet.root, "verify", PROD, *arguments)
    assert ran.returncode == code, ran.stdout + ran.stderr
    return ran


def outcomes(fleet: Any, *arguments: str, code: int = 0) -> dict[str, tuple[str, str]]:
    """Outcome and what was found, by check."""
    document = json.loads(verify(fleet, *arguments, "--json", code=code).stdout)
    return {one["name"]: (one["outcome"], one["found"]) for one in document["verification"]["checks"]}


def failed(fleet: Any, *arguments: str) -> dict[str, str]:
    return {name: found for name, (outcome, found) in outcomes(fleet, *arguments, code=4).items() if outcome == "failed"}


def test_a_candidate_in_which_everything_is_right_passes_every_check(checked, green: Track, blue: Track) -> None:
    found = outcomes(checked, *green.urls, *blue.as_stable)
    assert {outcome for outcome, _ in found.values()} == {"passed"}, found
    assert [name for name in found if not name.startswith(("ready/", "bundle/", "model/"))] == [
        "dependency/EmbeddingRunner",
        "dependency/ClassifierRunner",
        "answer/refund",
        "answer/empty",
        "stable/SupportTickets",
        "same/refund",
        "latency/refund",
    ]
    assert green[API].tracks == {"green"}
    assert blue[API].tracks == {"blue"}, "the stable track is asked for by its own name"
    assert blue.requests() == 1, "what is not compared is not asked twice"


def test_people_get_a_table_and_a_word_at_its_end(checked, green: Track) -> None:
    ran = verify(checked, *green.urls, "--times", "2")
    assert ran.stdout.startswith("prod/support-tickets: track green, bundle 1.1.0\nCHECK ")
    assert "answer/refund" in ran.stdout
    assert ran.stdout.endswith("14 passed, 0 failed; 4 requests\n")
    assert green.requests() == 4


def test_the_objective_is_of_all_requests_together(checked, green: Track) -> None:
    file = f"environments/{PROD}/config.yaml"
    checked.put(file, checked.text(file) + "slo: {p95: 0.02}\n")
    green[API].seconds = 0.05
    assert list(failed(checked, *green.urls, "--times", "12")) == ["latency/p95"]
    assert outcomes(checked, *green.urls)["latency/p95"][0] == "not looked", "three good answers say nothing of 95 in 100"


def break_runner_down(track: Track) -> None:
    track.addresses["EmbeddingRunner"] = track[API].calls["EmbeddingRunner"] = "http://127.0.0.1:1"


def break_never_ready(track: Track) -> None:
    track["EmbeddingRunner"].ready = 503


def break_in_process(track: Track) -> None:
    del track[API].calls["EmbeddingRunner"]


def break_another_bento(track: Track) -> None:
    for one in track.components.values():
        one.bento = "support_tickets:1.0.0"


def break_wrong_answer(track: Track) -> None:
    track[API].answer["label"] = "bug"


def break_error(track: Track) -> None:
    track[API].status = 500


def break_too_slow(track: Track) -> None:
    track[API].seconds = 1.1


def break_unlike_stable(track: Track) -> None:
    track[API].answer["confidence"] = 0.7


def break_metrics(track: Track) -> None:
    track["EmbeddingRunner"].metrics = 404


@pytest.mark.parametrize(
    ("broken", "checks"),
    [
        (
            break_runner_down,
            {
                *(f"{kind}/EmbeddingRunner" for kind in ("ready", "bundle", "model", "dependency")),
                "answer/refund",
                "same/refund",
            },
        ),
        (break_never_ready, {"ready/EmbeddingRunner", "model/EmbeddingRunner"}),
        (break_in_process, {"dependency/EmbeddingRunner"}),
        (break_another_bento, {f"bundle/{one}" for one in (API, "EmbeddingRunner", "ClassifierRunner")}),
        (break_wrong_answer, {"answer/refund", "same/refund"}),
        (break_error, {"answer/refund", "same/refund"}),
        (break_too_slow, {"latency/refund"}),
        (break_unlike_stable, {"same/refund"}),
        (break_metrics, {f"{kind}/EmbeddingRunner" for kind in ("bundle", "model", "dependency")}),
    ],
)
def test_each_way_to_be_broken_fails_the_checks_that_tell_it(checked, green: Track, blue: Track, broken, checks) -> None:
    broken(green)
    assert set(failed(checked, *green.urls, *blue.as_stable, "--times", "2")) == checks


def test_what_was_answered_wrong_once_is_not_asked_again(checked, green: Track) -> None:
    break_error(green)
    verify(checked, *green.urls, "--times", "10", code=4)
    assert green[API].asked["/classify_ticket", 500] == 1


def test_a_second_pod_of_a_runner_may_have_had_the_requests(checked, green: Track, blue: Track) -> None:
    green[API].calls["EmbeddingRunner"] = blue.addresses["EmbeddingRunner"]
    blue["EmbeddingRunner"].bento = "support_tickets:1.1.0"
    assert set(failed(checked, *green.urls)) == {"dependency/EmbeddingRunner"}
    both = [*green.urls, "--url", f"EmbeddingRunner={blue.addresses['EmbeddingRunner']}"]
    assert outcomes(checked, *both)["ready/EmbeddingRunner"] == ("passed", "2 of its pods")


def test_without_an_address_a_component_is_not_looked_at(checked, green: Track) -> None:
    found = outcomes(checked, "--url", green.addresses[API])
    assert found["dependency/EmbeddingRunner"] == (
        "not looked",
        "nobody said where it is; --url EmbeddingRunner=http://...",
    )
    assert found["answer/refund"][0] == "passed"


def test_a_run_that_asked_nothing_of_the_api_is_no_success_and_says_what_is_missing(checked, green: Track) -> None:
    ran = verify(checked, "--url", f"EmbeddingRunner={green.addresses['EmbeddingRunner']}", code=4)
    assert "note: none of 2 checks was asked; say where SupportTickets answers: --url http://..." in ran.stderr
    assert "verification: FOLDER" not in ran.stderr


def test_the_cause_of_many_failures_is_named_last(checked, green: Track) -> None:
    green[API].ready = 500
    break_runner_down(green)
    ran = verify(checked, *green.urls, code=4)
    assert ran.stdout.splitlines()[-1].startswith("begin with: ready/EmbeddingRunner: no connection to 127.0.0.1:1")
    assert "not ready: a runner that it needs is not (EmbeddingRunner)" in ran.stdout


def test_a_candidate_that_is_compared_with_itself_is_found_out(checked, green: Track) -> None:
    (_, address) = green.as_stable
    told = verify(checked, *green.urls, "--stable-url", address, code=2).stderr
    assert "is an address of the other track too" in told
    again = address.replace("127.0.0.1", "localhost")
    assert failed(checked, *green.urls, "--stable-url", again) == {
        "stable/SupportTickets": "it runs support_tickets:1.1.0, not support_tickets:1.0.0"
    }
    ran = verify(checked, *green.urls, "--stable-url", again, "--record", code=4)
    assert "what answered is not bundle 1.1.0, or not the stable track's" in ran.stderr
    assert not checked.path(EVIDENCE).exists()


def test_a_part_of_a_track_is_no_evidence_of_it(checked, green: Track) -> None:
    ran = verify(checked, "--url", green.addresses[API], "--record", "--dry-run", code=4)
    assert (
        "verify: not all components of the track were looked at (found nobody said where EmbeddingRunner, ClassifierRunner is)"
        in (ran.stderr)
    )
    assert "add --url EmbeddingRunner=http://... --url ClassifierRunner=http://..." in ran.stderr
    assert "would change" not in ran.stdout
    verify(checked, "--url", green.addresses[API], "--record", code=4)
    assert not checked.path(EVIDENCE).exists()


def test_an_address_at_which_nothing_is_is_no_evidence_against_the_bundle(checked, green: Track, blue: Track) -> None:
    urls, stable = green.urls, blue.as_stable
    break_runner_down(green)
    ran = verify(checked, *green.urls, "--record", code=4)
    assert "an address given by hand does not answer at all: EmbeddingRunner at http://127.0.0.1:1: no connection" in ran.stderr
    stable[1] = "http://127.0.0.1:1"
    green[API].calls["EmbeddingRunner"] = green.addresses["EmbeddingRunner"] = urls[3].partition("=")[2]
    ran = verify(checked, *urls, *stable, "--record", code=4)
    assert "does not answer at all: blue at http://127.0.0.1:1: no connection" in ran.stderr
    assert not checked.path(EVIDENCE).exists()


def test_where_no_cluster_can_be_looked_at_nothing_is_asked_first(checked, green: Track, monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    ran = verify(checked, *green.urls, "--record", "--live", code=5)
    assert "there is no cluster to look at" in ran.stderr
    assert green.requests() == 0


def test_an_application_without_checks_is_told_so(fleet, green: Track) -> None:
    ran = verify(fleet, *green.urls)
    assert "note: nothing was asked; say what: `verification: FOLDER` in applications/support-tickets.yaml" in ran.stderr
    assert "0 failed" in ran.stdout


def test_the_stable_track_is_verified_by_name(checked, blue: Track) -> None:
    document = json.loads(verify(checked, *blue.urls, "--track", "blue", "--json").stdout)
    assert (document["verification"]["track"], document["verification"]["bundle"]) == ("blue", "1.0.0")


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["--url", "127.0.0.1:3000"], 2, "--url: is no address (found '127.0.0.1:3000'); write http://HOST:PORT for the api"),
        (["--url", "http://a", "--url", "EmbedingRunner=http://b"], 2, "did you mean 'EmbeddingRunner'?"),
        (
            ["--url", "http://a", "--stable-url", "EmbeddingRunner=http://b"],
            2,
            "of the stable track only SupportTickets is asked",
        ),
        (["--stable-url", "http://b"], 2, "--stable-url: goes with --url; give --url too, or neither"),
        (["--url", "http://a", "--stable-url", "http://b", "--track", "blue"], 2, "there is no other to compare with"),
        (["--url", "http://a", "--track", "gren"], 4, "there is no such track (found 'gren'); did you mean 'green'?"),
    ],
)
def test_addresses_that_are_none_are_told_before_anything_is_asked(checked, arguments: list[str], code: int, error: str) -> None:
    assert error in unboxed(verify(checked, *arguments, code=code).stderr)


def test_the_checks_as_junit(checked, green: Track, tmp_path: Path) -> None:
    break_in_process(green)
    verify(checked, *green.urls, "--junit", str(tmp_path / "verify.xml"), code=4)
    suite = Xml.parse(tmp_path / "verify.xml").getroot()
    assert (suite.tag, suite.get("name"), suite.get("failures"), suite.get("skipped")) == (
        "testsuite",
        "verify prod/support-tickets green",
        "1",
        "1",
    )
    (failure,) = suite.iterfind("testcase[failure]")
    assert (failure.get("classname"), failure.get("name")) == ("dependency", "EmbeddingRunner")
    assert "is --depends missing?" in failure[0].get("message", "")


def test_recorded_is_what_was_asked_and_only_that(checked, green: Track) -> None:
    ran = verify(checked, *green.urls, "--record")
    text = checked.text(EVIDENCE)
    assert "passed: true" in text
    assert "checks: 14" in text
    assert "seen:" not in text, "nobody looked at the route"
    assert "note: not recorded as seen: nobody looked at the live route" in ran.stderr
    assert f"changed: {EVIDENCE}" in ran.stdout


def test_a_failed_run_is_evidence_against_the_bundle(checked, green: Track) -> None:
    break_wrong_answer(green)
    verify(checked, *green.urls, "--record", code=4)
    text = checked.text(EVIDENCE)
    assert "passed: false" in text
    assert "answer/refund" in text


def test_nothing_is_recorded_where_another_bundle_answered(checked, green: Track) -> None:
    break_another_bento(green)
    ran = verify(checked, *green.urls, "--record", code=4)
    assert "verify: what answered is not bundle 1.1.0 (found bundle/SupportTickets: it runs support_tickets:1.0.0" in ran.stderr
    assert not checked.path(EVIDENCE).exists()


def test_nothing_is_recorded_where_nothing_answered(checked) -> None:
    ran = verify(checked, "--url", "http://127.0.0.1:1", "--record", code=4)
    assert "verify: nothing answered (found 2 requests were sent)" in ran.stderr
    assert not checked.path(EVIDENCE).exists()


def test_nothing_is_recorded_where_nobody_knows_which_bundle_answered(checked, green: Track) -> None:
    green[API].metrics = 404
    ran = verify(checked, *green.urls, "--record", code=4)
    assert "not recorded as verified: nobody looked what runs on green" in ran.stderr
    assert not checked.path(EVIDENCE).exists()


def test_nothing_is_recorded_for_an_application_without_checks(fleet, green: Track) -> None:
    assert "nothing answered" in verify(fleet, *green.urls, "--record", code=4).stderr
    assert not fleet.path(EVIDENCE).exists()


def test_a_run_completes_an_observation(checked, green: Track, tmp_path: Path) -> None:
    observation = {
        "apiVersion": "bento-gitops/v1",
        "kind": "Observation",
        "target": PROD,
        "at": "2026-11-01T12:00:00Z",
        "cluster": "prod-cluster",
        "run": "https://ci.example.com/runs/7",
        "weights": {"blue": 90, "green": 10},
        "tracks": {
            "blue": {"bundle": "1.0.0"},
            "green": {"bundle": "1.1.0", "ready": {API: 20, "EmbeddingRunner": 20, "ClassifierRunner": 20}},
        },
    }
    file = tmp_path / "observation.yaml"
    file.write_text(json.dumps(observation))
    arguments = ["--record", "--observation", str(file), "--now", "2026-11-01T12:01:00+0000"]
    verify(checked, *green.urls, *arguments)
    text = checked.text(EVIDENCE)
    assert "seen:" in text
    assert "passed: true" in text
    assert text.count("https://ci.example.com/runs/7") == 2


def test_without_record_a_run_is_shown_beside_an_observation_and_refuses_nothing(checked, green: Track, tmp_path: Path) -> None:
    file = tmp_path / "observation.yaml"
    head = {"apiVersion": "bento-gitops/v1", "kind": "Observation", "target": PROD, "cluster": "prod-cluster", "run": "me"}
    file.write_text(json.dumps({**head, "at": "2026-11-01T12:00:00Z", "weights": {"blue": 50, "green": 50}}))
    break_another_bento(green)
    seen = ["--observation", str(file), "--now", "2026-11-01T12:01:00+0000"]
    ran = verify(checked, *green.urls, *seen, code=4)
    assert "FAIL        live: blue has 50 % live and 90 % in Git" in ran.stdout
    assert "FAIL        answers: 14 checks, failed: bundle/SupportTickets" in ran.stdout
    assert not checked.path(EVIDENCE).exists()


def test_an_observation_alone_asks_nobody(checked, tmp_path: Path) -> None:
    ran = called(checked.root, "verify", PROD, "--observation", str(tmp_path / "none"), "--stable-url", "http://a")
    assert ran.returncode == 2
    assert "with --observation alone nothing is asked; give --url too" in ran.stderr


def test_a_run_is_no_evidence_for_values_that_came_while_it_asked(checked, green: Track) -> None:
    """As where a push was lost: what Git says is read again, and the answers were those of other values."""
    asked = Request(PROD, datetime.now(UTC), "olivia")
    urls = [word for word in green.urls if word != "--url"]
    done = run(WorkingTree(checked.root), asked, None, Ways(urls, (), None), times=1)
    require_evidence(WorkingTree(checked.root), asked, done)
    config = "environments/prod/support-tickets/config.yaml"
    checked.put(config, checked.text(config).replace("timeout: 15", "timeout: 16"))
    with pytest.raises(Refused, match="its values, chart or cluster are others in Git than when it was asked"):
        require_evidence(WorkingTree(checked.root), asked, done)


def test_a_key_is_sent_from_the_environment_and_told_to_nobody(
    checked, green: Track, blue: Track, monkeypatch: pytest.MonkeyPatch
) -> None:
    green[API].key = blue[API].key = "a-key-of-sixteen-signs"
    assert "401" in failed(checked, *green.urls, *blue.as_stable)["answer/refund"]
    monkeypatch.setenv("KEY_OF_TESTS", "a-key-of-sixteen-signs\n")
    ran = verify(checked, *green.urls, *blue.as_stable, "--key", "X-Api-Key=KEY_OF_TESTS")
    assert "sixteen" not in ran.stdout + ran.stderr


def test_a_check_that_says_a_key_itself_asks_with_that_one(checked, green: Track, monkeypatch: pytest.MonkeyPatch) -> None:
    green[API].key = "a-key-of-sixteen-signs"
    refused = (
        "  stranger: {request: {method: POST, path: /classify_ticket, headers: {X-API-KEY: guessed}}, expect: {status: 401}}\n"
    )
    checked.put("checks/tickets.yaml", checked.text("checks/tickets.yaml") + refused)
    monkeypatch.setenv("KEY_OF_TESTS", "a-key-of-sixteen-signs")
    found = outcomes(checked, *green.urls, "--key", "x-api-key=KEY_OF_TESTS")
    assert found["answer/stranger"][0] == found["answer/refund"][0] == "passed"


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("x-api-key", "write HEADER=VARIABLE, like x-api-key=API_KEY (found 'x-api-key')"),
        ("x-api-key=NO_SUCH_VARIABLE", "there is no NO_SUCH_VARIABLE in the environment"),
        ("x api=HOME", "write HEADER=VARIABLE"),
        ("x-api-key=TWO_LINES", "the value of TWO_LINES is no header's: one line of ASCII"),
    ],
)
def test_a_key_that_cannot_be_sent_is_refused_before_anything_is_asked(
    checked, green: Track, monkeypatch: pytest.MonkeyPatch, key: str, words: str
) -> None:
    monkeypatch.setenv("TWO_LINES", "one\r\nx-evil: two")
    ran = verify(checked, *green.urls, "--key", key, code=2)
    assert words in unboxed(ran.stderr) and green.requests() == 0
