"""What honest callers notice of floods: the latency of one inline sample, and the server's own loop lag.

    python -m bench.fairness [--seconds 8] [--rounds 2]

One server. One process sends one inline sample after the other, and another one floods: with
programs, with hostile algebra, with texts, with batches as large as they may be. The phases take turns,
so that what else the machine does falls on all alike. Time in the server and the loop's lag (how
late it wakes) are the server's own histograms, read at its /metrics before and after each phase:
what the honest caller waits for beside these is gRPC, and a CPU for itself.
Aims: p99 of the inline samples below 5 ms, and of the lag below 10 ms, in every phase.
"""

import argparse
import multiprocessing
import re
import socket
import statistics
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import count, cycle, islice
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import grpc
from reward.v1 import reward_pb2 as pb

from bench.grader_rows import hostile_rows
from bench.grader_service import INNOCENTS, is_attack, wire_sample
from bench.texts import samples_of
from reward_client.api import CodeReference, RewardClientError, Sample
from reward_client.channels import SERVICE
from reward_client.client import RewardClient
from reward_client.local import LocalServer

PAUSE_S = 0.002
LAG = "assay_event_loop_lag_seconds_bucket"
# By the server's clock; of the honest caller, whose samples are the only ones of this class ...
CALLS = "assay_call_duration_seconds_bucket"
HONEST = 'cost_class="WORKER"'
# ... but for this flood, whose calls have it too.
SAME_CLASS = "hostile algebra"
CALL_S = 120.0
IN_FLIGHT = 4
LARGEST_BATCH = 8_192
PROGRAM = "```python\ndef f(n):\n    return sum(range(n))\n```"
PROGRAM_TESTS = CodeReference(tests=("assert f(3) == 3",), entry_point="f")

Answered = Synchronized  # how many calls of a flood were answered
Flood = Callable[[str, Event, Answered], None]


def programs(address: str, ended: Event, answered: Answered) -> None:
    """Keep the sandbox's queue filled."""
    with RewardClient(address) as client:
        repeat(
            ended,
            answered,
            lambda number: client.score([_program(f"{number}/{place}") for place in range(256)]),
        )


def algebra(address: str, ended: Event, answered: Answered) -> None:
    """Keep the workers' queue filled with answers made to cost as much as they can."""
    rows = list(islice(cycle(filter(is_attack, hostile_rows())), 300))
    with RewardClient(address) as client:
        repeat(
            ended,
            answered,
            lambda number: client.score(
                [
                    wire_sample(place, row.gold, row.answer, f"flood {number}")
                    for place, row in enumerate(rows)
                ]
            ),
        )


def many_samples(address: str, ended: Event, answered: Answered) -> None:
    """Send as many inline samples as a call may have, of 2 KB each."""
    _large(address, ended, answered, filler_bytes=2_000)


def many_bytes(address: str, ended: Event, answered: Answered) -> None:
    """Send as many inline samples as a call may have, and nearly as many bytes: 61 MB."""
    _large(address, ended, answered, filler_bytes=7_300)


def texts(address: str, ended: Event, answered: Answered) -> None:
    """Keep stories, ideas and summaries coming: inline rewards that take about a millisecond each."""
    batch = samples_of(256, seed=time.monotonic_ns())
    with RewardClient(address) as client:
        repeat(
            ended,
            answered,
            lambda number: client.score(
                [
                    replace(each, completion=each.completion.replace("<reasoning>", f"<reasoning>{number} "))
                    for each in batch
                ]
            ),
        )


def _large(address: str, ended: Event, answered: Answered, *, filler_bytes: int) -> None:
    """Send the same bytes again, in which an id of the call is changed, so that no cache knows them."""
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    with grpc.insecure_channel(address, options=options) as channel:
        score = channel.unary_unary(f"/{SERVICE}/Score")
        template = _batch("@" * 12, filler_bytes)
        repeat(
            ended,
            answered,
            lambda number: score(template.replace(b"@" * 12, b"%012d" % number), timeout=CALL_S),
            in_flight=2,
        )


def _batch(mark: str, filler_bytes: int) -> bytes:
    filler = "x" * filler_bytes
    samples = (
        pb.Sample(
            sample_id=f"{place}",
            reward="boolean",
            completion=f"<reasoning>{mark} {place} {filler}</reasoning><answer>yes</answer>",
            boolean=pb.BooleanReference(value=True),
        )
        for place in range(LARGEST_BATCH)
    )
    return pb.ScoreRequest(samples=samples).SerializeToString()


def _program(sample_id: str) -> Sample:
    text = f"<reasoning>{sample_id} {time.monotonic_ns()}</reasoning><answer>{PROGRAM}</answer>"
    return Sample(sample_id=sample_id, reward="code", prompt="", completion=text, reference=PROGRAM_TESTS)


