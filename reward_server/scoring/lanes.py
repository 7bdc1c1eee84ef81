"""One bounded queue in front of each class of cost, so that cheap graders never wait behind code.

A call reserves its places in all lanes before any of its work starts, and gives back
those it does not need. Waiting is bounded, and fair between calls (see `fair`); running
is bounded by `slots`. Work that turned out to be slow makes room for others and queues
once more, in a line of its own (`SlowLine`); it still counts against its lane's bound.
"""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar

from reward_server.errors import OverloadedError
from reward_server.scoring.fair import Caller, FairQueue, Ticket

# What a refused caller is told to wait; its own back-off grows from there.
RETRY_AFTER_S = 1.0


class Slot:
    """A place to run, held for a caller and given back at the end, once.

    `queued_s` is how long its work waited once more: for being slow, or for a worker.
    """

    def __init__(self, lane: "Lane", caller: Caller) -> None:
        self.caller = caller
        self.queued_s = 0.0
        self._lane: Lane | None = lane
        self._made_room = False

    def hold(self) -> None:
        """Run the present task on this slot."""
        _held.set(self)

    def make_room(self) -> None:
        """Let the next one in and go on beside the others."""
        if self._lane is not None and not self._made_room:
            self._made_room = True
            self._lane.step_aside(self.caller)

    def give_back(self) -> None:
        if self._lane is not None:
            lane, self._lane = self._lane, None
            lane.ended(self.caller, aside=self._made_room)


# The slot that the present task runs on; it goes with the task through every reward.
_held: ContextVar[Slot | None] = ContextVar("held", default=None)


def make_room() -> None:
    """Give up the slot that the present task runs on, if any; the task goes on beside the others."""
    if (slot := _held.get()) is not None:
        slot.make_room()


def note_queued(seconds: float) -> None:
    """Count a part of the present task's time on its slot, if any, as waiting."""
    if (slot := _held.get()) is not None:
        slot.queued_s += seconds


class SlowLine:
    """The line of work that turned out to be slow, from all lanes: `slots` at once, fair between calls."""

    def __init__(self, slots: int) -> None:
        self._queue = FairQueue(slots)

    @asynccontextmanager
    async def turn(self) -> AsyncGenerator[None]:
        """Make room for others, wait for a turn, and have it inside the block."""
        make_room()
        slot = _held.get()
        asked = time.perf_counter()
        caller = Caller() if slot is None else slot.caller
        await self._queue.acquire(caller)
        note_queued(time.perf_counter() - asked)
        try:
            yield
        finally:
            self._queue.release(caller)


class Lane:
    """A queue with `slots` places to run and at most `bound` samples waiting."""

    def __init__(self, name: str, *, slots: int, bound: int) -> None:
        self.name = name
        self.slots = slots
        self._bound = bound
        self._queue = FairQueue(slots)
        self._waiting = 0
        self._busy = 0
        self._aside = 0

    @property
    def busy(self) -> int:
        """How many slots are held."""
        return self._busy

    @property
    def waiting(self) -> int:
        """How many samples hold a place and have not started."""
        return self._waiting

    @property
    def aside(self) -> int:
        """How many samples turned out to be slow and have not ended."""
        return self._aside

    def reserve(self, count: int) -> None:
        """Take `count` places in the queue; an empty queue takes any one call.

        Raises:
            OverloadedError: the queue has no room for this call.
        """
        waiting = self._waiting + self._aside
        if waiting and waiting + count > self._bound:
            raise OverloadedError(
                f"the {self.name} queue is full: {waiting} samples wait, {count} more exceed its "
                f"bound of {self._bound}; send the call again later, or add servers",
                retry_after_s=RETRY_AFTER_S,
            )
        self._waiting += count

    def release(self, count: int) -> None:
        """Give back places that were reserved and will not be used."""
        self._waiting -= count

    def queue(self, caller: Caller, start: Callable[[Slot], None]) -> Ticket:
        """Wait on a reserved place; `start` is called with a slot, now or later."""

        def started() -> None:
            self._waiting -= 1
            self._busy += 1
            start(Slot(self, caller))

        ticket = Ticket(caller, started)
        self._queue.ask(ticket)
        return ticket

    def withdraw(self, ticket: Ticket) -> bool:
        """Wait no longer, and give the place back; False when it has started."""
        withdrawn = self._queue.withdraw(ticket)
        self._waiting -= withdrawn
        return withdrawn

    def step_aside(self, caller: Caller) -> None:
        """Let the next one in beside one that runs and goes on; for its slot to call, as `ended` is."""
        self._busy -= 1
        self._aside += 1
        self._queue.release(caller, slow=True)

    def ended(self, caller: Caller, *, aside: bool) -> None:
        """Forget one that ran to its end, on its slot or aside."""
        if aside:
            self._aside -= 1
        else:
            self._busy -= 1
            self._queue.release(caller)
