"""The names of curves and how they follow from records. Pure functions; no program is named here.

The part before the slash groups curves: `reward/all`, `reward/math`, `seconds/sample`. A
number that is not finite is left out, so that a curve has a gap and no zero.
"""

import math
from collections.abc import Mapping

from evals.results import DomainResult
from trainer.run_files.records import StepRecord


def step_curves(record: StepRecord) -> Mapping[str, float]:
    """Returns the points of one step by name."""
    points = {
        "reward/all": record.reward,
        **_group("reward", record.reward_by_domain),
        "format/all": record.format_rate,
        **_group("format", record.format_by_domain),
        "correctness/all": record.correctness,
        **_group("correctness", record.correctness_by_domain),
        "length/all": record.completion_length,
        **_group("length", record.length_by_domain),
        "truncated/share": record.truncated_share,
        **_group("truncated", record.truncated_by_domain),
        **_group("verdicts", record.verdicts),
        **_group("ungraded", record.failures),
        "ungraded/share": sum(record.failures.values()) / max(1, record.completions),
        "groups/variance_share": 1 - record.zero_variance_share,
        "groups/drawn": record.groups_drawn,
        "groups/few_scores": record.groups_few_scores,
        "policy/kl": record.kl,
        "policy/entropy": record.entropy,
        "policy/clip_share": record.clip_share,
        "policy/loss": record.loss,
        "policy/grad_norm": record.grad_norm,
        "policy/learning_rate": record.learning_rate,
        "padding/prompts": record.prompt_padding,
        "padding/completions": record.completion_padding,
        "seconds/step": record.step_s,
        **_group("seconds", record.seconds),
    }
    if record.step_s > 0:
        points["speed/tokens_per_s"] = record.completion_tokens / record.step_s
        points["speed/reward_wait_share"] = record.reward_wait_s / record.step_s
    return _finite(points)


def evaluation_curves(results: Mapping[str, DomainResult]) -> Mapping[str, float]:
    """Returns the points of one evaluation by name, sampled unless the name says greedy."""
    points: dict[str, float] = {}
    for domain, result in results.items():
        points |= {
            f"held_out_reward/{domain}": result.reward,
            f"held_out_format/{domain}": result.format_rate,
            f"held_out_correctness/{domain}": result.accuracy,
            f"held_out_greedy_reward/{domain}": result.greedy_reward,
            f"held_out_greedy_correctness/{domain}": result.greedy_accuracy,
            f"held_out_ungraded/{domain}": result.ungraded,
        }
    return _finite(points)


def _group(name: str, values: Mapping[str, float]) -> Mapping[str, float]:
    return {f"{name}/{key}": value for key, value in values.items()}


def _finite(points: Mapping[str, float]) -> Mapping[str, float]:
    return {name: float(value) for name, value in points.items() if math.isfinite(value)}
