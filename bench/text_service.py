"""Texts through the service beside the same graders in process: how many cores one server uses.

    python -m bench.text_service [--samples 2048] [--rounds 3] [--cores N]

Stories, lists of ideas and summaries of about 300 words, every one different, in groups of four
that share their prompt. In process is one thread, as in a reward function of TRL or verl. The
service is one server with one worker process, then with one for each core of this machine.
"""

import argparse
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench.grader_service import INNOCENTS, wire_sample
from bench.service_beside import cpu_seconds
from reward_client.api import Sample, Score, TextReference
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from reward_server import api, registry
from reward_server.rewards.ideation import IdeationReward
from reward_server.rewards.summary import SummaryReward
from reward_server.rewards.writing import WritingReward
from reward_server.rewards.xml_gate import Open, open_gate

GROUP = 4
SINGLES = 100
_REWARDS = {"ideation": IdeationReward(), "summary": SummaryReward(), "writing": WritingReward()}
_PLACES = (
    "by the river",
    "up the hill",
    "in the old town",
    "behind the mill",
    "near the coast",
    "at the fair",
)
_PEOPLE = ("the miller", "a teacher", "the pilot", "her brother", "an old farmer", "the doctor", "a clerk")
_DEEDS = (
    "had lost the key to the shed",
    "watched how the rain came closer",
    "asked who would repair the engine",
    "sold bread and told long stories",
    "wanted to leave before the evening",
    "heard music that nobody else noticed",
    "counted the boats and forgot the number",
    "wrote a letter and never sent it",
)


@dataclass(kw_only=True)
class Measured:
    """One way to grade, over the rounds: completions a second, and microseconds of CPU for each."""

    name: str
    rates: list[float] = field(default_factory=list)
    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    single_ms: list[float] = field(default_factory=list)


def text(words: int, chance: random.Random) -> str:
    """Return a text of about so many words that resembles no other."""
    sentences: list[str] = []
    said = 0
    while said < words:
        who, what, where = chance.choice(_PEOPLE), chance.choice(_DEEDS), chance.choice(_PLACES)
        sentence = f"{where} {who} {what} for {chance.randrange(2, 99)} days"
        said += len(sentence.split())
        sentences.append(sentence[0].upper() + sentence[1:] + ".")
    return " ".join(sentences)


def samples_of(count: int, seed: int) -> list[Sample]:
    """Return groups of all three rewards, in turn."""
    chance = random.Random(seed)
    samples: list[Sample] = []
    for group in range(-(-count // GROUP)):
        reward = tuple(_REWARDS)[group % len(_REWARDS)]
        prompt = f"Tell what {chance.choice(_PEOPLE)} did {chance.choice(_PLACES)}."
        reference = TextReference()
        if reward == "summary":
            reference = TextReference(reference=text(60, chance), source=text(600, chance))
        samples += (
            Sample(
                sample_id=f"{group}-{member}",
                reward=reward,
                prompt=prompt,
                completion=f"<reasoning>Short.</reasoning><answer>{text(300, chance)}</answer>",
                reference=reference,
                group_id=f"{seed}-{group}",
            )
            for member in range(GROUP)
        )
    return samples[:count]


def in_process(samples: Sequence[Sample]) -> None:
    for sample in samples:
        gate = open_gate(sample.completion)
        assert isinstance(gate, Open)
        given = sample.reference
        assert isinstance(given, TextReference)
        asked = api.Sample(
            sample_id=sample.sample_id,
            reward=sample.reward,
            prompt=sample.prompt,
            completion=sample.completion,
            reference=api.TextReference(reference=given.reference, source=given.source),
        )
        _REWARDS[sample.reward].grade(asked, gate.answer)


def through(client: RewardClient, samples: Sequence[Sample]) -> None:
    failed = [each for each in client.score(samples) if not isinstance(each.result, Score)]
    assert not failed, f"{len(failed)} have no score, the first: {failed[0]}"


def children_of(pid: int) -> set[int]:
    """Return all processes below one."""
    below: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            below |= {int(child)} | children_of(int(child))
    return below


def measure_service(measured: Measured, client: RewardClient, pid: int, samples: Sequence[Sample]) -> None:
    parts = {"server": {pid}, "workers": children_of(pid), "client": {os.getpid()}}
    before = {name: cpu_seconds(pids) for name, pids in parts.items()}
    started = time.perf_counter()
    through(client, samples)
    measured.rates.append(len(samples) / (time.perf_counter() - started))
    for name, pids in parts.items():
        spent_us = (cpu_seconds(pids) - before[name]) / len(samples) * 1e6
        measured.cpu_us.setdefault(name, []).append(spent_us)


def measure_singles(measured: Measured, client: RewardClient, samples: Sequence[Sample]) -> None:
    for sample in samples:
        started = time.perf_counter()
        through(client, [sample])
        measured.single_ms.append((time.perf_counter() - started) * 1e3)


def measure_in_process(measured: Measured, samples: Sequence[Sample]) -> None:
    cpu, started = time.process_time(), time.perf_counter()
    in_process(samples)
    measured.rates.append(len(samples) / (time.perf_counter() - started))
    spent_us = (time.process_time() - cpu) / len(samples) * 1e6
    measured.cpu_us.setdefault("client", []).append(spent_us)


def rows(found: Sequence[Measured]) -> Iterator[str]:
    """Return the Markdown table of bench/README.md."""
    yield "| | completions/s | of in process | CPU µs each: server, workers, client | one a call, p50 ms |"
    yield "|---|---|---|---|---|"
    base = statistics.median(found[0].rates)
    for each in found:
        rate = statistics.median(each.rates)
        cpu = ", ".join(
            f"{statistics.median(each.cpu_us[part]):,.0f}" if part in each.cpu_us else "-"
            for part in ("server", "workers", "client")
        )
        single = f"{statistics.median(each.single_ms):.2f}" if each.single_ms else "-"
        yield f"| {each.name} | {rate:,.0f} | {rate / base:.2f} | {cpu} | {single} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Texts through the service beside in process.")
    parser.add_argument("--samples", type=int, default=2_048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    assert set(_REWARDS) <= set(registry.BUILT_IN)
    found = [Measured(name="in process, one thread")]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        served: list[tuple[Measured, RewardClient, int]] = []
        for workers in sorted({1, arguments.cores}):
            server = stack.enter_context(
                LocalServer(directory / f"{workers}.log", arguments=("--queues.workers", str(workers)))
            )
            client = stack.enter_context(RewardClient(server.address))
            found.append(Measured(name=f"service, {workers} worker{'s' * (workers > 1)}"))
            served.append((found[-1], client, server.pid))
            client.score([wire_sample(0, *INNOCENTS["needs algebra"], "start")])  # the workers are warm
            through(client, samples_of(256, seed=0))
        for number in range(1, arguments.rounds + 1):
            measure_in_process(found[0], samples_of(arguments.samples, seed=100 * number))
            for place, (measured, client, pid) in enumerate(served, start=1):
                seed = 100 * number + 2 * place
                measure_service(measured, client, pid, samples_of(arguments.samples, seed=seed))
                measure_singles(measured, client, samples_of(SINGLES, seed=seed + 1))
    print("\n".join(rows(found)))


if __name__ == "__main__":
    main()
