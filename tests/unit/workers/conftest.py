"""A pool of one worker, with real children."""

from collections.abc import AsyncIterator

import pytest

from reward_server.workers import WorkerPool
from tests.unit.workers.pools import TASKS


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    async with WorkerPool(TASKS) as workers:
        await workers.start(1)
        yield workers
