"""Completions to graded completions, through the reward client alone.

A failure leaves a completion *ungraded*: it is kept and counted by kind, and is in no
mean. Nothing here turns a failure into a number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from reward_client.api import Outcome, Sample, Score
from tasks.api import Domain, Example
from tasks.sample import to_sample

GRADE_TIMEOUT_S = 3600.0  # a bound against hangs: the server bounds each sample itself


class Grader(Protocol):
    """The part of `reward_client.client.RewardClient` that grading uses."""

    def score(self, samples: Sequence[Sample], *, timeout_s: float) -> Sequence[Outcome]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Graded:
    """One completion and what became of it. `sample_index` counts the completions of one example."""

    example_id: str
    dataset: str
    domain: Domain
    reward: str
    sample_index: int
    prompt: str
    completion: str
    outcome: Outcome

    @property
    def score(self) -> Score | None:
        """The score, or None where the completion is ungraded."""
        return self.outcome.result if isinstance(self.outcome.result, Score) else None


def grade(
    client: Grader,
    examples: Sequence[Example],
    completions: Sequence[Sequence[str]],
    *,
    timeout_s: float = GRADE_TIMEOUT_S,
) -> list[Graded]:
    """Grade `completions[i]`, the texts sampled for `examples[i]`, in that order.

    Raises:
        ValueError: the two sequences differ in length, or an example comes twice.
        reward_client.api.RewardClientError: the whole call failed; nothing was graded.
    """
    if len(examples) != len(completions):
        raise ValueError(
            f"{len(examples)} examples but completions for {len(completions)}: one entry per example"
        )
    asked = [
        (example, index, text)
        for example, texts in zip(examples, completions, strict=True)
        for index, text in enumerate(texts)
    ]
    samples = [
        to_sample(example, text, sample_id=f"{example.example_id}#{index}", group_id=example.example_id)
        for example, index, text in asked
    ]
    if len({sample.sample_id for sample in samples}) != len(samples):
        raise ValueError("an example comes twice: give each example once, with all of its completions")
    if not samples:
        return []
    outcomes = client.score(samples, timeout_s=timeout_s)
    return [
        Graded(
            example_id=example.example_id,
            dataset=example.dataset,
            domain=example.domain,
            reward=example.reward,
            sample_index=index,
            prompt=example.prompt,
            completion=text,
            outcome=outcome,
        )
        for (example, index, text), outcome in zip(asked, outcomes, strict=True)
    ]


def prompt_rewards(graded: Sequence[Graded]) -> Mapping[str, float]:
    """Return the mean score of each prompt that has one, by example id."""
    scores: dict[str, list[float]] = {}
    for item in graded:
        if item.score is not None:
            scores.setdefault(item.example_id, []).append(item.score.value)
    return {example_id: sum(values) / len(values) for example_id, values in scores.items()}


def main_component(score: Score) -> float:
    """Return the raw correctness of a score, or its quality where nothing is right or wrong.

    Raises:
        ValueError: the score has neither, against the contract.
    """
    for name in ("correctness", "quality"):
        if name in score.components:
            return score.components[name]
    raise ValueError(
        f"score has neither 'correctness' nor 'quality', only {sorted(score.components)}: "
        "the reward breaks the contract"
    )
