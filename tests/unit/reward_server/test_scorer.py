"""A batch in, outcomes out: their order, the gates before the reward, failures, times."""

import asyncio
import math

import pytest

from reward_server.api import (
    BooleanReference,
    CostClass,
    Failure,
    FailureKind,
    Grade,
    Score,
    Verdict,
)
from reward_server.errors import BadReferenceError, GraderTimeoutError
from tests.fake_rewards import RIGHT, Held, Inline, completion
from tests.unit.reward_server.scorer_bench import bench, kinds, sample


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
