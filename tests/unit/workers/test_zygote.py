"""The process that workers are forked from, when who asked it has left."""

import asyncio
import gc
from typing import Any

import pytest

from reward_server.errors import GraderLostError
from reward_server.workers.process import Work
from reward_server.workers.zygote import Zygote


async def test_who_leaves_in_the_middle_of_a_fork_leaves_no_error_that_nobody_reads() -> None:
    unread: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unread.append(context))
    zygote = await Zygote.start({"echo": "tests.unit.workers.sample_tasks:echo"})
    forking = asyncio.create_task(zygote.fork())
    await asyncio.sleep(0)

    forking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await forking
    await zygote.close()
    await asyncio.sleep(0.1)
    gc.collect()

    assert unread == []


async def test_a_module_warms_up_once_and_each_quick_worker_rehearses_before_its_first_task() -> None:
    module = "tests.unit.workers.rehearsing_tasks"
    zygote = await Zygote.start({"told": f"{module}:told", "told_again": f"{module}:told"})
    work = Work.of("told", None, cpu_seconds=1.0)
    told: list[Any] = []
    for low_priority in (False, False, True):
        worker = await zygote.fork(low_priority=low_priority)
        told.append(await worker.perform(work, cpu_seconds=1.0))
        told.append(await worker.perform(work, cpu_seconds=1.0))
        await zygote.end(worker)
    await zygote.close()

    # Once more where it warms up: who cannot rehearse is found out at the start.
    assert told == [["warmed up", "rehearsed", "rehearsed"]] * 4 + [["warmed up", "rehearsed"]] * 2


async def test_a_module_that_cannot_rehearse_is_an_error_at_the_start() -> None:
    with pytest.raises(GraderLostError, match="RuntimeError: it was not meant to be"):
        await Zygote.start({"told": "tests.unit.workers.unready_tasks:told"})
