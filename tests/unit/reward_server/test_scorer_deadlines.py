"""Work that ends early or never starts: deadlines, callers that leave, a full queue, the end."""

import asyncio

import pytest

from reward_server.api import CostClass
from reward_server.errors import OverloadedError
from tests.fake_rewards import Held, Inline
from tests.unit.reward_server.scorer_bench import bench, kinds, sample, until


async def test_at_the_deadline_the_finished_is_returned_and_the_rest_is_cancelled() -> None:
    held = Held()
    async with bench(held, Inline()) as made:
        outcomes = await made.score(
            sample("a", "inline"),
            sample("b", "held", answer="1"),
            sample("c", "held", answer="2"),
            within_s=0.2,
        )
        await asyncio.sleep(0)

    assert kinds(outcomes) == ["CORRECT", "DEADLINE", "DEADLINE"]
    assert (held.started, held.cancelled) == (1, 1), "one slot: the second never started"


async def test_after_the_deadline_nothing_is_started() -> None:
    reward = Inline()
    async with bench(reward) as made:
        outcomes = await made.score(sample("a", "inline"), within_s=-1.0)

    assert kinds(outcomes) == ["DEADLINE"]
    assert reward.calls == 0


async def test_a_caller_that_leaves_ends_its_work() -> None:
    held = Held()
    async with bench(held) as made:
        call = asyncio.create_task(made.score(sample("a", "held"), sample("b", "held", answer="2")))
        await held.begun.wait()
        call.cancel()
        await asyncio.wait([call])
        await asyncio.sleep(0)
        assert held.cancelled == 1
        held.release.set()
        assert kinds(await made.score(sample("c", "held"))) == ["CORRECT"], "the slot is free again"


async def test_work_that_waits_costs_no_task_and_is_given_up_at_once() -> None:
    """Thousands of tasks that all end in one turn of the loop would hold everybody up."""
    held = Held()
    async with bench(held, bound=10_000) as made:
        tasks_before = len(asyncio.all_tasks())
        call = asyncio.create_task(made.score(*(sample(str(n), "held", answer=str(n)) for n in range(5_000))))
        await until(lambda: made.lanes[CostClass.WORKER].waiting == 4_999)
        await held.begun.wait()
        tasks = len(asyncio.all_tasks()) - tasks_before
        call.cancel()
        await asyncio.wait([call])
        await until(made.at_rest)

    assert tasks == 2, "the call and the one sample that runs"
    assert (held.started, held.cancelled) == (1, 1)


async def test_work_in_flight_when_the_server_ends_is_cancelled_not_zero() -> None:
    held = Held()
    async with bench(held) as made:
        call = asyncio.create_task(made.score(sample("a", "held")))
        await held.begun.wait()
        await made.flights.__aexit__(None, None, None)
        outcomes = await call

    assert kinds(outcomes) == ["CANCELLED"]


async def test_a_call_that_finds_its_queue_full_is_refused_before_any_work() -> None:
    held, inline = Held(), Inline()
    async with bench(held, inline, bound=3) as made:
        first = asyncio.create_task(made.score(*(sample(str(n), "held", answer=str(n)) for n in range(4))))
        await held.begun.wait()

        with pytest.raises(OverloadedError, match="WORKER queue is full: 3 samples wait"):
            await made.score(sample("x", "inline"), sample("y", "held", answer="y"))
        cheap = await made.score(sample("x", "inline"))
        held.release.set()
        await first

    assert inline.calls == 1, "asked by the second call only"
    assert kinds(cheap) == ["CORRECT"], "cheap graders never wait behind dear ones"
    assert held.started == 4


async def test_samples_that_need_no_slot_give_their_places_back() -> None:
    held = Held()
    held.release.set()
    async with bench(held, bound=2) as made:
        await made.score(sample("a", "held", answer="1"))
        outcomes = await made.score(
            sample("b", "held", answer="1"), sample("c", "held", completion="no tags"), sample("d", "held")
        )

        assert kinds(outcomes) == ["CORRECT", "FORMAT_INVALID", "CORRECT"]
