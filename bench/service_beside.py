"""The service beside what people use now, on the same graders and samples, in one run, taking turns.

    python -m bench.service_beside [--samples 4096] [--rounds 3]

In process: the graders called as a reward function of TRL or verl. HTTP and JSON: the same
behind FastAPI and uvicorn in OpenRLHF's shape. Assay: gRPC, in batches, one sample a call, and
a stream. Every sample is different, so that no cache answers. Then 1 to 3 replicas of the
service for programs that wait more than they compute, as the CPUs here are shared by all.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import grpc
import httpx
from reward.v1 import reward_pb2 as pb

from bench.http_rewards import grade
from bench.server_speed import samples_of
from reward_client.api import CodeReference, Outcome, Sample, Score
from reward_client.channels import SERVICE
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_client.wire import write_sample

BATCH = 256
IN_FLIGHT = 8
SINGLES = 200
WAITING_PROGRAMS = 48
PROGRAM_S = 0.25
RIGHT = 1.0

Batch = Callable[[Sequence[Sample]], Sequence[float]]


@dataclass(kw_only=True)
class Method:
    """One way to have samples graded; `pids` are the processes it uses beside this one."""

    name: str
    all_at_once: Batch
    one: Batch | None
    pids: Callable[[], set[int]]
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    single_ms: list[float] = field(default_factory=list)


def cpu_seconds(pids: set[int]) -> float:
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def measure(method: Method, samples: Sequence[Sample]) -> None:
    """Grade all samples at once, and then a few one by one."""
    pids = {os.getpid()} | method.pids()
    cpu, started = cpu_seconds(pids), time.perf_counter()
    values = method.all_at_once(samples)
    method.rates.append(len(samples) / (time.perf_counter() - started))
    method.cpu_us.append((cpu_seconds(pids) - cpu) / len(samples) * 1e6)
    assert list(values) == [RIGHT] * len(samples), f"{method.name} graded {set(values)}"
    if (one := method.one) is None:
        return
    for sample in fresh(samples[:SINGLES]):
        started = time.perf_counter()
        one([sample])
        method.single_ms.append((time.perf_counter() - started) * 1e3)


def fresh(samples: Sequence[Sample]) -> Iterator[Sample]:
    """Return equal samples in other words, which no cache knows."""
    for sample in samples:
        other = sample.completion.replace("<reasoning>", "<reasoning>again ")
        yield replace(sample, completion=other)


def label_of(sample: Sample) -> str:
    return json.dumps({"reward": sample.reward, **asdict(sample.reference)})


def in_process(samples: Sequence[Sample]) -> Sequence[float]:
    return grade(
        [each.prompt for each in samples],
        [each.completion for each in samples],
        [label_of(each) for each in samples],
    )


@contextmanager
def http_server() -> Iterator[tuple[str, int]]:
    """The HTTP server in a process of its own; yields its URL and process id."""
    with httpx.Client() as probe:
        port = free_port()
        command = (sys.executable, "-m", "uvicorn", "bench.http_rewards:app", "--port", str(port))
        process = subprocess.Popen((*command, "--log-level", "warning", "--no-access-log"))
        try:
            url = f"http://127.0.0.1:{port}"
            for _ in range(600):
                try:
                    probe.get(f"{url}/docs")
                    break
                except httpx.ConnectError:
                    time.sleep(0.1)
            yield f"{url}/get_reward", process.pid
        finally:
            process.terminate()
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def over_http(client: httpx.Client, url: str, samples: Sequence[Sample]) -> list[float]:
    body = {
        "query": [each.completion for each in samples],
        "prompts": [each.prompt for each in samples],
        "labels": [label_of(each) for each in samples],
    }
    return client.post(url, json=body, timeout=60).raise_for_status().json()["rewards"]


def in_batches(send: Batch, executor: ThreadPoolExecutor, samples: Sequence[Sample]) -> list[float]:
    batches = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
    return [value for values in executor.map(send, batches) for value in values]


def over_grpc(client: RewardClient, samples: Sequence[Sample]) -> list[float]:
    results = [outcome.result for outcome in client.score(samples)]
    return [result.value if isinstance(result, Score) else -1.0 for result in results]


def streamed(address: str, samples: Sequence[Sample]) -> list[float]:
    async def run() -> list[float]:
        async with grpc.aio.insecure_channel(address) as channel:
            call = channel.stream_stream(f"/{SERVICE}/ScoreStream")()

            async def send() -> None:
                for sample in samples:
                    await call.write(write_sample(sample).SerializeToString())
                await call.done_writing()

            sending = asyncio.create_task(send())
            values = [pb.Outcome.FromString(data).score.value async for data in call]
            await sending
            return values

    return asyncio.run(run())


def compare(count: int, rounds: int) -> None:
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(LocalServer(directory / "server.log"))
        client = stack.enter_context(RewardClient(server.address))
        url, http_pid = stack.enter_context(http_server())
        session = stack.enter_context(httpx.Client())
        executor = stack.enter_context(ThreadPoolExecutor(IN_FLIGHT))

        def http(samples: Sequence[Sample]) -> list[float]:
            return over_http(session, url, samples)

        def assay(samples: Sequence[Sample]) -> list[float]:
            return over_grpc(client, samples)

        methods = [
            Method(name="in process", all_at_once=in_process, one=in_process, pids=set),
            Method(
                name="HTTP and JSON, batches of 256",
                all_at_once=lambda samples: in_batches(http, executor, samples),
                one=http,
                pids=lambda: {http_pid},
            ),
            Method(name="Assay, one call", all_at_once=assay, one=assay, pids=lambda: {server.pid}),
            Method(
                name="Assay, a stream",
                all_at_once=lambda samples: streamed(server.address, samples),
                one=None,
                pids=lambda: {server.pid},
            ),
        ]
        for number in range(rounds + 1):
            for method in methods:
                samples = [
                    each
                    for reward in ("choice", "boolean", "math")
                    for each in samples_of(reward, count // 3, f"{method.name} {number}")
                ]
                numbered = [replace(each, sample_id=str(place)) for place, each in enumerate(samples)]
                measure(method, numbered)
                if number == 0:  # the first round warms up
                    method.rates.clear()
                    method.cpu_us.clear()
                    method.single_ms.clear()
    print("| method | completions/s | CPU, us each | one sample: p50 | p99 |")
    print("|---|--:|--:|--:|--:|")
    for method in methods:
        rate, cpu_us = statistics.median(method.rates), statistics.median(method.cpu_us)
        print(f"| {method.name} | {rate:,.0f} | {cpu_us:.0f} | {latency(method.single_ms)} |")


def latency(times_ms: Sequence[float]) -> str:
    if not times_ms:
        return "- | -"
    return f"{statistics.median(times_ms):.2f} ms | {statistics.quantiles(times_ms, n=100)[98]:.2f} ms"


def waiting_program(number: int) -> Sample:
    unique = f"# {number} {time.time_ns()}"
    code = f"import time\ndef f(x):\n    time.sleep({PROGRAM_S})\n    return x + 1  {unique}\n"
    return Sample(
        sample_id=str(number),
        reward="code",
        prompt="Wait.",
        completion=f"<reasoning>r</reasoning><answer>{code}</answer>",
        reference=CodeReference(tests=("assert f(1) == 2",)),
    )


def score_one(client: RewardClient, number: int) -> Outcome:
    (outcome,) = client.score([waiting_program(number)])
    return outcome


def scale(most: int) -> None:
    """Grade programs that wait, on 1 to `most` replicas of two slots each, behind one client."""
    print(f"\n| replicas | programs of {PROGRAM_S * 1e3:.0f} ms, /s | times one |")
    print("|--:|--:|--:|")
    alone = 0.0
    for replicas in range(1, most + 1):
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            servers = [
                stack.enter_context(LocalServer(directory / f"{n}.log", ("--queues.programs", "2")))
                for n in range(replicas)
            ]
            client = stack.enter_context(RewardClient([server.address for server in servers]))
            executor = stack.enter_context(ThreadPoolExecutor(8 * replicas))
            one = partial(score_one, client)
            list(executor.map(one, range(8 * replicas)))
            started = time.perf_counter()
            outcomes = list(executor.map(one, range(WAITING_PROGRAMS)))
            rate = WAITING_PROGRAMS / (time.perf_counter() - started)
        assert all(isinstance(each.result, Score) and each.result.value == RIGHT for each in outcomes)
        alone = alone or rate
        print(f"| {replicas} | {rate:.1f} | {rate / alone:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description="The service beside what people use now.")
    parser.add_argument("--samples", type=int, default=4_096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--replicas", type=int, default=3)
    arguments = parser.parse_args()
    compare(arguments.samples, arguments.rounds)
    scale(arguments.replicas)


if __name__ == "__main__":
    main()
