"""The graders' targets through a server: completions a second, and honest traffic under attack.

    python -m bench.grader_service [--seconds 10]

Prints the Markdown table of bench/README.md: what, aim, measured; on the clock, client and
server sharing this machine's CPUs. Every sample is different, so that the cache answers nothing.
"""

import argparse
import multiprocessing
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

from bench.grader_rows import Row, hostile_rows
from bench.grader_speed import say
from reward_client.api import MathReference, Outcome, Sample, Score
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_server.rewards.folding import strip_invisible

BATCH = 20_000
HOSTILE = 300
INNOCENT_PAUSE_S = 0.005


def wire_sample(number: int, gold: str, answer: str, run: str, filler: str = "") -> Sample:
    return Sample(
        sample_id=str(number),
        reward="math",
        prompt="How many?",
        completion=f"<reasoning>{run} {number} {filler}</reasoning><answer>{answer}</answer>",
        reference=MathReference(answer=gold),
    )


def served_rate(client: RewardClient) -> None:
    filler = "so far so good. " * 60
    for run in ("warm-up", "measured"):
        batch = [wire_sample(n, f"#### {n % 997}", str(n % 997), run, filler) for n in range(BATCH)]
        started = time.perf_counter()
        outcomes = client.score(batch)
        rate = BATCH / (time.perf_counter() - started)
    assert all(isinstance(each.result, Score) and each.result.value == 1.0 for each in outcomes)
    say("GSM8K completions of 1 KB through gRPC", ">= 20,000/s", f"{rate:,.0f}/s")


INNOCENTS = {"decided on the spot": ("#### 42", "42"), "needs algebra": ("[1,2]\\cup[2,3]", "[1,3]")}


class Innocent:
    """Sends one honest sample after the other, from a process of its own, as the attacker has one too."""

    def __init__(self, address: str, pair: tuple[str, str], run: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._done = context.Event()
        self._began = context.Event()
        self._mine, theirs = context.Pipe()
        self._process = context.Process(
            target=_send_until, args=(address, pair, run, self._began, self._done, theirs)
        )
        self._process.start()
        self._began.wait()

    def end(self) -> "Latency":
        """Stop, and say how long the samples took."""
        self._done.set()
        times: list[float] = self._mine.recv()
        self._process.join()
        return Latency(
            p50_ms=statistics.median(times) * 1e3, p99_ms=statistics.quantiles(times, n=100)[98] * 1e3
        )


@dataclass(frozen=True, kw_only=True)
class Latency:
    p50_ms: float
    p99_ms: float


def _send_until(
    address: str, pair: tuple[str, str], run: str, began: Event, done: Event, times_to: Connection
) -> None:
    times: list[float] = []
    with RewardClient(address) as client:
        number = 0
        while not done.is_set():
            sample = wire_sample(number, *pair, run)
            started = time.perf_counter()
            (outcome,) = client.score([sample])
            if number:  # the first one connects
                times.append(time.perf_counter() - started)
            began.set()
            assert isinstance(outcome.result, Score), outcome.result
            assert outcome.result.value == 1.0, outcome.result
            number += 1
            time.sleep(INNOCENT_PAUSE_S)
    times_to.send(times)


@contextmanager
def innocent_traffic(address: str, run: str) -> Iterator[dict[str, Latency]]:
    innocents = {name: Innocent(address, pair, run) for name, pair in INNOCENTS.items()}
    latencies: dict[str, Latency] = {}
    yield latencies
    latencies |= {name: innocent.end() for name, innocent in innocents.items()}


class MemoryWatch(threading.Thread):
    """Keeps the largest resident size that any worker of the server ever had."""

    def __init__(self, server_pid: int) -> None:
        super().__init__(daemon=True)
        self.peak_kb = 0
        self._server_pid = server_pid

    def run(self) -> None:
        while True:
            for child in children(self._server_pid):
                self.peak_kb = max(self.peak_kb, high_water_kb(child))
            time.sleep(0.02)


def children(pid: int) -> list[int]:
    try:
        own = [
            int(each)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for each in (task / "children").read_text().split()
        ]
    except OSError:
        return []
    return own + [below for each in own for below in children(each)]


def high_water_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def attack(server: LocalServer, seconds: float) -> None:
    """Send 300 hostile answers at once, with and without honest traffic beside them."""
    watch = MemoryWatch(server.pid)
    watch.start()
    with innocent_traffic(server.address, "calm") as calm:
        time.sleep(seconds)
    rows = list(zip(range(HOSTILE), cycle(filter(is_attack, hostile_rows())), strict=False))
    with RewardClient(server.address) as client:
        took, outcomes = flood(client, [wire_sample(n, row.gold, row.answer, "alone") for n, row in rows])
        with innocent_traffic(server.address, "attacked") as attacked:
            ends, floods = time.perf_counter() + seconds, 0
            while time.perf_counter() < ends:
                floods += 1
                flood(client, [wire_sample(n, row.gold, row.answer, f"beside {floods}") for n, row in rows])
    scores = [each.result for each in outcomes if isinstance(each.result, Score)]
    worst_ms = max(each.grade_ms for each in outcomes)
    say(
        f"{HOSTILE} hostile answers in one call",
        "<= 10 s",
        f"{took:.1f} s",
    )
    say(
        "of them accepted / without a score",
        "0 / 0",
        f"{sum(s.components['correctness'] > 0 for s in scores)} / {HOSTILE - len(scores)}",
    )
    say("the one that took longest", "<= 1 s", f"{worst_ms / 1e3:.2f} s")
    say("largest worker", "<= 512 MB", f"{watch.peak_kb / 1024:.0f} MB")
    for name in INNOCENTS:
        before, after = calm[name], attacked[name]
        shown = (
            f"p50 {before.p50_ms:.1f} -> {after.p50_ms:.1f} ms, "
            f"p99 {before.p99_ms:.1f} -> {after.p99_ms:.1f} ms"
        )
        say(f"honest traffic beside {floods} such calls, {name}", "p99 less than doubled", shown)


def is_attack(row: Row) -> bool:
    """Leave out lone surrogates, which cannot be sent, and answers that the gate trims to the gold."""
    sendable = row.answer == row.answer.encode("utf-8", "ignore").decode("utf-8")
    return sendable and strip_invisible(row.answer) != row.gold


def flood(client: RewardClient, samples: Sequence[Sample]) -> tuple[float, list[Outcome]]:
    started = time.perf_counter()
    outcomes = client.score(samples)
    return time.perf_counter() - started, list(outcomes)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="of honest traffic, before and during the attack"
    )
    seconds: float = parser.parse_args().seconds
    say("what", "aim", "measured")
    say("---", "---", "---")
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalServer(Path(directory) / "server.log") as server,
        RewardClient(server.address) as client,
    ):
        client.score([wire_sample(0, *INNOCENTS["needs algebra"], "start")])  # waits for the workers
        served_rate(client)
        attack(server, seconds)


if __name__ == "__main__":
    main()
