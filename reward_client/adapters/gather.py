"""Joins samples that are asked for one at a time, many at once, into calls of many.

A call of one sample costs as much as a call of hundreds. Frameworks that score sample by
sample on an event loop (verl's reward loop, OpenRLHF's requests) start them together, so
waiting for a moment is enough to find them together.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from reward_client.api import Outcome, RewardClientError, RewardRequestError, RewardUnavailableError, Sample
from reward_client.batches import MAX_CALL_SAMPLES

GATHER_S = 0.002


class Scorer(Protocol):
    """What can grade samples: `AsyncRewardClient`, or this on top of it."""

    async def score(self, samples: Sequence[Sample], *, timeout_s: float) -> list[Outcome]: ...


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Asked:
    """A sample on its way; `deadline` is on the clock of the event loop."""

    sample: Sample
    deadline: float
    outcome: "asyncio.Future[Outcome]"


class Gathered:
    """Grades like the scorer below it; samples of different callers share calls."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._waiting: list[_Asked] = []
        self._sending: set[asyncio.Task[None]] = set()

    async def score(self, samples: Sequence[Sample], *, timeout_s: float) -> list[Outcome]:
        """Grade samples; outcomes come back in their order.

        Raises:
            RewardClientError: as of the scorer below, of these samples alone where they are malformed.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        asked = [_Asked(sample=sample, deadline=deadline, outcome=loop.create_future()) for sample in samples]
        if not self._waiting:
            self._start(self._gather())
        self._waiting += asked
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.gather(*(each.outcome for each in asked))
        except TimeoutError as error:
            raise RewardUnavailableError(f"no answer within {timeout_s:g} s") from error

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _gather(self) -> None:
        await asyncio.sleep(GATHER_S)
        waiting, self._waiting = self._waiting, []
        for first in range(0, len(waiting), MAX_CALL_SAMPLES):
            self._start(self._send(waiting[first : first + MAX_CALL_SAMPLES]))

    async def _send(self, asked: Sequence[_Asked]) -> None:
        """Grade one call's samples, under ids of its own; every future gets an outcome or the error."""
        samples = [replace(each.sample, sample_id=str(index)) for index, each in enumerate(asked)]
        left_s = max(each.deadline for each in asked) - asyncio.get_running_loop().time()
        try:
            outcomes = await self._scorer.score(samples, timeout_s=max(0.0, left_s))
        except RewardClientError as error:
            if isinstance(error, RewardRequestError) and len(asked) > 1:
                # One malformed sample must not cost other callers theirs.
                await asyncio.gather(*(self._send([each]) for each in asked))
                return
            for each in asked:
                if not each.outcome.done():
                    each.outcome.set_exception(error)
            return
        for each, outcome in zip(asked, outcomes, strict=True):
            if not each.outcome.done():
                each.outcome.set_result(replace(outcome, sample_id=each.sample.sample_id))
