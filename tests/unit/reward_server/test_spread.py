"""Inline work in workers: the same grades, told from the same errors, and nobody pays for a neighbour."""

import asyncio
import dataclasses
import json
import os
from collections.abc import AsyncGenerator, Awaitable
from pathlib import Path

import pytest

from reward_server.api import Grade, Sample, TextReference, Verdict
from reward_server.errors import BadReferenceError, GraderTimeoutError
from reward_server.rewards import texts
from reward_server.rewards.ideation import IdeationReward
from reward_server.rewards.summary import SummaryReward
from reward_server.rewards.writing import WritingReward
from reward_server.scoring import spread as spreading
from reward_server.scoring.spread import Spread, places
from reward_server.workers import WorkerPool
from tests.spread_rewards import TASKS, Telling

CASES = Path(__file__).parents[2] / "cases"
TEXTS = {"ideation": IdeationReward(), "summary": SummaryReward(), "writing": WritingReward()}


@pytest.fixture
async def pool() -> AsyncGenerator[WorkerPool]:
    async with WorkerPool({**TASKS, **texts.TASKS}) as workers:
        await workers.start(places(1))
        yield workers


@pytest.fixture
async def spread(pool: WorkerPool) -> AsyncGenerator[Spread]:
    async with Spread(pool, 1) as made:
        yield made


def sample(answer: str, *, reward: str = "telling", prompt: str = "p", **reference: str) -> Sample:
    return Sample(
        sample_id=answer[:20],
        reward=reward,
        prompt=prompt,
        completion=f"<reasoning>r</reasoning><answer>{answer}</answer>",
        reference=TextReference(**reference),
    )


def elsewhere(spread: Spread, answer: str, reward: Telling | None = None, **parts: str) -> Awaitable[Grade]:
    """Have it graded as in a long call."""
    work = spread.grade(reward or Telling(os.getpid()), sample(answer, **parts), answer, alone=False)
    assert not isinstance(work, Grade)
    return work


def messages_of(pool: WorkerPool) -> list[list[str]]:
    """Return a list that gets the answers of each message from now on."""
    messages: list[list[str]] = []
    run = pool.run

    async def told(task: str, payload: list[list[str]], **budget: float) -> object:
        messages.append([piece[2] for piece in payload])
        return await run(task, payload, **budget)

    pool.run = told  # type: ignore[method-assign, assignment]
    return messages


