"""Samples asked for one at a time share calls, and nothing else."""

import asyncio
from collections.abc import Sequence

import pytest

from reward_client.adapters.gather import Gathered
from reward_client.api import (
    MathReference,
    Outcome,
    RewardClientError,
    RewardRequestError,
    RewardUnavailableError,
    Sample,
    Score,
)

WAIT_S = 30.0


class Below:
    """Answers each sample with its completion as explanation; refuses calls with a "malformed" one."""

    def __init__(self, *, error: RewardClientError | None = None, delay_s: float = 0.0) -> None:
        self.calls: list[int] = []
        self._error = error
        self._delay_s = delay_s

    async def score(self, samples: Sequence[Sample], *, timeout_s: float) -> list[Outcome]:
        self.calls.append(len(samples))
        await asyncio.sleep(self._delay_s)
        if self._error is not None:
            raise self._error
        if any(sample.completion == "malformed" for sample in samples):
            raise RewardRequestError("malformed")
        assert len({sample.sample_id for sample in samples}) == len(samples), "ids clash within the call"
        return [answer(sample) for sample in samples]


def answer(sample: Sample) -> Outcome:
    score = Score(value=1.0, components={}, verdict="CORRECT", explanation=sample.completion)
    return Outcome(
        sample_id=sample.sample_id, result=score, reward_version="1", cached=False, queue_ms=0.0, grade_ms=0.0
    )


def sample(completion: str) -> Sample:
    reference = MathReference(answer="4")
    return Sample(sample_id="same", reward="math", prompt="", completion=completion, reference=reference)


async def test_samples_asked_for_together_share_calls_and_get_their_own_outcomes() -> None:
    below = Below()
    gathered = Gathered(below)
    names = [f"c{index}" for index in range(300)]

    answers = await asyncio.gather(*(gathered.score([sample(name)], timeout_s=WAIT_S) for name in names))

    assert [
        outcome.result.explanation for (outcome,) in answers if isinstance(outcome.result, Score)
    ] == names
    assert {outcome.sample_id for (outcome,) in answers} == {"same"}
    assert below.calls == [256, 44]


async def test_a_later_sample_starts_a_call_of_its_own() -> None:
    below = Below()
    gathered = Gathered(below)

    for name in ("a", "b"):
        await gathered.score([sample(name)], timeout_s=WAIT_S)

    assert below.calls == [1, 1]


async def test_a_malformed_sample_is_refused_alone() -> None:
    gathered = Gathered(Below())

    calls = (gathered.score([sample(name)], timeout_s=WAIT_S) for name in ("a", "malformed", "b"))
    first, second, third = await asyncio.gather(*calls, return_exceptions=True)

    assert isinstance(second, RewardRequestError)
    assert not isinstance(first, BaseException)
    assert not isinstance(third, BaseException)


async def test_a_call_that_fails_fails_for_all_in_it() -> None:
    gathered = Gathered(Below(error=RewardUnavailableError("away")))

    answers = await asyncio.gather(
        *(gathered.score([sample(name)], timeout_s=WAIT_S) for name in "ab"), return_exceptions=True
    )

    assert [str(answer) for answer in answers] == ["away", "away"]


async def test_nobody_waits_longer_than_he_said_for_the_sake_of_others() -> None:
    gathered = Gathered(Below(delay_s=5.0))

    patient = asyncio.create_task(gathered.score([sample("a")], timeout_s=WAIT_S))
    with pytest.raises(RewardUnavailableError, match=r"no answer within 0.05 s"):
        await gathered.score([sample("b")], timeout_s=0.05)
    patient.cancel()


async def test_a_caller_that_leaves_costs_the_others_nothing() -> None:
    gathered = Gathered(Below(delay_s=0.05))
    leaves = asyncio.create_task(gathered.score([sample("a")], timeout_s=WAIT_S))
    stays = asyncio.create_task(gathered.score([sample("b")], timeout_s=WAIT_S))
    await asyncio.sleep(0.02)
    leaves.cancel()

    (outcome,) = await stays

    assert isinstance(outcome.result, Score)
