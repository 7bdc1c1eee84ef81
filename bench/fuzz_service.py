"""Attacks a real server with malformed requests, and says whether it kept its promises.

    python -m bench.fuzz_service [--requests 100000] [--seed 0]

Two callers with markers of their own send what `fuzz_requests` makes, as calls, as streams
that are cut, and to methods that do not exist; a third speaks broken HTTP/2 on bare sockets.
In between an honest caller asks for a score that it knows. Ends with 1 if the server ended,
answered with a defect (INTERNAL, UNKNOWN) or not at all, showed one caller's marker to the other, gave the
honest caller another answer, or holds more than `GROWTH_MIB` more memory than before.
"""

import argparse
import asyncio
import contextlib
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import grpc
from reward.v1 import reward_pb2 as pb

from bench.fuzz_requests import request
from reward_client.local import LocalServer

SERVICE = "/reward.v1.RewardService/"
MARKERS = ("kestrel-51f0", "walrus-9c3d")
IN_FLIGHT = 16  # of each caller
CALL_S = 60.0
GROWTH_MIB = 300
HONEST_EVERY = 50
STREAM_EVERY = 40
WRONG_METHOD_EVERY = 100
RAW_EVERY = 100
DEFECTS = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
METHODS = ("Score2", "", "score", "../Score", "Score/../ListRewards", "ÿ" * 50)


@dataclass(kw_only=True)
class Result:
    """What came of a run; `broken` are promises that were not kept, each with the number of its request."""

    statuses: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])
    memory_before_mib: float = 0.0
    memory_after_mib: float = 0.0
    seconds: float = 0.0

    def expect(self, kept: bool, promise: str) -> None:
        if not kept:
            self.broken.append(promise)


def run(requests: int, seed: int, server: LocalServer) -> Result:
    """Send the requests of a seed to a running server."""
    return asyncio.run(_run(requests, seed, server))


