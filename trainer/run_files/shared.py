"""The directory of a run whose processes are on several hosts: one writes, all read.

They must see one directory under one path, as checkpoints are written by all; with a
directory each, the first checkpoint would wait for ever.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from uuid import uuid4

from trainer.cluster import Cluster
from trainer.config import TrainConfig
from trainer.run_files.records import RolloutRecord, StepRecord
from trainer.run_files.run_directory import RunDirectory

FILE = "cluster.json"
_WAIT_S = 60.0  # caches of network file systems hide a new file for as long


class SeenDirectory(RunDirectory):
    """The directory of a run that another process writes: what is written here goes nowhere."""

    def start(self, config: TrainConfig, record: Mapping[str, object]) -> None: ...

    def write_text(self, name: str, text: str) -> None: ...

    def append(self, name: str, row: Mapping[str, object]) -> None: ...

    def append_step(self, record: StepRecord) -> None: ...

    def keep_rollouts(self, rollouts: Sequence[RolloutRecord], *, every: int) -> Sequence[RolloutRecord]:
        return ()

    def keep_steps(self, last: int) -> list[StepRecord]:
        return []

    def keep_texts(self, last: int) -> list[RolloutRecord]:
        return []


def open_run(path: Path, cluster: Cluster, *, latest: Path) -> RunDirectory:
    """Makes the directory in the leader, and finds it in the others.

    Raises:
        trainer.config.ConfigurationError: a process does not see the leader's.
    """
    if cluster.count == 1:
        return RunDirectory(path, latest=latest)
    token = uuid4().hex

    def begin() -> str:
        record = {"processes": cluster.count, "token": token}
        RunDirectory(path).write_json(FILE, record)
        return token

    shared = cluster.share(begin)
    until = time.monotonic() + _WAIT_S
    while not (seen := _has(path, shared)) and time.monotonic() < until:
        time.sleep(0.2)
    unseen = (
        f"cluster: process {cluster.number} of {cluster.count} does not see the run in {str(path)!r} that "
        "process 0 began: all hosts need one file system, and the same path; give --run-dir"
    )
    cluster.agree("" if seen else unseen)
    return RunDirectory(path, latest=latest) if cluster.is_leader else SeenDirectory(path)


def _has(path: Path, token: str) -> bool:
    return (path / FILE).is_file() and token in (path / FILE).read_text()
