"""The math reward over rows that were written without looking at it or at its own table."""

import json
from collections.abc import Awaitable
from pathlib import Path

from reward_server.api import MathReference, Sample
from reward_server.rewards.math import TASKS, MathReward
from reward_server.workers import WorkerPool

CASES = Path(__file__).resolve().parents[2] / "cases" / "math_fresh.jsonl"


async def is_correct(reward: MathReward, gold: str, answer: str) -> bool:
    reference = MathReference(answer=gold)
    sample = Sample(sample_id="1", reward="math", prompt="", completion="", reference=reference)
    found = reward.grade(sample, answer)
    return (await found if isinstance(found, Awaitable) else found).value == 1.0


async def test_every_fresh_row_gets_its_verdict() -> None:
    rows = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]
    async with WorkerPool(TASKS) as workers:
        await workers.start(1)
        reward = MathReward(workers)
        wrong = [
            row
            for row in rows
            if await is_correct(reward, row["gold"], row["answer"]) != (row["verdict"] == "CORRECT")
        ]

    assert wrong == []
