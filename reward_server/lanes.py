"""One bounded queue in front of each class of cost, so that cheap graders never wait behind code.

A call reserves its places in all lanes before any of its work starts, and gives back
those it does not need. Waiting is bounded; running is bounded by `slots`.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from reward_server.errors import OverloadedError

# What a refused caller is told to wait; its own back-off grows from there.
RETRY_AFTER_S = 1.0


class Lane:
    """A queue with `slots` places to run and at most `bound` samples waiting."""

    def __init__(self, name: str, *, slots: int, bound: int) -> None:
        self.name = name
        self.slots = slots
        self._bound = bound
        self._slots = asyncio.Semaphore(slots)
        self._waiting = 0
        self._busy = 0

    @property
    def busy(self) -> int:
        """How many slots are held."""
        return self._busy

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
    async def slot(self) -> AsyncGenerator[None]:
        """Wait for a slot on a reserved place, then hold it."""
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            self._slots.release()
