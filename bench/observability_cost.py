"""What watching costs: the same calls with and without an observer, and while the page is scraped.

    python bench/observability_cost.py [--rounds 7] 2>/dev/null

Everything runs in this one process, so rounds with and without are interleaved and compared by
their CPU time; a busy machine changes the times, hardly their ratio.
"""

import argparse
import asyncio
import socket
import statistics
import time
import urllib.request
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import grpc
from reward.v1 import reward_pb2 as pb

from reward_server.config import ServerConfig
from reward_server.registry import Registry
from reward_server.rewards.choice import ChoiceReward
from reward_server.scores import ScoringConfig
from reward_server.server import running
from reward_server.serving.listening import listen
from reward_server.serving.stopping import Stop
from reward_server.telemetry import configure

BATCH = 256
BATCHES = 20
SINGLES = 400
SCRAPE_EVERY_S = 0.1
REASONING = "First the question is read, then each of the options is weighed. " * 30  # about 2 KB

Call = Callable[[bytes], Awaitable[bytes]]


def request(first: int, count: int) -> bytes:
    samples = (
        pb.Sample(
            sample_id=str(number),
            reward="choice",
            completion=f"<reasoning>{number} {REASONING}</reasoning><answer>B</answer>",
            choice=pb.ChoiceReference(labels=("A", "B"), texts=("iron", "gold"), correct_label="B"),
        )
        for number in range(first, first + count)
    )
    return pb.ScoreRequest(samples=samples).SerializeToString()


async def serve(stack: AsyncExitStack, metrics_listen: str | None) -> Call:
    config = ServerConfig(listen="127.0.0.1:0", cache_entries=0, metrics_listen=metrics_listen)
    server, address = listen(config)
    rewards = Registry([ChoiceReward()], ScoringConfig())
    await stack.enter_async_context(running(server, config, rewards, Stop()))
    channel = await stack.enter_async_context(
        grpc.aio.insecure_channel(address, options=[("grpc.max_receive_message_length", -1)])
    )
    return channel.unary_unary("/reward.v1.RewardService/Score")


async def cpu_us(call: Call, requests: list[bytes], samples: int) -> float:
    """CPU microseconds a sample, client included."""
    before = time.process_time()
    for each in requests:
        await call(each)
    return (time.process_time() - before) / samples * 1e6


async def singles_ms(call: Call, count: int) -> tuple[float, float]:
    """Median and p99 of calls of one sample, in milliseconds."""
    times = []
    for number in range(count):
        data = request(number, 1)
        started = time.perf_counter()
        await call(data)
        times.append((time.perf_counter() - started) * 1e3)
    return statistics.median(times), statistics.quantiles(times, n=100)[98]


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    configure("json")
    batches = [request(number * BATCH, BATCH) for number in range(BATCHES)]
    ones = [request(number, 1) for number in range(SINGLES)]
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    async with AsyncExitStack() as stack:
        plain = await serve(stack, None)
        watched = await serve(stack, f"127.0.0.1:{port}")
        for call in (plain, watched):
            await cpu_us(call, batches, BATCH * BATCHES)
        for name, requests, samples in (("batches", batches, BATCH * BATCHES), ("singles", ones, SINGLES)):
            pairs = [
                (await cpu_us(plain, requests, samples), await cpu_us(watched, requests, samples))
                for _ in range(rounds)
            ]
            without, with_ = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratio = statistics.median(after / before for before, after in pairs)
            print(f"{name}: {without:.1f} us a sample without, {with_:.1f} us with; ratio {ratio:.3f}")
        await _while_scraped(watched, f"http://127.0.0.1:{port}/metrics")


async def _while_scraped(call: Call, url: str) -> None:
    """Compare single calls undisturbed and while the page is scraped."""

    def fetch() -> None:
        with urllib.request.urlopen(url) as answer:
            answer.read()

    async def from_its_thread() -> None:
        while True:
            await asyncio.to_thread(fetch)
            await asyncio.sleep(SCRAPE_EVERY_S)

    quiet = await singles_ms(call, SINGLES)
    scraping = asyncio.create_task(from_its_thread())
    scraped = await singles_ms(call, SINGLES)
    scraping.cancel()
    await asyncio.gather(scraping, return_exceptions=True)
    print(f"single calls: median {quiet[0]:.2f} ms, p99 {quiet[1]:.2f} ms")
    print(f"  scraped every {SCRAPE_EVERY_S} s: median {scraped[0]:.2f} ms, p99 {scraped[1]:.2f} ms")


if __name__ == "__main__":
    asyncio.run(main())
