"""A call of texts: its samples leave the event loop, and nothing else about them changes."""

import asyncio
import os
from collections.abc import AsyncGenerator

import pytest

from reward_server.api import Outcome, Sample, Score, TextReference
from reward_server.errors import OverloadedError
from reward_server.scoring.spread import Spread, places
from reward_server.workers import WorkerPool
from tests.spread_rewards import TASKS, Telling
from tests.unit.reward_server import scorer_bench
from tests.unit.reward_server.scorer_bench import bench, kinds, until


@pytest.fixture
async def spread() -> AsyncGenerator[Spread]:
    async with WorkerPool(TASKS) as pool:
        await pool.start(places(1))
        async with Spread(pool, 1) as made:
            yield made


def call_of(*answers: str) -> list[Sample]:
    """Return a call that has used its first slice after its first sample."""
    return [
        scorer_bench.sample(f"{place}", "telling", answer, reference=TextReference())
        for place, answer in enumerate(("work/first", *answers))
    ]


def processes(outcomes: list[Outcome]) -> list[str]:
    return [each.result.explanation for each in outcomes if isinstance(each.result, Score)]


async def test_what_follows_the_first_slice_of_a_call_is_graded_elsewhere_and_kept(spread: Spread) -> None:
    samples = call_of(*(f"{number}" for number in range(99)))
    async with bench(Telling(), spread=spread) as scoring:
        first = await scoring.score(*samples)
        again = await scoring.score(*samples)

    assert [each.sample_id for each in first] == [each.sample_id for each in samples]
    assert kinds(first) == ["QUALITY"] * 100
    here, *there = processes(first)
    assert here == str(os.getpid())
    assert here not in there
    assert all(each.cached for each in again)
    assert [each.result for each in again] == [each.result for each in first]


async def test_equal_texts_in_flight_are_graded_once(spread: Spread) -> None:
    samples = call_of("work/a", "work/a", "work/b")
    async with bench(Telling(), spread=spread) as scoring:
        outcomes = await scoring.score(*samples)
        assert scoring.flights.shared == 1

    assert kinds(outcomes) == ["QUALITY"] * 4


async def test_the_wait_for_a_worker_is_told_as_queueing_and_its_work_as_grading(spread: Spread) -> None:
    samples = call_of(*(f"work/{number}" for number in range(60)))
    async with bench(Telling(), spread=spread) as scoring:
        outcomes = await scoring.score(*samples)

    assert all(each.grade_ms >= 9.0 for each in outcomes)
    # 600 ms of work for two processes, in messages of 320 ms: a message is not what one sample took.
    assert sorted(each.grade_ms for each in outcomes)[30] < 100.0
    assert max(each.queue_ms for each in outcomes) > 200.0


async def test_a_defect_is_told_as_on_the_spot(spread: Spread) -> None:
    async with bench(Telling(), spread=spread) as scoring:
        outcomes = await scoring.score(*call_of("raise", "bad reference", "fine", "spin"))

    assert kinds(outcomes) == ["QUALITY", "GRADER", "BAD_REFERENCE", "QUALITY", "GRADER_TIMEOUT"]
    ((reward, error),) = scoring.defects
    assert (reward, str(error)) == ("telling", "no such thing")


async def test_a_call_beyond_what_may_wait_is_refused_and_nothing_of_it_started(spread: Spread) -> None:
    async with bench(Telling(), spread=spread, bound=200) as scoring:
        first = asyncio.create_task(scoring.score(*call_of(*(f"work/{number}" for number in range(199)))))
        await until(lambda: len(scoring.flights) > 150)
        with pytest.raises(OverloadedError, match="inline queue is full"):
            await scoring.score(*call_of(*(f"other/{number}" for number in range(199))))
        outcomes = await first

    assert kinds(outcomes) == ["QUALITY"] * 200


async def test_what_is_not_graded_in_time_is_a_failure_and_not_a_zero(spread: Spread) -> None:
    async with bench(Telling(), spread=spread, bound=1_000) as scoring:
        outcomes = await scoring.score(*call_of(*(f"work/{n}" for n in range(500))), within_s=0.5)

    assert {"QUALITY", "DEADLINE"} == set(kinds(outcomes))
    assert not [each for each in outcomes if isinstance(each.result, Score) and not each.result.value]
