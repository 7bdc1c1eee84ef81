"""Records of a run that never was: shapes of real ones, numbers from a seed."""

import math

import numpy as np

from evals.results import DomainResult
from evals.statistics import Interval
from trainer.run_files.records import StepRecord, Summary

DOMAINS = ("math", "code", "science", "logic", "summary")


def step_records(steps: int, *, domains: tuple[str, ...] = DOMAINS, seed: int = 0) -> list[StepRecord]:
    rng = np.random.default_rng(seed)
    elapsed = 0.0
    records: list[StepRecord] = []
    for step in range(1, steps + 1):
        progress = 1 - math.exp(-3 * step / max(steps, 1))
        rewards = {
            domain: float(np.clip(0.2 + 0.1 * index + 0.3 * progress + rng.normal(0, 0.06), 0, 1))
            for index, domain in enumerate(domains)
            if rng.random() > 0.1
        }
        step_s = float(rng.gamma(40, 0.05))
        elapsed += step_s
        records.append(
            StepRecord(
                step=step,
                steps=steps,
                reward=sum(rewards.values()) / len(rewards) if rewards else math.nan,
                reward_by_domain=rewards,
                format_rate=min(1.0, 0.5 + 0.45 * progress),
                correctness=0.2 + 0.3 * progress,
                kl=0.004 * progress,
                loss=float(rng.normal(0, 0.02)),
                grad_norm=float(rng.gamma(4, 0.1)),
                learning_rate=1e-4,
                completions=32,
                completion_tokens=32 * 80,
                completion_length=80 + 20 * progress,
                truncated_share=0.3 * (1 - progress),
                zero_variance_share=0.2 + 0.2 * progress,
                failures={"DEADLINE": 1} if step % 9 == 0 else {},
                reward_wait_s=0.02 * step_s,
                step_s=step_s,
                elapsed_s=elapsed,
            )
        )
    return records


def domain_result(reward: float, accuracy: float) -> DomainResult:
    return DomainResult(
        prompts=64,
        completions=256,
        ungraded=1,
        reward=reward,
        reward_interval=Interval(max(0.0, reward - 0.08), min(1.0, reward + 0.08)),
        format_rate=min(1.0, reward + 0.1),
        accuracy=accuracy,
        greedy_reward=reward,
        greedy_format_rate=min(1.0, reward + 0.12),
        greedy_accuracy=accuracy,
        greedy_accuracy_interval=Interval(max(0.0, accuracy - 0.1), min(1.0, accuracy + 0.1)),
    )


def summary(
    *,
    domains: tuple[str, ...] = DOMAINS,
    gain: float = 0.15,
    greedy_gain: float = 0.0,
    p_value: float = 0.003,
) -> Summary:
    names = (*domains, "all") if domains else ()
    return Summary(
        config="tiny",
        seed=7,
        steps=120,
        resumed_from_step=0,
        before={name: domain_result(0.3, 0.2) for name in names},
        after={name: domain_result(0.3 + gain, 0.2 + greedy_gain) for name in names},
        reward_first_tenth=0.31,
        reward_last_tenth=0.31 + gain,
        p_value=p_value,
        seconds={
            "data": 12.0,
            "warm start": 60.5,
            "before": 30.0,
            "train": 240.0,
            "after": 29.0,
        },
        rewards=3840,
        reward_wait_s=4.8,
        failures={"DEADLINE": 13},
        skipped={"ideation": "no data"},
        reward_versions={"math": "1.0.0+3f2a9c1b"},
        prompt_hash="8c1d02aa",
    )
