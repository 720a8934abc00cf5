"""The built Bento as three processes on loopback, as the chart runs it: what it answers, counts and logs."""

from __future__ import annotations

import json
import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import chart_served
from chart_served import PORT, Served, request
from request_gate import MAX_BODY
from ticket_contract import MAX_TEXT, MAX_TICKETS

SERVED_FOR = chart_served.__name__


def test_a_ticket_is_classified_through_both_runners(running: dict[str, Served]) -> None:
    api = running["SupportTicketIntelligence"]
    status, data = request(
        api, "POST", "/classify_ticket", {"tickets": [{"text": "I was charged twice for last month's invoice"}]}
    )
    assert status == 200, data
    answer = json.loads(data)
    assert answer["model_version"] == "ticket_classifier:1.1.0"
    assert answer["classifications"][0]["label"] == "billing"
    for runner, route in (("EmbeddingRunner", "/encode"), ("ClassifierRunner", "/predict_proba")):
        metrics = request(running[runner], "GET", "/metrics")[1].decode()
        assert f'endpoint="{route}"' in metrics, f"the request did not pass through the process of {runner}"


def test_the_api_alone_tells_what_the_model_answered(running: dict[str, Served]) -> None:
    answered = re.compile(r'^bento_model_predictions_total\{class="howto",model="ticket_classifier"\} (\S+)$', re.MULTILINE)

    def told(one: Served) -> list[float]:
        return [float(value) for value in answered.findall(request(one, "GET", "/metrics")[1].decode())]

    api = running["SupportTicketIntelligence"]
    (before,) = told(api)
    assert request(api, "POST", "/classify_ticket", {"tickets": [{"text": "How do I export a report?"}] * 2})[0] == 200

    assert told(api) == [before + 2]
    assert told(running["EmbeddingRunner"]) == told(running["ClassifierRunner"]) == []


def test_every_component_counts_durations_in_the_buckets_of_its_configuration(running: dict[str, Served]) -> None:
    for one in running.values():
        metrics = request(one, "GET", "/metrics")[1].decode()
        counted = re.findall(r'_duration_seconds_bucket\{endpoint="/readyz",http_response_code="200",le="([^"]+)"', metrics)
        bounds = [float(bound) for bound in counted]
        assert (bounds[0], bounds[-2], bounds[-1]) == (0.002, 120.5, float("inf")), one.service
        assert all(1 < above / below <= 1.2501 for below, above in pairwise(bounds[:-1])), one.service


def test_400_requests_at_8_in_parallel_give_no_server_error(running: dict[str, Served]) -> None:
    api = running["SupportTicketIntelligence"]
    failures: list[bytes] = []
    texts = [
        "The dashboard crashes every time",
        "How do I export a report?",
        "Please refund the yearly fee",
        "Add dark mode, please",
    ]

    def classify(number: int) -> int:
        status, answer = request(api, "POST", "/classify_ticket", {"tickets": [{"text": texts[number % len(texts)]}]})
        if status != 200:
            failures.append(answer)
        return status

    with ThreadPoolExecutor(8) as pool:
        statuses = Counter(pool.map(classify, range(400)))
    assert statuses == {200: 400}, f"{failures}\n{api.log.read_text()[-4000:]}"


def test_the_batching_limit_of_the_environment_reaches_the_runner(rendered: list[dict[str, Any]]) -> None:
    (runner,) = [thing for thing in rendered if thing["kind"] == "Deployment" and "embedding" in thing["metadata"]["name"]]
    (container,) = runner["spec"]["template"]["spec"]["containers"]
    assert {"name": "EMBEDDING_MAX_BATCH_SIZE", "value": "16"} in container["env"]


# What a customer wrote, as far as a search of the logs is concerned.
TOLD = "Mrs-Zyx-of-4711-Secret-Street"


def ticket(text: str) -> dict[str, object]:
    return {"tickets": [{"text": text}]}


