"""Keeps work on the event loop in slices, so that other calls get their turn."""

import asyncio
import time

SLICE_S = 0.005


class Pace:
    """A stopwatch for one loop of on-the-spot work: `if pace.due(): await pace.rest()`."""

    def __init__(self) -> None:
        self._slice_ends = time.perf_counter() + SLICE_S

    def due(self) -> bool:
        """Say whether the slice is used up."""
        return time.perf_counter() > self._slice_ends

    async def rest(self) -> None:
        """Let everything else that is ready run once, then start a new slice."""
        await asyncio.sleep(0)
        self._slice_ends = time.perf_counter() + SLICE_S
