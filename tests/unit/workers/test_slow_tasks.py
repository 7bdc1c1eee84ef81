"""Tasks that are not quick: they start anew, wait for each other, and hold up nobody else."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path

import pytest

from reward_server.workers import Ended, WorkerBudgetError, WorkerPool
from reward_server.workers.child import LOW_PRIORITY
from tests.unit.workers.pools import TASKS, processes_below_this_one


async def test_tasks_that_eat_their_budget_do_not_make_a_quick_one_wait_for_it(pool: WorkerPool) -> None:
    eaters = [asyncio.create_task(pool.run("spin", None, cpu_seconds=1.5)) for _ in range(3)]
    await asyncio.sleep(0.01)
    quick = await pool.run("echo", 1, cpu_seconds=1)
    still_eating = [not eater.done() for eater in eaters]
    ends = await asyncio.gather(*eaters, return_exceptions=True)

    assert quick == 1
    assert still_eating == [True] * 3
    assert [type(end) for end in ends] == [WorkerBudgetError] * 3


async def test_a_slow_task_starts_anew_in_a_worker_of_low_priority_and_a_quick_one_does_not() -> None:
    turns: list[str] = []
    caller: ContextVar[str] = ContextVar("caller")

    @asynccontextmanager
    async def slow_turn() -> AsyncGenerator[None]:
        turns.append(caller.get())
        yield

    async def run(name: str, task: str, payload: object) -> object:
        caller.set(name)
        return await workers.run(task, payload, cpu_seconds=1.0)

    async with WorkerPool(TASKS, slow_turn) as workers:
        await workers.start(2)
        spinning = asyncio.create_task(run("slow", "spin", None))
        pid = await run("quick", "pid", None)
        async with asyncio.timeout(60):
            while not (
                low := [each for each in processes_below_this_one() if niceness(each) == LOW_PRIORITY]
            ):
                await asyncio.sleep(0.01)
        with pytest.raises(WorkerBudgetError, match="1 s"):
            await spinning

    assert turns == ["slow"], "waits in the context of its caller"
    assert len(low) == 1
    assert pid not in low


async def test_slow_tasks_wait_for_each_other_and_quick_ones_for_none_of_them(pool: WorkerPool) -> None:
    slow = [asyncio.create_task(pool.run("spin", None, cpu_seconds=0.3)) for _ in range(6)]
    async with asyncio.timeout(60):
        while pool.usage.restarts.get(Ended.SLOW, 0) < len(slow):
            await asyncio.sleep(0.01)
    quick = await pool.run("echo", 1, cpu_seconds=1)
    unfinished = sum(not each.done() for each in slow)
    ends = await asyncio.gather(*slow, return_exceptions=True)

    assert quick == 1
    assert unfinished >= 4
    assert [type(end) for end in ends] == [WorkerBudgetError] * 6
    assert pool.usage.restarts[Ended.CPU] == 6


async def test_a_slow_worker_that_dies_is_retried_once(pool: WorkerPool, tmp_path: Path) -> None:
    marker = tmp_path / "alive"
    marker.mkdir()

    assert await pool.run("spin_and_die_once", str(marker), cpu_seconds=1) == "second worker"
    assert pool.usage.restarts == {Ended.SLOW: 1, Ended.LOST: 1, Ended.RETIRED: 1}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["the working one first", "the waiting one first"])
async def test_cancelled_slow_tasks_let_the_next_one_in(pool: WorkerPool, order: tuple[int, int]) -> None:
    tasks = [asyncio.create_task(pool.run("spin", None, cpu_seconds=60)) for _ in range(2)]
    async with asyncio.timeout(60):
        while pool.usage.restarts.get(Ended.SLOW, 0) < 2:
            await asyncio.sleep(0.01)
        for each in order:
            tasks[each].cancel()
            await asyncio.gather(tasks[each], return_exceptions=True)
        assert await pool.run("spin_for", 0.1, cpu_seconds=5) == "spun"


async def test_who_leaves_while_a_slow_worker_is_forked_leaves_no_process_behind(pool: WorkerPool) -> None:
    before = len(processes_below_this_one())
    for turns in range(20):
        task = asyncio.create_task(pool.run("spin", None, cpu_seconds=60))
        async with asyncio.timeout(60):
            while pool.usage.restarts.get(Ended.SLOW, 0) <= turns:
                await asyncio.sleep(0)
        await asyncio.sleep(turns / 1000)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async with asyncio.timeout(60):
        while len(processes_below_this_one()) != before:
            await asyncio.sleep(0.05)


def niceness(pid: int) -> int | None:
    """Return the niceness of a process, None when it has ended."""
    try:
        return os.getpriority(os.PRIO_PROCESS, pid)
    except ProcessLookupError:
        return None


async def test_after_slow_tasks_there_are_as_many_workers_as_before(pool: WorkerPool) -> None:
    for _ in range(3):
        await asyncio.gather(
            *(pool.run("spin", None, cpu_seconds=0.2) for _ in range(2)), return_exceptions=True
        )
    await asyncio.sleep(0.2)
    pids = {await pool.run("pid", None, cpu_seconds=1) for _ in range(10)}

    assert len(pids) == 2  # the worker and its spare
