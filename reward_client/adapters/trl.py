"""Reward functions for TRL's `GRPOTrainer(reward_funcs=...)`, plain and async.

    reward = TrlReward(client, lambda row: Task(reward="math", reference=MathReference(answer=row["answer"])))
    GRPOTrainer(model, reward_funcs=reward, ...)

TRL calls with `prompts` and `completions`, one each per sample (texts, or lists of messages),
and every further column of the dataset as a list of the same length; it takes a list of
floats in which None is "no reward for this sample". A failure is that None: TRL leaves the
sample out of its group's mean and deviation and gives it an advantage of zero. That holds
for one reward function; see docs/other-trainers.md before adding a second.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reward_client.adapters.task import Task
from reward_client.api import Failure, Outcome, RewardClientError, Sample, Score
from reward_client.client import DEFAULT_TIMEOUT_S, AsyncRewardClient, RewardClient

# A completion or prompt: text, or chat messages {"role": ..., "content": text or parts}.
Message = Mapping[str, Any]
Text = str | Sequence[Message]
# A row of the dataset, without prompt and completion, to its reward and reference; None: not ours to judge.
TaskOf = Callable[[Mapping[str, Any]], Task | None]

_OURS = frozenset(("completion_ids", "trainer_state", "log_extra", "log_metric", "environments"))


class TooManyFailuresError(RewardClientError):
    """More of a batch has no score than was allowed; training on the rest would be biased."""


class _Shape:
    """What both forms share: columns to samples, outcomes to rewards."""

    def __init__(self, task_of: TaskOf, *, name: str, timeout_s: float, max_failed_share: float) -> None:
        # TRL's name for the function, in its metrics.
        self.__name__ = name
        self._task_of = task_of
        self._timeout_s = timeout_s
        self._max_failed_share = max_failed_share

    def _samples(
        self, prompts: Sequence[Text], completions: Sequence[Text], columns: Mapping[str, Any]
    ) -> list[Sample]:
        """Make the samples of one call; `sample_id` is the index."""
        rows = {name: values for name, values in columns.items() if name not in _OURS}
        groups: dict[str, str] = {}
        step = getattr(columns.get("trainer_state"), "global_step", None)
        metadata = {"trainer": "trl"} if step is None else {"trainer": "trl", "step": str(step)}
        samples: list[Sample] = []
        for index, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
            task = self._task_of({name: values[index] for name, values in rows.items()})
            if task is None:
                continue
            question = _question(prompt)
            samples.append(
                Sample(
                    sample_id=str(index),
                    reward=task.reward,
                    prompt=question,
                    completion=_text(completion),
                    reference=task.reference,
                    group_id=groups.setdefault(question, str(len(groups))),
                    metadata=metadata,
                )
            )
        return samples

    def _rewards(
        self, outcomes: Sequence[Outcome], count: int, columns: Mapping[str, Any]
    ) -> list[float | None]:
        """Put outcomes in the places of their samples, and log what TRL offers to log.

        Raises:
            TooManyFailuresError: more than the allowed share has no score.
        """
        by_index = {int(outcome.sample_id): outcome.result for outcome in outcomes}
        results = [by_index.get(index) for index in range(count)]
        failures = [result for result in results if isinstance(result, Failure)]
        if len(failures) > self._max_failed_share * len(outcomes):
            kinds = ", ".join(
                f"{kind} {n}" for kind, n in Counter(each.kind for each in failures).most_common()
            )
            raise TooManyFailuresError(
                f"{len(failures)} of {len(outcomes)} samples have no score ({kinds}), more than "
                f"max_failed_share={self._max_failed_share:g} allows; the first says: {failures[0].message}"
            )
        _log(self.__name__, results, columns)
        return [result.value if isinstance(result, Score) else None for result in results]


class TrlReward(_Shape):
    """A reward function for TRL. `timeout_s` is for one call, retries included."""

    def __init__(
        self,
        client: RewardClient,
        task_of: TaskOf,
        *,
        name: str = "assay",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_failed_share: float = 0.25,
    ) -> None:
        super().__init__(task_of, name=name, timeout_s=timeout_s, max_failed_share=max_failed_share)
        self._client = client

    def __call__(
        self, prompts: Sequence[Text], completions: Sequence[Text], **columns: Any
    ) -> list[float | None]:
        """Grade a batch as TRL asks for it.

        Raises:
            TooManyFailuresError: more than `max_failed_share` of it has no score.
            RewardClientError: no server answered within `timeout_s`, or it refused the call.
        """
        samples = self._samples(prompts, completions, columns)
        outcomes = self._client.score(samples, timeout_s=self._timeout_s)
        return self._rewards(outcomes, len(completions), columns)


class AsyncTrlReward(_Shape):
    """The same for TRL's event loop, where it runs beside other async reward functions.

    The client belongs to one event loop, which TRL makes: it is opened by the first call.
    """

    def __init__(
        self,
        open_client: Callable[[], AsyncRewardClient],
        task_of: TaskOf,
        *,
        name: str = "assay",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_failed_share: float = 0.25,
    ) -> None:
        super().__init__(task_of, name=name, timeout_s=timeout_s, max_failed_share=max_failed_share)
        self._open_client = open_client
        self._client: AsyncRewardClient | None = None

    async def __call__(
        self, prompts: Sequence[Text], completions: Sequence[Text], **columns: Any
    ) -> list[float | None]:
        """Grade a batch as TRL asks for it; raises like `TrlReward`."""
        if self._client is None:
            self._client = self._open_client()
        samples = self._samples(prompts, completions, columns)
        outcomes = await self._client.score(samples, timeout_s=self._timeout_s)
        return self._rewards(outcomes, len(completions), columns)

    async def close(self) -> None:
        """Close the client, if one was opened."""
        if self._client is not None:
            await self._client.close()


def _question(prompt: Text) -> str:
    """Return the user's last turn, or the whole of a plain prompt."""
    if isinstance(prompt, str):
        return prompt
    asked = [message for message in prompt if message.get("role") == "user"]
    return _content(asked[-1]) if asked else ""


def _text(completion: Text) -> str:
    """Return what the model wrote: its text, or that of its messages one after the other."""
    if isinstance(completion, str):
        return completion
    return "".join(_content(message) for message in completion if message.get("role") == "assistant")


def _content(message: Message) -> str:
    content: str | Sequence[Mapping[str, str]] | None = message.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    return "".join(part.get("text", "") for part in content if part.get("type") == "text")


def _log(name: str, results: Sequence[Score | Failure | None], columns: Mapping[str, Any]) -> None:
    """Fill TRL's table of completions and its metrics, where it offers them."""
    if log_extra := columns.get("log_extra"):
        log_extra(f"{name}_verdict", [_verdict(result) for result in results])
        log_extra(f"{name}_explanation", [_explanation(result) for result in results])
    if log_metric := columns.get("log_metric"):
        judged = [result for result in results if result is not None]
        scores = [result for result in judged if isinstance(result, Score)]
        if judged:
            log_metric(f"{name}/failed", 1 - len(scores) / len(judged))
        for component in ("format", "correctness", "quality"):
            values = [score.components[component] for score in scores if component in score.components]
            if values:
                log_metric(f"{name}/{component}", sum(values) / len(values))


def _verdict(result: Score | Failure | None) -> str:
    match result:
        case Score():
            return result.verdict
        case Failure():
            return f"failure {result.kind}"
        case None:
            return ""


def _explanation(result: Score | Failure | None) -> str:
    match result:
        case Score():
            return result.explanation
        case Failure():
            return result.message
        case None:
            return ""
