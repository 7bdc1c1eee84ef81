"""Calls of a few samples, which the blocking client sends from its caller's thread."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from reward.v1 import reward_pb2 as pb

from reward_client.api import (
    Outcome,
    RewardClientError,
    RewardRequestError,
    RewardUnavailableError,
    Sample,
)
from reward_client.client import RewardClient
from reward_client.pacing import LARGEST_WINDOW
from reward_client.retries import Retry
from tests.stand_in import right, stand_in, values, yes

WAIT_S = 60.0


async def blocking(client: RewardClient, samples: list[Sample], timeout_s: float) -> list[Outcome]:
    return await asyncio.to_thread(client.score, samples, timeout_s=timeout_s)


async def test_a_small_call_that_a_full_server_refused_is_asked_again_and_told() -> None:
    asked: list[int] = []
    retries: list[Retry] = []

    async def answer(request: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        asked.append(len(request.samples))
        if len(asked) < 3:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        return right(request)

    async with stand_in(answer) as address:
        with RewardClient(address, on_retry=retries.append) as client:
            outcomes = await blocking(client, [yes("a")], WAIT_S)

    assert values(outcomes) == [1.0]
    assert asked == [1, 1, 1]
    assert [retry.attempt for retry in retries] == [1], "the very first attempt is made at once"


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, RewardRequestError),
        (grpc.StatusCode.UNAUTHENTICATED, RewardClientError),
    ],
)
async def test_a_small_call_that_is_refused_for_good_is_sent_once(
    code: grpc.StatusCode, error: type[Exception]
) -> None:
    asked = 0

    async def answer(request: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        nonlocal asked
        asked += 1
        await context.abort(code, "not so")
        return right(request)

    async with stand_in(answer) as address:
        with RewardClient(address) as client, pytest.raises(error, match="not so"):
            await blocking(client, [yes("a")], WAIT_S)

    assert asked == 1


async def test_a_small_call_ends_at_its_deadline_and_says_so() -> None:
    async def answer(request: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        await asyncio.sleep(WAIT_S)
        return right(request)

    started = time.monotonic()
    async with stand_in(answer) as address:
        with (
            RewardClient(address) as client,
            pytest.raises(RewardUnavailableError, match="no answer before the deadline"),
        ):
            await blocking(client, [yes("a")], 0.5)

    assert time.monotonic() - started < WAIT_S / 2


async def test_many_threads_with_small_calls_share_the_room_of_one_client() -> None:
    """As many as may be in flight go directly; the others take the long way, and wait for their turn."""
    now = most = 0

    async def answer(request: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        return right(request)

    async with stand_in(answer) as address:
        with RewardClient(address) as client, ThreadPoolExecutor(120) as pool:
            loop = asyncio.get_running_loop()
            calls = [loop.run_in_executor(pool, client.score, [yes(str(n))]) for n in range(600)]
            answers = await asyncio.gather(*calls)

    assert [values(outcomes) for outcomes in answers] == [[1.0]] * 600
    assert most <= 2 * LARGEST_WINDOW
