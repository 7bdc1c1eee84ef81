"""For frameworks that have no word for "no score": ask until there is one, or say why there is none.

A failure that may pass (a sandbox that is down, a queue that is full, a deadline) is sent
again until the time is up; what was graded meanwhile is in the server's cache. One that
will not pass (a broken reference, an unknown reward) ends the call at once. Either way the
framework gets scores for all samples or an exception, never a zero in place of a score.
"""

import asyncio
import time
from collections.abc import Sequence

from reward_client.adapters.gather import Scorer
from reward_client.api import Failure, Outcome, RewardClientError, Sample, Score
from reward_client.client import RewardClient
from reward_client.retries import wait_s

_LASTING = frozenset(("BAD_REFERENCE", "UNKNOWN_REWARD"))


class NoScoreError(RewardClientError):
    """A sample has no score, and the framework has no way to leave it out."""

    def __init__(self, sample: Sample, failure: Failure) -> None:
        super().__init__(
            f"no score for a sample of reward {sample.reward!r}: {failure.kind}: {failure.message}"
        )
        self.kind = failure.kind

    @property
    def lasting(self) -> bool:
        """Whether asking again is of no use: the data is at fault."""
        return self.kind in _LASTING


class Insistence:
    """One batch on its way to a score for every sample. Pure but for the clock."""

    def __init__(self, samples: Sequence[Sample], *, timeout_s: float) -> None:
        self._samples = samples
        self._deadline = time.monotonic() + timeout_s
        self._scores: dict[str, Score] = {}
        self._attempt = 0

    @property
    def pending(self) -> list[Sample]:
        """What has no score yet."""
        return [sample for sample in self._samples if sample.sample_id not in self._scores]

    @property
    def left_s(self) -> float:
        """Seconds until the caller gives up."""
        return max(0.0, self._deadline - time.monotonic())

    @property
    def scores(self) -> list[Score]:
        """The scores, in the order of the samples, once nothing is pending."""
        return [self._scores[sample.sample_id] for sample in self._samples]

    def take(self, outcomes: Sequence[Outcome]) -> float | None:
        """Note the outcomes of `pending`; returns seconds to wait before the next attempt, None when done.

        Raises:
            NoScoreError: a failure will not pass, or would outlast the time.
        """
        self._attempt += 1
        failed: tuple[Sample, Failure] | None = None
        for sample, outcome in zip(self.pending, outcomes, strict=True):
            if isinstance(outcome.result, Score):
                self._scores[sample.sample_id] = outcome.result
            elif failed is None or outcome.result.kind in _LASTING:
                failed = sample, outcome.result
        if failed is None:
            return None
        wait = wait_s(self._attempt)
        error = NoScoreError(*failed)
        if error.lasting or self.left_s <= wait:
            raise error
        return wait


def insist(client: RewardClient, samples: Sequence[Sample], *, timeout_s: float) -> list[Score]:
    """Return a score for each sample, in order.

    Raises:
        NoScoreError: one has none within `timeout_s`.
        RewardClientError: the call could not be completed.
    """
    work = Insistence(samples, timeout_s=timeout_s)
    while (wait := work.take(client.score(work.pending, timeout_s=work.left_s))) is not None:
        time.sleep(wait)
    return work.scores


async def insist_async(scorer: Scorer, samples: Sequence[Sample], *, timeout_s: float) -> list[Score]:
    """Do the same on an event loop."""
    work = Insistence(samples, timeout_s=timeout_s)
    while (wait := work.take(await scorer.score(work.pending, timeout_s=work.left_s))) is not None:
        await asyncio.sleep(wait)
    return work.scores
