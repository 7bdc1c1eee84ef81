"""To whom a run tells what happens: its files first, then the terminal and the trackers."""

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby

from evals.results import ALL
from policy.gemma import devices_of
from policy.sampling import Generator
from trainer.config import TrainConfig
from trainer.evaluation.evaluator import Evaluation
from trainer.reporting.phases import Phases
from trainer.reporting.progress import Progress
from trainer.reporting.utilisation import utilisation
from trainer.run_files.records import RolloutRecord, StepRecord
from trainer.run_files.run_directory import RunDirectory
from trainer.tracking.api import Trackers


class Telling:
    """Tells steps, completions and evaluations of one run, in the order in which they come."""

    def __init__(
        self,
        *,
        run: RunDirectory,
        progress: Progress,
        phases: Phases,
        trackers: Trackers,
        derive: Callable[[StepRecord], Mapping[str, float]],
        compilations: Callable[[], int],
        rollouts_every: int,
    ) -> None:
        """Takes whom to tell, and what a step's record does not hold.

        `derive` returns curves by name that follow from a record and the devices; `compilations`
        counts the samplers that this process has compiled.
        """
        self._run = run
        self._progress = progress
        self._phases = phases
        self._trackers = trackers
        self._derive = derive
        self._compilations = compilations
        self._rollouts_every = rollouts_every

    def again(self, done: int) -> None:
        """Tells the first `done` steps of a run that goes on; what its files say of later ones is removed."""
        texts = {
            step: list(rollouts)
            for step, rollouts in groupby(self._run.keep_texts(done), lambda rollout: rollout.step)
        }
        for record in self._run.keep_steps(done):
            self._progress.step(record)
            self._trackers.step(record, self._derive(record))
            if record.step in texts:
                self._trackers.rollouts(record.step, texts[record.step])

    def step(self, record: StepRecord) -> None:
        """Tells a step that was just made."""
        self._run.append_step(record)
        self._progress.step(record)
        compiled = {"speed/compiled_samplers": float(self._compilations())}
        self._trackers.step(record, {**self._derive(record), **compiled})
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


def tell(
    config: TrainConfig,
    *,
    run: RunDirectory,
    progress: Progress,
    phases: Phases,
    trackers: Trackers,
    generator: Generator,
) -> Telling:
    """Assembles the telling of a run whose model `generator` samples."""
    devices = devices_of(generator.model) | set(generator.mesh.devices.flat)
    utilised = utilisation(generator.model.config, config, [device.device_kind for device in devices])
    return Telling(
        run=run,
        progress=progress,
        phases=phases,
        trackers=trackers,
        derive=lambda record: {"speed/mfu": utilised(record)} if utilised else {},
        compilations=lambda: generator.compilations,
        rollouts_every=config.rollouts_every,
    )
