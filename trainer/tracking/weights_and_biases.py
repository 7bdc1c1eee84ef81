"""A run in Weights & Biases; the one file that knows the package, which is installed by who wants it.

The run's id is the name of its directory, so that a resumed run goes on with its curves.
Weights & Biases drops a point behind the newest step, which is right for what a resumed run
repeats: it has the same numbers.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evals.results import DomainResult
from trainer.config import ConfigurationError
from trainer.run_files.records import RolloutRecord, StepRecord
from trainer.tracking.curves import evaluation_curves, step_curves

_EVALUATED_STEP = "held_out_step"
_TEXT_COLUMNS = ("domain", "example_id", "prompt", "completion", "score", "verdict", "failure", "explanation")


class WeightsAndBiases:
    """Logs one run to a project."""

    def __init__(self, project: str, directory: Path, *, about: Mapping[str, Any]) -> None:
        """Goes on with the run of this directory's name, or begins it; `about` is its configuration.

        Raises:
            ConfigurationError: nobody is logged in, or the service cannot be reached.
        """
        # Not in the type checker's environment, nor in any but that of who wants it.
        self._wandb: Any = importlib.import_module("wandb")
        try:
            self._run: Any = self._wandb.init(
                project=project,
                id=directory.name,
                name=directory.name,
                dir=str(directory),
                config=dict(about),
                resume="allow",
                # The terminal's live view is redrawn twice a second and is no log.
                settings=self._wandb.Settings(console="off"),
            )
        except self._wandb.Error as error:
            raise ConfigurationError(
                f"tracking.wandb={project!r}: {error}; or set WANDB_MODE=offline, and `wandb sync` later"
            ) from error
        # An evaluation comes some steps late, and would be dropped on the axis of steps.
        self._run.define_metric(_EVALUATED_STEP, hidden=True)
        self._run.define_metric("held_out_*", step_metric=_EVALUATED_STEP)
        # What an earlier process logged.
        self._done: int = self._run.step
        self._evaluated = int(self._run.summary.get(_EVALUATED_STEP, -1))
        self._newest = 0

    def step(self, record: StepRecord, measures: Mapping[str, float]) -> None:
        self._newest = record.step
        self._log({**step_curves(record), **measures})

    def evaluation(self, step: int, results: Mapping[str, DomainResult]) -> None:
        if step > self._evaluated:
            self._evaluated = step
            values = {_EVALUATED_STEP: step, **evaluation_curves(results)}
            self._run.log(values, step=max(self._newest, self._done))

    def rollouts(self, step: int, rollouts: Sequence[RolloutRecord]) -> None:
        rows = [[asdict(rollout)[name] for name in _TEXT_COLUMNS] for rollout in rollouts]
        self._log({"rollouts": self._wandb.Table(columns=list(_TEXT_COLUMNS), data=rows)})

    def close(self) -> None:
        self._run.finish()

    def _log(self, values: Mapping[str, Any]) -> None:
        if self._newest >= self._done:
            self._run.log(dict(values), step=self._newest)
