"""A tiny base, and the smallest configuration that goes through the whole workflow."""

import os
from dataclasses import replace

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from trainer.config import TrainConfig, parse


@pytest.fixture
def small() -> TrainConfig:
    """Seconds, not minutes: learns nothing worth looking at."""
    config = parse(["--config", "tiny", "--steps", "6", "--checkpoint-every", "2"])
    return replace(
        config,
        model=replace(
            config.model,
            layers=1,
            width=32,
            hidden=32,
            head_dim=8,
        ),
        warm_start=replace(config.warm_start, steps=4, batch=4),
        grpo=replace(config.grpo, prompts=4, group_size=2),
        evals=replace(config.evals, prompts_per_domain=1, samples_per_prompt=1),
    )
