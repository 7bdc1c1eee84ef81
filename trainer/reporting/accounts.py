"""What a run says of itself: `run.json` when it starts, the summary when it ends."""

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata

import jax

from evals.statistics import paired_rise
from tasks.api import Example
from tasks.mixing import Mixture
from tasks.prompts import PromptTemplate
from trainer.config import TrainConfig, to_yaml
from trainer.evaluation.evaluator import Evaluation
from trainer.preparing.data import Rows
from trainer.preparing.probe import Probed
from trainer.run_files.records import StepRecord, Summary

_PACKAGES = ("jax", "flax", "google-tunix", "qwix", "optax", "orbax-checkpoint", "numpy")


def run_record(
    config: TrainConfig, template: PromptTemplate, rows: Rows, mixture: Mixture, probed: Probed
) -> Mapping[str, object]:
    """Says with what a run was started: versions, devices, seeds, data."""
    return {
        "config": config.name,
        "seed": config.seed,
        "versions": {
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in _PACKAGES},
        },
        "devices": [f"{device.platform}:{device.device_kind}" for device in jax.devices()],
        "reward_versions": dict(probed.reward_versions),
        "prompt_hash": template.hash,
        "draws_by_domain": {share.domain.value: share.rows for share in mixture.report()},
        "epochs_by_domain": {share.domain.value: round(share.epochs, 4) for share in mixture.report()},
        "alpha": config.data.alpha,
        "exhausted": config.data.exhausted,
        "rows_by_domain": _count(rows.train),
        "held_out_by_domain": _count(rows.held_out),
        "dropped": dict(rows.dropped),
        "absent_splits": dict(rows.skipped),
        "skipped": skipped(probed),
    }


def row_record(rows: Rows) -> Mapping[str, object]:
    """Names the rows of a run by id: held out, left out because they repeat one of those, trained on."""
    return {
        "held_out": [example.example_id for example in rows.held_out],
        "like_a_held_out_prompt": list(rows.repeats),
        "train": [example.example_id for example in rows.train],
    }


def checkpoint_record(config: TrainConfig, template: PromptTemplate, probed: Probed) -> Mapping[str, object]:
    """Says with what a checkpoint was made, so that it can be read without its run."""
    return {
        "seed": config.seed,
        "config": to_yaml(config),
        "prompt_hash": template.hash,
        "reward_versions": dict(probed.reward_versions),
    }


def summarise(
    config: TrainConfig,
    *,
    template: PromptTemplate,
    probed: Probed,
    steps: Sequence[StepRecord],
    before: Evaluation,
    after: Evaluation,
    resumed_from: int,
    seconds: Mapping[str, float],
) -> Summary:
    """Joins both evaluations and all steps, those before a resume included."""
    tenth = max(1, len(steps) // 10)
    failures: Counter[str] = Counter()
    for counted in (before.failures, after.failures, *(record.failures for record in steps)):
        failures.update(counted)
    test = paired_rise(before.prompt_rewards, after.prompt_rewards, seed=config.seed)
    return Summary(
        config=config.name,
        seed=config.seed,
        steps=len(steps),
        resumed_from_step=resumed_from,
        before=before.results,
        after=after.results,
        reward_first_tenth=_mean_reward(steps[:tenth]),
        reward_last_tenth=_mean_reward(steps[-tenth:]),
        p_value=test.p_value,
        seconds={name: round(value, 2) for name, value in seconds.items()},
        rewards=sum(record.completions for record in steps),
        reward_wait_s=round(sum(record.reward_wait_s for record in steps), 3),
        failures=dict(failures),
        skipped=skipped(probed),
        reward_versions=probed.reward_versions,
        prompt_hash=template.hash,
    )


def skipped(probed: Probed) -> Mapping[str, str]:
    """Names the domains that this machine cannot run, and why."""
    return {domain.value: reason for domain, reason in probed.unavailable.items()}


def _count(examples: Sequence[Example]) -> Mapping[str, int]:
    return dict(Counter(example.domain.value for example in examples))


def _mean_reward(records: Sequence[StepRecord]) -> float:
    return sum(record.reward for record in records) / len(records)
