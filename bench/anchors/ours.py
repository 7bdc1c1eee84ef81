"""Grades rows with Assay's own math reward; speaks as `runner.py` does, in the project's environment.

    python -m bench.anchors.ours < rows.jsonl > verdicts.jsonl

Nothing is killed from outside: the reward bounds itself. A failure (no score) is said as such.
"""

import asyncio
import json
import resource
import sys
import time
from collections.abc import Awaitable

from reward_server.api import MathReference, Sample
from reward_server.errors import GradingError
from reward_server.rewards.math import TASKS, MathReward
from reward_server.workers import WorkerPool

_WARM = (("1", "2"), ("\\frac12", "x^2+1"), ("(1,2)", "[1,2)"), ("[1,2]\\cup[2,3]", "[1,3]"))


async def judge(reward: MathReward, gold: str, answer: str) -> dict[str, object]:
    reference = MathReference(answer=gold)
    sample = Sample(sample_id="1", reward="math", prompt="", completion="", reference=reference)
    started = time.perf_counter()
    try:
        found = reward.grade(sample, answer)
        grade = await found if isinstance(found, Awaitable) else found
        correct, failed = grade.value == 1.0, False
    except GradingError:
        correct, failed = False, True
    seconds = time.perf_counter() - started
    return {"correct": correct, "seconds": seconds, "killed": False, "failed": failed}


async def grade_all() -> None:
    async with WorkerPool(TASKS) as workers:
        await workers.start(1)
        reward = MathReward(workers)
        for gold, answer in _WARM:
            await judge(reward, gold, answer)
        for line in sys.stdin:
            row = json.loads(line)
            print(json.dumps(await judge(reward, row["gold"], row["answer"])))


def main() -> None:
    asyncio.run(grade_all())
    peak_kb = max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    print(json.dumps({"peak_mb": peak_kb / 1024}))


if __name__ == "__main__":
    main()
