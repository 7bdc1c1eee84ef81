"""One bounded queue in front of each class of cost, so that cheap graders never wait behind code.

A call reserves its places in all lanes before any of its work starts, and gives back
those it does not need. Waiting is bounded, and fair between calls (see `fair`); running
is bounded by `slots`, but for work that turned out to be slow and makes room for others.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar

from reward_server.errors import OverloadedError
from reward_server.fair import Caller, FairQueue

# What a refused caller is told to wait; its own back-off grows from there.
RETRY_AFTER_S = 1.0


class Slot:
    """A place to run, given back once: at the end, or before it to let others in."""

    def __init__(self, lane: "Lane", queue: FairQueue) -> None:
        self._lane = lane
        self._queue = queue
        self._held = True

    def give_back(self) -> None:
        if self._held:
            self._held = False
            self._lane.busy -= 1
            self._queue.release()


# The slot that the present task runs on.
_held: ContextVar[Slot | None] = ContextVar("held", default=None)


def make_room() -> None:
    """Give back the slot that the present task runs on, if any; the task goes on beside the others."""
    if (slot := _held.get()) is not None:
        slot.give_back()


class Lane:
    """A queue with `slots` places to run and at most `bound` samples waiting."""

    def __init__(self, name: str, *, slots: int, bound: int) -> None:
        self.name = name
        self.slots = slots
        self.busy = 0  # how many slots are held
        self._bound = bound
        self._queue = FairQueue(slots)
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many samples hold a place and have not started."""
        return self._waiting

    def reserve(self, count: int) -> None:
        """Take `count` places in the queue; an empty queue takes any one call.

        Raises:
            OverloadedError: the queue has no room for this call.
        """
        if self._waiting and self._waiting + count > self._bound:
            raise OverloadedError(
                f"the {self.name} queue is full: {self._waiting} samples wait, {count} more exceed its "
                f"bound of {self._bound}; send the call again later, or add servers",
                retry_after_s=RETRY_AFTER_S,
            )
        self._waiting += count

    def release(self, count: int) -> None:
        """Give back places that were reserved and will not be used."""
        self._waiting -= count

    @asynccontextmanager
    async def slot(self, caller: Caller) -> AsyncGenerator[None]:
        """Wait for a slot on a reserved place, then hold it."""
        try:
            await self._queue.acquire(caller)
        finally:
            self._waiting -= 1
        self.busy += 1
        slot = Slot(self, self._queue)
        before = _held.set(slot)
        try:
            yield
        finally:
            _held.reset(before)
            slot.give_back()
