"""Who is next: callers in turn, training ahead of evaluation, nobody starved."""

import asyncio
from collections import Counter
from itertools import pairwise

import pytest

from reward_server.scoring.fair import TURNS, Caller, FairQueue, Priority, Ticket


def queue_up(queue: FairQueue, order: list[str], **pieces: int) -> dict[str, list[Ticket]]:
    """Have callers ask, each for so many pieces; whoever starts is noted in `order`."""
    tickets: dict[str, list[Ticket]] = {}
    for name, count in pieces.items():
        priority = Priority.EVALUATION if name.startswith("eval") else Priority.TRAINING
        caller = Caller(priority=priority)
        tickets[name] = [Ticket(caller, lambda name=name: order.append(name)) for _ in range(count)]
        for ticket in tickets[name]:
            queue.ask(ticket)
    return tickets


def drain(queue: FairQueue, count: int) -> None:
    for _ in range(count):
        queue.release()


def test_a_small_call_does_not_wait_for_all_of_a_large_one() -> None:
    order: list[str] = []
    queue = FairQueue(1)
    queue_up(queue, order, large=8_192, small=3)

    drain(queue, 7)

    assert order == ["large", "large", "small", "large", "small", "large", "small", "large"]


def test_many_large_calls_share_by_turns() -> None:
    order: list[str] = []
    queue = FairQueue(2)
    queue_up(queue, order, a=100, b=100, c=100)

    drain(queue, 88)

    assert Counter(order) == {"a": 32, "b": 29, "c": 29}


def test_a_callers_own_work_keeps_its_order() -> None:
    order: list[int] = []
    queue = FairQueue(1)
    caller = Caller()
    for number in range(50):
        queue.ask(Ticket(caller, lambda number=number: order.append(number)))

    drain(queue, 49)

    assert order == list(range(50))


def test_training_goes_ahead_and_no_evaluation_starves() -> None:
    order: list[str] = []
    queue = FairQueue(1)
    queue_up(queue, order, first=1, evaluation=500, training=500)

    drain(queue, 8 * TURNS)

    assert Counter(order[1:]) == {"training": 8 * (TURNS - 1), "evaluation": 8}
    waits = [place for place, name in enumerate(order) if name == "evaluation"]
    assert max(after - before for before, after in pairwise(waits)) == TURNS


def test_evaluations_have_all_slots_that_training_leaves() -> None:
    order: list[str] = []
    queue = FairQueue(1)
    queue_up(queue, order, evaluation=20)

    drain(queue, 20)

    assert order == ["evaluation"] * 20


def test_what_is_withdrawn_never_starts_and_takes_no_turn() -> None:
    order: list[str] = []
    queue = FairQueue(1)
    tickets = queue_up(queue, order, holder=1, leaver=1_000, stayer=2)

    assert all(queue.withdraw(ticket) for ticket in tickets["leaver"])
    assert not queue.withdraw(tickets["leaver"][0])
    assert not queue.withdraw(tickets["holder"][0]), "it has started"
    drain(queue, 3)

    assert order == ["holder", "stayer", "stayer"]
    queue_up(queue, order, next_one=1)
    assert order[-1] == "next_one", "the slot is free again"


@pytest.mark.parametrize("granted", [False, True])
async def test_a_cancelled_wait_loses_no_slot(granted: bool) -> None:
    queue = FairQueue(1)
    await queue.acquire(Caller())
    waiting = asyncio.create_task(queue.acquire(Caller()))
    await asyncio.sleep(0)

    if granted:
        queue.release()
    waiting.cancel()
    await asyncio.wait([waiting])
    if not granted:
        queue.release()

    assert waiting.cancelled()
    async with asyncio.timeout(10):
        await queue.acquire(Caller())
