"""Who is next: a fair queue for a few slots. One loop, no time, no I/O.

Callers take turns: a caller with 8,192 pieces of work and one with a single piece are
served alternately, so nobody waits for all that another has. Between the two priorities
the shares are fixed: while both wait, evaluations get one turn in `TURNS`, so training
goes ahead and no evaluation starves.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum

# Of so many turns, one is for evaluations and the others are for training, while both wait.
TURNS = 8


class Priority(Enum):
    """What a call is for. Training waits for its rewards with all its accelerators."""

    TRAINING = "training"
    EVALUATION = "evaluation"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Caller:
    """One call, as the queues see it: two calls are never the same caller."""

    priority: Priority = Priority.TRAINING


_Waiting = OrderedDict[asyncio.Future[None], None]


class FairQueue:
    """`slots` to hold, given to callers in turn, and to each caller in order of arrival."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._turn = 0
        # By caller, the next one first; a caller without a waiting future is not here.
        self._queues: dict[Priority, OrderedDict[Caller, _Waiting]] = {
            each: OrderedDict() for each in Priority
        }

    async def acquire(self, caller: Caller) -> None:
        """Return when the caller holds a slot, to be given back with `release`."""
        if self._free:  # then nobody waits
            self._free -= 1
            return
        granted = asyncio.get_running_loop().create_future()
        queue = self._queues[caller.priority]
        queue.setdefault(caller, OrderedDict())[granted] = None
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.release()  # the slot came together with the cancellation
            else:
                self._forget(caller, granted)
            raise

    def release(self) -> None:
        """Give a slot back: the next in turn holds it from now on."""
        granted = self._next()
        if granted is None:
            self._free += 1
        else:
            granted.set_result(None)

    def _next(self) -> asyncio.Future[None] | None:
        queue = self._queues[self._next_priority()]
        while queue:
            caller, waiting = queue.popitem(last=False)
            granted, _ = waiting.popitem(last=False)
            if waiting:
                queue[caller] = waiting  # at the end of the line
            if not granted.done():
                return granted
        return None

    def _next_priority(self) -> Priority:
        training, evaluation = self._queues[Priority.TRAINING], self._queues[Priority.EVALUATION]
        if not (training and evaluation):
            return Priority.TRAINING if training else Priority.EVALUATION
        self._turn = (self._turn + 1) % TURNS
        return Priority.TRAINING if self._turn else Priority.EVALUATION

    def _forget(self, caller: Caller, granted: asyncio.Future[None]) -> None:
        queue = self._queues[caller.priority]
        if (waiting := queue.get(caller)) is not None:
            waiting.pop(granted, None)
            if not waiting:
                del queue[caller]
