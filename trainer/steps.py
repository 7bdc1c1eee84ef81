"""One optimizer step seen from outside: completions to rewards, and what is written down."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from policy.sampling import Completion
from policy.tokenizer import END_OF_TURN
from reward_client.api import Outcome, Sample, Score
from tasks.api import Example
from tasks.sample import to_sample
from trainer.config import TrainConfig
from trainer.records import StepRecord
from trainer.rewards import GradedBatch, clean_completion, to_batch, zero_variance_share
from trainer.run_directory import RunDirectory
from trainer.tunix_adapter import StepResult

STOP_MARKS = (END_OF_TURN, "<eos>")
_KEPT_EVERY = 10  # steps between the completions written to completions.jsonl
_KEPT = 4  # completions written then


class Scorer(Protocol):
    """The part of `reward_client.client.RewardClient` that training uses."""

    def score(self, samples: Sequence[Sample], *, timeout_s: float) -> Sequence[Outcome]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class _Graded:
    examples: list[Example]
    completions: list[Completion]
    batch: GradedBatch
    wait_s: float


class StepRecorder:
    """Grades the completions of a step, then joins grades and optimizer into a `StepRecord`."""

    def __init__(
        self,
        *,
        config: TrainConfig,
        example_at: Callable[[int], Example],
        scorer: Scorer,
        run: RunDirectory,
        learning_rate: Callable[[int], float],
        show: Callable[[StepRecord], None],
        elapsed_s: float,
    ) -> None:
        self._config = config
        self._example_at = example_at
        self._scorer = scorer
        self._run = run
        self._learning_rate = learning_rate
        self._show = show
        self._began = time.monotonic() - elapsed_s
        self._step_began = time.monotonic()
        self._calls = 0
        self._graded: _Graded | None = None

    def grade(self, rows: Sequence[int], completions: Sequence[Completion]) -> np.ma.MaskedArray:
        """Sends the completions of one step in one call; rewards [completions], masked where none exists.

        Raises:
            trainer.rewards.TooManyFailuresError: too few came back with a score.
            reward_client.api.RewardClientError: the call could not be completed.
        """
        examples = [self._example_at(row) for row in rows]
        samples = [
            to_sample(
                example,
                clean_completion(completion.text, STOP_MARKS),
                sample_id=f"{row}-{number}",
                group_id=str(row),
            )
            for number, (row, example, completion) in enumerate(zip(rows, examples, completions, strict=True))
        ]
        began = time.monotonic()
        outcomes = self._scorer.score(samples, timeout_s=self._config.rewards.timeout_s)
        wait_s = time.monotonic() - began
        batch = to_batch(outcomes, max_failed_share=self._config.rewards.max_failed_share)
        self._graded = _Graded(examples=examples, completions=list(completions), batch=batch, wait_s=wait_s)
        self._keep(samples, outcomes)
        return batch.rewards

    def on_step(self, result: StepResult) -> None:
        """Writes and shows the record of the step whose completions were graded last."""
        assert self._graded is not None
        now = time.monotonic()
        record = _record(
            result,
            self._graded,
            config=self._config,
            learning_rate=self._learning_rate(result.step - 1),
            step_s=now - self._step_began,
            elapsed_s=now - self._began,
        )
        self._step_began = now
        self._run.append_step(record)
        self._show(record)

    def _keep(self, samples: Sequence[Sample], outcomes: Sequence[Outcome]) -> None:
        self._calls += 1
        if self._calls % _KEPT_EVERY != 1:
            return
        for sample, outcome in list(zip(samples, outcomes, strict=True))[:: max(1, len(samples) // _KEPT)]:
            result = outcome.result
            told = (
                {"score": result.value, "verdict": result.verdict, "explanation": result.explanation}
                if isinstance(result, Score)
                else {"failure": result.kind, "explanation": result.message}
            )
            row = {"sample_id": sample.sample_id, "reward": sample.reward, "prompt": sample.prompt}
            self._run.append("completions.jsonl", {**row, "completion": sample.completion, **told})


def _record(
    result: StepResult,
    graded: _Graded,
    *,
    config: TrainConfig,
    learning_rate: float,
    step_s: float,
    elapsed_s: float,
) -> StepRecord:
    batch, completions = graded.batch, graded.completions
    by_domain: dict[str, list[float]] = defaultdict(list)
    scored = ~np.ma.getmaskarray(batch.rewards)
    for example, reward, is_scored in zip(graded.examples, batch.rewards.data, scored, strict=True):
        if is_scored:
            by_domain[example.domain.value].append(float(reward))
    lengths = [len(completion.tokens) for completion in completions]
    return StepRecord(
        step=result.step,
        steps=config.steps,
        reward=float(batch.rewards.mean()),
        reward_by_domain={domain: float(np.mean(values)) for domain, values in sorted(by_domain.items())},
        format_rate=float(batch.format.mean()),
        correctness=float(batch.correctness.mean()),
        kl=result.kl,
        loss=result.loss,
        grad_norm=result.grad_norm,
        learning_rate=learning_rate,
        completions=len(completions),
        completion_tokens=sum(lengths),
        completion_length=float(np.mean(lengths)),
        truncated_share=float(np.mean([completion.truncated for completion in completions])),
        zero_variance_share=zero_variance_share(batch.rewards, config.grpo.group_size),
        failures=dict(Counter(batch.failures)),
        reward_wait_s=graded.wait_s,
        step_s=step_s,
        elapsed_s=elapsed_s,
    )
