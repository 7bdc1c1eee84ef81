"""The parent's side: who works, who waits, who is killed and replaced.

One child more than may work at once is kept, so that the place of a killed one is
taken at once by a spare while the replacement is still importing. Callers wait in
order of arrival, and waiting counts against nobody's budget.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Self

from reward_server.errors import GraderLostError
from reward_server.workers import frames
from reward_server.workers.errors import WorkerTaskError
from reward_server.workers.process import ChildProcess

SPARES = 1


class WorkerPool:
    """Runs named tasks in warm child processes, each within its CPU budget.

    `tasks` is the visible table of what may run: name -> "module:function".
    """

    def __init__(self, tasks: Mapping[str, str]) -> None:
        self._tasks = dict(tasks)
        self._turns = asyncio.Semaphore(0)
        self._idle: asyncio.Queue[ChildProcess | GraderLostError] = asyncio.Queue()
        self._children: set[ChildProcess] = set()
        self._background: set[asyncio.Task[None]] = set()
        self._started = False
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self, size: int) -> None:
        """Start `size` workers and a spare; returns when the first `size` are warm.

        Raises:
            ValueError: `size` is less than 1.
            GraderLostError: a worker cannot be started; the message says why.
        """
        if size < 1:
            raise ValueError(f"a worker pool needs at least 1 worker, not {size}")
        started = await asyncio.gather(*(self._start_child() for _ in range(size)), return_exceptions=True)
        for child in started:
            if isinstance(child, BaseException):
                await self.close()
                raise child
            self._idle.put_nowait(child)
        for _ in range(SPARES):
            self._in_background(self._add_child())
        self._started = True
        for _ in range(size):
            self._turns.release()

    async def run(self, task: str, payload: object, *, cpu_seconds: float) -> Any:
        """Return the result of a task. Cancelling the call kills its worker.

        A worker that dies under a task is replaced and the task tried once more.

        Raises:
            KeyError: no such task.
            frames.FrameError: the payload is too large.
            WorkerBudgetError: over the CPU budget or the worker's memory.
            WorkerTaskError: the task raised.
            GraderLostError: two workers died, or none can be started, or the pool is not open.
        """
        if task not in self._tasks:
            raise KeyError(f"no task {task!r}; known: {sorted(self._tasks)}")
        frames.encode({"task": task, "payload": payload})
        if not self._started:
            raise GraderLostError("the worker pool was not started")
        async with self._turns:
            try:
                return await self._run_once(task, payload, cpu_seconds)
            except GraderLostError:
                if self._closed:
                    raise
                return await self._run_once(task, payload, cpu_seconds)

    async def close(self) -> None:
        """Kill every worker; calls in progress and waiting ones raise `GraderLostError`."""
        self._closed = True
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await asyncio.gather(*(self._end(child) for child in tuple(self._children)))
        # Wakes one waiting caller, who wakes the next: see `_take`.
        self._idle.put_nowait(GraderLostError("the worker pool is closed"))
        self._turns.release()

    async def _run_once(self, task: str, payload: object, cpu_seconds: float) -> Any:
        child = await self._take()
        healthy = False
        try:
            result = await child.perform(task, payload, cpu_seconds=cpu_seconds)
            healthy = not child.wants_to_retire
        except WorkerTaskError:
            healthy = not child.wants_to_retire
            raise
        finally:
            if healthy and not self._closed:
                self._idle.put_nowait(child)
            else:
                child.kill()
                self._in_background(self._replace(child))
        return result

    async def _take(self) -> ChildProcess:
        while True:
            worker = await self._idle.get()
            if self._closed:
                self._idle.put_nowait(worker)
                self._turns.release()
                raise GraderLostError("the worker pool is closed")
            if isinstance(worker, GraderLostError):
                self._in_background(self._add_child())
                raise worker
            return worker

    async def _start_child(self) -> ChildProcess:
        child = await ChildProcess.start(self._tasks)
        self._children.add(child)
        return child

    async def _add_child(self) -> None:
        try:
            self._idle.put_nowait(await self._start_child())
        except GraderLostError as error:
            # Waiters must not wait for ever: one of them fails with it and tries the next start.
            self._idle.put_nowait(error)

    async def _replace(self, child: ChildProcess) -> None:
        await self._end(child)
        if not self._closed:
            await self._add_child()

    async def _end(self, child: ChildProcess) -> None:
        await child.end()
        self._children.discard(child)

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
