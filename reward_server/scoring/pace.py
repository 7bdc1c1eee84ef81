"""Whose turn it is on the event loop: short calls at once, long ones a slice at a time.

A call is short until it has worked for a slice of CPU time. From then on it is long: it works
only in its turn, and all long calls together have one. Between two slices the loop breathes:
for as many of its turns as it takes to bring a message in and an answer out, and, while short
calls are about, until they are answered, within bounds. So a short call waits for one slice of
one long call, however many there are and however many turns it needs. After its first slice a
call gives the loop its turns but no time: it may need little more, and nobody else may come.

Where there are no short calls, a long one keeps its turn for a stretch of slices. So ordinary
batches are answered one after the other, and their caller reads the first while the next is
graded; all of them a slice at a time would end together, at the end.
"""

import asyncio
import time
from collections.abc import Generator
from contextlib import contextmanager

from reward_server.scoring.fair import Caller, FairQueue

# A loop that did nothing else would spend under 2 % of its time between slices of this length.
SLICE_S = 0.003
# Ordinary batches are done within one; the next long call waits for no more of a huge one.
STRETCH_S = 0.01
# A slice while short calls are about: what one of them waits for, each time it needs a turn.
SHORT_SLICE_S = 0.001
# Turns of the loop between a message's arrival and its answer, with some to spare.
BREATH_TURNS = 8
# epoll's resolution; long enough for gRPC's threads to bring in what waits at the door.
BREATH_S = 0.001
# Long calls get on, however many short ones there are.
LONGEST_BREATH_S = 0.005
# Whoever sent a short call just now is likely to send another.
SHORT_CALLS_STAY_S = 0.1


class Turnstile:
    """The turn of all long calls, and what is known of the short ones."""

    def __init__(self) -> None:
        self._turn = FairQueue(1)
        self._short = 0
        self._short_seen = float("-inf")

    @contextmanager
    def pace(self, caller: Caller) -> Generator["Pace"]:
        """Begin the first slice of a call."""
        pace = Pace(self, caller)
        pace.resume()
        try:
            yield pace
        finally:
            pace.pause()

    async def enter(self, caller: Caller, *, pause: bool) -> None:
        """Return in the turn of a long call, to be ended with `leave`."""
        await self._turn.acquire(caller)
        try:
            await self.breathe(pause=pause)
        except asyncio.CancelledError:
            self._turn.release(caller)
            raise

    def leave(self, caller: Caller) -> None:
        """Let the next long call take its turn."""
        self._turn.release(caller)

    def short_began(self) -> None:
        self._short += 1

    def short_ended(self) -> None:
        self._short -= 1
        self._short_seen = time.perf_counter()

    def became_long(self) -> None:
        self._short -= 1

    def slice_s(self) -> float:
        """Return how long a slice may be now."""
        return SHORT_SLICE_S if self.short_about() else SLICE_S

    def short_about(self) -> bool:
        """Say whether short calls are being answered, or were just now."""
        return self._short > 0 or time.perf_counter() - self._short_seen <= SHORT_CALLS_STAY_S

    async def breathe(self, *, pause: bool = True) -> None:
        """Let short calls, and what else the loop has to do, go on between two slices.

        Without `pause` no time is given to short calls that are not in sight.
        """
        began = time.perf_counter()
        if pause and self.short_about():
            await asyncio.sleep(BREATH_S)
        for _ in range(BREATH_TURNS):
            await asyncio.sleep(0)
        while self._short and time.perf_counter() - began < LONGEST_BREATH_S:
            await asyncio.sleep(BREATH_S)


class Pace:
    """The stopwatch of one call: `if pace.due(): await pace.rest()` between two small steps."""

    def __init__(self, turnstile: Turnstile, caller: Caller) -> None:
        self.caller = caller
        self._turnstile = turnstile
        self._long = False
        self._working = False
        self._slice_ends = 0.0
        self._stretch_ends = 0.0
        self._cpu_limit_s = 0.0

    @property
    def is_short(self) -> bool:
        """Whether the call has used less than a slice of CPU time so far."""
        return not self._long

    def due(self) -> bool:
        """Say whether the slice is used up."""
        return time.perf_counter() > self._slice_ends

    async def rest(self) -> None:
        """Let others work, then start a slice of the long calls' turn."""
        if self._in_its_stretch():
            await self._turnstile.breathe()
            self._slice_ends = time.perf_counter() + self._turnstile.slice_s()
            return
        was_long = self._long
        if was_long:
            self.pause()
        elif (left_s := self._cpu_limit_s - time.thread_time()) > 0:
            # It was others that had the CPU: a call is not long for that.
            self._slice_ends = time.perf_counter() + left_s
            return
        else:
            # No sign that short calls are about: batches alone must not wait for them.
            self._long, self._working = True, False
            self._turnstile.became_long()
        # One that needs little more than its first slice must not wait for calls that may never come.
        await self._turnstile.enter(self.caller, pause=was_long)
        self._working = True
        now = time.perf_counter()
        self._slice_ends, self._stretch_ends = now + self._turnstile.slice_s(), now + STRETCH_S

    def _in_its_stretch(self) -> bool:
        # Not while short calls are about: one of them may prove long, and would wait for all of it.
        own = self._long and self._working and time.perf_counter() < self._stretch_ends
        return own and not self._turnstile.short_about()

    def pause(self) -> None:
        """Stop working on the loop: the call waits for something else, or ends."""
        if not self._working:
            return
        self._working = False
        if self._long:
            self._turnstile.leave(self.caller)
        else:
            self._turnstile.short_ended()

    def resume(self) -> None:
        """Work on after a pause; a long call is due at once."""
        if self._long:
            self._slice_ends = 0.0
            return
        self._working = True
        slice_s = self._turnstile.slice_s()
        self._slice_ends = time.perf_counter() + slice_s
        self._cpu_limit_s = time.thread_time() + slice_s
        self._turnstile.short_began()
