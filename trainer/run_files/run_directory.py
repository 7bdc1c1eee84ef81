"""The files of a run, and which run goes on.

config.yaml  run.json      what was asked for; versions, seeds, data, reward versions
cluster.json               processes of a run over several, by which they see that the directory is one
rows.json                  ids of the rows trained on, held out, and left out as their repeats
metrics.jsonl              one StepRecord a step
completions.jsonl          a few completions with their outcomes, a RolloutRecord each
rollouts/                  all completions as Parquet, a file a step
seconds.json               wall seconds by phase, over all processes of the run
checkpoints/               adapters, optimizer, step and position in the data, by Tunix
warm_start/                state of an unfinished warm start
policy.json  base/  lora/  the policy (`policy.checkpoint`)
evals/                     before, after and, with `evals.every`, while training
tensorboard/               curves, made from the files above
summary.json               written last: a run without it is unfinished
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from trainer.config import ConfigurationError, TrainConfig, to_yaml
from trainer.options import ClusterOptions, TrackingOptions
from trainer.run_files.records import (
    METRICS_FILE,
    SUMMARY_FILE,
    RolloutRecord,
    StepRecord,
    read_steps,
    rollout_from_json,
    to_json,
)
from trainer.run_files.rollouts import DIRECTORY, write_rollouts

RECORD_FILE = "run.json"
_COMPLETIONS_FILE = "completions.jsonl"
_KEPT_EVERY = 10  # steps between the completions written to completions.jsonl
_KEPT = 4  # completions written then


def fingerprint(config: TrainConfig) -> str:
    """Identifies what a run computes: every knob but where it is stored, who is told, how processes meet."""
    computed = replace(
        config, run_dir=None, fresh=False, tracking=TrackingOptions(), cluster=ClusterOptions()
    )
    return sha256(to_yaml(computed).encode()).hexdigest()[:16]


def choose(config: TrainConfig, runs: Path, *, now: datetime) -> Path:
    """Returns the directory to write to: the newest unfinished run of this configuration, or a new one.

    Raises:
        ConfigurationError: `run_dir` holds another configuration, or a finished run.
    """
    identity = fingerprint(config)
    if config.run_dir is not None:
        _check_free(config.run_dir, identity, fresh=config.fresh)
        return config.run_dir
    if not config.fresh:
        unfinished = [
            path.parent
            for path in runs.glob(f"*/{RECORD_FILE}")
            if json.loads(path.read_text())["fingerprint"] == identity
            and not (path.parent / SUMMARY_FILE).exists()
            and not path.parent.is_symlink()
        ]
        if unfinished:
            return max(unfinished, key=lambda path: path.name)
    return runs / f"{now:%Y%m%d-%H%M%S}-{config.name}-s{config.seed}"


def _check_free(directory: Path, identity: str, *, fresh: bool) -> None:
    record = directory / RECORD_FILE
    if not record.is_file():
        return
    if fresh:
        raise ConfigurationError(
            f"run_dir: {str(directory)!r} holds a run already: name a new one, or leave --fresh"
        )
    if json.loads(record.read_text())["fingerprint"] != identity:
        raise ConfigurationError(
            f"run_dir: {str(directory)!r} holds a run of another configuration: name a new one"
        )
    if (directory / SUMMARY_FILE).exists():
        raise ConfigurationError(f"run_dir: the run in {str(directory)!r} is finished: name a new one")


class RunDirectory:
    """Writes the files of one run; every write is whole before the next begins."""

    def __init__(self, path: Path, *, latest: Path | None = None) -> None:
        self.path = path
        self._latest = latest
        self.checkpoints = path / "checkpoints"
        path.mkdir(parents=True, exist_ok=True)

    @property
    def resumed(self) -> bool:
        """Whether a base is already there, so that the warm start need not be repeated."""
        return (self.path / "policy.json").is_file()

    def start(self, config: TrainConfig, record: Mapping[str, object]) -> None:
        """Writes what was asked for, and points the `latest` link here."""
        (self.path / "config.yaml").write_text(
            to_yaml(replace(config, run_dir=None, fresh=False, cluster=ClusterOptions()))
        )
        self.write_json(RECORD_FILE, {"fingerprint": fingerprint(config), **record})
        if self._latest is not None and (self._latest.is_symlink() or not self._latest.exists()):
            self._latest.unlink(missing_ok=True)
            self._latest.parent.mkdir(parents=True, exist_ok=True)
            self._latest.symlink_to(os.path.relpath(self.path, self._latest.parent), target_is_directory=True)

    def write_json(self, name: str, value: object) -> None:
        self.write_text(name, json.dumps(value, indent=2, ensure_ascii=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Writes a file that is there whole or not at all."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.write_text(text, encoding="utf-8", errors="replace")
        part.replace(path)

    def read_json(self, name: str) -> object | None:
        path = self.path / name
        return json.loads(path.read_text()) if path.is_file() else None

    def append(self, name: str, row: Mapping[str, object]) -> None:
        with (self.path / name).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")

    def append_step(self, record: StepRecord) -> None:
        with (self.path / METRICS_FILE).open("a", encoding="utf-8") as lines:
            lines.write(to_json(record) + "\n")

    def keep_rollouts(self, rollouts: Sequence[RolloutRecord], *, every: int) -> Sequence[RolloutRecord]:
        """Writes all completions of every so many steps as Parquet, and a few of every tenth as text.

        The first step is among both; with `every` at 0 there is no Parquet. Returns the few.
        """
        behind = rollouts[0].step - 1
        if every and behind % every == 0:
            write_rollouts(self.path / DIRECTORY, rollouts)
        if behind % _KEPT_EVERY:
            return ()
        kept = rollouts[:: max(1, len(rollouts) // _KEPT)]
        with (self.path / _COMPLETIONS_FILE).open("a", encoding="utf-8", errors="replace") as lines:
            lines.writelines(to_json(rollout) + "\n" for rollout in kept)
        return kept

    @property
    def elapsed_s(self) -> float:
        """Seconds of training behind the last step on file."""
        steps = self.read_steps()
        return steps[-1].elapsed_s if steps else 0.0

    def read_steps(self) -> list[StepRecord]:
        return read_steps(self.path / METRICS_FILE)

    def keep_steps(self, last: int) -> list[StepRecord]:
        """Forgets the steps after `last`, which will be done again, and returns the others."""
        kept = [record for record in self.read_steps() if record.step <= last]
        self.write_text(METRICS_FILE, "".join(to_json(record) + "\n" for record in kept))
        return kept

    def keep_texts(self, last: int) -> list[RolloutRecord]:
        """Forgets the completions of the steps after `last`, and returns the few others kept as text."""
        path = self.path / _COMPLETIONS_FILE
        lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.is_file() else []
        kept = [rollout for rollout in map(rollout_from_json, lines) if rollout.step <= last]
        self.write_text(_COMPLETIONS_FILE, "".join(to_json(rollout) + "\n" for rollout in kept))
        return kept