def repeat(
    ended: Event, answered: Answered, send: Callable[[int], object], *, in_flight: int = IN_FLIGHT
) -> None:
    """Keep so many calls in flight until the end."""
    numbers = count(time.monotonic_ns() % 10**9)

    def work() -> None:
        while not ended.is_set():
            try:
                send(next(numbers))
                with answered:
                    answered.value += 1
            except (RewardClientError, grpc.RpcError):  # refused: the queue is full, as it should be
                ended.wait(0.1)

    with ThreadPoolExecutor(in_flight) as pool:
        for future in [pool.submit(work) for _ in range(in_flight)]:
            future.result()


FLOODS: Mapping[str, Flood | None] = {
    "calm": None,
    "programs": programs,
    "hostile algebra": algebra,
    "texts": texts,
    "8,192 samples a call": many_samples,
    "61 MB a call": many_bytes,
}


def honest_ms(client: RewardClient, seconds: float, run: str) -> list[float]:
    """Send one inline sample after the other, and say how long each took."""
    times: list[float] = []
    ends = time.perf_counter() + seconds
    for number in count():
        sample = wire_sample(number, *INNOCENTS["decided on the spot"], run)
        started = time.perf_counter()
        client.score([sample])
        times.append((time.perf_counter() - started) * 1e3)
        if time.perf_counter() > ends:
            return times
        time.sleep(PAUSE_S)
    raise AssertionError


@contextmanager
def flooding(flood: Flood | None, address: str) -> Iterator[Callable[[], int]]:
    """Flood inside the block, from a process of its own; yields how many of its calls were answered."""
    if flood is None:
        yield lambda: 0
        return
    context = multiprocessing.get_context("spawn")
    ended, answered = context.Event(), context.Value("l", 0)
    process = context.Process(target=flood, args=(address, ended, answered))
    process.start()
    while not answered.value:  # it imports, and fills the queues
        time.sleep(0.05)
    first = answered.value
    try:
        yield lambda: answered.value - first
    finally:
        ended.set()
        process.join()


def read_buckets(url: str) -> dict[str, Counter[float]]:
    """Read the cumulative counts of the histograms of lag and honest calls, by upper bound in seconds."""
    with urllib.request.urlopen(url) as answer:
        text: str = answer.read().decode()
    buckets: dict[str, Counter[float]] = {LAG: Counter(), CALLS: Counter()}
    for name, labels, number in re.findall(r"^(\w+)\{(.*)\} (\S+)$", text, flags=re.MULTILINE):
        if name == LAG or (name == CALLS and HONEST in labels):
            (bound,) = re.findall(r'le="([^"]+)"', labels)
            buckets[name][float(bound)] += int(float(number))
    return buckets


def quantile_bound_ms(cumulative: Counter[float], share: float) -> float:
    """Return the upper end of the bucket in which a quantile lies, in milliseconds."""
    wanted = share * max(cumulative.values())
    return min(bound for bound, number in cumulative.items() if number >= wanted) * 1e3


def bounds(cumulative: Counter[float], *shares: float) -> str:
    return " | ".join(f"<= {quantile_bound_ms(cumulative, share):g}" for share in shares)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=8.0, help="of each phase, in each round")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", default="", help="only floods with these words in their name")
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        page = f"127.0.0.1:{probe.getsockname()[1]}"
    times: defaultdict[str, list[float]] = defaultdict(list)
    floods_answered: Counter[str] = Counter()
    found: defaultdict[tuple[str, str], Counter[float]] = defaultdict(Counter)
    chosen = {name: flood for name, flood in FLOODS.items() if name == "calm" or options.only in name}
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalServer(Path(directory) / "server.log", ("--metrics-listen", page)) as server,
        RewardClient(server.address) as client,
    ):
        client.score([wire_sample(0, *INNOCENTS["needs algebra"], "start"), _program("start")])
        for turn in range(options.rounds):
            for name, flood in chosen.items():
                with flooding(flood, server.address) as answered:
                    before = read_buckets(f"http://{page}/metrics")
                    times[name] += honest_ms(client, options.seconds, f"{name} {turn}")
                    after = read_buckets(f"http://{page}/metrics")
                    floods_answered[name] += answered()
                for histogram, buckets in after.items():
                    buckets.subtract(before[histogram])
                    found[name, histogram].update(buckets)
    print(
        "| flood | its calls | honest samples | p50, ms | p99, ms | in the server: p50 | p99 "
        "| loop lag, ms: p50 | p99 | longest |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for name, taken in times.items():
        p99 = statistics.quantiles(taken, n=100)[98]
        served = "- | -" if name == SAME_CLASS else bounds(found[name, CALLS], 0.5, 0.99)
        lag = bounds(found[name, LAG], 0.5, 0.99, 1.0)
        print(
            f"| {name} | {floods_answered[name]:,} | {len(taken):,} | {statistics.median(taken):.1f} "
            f"| {p99:.1f} | {served} | {lag} |"
        )


if __name__ == "__main__":
    main()
