"""A reward function for MaxText's RL trainer, and for Tunix, whose call it is.

MaxText loads a function by file and name; the file is yours and holds the address:

    reward = MaxTextReward("127.0.0.1:50051", task_of)

with `reward_functions_path=my_rewards.py reward_functions=reward`. A call brings prompts and
completions of one batch and the dataset's columns, each as long as the batch; beside them
`tmvp_config`, `mode` and whatever a release adds, which is ignored.

Tunix has no "no score": None ends the run, NaN counts as 0. A failure is asked for again,
and in the end raises `NoScoreError`, which ends the run.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from reward_client.adapters.insist import insist
from reward_client.adapters.task import Task
from reward_client.api import Sample
from reward_client.client import DEFAULT_TIMEOUT_S, PLAIN, RewardClient
from reward_client.security import Security


class MaxTextReward:
    """Opens its client at the first call, so that it may be carried to worker processes before.

    `task_of` makes a `Task` of a row's columns. `question` names the column that holds what was
    asked, without the chat's template; where there is none, the rendered prompt is sent. `stop`
    are marks that a completion ends with and that are no part of the answer.
    """

    def __init__(
        self,
        addresses: str | Sequence[str],
        task_of: Callable[[Mapping[str, Any]], Task],
        *,
        name: str = "assay",
        question: str = "question",
        stop: Sequence[str] = ("<end_of_turn>", "<eos>"),
        timeout_s: float = DEFAULT_TIMEOUT_S,
        security: Security = PLAIN,
    ) -> None:
        self.__name__ = name  # Tunix names its metrics by it, and asks for it
        self._addresses = addresses
        self._task_of = task_of
        self._question = question
        self._stop = tuple(stop)
        self._timeout_s = timeout_s
        self._security = security
        self._client: RewardClient | None = None

    def __call__(self, prompts: Sequence[str], completions: Sequence[str], **columns: Any) -> list[float]:
        """Score a batch, in order.

        Raises:
            NoScoreError: a sample has no score within the time.
            RewardRequestError: a reference cannot be read.
            RewardClientError: the call could not be completed.
        """
        if self._client is None:
            self._client = RewardClient(self._addresses, security=self._security)
        rows = _rows(columns, len(prompts))
        samples = [
            self._sample(index, str(prompt), str(completion), row)
            for index, (prompt, completion, row) in enumerate(zip(prompts, completions, rows, strict=True))
        ]
        return [score.value for score in insist(self._client, samples, timeout_s=self._timeout_s)]

    def __getstate__(self) -> Mapping[str, Any]:
        return {**self.__dict__, "_client": None}

    def close(self) -> None:
        """Close the client, if one was opened."""
        if self._client is not None:
            self._client.close()

    def _sample(self, index: int, prompt: str, completion: str, row: Mapping[str, Any]) -> Sample:
        task = self._task_of(row)
        while mark := next((mark for mark in self._stop if mark and completion.endswith(mark)), None):
            completion = completion.removesuffix(mark)
        return Sample(
            sample_id=str(index),
            reward=task.reward,
            prompt=str(row.get(self._question, prompt)),
            completion=completion,
            reference=task.reference,
            metadata={"trainer": "maxtext"},
        )


def _rows(columns: Mapping[str, Any], count: int) -> list[dict[str, Any]]:
    """Turn columns into rows; what is no column of the batch's length is left out."""
    of_batch = {
        name: cast("Sequence[object]", values)
        for name, values in columns.items()
        if not isinstance(values, str | bytes | Mapping) and _length(values) == count
    }
    return [{name: _plain(values[index]) for name, values in of_batch.items()} for index in range(count)]


def _length(values: object) -> int | None:
    return len(cast("Sequence[object]", values)) if hasattr(values, "__getitem__") else None


def _plain(value: Any) -> Any:
    """A number or text of NumPy as Python's."""
    return value.item() if hasattr(value, "item") else value
