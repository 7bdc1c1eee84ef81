"""A tiny base, and the smallest configuration that goes through the whole workflow."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")

from trainer.config import TrainConfig, parse


@pytest.fixture(scope="session")
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keeps compiled programs from one run to the next."""
    import jax

    jax.config.update("jax_compilation_cache_dir", str(tmp_path_factory.mktemp("xla")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


@pytest.fixture(scope="session")
def finished(compiled_once: None, small: TrainConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, whose base and evaluations others start from."""
    from tests.unit.trainer.loops import LengthScorer, run

    path = tmp_path_factory.mktemp("finished") / "run"
    run(replace(small, steps=1), path, LengthScorer())
    return path


@pytest.fixture(scope="session")
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
