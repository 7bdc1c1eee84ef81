"""A warm start that was stopped goes on where it was, to the same weights."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from policy.gemma import make_mesh
from trainer.config import TrainConfig
from trainer.grpo.learner import StopRequestedError
from trainer.preparing.base import prepare_base, prepare_tokenizer, template_of
from trainer.preparing.data import choose_rows, load_rows
from trainer.run_files.run_directory import RunDirectory

pytestmark = [
    pytest.mark.filterwarnings("ignore:.with mesh..:DeprecationWarning"),
    pytest.mark.usefixtures("compiled_once"),
]


def test_a_stopped_warm_start_goes_on_to_the_same_weights(small: TrainConfig, tmp_path: Path) -> None:
    config = replace(small, warm_start=replace(small.warm_start, steps=7, batch=2))
    done: list[int] = []

    def make(path: Path, stopping: Callable[[], bool]) -> list[np.ndarray]:
        run, template = RunDirectory(path), template_of(config)
        loaded = load_rows(config)
        tokenizer, directory = prepare_tokenizer(config, template, run, examples=loaded.examples)
        base = prepare_base(
            config,
            train=choose_rows(loaded, config, fits=lambda e: True).train,
            template=template,
            tokenizer=tokenizer,
            directory=directory,
            run=run,
            mesh=make_mesh(fsdp=1, tp=1),
            on_step=lambda step, loss: done.append(step),
            stopping=stopping,
        )
        from flax import nnx

        return [np.asarray(leaf) for leaf in jax.tree.leaves(nnx.state(base))]

    whole = make(tmp_path / "whole", lambda: False)
    asked = iter([False, False, True])
    with pytest.raises(StopRequestedError):
        make(tmp_path / "stopped", lambda: next(asked))
    kept = [path.name for path in (tmp_path / "stopped" / "warm_start").iterdir()]
    resumed = make(tmp_path / "stopped", lambda: False)

    assert kept == ["3"]
    assert done == [7, 7]
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))
    assert not (tmp_path / "stopped" / "warm_start").exists()


def test_a_run_killed_in_its_warm_start_is_the_unfinished_run_that_goes_on(tmp_path: Path) -> None:
    from datetime import UTC, datetime

    from trainer.config import parse
    from trainer.run_files.run_directory import choose

    config = parse([])
    RunDirectory(tmp_path / "20290101-000000-tiny-s0").start(config, {})
    (tmp_path / "20290101-000000-tiny-s0" / "warm_start" / "100").mkdir(parents=True)

    now = datetime(2030, 1, 1, tzinfo=UTC)
    assert choose(config, tmp_path, now=now).name == "20290101-000000-tiny-s0"
