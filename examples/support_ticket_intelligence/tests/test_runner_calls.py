"""Knows that one broken connection to a runner goes unnoticed, a second one is a 503, and nothing else is asked twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from bentoml.exceptions import ServiceUnavailable
from runner_calls import of_similar_cost, once_more


def calls(*outcomes: Exception | str) -> tuple[Callable[[], Awaitable[str]], list[Exception | str]]:
    left = list(outcomes)

    async def call() -> str:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return call, left


@pytest.mark.parametrize("broken", [aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, aiohttp.ClientConnectionResetError])
def test_a_call_whose_connection_was_closed_is_made_once_more(broken: type[Exception]) -> None:
    call, left = calls(broken(), "answer")

    assert (asyncio.run(once_more(call)), left) == ("answer", [])


def test_a_call_that_succeeds_is_made_once() -> None:
    call, left = calls("answer", "another")

    assert (asyncio.run(once_more(call)), left) == ("answer", ["another"])


def test_a_second_broken_connection_means_unavailable() -> None:
    call, left = calls(aiohttp.ServerDisconnectedError(), aiohttp.ServerDisconnectedError(), "too late")

    with pytest.raises(ServiceUnavailable, match=r"no connection to a runner \(ServerDisconnectedError\)"):
        asyncio.run(once_more(call))
    assert left == ["too late"]


@pytest.mark.parametrize("late", [aiohttp.SocketTimeoutError(), aiohttp.ConnectionTimeoutError(), TimeoutError()])
def test_a_runner_that_is_late_means_unavailable_and_is_not_asked_again(late: Exception) -> None:
    call, left = calls(late, "never")

    with pytest.raises(ServiceUnavailable, match="did not answer in time"):
        asyncio.run(once_more(call))
    assert left == ["never"]


@pytest.mark.parametrize("failure", [ServiceUnavailable("busy"), ValueError()])
def test_any_other_failure_is_not_asked_again(failure: Exception) -> None:
    call, left = calls(failure, "never")

    with pytest.raises(type(failure)):
        asyncio.run(once_more(call))
    assert left == ["never"]


@pytest.mark.parametrize(
    ("lengths", "calls"),
    [
        ([20] * 16, [16]),
        ([4000] * 3, [1, 1, 1]),
        ([1024, 1], [1, 1]),
        ([512, 512, 512], [2, 1]),
        ([20, 4000, 20, 20], [1, 1, 2]),
    ],
)
def test_texts_travel_in_calls_of_similar_cost_and_in_their_order(lengths: list[int], calls: list[int]) -> None:
    texts = [chr(ord("a") + place) * length for place, length in enumerate(lengths)]

    found = of_similar_cost(texts)

    assert [len(call) for call in found] == calls
    assert [text for call in found for text in call] == texts
