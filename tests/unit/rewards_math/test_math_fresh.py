"""The math reward over rows that were written without looking at it or at its own table."""

import json
from collections.abc import Awaitable
from pathlib import Path

import pytest

from reward_server.api import MathReference, Sample
from reward_server.errors import BadReferenceError
from reward_server.rewards.math import TASKS, MathReward
from reward_server.workers import WorkerPool

CASES = Path(__file__).resolve().parents[2] / "cases"


async def is_correct(reward: MathReward, gold: str, answer: str) -> bool:
    reference = MathReference(answer=gold)
    sample = Sample(sample_id="1", reward="math", prompt="", completion="", reference=reference)
    try:
        found = reward.grade(sample, answer)
    except BadReferenceError:
        return False
    return (await found if isinstance(found, Awaitable) else found).value == 1.0


async def mistakes(table: str) -> list[dict[str, str]]:
    rows = [json.loads(line) for line in (CASES / table).read_text(encoding="utf-8").splitlines()]
    async with WorkerPool(TASKS) as workers:
        await workers.start(1)
        reward = MathReward(workers)
        return [
            row
            for row in rows
            if await is_correct(reward, row["gold"], row["answer"]) != (row["verdict"] == "CORRECT")
        ]


async def test_every_fresh_row_gets_its_verdict() -> None:
    assert await mistakes("math_fresh.jsonl") == []


@pytest.mark.parametrize(
    ("table", "refused"),
    [
        ("math_held_out.jsonl", 0),
        ("math_second_look.jsonl", 1),
        ("math_third_look.jsonl", 0),
        ("math_fourth_look.jsonl", 0),
        ("math_fifth_look.jsonl", 1),
        ("math_sixth_look.jsonl", 0),
        ("math_seventh_look.jsonl", 5),
        ("math_eighth_look.jsonl", 0),
    ],
)
async def test_of_rows_that_the_reward_is_not_tuned_to_no_wrong_one_is_accepted_and_few_are_refused(
    table: str, refused: int
) -> None:
    """Written before the reward saw them; what one of them shows is mended for its whole class."""
    wrong = await mistakes(table)

    assert [row for row in wrong if row["verdict"] == "INCORRECT"] == []
    assert len(wrong) <= refused
