"""The parent's side: who works, who waits, who is killed and replaced.

More workers than may work at once are kept, so that the place of a killed one is taken
at once while the kernel clears it away. Callers wait in order of arrival, and waiting
counts against nobody's budget. Those who eat their whole budget must not make the rest
wait for it: a task that turns out to be slow is killed, queues once more in a line of its
own, and starts anew in a worker of low priority.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self

from reward_server.errors import GraderLostError
from reward_server.workers.errors import Limit, WorkerBudgetError, WorkerTaskError
from reward_server.workers.process import ChildProcess, Work
from reward_server.workers.zygote import Zygote

SPARES = 1
# An honest question of algebra takes a few milliseconds, nine of ten less than this; what takes more is slow.
QUICK_CPU_SECONDS = 0.025


class Ended(Enum):
    """Why a worker was replaced."""

    CPU = "cpu"  # over its budget, as is memory
    MEMORY = "memory"
    SLOW = "slow"  # its task was no quick one, and starts anew where it holds up nobody
    CANCELLED = "cancelled"  # nobody waits for its task any more
    LOST = "lost"  # died by itself
    RETIRED = "retired"  # has done its share


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What the workers do now, and how many were replaced since the start, by reason."""

    alive: int
    busy: int
    restarts: Mapping[Ended, int]


class _SlowError(Exception):
    """The task is no quick one."""


