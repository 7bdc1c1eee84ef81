"""A run directory with completions in it, as the trainer writes them, without any training."""

import json
from collections.abc import Callable
from pathlib import Path

from trainer.run_files.records import RolloutRecord
from trainer.run_files.rollouts import DIRECTORY, write_rollouts

Score = Callable[[int, str, int, int], float]


def rollout(step: int, domain: str, group: int, index: int, score: float, **changes: object) -> RolloutRecord:
    """One graded completion; `changes` replaces fields."""
    fields: dict[str, object] = {
        "step": step,
        "sample_id": f"{step}-{domain}-{group}-{index}",
        "group_id": f"{domain}-{group}",
        "example_id": f"{domain}/train/{group}",
        "domain": domain,
        "reward": domain,
        "prompt": f"question {group} of {domain}",
        "completion": f"<reasoning>r</reasoning><answer>{step} {group} {index}</answer>",
        "tokens": 12,
        "truncated": False,
        "score": score,
        "components": {"format": 1.0, "correctness": score},
        "verdict": "CORRECT" if score == 1 else "INCORRECT",
        "failure": "",
        "explanation": "as expected" if score == 1 else "differs",
        "reward_version": "1.0.0",
        "advantage": score - 0.5,
        "in_loss": True,
    }
    return RolloutRecord(**{**fields, **changes})  # type: ignore[arg-type]


def write_step(run: Path, step: int, rollouts: list[RolloutRecord]) -> None:
    """Add a step to a run."""
    write_rollouts(run / DIRECTORY, rollouts)


def write_run(run: Path, *, steps: int, score: Score, domains: tuple[str, ...] = ("math", "code")) -> Path:
    """Write steps of two groups of four completions a domain, scored by step, domain, group and index."""
    for step in range(1, steps + 1):
        rows = [
            rollout(step, domain, group, index, score(step, domain, group, index))
            for domain in domains
            for group in range(2)
            for index in range(4)
        ]
        write_step(run, step, rows)
    return run


def evaluation(run: Path, name: str, reward: float) -> None:
    """Write an evaluation that the run made of itself, with intervals of 0.1 to both sides."""
    (run / "evals").mkdir(exist_ok=True)
    interval = [max(0.0, reward - 0.1), min(1.0, reward + 0.1)]
    row = {
        "prompts": 24,
        "reward": reward,
        "reward_interval": interval,
        "greedy_accuracy": reward,
        "greedy_accuracy_interval": interval,
    }
    (run / "evals" / f"{name}.json").write_text(json.dumps({"results": {"math": row, "all": row}}))
