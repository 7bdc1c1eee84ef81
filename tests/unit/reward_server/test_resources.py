"""What plain servers and Ray's replicas open alike."""

import asyncio

from reward_server.config import QueueConfig
from reward_server.resources import open_workers
from reward_server.scoring.fair import Caller
from reward_server.scoring.lanes import Lane, Slot
from tests.unit.workers.pools import TASKS


async def test_slow_work_gives_its_slot_to_the_next_and_goes_on_beside_it() -> None:
    lane = Lane("worker", slots=1, bound=9)
    lane.reserve(2)
    slots: asyncio.Queue[Slot] = asyncio.Queue()
    for _ in range(2):
        lane.queue(Caller(), slots.put_nowait)
    async with open_workers(QueueConfig(workers=1), TASKS) as pool:
        await pool.ready()
        (await slots.get()).hold()
        assert slots.empty()
        slow = asyncio.create_task(pool.run("spin_for", 0.2, cpu_seconds=5.0))

        async with asyncio.timeout(30.0):
            following = await slots.get()
        assert not slow.done()
        assert (lane.aside, lane.busy) == (1, 1)
        following.give_back()
        assert await slow == "spun"
