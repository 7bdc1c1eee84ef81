"""To whom a run tells what happens: its files first, then the terminal and the trackers."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby

import jax

from evals.results import ALL
from policy.sampling import Generator
from trainer.config import TrainConfig
from trainer.evaluation import Evaluation
from trainer.phases import Phases
from trainer.progress import Progress
from trainer.records import RolloutRecord, StepRecord
from trainer.run_directory import RunDirectory
from trainer.tracking.api import Trackers, open_trackers
from trainer.utilisation import utilisation


class Telling:
    """Tells steps, completions and evaluations of one run, in the order in which they come."""

    def __init__(
        self,
        *,
        run: RunDirectory,
        progress: Progress,
        phases: Phases,
        trackers: Trackers,
        measure: Callable[[StepRecord], Mapping[str, float]],
        rollouts_every: int,
    ) -> None:
        """`measure` returns what a step's record does not hold, by the name of its curve."""
        self._run = run
        self._progress = progress
        self._phases = phases
        self._trackers = trackers
        self._measure = measure
        self._rollouts_every = rollouts_every

    def again(self, done: int) -> None:
        """Tells the first `done` steps of a run that goes on; what its files say of later ones is removed."""
        texts = {
            step: list(rollouts)
            for step, rollouts in groupby(self._run.keep_texts(done), lambda rollout: rollout.step)
        }
        for record in self._run.keep_steps(done):
            self._progress.step(record)
            self._trackers.step(record, {})
            if record.step in texts:
                self._trackers.rollouts(record.step, texts[record.step])

    def step(self, record: StepRecord) -> None:
        """Tells a step that was just made."""
        self._run.append_step(record)
        self._progress.step(record)
        self._trackers.step(record, self._measure(record))
        self._phases.tick()

    def rollouts(self, rollouts: Sequence[RolloutRecord]) -> None:
        """Writes the completions of a step, and tells the few that are kept as text."""
        kept = self._run.keep_rollouts(rollouts, every=self._rollouts_every)
        if kept:
            self._trackers.rollouts(kept[0].step, kept)

    def evaluation(self, step: int, evaluation: Evaluation) -> None:
        """Tells an evaluation, which is on file already."""
        self._trackers.evaluation(step, evaluation.results)
        if ALL in evaluation.results:
            self._progress.evaluated(step, evaluation.results[ALL].reward)


@contextlib.contextmanager
def open_telling(
    config: TrainConfig, *, run: RunDirectory, progress: Progress, phases: Phases, generator: Generator
) -> Iterator[Telling]:
    """Opens the trackers of the configuration until the block ends."""
    kinds = [device.device_kind for device in jax.devices()]
    utilised = utilisation(generator.model.config, config, kinds)

    def measure(record: StepRecord) -> Mapping[str, float]:
        compiled = {"speed/compiled_samplers": float(generator.compilations)}
        return {**compiled, "speed/mfu": utilised(record)} if utilised else compiled

    earlier = run.read_steps()
    elapsed_s = earlier[-1].elapsed_s if earlier else 0.0
    with open_trackers(config, run, about=asdict(config), elapsed_s=elapsed_s) as trackers:
        yield Telling(
            run=run,
            progress=progress,
            phases=phases,
            trackers=trackers,
            measure=measure,
            rollouts_every=config.rollouts_every,
        )
