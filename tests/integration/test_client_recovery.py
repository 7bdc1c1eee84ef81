"""The client against servers that die, come back, are full, or break the contract."""

import asyncio
import itertools
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from reward.v1 import reward_pb2 as pb

from reward_client.api import (
    Failure,
    MathReference,
    Priority,
    RewardClientError,
    RewardRequestError,
    RewardUnavailableError,
    Sample,
)
from reward_client.client import AsyncRewardClient, RewardClient
from reward_client.local import LocalServer
from reward_client.retries import Retry
from reward_server.config import QueueConfig
from tests.fake_rewards import Held
from tests.served import served
from tests.slow_extra import install
from tests.stand_in import right, stand_in, values, yes

WAIT_S = 60.0


def slow(sample_id: str, seconds: float) -> Sample:
    return Sample(
        sample_id=sample_id,
        reward="slow",
        prompt="",
        completion=f"<reasoning>r</reasoning><answer>{seconds}</answer>",
        reference=MathReference(answer="1"),
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_batch_larger_than_a_call_comes_back_whole_and_in_order(tmp_path: Path) -> None:
    samples = [yes(str(n)) for n in range(2000)]
    with LocalServer(tmp_path / "log") as server, RewardClient(server.address) as client:
        outcomes = client.score(samples)

    assert [outcome.sample_id for outcome in outcomes] == [sample.sample_id for sample in samples]
    assert values(outcomes) == [1.0] * 2000
    assert (tmp_path / "log").read_text().count('"rpc": "Score"') == 8


def test_one_client_serves_many_threads(tmp_path: Path) -> None:
    with (
        LocalServer(tmp_path / "log") as server,
        RewardClient(server.address) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        batches = [[yes(f"{batch}/{n}") for n in range(300)] for batch in range(8)]
        answers = list(pool.map(client.score, batches))

    assert [[outcome.sample_id for outcome in answer] for answer in answers] == [
        [sample.sample_id for sample in batch] for batch in batches
    ]


def test_a_call_survives_the_death_and_restart_of_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("slow", tmp_path / "site", monkeypatch)
    where = ("--listen", f"127.0.0.1:{free_port()}")
    retries: list[Retry] = []
    with ThreadPoolExecutor() as pool, LocalServer(tmp_path / "first", where) as first:
        client = RewardClient(first.address, on_retry=retries.append)
        client.wait_ready(WAIT_S)
        call = pool.submit(client.score, [slow(str(n), 1.0 + n / 1000) for n in range(4)], timeout_s=WAIT_S)
        time.sleep(0.5)
        first.kill()
        time.sleep(3.0)
        with LocalServer(tmp_path / "second", where):
            outcomes = call.result(timeout=WAIT_S)
        client.close()

    assert [outcome.sample_id for outcome in outcomes] == ["0", "1", "2", "3"]
    assert values(outcomes) == [1.0] * 4
    assert retries, "the outage lasted longer than gRPC's own retries"
    assert "UNAVAILABLE" in retries[0].reason


def test_failures_of_samples_are_outcomes_not_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("slow", tmp_path / "site", monkeypatch)
    unknown = replace(yes("unknown"), reward="nobody")
    with LocalServer(tmp_path / "log") as server, RewardClient(server.address) as client:
        client.wait_ready(WAIT_S)
        outcomes = client.score([yes("fine"), unknown, slow("late", WAIT_S)], timeout_s=3.0)

    kinds = [outcome.result.kind for outcome in outcomes if isinstance(outcome.result, Failure)]
    assert [outcome.sample_id for outcome in outcomes] == ["fine", "unknown", "late"]
    assert kinds == ["UNKNOWN_REWARD", "DEADLINE"]


def test_without_a_server_the_call_ends_at_its_deadline() -> None:
    started = time.monotonic()
    with RewardClient(f"127.0.0.1:{free_port()}") as client:
        with pytest.raises(RewardUnavailableError, match=r"before the deadline.*Connection refused"):
            client.score([yes("a")], timeout_s=2.0)
        with pytest.raises(RewardUnavailableError):
            client.wait_ready(0.5)

    assert time.monotonic() - started < WAIT_S / 2


def test_calls_go_to_all_servers_and_to_those_that_are_left(tmp_path: Path) -> None:
    with (
        LocalServer(tmp_path / "first") as first,
        LocalServer(tmp_path / "second") as second,
        RewardClient([first.address, second.address]) as client,
    ):
        # The second connection comes up a few calls after the first.
        for warm_ups in itertools.count(1):
            client.score([yes("warm-up")], timeout_s=WAIT_S)
            if all(counts := logged_calls(tmp_path, warm_ups)):
                break
        for n in range(20):
            client.score([yes(f"{n}")], timeout_s=WAIT_S)
        later = logged_calls(tmp_path, warm_ups + 20)
        first.kill()
        outcomes = client.score([yes(f"after {n}") for n in range(1000)], timeout_s=WAIT_S)

    assert min(now - before for now, before in zip(later, counts, strict=True)) >= 5
    assert values(outcomes) == [1.0] * 1000


def logged_calls(directory: Path, total: int) -> list[int]:
    """How many calls each of two servers was sent, once all are logged; a line follows its answer."""
    deadline = time.monotonic() + WAIT_S
    while True:
        counts = [(directory / log).read_text().count('"rpc": "Score"') for log in ("first", "second")]
        assert sum(counts) <= total
        if sum(counts) == total:
            return counts
        assert time.monotonic() < deadline, counts
        time.sleep(0.01)


def test_a_malformed_call_is_this_sides_error(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "log") as server, RewardClient(server.address) as client:
        with pytest.raises(RewardRequestError, match=r"samples\[1\]\.sample_id"):
            client.score([yes("a"), yes("a")])
        assert client.score([]) == []
        assert values(client.score([yes("a")])) == [1.0]


async def test_a_full_server_is_asked_again() -> None:
    asked = 0

    async def answer(request: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        nonlocal asked
        asked += 1
        if asked < 7:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "full")
        return right(request)

    async with stand_in(answer) as address, AsyncRewardClient(address) as client:
        outcomes = await client.score([yes("a")], timeout_s=WAIT_S)

    assert values(outcomes) == [1.0]
    assert asked == 7


async def test_a_queue_of_three_serves_a_hundred_calls_without_a_storm() -> None:
    """Real lanes, a real client: everything is graded, and what is refused comes back calmly."""
    queues = QueueConfig(workers=1, worker_bound=3)
    reward = Held(name="held", deterministic=False)
    retries: list[Retry] = []

    async def free_some() -> None:
        await asyncio.sleep(1.5)
        reward.release.set()

    def held(number: int) -> Sample:
        return replace(slow(str(number), 0.0), reward="held")

    async with (
        served(reward, queues=queues) as server,
        AsyncRewardClient(server.address, on_retry=retries.append) as client,
    ):
        freeing = asyncio.create_task(free_some())
        calls = [client.score([held(number)], timeout_s=WAIT_S) for number in range(100)]
        outcomes = [outcome for (outcome,) in await asyncio.gather(*calls)]
        await freeing

    assert [each.sample_id for each in outcomes] == [str(number) for number in range(100)]
    assert values(outcomes) == [1.0] * 100
    assert reward.finished == 100, "none was lost, none was graded twice"
    assert 1 <= len(retries) < 200, "fewer than two refusals a call, while the server was shut for seconds"
    assert all("RESOURCE_EXHAUSTED" in each.reason and each.wait_s >= 0.5 for each in retries)


@pytest.mark.parametrize("priority", Priority)
async def test_a_call_says_what_it_is_for(priority: Priority) -> None:
    said: list[object] = []

    async def answer(request: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        said.append(dict(context.invocation_metadata() or ()).get("assay-priority"))
        return right(request)

    async with stand_in(answer) as address, AsyncRewardClient(address, priority=priority) as client:
        await client.score([yes("a")], timeout_s=WAIT_S)

    assert said == [priority.value]


async def test_a_malformed_call_is_not_sent_again() -> None:
    asked = 0

    async def answer(request: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        nonlocal asked
        asked += 1
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "samples[0].prompt: no")
        return right(request)

    async with stand_in(answer) as address, AsyncRewardClient(address) as client:
        with pytest.raises(RewardRequestError, match=r"samples\[0\]\.prompt"):
            await client.score([yes("a")], timeout_s=WAIT_S)

    assert asked == 1


async def test_a_server_that_mixes_up_outcomes_is_an_error() -> None:
    async def answer(request: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        response = right(request)
        response.outcomes.reverse()
        return response

    async with stand_in(answer) as address, AsyncRewardClient(address) as client:
        with pytest.raises(RewardClientError, match="broke the contract"):
            await client.score([yes("a"), yes("b")], timeout_s=WAIT_S)


async def test_one_failed_call_ends_the_others_of_the_batch() -> None:
    cancelled = asyncio.Event()

    async def answer(request: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        if request.samples[0].sample_id == "0":
            await context.abort(grpc.StatusCode.INTERNAL, "broken")
        try:
            await asyncio.sleep(WAIT_S)
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return right(request)

    async with stand_in(answer) as address, AsyncRewardClient(address) as client:
        with pytest.raises(RewardClientError, match="INTERNAL: broken"):
            await client.score([yes(str(n)) for n in range(512)], timeout_s=WAIT_S)
        await asyncio.wait_for(cancelled.wait(), WAIT_S)


async def test_a_server_that_hangs_is_given_up_at_the_deadline() -> None:
    async def answer(request: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        await asyncio.sleep(WAIT_S)
        return right(request)

    async with stand_in(answer) as address, AsyncRewardClient(address) as client:
        with pytest.raises(RewardUnavailableError, match=r"no answer before the deadline.*DEADLINE_EXCEEDED"):
            await client.score([yes("a")], timeout_s=0.5)


async def test_the_client_without_a_loop_works_beside_one(caplog: pytest.LogCaptureFixture) -> None:
    """Two event loops that use gRPC in one process, as in a notebook."""

    async def answer(request: pb.ScoreRequest, context: grpc.aio.ServicerContext) -> pb.ScoreResponse:
        return right(request)

    async with stand_in(answer) as address:
        with RewardClient(address) as client:
            for n in range(50):
                outcomes = await asyncio.to_thread(client.score, [yes(str(n))], timeout_s=WAIT_S)
                assert values(outcomes) == [1.0]
    assert caplog.messages == []


def test_a_closed_client_can_be_closed_again(tmp_path: Path) -> None:
    client = RewardClient("127.0.0.1:1")
    client.close()
    client.close()