class WorkerPool:
    """Runs named tasks in warm child processes, each within its CPU budget.

    `tasks` is the visible table of what may run: name -> "module:function". `slow_turn` is the
    line of the slow ones: entered in the caller's context, it waits for a turn and has it inside.
    """

    def __init__(
        self,
        tasks: Mapping[str, str],
        slow_turn: Callable[[], AbstractAsyncContextManager[object]] | None = None,
    ) -> None:
        self._tasks = dict(tasks)
        one_at_a_time = asyncio.Semaphore(1)
        self._slow_turn = slow_turn or (lambda: one_at_a_time)
        self._turns = asyncio.Semaphore(0)
        self._idle: asyncio.Queue[ChildProcess | GraderLostError] = asyncio.Queue()
        self._children: dict[ChildProcess, Zygote] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._starting: asyncio.Task[None] | None = None
        self._zygote: Zygote | None = None
        self._zygote_turn = asyncio.Lock()
        self._busy = 0
        self._restarts: Counter[Ended] = Counter()
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def usage(self) -> Usage:
        """What they do; cheap, and waits for nothing. A spare counts as alive."""
        return Usage(alive=len(self._children), busy=self._busy, restarts=dict(self._restarts))

    def start(self, size: int) -> asyncio.Task[None]:
        """Begin to start `size` workers and a spare; `run` waits for them, and so can the caller.

        Raises:
            ValueError: `size` is less than 1.
            GraderLostError: workers cannot be started (from the task); the message says why.
        """
        if size < 1:
            raise ValueError(f"a worker pool needs at least 1 worker, not {size}")
        self._starting = asyncio.create_task(self._start(size))
        return self._starting

    async def ready(self) -> None:
        """Return when the workers are warm.

        Raises:
            GraderLostError: they cannot be started, or the pool is not open; the message says why.
        """
        if self._starting is None:
            raise GraderLostError("the worker pool was not started")
        try:
            # Shielded: one caller that leaves must not end the start that others wait for.
            await asyncio.shield(self._starting)
        except asyncio.CancelledError:
            if self._starting.cancelled() and self._closed:
                raise GraderLostError("the worker pool is closed") from None
            raise

    @property
    def is_ready(self) -> bool:
        """Whether the workers are warm, so that `run` need not wait for them."""
        started = self._starting
        if started is None or not started.done() or started.cancelled():
            return False
        return started.exception() is None and not self._closed

    def performs(self, task: str) -> bool:
        """Say whether there is a task of that name."""
        return task in self._tasks

    async def run(
        self, task: str, payload: object, *, cpu_seconds: float, quick_cpu_seconds: float = QUICK_CPU_SECONDS
    ) -> Any:
        """Return the result of a task. Cancelling the call kills its worker.

        A worker that dies under a task is replaced and the task tried once more. One that has used
        `quick_cpu_seconds` is slow: it starts anew where it holds up nobody.

        Raises:
            KeyError: no such task.
            frames.FrameError: the payload is too large.
            WorkerBudgetError: over the CPU budget or the worker's memory.
            WorkerTaskError: the task raised.
            GraderLostError: two workers died, or none can be started, or the pool is not open.
        """
        if task not in self._tasks:
            raise KeyError(f"no task {task!r}; known: {sorted(self._tasks)}")
        work = Work.of(task, payload, cpu_seconds=cpu_seconds)
        await self.ready()
        try:
            async with self._turns:
                return await self._twice(lambda: self._run_quick(work, quick_cpu_seconds))
        except _SlowError:
            async with self._slow_turn():
                return await self._twice(lambda: self._run_slow(work))

    async def close(self) -> None:
        """Kill every worker; calls in progress and waiting ones raise `GraderLostError`."""
        self._closed = True
        ending = [*self._background, *([self._starting] if self._starting else [])]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for child in tuple(self._children):
            await self._end(child)
        if self._zygote is not None:
            await self._zygote.close()
        # Wakes one waiting caller, who wakes the next: see `_take`.
        self._idle.put_nowait(GraderLostError("the worker pool is closed"))
        self._turns.release()

    async def _twice(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await attempt()
        except GraderLostError:
            if self._closed:
                raise
            return await attempt()

    async def _run_quick(self, work: Work, quick_cpu_seconds: float) -> Any:
        """Run a task to its end, or until it proves to be slow."""
        child = await self._take()
        healthy, ended = False, Ended.CANCELLED
        self._busy += 1
        try:
            result = await child.perform(work, cpu_seconds=min(work.cpu_seconds, quick_cpu_seconds))
            healthy, ended = not child.wants_to_retire, Ended.RETIRED
        except WorkerTaskError:
            healthy, ended = not child.wants_to_retire, Ended.RETIRED
            raise
        except WorkerBudgetError as error:
            ended = Ended(error.limit.value)
            if error.limit is Limit.CPU and work.cpu_seconds > quick_cpu_seconds:
                ended = Ended.SLOW
                raise _SlowError from error
            raise
        except GraderLostError:
            ended = Ended.LOST
            raise
        finally:
            self._busy -= 1
            if healthy and not self._closed:
                self._idle.put_nowait(child)
            else:
                self._restarts[ended] += 1
                child.kill()
                self._in_background(self._replace(child))
        return result

    async def _run_slow(self, work: Work) -> Any:
        """Run a task in a worker of its own."""
        child = await self._borrow()
        ended = Ended.RETIRED
        self._busy += 1
        try:
            return await child.perform(work, cpu_seconds=work.cpu_seconds)
        except WorkerBudgetError as error:
            ended = Ended(error.limit.value)
            raise
        except GraderLostError:
            ended = Ended.LOST
            raise
        except asyncio.CancelledError:
            ended = Ended.CANCELLED
            raise
        finally:
            self._busy -= 1
            self._restarts[ended] += 1
            child.kill()
            self._in_background(self._end(child))

    async def _borrow(self) -> ChildProcess:
        forking = asyncio.create_task(self._fork(low_priority=True))
        try:
            return await asyncio.shield(forking)
        except asyncio.CancelledError:
            # The caller has left; what he asked for is on its way.
            self._in_background(self._end_unused(forking))
            raise

    async def _end_unused(self, forking: asyncio.Task[ChildProcess]) -> None:
        with contextlib.suppress(GraderLostError):
            await self._end(await forking)

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
            if not worker.is_gone:
                return worker
            self._restarts[Ended.LOST] += 1
            self._in_background(self._replace(worker))

    async def _start(self, size: int) -> None:
        for _ in range(size + SPARES):
            self._idle.put_nowait(await self._fork())
        for _ in range(size):
            self._turns.release()

    async def _fork(self, *, low_priority: bool = False) -> ChildProcess:
        async with self._zygote_turn:
            if self._closed:
                raise GraderLostError("the worker pool is closed")
            if self._zygote is None or self._zygote.lost:
                if self._zygote is not None:
                    await self._zygote.close()
                self._zygote = await Zygote.start(self._tasks)
            zygote = self._zygote
        child = await zygote.fork(low_priority=low_priority)
        self._children[child] = zygote
        return child

    async def _add_child(self) -> None:
        try:
            self._idle.put_nowait(await self._fork())
        except GraderLostError as error:
            # Waiters must not wait for ever: one of them fails with it and tries the next start.
            self._idle.put_nowait(error)

    async def _replace(self, child: ChildProcess) -> None:
        await self._end(child)
        if not self._closed:
            await self._add_child()

    async def _end(self, child: ChildProcess) -> None:
        zygote = self._children.pop(child, None)
        if zygote is not None:
            await zygote.end(child)

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
