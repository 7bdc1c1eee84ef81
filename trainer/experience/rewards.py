"""What the trainer does with outcomes: rewards, the failure policy, and group advantages.

Pure functions of values. A failure is never a zero: a completion without a score is masked
out of its group before mean and deviation are taken, so that its own advantage is exactly
zero and its siblings' are those of the smaller group. A group with fewer than two scores
teaches nothing and is dropped. A step in which more than a set share failed is refused.

    A_i = (r_i - mean(r)) / (std(r) + 1e-6)   GRPO, std with n - 1 (Shao et al. 2024, arXiv 2402.03300)
    A_i = r_i - mean(r)                       Dr. GRPO (Liu et al. 2025, arXiv 2503.20783)
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.grade import main_component
from reward_client.api import Failure, Outcome, Score

PASSING_QUALITY = 0.5
_EPSILON = 1e-6


class TooManyFailuresError(Exception):
    """More of a step failed than `max_failed_share` allows; training on the rest would be biased."""


@dataclass(frozen=True, kw_only=True, slots=True)
class GradedBatch:
    """Outcomes of one step as numbers.

    `rewards` [completions] holds `Score.value` and masks the completions without a score;
    `format` and `correctness` (quality where a domain has no right answer) likewise. `passed`
    is correctness, and 1 or 0 for a quality of at least `PASSING_QUALITY`.
    """

    rewards: np.ma.MaskedArray
    format: np.ma.MaskedArray
    correctness: np.ma.MaskedArray
    passed: np.ma.MaskedArray
    failures: Mapping[str, int]


def to_batch(outcomes: Sequence[Outcome]) -> GradedBatch:
    """Turns outcomes into masked arrays."""
    scores = [outcome.result if isinstance(outcome.result, Score) else None for outcome in outcomes]
    kinds = (outcome.result.kind for outcome in outcomes if isinstance(outcome.result, Failure))
    return GradedBatch(
        rewards=_masked([score and score.value for score in scores]),
        format=_masked([score and score.components["format"] for score in scores]),
        correctness=_masked([score and main_component(score) for score in scores]),
        passed=_masked([score and _passed(score) for score in scores]),
        failures=dict(Counter(kinds)),
    )


def check_failures(outcomes: Sequence[Outcome], *, expected: int, max_failed_share: float) -> None:
    """Refuses a step of `expected` completions, as soon as the `outcomes` so far say so.

    Raises:
        TooManyFailuresError: more than `max_failed_share` of `expected`, or all, have no score.
    """
    failures = [outcome.result for outcome in outcomes if isinstance(outcome.result, Failure)]
    if failures and (len(failures) > max_failed_share * expected or len(failures) == expected):
        kinds = dict(Counter(failure.kind for failure in failures).most_common())
        raise TooManyFailuresError(
            f"{len(failures)} of {expected} completions have no score ({kinds}), more than "
            f"max_failed_share={max_failed_share:g} allows; the first says: {failures[0].message}"
        )


def group_advantages(rewards: np.ma.MaskedArray, group_size: int, *, divide_by_std: bool) -> np.ndarray:
    """Computes advantages over consecutive groups, as if masked completions were absent.

    Args:
        rewards: [groups * group_size], group by group.
        group_size: completions of one prompt.
        divide_by_std: GRPO's normalisation; without it Dr. GRPO's.

    Returns:
        float32 [groups * group_size]; zero where masked and in groups with fewer than two scores.
    """
    values = np.ma.getdata(rewards).astype(np.float64).reshape(-1, group_size)
    valid = ~np.ma.getmaskarray(rewards).reshape(-1, group_size)
    count = valid.sum(axis=1, keepdims=True)
    mean = np.where(valid, values, 0.0).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    centred = np.where(valid & (count >= 2), values - mean, 0.0)
    if divide_by_std:
        deviation = np.sqrt((centred**2).sum(axis=1, keepdims=True) / np.maximum(count - 1, 1))
        centred = centred / (deviation + _EPSILON)
    return centred.reshape(-1).astype(np.float32)


def teaches(rewards: np.ma.MaskedArray) -> bool:
    """Says whether a group [group_size] has at least two scores that are not all equal."""
    scores = rewards.compressed()
    return len(scores) >= 2 and bool((scores != scores[0]).any())


def clean_completion(text: str, marks: Sequence[str]) -> str:
    """Removes chat marks from the end of a completion; the rest is the model's raw text."""
    while mark := next((mark for mark in marks if mark and text.endswith(mark)), None):
        text = text.removesuffix(mark)
    return text


def _passed(score: Score) -> float:
    if "quality" in score.components:
        return float(score.components["quality"] >= PASSING_QUALITY)
    return score.components["correctness"]


def _masked(values: Sequence[float | None]) -> np.ma.MaskedArray:
    return np.ma.masked_array(
        [0.0 if value is None else value for value in values], mask=[value is None for value in values]
    )
