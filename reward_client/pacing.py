"""How many calls are in flight: fewer when the server refuses some, more again as it answers. One loop.

A refusal (RESOURCE_EXHAUSTED) says that a queue is full. The window is halved for it, once
for all calls that were sent before, and grows by half a call with every answer. At one call
the window also closes for as long as the server asked for, so a server that stays full is
asked by one call at a time.
"""

import asyncio
import time
from collections import deque

LARGEST_WINDOW = 32
GROWTH = 0.5


class Window:
    """The room for calls in flight of one client."""

    def __init__(self, largest: int = LARGEST_WINDOW) -> None:
        self._largest = largest
        self._size = float(largest)
        self._in_flight = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._opens = float("-inf")
        self._halvings: int = 0

    @property
    def size(self) -> int:
        """How many calls may be in flight now."""
        return int(self._size)

    async def enter(self) -> int:
        """Wait for room; returns what `refused` wants to know, and `leave` has to follow."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._waiting.remove(turn)
            else:
                self.leave()  # the room that came together with the cancellation
            raise
        return self._halvings

    def leave(self) -> None:
        """Make room."""
        self._in_flight -= 1
        self._admit()

    def answered(self) -> None:
        """Take note of a call that was taken."""
        self._size = min(float(self._largest), self._size + GROWTH)

    def refused(self, sent: int, retry_s: float) -> None:
        """Take note of a call that was refused; `sent` is what `enter` returned for it."""
        if sent != self._halvings:
            return
        self._halvings += 1
        self._size = max(1.0, self._size / 2)
        if self._size == 1.0:
            self._opens = time.monotonic() + retry_s
            asyncio.get_running_loop().call_later(retry_s, self._admit)

    def _admit(self) -> None:
        while self._waiting and self._in_flight < int(self._size) and time.monotonic() >= self._opens:
            self._in_flight += 1
            self._waiting.popleft().set_result(None)
