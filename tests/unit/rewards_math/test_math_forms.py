"""Generated answers: every gold in many forms and near misses, wrapped as models wrap answers."""

from collections.abc import AsyncIterator, Awaitable, Iterable
from pathlib import Path

import pytest
import pytest_asyncio

from bench.grader_rows import Row
from bench.math_forms import Half, form_rows, number_rows
from reward_server.api import MathReference, Sample
from reward_server.rewards.math import TASKS, MathReward
from reward_server.workers import WorkerPool

IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="module")
GOLDS = 30
# Of a hundred right answers in any form, how many must be taken.
RECALL = 0.98


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def reward() -> AsyncIterator[MathReward]:
    async with WorkerPool(TASKS) as workers:
        await workers.start(1)
        yield MathReward(workers)


async def accepted(reward: MathReward, rows: Iterable[Row]) -> list[tuple[Row, bool]]:
    found: list[tuple[Row, bool]] = []
    for row in rows:
        reference = MathReference(answer=row.gold)
        sample = Sample(sample_id="1", reward="math", prompt="", completion="", reference=reference)
        grade = reward.grade(sample, row.answer)
        grade = await grade if isinstance(grade, Awaitable) else grade
        found.append((row, grade.value == 1.0))
    return found


def check(found: list[tuple[Row, bool]]) -> None:
    right = [taken for row, taken in found if row.right]

    assert [row for row, taken in found if taken and not row.right] == []
    assert sum(right) >= RECALL * len(right)


@IN_ONE_LOOP
@pytest.mark.parametrize("half", Half)
async def test_of_generated_forms_no_near_miss_is_taken_and_hardly_a_right_one_refused(
    reward: MathReward, half: Half
) -> None:
    check(await accepted(reward, form_rows(half)))


@IN_ONE_LOOP
@pytest.mark.data
@pytest.mark.parametrize("half", Half)
async def test_of_real_word_problems_in_generated_forms_no_wrong_one_is_taken(
    reward: MathReward, data_dir: Path, half: Half
) -> None:
    check(await accepted(reward, number_rows(half, data_dir, GOLDS)))
