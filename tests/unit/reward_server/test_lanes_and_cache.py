"""Bounded queues and the bounded store of scores."""

import asyncio

import pytest

from reward_server.api import MathReference, Sample, Score, Verdict
from reward_server.cache.memory import ScoreCache, key_of, may_keep
from reward_server.errors import OverloadedError
from reward_server.scoring.fair import Caller
from reward_server.scoring.lanes import Lane, Slot, SlowLine, make_room


def score(explanation: str) -> Score:
    return Score(value=1.0, components={}, verdict=Verdict.CORRECT, explanation=explanation)


def sample(**changes: object) -> Sample:
    fields = {
        "sample_id": "1",
        "reward": "math",
        "prompt": "p",
        "completion": "c",
        "reference": MathReference(answer="a"),
    }
    return Sample(**{**fields, **changes})  # type: ignore[arg-type]


async def test_a_full_queue_refuses_and_says_when_to_come_back() -> None:
    lane = Lane("worker", slots=1, bound=10)
    lane.reserve(8)

    with pytest.raises(OverloadedError, match="worker queue is full: 8 samples wait") as refused:
        lane.reserve(3)

    assert refused.value.retry_after_s > 0
    assert lane.waiting == 8


async def test_an_empty_queue_takes_a_call_larger_than_its_bound() -> None:
    lane = Lane("worker", slots=1, bound=10)

    lane.reserve(50)

    assert lane.waiting == 50


def test_a_place_given_up_while_waiting_is_free_again() -> None:
    lane = Lane("worker", slots=1, bound=1)
    running: list[Slot] = []
    lane.reserve(1)
    lane.queue(Caller(), running.append)
    assert (lane.waiting, lane.busy) == (0, 1)
    lane.reserve(1)
    ticket = lane.queue(Caller(), running.append)
    assert (lane.waiting, lane.busy) == (1, 1)

    assert lane.withdraw(ticket)

    assert lane.waiting == 0
    assert not lane.withdraw(ticket)
    running[0].give_back()
    assert (len(running), lane.busy) == (1, 0)


def test_a_slot_is_given_back_once() -> None:
    lane = Lane("worker", slots=1, bound=9)
    running: list[Slot] = []
    lane.reserve(3)
    for _ in range(3):
        lane.queue(Caller(), running.append)

    running[0].give_back()
    running[0].give_back()

    assert (len(running), lane.busy, lane.waiting) == (2, 1, 1)


async def test_only_the_task_that_runs_on_a_slot_makes_room() -> None:
    lane = Lane("worker", slots=1, bound=9)
    running: list[Slot] = []
    lane.reserve(2)
    lane.queue(Caller(), running.append)
    lane.queue(Caller(), running.append)

    async def slow() -> None:
        running[0].hold()
        make_room()

    make_room()
    assert len(running) == 1
    await asyncio.create_task(slow())
    assert len(running) == 2


async def test_slow_work_takes_turns_between_calls_and_lets_quick_work_in_meanwhile() -> None:
    lane, line = Lane("worker", slots=1, bound=9), SlowLine(1)
    greedy, modest = Caller(), Caller()
    order: list[str] = []
    works: list[asyncio.Task[None]] = []

    async def slow(slot: Slot, name: str) -> None:
        slot.hold()
        async with line.turn():
            order.append(name)
            await asyncio.sleep(0)
        slot.give_back()

    for caller, name in ((greedy, "1"), (greedy, "2"), (greedy, "3"), (modest, "other")):
        lane.reserve(1)
        lane.queue(caller, lambda slot, name=name: works.append(asyncio.create_task(slow(slot, name))))
    while len(works) < 4:
        await asyncio.sleep(0)
    await asyncio.gather(*works)

    assert order[0] == "1"
    assert order.index("other") < order.index("3")
    assert (lane.busy, lane.aside, lane.waiting) == (0, 0, 0)


async def test_slow_work_that_waits_counts_against_the_bound() -> None:
    lane, line = Lane("worker", slots=1, bound=2), SlowLine(1)
    release = asyncio.Event()
    works: list[asyncio.Task[None]] = []

    async def slow(slot: Slot) -> None:
        slot.hold()
        async with line.turn():
            await release.wait()
        slot.give_back()

    for _ in range(2):
        lane.reserve(1)
        lane.queue(Caller(), lambda slot: works.append(asyncio.create_task(slow(slot))))
        await asyncio.sleep(0.01)
    assert (lane.busy, lane.aside, lane.waiting) == (0, 2, 0)
    with pytest.raises(OverloadedError, match="2 samples wait"):
        lane.reserve(1)
    release.set()
    await asyncio.gather(*works)
    lane.reserve(1)


async def test_waiting_for_a_slow_turn_is_queueing_and_not_grading() -> None:
    lane, line = Lane("worker", slots=1, bound=9), SlowLine(1)
    slots: list[Slot] = []
    lane.reserve(1)
    lane.queue(Caller(), slots.append)

    async def waits() -> None:
        slots[0].hold()
        async with line.turn():
            await asyncio.sleep(0.05)

    async with line.turn():
        waiting = asyncio.create_task(waits())
        await asyncio.sleep(0.1)
    await waiting

    assert 0.09 < slots[0].queued_s < 0.14


def test_the_cache_forgets_what_was_not_used_for_longest() -> None:
    cache = ScoreCache(2)
    cache.put(b"a", score("a"))
    cache.put(b"b", score("b"))
    cache.get(b"a")
    cache.put(b"c", score("c"))

    assert [cache.get(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]
    assert len(cache) == 2


def test_a_cache_of_no_entries_keeps_nothing() -> None:
    cache = ScoreCache(0)
    cache.put(b"a", score("a"))

    assert cache.get(b"a") is None


@pytest.mark.parametrize(
    "changed",
    [
        {"reward": "other"},
        {"prompt": "q"},
        {"completion": "d"},
        {"reference": MathReference(answer="b")},
        {"reference": None},
        # What one field loses, the next gains.
        {"prompt": "pc", "completion": ""},
    ],
)
def test_a_key_covers_all_that_a_score_depends_on(changed: dict[str, object]) -> None:
    assert key_of(sample(**changed), "1.0.0+aa") != key_of(sample(), "1.0.0+aa")
    assert key_of(sample(), "1.0.0+bb") != key_of(sample(), "1.0.0+aa")


def test_a_key_ignores_what_a_score_does_not_depend_on() -> None:
    other = sample(sample_id="2", group_id="g", metadata={"step": "1"})

    assert key_of(other, "1.0.0+aa") == key_of(sample(), "1.0.0+aa")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_verdicts_that_depend_on_the_machine_are_not_kept(verdict: Verdict) -> None:
    depends = {Verdict.TIME_LIMIT, Verdict.MEMORY_LIMIT, Verdict.RUNTIME_ERROR}

    assert may_keep(verdict) == (verdict not in depends)
