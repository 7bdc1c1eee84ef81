"""What equal samples share, and how calls share the lanes and the loop."""

import asyncio
import time
from collections.abc import Awaitable

from reward_server.api import Grade, Sample, Verdict
from reward_server.scoring.fair import Priority
from tests.fake_rewards import RIGHT, Held, Inline
from tests.unit.reward_server.scorer_bench import bench, kinds, sample, until


async def test_an_equal_sample_is_answered_from_the_cache() -> None:
    reward = Inline()
    async with bench(reward) as made:
        first = await made.score(sample("a", "inline"))
        second = await made.score(sample("b", "inline"), sample("c", "inline", answer="other"))

    assert reward.calls == 2
    assert [outcome.cached for outcome in (*first, *second)] == [False, True, False]
    assert first[0].result == second[0].result


async def test_equal_samples_in_flight_are_graded_once() -> None:
    held = Held()
    async with bench(held) as made:
        first = asyncio.create_task(made.score(sample("a", "held"), sample("b", "held")))
        await held.begun.wait()
        second = asyncio.create_task(made.score(sample("c", "held")))
        await until(lambda: made.flights.shared == 2)
        held.release.set()
        outcomes = await first + await second

    assert held.started == 1
    assert kinds(outcomes) == ["CORRECT"] * 3
    assert [outcome.cached for outcome in outcomes] == [False, False, True]


async def test_what_one_call_gives_up_another_still_gets() -> None:
    held = Held()
    async with bench(held) as made:
        starter = asyncio.create_task(made.score(sample("a", "held")))
        await held.begun.wait()
        joiner = asyncio.create_task(made.score(sample("b", "held")))
        await until(lambda: made.flights.shared == 1)
        starter.cancel()
        await asyncio.wait([starter])
        held.release.set()
        outcomes = await joiner

    assert (held.started, held.cancelled) == (1, 0)
    assert kinds(outcomes) == ["CORRECT"]


async def test_samples_of_a_reward_that_is_not_deterministic_are_all_graded() -> None:
    held = Held(deterministic=False)
    held.release.set()
    async with bench(held) as made:
        outcomes = await made.score(sample("a", "held"), sample("b", "held"))
        outcomes += await made.score(sample("c", "held"))

    assert held.finished == 3
    assert [outcome.cached for outcome in outcomes] == [False] * 3


async def test_a_time_limit_is_graded_again() -> None:
    slow = Held(grade=Grade(value=0.0, verdict=Verdict.TIME_LIMIT, explanation="2 s"))
    slow.release.set()
    async with bench(slow) as made:
        await made.score(sample("a", "held"))
        outcomes = await made.score(sample("b", "held"))

    assert slow.started == 2
    assert not outcomes[0].cached


async def test_a_call_of_few_samples_does_not_wait_for_one_of_many() -> None:
    held = Held(deterministic=False)
    async with bench(held, bound=10_000) as made:
        large = asyncio.create_task(made.score(*(sample(str(n), "held") for n in range(1_000))))
        await held.begun.wait()
        small = asyncio.create_task(made.score(sample("x", "held"), sample("y", "held")))
        await until(lambda: len(made.flights) == 1_002)
        held.release.set()
        outcomes = await small
        finished = held.finished
        large.cancel()
        await asyncio.wait([large])

    assert kinds(outcomes) == ["CORRECT"] * 2
    assert finished < 10, "the two, and one of the others for each"


async def test_an_evaluation_that_came_first_lets_training_go_ahead() -> None:
    graded: list[str] = []

    class Noted(Held):
        def grade(self, sample: Sample, answer: str) -> Awaitable[Grade]:
            return self.note(answer)

        async def note(self, answer: str) -> Grade:
            await self._wait()
            graded.append(answer)
            return RIGHT

    held = Noted()
    async with bench(held) as made:
        calls = [asyncio.create_task(made.score(sample("x", "held", answer="first")))]
        await held.begun.wait()
        for priority in (Priority.EVALUATION, Priority.TRAINING):
            samples = [sample(str(n), "held", answer=f"{priority.value} {n}") for n in range(7)]
            calls.append(asyncio.create_task(made.score(*samples, priority=priority)))
        await until(lambda: len(made.flights) == 15)  # a place is taken before a sample is in the queue
        held.release.set()
        await asyncio.gather(*calls)

    assert [name.split()[0] for name in graded[1:8]] == ["training"] * 7
    assert sorted(graded[8:]) == [f"evaluation {n}" for n in range(7)]


async def test_a_short_call_is_answered_between_two_slices_of_long_ones() -> None:
    begun: list[str] = []

    def slow(answer: str) -> Grade:
        begun.append(answer)
        time.sleep(0.002)  # stands for a grader that computes on the loop
        return RIGHT

    async with bench(Inline(slow)) as made:
        long = [
            asyncio.create_task(
                made.score(*(sample(str(n), "inline", answer=f"{call} {n}") for n in range(200)))
            )
            for call in range(5)
        ]
        await until(lambda: len(begun) > 50)
        before = len(begun)
        await made.score(sample("x", "inline", answer="short"))
        between = begun.index("short") - before
        done = [task.done() for task in long]
        for task in long:
            task.cancel()
        await asyncio.wait(long)

    assert done == [False] * 5
    assert between <= 8, "at most a slice of one of the five, whatever the machine"


async def test_a_long_batch_lets_other_calls_through() -> None:
    def slow(_: str) -> Grade:
        time.sleep(0.002)  # stands for a grader that computes on the loop
        return RIGHT

    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with bench(Inline(slow)) as made:
        task = asyncio.create_task(other())
        await made.score(*(sample(str(n), "inline", answer=str(n)) for n in range(100)))
        task.cancel()

    assert turns > 10
