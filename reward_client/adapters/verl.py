"""verl's custom reward function, one sample a call (plain and async) or a batch a call.

verl loads a function by file and name; the file is yours and holds the address:

    rewards = VerlReward("127.0.0.1:50051", rewards={"openai/gsm8k": "math"})
    compute_score = rewards.compute_score                # or .compute_score_async, .compute_score_batch

`ground_truth` is JSON in the form of `task.read_task`, or plain text where `rewards` names
the reward of its `data_source`. verl has no "no score": a failure is asked for again, and
in the end raises `NoScoreError`, which ends the run. It is no TimeoutError on purpose:
verl's naive manager turns that into 0.0. Its `rate_limited` manager turns any error into
0.0: do not use it with this function.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reward_client.adapters.gather import Gathered
from reward_client.adapters.insist import insist, insist_async
from reward_client.adapters.task import read_task
from reward_client.api import Sample, Score
from reward_client.client import DEFAULT_TIMEOUT_S, PLAIN, AsyncRewardClient, RewardClient
from reward_client.security import Security


class VerlReward:
    """Opens its clients at the first call, so that verl may carry it to other processes before.

    `rewards` maps a data source to the reward of its plain-text ground truths.
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        *,
        rewards: Mapping[str, str] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        security: Security = PLAIN,
    ) -> None:
        self._addresses = addresses
        self._rewards = rewards or {}
        self._timeout_s = timeout_s
        self._security = security
        self._client: RewardClient | None = None
        self._async_client: AsyncRewardClient | None = None
        self._gathered: Gathered | None = None

    def compute_score(
        self,
        data_source: str,
        solution_str: str,
        ground_truth: object,
        extra_info: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Score one sample; raises like `compute_score_batch`."""
        (score,) = self.compute_score_batch([data_source], [solution_str], [ground_truth], [extra_info])
        return score

    async def compute_score_async(
        self,
        data_source: str,
        solution_str: str,
        ground_truth: object,
        extra_info: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> dict[str, Any]:
        """Score one sample on verl's event loop, beside others; raises like `compute_score_batch`."""
        if self._gathered is None:
            self._async_client = AsyncRewardClient(self._addresses, security=self._security)
            self._gathered = Gathered(self._async_client)
        sample = self._sample(0, data_source, solution_str, ground_truth, extra_info)
        (score,) = await insist_async(self._gathered, [sample], timeout_s=self._timeout_s)
        return _result(score)

    def compute_score_batch(
        self,
        data_sources: Sequence[str],
        solution_strs: Sequence[str],
        ground_truths: Sequence[object],
        extra_infos: Sequence[Mapping[str, Any] | None],
        **_: Any,
    ) -> list[dict[str, Any]]:
        """Score a batch, in order.

        Raises:
            NoScoreError: a sample has no score within the time.
            RewardRequestError: a ground truth cannot be read.
            RewardClientError: the call could not be completed.
        """
        if self._client is None:
            self._client = RewardClient(self._addresses, security=self._security)
        columns = zip(data_sources, solution_strs, ground_truths, extra_infos, strict=True)
        samples = [self._sample(index, *row) for index, row in enumerate(columns)]
        return [_result(score) for score in insist(self._client, samples, timeout_s=self._timeout_s)]

    def close(self) -> None:
        """Close the client of the plain forms, if one was opened."""
        if self._client is not None:
            self._client.close()

    async def close_async(self) -> None:
        """Close the client of the async form, if one was opened."""
        if self._async_client is not None:
            await self._async_client.close()

    def _sample(
        self,
        index: int,
        data_source: str,
        solution: str,
        ground_truth: object,
        extra_info: Mapping[str, Any] | None,
    ) -> Sample:
        task = read_task(ground_truth, reward=self._rewards.get(data_source))
        question = (extra_info or {}).get("question", "")
        return Sample(
            sample_id=str(index),
            reward=task.reward,
            prompt=question if isinstance(question, str) else "",
            completion=solution,
            reference=task.reference,
            metadata={"trainer": "verl", "data_source": data_source},
        )


def _result(score: Score) -> dict[str, Any]:
    """Return the score with what verl logs of it; the same keys for every reward, as verl asks for."""
    parts = score.components
    accuracy = parts["correctness"] if "correctness" in parts else parts["quality"]
    return {"score": score.value, "acc": accuracy, "format": parts["format"], "verdict": score.verdict}
