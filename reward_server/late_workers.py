"""A worker pool that is still being started: what needs it waits, serving does not."""

import asyncio
from collections.abc import Mapping
from typing import Any

from reward_server.workers.pool import WorkerPool


class LateWorkers(WorkerPool):
    """A pool that starts `size` workers in the background, usable before they are warm."""

    def __init__(self, tasks: Mapping[str, str], size: int) -> None:
        super().__init__(tasks)
        self._starting = asyncio.ensure_future(self.start(size))

    async def ready(self) -> None:
        """Return when the workers are warm.

        Raises:
            GraderLostError: a worker cannot be started; the message says why.
        """
        # Shielded: one caller that leaves must not end the start that others wait for.
        await asyncio.shield(self._starting)

    async def run(self, task: str, payload: object, *, cpu_seconds: float) -> Any:
        """Return the result of a task, once the workers are warm; see `WorkerPool.run`."""
        await self.ready()
        return await super().run(task, payload, cpu_seconds=cpu_seconds)

    async def close(self) -> None:
        """End the start if it still goes on, and kill every worker."""
        if not self._starting.done():
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await super().close()
