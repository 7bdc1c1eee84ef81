"""The parent's side: who works, who waits, who is killed and replaced.

One worker more than may work at once is kept, so that the place of a killed one is
taken at once while the kernel clears it away. Callers wait in order of arrival, and
waiting counts against nobody's budget. A task that turns out to be slow goes on beside
the others and lets the next one in: those who eat their whole budget must not make the
rest wait for it.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self

from reward_server.errors import GraderLostError
from reward_server.workers import frames
from reward_server.workers.errors import WorkerBudgetError, WorkerTaskError
from reward_server.workers.process import ChildProcess
from reward_server.workers.zygote import Zygote

SPARES = 1
# Slow tasks that run beside those whose turn it is.
MOST_ASIDE = 8


class Ended(Enum):
    """Why a worker was replaced."""

    CPU = "cpu"  # over its budget, as is memory
    MEMORY = "memory"
    CANCELLED = "cancelled"  # nobody waits for its task any more
    LOST = "lost"  # died by itself
    RETIRED = "retired"  # has done its share


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What the workers do now, and how many were replaced since the start, by reason."""

    alive: int
    busy: int
    restarts: Mapping[Ended, int]


class _Turn:
    """A place among those who work, given back once."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._held = True

    def give_back(self) -> None:
        if self._held:
            self._held = False
            self._turns.release()


class WorkerPool:
    """Runs named tasks in warm child processes, each within its CPU budget.

    `tasks` is the visible table of what may run: name -> "module:function". `on_aside` is
    called, in the caller's context, when its task goes on beside the others.
    """

    def __init__(self, tasks: Mapping[str, str], on_aside: Callable[[], None] | None = None) -> None:
        self._tasks = dict(tasks)
        self._on_aside = on_aside
        self._turns = asyncio.Semaphore(0)
        self._idle: asyncio.Queue[ChildProcess | GraderLostError] = asyncio.Queue()
        self._children: dict[ChildProcess, Zygote] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._starting: asyncio.Task[None] | None = None
        self._zygote: Zygote | None = None
        self._zygote_turn = asyncio.Lock()
        self._aside = 0
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
        await self.ready()
        await self._turns.acquire()
        turn = _Turn(self._turns)
        try:
            return await self._run_once(task, payload, cpu_seconds, turn)
        except GraderLostError:
            if self._closed:
                raise
            return await self._run_once(task, payload, cpu_seconds, turn)
        finally:
            turn.give_back()

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

    async def _run_once(self, task: str, payload: object, cpu_seconds: float, turn: "_Turn") -> Any:
        child = await self._take()
        healthy = aside = False
        ended = Ended.CANCELLED
        self._busy += 1

        def set_aside() -> None:
            nonlocal aside
            if self._aside < MOST_ASIDE and not self._closed:
                aside = True
                self._aside += 1
                self._in_background(self._add_child())
                child.make_way()
                turn.give_back()
                if self._on_aside is not None:
                    self._on_aside()

        try:
            result = await child.perform(task, payload, cpu_seconds=cpu_seconds, on_slow=set_aside)
            healthy, ended = not child.wants_to_retire, Ended.RETIRED
        except WorkerTaskError:
            healthy, ended = not child.wants_to_retire, Ended.RETIRED
            raise
        except WorkerBudgetError as error:
            ended = Ended(error.limit.value)
            raise
        except GraderLostError:
            ended = Ended.LOST
            raise
        finally:
            self._busy -= 1
            if aside or not healthy:
                self._restarts[ended] += 1
            if aside:
                self._aside -= 1
                child.kill()
                self._in_background(self._end(child))
            elif healthy and not self._closed:
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
            if not worker.is_gone:
                return worker
            self._restarts[Ended.LOST] += 1
            self._in_background(self._replace(worker))

    async def _start(self, size: int) -> None:
        for _ in range(size + SPARES):
            self._idle.put_nowait(await self._fork())
        for _ in range(size):
            self._turns.release()

    async def _fork(self) -> ChildProcess:
        async with self._zygote_turn:
            if self._zygote is None or self._zygote.lost:
                if self._zygote is not None:
                    await self._zygote.close()
                self._zygote = await Zygote.start(self._tasks)
            zygote = self._zygote
        child = await zygote.fork()
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
