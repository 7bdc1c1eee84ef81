"""Texts through the service beside the same graders in process and behind HTTP: how many cores are used.

    python -m bench.text_service [--samples 2048] [--rounds 3] [--cores N]

Stories, lists of ideas and summaries of about 300 words, every one different, in groups of four
that share their prompt. In process is one thread, as in a reward function of TRL or verl; HTTP
and JSON is the server of `service_beside`. Assay has one worker process, then one for each core.
All take turns.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx

from bench.grader_service import INNOCENTS, children, wire_sample
from bench.service_beside import IN_FLIGHT, cpu_seconds, http_server, in_batches, in_process, over_http
from bench.texts import samples_of
from reward_client.api import Sample, Score
from reward_client.client import RewardClient
from reward_client.local import LocalServer

SINGLES = 100
PARTS = ("caller", "server", "workers")


@dataclass(kw_only=True)
class Measured:
    """One way to grade; over the rounds completions a second, and microseconds of CPU for each.

    `server` is the process that grades, None where that is this one.
    """

    name: str
    grade: Callable[[Sequence[Sample]], object]
    server: int | None = None
    rates: list[float] = field(default_factory=list)
    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    single_ms: list[float] = field(default_factory=list)

    def parts(self) -> dict[str, set[int]]:
        """Return the processes of each part."""
        server = set() if self.server is None else {self.server}
        return dict(zip(PARTS, ({os.getpid()}, server, set().union(*map(children, server))), strict=True))


def measure(measured: Measured, samples: Sequence[Sample], singles: Sequence[Sample]) -> None:
    """Grade the samples at once, and then a few one by one."""
    before = {name: cpu_seconds(pids) for name, pids in measured.parts().items()}
    started = time.perf_counter()
    measured.grade(samples)
    measured.rates.append(len(samples) / (time.perf_counter() - started))
    for name, pids in measured.parts().items():
        spent_us = (cpu_seconds(pids) - before[name]) / len(samples) * 1e6
        measured.cpu_us.setdefault(name, []).append(spent_us)
    for sample in singles:
        started = time.perf_counter()
        measured.grade([sample])
        measured.single_ms.append((time.perf_counter() - started) * 1e3)


def rows(found: Sequence[Measured]) -> Iterator[str]:
    """Return the Markdown table of bench/README.md."""
    yield "| | completions/s | of in process | CPU, us each: caller | server | workers | one a call, p50 |"
    yield "|---|--:|--:|--:|--:|--:|--:|"
    base = statistics.median(found[0].rates)
    for each in found:
        rate = statistics.median(each.rates)
        cpu = " | ".join(f"{statistics.median(each.cpu_us[part]):,.0f}" for part in PARTS)
        single = f"{statistics.median(each.single_ms):.2f} ms"
        yield f"| {each.name} | {rate:,.0f} | {rate / base:.2f} | {cpu} | {single} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Texts through the service beside in process.")
    parser.add_argument("--samples", type=int, default=2_048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    with ExitStack() as stack:
        found = [Measured(name="in process, one thread", grade=in_process), over_http_server(stack)]
        found += (served(stack, workers) for workers in sorted({1, arguments.cores}))
        seeds = count()
        for measured in found:
            measured.grade(samples_of(256, next(seeds)))  # warms up
        for _ in range(arguments.rounds):
            for measured in found:
                samples, singles = (samples_of(each, next(seeds)) for each in (arguments.samples, SINGLES))
                measure(measured, samples, singles)
    print("\n".join(rows(found)))


def over_http_server(stack: ExitStack) -> Measured:
    url, pid = stack.enter_context(http_server())
    session = stack.enter_context(httpx.Client())
    executor = stack.enter_context(ThreadPoolExecutor(IN_FLIGHT))

    def send(samples: Sequence[Sample]) -> Sequence[float]:
        return over_http(session, url, samples)

    return Measured(
        name="HTTP and JSON, batches of 256",
        grade=lambda samples: in_batches(send, executor, samples),
        server=pid,
    )


def served(stack: ExitStack, workers: int) -> Measured:
    directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    server = stack.enter_context(
        LocalServer(directory / "server.log", arguments=("--queues.workers", str(workers)))
    )
    client = stack.enter_context(RewardClient(server.address))
    client.score([wire_sample(0, *INNOCENTS["needs algebra"], "start")])  # the workers are warm

    def send(samples: Sequence[Sample]) -> None:
        failed = [each for each in client.score(samples) if not isinstance(each.result, Score)]
        assert not failed, f"{len(failed)} have no score, the first: {failed[0]}"

    return Measured(name=f"Assay, --queues.workers {workers}", grade=send, server=server.pid)


if __name__ == "__main__":
    main()
