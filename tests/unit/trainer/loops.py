"""Whole runs in seconds: a scorer without a server, and runs that skip what a test does not look at."""

import shutil
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path

from reward_client.api import Failure, Outcome, RewardUnavailableError, Sample, Score
from trainer.config import TrainConfig
from trainer.reporting.progress import Progress
from trainer.run_files.records import StepRecord, Summary
from trainer.run_files.run_directory import RunDirectory
from trainer.train import train


class LengthScorer:
    """Scores by the completion alone, so that every domain can be graded without a server."""

    def __init__(self) -> None:
        self.calls: list[list[Sample]] = []
        self._lock = threading.Lock()
        self.fail_call: int | None = None
        self.failing_rewards: set[str] = set()

    def score(self, samples: Sequence[Sample], *, timeout_s: float) -> list[Outcome]:
        with self._lock:
            self.calls.append(list(samples))
            number = len(self.calls)
        if number == self.fail_call:
            raise RewardUnavailableError("no server could be reached before the deadline")
        return [self._outcome(sample) for sample in samples]

    def _value(self, sample: Sample) -> float:
        return (len(sample.completion) % 7) / 6

    def _outcome(self, sample: Sample) -> Outcome:
        value = self._value(sample)
        return Outcome(
            sample_id=sample.sample_id,
            result=Failure(kind="SANDBOX", message="no engine")
            if sample.reward in self.failing_rewards
            else Score(
                value=value,
                components={"format": 0.0, "correctness": value},
                verdict="PARTIAL",
                explanation="",
            ),
            reward_version="1.0.0+test",
            cached=False,
            queue_ms=0.0,
            grade_ms=0.0,
        )


def run(config: TrainConfig, path: Path, scorer: LengthScorer) -> Summary:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return train(config, run=RunDirectory(path), scorer=scorer, progress=Progress())


def grpo_only(config: TrainConfig, base: Path, path: Path, scorer: LengthScorer) -> list[StepRecord]:
    """Trains from the base of a finished run, without warm start and evaluations."""
    if not path.exists():
        path.mkdir()
        for name in ("base", "evals"):
            shutil.copytree(base / name, path / name)
        shutil.copy(base / "policy.json", path)
    run(config, path, scorer)
    return RunDirectory(path).read_steps()


def numbers(record: StepRecord) -> tuple[object, ...]:
    """What must not depend on time: everything but the seconds."""
    names = ("step", "reward", "loss", "kl", "grad_norm", "learning_rate", "entropy", "clip_share")
    counts = ("data_position", "groups_drawn", "completion_tokens", "completions_in_loss", "updates")
    values = (getattr(record, name) for name in (*names, *counts))
    return tuple(None if value != value else value for value in values)  # NaN is not equal to itself


def texts(samples: Sequence[Sample]) -> list[str]:
    return [sample.completion for sample in samples]
