"""A run as TensorBoard reads it: event files, written without TensorFlow.

`tensorboard/` of a run is derived from its other files. Whoever opens it writes it from the first
step on, and removes what an earlier process left: that one may have been ahead of its last
checkpoint, or killed before its file was whole. The session that begins at step 0 makes a
TensorBoard that is looking forget what it had read.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.plugins.text import metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util import tensor_util

from evals.results import DomainResult
from trainer.run_files.records import RolloutRecord, StepRecord
from trainer.tracking.curves import evaluation_curves, step_curves
from trainer.tracking.text import as_markdown

_EVENT_FILES = "events.out.tfevents.*"
# Generated when imported, so that a type checker sees no names in them.
_events: Any = event_pb2
_summaries: Any = summary_pb2


class TensorBoard:
    """Writes one run's event file; every step is on disk when it was taken."""

    def __init__(self, directory: Path, *, elapsed_s: float) -> None:
        """Opens a new file; `elapsed_s` is what the run took before now, for its time axis."""
        directory.mkdir(parents=True, exist_ok=True)
        for stale in directory.glob(_EVENT_FILES):
            stale.unlink()
        self._began = time.time() - elapsed_s
        self._now = self._began
        self._writer = EventFileWriter(str(directory))
        self._write(_events.Event(step=0, session_log=_events.SessionLog(status=_events.SessionLog.START)))

    def step(self, record: StepRecord, measures: Mapping[str, float]) -> None:
        self._now = self._began + record.elapsed_s
        self._scalars(record.step, {**step_curves(record), **measures})

    def evaluation(self, step: int, results: Mapping[str, DomainResult]) -> None:
        self._scalars(step, evaluation_curves(results))

    def rollouts(self, step: int, rollouts: Sequence[RolloutRecord]) -> None:
        values = [
            _summaries.Summary.Value(
                tag=f"rollouts/{number}",
                metadata=metadata.create_summary_metadata(display_name="", description=""),
                tensor=tensor_util.make_tensor_proto(np.array([as_markdown(rollout).encode()], dtype=object)),
            )
            for number, rollout in enumerate(rollouts, start=1)
        ]
        self._write(_events.Event(step=step, summary=_summaries.Summary(value=values)))

    def close(self) -> None:
        self._writer.close()

    def _scalars(self, step: int, points: Mapping[str, float]) -> None:
        values = [_summaries.Summary.Value(tag=name, simple_value=value) for name, value in points.items()]
        self._write(_events.Event(step=step, summary=_summaries.Summary(value=values)))

    def _write(self, event: Any) -> None:
        event.wall_time = self._now
        self._writer.add_event(event)
        self._writer.flush()
