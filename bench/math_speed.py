"""Grades per second of processor time of the math reward's inline layers, on one core.

    python -m bench.math_speed [--seconds 1.0]

GSM8K forms use the numbers 1..997, each at the end of a completion of 1 KB that goes through
the gate first; MATH-style pairs are those of `tests/cases/math_cases.jsonl` that are decided
without a worker.
"""

import argparse
import json
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from reward_server.api import Grade, MathReference, Sample
from reward_server.rewards.math import TASKS, MathReward
from reward_server.rewards.xml_gate import Open, open_gate
from reward_server.workers import WorkerPool

CASES = Path(__file__).resolve().parents[1] / "tests" / "cases" / "math_cases.jsonl"
Pair = tuple[Sample, str]


def pair(gold: str, answer: str) -> Pair:
    reference = MathReference(answer=gold)
    return Sample(sample_id="1", reward="math", prompt="", completion="", reference=reference), answer


def numbers(form: str, *, shift: int = 0) -> list[Pair]:
    return [pair(f"3 * 4 = <<3*4=12>>12\n#### {n}", form.format(n=n + shift)) for n in range(1, 998)]


def gated(reward: MathReward) -> Callable[[Sample, str], object]:
    """Return a grader that scans a completion of 1 KB before it grades the answer."""
    reasoning = "Let me think about this step by step. " * 25

    def grade(sample: Sample, answer: str) -> object:
        opened = open_gate(f"<reasoning>{reasoning}</reasoning>\n<answer>{answer}</answer>")
        assert isinstance(opened, Open)
        return reward.grade(sample, opened.answer)

    return grade


def is_inline(reward: MathReward, each: Pair) -> bool:
    found = reward.grade(*each)
    if isinstance(found, Coroutine):
        found.close()  # never run: no worker was started
    return isinstance(found, Grade)


def is_right(reward: MathReward, each: Pair) -> bool:
    found = reward.grade(*each)
    return isinstance(found, Grade) and found.value == 1.0


def rate(grade: Callable[[Sample, str], object], pairs: Sequence[Pair], seconds: float) -> float:
    """Return grades per second of processor time, golds already read."""
    for each in pairs:
        grade(*each)
    done, started = 0, time.process_time()
    while (elapsed := time.process_time() - started) < seconds:
        for each in pairs:
            grade(*each)
        done += len(pairs)
    return done / elapsed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0)
    seconds = parser.parse_args().seconds
    reward = MathReward(WorkerPool(TASKS))
    rows = [json.loads(line) for line in CASES.read_text().splitlines()]
    inline = [pair(row["gold"], row["answer"]) for row in rows]
    inline = [each for each in inline if is_inline(reward, each)]
    right = [each for each in inline if is_right(reward, each)]
    gsm8k = {
        "right": numbers("{n}"),
        "wrong": numbers("{n}", shift=1),
        "$ and cents": numbers("${n}.00"),
        "with unit": numbers("{n} dollars"),
        "boxed": numbers("\\boxed{{{n}}}"),
        "sentence": numbers("The answer is {n}."),
        "in math": numbers("${n}$"),
        "wrong sentence": numbers("The answer is {n}.", shift=1),
    }
    table = {"right": right, "wrong": [each for each in inline if each not in right]}
    for name, pairs in gsm8k.items():
        print(f"GSM8K with gate, {name:16} {rate(gated(reward), pairs, seconds):>10,.0f} /s")
    for name, pairs in table.items():
        print(f"table, inline, {name:18} {rate(reward.grade, pairs, seconds):>10,.0f} /s")


if __name__ == "__main__":
    main()
