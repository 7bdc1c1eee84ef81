"""Evaluating while training: when it is due, what it costs the steps, and what a resume finds."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from reward_client.api import RewardUnavailableError
from tests.unit.trainer.loops import LengthScorer, grpo_only, numbers
from tests.unit.trainer_views.synthetic_runs import domain_result, step_records
from trainer.config import TrainConfig
from trainer.evaluation.curve import HeldOutCurve
from trainer.evaluation.evaluator import Completions, Evaluation
from trainer.evaluation.held_out import read_curve
from trainer.reporting.plots import training_figure
from trainer.run_files.run_directory import RunDirectory

pytestmark = [
    pytest.mark.filterwarnings("ignore:.with mesh..:DeprecationWarning"),
    pytest.mark.usefixtures("compiled_once"),
]


class Evaluator:
    """Counts what it is asked; grades when it is let."""

    def __init__(self, run: RunDirectory) -> None:
        self.asked = 0
        self.graded: list[tuple[str, list[str]]] = []
        self.may_grade = threading.Event()
        self.may_grade.set()
        self.error: Exception | None = None
        self._run = run

    def completions(self, samples: int) -> int:
        return 2 * (samples + 1)

    def ask(self, samples: int, *, on_done: Callable[[int], None]) -> Completions:
        self.asked += 1
        on_done(self.completions(samples))
        return Completions(sampled=[[f"sampled {self.asked}"]], greedy=[f"greedy {self.asked}"])

    def grade(self, name: str, completions: Completions) -> Evaluation:
        assert self.may_grade.wait(10)
        if self.error:
            raise self.error
        self.graded.append((name, list(completions.greedy)))
        result = {"all": domain_result(0.5, 0.5)}
        self._run.write_json(f"evals/{name}.json", written(0.5))
        return Evaluation(results=result, prompt_rewards={}, failures={})


def written(reward: float) -> dict[str, Any]:
    return {"results": {"all": asdict(domain_result(reward, 0.5))}, "prompt_rewards": {}, "failures": {}}


def wait_until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.001)


class Watched:
    """A curve over an evaluator, and what it showed."""

    def __init__(self, path: Path, *, every: int = 2, last: int = 8) -> None:
        self.run = RunDirectory(path)
        self.evaluator = Evaluator(self.run)
        self.shown: list[int] = []
        stand_in: Any = self.evaluator
        self.curve = HeldOutCurve(
            stand_in,
            run=self.run,
            every=every,
            last=last,
            sampling=lambda done, total: None,
            show=lambda step, evaluation: self.shown.append(step),
        )


def test_it_is_due_every_so_many_steps_and_the_last_one_is_the_evaluation_after(tmp_path: Path) -> None:
    due = [step for step in range(9) if Watched(tmp_path).curve.due(step) and step]

    assert due == [2, 4, 6]
    assert not any(Watched(tmp_path, every=0).curve.due(step) for step in range(9))


def test_steps_do_not_wait_for_grades_and_points_come_in_order(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.evaluator.may_grade.clear()
    watched.curve.after(1)
    watched.curve.after(2)  # asks, and returns while nothing can be graded
    watched.curve.after(3)
    assert (watched.evaluator.asked, watched.shown) == (1, [])

    watched.evaluator.may_grade.set()
    watched.curve.after(4)
    watched.curve.finish()

    assert watched.shown == [2, 4]
    assert not list((tmp_path / "evals" / "sampled").iterdir())


def test_a_step_with_nothing_due_has_work_only_once_grades_are_there(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.evaluator.may_grade.clear()
    before = [watched.curve.has_work(step) for step in (1, 2)]
    watched.curve.after(2)
    ungraded = watched.curve.has_work(3)
    watched.evaluator.may_grade.set()
    wait_until(lambda: watched.curve.has_work(3))
    watched.curve.after(3)

    assert (before, ungraded, watched.curve.has_work(3)) == ([False, True], False, False)
    assert watched.shown == [2]


def test_what_was_sampled_and_not_graded_is_graded_by_the_run_that_goes_on_and_sampled_once(
    tmp_path: Path,
) -> None:
    killed = Watched(tmp_path)
    killed.evaluator.may_grade.clear()
    killed.curve.after(2)

    again = Watched(tmp_path)
    again.curve.resume(3)
    again.curve.finish()
    killed.evaluator.error = RewardUnavailableError("killed")
    killed.evaluator.may_grade.set()

    assert (again.evaluator.asked, again.evaluator.graded) == (0, [("step-000002", ["greedy 1"])])
    assert again.shown == [2]


def test_a_run_killed_between_a_checkpoint_and_its_evaluation_makes_up_for_it(tmp_path: Path) -> None:
    again = Watched(tmp_path)
    again.curve.resume(4)
    again.curve.finish()

    # The weights of step 2 are gone; those of step 4 are the present ones.
    assert (again.evaluator.asked, again.shown) == (1, [4])


def test_grades_that_cannot_be_had_end_the_run_and_are_asked_for_again(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.evaluator.error = RewardUnavailableError("no server")
    watched.curve.after(2)
    with pytest.raises(RewardUnavailableError):
        watched.curve.finish()

    again = Watched(tmp_path)
    again.curve.resume(2)
    again.curve.finish()
    assert (again.evaluator.asked, again.shown) == (0, [2])


def test_the_files_of_a_run_are_the_curve(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    for name, reward in (("after", 0.9), ("before", 0.1), ("step-000010", 0.5), ("step-000002", 0.3)):
        run.write_json(f"evals/{name}.json", written(reward))
    run.write_json("evals/sampled/step-000012.json", {})

    assert [(point.step, point.results["all"].reward) for point in read_curve(tmp_path, steps=12)] == [
        (0, 0.1),
        (2, 0.3),
        (10, 0.5),
        (12, 0.9),
    ]


def test_the_picture_shows_every_evaluation_with_its_interval(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    for name, reward in (("before", 0.1), ("step-000002", 0.3), ("after", 0.9)):
        run.write_json(f"evals/{name}.json", written(reward))

    axes = training_figure(step_records(4), read_curve(tmp_path, steps=4)).axes[0]
    points = {
        (float(x), float(y)) for line in axes.get_lines() for x, y in zip(*line.get_data(), strict=True)
    }

    assert {(0.0, 0.1), (2.0, 0.3), (4.0, 0.9)} <= points


def test_a_run_learns_the_same_whether_it_is_evaluated_or_not(
    small: TrainConfig, finished: Path, tmp_path: Path
) -> None:
    evaluated = replace(small, steps=4, evals=replace(small.evals, every=1))
    plain = grpo_only(replace(small, steps=4), finished, tmp_path / "plain", LengthScorer())
    watched = grpo_only(evaluated, finished, tmp_path / "watched", LengthScorer())

    assert [numbers(record) for record in watched] == [numbers(record) for record in plain]
    assert [point.step for point in read_curve(tmp_path / "watched", steps=4)] == [0, 1, 2, 3, 4]
    # A phase that never ran is not in what the run prints of its time.
    assert (
        "evaluate while training"
        not in json.loads((tmp_path / "plain" / "summary.json").read_text())["seconds"]
    )
    seconds = json.loads((tmp_path / "watched" / "seconds.json").read_text())
    assert seconds["evaluate while training"] > 0
    # The time of an evaluation is in no step, so that curves of speed do not show it.
    assert sum(record.step_s for record in watched) < seconds["train"] + 1e-3
