"""The process that workers are forked from, when who asked it has left."""

import asyncio
import gc
from typing import Any

import pytest

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