# (path, body, media type, status): everything that a client can do with a text that the service then reads, parses or refuses.
SENT_TO_THE_API: tuple[tuple[str, object, str, int], ...] = (
    ("/classify_ticket", ticket(f"{TOLD} was charged twice"), "application/json", 200),
    ("/classify_ticket", {"tickets": [{"text": f"{TOLD} {number}"} for number in range(MAX_TICKETS)]}, "application/json", 200),
    ("/classify_ticket", ticket(f"{TOLD} ".ljust(MAX_TEXT, "x")), "application/json", 200),
    ("/classify_ticket", ticket(TOLD * 200), "application/json", 400),
    ("/classify_ticket", {"tickets": TOLD}, "application/json", 400),
    ("/classify_ticket", {"tickets": [TOLD]}, "application/json", 400),
    ("/classify_ticket", {"tickets": [{"text": [TOLD]}]}, "application/json", 400),
    ("/classify_ticket", {"tickets": [{"text": "it broke", TOLD: TOLD}], TOLD: TOLD}, "application/json", 400),
    ("/classify_ticket", TOLD, "application/json", 400),
    ("/classify_ticket", f'{{"tickets": [{{"text": "{TOLD}'.encode(), "application/json", 400),
    ("/classify_ticket", TOLD.encode() + b"\xff", "application/json", 400),
    ("/classify_ticket", ticket(TOLD * (MAX_BODY // len(TOLD))), "application/json", 413),
    ("/classify_ticket", TOLD.encode(), "text/plain", 415),
    ("/classify_ticket", TOLD.encode(), "application/vnd.bentoml+pickle", 415),
    ("/version", {TOLD: TOLD}, "application/json", 200),
    ("/version", TOLD.encode(), "application/json", 400),
    ("/nowhere", ticket(TOLD), "application/json", 404),
    (f"/classify_ticket?text={TOLD}", {"tickets": []}, "application/json", 400),
)
# A runner trusts its caller, but its log is read by the same people.
SENT_TO_A_RUNNER: tuple[tuple[str, str, object, str, int], ...] = (
    ("EmbeddingRunner", "/encode", {"texts": {TOLD: TOLD}}, "application/json", 400),
    ("EmbeddingRunner", "/encode", {"texts": [[TOLD]]}, "application/json", 400),
    ("EmbeddingRunner", "/encode", TOLD.encode(), "application/json", 400),
    ("EmbeddingRunner", "/encode", TOLD.encode(), "application/vnd.bentoml+pickle", 500),
    ("ClassifierRunner", "/predict_proba", {"vectors": [[TOLD]]}, "application/json", 500),
)


def test_no_log_of_any_process_repeats_what_was_sent(running: dict[str, Served]) -> None:
    api = running["SupportTicketIntelligence"]
    refused = sum(status in (400, 500) for *_, status in SENT_TO_THE_API)
    for path, body, media_type, status in SENT_TO_THE_API:
        answered, _ = request(api, "POST", path, body, media_type)
        assert answered == status, f"{path} {str(body)[:60]}"
    for service, path, body, media_type, status in SENT_TO_A_RUNNER:
        answered, _ = request(running[service], "POST", path, body, media_type)
        assert answered == status, f"{service} {path} {body}"
    for one in running.values():
        with socket.create_connection((one.address, PORT), timeout=60) as connection:  # what is no HTTP at all
            connection.sendall(f"{TOLD}\r\n\r\n".encode())
            connection.recv(1000)

    until(lambda: api.log.read_text().count("Exception on ") >= refused, "the api logs each refusal")
    for one in running.values():
        until(lambda one=one: "Invalid HTTP request" in one.log.read_text(), f"{one.service} logs what is no HTTP")
    until(lambda: "Exception on /predict_proba" in running["ClassifierRunner"].log.read_text(), "a failure in a runner is logged")
    repeating = [
        f"{one.service}: {line}" for one in running.values() for line in one.log.read_text().splitlines() if TOLD in line
    ]
    assert not repeating
    for one in running.values():
        assert TOLD not in request(one, "GET", "/metrics")[1].decode(), one.service


def until(seen: Callable[[], bool], what: str) -> None:
    """An access log is written after its answer was sent."""
    end = time.monotonic() + 120
    while not seen():
        assert time.monotonic() < end, f"not within two minutes: {what}"
        time.sleep(0.02)
