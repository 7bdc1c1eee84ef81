"""Who is next: a fair queue for a few slots. No tasks, no time, no I/O.

Callers take turns: a caller with 8,192 pieces of work and one with a single piece are
served alternately, so nobody waits for all that another has. Between the two priorities
the shares are fixed: while both wait, evaluations get one turn in `TURNS`, so training
goes ahead and no evaluation starves.

Waiting costs a queue entry and nothing else, so thousands can begin and give up at once
without holding up the event loop.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
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


@dataclass(frozen=True, slots=True, eq=False)
class Ticket:
    """A wish for a slot; `start` is called when its time has come."""

    caller: Caller
    start: Callable[[], None]


class FairQueue:
    """`slots` to hold, given to callers in turn, and to each caller in order of arrival."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._turn = 0
        # By caller, the next one first; a caller that waits for nothing is not here.
        self._waiting: dict[Priority, OrderedDict[Caller, OrderedDict[Ticket, None]]] = {
            each: OrderedDict() for each in Priority
        }

    def ask(self, ticket: Ticket) -> None:
        """Call `ticket.start` with a slot in hand, now or later; `release` gives the slot back."""
        if self._free:  # then nobody waits
            self._free -= 1
            ticket.start()
        else:
            self._waiting[ticket.caller.priority].setdefault(ticket.caller, OrderedDict())[ticket] = None

    def withdraw(self, ticket: Ticket) -> bool:
        """Take back a wish; False when it was granted before, so that there is a slot to give back."""
        callers = self._waiting[ticket.caller.priority]
        own = callers.get(ticket.caller)
        if own is None or ticket not in own:
            return False
        del own[ticket]
        if not own:
            del callers[ticket.caller]
        return True

    def release(self) -> None:
        """Give a slot back, to whoever is next."""
        callers = self._waiting[self._next_priority()]
        if not callers:
            self._free += 1
            return
        caller, own = callers.popitem(last=False)
        ticket, _ = own.popitem(last=False)
        if own:
            callers[caller] = own  # at the end of the line
        ticket.start()

    async def acquire(self, caller: Caller) -> None:
        """Return when the caller holds a slot."""
        granted = asyncio.get_running_loop().create_future()
        ticket = Ticket(caller, lambda: granted.set_result(None))
        self.ask(ticket)
        try:
            await granted
        except asyncio.CancelledError:
            if not self.withdraw(ticket):
                self.release()
            raise

    def _next_priority(self) -> Priority:
        training, evaluation = self._waiting[Priority.TRAINING], self._waiting[Priority.EVALUATION]
        if not (training and evaluation):
            return Priority.TRAINING if training else Priority.EVALUATION
        self._turn = (self._turn + 1) % TURNS
        return Priority.TRAINING if self._turn else Priority.EVALUATION
