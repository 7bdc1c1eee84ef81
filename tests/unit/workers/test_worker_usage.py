"""What the worker pool says of itself: who is alive, who is busy, who was replaced and why."""

import asyncio
import contextlib
import os
import signal

import pytest

from reward_server.workers import Ended, WorkerBudgetError, WorkerPool
from tests.unit.workers.pools import TASKS


async def eventually(pool: WorkerPool, *, alive: int) -> None:
    async with asyncio.timeout(30.0):
        while pool.usage.alive != alive:
            await asyncio.sleep(0.01)


async def test_a_warm_pool_has_one_worker_more_than_may_work_and_nobody_works() -> None:
    async with WorkerPool(TASKS) as pool:
        await pool.start(1)
        usage = pool.usage

    assert (usage.alive, usage.busy, usage.restarts) == (2, 0, {})
    assert pool.usage.alive == 0


async def test_every_replacement_has_its_reason() -> None:
    async with WorkerPool(TASKS) as pool:
        await pool.start(1)
        with pytest.raises(WorkerBudgetError):
            await pool.run("spin", None, cpu_seconds=0.05)
        waiting = asyncio.create_task(pool.run("spin", None, cpu_seconds=30.0))
        while pool.usage.restarts.get(Ended.SLOW, 0) < 2 or not pool.usage.busy:
            await asyncio.sleep(0.01)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        await eventually(pool, alive=2)
        usage = pool.usage

    assert usage.busy == 0
    assert usage.restarts == {Ended.SLOW: 2, Ended.CPU: 1, Ended.CANCELLED: 1}


async def test_a_worker_that_died_in_idleness_is_lost() -> None:
    async with WorkerPool(TASKS) as pool:
        await pool.start(1)
        for child in tuple(pool._children):
            os.kill(child.pid, signal.SIGKILL)
            while not child.is_gone:
                await asyncio.sleep(0.01)
        assert await pool.run("echo", 1, cpu_seconds=5.0) == 1
        restarts = pool.usage.restarts

    assert restarts == {Ended.LOST: 2}
