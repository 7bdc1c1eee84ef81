"""A batch in, outcomes out: order, the gates before the reward, sharing, deadlines, overload."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from reward_server.api import (
    BooleanReference,
    CostClass,
    Failure,
    FailureKind,
    Grade,
    MathReference,
    Outcome,
    Reward,
    Sample,
    Score,
    Verdict,
)
from reward_server.cache import ScoreCache
from reward_server.errors import BadReferenceError, GraderTimeoutError, OverloadedError
from reward_server.fair import Caller, Priority
from reward_server.flights import Flights
from reward_server.lanes import Lane
from reward_server.pace import Turnstile
from reward_server.registry import Registry
from reward_server.scorer import Scorer
from reward_server.scores import ScoringConfig
from tests.fake_rewards import RIGHT, Held, Inline, completion


class Bench:
    """A scorer with everything around it that a test looks at."""

    def __init__(self, rewards: list[Reward], flights: Flights, bound: int) -> None:
        self.defects: list[tuple[str, Exception]] = []
        self.flights = flights
        self.turnstile = Turnstile()
        self.cache = ScoreCache(100)
        self.lanes = {
            kind: Lane(kind.value, slots=1, bound=bound) for kind in (CostClass.WORKER, CostClass.SANDBOX)
        }
        self.scorer = Scorer(
            Registry(rewards, ScoringConfig()),
            scoring=ScoringConfig(),
            lanes=self.lanes,
            cache=self.cache,
            flights=flights,
            on_defect=lambda reward, error: self.defects.append((reward, error)),
        )

    async def score(
        self, *samples: Sample, within_s: float = 30.0, priority: Priority = Priority.TRAINING
    ) -> list[Outcome]:
        with self.turnstile.pace(Caller(priority=priority)) as pace:
            return await self.scorer.score(samples, deadline=time.perf_counter() + within_s, pace=pace)

    def at_rest(self) -> bool:
        return len(self.flights) == 0 and all(lane.waiting == 0 for lane in self.lanes.values())


@asynccontextmanager
async def bench(*rewards: Reward, bound: int = 100) -> AsyncGenerator[Bench]:
    async with Flights() as flights:
        made = Bench(list(rewards), flights, bound)
        yield made
        # One turn of the loop, for the callbacks of cancelled work.
        await asyncio.sleep(0.01)
        assert made.at_rest()


def sample(sample_id: str, reward: str, answer: str = "x", **changes: object) -> Sample:
    fields: dict[str, object] = {
        "sample_id": sample_id,
        "reward": reward,
        "prompt": "p",
        "completion": completion(answer),
        "reference": MathReference(answer="1"),
    }
    return Sample(**{**fields, **changes})  # type: ignore[arg-type]


def kinds(outcomes: list[Outcome]) -> list[str]:
    return [
        outcome.result.verdict.value if isinstance(outcome.result, Score) else outcome.result.kind.value
        for outcome in outcomes
    ]


async def test_outcomes_come_in_order_whatever_finishes_first() -> None:
    held = Held()
    async with bench(held, Inline()) as made:
        call = asyncio.create_task(
            made.score(sample("a", "held"), sample("b", "inline"), sample("c", "nobody"), sample("d", "held"))
        )
        await held.begun.wait()
        held.release.set()
        outcomes = await call

    assert [outcome.sample_id for outcome in outcomes] == ["a", "b", "c", "d"]
    assert kinds(outcomes) == ["CORRECT", "CORRECT", "UNKNOWN_REWARD", "CORRECT"]
    assert outcomes[0].reward_version == outcomes[3].reward_version != ""
    assert outcomes[2].reward_version == ""


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"reward": "nobody"}, "UNKNOWN_REWARD", "it has: inline"),
        ({"reference": None}, "BAD_REFERENCE", "takes a MathReference as reference, the sample has none"),
        ({"reference": BooleanReference(value=True)}, "BAD_REFERENCE", "the sample has BooleanReference"),
        # A broken reference is not hidden by what the model did.
        ({"reference": None, "completion": "no tags"}, "BAD_REFERENCE", "has none"),
        ({"completion": "no tags"}, "FORMAT_INVALID", "<reasoning>"),
        ({"completion": "x" * 300 * 1024}, "TOO_LONG", "307200 bytes"),
        ({"completion": completion("x") + " " * 300 * 1024}, "TOO_LONG", "at most 262144"),
    ],
)
async def test_what_is_decided_before_the_reward_is_asked(
    changes: dict[str, object], kind: str, said: str
) -> None:
    reward = Inline()
    async with bench(reward) as made:
        outcomes = await made.score(sample("a", str(changes.pop("reward", "inline")), **changes))

    assert kinds(outcomes) == [kind]
    result = outcomes[0].result
    assert said in (result.message if isinstance(result, Failure) else result.explanation)
    assert reward.calls == 0


def crash(_: str) -> Grade:
    raise ZeroDivisionError("by accident")


def refuse(_: str) -> Grade:
    raise BadReferenceError("answer: '' is no number")


def out_of_budget(_: str) -> Grade:
    raise GraderTimeoutError("took 5 s")


def not_a_number(_: str) -> Grade:
    return Grade(value=math.nan, verdict=Verdict.QUALITY, explanation="?")


@pytest.mark.parametrize(
    ("judge", "kind", "said", "defects"),
    [
        (crash, FailureKind.GRADER, "'inline' raised ZeroDivisionError: by accident", 1),
        (refuse, FailureKind.BAD_REFERENCE, "is no number", 0),
        (out_of_budget, FailureKind.GRADER_TIMEOUT, "took 5 s", 0),
        (not_a_number, FailureKind.GRADER, "value=nan, outside [0, 1]", 0),
    ],
)
async def test_whatever_a_reward_raises_fails_its_own_sample_only(
    judge: object, kind: FailureKind, said: str, defects: int
) -> None:
    async with bench(Inline(judge), Inline(name="sound")) as made:  # type: ignore[arg-type]
        bad, good = await made.score(sample("a", "inline"), sample("b", "sound"))
        again = await made.score(sample("c", "inline"))

    assert isinstance(bad.result, Failure)
    assert bad.result.kind is kind
    assert said in bad.result.message
    assert isinstance(good.result, Score)
    assert len(made.defects) == 2 * defects, "failures are not cached, so the reward was asked twice"
    assert not again[0].cached


async def test_an_inline_reward_that_returns_an_awaitable_is_a_failure_and_nothing_is_left() -> None:
    async with bench(Held("held", CostClass.INLINE)) as made:
        outcomes = await made.score(sample("a", "held"))

    assert kinds(outcomes) == ["GRADER"]


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


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.001)


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


async def test_work_in_flight_when_the_server_ends_is_cancelled_not_zero() -> None:
    held = Held()
    async with bench(held) as made:
        call = asyncio.create_task(made.score(sample("a", "held")))
        await held.begun.wait()
        await made.flights.__aexit__(None, None, None)
        outcomes = await call

    assert kinds(outcomes) == ["CANCELLED"]


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


async def test_times_tell_waiting_from_grading() -> None:
    async def wait_a_little() -> Grade:
        await asyncio.sleep(0.05)
        return RIGHT

    held = Held()
    held._wait = wait_a_little  # type: ignore[method-assign]
    async with bench(held) as made:
        first, second = await made.score(sample("a", "held", answer="1"), sample("b", "held", answer="2"))

    assert first.grade_ms >= 45
    assert second.queue_ms >= 45, "one slot: the second waited for the first"
