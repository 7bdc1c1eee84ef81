"""Ten thousand programs, honest and hostile, through the code reward: what is left of them.

    python bench/sandbox_soak.py [--programs 10000] [--backend docker|bubblewrap]

The programs are those of tests/cases/code_honest.jsonl and code_hostile.jsonl, drawn with a
fixed seed, three honest ones to one hostile. After every tenth part nothing runs, and what
this process has is counted. The exit code is 1 when a verdict was wrong, or when there are
more containers, processes, descriptors or memory after the last part than after the second.
"""

import argparse
import asyncio
import gc
import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from dataclasses import astuple, dataclass
from pathlib import Path

from memory import descendants, proportional_bytes

from reward_server.api import CodeReference, Grade, Sample
from reward_server.rewards.code import CodeReward
from sandbox.api import Limits
from sandbox.docker import LABEL
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions
from sandbox.owner import Owner

CASES = Path(__file__).resolve().parents[1] / "tests" / "cases"
TESTS = ("assert add(1, 2) == 3", "assert add(100, 23) == 123", "assert add(0, 0) == 0")
LIMITS = Limits(cpu_seconds=0.25, wall_seconds=1.0)
PARTS, IN_FLIGHT, HONEST_SHARE = 10, 8, 0.75
MEMORY_TOLERANCE_MB = 2.0  # the allocator's, of the 60 or so that the process has


@dataclass(frozen=True, slots=True)
class Left:
    """What is there while nothing runs."""

    containers: int
    processes: int  # supervisors, and programs that outlived their run
    descriptors: int  # of this process
    megabytes: float  # of this process
    supervisor_megabytes: float  # of all supervisors


@dataclass(frozen=True, slots=True)
class Case:
    """A program and whether it must earn full marks, or nothing."""

    honest: bool
    answer: str
    reference: CodeReference


def load(table: str, *, honest: bool) -> list[Case]:
    rows = [json.loads(line) for line in (CASES / table).read_text(encoding="utf-8").splitlines()]
    return [
        Case(
            honest,
            row["answer"] if honest else f"`````python\n{row['source']}`````",
            CodeReference(
                tests=tuple(row.get("tests", TESTS)),
                setup=row.get("setup", ""),
                imports=tuple(row.get("imports", ())),
            ),
        )
        for row in rows
        if not honest or row["verdict"] == "CORRECT"
    ]


def count_left() -> Left:
    gc.collect()
    containers = docker("ps", "--all", "--quiet", "--filter", f"label={LABEL}={Owner.this_process().label()}")
    pids = docker("inspect", "--format", "{{.State.Pid}}", *containers) if containers else []
    ours = descendants({os.getpid(), *map(int, pids)}) | set(map(int, pids))
    return Left(
        len(containers),
        len(ours),
        len(list(Path("/proc/self/fd").iterdir())),
        proportional_bytes(os.getpid()) / 1e6,
        sum(map(proportional_bytes, ours)) / 1e6,
    )


def docker(*arguments: str) -> list[str]:
    """Return the words that a docker command prints; none where there is no engine."""
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False).stdout.split()


async def grade_all(reward: CodeReward, cases: list[Case], wrong: Counter[str]) -> None:
    waiting = iter(cases)

    async def client() -> None:
        for case in waiting:
            sample = Sample(sample_id="1", reward="code", prompt="", completion="", reference=case.reference)
            grade = reward.grade(sample, case.answer)
            graded = grade if isinstance(grade, Grade) else await grade
            if graded.value != float(case.honest):
                wrong[f"{graded.verdict.value}: {case.answer!r}"] += 1

    await asyncio.gather(*(client() for _ in range(IN_FLIGHT)))


async def main() -> int:
    parser = argparse.ArgumentParser(description="What ten thousand programs leave behind.")
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--backend", type=BackendChoice, default=BackendChoice.AUTO)
    arguments = parser.parse_args()
    honest, hostile = load("code_honest.jsonl", honest=True), load("code_hostile.jsonl", honest=False)
    chance, wrong, left = random.Random(0), Counter[str](), list[Left]()
    sandbox = await open_sandbox(SandboxOptions(backend=arguments.backend))
    await sandbox.check()
    reward = CodeReward(sandbox, limits=LIMITS)
    print(f"{arguments.programs:,} programs in {sandbox.name}, {sandbox.slots} slots\n")
    print("| programs | s | containers | processes | descriptors | MB | MB of supervisors |")
    print("|--:|--:|--:|--:|--:|--:|--:|")
    started = time.perf_counter()
    try:
        for part in range(1, PARTS + 1):
            size = arguments.programs // PARTS
            cases = [
                chance.choice(honest if chance.random() < HONEST_SHARE else hostile) for _ in range(size)
            ]
            await grade_all(reward, cases, wrong)
            left.append(await asyncio.to_thread(count_left))
            numbers = [
                f"{number:.1f}" if isinstance(number, float) else str(number) for number in astuple(left[-1])
            ]
            cells = [f"{part * size:,}", f"{time.perf_counter() - started:.0f}", *numbers]
            print(f"| {' | '.join(cells)} |", flush=True)
    finally:
        await sandbox.close()
    grown = judge(left[1], left[-1])
    print(f"\nwrong verdicts: {dict(wrong) or 'none'}; grown: {', '.join(grown) or 'nothing'}")
    return 1 if wrong or grown else 0


def judge(early: Left, late: Left) -> list[str]:
    """Name what there is more of; the supervisors' memory is theirs to keep until they are replaced."""
    grown = [
        name
        for name in ("containers", "processes", "descriptors")
        if getattr(late, name) > getattr(early, name)
    ]
    return grown + (["memory"] if late.megabytes > early.megabytes + MEMORY_TOLERANCE_MB else [])


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
