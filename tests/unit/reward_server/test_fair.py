"""Who is next: callers in turn, training ahead of evaluation, nobody starved."""

import asyncio
import gc
import weakref
from collections import Counter
from itertools import pairwise

import pytest

from reward_server.scoring.fair import PROBATION, TURNS, Caller, FairQueue, Priority, Ticket


class Desk:
    """A queue, who has started in what order, and who runs now."""

    def __init__(self, slots: int) -> None:
        self.queue = FairQueue(slots)
        self.order: list[str] = []
        self.running: list[tuple[str, Caller]] = []
        self._callers: dict[str, Caller] = {}

    def ask(self, **pieces: int) -> dict[str, list[Ticket]]:
        """Have callers ask, each for so many pieces; the priority is in the name."""
        tickets: dict[str, list[Ticket]] = {}
        for name, count in pieces.items():
            priority = Priority.EVALUATION if name.startswith("eval") else Priority.TRAINING
            caller = self._callers.setdefault(name, Caller(priority=priority))
            tickets[name] = [self._ticket(name, caller) for _ in range(count)]
            for ticket in tickets[name]:
                self.queue.ask(ticket)
        return tickets

    def drain(self, count: int) -> None:
        """Have so many pieces end, the longest running first."""
        for _ in range(count):
            self.end(self.running[0][0])

    def end(self, name: str, *, slow: bool = False) -> None:
        """Have a piece of that caller end, or prove to be slow."""
        place = [each for each, _ in self.running].index(name)
        _, caller = self.running.pop(place)
        self.queue.release(caller, slow=slow)

    def names(self) -> list[str]:
        return sorted(name for name, _ in self.running)

    def _ticket(self, name: str, caller: Caller) -> Ticket:
        def start() -> None:
            self.order.append(name)
            self.running.append((name, caller))

        return Ticket(caller, start)


def test_a_small_call_does_not_wait_for_all_of_a_large_one() -> None:
    desk = Desk(1)
    desk.ask(large=8_192, small=3)

    desk.drain(7)

    assert desk.order == ["large", "large", "small", "large", "small", "large", "small", "large"]


def test_many_large_calls_share_by_turns() -> None:
    desk = Desk(2)
    desk.ask(a=100, b=100, c=100)

    desk.drain(88)

    assert Counter(desk.order) == {"a": 32, "b": 29, "c": 29}


def test_a_callers_own_work_keeps_its_order() -> None:
    order: list[int] = []
    queue = FairQueue(1)
    caller = Caller()
    for number in range(50):
        queue.ask(Ticket(caller, lambda number=number: order.append(number)))

    for _ in range(49):
        queue.release(caller)

    assert order == list(range(50))


def test_training_goes_ahead_and_no_evaluation_starves() -> None:
    desk = Desk(1)
    desk.ask(first=1, evaluation=500, training=500)

    desk.drain(8 * TURNS)

    assert Counter(desk.order[1:]) == {"training": 8 * (TURNS - 1), "evaluation": 8}
    waits = [place for place, name in enumerate(desk.order) if name == "evaluation"]
    assert max(after - before for before, after in pairwise(waits)) == TURNS


def test_evaluations_have_all_slots_that_training_leaves() -> None:
    desk = Desk(1)
    desk.ask(evaluation=20)

    desk.drain(20)

    assert desk.order == ["evaluation"] * 20


def test_what_is_withdrawn_never_starts_and_takes_no_turn() -> None:
    desk = Desk(1)
    tickets = desk.ask(holder=1, leaver=1_000, stayer=2)

    assert all(desk.queue.withdraw(ticket) for ticket in tickets["leaver"])
    assert not desk.queue.withdraw(tickets["leaver"][0])
    assert not desk.queue.withdraw(tickets["holder"][0]), "it has started"
    desk.drain(3)

    assert desk.order == ["holder", "stayer", "stayer"]
    desk.ask(next_one=1)
    assert desk.order[-1] == "next_one", "the slot is free again"


def test_a_caller_of_slow_work_leaves_one_slot_to_the_others() -> None:
    desk = Desk(2)
    desk.ask(greedy=100)
    assert desk.names() == ["greedy", "greedy"]

    desk.end("greedy", slow=True)

    assert desk.names() == ["greedy"], "nobody else waits, and yet the slot stays free"
    desk.ask(modest=2)
    assert desk.names() == ["greedy", "modest"]
    desk.end("modest")
    assert desk.names() == ["greedy", "modest"]


def test_callers_of_slow_work_share_what_they_may_have() -> None:
    desk = Desk(3)
    desk.ask(one=40, other=40)
    desk.end("one", slow=True)
    desk.end("other", slow=True)

    for _ in range(30):
        assert len(desk.running) == 2
        desk.end(desk.running[0][0], slow=True)

    counts = Counter(desk.order)
    assert abs(counts["one"] - counts["other"]) <= 3


def test_a_caller_is_trusted_again_after_work_that_was_not_slow() -> None:
    desk = Desk(2)
    desk.ask(caller=100)
    desk.end("caller", slow=True)

    for _ in range(PROBATION - 1):
        desk.end("caller")
        assert desk.names() == ["caller"]
    desk.end("caller")

    assert desk.names() == ["caller", "caller"]


def test_what_is_slow_again_begins_the_probation_anew() -> None:
    desk = Desk(2)
    desk.ask(caller=100)
    desk.end("caller", slow=True)

    for _ in range(3 * PROBATION):
        desk.end("caller")
        desk.end("caller", slow=True)
        assert desk.names() == ["caller"]


def test_slow_work_is_not_held_against_the_only_slot() -> None:
    desk = Desk(1)
    desk.ask(caller=3)

    desk.end("caller", slow=True)
    desk.end("caller", slow=True)

    assert desk.order == ["caller"] * 3


def test_a_training_call_on_probation_lets_evaluations_have_the_slot_that_it_may_not() -> None:
    desk = Desk(2)
    desk.ask(training=100, evaluation=100)

    for _ in range(2 * TURNS):
        desk.end("training", slow=True) if "training" in desk.names() else desk.drain(1)
        assert len(desk.running) == 2


@pytest.mark.parametrize("waits", [False, True])
def test_nothing_is_kept_of_callers_that_have_left(waits: bool) -> None:
    queue = FairQueue(2)

    kept = slow_and_gone(queue, waits=waits)
    gc.collect()

    assert kept() is None


def slow_and_gone(queue: FairQueue, *, waits: bool) -> "weakref.ref[Caller]":
    """Have two callers be slow; one leaves, if it waited while the other had what both may have."""
    stayer, leaver = Caller(), Caller()
    for caller in (stayer, leaver):
        queue.ask(Ticket(caller, lambda: None))
    ticket = Ticket(leaver, lambda: None)
    if waits:
        queue.ask(Ticket(stayer, lambda: None))
        queue.ask(ticket)
    queue.release(stayer, slow=True)
    queue.release(leaver, slow=True)
    assert queue.withdraw(ticket) is waits
    return weakref.ref(leaver)


@pytest.mark.parametrize("granted", [False, True])
async def test_a_cancelled_wait_loses_no_slot(granted: bool) -> None:
    queue, holder = FairQueue(1), Caller()
    await queue.acquire(holder)
    waiting = asyncio.create_task(queue.acquire(Caller()))
    await asyncio.sleep(0)

    if granted:
        queue.release(holder)
    waiting.cancel()
    await asyncio.wait([waiting])
    if not granted:
        queue.release(holder)

    assert waiting.cancelled()
    async with asyncio.timeout(10):
        await queue.acquire(Caller())
