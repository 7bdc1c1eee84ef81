"""How fast the server answers, measured through the client, for rewards decided on the spot.

    python bench/server_speed.py [--samples 20000]

Starts a server of its own on this machine; client and server share its CPUs. Every
completion is different, so nothing is answered from the cache.
"""

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path

from reward_client.api import BooleanReference, ChoiceReference, MathReference, Reference, Sample, Score
from reward_client.client import RewardClient
from reward_client.local import LocalServer

REASONING = "First the question is read, then each of the options is weighed. " * 30  # about 2 KB
SINGLES = 500
CASES: dict[str, tuple[str, Reference]] = {
    "choice": ("B", ChoiceReference(labels=("A", "B"), texts=("iron", "gold"), correct_label="B")),
    "boolean": ("yes", BooleanReference(value=True)),
    "math": ("42", MathReference(answer="6 * 7 = 42\n#### 42")),
}


def samples_of(reward: str, count: int, run: str) -> list[Sample]:
    answer, reference = CASES[reward]
    return [
        Sample(
            sample_id=str(number),
            reward=reward,
            prompt="Which one is it?",
            completion=f"<reasoning>{run} {number} {REASONING}</reasoning><answer>{answer}</answer>",
            reference=reference,
        )
        for number in range(count)
    ]


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far; on a shared machine it says more than the clock on the wall."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(client: RewardClient, server: LocalServer, reward: str, count: int) -> None:
    client.score(samples_of(reward, 1000, "warm-up"))
    batch = samples_of(reward, count, "batch")
    cpu_before, started = cpu_seconds(server.pid), time.perf_counter()
    outcomes = client.score(batch)
    per_second = count / (time.perf_counter() - started)
    cpu_us = (cpu_seconds(server.pid) - cpu_before) / count * 1e6
    right = sum(isinstance(each.result, Score) and each.result.verdict == "CORRECT" for each in outcomes)
    assert right == count, f"{count - right} of {count} were not graded as right"

    times = []
    for sample in samples_of(reward, SINGLES, "single"):
        started = time.perf_counter()
        client.score([sample])
        times.append((time.perf_counter() - started) * 1e3)
    p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
    print(f"{reward:8} {per_second:8.0f}/s in batches, server CPU {cpu_us:4.0f} us each; ", end="")
    print(f"one sample a call: p50 {p50:.2f} ms, p99 {p99:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast the server answers.")
    parser.add_argument("--samples", type=int, default=20_000)
    count: int = parser.parse_args().samples
    with (
        tempfile.TemporaryDirectory() as directory,
        LocalServer(Path(directory) / "server.log") as server,
        RewardClient(server.address) as client,
    ):
        for reward in CASES:
            measure(client, server, reward, count)


if __name__ == "__main__":
    main()