async def _run(requests: int, seed: int, server: LocalServer) -> Result:
    result, started = Result(), time.perf_counter()
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    async with (
        grpc.aio.insecure_channel(server.address, options=options) as one,
        grpc.aio.insecure_channel(server.address, options=[*options, ("other", 1)]) as other,
    ):
        await _attack(range(min(1_000, requests // 10)), seed, (one, other), server, Result())  # warm
        result.memory_before_mib = memory_mib(server.pid)
        await _attack(range(requests), seed, (one, other), server, result)
        await _honest(one, "at the end", result)
    result.memory_after_mib = memory_mib(server.pid)
    growth = result.memory_after_mib - result.memory_before_mib
    result.expect(growth < GROWTH_MIB, f"the server holds {growth:.0f} MiB more than before")
    result.seconds = time.perf_counter() - started
    return result


async def _attack(
    numbers: range,
    seed: int,
    channels: tuple[grpc.aio.Channel, grpc.aio.Channel],
    server: LocalServer,
    result: Result,
) -> None:
    waiting = iter(numbers)

    async def work(caller: int) -> None:
        for number in waiting:  # shared by all: each number is taken once
            await _send(number, seed, channels[caller], caller, server, result)

    await asyncio.gather(*(work(caller) for caller in (0, 1) for _ in range(IN_FLIGHT)))


async def _send(
    number: int, seed: int, channel: grpc.aio.Channel, caller: int, server: LocalServer, result: Result
) -> None:
    kind, data = request(seed, number, MARKERS[caller])
    chance = Random(f"{seed}:{number}:how")
    if number % HONEST_EVERY == 0:
        await _honest(channel, f"before request {number}", result)
    if number % RAW_EVERY == 1:
        await _raw(server.address, chance)
        return
    try:
        if number % STREAM_EVERY == 2:
            status, answer = "stream", await _stream(channel, data, chance)
        else:
            method = chance.choice(METHODS) if number % WRONG_METHOD_EVERY == 3 else "Score"
            answer = await channel.unary_unary(SERVICE + method)(data, timeout=CALL_S)
            status = "OK"
    except grpc.aio.AioRpcError as error:
        # What gRPC's own client makes of a stream that the server ended while it was still sending.
        of_client = error.details() == "Internal error from Core"
        defect = error.code() in DEFECTS and not of_client
        result.expect(not defect, f"request {number} ({kind}) got {error.code()}: {error.details()}")
        trailers = b"".join(_bytes(value) for _, value in error.trailing_metadata() or ())
        status = "stream" if of_client else error.code().name
        answer = _bytes(error.details() or "") + trailers
    result.statuses[status] += 1
    result.expect(
        MARKERS[1 - caller].encode() not in answer,
        f"request {number} ({kind}) was answered with another's text",
    )


async def _stream(channel: grpc.aio.Channel, data: bytes, chance: Random) -> bytes:
    """Send a few messages, then close, cut, or wait for what comes."""
    # The inside of a batch of one is a sample; anything else is as good.
    messages = [data[3:] if place % 2 else data for place in range(chance.randrange(4))]
    cut = chance.random() < 0.3

    async def sent() -> AsyncIterator[bytes]:
        for message in messages:
            yield message
        if cut:
            call.cancel()

    answer = b""
    call = channel.stream_stream(SERVICE + "ScoreStream")(sent(), timeout=CALL_S)
    try:
        async for message in call:
            answer += message
    except asyncio.CancelledError:
        if not cut:
            raise
    return answer


async def _honest(channel: grpc.aio.Channel, when: str, result: Result) -> None:
    sample = pb.Sample(
        sample_id="h", reward="boolean", completion=f"<reasoning>{when}</reasoning><answer>yes</answer>"
    )
    sample.boolean.value = True
    try:
        data = await channel.unary_unary(SERVICE + "Score")(
            pb.ScoreRequest(samples=[sample]).SerializeToString(), timeout=CALL_S
        )
        (outcome,) = pb.ScoreResponse.FromString(data).outcomes
        right = outcome.sample_id == "h" and outcome.score.value == 1.0
    except grpc.aio.AioRpcError as error:
        result.expect(False, f"the honest call {when} got {error.code()}: {error.details()}")
        return
    result.expect(right, f"the honest call {when} got {outcome}")


async def _raw(address: str, chance: Random) -> None:
    """Say something that is not HTTP/2, or HTTP/2 that goes wrong."""
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    with contextlib.suppress(ConnectionError):
        match chance.randrange(5):
            case 0:
                writer.write(chance.randbytes(500))
            case 1:
                writer.write(PREFACE + chance.randbytes(500))
            case 2:
                writer.write(
                    PREFACE + _frame(4, b"") + _frame(chance.randrange(12), chance.randbytes(300), 1)
                )
            case 3:  # headers that never end
                writer.write(PREFACE + _frame(4, b"") + _frame(1, b"\x00" * 100, 1, flags=0))
                for _ in range(50):
                    writer.write(_frame(9, b"\x40\x01a\x7f\xff" + b"a" * 16_000, 1, flags=0))
            case _:  # streams begun and reset at once
                writer.write(PREFACE + _frame(4, b""))
                for stream in range(1, 201, 2):
                    writer.write(
                        _frame(1, b"\x82\x86\x84", stream, flags=4) + _frame(3, b"\x00\x00\x00\x08", stream)
                    )
        await asyncio.wait_for(writer.drain(), CALL_S)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(1_000), 0.05)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


def _frame(kind: int, payload: bytes, stream: int = 0, flags: int | None = None) -> bytes:
    bits = 0 if flags is None else flags
    return len(payload).to_bytes(3, "big") + bytes((kind, bits)) + stream.to_bytes(4, "big") + payload


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    (line,) = (
        each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmRSS")
    )
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Attacks a server with malformed requests.")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory) / "server.log"
        with LocalServer(log) as server:
            result = run(options.requests, options.seed, server)
        defects = [
            line for line in log.read_text(errors="replace").splitlines() if '"level": "error"' in line
        ]
    print(
        f"{options.requests:,} requests, seed {options.seed}, {result.seconds:.0f} s: {dict(result.statuses)}"
    )
    print(f"memory of the server: {result.memory_before_mib:.0f} -> {result.memory_after_mib:.0f} MiB")
    for complaint in (*result.broken[:20], *defects[:5]):
        print(f"BROKEN: {complaint}")
    print(f"promises broken: {len(result.broken)}, errors in the log: {len(defects)}")
    sys.exit(1 if result.broken or defects else 0)


if __name__ == "__main__":
    main()
