"""One step seen from outside: what the optimizer, the grader and the clock say, as records."""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from policy.sampling import Completion
from policy.tokenizer import PAD_ID
from reward_client.api import Failure, Outcome, Score
from trainer.config import TrainConfig
from trainer.experience.grading import to_samples
from trainer.experience.groups import GradedGroup, Learned
from trainer.experience.rewards import to_batch
from trainer.grpo.learner import StepResult
from trainer.run_files.records import RolloutRecord, StepRecord


class StepRecorder:
    """Turns step results into records, and keeps the time of a run across resumes."""

    def __init__(
        self,
        *,
        config: TrainConfig,
        prompt_hash: str,
        learning_rate: Callable[[int], float],
        show: Callable[[StepRecord], None],
        keep: Callable[[Sequence[RolloutRecord]], None],
        elapsed_s: float,
    ) -> None:
        self._config = config
        self._prompt_hash = prompt_hash
        self._learning_rate = learning_rate
        self._show = show
        self._keep = keep
        self._began = time.monotonic() - elapsed_s
        self._step_began = time.monotonic()

    def on_step(self, result: StepResult) -> None:
        """Shows the record of a step, and hands on those of its completions."""
        now = time.monotonic()
        record = step_record(
            result,
            config=self._config,
            prompt_hash=self._prompt_hash,
            learning_rate=self._learning_rate((result.step - 1) * self._config.grpo.iterations),
            step_s=now - self._step_began,
            elapsed_s=now - self._began,
        )
        self._step_began = now
        self._show(record)
        self._keep(rollout_records(result))

    def skip(self) -> None:
        """Counts the time since the last step as no part of the next one."""
        self._step_began = time.monotonic()


def step_record(
    result: StepResult,
    *,
    config: TrainConfig,
    prompt_hash: str,
    learning_rate: float,
    step_s: float,
    elapsed_s: float,
) -> StepRecord:
    """Joins what is known of a step."""
    learned = result.learned
    outcomes = [outcome for item in learned for outcome in item.graded.outcomes]
    completions = [completion for item in learned for completion in item.graded.group.completions]
    domains = [_domain(item.graded) for item in learned for _ in item.graded.outcomes]
    batch = to_batch(outcomes)
    lengths = np.ma.masked_array([len(completion.tokens) for completion in completions])
    verdicts = (outcome.result.verdict for outcome in outcomes if isinstance(outcome.result, Score))
    return StepRecord(
        step=result.step,
        steps=config.steps,
        reward=float(batch.rewards.mean()),
        reward_by_domain=_means(domains, batch.rewards),
        format_rate=float(batch.format.mean()),
        correctness=float(batch.correctness.mean()),
        kl=result.kl,
        loss=result.loss,
        grad_norm=result.grad_norm,
        learning_rate=learning_rate,
        completions=len(completions),
        completion_tokens=int(lengths.sum()),
        completion_length=float(lengths.mean()),
        truncated_share=float(np.mean([completion.truncated for completion in completions])),
        zero_variance_share=float(np.mean([not item.graded.teaches for item in learned])),
        failures=batch.failures,
        reward_wait_s=result.seconds["rewards"],
        step_s=step_s,
        elapsed_s=elapsed_s,
        prompt_hash=prompt_hash,
        format_by_domain=_means(domains, batch.format),
        correctness_by_domain=_means(domains, batch.correctness),
        length_by_domain=_means(domains, lengths),
        truncated_by_domain=_truncated(domains, completions),
        verdicts=dict(Counter(verdicts)),
        entropy=result.entropy,
        clip_share=result.clip_share,
        seconds=dict(result.seconds),
        completions_in_loss=int(sum(item.in_loss.sum() for item in learned)),
        groups_few_scores=sum(_scores(item.graded) < 2 for item in learned),
        groups_drawn=len(result.batch.asked),
        groups_without_variance=sum(not graded.teaches for graded in result.batch.asked),
        data_position=result.batch.data_state["places"]["next_index"],
        updates=result.step * config.grpo.iterations,
        prompt_padding=float(np.mean([item.graded.group.prompt_tokens == PAD_ID for item in learned])),
        completion_padding=1.0 - float(lengths.mean()) / config.model.max_new_tokens,
    )


def rollout_records(result: StepResult) -> list[RolloutRecord]:
    """Describes every completion that the step trained on, in the order of the batch."""
    return [record for item in result.learned for record in _group_records(result.step, item)]


def _group_records(step: int, learned: Learned) -> Iterable[RolloutRecord]:
    graded = learned.graded
    group = graded.group
    samples = to_samples(group)
    for number, (sample, completion, outcome) in enumerate(
        zip(samples, group.completions, graded.outcomes, strict=True)
    ):
        yield RolloutRecord(
            step=step,
            sample_id=sample.sample_id,
            group_id=sample.group_id,
            example_id=group.draw.example.example_id,
            domain=_domain(graded),
            reward=sample.reward,
            prompt=sample.prompt,
            completion=sample.completion,
            tokens=len(completion.tokens),
            truncated=completion.truncated,
            advantage=float(learned.advantages[number]),
            in_loss=bool(learned.in_loss[number]),
            reward_version=outcome.reward_version,
            **_told(outcome),
        )


def _told(outcome: Outcome) -> dict[str, Any]:
    match outcome.result:
        case Failure(kind=kind, message=message):
            return {
                "score": math.nan,
                "components": {},
                "verdict": "",
                "failure": kind,
                "explanation": message,
            }
        case Score() as score:
            return {
                "score": score.value,
                "components": dict(score.components),
                "verdict": score.verdict,
                "failure": "",
                "explanation": score.explanation,
            }


def _domain(graded: GradedGroup) -> str:
    return graded.group.draw.example.domain.value


def _scores(graded: GradedGroup) -> int:
    return sum(isinstance(outcome.result, Score) for outcome in graded.outcomes)


def _means(domains: Sequence[str], values: np.ma.MaskedArray) -> Mapping[str, float]:
    """Averages by domain over what is not masked; a domain with nothing is absent."""
    by_domain: dict[str, list[float]] = defaultdict(list)
    for domain, value, absent in zip(domains, values.data, np.ma.getmaskarray(values), strict=True):
        if not absent:
            by_domain[domain].append(float(value))
    return {domain: float(np.mean(found)) for domain, found in sorted(by_domain.items())}


def _truncated(domains: Sequence[str], completions: Sequence[Completion]) -> Mapping[str, int]:
    counts = Counter(dict.fromkeys(sorted(set(domains)), 0))
    counts.update(
        domain for domain, completion in zip(domains, completions, strict=True) if completion.truncated
    )
    return dict(counts)