def text_rows() -> list[tuple[Sample, str]]:
    """Return every text of the tables, honest and hostile, with its reward."""
    found: list[tuple[Sample, str]] = []
    for name in ("text_honest", "text_pairs", "writing_honest"):
        for line in (CASES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for part in ("answer", "honest", "exploit"):
                if answer := row.get(part):
                    given = {"reference": row["reference"], "source": row["source"]}
                    made = sample(answer, reward=row["reward"], prompt=row["prompt"], **given)
                    found.append((made, answer))
    return found


async def test_a_worker_gives_every_text_the_grade_that_it_has_on_the_spot(spread: Spread) -> None:
    rows = text_rows()
    assert {each.reward for each, _ in rows} == set(TEXTS)

    here = [TEXTS[each.reward].grade(each, answer) for each, answer in rows]
    there = await asyncio.gather(
        *(spread.grade(TEXTS[each.reward], each, answer, alone=False) for each, answer in rows)  # type: ignore[arg-type]
    )

    assert there == here


async def test_a_sample_that_is_alone_is_graded_on_the_spot_and_the_next_ones_are_not(spread: Spread) -> None:
    reward = Telling(os.getpid())
    first, *others = [spread.grade(reward, sample(f"{n}"), f"{n}", alone=True) for n in range(100)]

    assert isinstance(first, Grade)
    waited = [each for each in others if not isinstance(each, Grade)]
    assert len(waited) > len(others) / 2  # between two of them this process may have lost its CPU
    processes = {(await each).explanation for each in waited}
    assert str(os.getpid()) not in processes


async def test_after_a_while_a_sample_is_alone_again(spread: Spread) -> None:
    reward = Telling(os.getpid())
    spread.grade(reward, sample("a"), "a", alone=True)
    await asyncio.sleep(10 * spreading.RECENTLY_S)

    assert isinstance(spread.grade(reward, sample("b"), "b", alone=True), Grade)


async def test_many_samples_travel_together_and_come_back_each_to_its_own(
    pool: WorkerPool, spread: Spread
) -> None:
    sent = messages_of(pool)
    answers = ("first words of a story", "other words, and more of them", "none of these")
    reward = TEXTS["writing"]

    there = await asyncio.gather(
        *(spread.grade(reward, sample(each, reward="writing"), each, alone=False) for each in answers)  # type: ignore[arg-type]
    )

    assert sent == [list(answers)]
    assert there == [reward.grade(sample(each, reward="writing"), each) for each in answers]


async def test_siblings_travel_together_though_calls_take_turns(pool: WorkerPool, spread: Spread) -> None:
    sent = messages_of(pool)
    order = [f"{group}/{member}" for member in range(4) for group in ("a", "b", "")]  # "" is no group
    reward = Telling()
    samples = [dataclasses.replace(sample(each), group_id=each.partition("/")[0]) for each in order]

    work = (spread.grade(reward, each, each.sample_id, alone=False) for each in samples)
    await asyncio.gather(*work)  # type: ignore[arg-type]

    assert sent == [["a/0", "a/1", "a/2", "a/3", "b/0", "b/1", "b/2", "b/3", "/0", "/1", "/2", "/3"]]


async def test_what_the_reward_raises_is_raised_by_the_reward_itself(spread: Spread) -> None:
    found = await asyncio.gather(
        elsewhere(spread, "raise"),
        elsewhere(spread, "fine"),
        elsewhere(spread, "bad reference"),
        return_exceptions=True,
    )

    assert isinstance(found[0], ValueError)
    assert "no such thing" in str(found[0])
    assert isinstance(found[1], Grade)
    assert found[1].explanation != str(os.getpid())
    assert isinstance(found[2], BadReferenceError)


async def test_who_uses_up_the_budget_fails_alone(spread: Spread) -> None:
    answers = ("a", "b", "spin", "c")
    found = await asyncio.gather(*(elsewhere(spread, each) for each in answers), return_exceptions=True)

    assert isinstance(found[2], GraderTimeoutError)
    assert [each.verdict for each in found if isinstance(each, Grade)] == [Verdict.QUALITY] * 3


async def test_a_message_may_take_as_long_as_its_samples_together(pool: WorkerPool, spread: Spread) -> None:
    work = (elsewhere(spread, f"work/{number}") for number in range(spreading.CHUNK_SAMPLES))  # of 10 ms each

    found = await asyncio.gather(*work)

    assert len(found) == spreading.CHUNK_SAMPLES
    assert pool.usage.restarts == {}


async def test_where_workers_die_the_samples_are_graded_on_the_spot(spread: Spread) -> None:
    reward = Telling(os.getpid())
    found = await asyncio.gather(*(elsewhere(spread, each, reward) for each in ("a", "die", "b")))

    assert {each.explanation for each in found} == {str(os.getpid())}
    assert (await elsewhere(spread, "after")).explanation != str(os.getpid())


async def test_what_does_not_fit_into_a_message_is_graded_on_the_spot(spread: Spread) -> None:
    long = "x" * (spreading.CHUNK_CHARS + 1)

    for large in (sample("a", prompt=long), sample("a", source=long), sample("a", reference=long)):
        assert isinstance(spread.grade(Telling(), large, "a", alone=False), Grade)


async def test_a_message_as_long_as_it_may_be_fits(spread: Spread) -> None:
    widest = "\N{GRINNING FACE}" * (spreading.CHUNK_CHARS - 100)  # twelve bytes of JSON each

    grade = await elsewhere(spread, "a", prompt=widest)

    assert grade.explanation != str(os.getpid())


async def test_while_workers_are_not_warm_everything_is_graded_on_the_spot() -> None:
    async with WorkerPool(TASKS) as pool, Spread(pool, 1) as spread:
        assert isinstance(spread.grade(Telling(), sample("a"), "a", alone=False), Grade)
        await pool.start(1)
        await elsewhere(spread, "b")
    assert isinstance(spread.grade(Telling(), sample("c"), "c", alone=False), Grade)


async def test_who_leaves_is_not_graded_and_holds_up_nobody(spread: Spread) -> None:
    leaving = [asyncio.ensure_future(elsewhere(spread, f"work/{n}")) for n in range(200)]
    await asyncio.sleep(0.05)
    for each in leaving:
        each.cancel()
    async with asyncio.timeout(5.0):  # two seconds of work were asked for, and hardly any was done
        await elsewhere(spread, "next")
