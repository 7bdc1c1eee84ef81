"""One bounded queue in front of each class of cost, so that cheap graders never wait behind code.

A call reserves its places in all lanes before any of its work starts, and gives back
those it does not need. Waiting is bounded, and fair between calls (see `fair`); running
is bounded by `slots`, but for work that turned out to be slow and makes room for others.
"""

from collections.abc import Callable
from contextvars import ContextVar

from reward_server.errors import OverloadedError
from reward_server.fair import Caller, FairQueue, Ticket

# What a refused caller is told to wait; its own back-off grows from there.
RETRY_AFTER_S = 1.0


class Slot:
    """A place to run, given back once: at the end, or before it to let others in."""

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back: Callable[[], None] | None = give_back

    def hold(self) -> None:
        """Run the present task on this slot."""
        _held.set(self)

    def give_back(self) -> None:
        if self._give_back is not None:
            give_back, self._give_back = self._give_back, None
            give_back()


# The slot that the present task runs on; it goes with the task through every reward.
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
        self._bound = bound
        self._queue = FairQueue(slots)
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

    def queue(self, caller: Caller, start: Callable[[Slot], None]) -> Ticket:
        """Wait on a reserved place; `start` is called with a slot, now or later."""

        def started() -> None:
            self._waiting -= 1
            self._busy += 1
            start(Slot(self._free))

        ticket = Ticket(caller, started)
        self._queue.ask(ticket)
        return ticket

    def withdraw(self, ticket: Ticket) -> bool:
        """Wait no longer, and give the place back; False when it has started."""
        withdrawn = self._queue.withdraw(ticket)
        self._waiting -= withdrawn
        return withdrawn

    def _free(self) -> None:
        self._busy -= 1
        self._queue.release()
