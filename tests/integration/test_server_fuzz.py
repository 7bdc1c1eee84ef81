"""Malformed requests against a real server: `bench/fuzz_service.py` in small, and what it has found."""

import asyncio
import socket
from pathlib import Path

import grpc
import pytest
from reward.v1 import reward_pb2 as pb

from bench import fuzz_requests, fuzz_service
from reward_client.local import LocalServer
from tests.fake_rewards import Inline
from tests.served import WAIT_S, details, sample, served

REQUESTS = 2_000


def test_malformed_requests_neither_crash_the_server_nor_leak_between_callers(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "log") as server:
        result = fuzz_service.run(REQUESTS, 1, server)

    assert result.broken == []
    assert result.statuses["OK"] > REQUESTS / 10
    assert result.statuses["INVALID_ARGUMENT"] > REQUESTS / 10
    assert '"level": "error"' not in (tmp_path / "log").read_text()


def test_the_requests_of_a_seed_are_always_the_same() -> None:
    first, again = ([fuzz_requests.request(3, number, "m") for number in range(300)] for _ in range(2))

    assert first == again
    assert {kind for kind, _ in first} >= {"odd", "flipped", "truncated", "noise", "no UTF-8"}


async def test_a_bad_message_ends_a_stream_whose_answers_are_on_their_way() -> None:
    async with served(Inline()) as server:
        for _ in range(20):
            stream = server.stream()
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                async with asyncio.timeout(WAIT_S / 2):
                    await _send_all(stream, [sample("a"), sample("a")])
            assert refused.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)


async def _send_all(stream: grpc.aio.StreamStreamCall, samples: list[pb.Sample]) -> None:
    for each in samples:
        await stream.write(each)
    async for _ in stream:
        pass


async def test_an_id_too_long_to_repeat_is_refused_with_its_field() -> None:
    async with served(Inline()) as server:
        with pytest.raises(grpc.aio.AioRpcError, match="at most 1024 are taken") as refused:
            await server.score(sample("i" * 100_000))

        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert details(refused.value).details
        assert len(await server.score(sample("i" * 1_024))) == 1


def test_a_caller_is_served_beside_connections_that_say_nothing(tmp_path: Path) -> None:
    silent = []
    with LocalServer(tmp_path / "log") as server:
        host, port = server.address.rsplit(":", 1)
        try:
            for number in range(300):
                silent.append(socket.create_connection((host, int(port)), timeout=WAIT_S))
                if number % 3 == 0:
                    silent[-1].sendall(fuzz_service.PREFACE[: number % 24])
            result = fuzz_service.run(20, 0, server)
        finally:
            for each in silent:
                each.close()

    assert result.broken == []


def test_a_connection_that_never_speaks_is_closed(tmp_path: Path) -> None:
    with LocalServer(tmp_path / "log") as server:
        host, port = server.address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=WAIT_S) as silent:
            received = [silent.recv(1_000)]
            while received[-1]:
                received.append(silent.recv(1_000))

    assert received[-1] == b""
