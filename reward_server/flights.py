"""Work in progress, shared: equal samples in flight are graded once.

A flight is one piece of queued grading. Calls board it and leave it; when the last one
has left (answered, out of time, cancelled) the work is cancelled, and with it the
worker or program below. No flight outlives the table that owns it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from reward_server.api import Failure, FailureKind, Grade, Score
from reward_server.cache import Key
from reward_server.fair import Caller
from reward_server.lanes import Lane


@dataclass(frozen=True, kw_only=True, slots=True)
class Landed:
    """What came of a flight. Times are in milliseconds."""

    result: Score | Failure
    queue_ms: float
    grade_ms: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is to be done: the reward's own `work`, and how to `judge` what it comes to.

    `caller` waits in the lane for it; a call that only boards the flight does not. `arrived` is
    when the sample came in, on the clock of `time.perf_counter`.
    """

    work: Awaitable[Grade]
    judge: Callable[[Awaitable[Grade]], Awaitable[Score | Failure]]
    lane: Lane
    caller: Caller
    arrived: float


class Flight:
    """One piece of queued grading and how many calls wait for it."""

    def __init__(self, plan: Plan) -> None:
        self.passengers = 0
        self._plan = plan
        self._begun = False
        self.task = asyncio.create_task(self._fly())
        self.task.add_done_callback(self._settle)

    async def _fly(self) -> Landed:
        self._begun = True
        async with self._plan.lane.slot(self._plan.caller):
            started = time.perf_counter()
            result = await self._plan.judge(self._plan.work)
            ended = time.perf_counter()
        queue_ms = (started - self._plan.arrived) * 1e3
        return Landed(result=result, queue_ms=queue_ms, grade_ms=(ended - started) * 1e3)

    def _settle(self, task: asyncio.Task[Landed]) -> None:
        # A task cancelled before its first step never runs its body, so its place is still reserved.
        if not self._begun:
            self._plan.lane.release(1)
        # A reward's coroutine that got no slot was never awaited.
        if asyncio.iscoroutine(self._plan.work):
            self._plan.work.close()

    def landed(self) -> Landed | None:
        """Return the result, or None while there is none."""
        if not self.task.done():
            return None
        if self.task.cancelled():
            failure = Failure(kind=FailureKind.CANCELLED, message="the server stopped; send the sample again")
            return Landed(result=failure, queue_ms=0.0, grade_ms=0.0)
        return self.task.result()


class Flights:
    """The table of all flights; an async context manager that leaves none behind."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Flight] = {}
        self._tasks: set[asyncio.Task[Landed]] = set()
        self.shared = 0  # samples that boarded a flight that was already in the air

    def __len__(self) -> int:
        return len(self._tasks)

    def find(self, key: Key | None) -> Flight | None:
        flight = None if key is None else self._by_key.get(key)
        self.shared += flight is not None
        return flight

    def start(self, key: Key | None, plan: Plan, on_landed: Callable[[Landed], None]) -> Flight:
        """Queue the work on a place already reserved in its lane; a key of None is never shared."""
        flight = Flight(plan)
        self._tasks.add(flight.task)
        if key is not None:
            self._by_key[key] = flight

        def ended(task: asyncio.Task[Landed]) -> None:
            self._tasks.discard(task)
            self._forget(key, flight)
            if not task.cancelled() and task.exception() is None:
                on_landed(task.result())

        flight.task.add_done_callback(ended)
        return flight

    def leave(self, key: Key | None, flight: Flight) -> None:
        """Take one passenger off; the last one to leave cancels what is unfinished."""
        flight.passengers -= 1
        if flight.passengers == 0 and not flight.task.done():
            # Forgotten at once, so that no new caller boards a flight that is being cancelled.
            self._forget(key, flight)
            flight.task.cancel()

    def _forget(self, key: Key | None, flight: Flight) -> None:
        if key is not None and self._by_key.get(key) is flight:
            del self._by_key[key]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
