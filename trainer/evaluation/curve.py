"""Evaluations while a run trains: sampled between two steps, graded while training goes on.

Completions are on file before they are graded, and results when they are: a run that is killed
grades again what it had sampled, and samples nothing twice. Nothing here draws from the
training's random keys or data.
"""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict

from trainer.cluster import ALONE, Cluster
from trainer.evaluation.evaluator import Completions, Evaluation, Evaluator, read_evaluation
from trainer.evaluation.held_out import DIRECTORY, name_of
from trainer.experience.grading import in_background
from trainer.run_files.run_directory import RunDirectory

SAMPLES = 1  # of a prompt: the curve has the prompts of `before` and `after`, and wider intervals


class HeldOutCurve:
    """Evaluates behind every so many steps; one evaluation is graded at a time."""

    def __init__(
        self,
        evaluator: Evaluator,
        *,
        run: RunDirectory,
        every: int,
        last: int,
        sampling: Callable[[int, int], None],
        show: Callable[[int, Evaluation], None],
        cluster: Cluster = ALONE,
    ) -> None:
        """Takes `every` 0 as never, and leaves out the `last` step, which is evaluated as `after`.

        `sampling` is told of the completions that are sampled: how many are there, of how many;
        `show` of every evaluation, in the order of steps.
        """
        self._evaluator = evaluator
        self._run = run
        self._every = every
        self._last = last
        self._sampling = sampling
        self._show = show
        self._cluster = cluster
        self._grading: tuple[int, Future[Evaluation]] | None = None

    def resume(self, done: int) -> None:
        """Shows what the `done` steps left on file, and makes up for what was not graded."""
        for step in range(1, done + 1):
            if self.due(step):
                self._begin(step, may_ask=step == done)

    def due(self, step: int) -> bool:
        """Says whether there is an evaluation behind `step`."""
        return self._every > 0 and step % self._every == 0 and step < self._last

    def has_work(self, step: int) -> bool:
        """Says whether `after` finds anything to do behind `step`."""
        return self.due(step) or (self._every > 0 and self._cluster.share(self._graded))

    def after(self, step: int) -> None:
        """Does what is due behind `step`, with the present weights.

        Raises:
            reward_client.api.RewardClientError: an evaluation could not be graded; it is graded when
                the run goes on.
        """
        if self.due(step):
            self._begin(step, may_ask=True)
        elif self.has_work(step):
            self.finish()

    def finish(self) -> None:
        """Waits for the evaluation that is being graded, if there is one, and shows it.

        Raises:
            reward_client.api.RewardClientError: it could not be graded.
        """
        if self._every > 0:
            self._cluster.share(self._finish)

    def _finish(self) -> None:
        if self._grading:
            step, grading = self._grading
            self._grading = None
            evaluation = grading.result()
            (self._run.path / _sampled_file(step)).unlink(missing_ok=True)
            self._show(step, evaluation)

    def _graded(self) -> bool:
        return self._grading is not None and self._grading[1].done()

    def _begin(self, step: int, *, may_ask: bool) -> None:
        self.finish()
        known = self._cluster.share(lambda: read_evaluation(name_of(step), self._run))
        if known is not None:
            self._show(step, known)
            return
        sampled = self._cluster.share(lambda: self._sampled(step))
        completions = sampled or (self._ask(step) if may_ask else None)
        if completions is not None and self._cluster.is_leader:
            grading = in_background(lambda: self._evaluator.grade(name_of(step), completions))
            self._grading = (step, grading)

    def _ask(self, step: int) -> Completions:
        total = self._evaluator.completions(SAMPLES)
        sampled = 0

        def on_done(count: int) -> None:
            nonlocal sampled
            sampled += count
            self._sampling(sampled, total)

        completions = self._evaluator.ask(SAMPLES, on_done=on_done)
        self._run.write_json(_sampled_file(step), asdict(completions))
        return completions

    def _sampled(self, step: int) -> Completions | None:
        values = self._run.read_json(_sampled_file(step))
        return Completions(**values) if isinstance(values, dict) else None


def _sampled_file(step: int) -> str:
    return f"{DIRECTORY}/sampled/{name_of(step)}.json"
