"""What rewards are built on, opened in the background: what needs it waits, the rest is served at once."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from reward_server.api import CostClass
from reward_server.config import QueueConfig, ServerConfig
from reward_server.registry import Resources, installed_tasks, with_extra_tasks
from reward_server.sandboxes.guarded import GuardedSandbox
from reward_server.sandboxes.late import LateSandbox
from reward_server.scoring.lanes import Lane, SlowLine
from reward_server.scoring.spread import places, samples_in_flight
from reward_server.workers.pool import WorkerPool
from sandbox.opening import open_sandbox


@asynccontextmanager
async def open_resources(config: ServerConfig, tasks: Mapping[str, str]) -> AsyncGenerator[Resources]:
    """Start workers and sandbox, examine the sandbox again and again, and close both in the end.

    Raises:
        ConfigurationError: what installed rewards run in workers clashes, or is not installed.
    """
    async with AsyncExitStack() as stack:
        workers = await stack.enter_async_context(open_workers(config.queues, tasks))
        slots = config.queues.programs
        sandbox = GuardedSandbox(LateSandbox(open_sandbox(config.sandbox_options(slots)), slots))
        stack.push_async_callback(sandbox.close)
        stack.push_async_callback(_end, asyncio.create_task(sandbox.watch(config.self_check_every_s)))
        yield Resources(workers=workers, sandbox=sandbox)


@asynccontextmanager
async def open_workers(queues: QueueConfig, tasks: Mapping[str, str]) -> AsyncGenerator[WorkerPool]:
    """Start workers for these tasks and those of installed rewards, and kill them in the end.

    Raises:
        ConfigurationError: what installed rewards run in workers clashes, or is not installed.
    """
    tasks = with_extra_tasks(tasks, installed_tasks())
    async with WorkerPool(tasks, SlowLine(queues.workers).turn) as workers:
        workers.start(places(queues.workers))
        yield workers


def lanes_of(queues: QueueConfig) -> dict[CostClass, Lane]:
    """Return the queues of a server; inline work waits in one only when it is spread over workers."""
    return {
        CostClass.INLINE: Lane("inline", slots=samples_in_flight(queues.workers), bound=queues.worker_bound),
        CostClass.WORKER: Lane("worker", slots=queues.workers, bound=queues.worker_bound),
        CostClass.SANDBOX: Lane("sandbox", slots=queues.programs, bound=queues.program_bound),
    }


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
