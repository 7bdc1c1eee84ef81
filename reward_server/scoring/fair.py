"""Who is next: a fair queue for a few slots. No tasks, no time, no I/O.

Callers take turns: a caller with 8,192 pieces of work and one with a single piece are
served alternately, so nobody waits for all that another has. Between the two priorities
the shares are fixed: while both wait, evaluations get one turn in `TURNS`, so training
goes ahead and no evaluation starves.

A caller whose work turned out to be slow is on probation for its next `PROBATION` pieces:
callers on probation leave one slot to the others, even when nobody wants it, so that who
comes next need not wait for one more slow piece to be found out.

Waiting costs a queue entry and nothing else, so thousands can begin and give up at once
without holding up the event loop.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

# Of so many turns, one is for evaluations and the others are for training, while both wait.
TURNS = 8
# A batch with a slow piece here and there hardly loses by it, and one of slow pieces stays on it.
PROBATION = 8


class Priority(Enum):
    """What a call is for. Training waits for its rewards with all its accelerators."""

    TRAINING = "training"
    EVALUATION = "evaluation"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, weakref_slot=True)
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
        self._most_on_probation = max(1, slots - 1)
        self._turn = 0
        # By caller, the next one first; a caller that waits for nothing is not here.
        self._waiting: dict[Priority, OrderedDict[Caller, OrderedDict[Ticket, None]]] = {
            each: OrderedDict() for each in Priority
        }
        self._held: Counter[Caller] = Counter()
        # Pieces that must not be slow until a caller is trusted again.
        self._probation: dict[Caller, int] = {}

    def ask(self, ticket: Ticket) -> None:
        """Call `ticket.start` with a slot in hand, now or later; `release` gives the slot back."""
        if self._free and self._may_have_one(ticket.caller):  # then nobody waits who may
            self._start(ticket)
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
            self._forget(ticket.caller)
        return True

    def release(self, caller: Caller, *, slow: bool = False) -> None:
        """Give a slot of `caller` back, to whoever is next; `slow` when the piece turned out to be so."""
        self._free += 1
        self._note(caller, slow=slow)
        while self._free and (ticket := self._next()) is not None:
            self._start(ticket)

    async def acquire(self, caller: Caller) -> None:
        """Return when the caller holds a slot."""
        granted = asyncio.get_running_loop().create_future()
        ticket = Ticket(caller, lambda: granted.set_result(None))
        self.ask(ticket)
        try:
            await granted
        except asyncio.CancelledError:
            if not self.withdraw(ticket):
                self.release(caller)
            raise

    def _start(self, ticket: Ticket) -> None:
        self._free -= 1
        self._held[ticket.caller] += 1
        ticket.start()

    def _note(self, caller: Caller, *, slow: bool) -> None:
        self._held[caller] -= 1
        if slow:
            self._probation[caller] = PROBATION
        elif caller in self._probation:
            self._probation[caller] -= 1
            if not self._probation[caller]:
                del self._probation[caller]
        if not self._held[caller]:
            del self._held[caller]
            self._forget(caller)

    def _forget(self, caller: Caller) -> None:
        """Keep nothing of a caller that neither holds a slot nor waits for one."""
        if caller not in self._held and caller not in self._waiting[caller.priority]:
            self._probation.pop(caller, None)

    def _may_have_one(self, caller: Caller) -> bool:
        if caller not in self._probation:
            return True
        return sum(self._held[each] for each in self._probation) < self._most_on_probation

    def _next(self) -> Ticket | None:
        """Take out who is next, unless nobody waits who may have a slot."""
        for callers in self._by_priority():
            caller = next(filter(self._may_have_one, callers), None)
            if caller is not None:
                own = callers[caller]
                ticket, _ = own.popitem(last=False)
                if own:
                    callers.move_to_end(caller)
                else:
                    del callers[caller]
                return ticket
        return None

    def _by_priority(self) -> tuple[OrderedDict[Caller, OrderedDict[Ticket, None]], ...]:
        training, evaluation = self._waiting[Priority.TRAINING], self._waiting[Priority.EVALUATION]
        if training and evaluation:
            self._turn = (self._turn + 1) % TURNS
            if not self._turn:
                return evaluation, training
        return training, evaluation
