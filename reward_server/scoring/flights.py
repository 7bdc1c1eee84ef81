"""Work in progress, shared: equal samples in flight are graded once.

A flight is one piece of queued grading. It waits in its lane without a task of its own,
takes off when it gets a slot, and lands with a score or a failure. Calls board it and
leave it; when the last one has left (answered, out of time, cancelled) it is given up:
taken out of the queue, or cancelled together with the worker or program below. No flight
outlives the table that owns it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from reward_server.api import Failure, FailureKind, Grade, Score
from reward_server.cache.memory import Key
from reward_server.scoring.fair import Caller
from reward_server.scoring.lanes import Lane, Slot


@dataclass(frozen=True, kw_only=True, slots=True)
class Landed:
    """What came of a flight. Times are in milliseconds."""

    result: Score | Failure
    queue_ms: float
    grade_ms: float


GIVEN_UP = Landed(
    result=Failure(kind=FailureKind.CANCELLED, message="the server stopped; send the sample again"),
    queue_ms=0.0,
    grade_ms=0.0,
)


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
    """One piece of queued grading and who waits for it, on a place already reserved in its lane."""

    def __init__(self, plan: Plan, on_end: Callable[[Landed | BaseException], None]) -> None:
        self._plan = plan
        self._on_end = on_end
        self._passengers = 0
        self._waiting: list[Callable[[], None]] = []
        self._ended: Landed | BaseException | None = None
        self._task: asyncio.Task[Landed] | None = None
        self._ticket = plan.lane.queue(plan.caller, self._take_off)

    def board(self, on_landed: Callable[[], None]) -> None:
        """Take a passenger on; `on_landed` is called when the flight has ended."""
        self._passengers += 1
        self._waiting.append(on_landed)

    def leave(self) -> bool:
        """Take a passenger off; say whether he was the last, and so the flight is given up."""
        self._passengers -= 1
        if not self._passengers:
            self.give_up()
        return not self._passengers

    def give_up(self) -> None:
        """End the flight, unless it has ended: at once while it waits, or as soon as its work lets go."""
        if self._task is not None:
            self._task.cancel()
        elif self._ended is None and self._plan.lane.withdraw(self._ticket):
            self._end(GIVEN_UP)

    @property
    def task(self) -> asyncio.Task[Landed] | None:
        """What runs, once the flight has taken off."""
        return self._task

    def landed(self) -> Landed | None:
        """Return the result, or None while there is none."""
        if isinstance(self._ended, BaseException):
            raise self._ended  # a defect of the server, for the call to report
        return self._ended

    def _take_off(self, slot: Slot) -> None:
        def settle(task: asyncio.Task[Landed]) -> None:
            slot.give_back()
            self._end(GIVEN_UP if task.cancelled() else task.exception() or task.result())

        self._task = asyncio.create_task(self._fly(slot))
        # Not in the task itself: one that is cancelled before its first step never runs.
        self._task.add_done_callback(settle)

    async def _fly(self, slot: Slot) -> Landed:
        slot.hold()
        started = time.perf_counter()
        result = await self._plan.judge(self._plan.work)
        ended = time.perf_counter()
        queued_s = started - self._plan.arrived + slot.queued_s
        graded_s = ended - started - slot.queued_s
        return Landed(result=result, queue_ms=queued_s * 1e3, grade_ms=graded_s * 1e3)

    def _end(self, ended: Landed | BaseException) -> None:
        self._ended = ended
        # A reward's coroutine that got no slot was never awaited.
        if asyncio.iscoroutine(self._plan.work):
            self._plan.work.close()
        self._on_end(ended)
        for on_landed in self._waiting:
            on_landed()
        self._waiting.clear()


class Flights:
    """The table of all flights; an async context manager that leaves none behind."""

    def __init__(self) -> None:
        self._by_key: dict[Key, Flight] = {}
        self._flights: set[Flight] = set()
        self.shared = 0  # samples that boarded a flight that was already in the air

    def __len__(self) -> int:
        return len(self._flights)

    def find(self, key: Key | None) -> Flight | None:
        flight = None if key is None else self._by_key.get(key)
        self.shared += flight is not None
        return flight

    def start(self, key: Key | None, plan: Plan, on_landed: Callable[[Landed], None]) -> Flight:
        """Queue the work on a place already reserved in its lane; a key of None is never shared."""

        def ended(how: Landed | BaseException) -> None:
            self._flights.discard(flight)
            self._forget(key, flight)
            if isinstance(how, Landed) and how is not GIVEN_UP:
                on_landed(how)

        flight = Flight(plan, ended)
        self._flights.add(flight)
        if key is not None:
            self._by_key[key] = flight
        return flight

    def leave(self, key: Key | None, flight: Flight) -> None:
        """Take one passenger off; the last one to leave gives up what is unfinished."""
        if flight.leave():
            # Forgotten at once, so that no new caller boards a flight that is being cancelled.
            self._forget(key, flight)

    def _forget(self, key: Key | None, flight: Flight) -> None:
        if key is not None and self._by_key.get(key) is flight:
            del self._by_key[key]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running = [flight.task for flight in self._flights if flight.task is not None]
        for flight in tuple(self._flights):
            flight.give_up()
        await asyncio.gather(*running, return_exceptions=True)
