"""What a program that draws curves is told of a run, and which of them a run talks to.

A tracker is told the whole run from its first step whenever a process opens it, also after a
resume: the run's own files are the record, and a tracker's copy is made from them.
"""

import contextlib
import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Protocol

from evals.results import DomainResult
from trainer.config import ConfigurationError, TrainConfig
from trainer.options import TrackingOptions
from trainer.run_files.records import RolloutRecord, StepRecord
from trainer.run_files.run_directory import RunDirectory


class Tracker(Protocol):
    """Receives a run in the order of its steps; evaluations may come some steps late."""

    def step(self, record: StepRecord, measures: Mapping[str, float]) -> None:
        """Takes a step, with what its record does not hold (`speed/mfu`)."""
        ...

    def evaluation(self, step: int, results: Mapping[str, DomainResult]) -> None:
        """Takes an evaluation, of the weights behind `step`, on held-out prompts."""
        ...

    def rollouts(self, step: int, rollouts: Sequence[RolloutRecord]) -> None:
        """Takes a few completions of a step as text."""
        ...

    def close(self) -> None:
        """Hands over what is still held back."""
        ...


class Trackers:
    """Tells several trackers the same."""

    def __init__(self, trackers: Sequence[Tracker]) -> None:
        self._trackers = tuple(trackers)

    def step(self, record: StepRecord, measures: Mapping[str, float]) -> None:
        for tracker in self._trackers:
            tracker.step(record, measures)

    def evaluation(self, step: int, results: Mapping[str, DomainResult]) -> None:
        for tracker in self._trackers:
            tracker.evaluation(step, results)

    def rollouts(self, step: int, rollouts: Sequence[RolloutRecord]) -> None:
        for tracker in self._trackers:
            tracker.rollouts(step, rollouts)


def check(options: TrackingOptions) -> None:
    """Refuses a tracker that is not installed, before anything is loaded.

    Raises:
        ConfigurationError: `tracking.wandb` names a project, and there is no `wandb`.
    """
    if options.wandb and not _installed("wandb"):
        raise ConfigurationError(
            f"tracking.wandb={options.wandb!r}: the package is not installed: pip install wandb, or leave "
            "the option out"
        )


@contextlib.contextmanager
def open_trackers(config: TrainConfig, run: RunDirectory) -> Iterator[Trackers]:
    """Opens the trackers of the configuration, for the whole run from its first step on.

    Raises:
        ConfigurationError: a tracker cannot be used as this machine is set up.
    """
    with contextlib.ExitStack() as stack:
        trackers: list[Tracker] = []
        if config.tracking.tensorboard:
            from trainer.tracking.tensorboard import TensorBoard  # noqa: PLC0415 - a second to import

            trackers.append(TensorBoard(run.path / "tensorboard", elapsed_s=run.elapsed_s))
            stack.callback(trackers[-1].close)
        if config.tracking.wandb:
            from trainer.tracking.weights_and_biases import WeightsAndBiases  # noqa: PLC0415 - optional

            trackers.append(WeightsAndBiases(config.tracking.wandb, run.path, about=asdict(config)))
            stack.callback(trackers[-1].close)
        yield Trackers(trackers)


def _installed(package: str) -> bool:
    # A folder of that name beside the run, as `wandb` itself makes them, is found too, without a file.
    spec = importlib.util.find_spec(package)
    return spec is not None and spec.origin is not None
